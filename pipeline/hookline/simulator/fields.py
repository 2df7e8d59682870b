"""The known fields of a request, as tables: what is not here is refused.

Blocks and their parts first, then the request. Tools have a table of their own
(``tool_fields.py``). A key that ends in ``!`` is required, in ``?`` may be null; ``Beta`` marks
what only exists with a header.
"""

from collections.abc import Mapping
from typing import Final

from hookline.simulator import betas
from hookline.simulator.shape import (
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
from hookline.simulator.tool_fields import MCP_SERVER, TOOL, TOOL_CHOICE

STRING: Final = Text()
COUNT: Final = Number(least=0)

CACHE_CONTROL: Final = Tagged(
    {"ephemeral": Record({"type!": STRING, "ttl": Text(choices=("5m", "1h"))})}
)
CITATIONS_CONFIG: Final = Record({"enabled": Flag()})

_CITED: Final[Mapping[str, Shape]] = {
    "type!": STRING,
    "cited_text!": STRING,
    "document_index!": COUNT,
    "document_title!?": STRING,
    "file_id?": STRING,
}
CITATION: Final = Tagged(
    {
        "char_location": Record({**_CITED, "start_char_index!": COUNT, "end_char_index!": COUNT}),
        "page_location": Record(
            {**_CITED, "start_page_number!": Number(least=1), "end_page_number!": COUNT}
        ),
        "content_block_location": Record(
            {**_CITED, "start_block_index!": COUNT, "end_block_index!": COUNT}
        ),
        "search_result_location": Record(
            {
                "type!": STRING,
                "cited_text!": STRING,
                "search_result_index!": COUNT,
                "source!": STRING,
                "title!?": STRING,
                "start_block_index!": COUNT,
                "end_block_index!": COUNT,
            }
        ),
        "web_search_result_location": Record(
            {
                "type!": STRING,
                "cited_text!": STRING,
                "url!": STRING,
                "title!?": STRING,
                "encrypted_index!": STRING,
            }
        ),
    }
)

TEXT: Final = Record(
    {
        "type!": STRING,
        "text!": STRING,
        "cache_control?": CACHE_CONTROL,
        "citations?": Items(CITATION),
    }
)

_URL_SOURCE: Final = Record({"type!": STRING, "url!": STRING})
_FILE_SOURCE: Final = Record({"type!": STRING, "file_id!": STRING})
IMAGE_TYPES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")

IMAGE: Final = Record(
    {
        "type!": STRING,
        "source!": Tagged(
            {
                "base64": Record(
                    {"type!": STRING, "media_type!": Text(choices=IMAGE_TYPES), "data!": STRING}
                ),
                "url": _URL_SOURCE,
                "file": _FILE_SOURCE,
            }
        ),
        "cache_control?": CACHE_CONTROL,
        "transformations?": Record({"oversized_image": Text(choices=("downsize", "error"))}),
    }
)

DOCUMENT: Final = Record(
    {
        "type!": STRING,
        "source!": Tagged(
            {
                "base64": Record(
                    {
                        "type!": STRING,
                        "media_type!": Text(choices=("application/pdf",)),
                        "data!": STRING,
                    }
                ),
                "text": Record(
                    {"type!": STRING, "media_type!": Text(choices=("text/plain",)), "data!": STRING}
                ),
                "content": Record(
                    {
                        "type!": STRING,
                        "content!": Either(Items(Tagged({"text": TEXT, "image": IMAGE}))),
                    }
                ),
                "url": _URL_SOURCE,
                "file": _FILE_SOURCE,
            }
        ),
        "title?": STRING,
        "context?": STRING,
        "citations?": CITATIONS_CONFIG,
        "cache_control?": CACHE_CONTROL,
    }
)

SEARCH_RESULT: Final = Record(
    {
        "type!": STRING,
        "source!": STRING,
        "title!": STRING,
        "content!": Items(TEXT),
        "citations?": CITATIONS_CONFIG,
        "cache_control?": CACHE_CONTROL,
    }
)

CALLER: Final = Tagged(
    {
        "direct": Record({"type!": STRING}),
        "code_execution_20250825": Record({"type!": STRING, "tool_id!": STRING}),
        "code_execution_20260120": Record({"type!": STRING, "tool_id!": STRING}),
    }
)

_TOOL_REFERENCE: Final = Record(
    {"type!": STRING, "tool_name!": STRING, "cache_control?": CACHE_CONTROL}
)
_BROWSER_STATE: Final = Record(
    {
        "type!": STRING,
        "tabs!": Items(
            Record({"tab_id!": STRING, "title!": STRING, "url!": STRING, "active": Flag()})
        ),
        "state_changes?": Items(Free()),
        "cache_control?": CACHE_CONTROL,
    }
)

SERVER_TOOL_NAMES: Final = (
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
    "tool_search_tool_regex",
    "tool_search_tool_bm25",
    "advisor",
)

_RESULT: Final[Mapping[str, Shape]] = {
    "type!": STRING,
    "tool_use_id!": STRING,
    "cache_control?": CACHE_CONTROL,
}
# What a server tool returned is echoed by the client and meant to be unchanged; encrypted fields
# inside cannot be judged here, so its content is taken as it comes.
_WEB_RESULT: Final = Record({**_RESULT, "content!": Anything(), "caller?": CALLER})
_EXECUTION_RESULT: Final = Record({**_RESULT, "content!": Free()})

BLOCK: Final = Tagged(
    {
        "text": TEXT,
        "image": IMAGE,
        "document": DOCUMENT,
        "search_result": SEARCH_RESULT,
        "thinking": Record({"type!": STRING, "thinking!": STRING, "signature!": STRING}),
        "redacted_thinking": Record({"type!": STRING, "data!": STRING}),
        "tool_use": Record(
            {
                "type!": STRING,
                "id!": Text(pattern="^[a-zA-Z0-9_-]+$"),
                "name!": Text(longest=200),
                "input!": Free(),
                "cache_control?": CACHE_CONTROL,
                "caller?": CALLER,
                "toolset_name?": STRING,
            }
        ),
        "tool_result": Record(
            {
                **_RESULT,
                "content?": Either(
                    Items(
                        Tagged(
                            {
                                "text": TEXT,
                                "image": IMAGE,
                                "search_result": SEARCH_RESULT,
                                "document": DOCUMENT,
                                "tool_reference": _TOOL_REFERENCE,
                                "browser_state": _BROWSER_STATE,
                            }
                        )
                    )
                ),
                "is_error": Flag(),
                "toolset_name?": STRING,
            }
        ),
        "server_tool_use": Record(
            {
                "type!": STRING,
                "id!": STRING,
                "name!": Text(choices=SERVER_TOOL_NAMES),
                "input!": Free(),
                "cache_control?": CACHE_CONTROL,
                "caller?": CALLER,
            }
        ),
        "web_search_tool_result": _WEB_RESULT,
        "web_fetch_tool_result": _WEB_RESULT,
        "code_execution_tool_result": _EXECUTION_RESULT,
        "bash_code_execution_tool_result": _EXECUTION_RESULT,
        "text_editor_code_execution_tool_result": _EXECUTION_RESULT,
        "tool_search_tool_result": _EXECUTION_RESULT,
        "container_upload": Record(
            {"type!": STRING, "file_id!": STRING, "cache_control?": CACHE_CONTROL}
        ),
        "mcp_tool_use": Beta(
            Record(
                {
                    "type!": STRING,
                    "id!": STRING,
                    "name!": STRING,
                    "server_name!": STRING,
                    "input!": Free(),
                    "cache_control?": CACHE_CONTROL,
                }
            ),
            betas.MCP,
        ),
        "mcp_tool_result": Beta(
            Record({**_RESULT, "content": Either(Items(TEXT)), "is_error": Flag()}), betas.MCP
        ),
        "mcp_tool_listing": Beta(
            Record({"type!": STRING, "mcp_server_name!": STRING, "tools!": Items(Free())}),
            betas.MCP,
        ),
        "advisor_tool_result": Beta(Record({**_RESULT, "content!": Free()}), betas.ADVISOR),
        "compaction": Beta(
            Record(
                {
                    "type!": STRING,
                    "content!?": STRING,
                    "encrypted_content?": STRING,
                    "signature?": STRING,
                    "tool_changes?": Anything(),
                    "cache_control?": CACHE_CONTROL,
                }
            ),
            betas.COMPACT_BLOCK,
        ),
        "fallback": Beta(
            Record(
                {
                    "type!": STRING,
                    "from!": Record({"model!": STRING}),
                    "to!": Record({"model!": STRING}),
                    "trigger?": Free(),
                }
            ),
            betas.FALLBACK,
        ),
        "tool_addition": Beta(Free(), betas.TOOL_CHANGES),
        "tool_removal": Beta(Free(), betas.TOOL_CHANGES),
    }
)

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
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
        "output_config": Beta(
            Record({"effort": Text(choices=EFFORTS)}), betas.SYSTEM_OUTPUT_CONFIG
        ),
        "clear_at": Beta(Anything(), betas.CLEAR_AT),
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

_COUNTED: Final[Mapping[str, Shape]] = {
    "model!": STRING,
    "messages!": Items(MESSAGE, most=100_000),
    "system?": Either(Items(Tagged({"text": TEXT}, shown=False))),
    "thinking": THINKING,
    "output_config": OUTPUT_CONFIG,
    "tools": Items(TOOL),
    "tool_choice": TOOL_CHOICE,
    "cache_control?": CACHE_CONTROL,
    "context_management?": Beta(Record({"edits": Items(Free())}), betas.CONTEXT_MANAGEMENT),
    "mcp_servers": Beta(Items(MCP_SERVER), betas.MCP),
    "compaction?": Beta(Free(), betas.COMPACTION),
    "speed?": Text(choices=("standard", "fast")),
    "billing_policy": Beta(Free(), betas.BILLING),
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
        "metadata": Record({"user_id?": Text(longest=256)}),
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
