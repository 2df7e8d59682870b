"""The known fields of a request, as tables: what is not here is refused.

Blocks (``block_fields.py``) and tools (``tool_fields.py``) have tables of their own, in the same
notation.
"""

from collections.abc import Mapping
from typing import Final

from hookline.models import EFFORTS
from hookline.simulator.rules import betas
from hookline.simulator.rules.block_fields import BLOCK, CACHE_CONTROL, COUNT, STRING, TEXT
from hookline.simulator.rules.shape import (
    Anything,
    Beta,
    Either,
    Flag,
    Free,
    Items,
    Number,
    Record,
    Shape,
    Tagged,
    Text,
)
from hookline.simulator.rules.tool_fields import MCP_SERVER, TOOL, TOOL_CHOICE

_DISPLAY: Final = Text(choices=("summarized", "omitted", "updates"))
_BINDING: Final = Beta(
    Record({"prefix_mismatch_behavior": Text(choices=("error", "drop_block"))}),
    betas.BLOCK_BINDING,
)

_TURN: Final = Record({"role!": STRING, "content!": Either(Items(BLOCK))})
_SYSTEM_TURN: Final = Record(
    {
        "role!": STRING,
        "content!": Either(Items(BLOCK)),
        "output_config?": Beta(
            Record({"effort": Text(choices=EFFORTS)}), betas.SYSTEM_OUTPUT_CONFIG
        ),
        "clear_at?": Beta(Text(choices=("next_user_message", "never")), betas.CLEAR_AT),
    }
)
MESSAGE: Final = Tagged(
    {"user": _TURN, "assistant": _TURN, "system": _SYSTEM_TURN}, tag="role", shown=False
)

THINKING: Final = Tagged(
    {
        "adaptive": Record({"type!": STRING, "display?": _DISPLAY, "block_binding?": _BINDING}),
        "enabled": Record(
            {
                "type!": STRING,
                "budget_tokens!": Number(least=1024),
                "display?": _DISPLAY,
                "block_binding?": _BINDING,
            }
        ),
        "disabled": Record({"type!": STRING}),
        "between_tools": Record({"type!": STRING}),
    }
)

OUTPUT_CONFIG: Final = Record(
    {
        "effort?": Text(choices=EFFORTS),
        "format?": Tagged(
            {"json_schema": Record({"type!": STRING, "schema!": Free()})}, shown=False
        ),
        "task_budget?": Beta(
            Record(
                {
                    "type!": Text(choices=("tokens",)),
                    "total!": Number(least=1),
                    "remaining?": COUNT,
                }
            ),
            betas.TASK_BUDGET,
        ),
    }
)

_TOOL_USES: Final = Record({"type!": Text(choices=("tool_uses",)), "value!": COUNT})
_TRIGGER: Final = Tagged(
    {
        "input_tokens": Record({"type!": STRING, "value!": Number(least=1)}),
        "tool_uses": Record({"type!": STRING, "value!": Number(least=1)}),
    }
)
_EDIT: Final = Tagged(
    {
        "clear_tool_uses_20250919": Record(
            {
                "type!": STRING,
                "trigger": _TRIGGER,
                "keep": _TOOL_USES,
                "clear_at_least?": Record(
                    {"type!": Text(choices=("input_tokens",)), "value!": COUNT}
                ),
                "exclude_tools?": Items(STRING),
                "clear_tool_inputs?": Anything(),  # a flag, or the names of tools
            }
        ),
        "clear_thinking_20251015": Record(
            {
                "type!": STRING,
                "keep": Either(
                    Tagged(
                        {
                            "thinking_turns": Record({"type!": STRING, "value!": Number(least=1)}),
                            "all": Record({"type!": STRING}),
                        }
                    ),
                    Text(choices=("all",)),
                ),
            }
        ),
        "compact_20260112": Beta(
            Record(
                {
                    "type!": STRING,
                    "trigger?": Record(
                        {
                            "type!": Text(choices=("input_tokens",)),
                            "value!": Number(least=50_000),
                        }
                    ),
                    "pause_after_compaction": Flag(),
                    "instructions?": STRING,
                }
            ),
            betas.COMPACT_EDIT,
        ),
    }
)

_COUNTED: Final[Mapping[str, Shape]] = {
    "model!": STRING,
    "messages!": Items(MESSAGE, most=100_000),
    "system?": Either(Items(Tagged({"text": TEXT}, shown=False))),
    "thinking": THINKING,
    "output_config": OUTPUT_CONFIG,
    "tools": Items(TOOL),
    "tool_choice": TOOL_CHOICE,
    "cache_control?": CACHE_CONTROL,
    "context_management?": Beta(Record({"edits": Items(_EDIT)}), betas.CONTEXT_MANAGEMENT),
    "mcp_servers": Beta(Items(MCP_SERVER), betas.MCP),
    "compaction?": Beta(
        Tagged({"summarize": Record({"type!": STRING, "instructions?": STRING})}),
        betas.COMPACTION,
    ),
    "speed?": Text(choices=("standard", "fast")),
    # Which beta opens it is unconfirmed (facts 2.1), so none is asked for.
    "billing_policy": Record(
        {
            "type!": Text(choices=("billing_policy",)),
            "bill_to": Text(choices=("self", "user_profile")),
        }
    ),
}

SAMPLING: Final[Mapping[str, Shape]] = {
    "temperature": Number(whole=False, least=0, most=1),
    "top_p": Number(whole=False, least=0, most=1),
    "top_k": Number(least=0),
}

CREATE: Final = Record(
    {
        "model!": STRING,  # named again by _COUNTED; first, because it is reported first
        "max_tokens!": COUNT,
        **_COUNTED,
        **SAMPLING,
        "stop_sequences": Items(STRING),
        "stream": Flag(),
        # 256 characters by some pages, 512 by others: what both refuse is wrong for sure.
        "metadata": Record({"user_id?": Text(longest=512)}),
        "service_tier": Text(choices=("auto", "standard_only")),
        "inference_geo?": STRING,
        "container?": Either(
            Record(
                {
                    "id?": STRING,
                    "skills?": Items(
                        Record(
                            {
                                "skill_id!": STRING,
                                "type!": Text(choices=("anthropic", "custom")),
                                "version": STRING,
                            }
                        )
                    ),
                }
            )
        ),
        "diagnostics?": Record({"previous_message_id?": STRING}),
        "thread": Beta(
            Tagged(
                {
                    "create": Record({"type!": STRING}),
                    "continue": Record({"type!": STRING, "previous_message_id!": STRING}),
                }
            ),
            betas.THREADS,
        ),
        "fallbacks": Beta(Either(Items(Anything(), most=3)), betas.FALLBACK),
        "fallback_credit_token": Beta(STRING, betas.FALLBACK_CREDIT),
        # In the beta transition period the format could also stand here.
        "output_format": Beta(Free(), betas.STRUCTURED_OUTPUTS),
    }
)

# `max_tokens` and sampling are unknown to count_tokens.
COUNT_TOKENS: Final = Record(_COUNTED)
