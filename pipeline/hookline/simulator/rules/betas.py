"""The ``anthropic-beta`` values: which are well-formed, and which open a field.

New ones appear every few weeks, so a list of all that exist would be out of date before it is shipped:
a well-formed name passes, and one that is not known here is logged, since it may be mistyped (facts
16.1).
"""

import functools
import re
from collections.abc import Iterable
from typing import Final

from loguru import logger

from hookline.simulator.errors import invalid

MCP_SERVER_TOOLS: Final = ("mcp-client-2025-04-04",)  # the tools are chosen on the server itself
MCP_TOOLSET: Final = ("mcp-client-2025-11-20", "mcp-client-2026-09-15")
MCP: Final = MCP_SERVER_TOOLS + MCP_TOOLSET
CONTEXT_MANAGEMENT: Final = ("context-management-2025-06-27", "compact-2026-01-12")
COMPACT_EDIT: Final = ("compact-2026-01-12",)
COMPACTION: Final = ("compact-2026-09-04",)
COMPACT_BLOCK: Final = COMPACT_EDIT + COMPACTION
THREADS: Final = ("message-threads-2026-08-12",)
FALLBACK: Final = ("server-side-fallback-2026-07-01", "server-side-fallback-2026-06-01")
FALLBACK_CREDIT: Final = ("fallback-credit-2026-07-01", "fallback-credit-2026-06-01")
TASK_BUDGET: Final = ("task-budgets-2026-03-13",)
SYSTEM_OUTPUT_CONFIG: Final = (
    "mid-conversation-output-config-2026-07-01",
    "per-turn-control-2026-07-01",
)
TOOL_CHANGES: Final = ("mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15")
CLEAR_AT: Final = ("mid-conversation-system-clear-at-2026-08-21",)
BLOCK_BINDING: Final = ("thinking-binding-controls-2026-08-01",)
DISPLAY_UPDATES: Final = ("thinking-display-updates-2026-08-18",)
THINKING_COUNT: Final = ("thinking-token-count-2026-05-13",)
FAST_MODE: Final = ("fast-mode-2026-02-01",)
ADVISOR: Final = ("advisor-tool-2026-03-01",)
COMPUTER_2025_11: Final = ("computer-use-2025-11-24",)
COMPUTER_2025_01: Final = ("computer-use-2025-01-24",)
COMPUTER_2024_10: Final = ("computer-use-2024-10-22",)
OUTPUT_300K: Final = ("output-300k-2026-03-24",)
STRUCTURED_OUTPUTS: Final = ("structured-outputs-2025-11-13", "structured-outputs-2025-12-15")
FILES: Final = ("files-api-2025-04-14",)  # selects the older shape of the list
CACHE_SCOPE: Final = ("prompt-caching-scope-2026-01-05",)

# Known, and without effect here.
_OTHERS: Final = [
    "admin-user-sign-out-2026-10-08",
    "advanced-tool-use-2025-11-20",
    "afk-mode-2026-01-31",
    "agent-memory-2026-07-22",
    "analytics-usage-cost-2026-08-24",
    "cache-diagnosis-2026-04-07",
    "ce-claude-code-managed-settings-2026-10-06",
    "ce-plugins-2026-09-01",
    "ce-user-management-2026-07-13",
    "claude-code-20250219",
    "code-execution-2025-05-22",
    "code-execution-2025-08-25",
    "code-execution-web-tools-2026-02-09",
    "context-1m-2025-08-07",
    "dangerous-tool-use-2026-09-03",
    "dev-full-thinking-2025-05-14",
    "dreaming-2026-04-21",
    "efs-2026-10-01",
    "effort-2025-11-24",
    "experimental-claude-tag-2026-10-21",
    "extended-cache-ttl-2025-04-11",
    "fine-grained-tool-streaming-2025-05-14",
    "google-managed-data-controls-2026-09-01",
    "interleaved-thinking-2025-05-14",
    "managed-agents-2026-04-01",
    "mcp-tunnels-2026-06-22",
    "message-batches-2024-09-24",
    "mid-conversation-system-2026-04-07",
    "model-context-window-exceeded-2025-08-26",
    "oauth-2025-04-20",
    "output-128k-2025-02-19",
    "pdfs-2024-09-25",
    "prompt-caching-2024-07-31",
    "redact-thinking-2026-02-12",
    "skills-2025-10-02",
    "spend-limit-reads-2026-09-26",
    "telemetry-destinations-2026-08-11",
    "token-counting-2024-11-01",
    "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29",
    "tool-search-tool-2025-10-19",
    "user-profiles-2026-03-24",
    "user-profiles-2026-08-18",
    "user-profiles-2026-09-04",
    "user-profiles-billing-2026-10-01",
    "web-fetch-2025-09-10",
    "web-search-2025-03-05",
    "webhooks-2026-10-07",
]
_KNOWN: Final = frozenset(
    [
        *MCP, *CONTEXT_MANAGEMENT, *COMPACTION, *THREADS, *FALLBACK, *FALLBACK_CREDIT, *TASK_BUDGET,
        *SYSTEM_OUTPUT_CONFIG, *TOOL_CHANGES, *CLEAR_AT, *BLOCK_BINDING, *DISPLAY_UPDATES,
        *THINKING_COUNT, *FAST_MODE, *ADVISOR, *COMPUTER_2025_11, *COMPUTER_2025_01,
        *COMPUTER_2024_10, *OUTPUT_300K, *STRUCTURED_OUTPUTS, *FILES, *CACHE_SCOPE, *_OTHERS,
    ]
)  # fmt: skip
_WELL_FORMED: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-(?:\d{4}-\d{2}-\d{2}|\d{8})")


def read_betas(values: Iterable[str]) -> frozenset[str]:
    """Read the ``anthropic-beta`` headers: comma-separated, repeated, or both.

    Args:
        values: The header's values.

    Returns:
        The names.

    Raises:
        ApiError: 400 for what cannot be a name: words and a date, ``words-2026-11-26`` or
            ``words-20261126``.

    """
    names = [name for value in values for item in value.split(",") if (name := item.strip())]
    malformed = [name for name in names if not _WELL_FORMED.fullmatch(name)]
    if malformed:
        shown = ", ".join(f"`{name}`" for name in malformed)
        raise invalid(
            f"Unexpected value(s) {shown} for the `anthropic-beta` header. Please consult our "
            "documentation or try again without the header."
        )
    for name in names:
        if name not in _KNOWN:
            _note(name)
    return frozenset(names)


@functools.lru_cache(maxsize=1_000)
def _note(name: str) -> None:
    """Log, once a name, that nothing is known of it."""
    logger.bind(beta=name).warning(
        "the simulator does not know the beta {}: it changes nothing", name
    )
