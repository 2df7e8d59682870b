"""What exists only with an ``anthropic-beta`` header: fields, blocks, tools (facts 2.1, 3.1, 10.5, 16.1).

A header counts by its stem, without its date, so that a newer one of the same feature opens it too.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from hookline import Block, Message
from hookline_plugins.preflight.digest import Digest, Need
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check", "look", "look_at_message"]

HEADER: Final = Rule("beta-header", "2.1", "Name the beta in `betas`")

RULES: Final = (HEADER,)

# The header to name, and the stems that open the feature.
_MCP: Final = ("mcp-client-2025-11-20", ("mcp-client-",))
_COMPACT: Final = ("compact-2026-09-04", ("compact-",))
_FALLBACK: Final = (
    "server-side-fallback-2026-07-01",
    ("server-side-fallback-", "fallback-credit-"),
)
_TOOL_CHANGES: Final = (
    "mid-conversation-tool-changes-2026-07-01",
    ("mid-conversation-tool-changes-", "inline-tools-"),
)

# facts 2.1. Left out: `billing_policy` and `fallback_credit_token`, whose headers are unconfirmed.
_FIELDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "mcp_servers": _MCP,
    "context_management": (
        "context-management-2025-06-27",
        ("context-management-", "compact-"),
    ),
    "compaction": _COMPACT,
    "thread": ("message-threads-2026-08-12", ("message-threads-",)),
    "fallbacks": _FALLBACK,
}
# facts 2.4
_MESSAGE_FIELDS: Final = {
    "output_config": (
        "mid-conversation-output-config-2026-07-01",
        ("mid-conversation-output-config-", "per-turn-control-"),
    ),
    "clear_at": (
        "mid-conversation-system-clear-at-2026-08-21",
        ("mid-conversation-system-clear-at-",),
    ),
}
# facts 3.1
_BLOCKS: Final = {
    "mcp_tool_use": _MCP,
    "mcp_tool_result": _MCP,
    "mcp_tool_listing": _MCP,
    "advisor_tool_result": ("advisor-tool-2026-03-01", ("advisor-tool-",)),
    "compaction": _COMPACT,
    "fallback": _FALLBACK,
    "tool_addition": _TOOL_CHANGES,
    "tool_removal": _TOOL_CHANGES,
}
# facts 10.5, 10.6
_TOOLS: Final = {
    "mcp_toolset": _MCP,
    "advisor_20260301": ("advisor-tool-2026-03-01", ("advisor-tool-",)),
    "computer_20251124": ("computer-use-2025-11-24", ("computer-use-2025-11-24",)),
    "computer_20250124": ("computer-use-2025-01-24", ("computer-use-2025-01-24",)),
    **dict.fromkeys(
        ("computer_20241022", "bash_20241022", "text_editor_20241022"),
        ("computer-use-2024-10-22", ("computer-use-2024-10-22",)),
    ),
}
_BINDING: Final = (
    "thinking-binding-controls-2026-08-01",
    ("thinking-binding-controls-",),
)
_UPDATES: Final = ("thinking-display-updates-2026-08-18", ("thinking-display-updates-",))
_BUDGET: Final = ("task-budgets-2026-03-13", ("task-budgets-",))


def look_at_message(message: Message, digest: Digest) -> None:
    """Note fields of a system message that need a header."""
    if message.role == "system":
        for name, (header, stems) in _MESSAGE_FIELDS.items():
            if getattr(message, name) is not None:
                digest.needs += (Need(name, name, header, stems),)


def look(block: Block, place: str, digest: Digest) -> None:
    """Note a block that needs a header."""
    known = _BLOCKS.get(block.type)
    if known is not None:
        digest.needs += (Need(place, f"a {block.type} block", *known),)


def check(given: "Given") -> Iterator[Problem]:
    """Check that each feature has its header."""
    for need in (*_of_request(given.request), *given.history.needs):
        if not any(map(given.has_beta, need.stems)):
            yield HEADER.broken(
                need.place,
                f"{need.what} exists only with a beta header",
                f"Add betas=[{need.header!r}]",
            )


def _of_request(request: Any) -> Iterator[Need]:
    for name, known in _FIELDS.items():
        if getattr(request, name) is not None:
            yield Need(name, name, *known)
    thinking = request.thinking or {}
    if thinking.get("block_binding") is not None:
        yield Need("thinking.block_binding", "block_binding", *_BINDING)
    if thinking.get("display") == "updates":
        yield Need("thinking.display", "display 'updates'", *_UPDATES)
    if (request.output_config or {}).get("task_budget") is not None:
        yield Need("output_config.task_budget", "task_budget", *_BUDGET)
    for index, tool in enumerate(request.tools or ()):
        kind = getattr(tool, "type", None)
        if kind in _TOOLS:
            yield Need(f"tools.{index}", f"the tool type {kind}", *_TOOLS[kind])
