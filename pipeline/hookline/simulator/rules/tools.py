"""The rules about tools: pairs of use and result, names, ``tool_choice``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from hookline.models import ModelFacts
from hookline.simulator.errors import invalid
from hookline.simulator.measures.tokens import blocks_of
from hookline.simulator.rules import betas as beta
from hookline.simulator.rules.fits import misfit
from hookline.simulator.rules.schema import check_schema, check_well_formed

_FORCED: Final = frozenset({"any", "tool"})
_MOST_STRICT: Final = 20

# Result block of a server tool to the tool that must be in the request when it is echoed.
_SERVER_TOOL_OF: Final[Mapping[str, str]] = {
    "web_search_tool_result": "web_search",
    "web_fetch_tool_result": "web_fetch",
    "code_execution_tool_result": "code_execution",
    "bash_code_execution_tool_result": "code_execution",
    "text_editor_code_execution_tool_result": "code_execution",
}
# Dynamic filtering: the newer web tools bring code execution along by themselves.
_BRINGS_CODE_EXECUTION: Final = ("web_search_2026", "web_fetch_2026")


@frozen
class _Placed:
    block: Mapping[str, Any]
    message: int
    place: int

    @property
    def where(self) -> str:
        return f"messages.{self.message}.content.{self.place}"


@frozen
class _Run:
    role: str
    last_message: int
    blocks: tuple[_Placed, ...]


def check_tools(body: Mapping[str, Any], facts: ModelFacts, betas: frozenset[str]) -> None:
    """Check tools, ``tool_choice`` and the pairs in the conversation.

    Args:
        body: A request of the right shape.
        facts: The model.
        betas: The request's beta headers.

    Raises:
        ApiError: 400 with the API's text.

    """
    tools: Sequence[Mapping[str, Any]] = body.get("tools") or ()
    _check_definitions(tools, facts)
    _check_choice(body, tools, facts)
    _check_servers(body.get("mcp_servers") or (), tools, betas)
    runs = tuple(_runs(body["messages"]))
    _check_unique(runs)
    for before, run in zip((None, *runs), runs, strict=False):
        _check_results(before, run)
    for run, after in zip(runs, (*runs[1:], None), strict=True):
        _check_uses(run, after)
    _check_server_tools(runs, tools)


def _check_definitions(tools: Sequence[Mapping[str, Any]], facts: ModelFacts) -> None:
    names: set[str] = set()
    strict = 0
    for position, tool in enumerate(tools):
        name = tool.get("name")
        if name is not None and name in names:
            raise invalid("tools: Tool names must be unique.")
        names.add(name or "")
        if tool.get("defer_loading") and tool.get("cache_control"):
            raise invalid(
                f"tools.{position}: `cache_control` cannot be set together with `defer_loading`"
            )
        if tool.get("allowed_domains") and tool.get("blocked_domains"):
            raise invalid(
                f"tools.{position}: only one of `allowed_domains` and `blocked_domains` may be set"
            )
        kind = tool.get("type") or "custom"
        if kind in facts.refused_tools:
            raise invalid(
                f"'{facts.id}' does not support tool types: {kind}. "
                "Did you mean one of computer_toolset_20260801?"
            )
        strict += tool.get("strict") is True
        if kind == "custom":
            _check_custom(tool, f"tools.{position}.custom")
    if tools and all(tool.get("defer_loading") for tool in tools):
        raise invalid("tools: at least one tool must not have `defer_loading` set")
    if strict > _MOST_STRICT:
        raise invalid(f"tools: at most {_MOST_STRICT} tools may be strict")


def _check_custom(tool: Mapping[str, Any], where: str) -> None:
    schema = tool["input_schema"]
    check = check_schema if tool.get("strict") else check_well_formed
    check(schema, f"{where}.input_schema")
    for place, example in enumerate(tool.get("input_examples") or ()):
        wrong = misfit(example, schema)
        if wrong is not None:  # wording approximate
            raise invalid(
                f"{where}.input_examples.{place}: does not fit the tool's input_schema: {wrong}"
            )


def _check_servers(
    servers: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]],
    betas: frozenset[str],
) -> None:
    """Each MCP server is used by exactly one toolset. The wordings are approximate.

    Under the first version of the beta there were no toolsets: the server said which tools it lends.
    """
    toolsets = betas.isdisjoint(beta.MCP_SERVER_TOOLS) or not betas.isdisjoint(beta.MCP_TOOLSET)
    names = [server["name"] for server in servers]
    used = [tool["mcp_server_name"] for tool in tools if tool.get("type") == "mcp_toolset"]
    for position, server in enumerate(servers):
        if not server["url"].lower().startswith("https://"):
            raise invalid(f"mcp_servers.{position}.url: must be an https URL")
        if names.count(server["name"]) > 1:
            raise invalid(f"mcp_servers.{position}.name: server names must be unique")
        if toolsets and used.count(server["name"]) != 1:
            raise invalid(
                f"mcp_servers.{position}: must be referenced by exactly one `mcp_toolset`"
            )
    unknown = next((name for name in used if name not in names), None)
    if unknown is not None:
        raise invalid(f"tools: `mcp_toolset` names the unknown MCP server '{unknown}'")


def _check_choice(
    body: Mapping[str, Any], tools: Sequence[Mapping[str, Any]], facts: ModelFacts
) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not tools and not body.get("mcp_servers"):
        raise invalid("tool_choice may only be specified while providing tools.")
    if choice["type"] not in _FORCED:
        return
    if not facts.forced_tool_choice and facts.confirmed("forced_tool_choice"):
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')
    thinking = body.get("thinking")
    if facts.thinks(thinking["type"] if thinking else None):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    if choice["type"] == "tool" and choice["name"] not in {tool.get("name") for tool in tools}:
        raise invalid(f"tool_choice.name: Tool '{choice['name']}' not found in provided tools")


def _runs(messages: Sequence[Mapping[str, Any]]) -> Iterator[_Run]:
    """Merge messages of one role, as the API does; each block keeps its own position."""
    role, last, blocks = "", 0, list[_Placed]()
    for position, message in enumerate(messages):
        if message["role"] == "system":
            continue  # its own place is checked elsewhere; it never parts a pair
        if message["role"] != role and role:
            yield _Run(role, last, tuple(blocks))
            blocks = []
        role, last = message["role"], position
        blocks += (
            _Placed(block, position, place)
            for place, block in enumerate(blocks_of(message["content"]))
        )
    if role:
        yield _Run(role, last, tuple(blocks))


def _check_unique(runs: Sequence[_Run]) -> None:
    seen: set[str] = set()
    for run in runs:
        for placed in run.blocks:
            if placed.block["type"] == "tool_use":
                if placed.block["id"] in seen:
                    raise invalid(f"{placed.where}: `tool_use` ids must be unique")
                seen.add(placed.block["id"])


def _check_results(before: _Run | None, run: _Run) -> None:
    """Each result answers a use of the turn before, once."""
    asked = {
        placed.block["id"]: placed.block
        for placed in (before.blocks if before else ())
        if placed.block["type"] == "tool_use"
    }
    answered: set[str] = set()
    for placed in run.blocks:
        if placed.block["type"] != "tool_result":
            continue
        use_id = placed.block["tool_use_id"]
        if use_id not in asked:
            raise invalid(
                f"{placed.where}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{use_id}. Each `tool_result` block must have a corresponding `tool_use` block "
                "in the previous message."
            )
        if use_id in answered:
            raise invalid(
                f"{placed.where}: each `tool_use` must have a single result. Found multiple "
                f"`tool_result` blocks with id: {use_id}"
            )
        answered.add(use_id)
        if placed.block.get("is_error") and not placed.block.get("content"):  # wording approximate
            raise invalid(f"{placed.where}: content cannot be empty if `is_error` is true")
        if asked[use_id].get("toolset_name") != placed.block.get("toolset_name"):
            raise invalid(
                f"{placed.where}.toolset_name: must be the same as in the `tool_use` block {use_id}"
            )


def _check_uses(run: _Run, after: _Run | None) -> None:
    """Each use has its result in the turn after, before anything else in it."""
    wanted = [p.block["id"] for p in run.blocks if p.block["type"] == "tool_use"]
    if not wanted:
        return
    found: set[str] = set()
    for placed in after.blocks if after else ():
        if placed.block["type"] != "tool_result":
            break
        found.add(placed.block["tool_use_id"])
    missing = [use_id for use_id in wanted if use_id not in found]
    if missing:
        raise invalid(
            f"messages.{run.last_message}: `tool_use` ids were found without `tool_result` blocks "
            f"immediately after: {', '.join(missing)}. Each `tool_use` block must have a "
            "corresponding `tool_result` block in the next message."
        )


def _check_server_tools(runs: Sequence[_Run], tools: Sequence[Mapping[str, Any]]) -> None:
    kinds = [tool.get("type") or "custom" for tool in tools]
    for run in runs:
        for placed in run.blocks:
            kind = placed.block["type"]
            needed = _SERVER_TOOL_OF.get(kind)
            if needed is None or any(name.startswith(needed) for name in kinds):
                continue
            if needed == "code_execution" and any(
                name.startswith(_BRINGS_CODE_EXECUTION) for name in kinds
            ):
                continue
            raise invalid(
                f"{placed.where}: `{kind}` block found, but no `{needed}` tool was provided"
            )
