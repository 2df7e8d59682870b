"""The ``anthropic-beta`` values that the API knows, and those that open a field."""

from collections.abc import Iterable
from typing import Final

from hookline.simulator.errors import invalid

MCP: Final = ("mcp-client-2025-11-20", "mcp-client-2026-09-15")
CONTEXT_MANAGEMENT: Final = ("context-management-2025-06-27", "compact-2026-01-12")
COMPACT_EDIT: Final = ("compact-2026-01-12",)
COMPACTION: Final = ("compact-2026-09-04",)
COMPACT_BLOCK: Final = COMPACT_EDIT + COMPACTION
THREADS: Final = ("message-threads-2026-08-12",)
FALLBACK: Final = ("server-side-fallback-2026-07-01",)
FALLBACK_CREDIT: Final = ("fallback-credit-2026-07-01", "fallback-credit-2026-06-01")
TASK_BUDGET: Final = ("task-budgets-2026-03-13",)
SYSTEM_OUTPUT_CONFIG: Final = ("mid-conversation-output-config-2026-07-01",)
TOOL_CHANGES: Final = ("mid-conversation-tool-changes-2026-07-01",)
CLEAR_AT: Final = ("mid-conversation-system-clear-at-2026-08-21",)
BLOCK_BINDING: Final = ("thinking-binding-controls-2026-08-01",)
DISPLAY_UPDATES: Final = ("thinking-display-updates-2026-08-18",)
BILLING: Final = ("user-profiles-billing-2026-10-01",)  # pairing unconfirmed
FAST_MODE: Final = ("fast-mode-2026-02-01",)
ADVISOR: Final = ("advisor-tool-2026-03-01",)
COMPUTER_2025_11: Final = ("computer-use-2025-11-24",)
COMPUTER_2025_01: Final = ("computer-use-2025-01-24",)
COMPUTER_2024_10: Final = ("computer-use-2024-10-22",)
OUTPUT_300K: Final = ("output-300k-2026-03-24",)
STRUCTURED_OUTPUTS: Final = ("structured-outputs-2025-11-13",)

# Values that change nothing here, but that the API still knows and therefore does not refuse.
_WITHOUT_EFFECT: Final = (
    "ce-plugins-2026-09-01",
    "code-execution-2025-05-22",
    "context-1m-2025-08-07",
    "dev-full-thinking-2025-05-14",
    "extended-cache-ttl-2025-04-11",
    "files-api-2025-04-14",
    "fine-grained-tool-streaming-2025-05-14",
    "cache-diagnosis-2026-04-07",
    "inline-tools-2026-09-15",
    "interleaved-thinking-2025-05-14",
    "mcp-client-2025-04-04",
    "message-batches-2024-09-24",
    "model-context-window-exceeded-2025-08-26",
    "oauth-2025-04-20",
    "output-128k-2025-02-19",
    "pdfs-2024-09-25",
    "prompt-caching-2024-07-31",
    "server-side-fallback-2026-06-01",
    "skills-2025-10-02",
    "thinking-token-count-2026-05-13",
    "token-counting-2024-11-01",
    "token-efficient-tools-2025-02-19",
    "user-profiles-2026-03-24",
    "user-profiles-2026-08-18",
    "user-profiles-2026-09-04",
)

KNOWN: Final = frozenset(
    {
        *MCP,
        *CONTEXT_MANAGEMENT,
        *COMPACTION,
        *THREADS,
        *FALLBACK,
        *FALLBACK_CREDIT,
        *TASK_BUDGET,
        *SYSTEM_OUTPUT_CONFIG,
        *TOOL_CHANGES,
        *CLEAR_AT,
        *BLOCK_BINDING,
        *DISPLAY_UPDATES,
        *BILLING,
        *FAST_MODE,
        *ADVISOR,
        *COMPUTER_2025_11,
        *COMPUTER_2025_01,
        *COMPUTER_2024_10,
        *OUTPUT_300K,
        *STRUCTURED_OUTPUTS,
        *_WITHOUT_EFFECT,
    }
)


def read_betas(values: Iterable[str]) -> frozenset[str]:
    """Read the ``anthropic-beta`` headers: comma-separated, repeated, or both.

    Args:
        values: The header's values.

    Returns:
        The names.

    Raises:
        ApiError: 400 for a name that the API does not know.

    """
    names = [name.strip() for value in values for name in value.split(",")]
    unknown = [name for name in names if name and name not in KNOWN]
    if unknown:
        shown = ", ".join(f"`{name}`" for name in unknown)
        raise invalid(
            f"Unexpected value(s) {shown} for the `anthropic-beta` header. Please consult our "
            "documentation or try again without the header."
        )
    return frozenset(name for name in names if name)
