"""Betas that became part of the API, and tools whose versions went on (facts 0, 3, 6.4, 10, 11, 12, 16.1)."""

from collections.abc import Mapping
from typing import Any, Final

from hookline import Request
from hookline.values import ServerTool, Tool, ToolSpec
from hookline_plugins.modernize.rules import Case, Found, Rule, Told

__all__ = ["BETAS"]

# What each beta opened, and the section of the facts by which no header is needed any more.
_PART_OF_THE_API: Final[Mapping[str, tuple[str, str]]] = {
    "code-execution-2025-05-22": ("code execution", "10.5"),
    "code-execution-2025-08-25": ("code execution", "10.5"),
    "effort-2025-11-24": ("effort", "11"),
    "extended-cache-ttl-2025-04-11": ("the ttl 1h", "3.5"),
    "files-api-2025-04-14": ("files", "0"),
    "fine-grained-tool-streaming-2025-05-14": ("a field of the tool", "6.4"),
    "max-tokens-3-5-sonnet-2024-07-15": ("longer output", "9.1"),
    "message-batches-2024-09-24": ("batches", "12.5"),
    "messages-2023-12-15": ("messages", "2"),
    "output-128k-2025-02-19": ("longer output", "9.1"),
    "pdfs-2024-09-25": ("PDFs", "5.4"),
    "prompt-caching-2024-07-31": ("prompt caching", "12.2"),
    "search-results-2025-06-09": ("search results", "3.1"),
    "skills-2025-10-02": ("skills", "0"),
    "structured-outputs-2025-11-13": ("structured outputs", "11"),
    "structured-outputs-2025-12-15": ("structured outputs", "11"),
    "token-counting-2024-11-01": ("token counting", "12.1"),
    "token-efficient-tools-2025-02-19": ("tools", "10"),
    "tool-examples-2025-10-29": ("input_examples", "10.1"),
    "tool-search-tool-2025-10-19": ("tool search", "10.5"),
    "tools-2024-04-04": ("tools", "10"),
    "tools-2024-05-16": ("tools", "10"),
    "web-fetch-2025-09-10": ("web fetch", "10.5"),
    "web-search-2025-03-05": ("web search", "10.5"),
}
_LONG_CONTEXT: Final = "context-1m-2025-08-07"
_LONG: Final = 1_000_000
_FAST: Final = "fast-mode-2026-02-01"
_INTERLEAVED: Final = "interleaved-thinking-2025-05-14"
_EAGER: Final = "fine-grained-tool-streaming-2025-05-14"
_FORMAT_BETAS: Final = frozenset({"structured-outputs-2025-11-13", "structured-outputs-2025-12-15"})

# Versions of one tool under one name, the oldest first: who runs it notices nothing. Others keep their
# version: web tools of 2026 bring code execution along, and a text editor of another name would not be found.
_LADDERS: Final = (
    ("bash_20241022", "bash_20250124"),
    ("text_editor_20241022", "text_editor_20250124"),
    ("text_editor_20250429", "text_editor_20250728"),
    ("computer_20241022", "computer_20250124", "computer_20251124"),
)
_TOOLSET: Final = "computer_toolset_20260801"
_COMPUTER: Final = "computer_"
_BETA_OF: Final[Mapping[str, str]] = {
    "computer_20251124": "computer-use-2025-11-24",
    "computer_20250124": "computer-use-2025-01-24",
    **dict.fromkeys(
        ("computer_20241022", "bash_20241022", "text_editor_20241022"), "computer-use-2024-10-22"
    ),
}
_COMPUTER_BETAS: Final = frozenset(_BETA_OF.values())


def _tool_versions(request: Request, case: Case) -> Found:
    """Raise the versions of tools to the newest that the model is old enough for."""
    tools: list[ToolSpec] = []
    told: list[Told] = []
    for index, tool in enumerate(request.tools or ()):
        wanted = _raised(tool, case)
        if wanted is None or not isinstance(tool, ServerTool):
            tools.append(tool)
            continue
        told.append((f"tools.{index}", f"{tool.type} is {wanted}"))
        bare = wanted == _TOOLSET  # which declares no screen and has no name
        tools.append(
            ServerTool(wanted, cache_control=tool.cache_control)
            if bare
            else tool.evolve(type=wanted)
        )
    if not told:
        return None
    wanted_betas = [_BETA_OF[kind] for tool in tools if (kind := _type(tool)) in _BETA_OF]
    kept = [name for name in request.betas if name not in _COMPUTER_BETAS]
    betas = tuple(dict.fromkeys((*kept, *wanted_betas)))
    return request.evolve(tools=tuple(tools), betas=betas), tuple(told)


def _raised(tool: ToolSpec, case: Case) -> str | None:
    """Return the version that a tool should have, or None where it is right as it is."""
    kind, facts = _type(tool), case.facts
    ladder = next((each for each in _LADDERS if kind in each), ())
    if not ladder or facts is None:
        return None
    refused = facts.refused_tools
    if kind.startswith(_COMPUTER) and ladder[-1] in refused:
        return _TOOLSET
    newer = [
        each
        for each in ladder[ladder.index(kind) + 1 :]
        if facts.released is None or each.rpartition("_")[2] <= f"{facts.released:%Y%m%d}"
    ]
    return newer[-1] if newer else None


def _type(tool: Any) -> str:
    return getattr(tool, "type", None) or "custom"


def _finished_betas(request: Request, case: Case) -> Found:
    """Leave out the names of betas that became part of the API."""
    over = {name: why for name in request.betas if (why := _why_over(name, request, case))}
    if not over:
        return None
    kept = tuple(name for name in request.betas if name not in over)
    changes: dict[str, Any] = {"betas": kept}
    if _EAGER in over and request.tools:
        changes["tools"] = tuple(map(_eager, request.tools))
    return request.evolve(**changes), tuple(
        ("betas", f"{name} left out: {why}") for name, why in over.items()
    )


def _why_over(name: str, request: Request, case: Case) -> str:
    facts = case.facts
    if name in _PART_OF_THE_API:
        what, section = _PART_OF_THE_API[name]
        return f"{what} needs no header, facts {section}"
    if name == _LONG_CONTEXT and facts is not None and facts.context >= _LONG:
        return "a million tokens need no header here, facts 12.3"
    if name == _FAST and facts is not None and facts.fast_mode == "ga":
        return "fast mode needs no header here, facts 12.6"
    kind = (request.thinking or {}).get("type")
    if name == _INTERLEAVED and kind == "adaptive":
        return "adaptive thinking goes on between tools by itself, facts 9.3"
    if name in _COMPUTER_BETAS and not any(
        _BETA_OF.get(_type(tool)) == name for tool in request.tools or ()
    ):
        return "no tool here needs it, facts 10.5"
    return ""


def _eager(tool: ToolSpec) -> ToolSpec:
    if isinstance(tool, Tool) and tool.eager_input_streaming is None:
        return tool.evolve(eager_input_streaming=True)
    return tool


def _output_format(request: Request, _case: Case) -> Found:
    """Move the form of the reply to where it stands now."""
    wanted = request.extra.get("output_format")
    if wanted is None:
        return None
    extra = {name: value for name, value in request.extra.items() if name != "output_format"}
    config = {"format": wanted, **(request.output_config or {})}
    kept = tuple(name for name in request.betas if name not in _FORMAT_BETAS)
    changed = request.evolve(output_config=config, extra=extra, betas=kept)
    return changed, (("output_format", "it is output_config.format"),)


BETAS: Final[tuple[Rule, ...]] = (
    Rule("output-format", "the old place was for a transition, facts 11", _output_format),
    Rule("tool-version", "older versions are of a beta, or refused, facts 10.5", _tool_versions),
    Rule("beta", "it became part of the API", _finished_betas),
)
"""What was a beta once."""
