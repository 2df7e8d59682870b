"""The known fields of content blocks and their parts: what is not here is refused.

A key that ends in ``!`` is required, in ``?`` may be null; ``Beta`` marks what only exists with a
header.
"""

from collections.abc import Mapping
from typing import Final

from hookline.simulator.rules import betas
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

STRING: Final = Text()
COUNT: Final = Number(least=0)

CACHE_CONTROL: Final = Tagged(
    {
        "ephemeral": Record(
            {
                "type!": STRING,
                "ttl": Text(choices=("5m", "1h")),
                "scope": Beta(STRING, betas.CACHE_SCOPE),
            }
        )
    }
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
        "type!": Text(choices=("text",)),  # some lists take nothing else, and look at no tag
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
            betas.MCP_TOOLSET,
        ),
        "advisor_tool_result": Beta(Record({**_RESULT, "content!": Free()}), betas.ADVISOR),
        "compaction": Beta(
            Record(
                {
                    "type!": STRING,
                    "content?": STRING,
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
