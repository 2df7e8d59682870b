"""Tools: definitions, ``tool_choice``, pairs of call and result (facts 10)."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from hookline import Block, DecodeError, InputError, Tool, ToolResultBlock, ToolUseBlock
from hookline.values import ServerTool
from hookline_plugins.preflight.digest import Call, Digest
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check", "look"]

# facts 10.4
PAIRS: Final = Rule(
    "tool-pairs", "10.4", "Answer every tool_use with one tool_result in the very next message"
)
RESULTS_FIRST: Final = Rule(
    "results-first", "10.4", "Put tool results before any other block of that message"
)
FAILED: Final = Rule("error-result", "10.4", "Say in `content` what went wrong")
IDS: Final = Rule("tool-ids", "10.4", "Give every tool_use an id of its own")
TOOLSET: Final = Rule("toolset-name", "10.4", "Copy `toolset_name` from the tool_use block")
# facts 10.1
NAMES: Final = Rule("tool-names", "10.1", "Give every tool a name of its own", shared=True)
NAME: Final = Rule("tool-name", "10.1", "Use letters, digits, _ and - only, 128 at most")
SCHEMA: Final = Rule("tool-schema", "10.1", 'Make the root of the schema {"type": "object"}')
EXAMPLES: Final = Rule(
    "tool-examples", "10.1", "Make every one of `input_examples` fit the tool's `input_schema`"
)
DEFERRED: Final = Rule("tool-deferred", "10.1", "Take `defer_loading` away from at least one tool")
STRICT: Final = Rule("tool-strict", "11", "Set `strict` on 20 tools at most")
# facts 10.2
CHOICE: Final = Rule("tool-choice", "10.2", "Leave `tool_choice` out, or pass tools", shared=True)
CHOICE_NAME: Final = Rule(
    "tool-choice-name", "10.2", "Name one of the tools that are passed", shared=True
)
FORCED: Final = Rule(
    "forced-tool",
    "10.2",
    'Use tool_choice {"type": "auto"} or "none"',
    goes_by="forced_tool_choice",
)
FORCED_THINKING: Final = Rule(
    "forced-tool-thinking", "10.2", 'Turn thinking off, or use tool_choice {"type": "auto"}'
)
# facts 10.5
KIND: Final = Rule("tool-type", "10.5", "Use a newer type of the tool", goes_by="refused_tools")
DOMAINS: Final = Rule("tool-domains", "10.5", "Give one of the two lists of domains")
ECHO: Final = Rule("server-tool", "8.3", "Pass the tool again that made this block")
# facts 10.6
SERVERS: Final = Rule(
    "mcp-servers", "10.6", "Reference each https server by exactly one mcp_toolset"
)

RULES: Final = (
    PAIRS, RESULTS_FIRST, FAILED, IDS, TOOLSET, NAMES, NAME, SCHEMA, EXAMPLES, DEFERRED, STRICT,
    CHOICE, CHOICE_NAME, FORCED, FORCED_THINKING, KIND, DOMAINS, ECHO, SERVERS,
)  # fmt: skip

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_FORCED: Final = frozenset({"any", "tool"})
_MOST_STRICT: Final = 20

# facts 8.3: the block that comes back, and the beginning of the type of a tool that makes it. The
# newer web tools bring code execution along.
_WEB: Final = ("web_search_2026", "web_fetch_2026")
_MAKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "web_search_tool_result": ("web_search",),
    "web_fetch_tool_result": ("web_fetch",),
    "code_execution_tool_result": ("code_execution", *_WEB),
    "bash_code_execution_tool_result": ("code_execution", *_WEB),
    "text_editor_code_execution_tool_result": ("code_execution", *_WEB),
}


def look(block: Block, place: str, digest: Digest) -> None:
    """Note calls, results, and what server tools left in a message."""
    if isinstance(block, ToolUseBlock):
        digest.uses += (Call(block.id, place, block.toolset_name),)
    elif isinstance(block, ToolResultBlock):
        if len(digest.results) == int(place.rpartition(".")[2]):
            digest.leading += 1
        digest.results += (Call(block.tool_use_id, place, block.toolset_name),)
        if block.is_error and not block.content:
            text = "a failed result cannot be empty"
            digest.problems += (FAILED.broken(f"{place}.content", text),)
    elif block.type in _MAKERS:
        digest.echoes += ((place, block.type),)


def check(given: "Given") -> Iterator[Problem]:
    """Check tools, ``tool_choice`` and the pairs in the conversation."""
    if given.request.tools:
        yield from _definitions(given)
    if given.request.tool_choice is not None:
        yield from _choice(given)
    if given.request.mcp_servers:
        yield from _servers(given)
    if given.request.thread is None:  # what a thread holds, only the API can see
        yield from given.history.unanswered()
        yield from given.history.mispaired
    for place, kind in given.history.echoes:
        if not any(_type(tool).startswith(_MAKERS[kind]) for tool in given.request.tools or ()):
            yield ECHO.broken(place, f"a {kind} block, but no tool that makes one")


def _definitions(given: "Given") -> Iterator[Problem]:
    tools = given.request.tools or ()
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name = getattr(tool, "name", None)
        if name is not None and name in seen:
            yield NAMES.broken(f"tools.{index}.name", f"two tools are called {name!r}")
        seen.add(name or "")
        if given.facts is not None and _type(tool) in given.facts.refused_tools:
            text = f"{given.facts.id} does not take {_type(tool)}"
            yield KIND.broken(f"tools.{index}.type", text)
        if isinstance(tool, Tool):
            yield from _own(tool, f"tools.{index}")
        if _option(tool, "allowed_domains") and _option(tool, "blocked_domains"):
            yield DOMAINS.broken(
                f"tools.{index}", "allowed_domains and blocked_domains exclude each other"
            )
    if all(_option(tool, "defer_loading") for tool in tools):
        yield DEFERRED.broken("tools", "every tool has `defer_loading`")
    strict = sum(1 for tool in tools if _option(tool, "strict") is True)
    if strict > _MOST_STRICT:
        yield STRICT.broken("tools", f"{strict} tools are strict, {_MOST_STRICT} may be")


def _own(tool: Tool, place: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(tool.name):
        yield NAME.broken(f"{place}.name", f"{tool.name[:200]!r} is no tool name")
    if tool.input_schema.get("type") != "object":
        yield SCHEMA.broken(f"{place}.input_schema", "the schema's root must be an object")
    if not tool.input_examples:
        return
    from hookline.schema import check_value  # noqa: PLC0415 -- few tools have examples

    for number, example in enumerate(tool.input_examples):
        try:
            check_value(example, tool.input_schema, "property")
        except DecodeError as error:
            yield EXAMPLES.broken(f"{place}.input_examples.{number}", str(error))
        except InputError as error:  # which judges nothing
            yield SCHEMA.broken(f"{place}.input_schema", str(error))
            return


def _choice(given: "Given") -> Iterator[Problem]:
    request, facts, choice = given.request, given.facts, given.request.tool_choice
    if choice is None:
        return
    if not request.tools and not request.mcp_servers:
        yield CHOICE.broken("tool_choice", "there is a tool_choice, but there are no tools")
        return
    if choice.type == "tool":
        names = {getattr(tool, "name", None) for tool in request.tools or ()}
        if choice.name not in names and not given.has_toolset:
            yield CHOICE_NAME.broken("tool_choice.name", f"there is no tool {choice.name!r}")
    if choice.type not in _FORCED:
        return
    if facts is not None and not facts.forced_tool_choice:
        yield FORCED.broken("tool_choice", f"{facts.id} cannot be forced to use a tool")
        if facts.confirmed("forced_tool_choice"):
            return
    if given.thinks:
        yield FORCED_THINKING.broken(
            "tool_choice", "a model that thinks cannot be forced to use a tool"
        )


def _servers(given: "Given") -> Iterator[Problem]:
    servers = [item for item in given.request.mcp_servers or () if isinstance(item, Mapping)]
    used = Counter(
        _option(tool, "mcp_server_name")
        for tool in given.request.tools or ()
        if _type(tool) == "mcp_toolset"
    )
    names = Counter(server.get("name") for server in servers)
    for index, server in enumerate(servers):
        name, url = server.get("name"), server.get("url")
        place = f"mcp_servers.{index}"
        if isinstance(url, str) and not url.lower().startswith("https://"):
            yield SERVERS.broken(f"{place}.url", "only https servers can be reached")
        if names[name] > 1:
            yield SERVERS.broken(f"{place}.name", f"two servers are called {name!r}")
        elif given.has_toolsets and used[name] != 1:
            yield SERVERS.broken(place, f"{used[name]} toolsets reference {name!r}")
    for name in used.keys() - names.keys():
        yield SERVERS.broken(
            "tools", f"an mcp_toolset names the server {name!r}, which is not there"
        )


def _type(tool: Any) -> str:
    return getattr(tool, "type", None) or "custom"


def _option(tool: Any, name: str) -> Any:
    """Return a field of a tool, wherever its class keeps it."""
    if isinstance(tool, Tool) and hasattr(tool, name):
        return getattr(tool, name)
    return (tool.extra if isinstance(tool, Tool | ServerTool) else tool.data).get(name)
