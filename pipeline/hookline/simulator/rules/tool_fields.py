"""The known fields of tools, ``tool_choice`` and MCP servers."""

from collections.abc import Mapping
from typing import Final

from hookline.simulator.rules import betas
from hookline.simulator.rules.block_fields import CACHE_CONTROL
from hookline.simulator.rules.shape import (
    Anything,
    Beta,
    Flag,
    Free,
    Items,
    Number,
    Record,
    Shape,
    Tagged,
    Text,
)

_STRING: Final = Text()
_CALLERS: Final = Items(
    Text(
        choices=(
            "direct",
            "code_execution_20250825",
            "code_execution_20260120",
            "code_execution_20260521",
        )
    )
)
_COMMON: Final[Mapping[str, Shape]] = {
    "type!": _STRING,
    "cache_control?": CACHE_CONTROL,
    "allowed_callers": _CALLERS,
    "defer_loading": Flag(),
    "strict": Flag(),
}


def _named(name: str, extra: Mapping[str, Shape] | None = None) -> Record:
    return Record({**_COMMON, "name!": Text(choices=(name,)), **(extra or {})})


_EXAMPLES: Final[Mapping[str, Shape]] = {"input_examples": Items(Free())}
_DOMAINS: Final[Mapping[str, Shape]] = {
    "max_uses?": Number(least=1),
    "allowed_domains?": Items(_STRING),
    "blocked_domains?": Items(_STRING),
}
_SEARCH: Final[Mapping[str, Shape]] = {
    **_DOMAINS,
    "user_location?": Tagged(
        {
            "approximate": Record(
                {
                    "type!": _STRING,
                    "city?": _STRING,
                    "country?": _STRING,
                    "region?": _STRING,
                    "timezone?": _STRING,
                }
            )
        }
    ),
}
_FETCH: Final[Mapping[str, Shape]] = {
    **_DOMAINS,
    "citations?": Record({"enabled": Flag()}),
    "max_content_tokens?": Number(least=1),
    "url_sources?": Free(),
}
_INCLUSION: Final[Mapping[str, Shape]] = {"response_inclusion": Text(choices=("full", "excluded"))}
_CACHED: Final[Mapping[str, Shape]] = {"use_cache": Flag()}
_TOOLSET: Final = Record(
    {
        "type!": _STRING,
        "cache_control?": CACHE_CONTROL,
        "configs?": Free(),
        "allowed_callers": Items(Text(choices=("direct",))),
    }
)
_SCREEN: Final[Mapping[str, Shape]] = {
    **_EXAMPLES,
    "display_width_px!": Number(least=1),
    "display_height_px!": Number(least=1),
    "display_number?": Number(least=0),
}

CUSTOM: Final = Record(
    {
        **{key: shape for key, shape in _COMMON.items() if key != "type!"},
        "type?": Text(choices=("custom",)),
        "name!": Text(longest=128, pattern="^[a-zA-Z0-9_-]{1,128}$"),
        "description": _STRING,
        "input_schema!": Tagged({"object": Free()}, shown=False),
        "eager_input_streaming?": Flag(),
        **_EXAMPLES,
    }
)

TOOL: Final = Tagged(
    {
        "custom": CUSTOM,
        "bash_20250124": _named("bash", _EXAMPLES),
        "bash_20241022": Beta(_named("bash", _EXAMPLES), betas.COMPUTER_2024_10),
        "text_editor_20241022": Beta(
            _named("str_replace_editor", _EXAMPLES), betas.COMPUTER_2024_10
        ),
        "text_editor_20250124": _named("str_replace_editor", _EXAMPLES),
        "text_editor_20250429": _named("str_replace_based_edit_tool", _EXAMPLES),
        "text_editor_20250728": _named(
            "str_replace_based_edit_tool", {**_EXAMPLES, "max_characters?": Number(least=1)}
        ),
        "memory_20250818": _named("memory", _EXAMPLES),
        "computer_toolset_20260801": _TOOLSET,
        "browser_toolset_20260801": _TOOLSET,
        "web_search_20250305": _named("web_search", _SEARCH),
        "web_search_20260209": _named("web_search", _SEARCH),
        "web_search_20260318": _named("web_search", {**_SEARCH, **_INCLUSION}),
        "web_fetch_20250910": _named("web_fetch", _FETCH),
        "web_fetch_20260209": _named("web_fetch", _FETCH),
        "web_fetch_20260309": _named("web_fetch", {**_FETCH, **_CACHED}),
        "web_fetch_20260318": _named("web_fetch", {**_FETCH, **_CACHED, **_INCLUSION}),
        "code_execution_20250522": _named("code_execution"),
        "code_execution_20250825": _named("code_execution"),
        "code_execution_20260120": _named("code_execution"),
        "code_execution_20260521": _named("code_execution"),
        "tool_search_tool_regex_20251119": _named("tool_search_tool_regex"),
        "tool_search_tool_regex": _named("tool_search_tool_regex"),
        "tool_search_tool_bm25_20251119": _named("tool_search_tool_bm25"),
        "tool_search_tool_bm25": _named("tool_search_tool_bm25"),
        "advisor_20260301": Beta(
            _named(
                "advisor",
                {
                    "model!": _STRING,
                    "max_uses?": Number(least=1),
                    "max_tokens?": Number(least=1),
                    "caching?": Free(),
                },
            ),
            betas.ADVISOR,
        ),
        "mcp_toolset": Beta(
            Record(
                {
                    "type!": _STRING,
                    "mcp_server_name!": _STRING,
                    "default_config?": Record({"enabled": Flag(), "defer_loading": Flag()}),
                    "configs?": Free(),
                    "tools?": Anything(),
                    "cache_control?": CACHE_CONTROL,
                }
            ),
            betas.MCP_TOOLSET,
        ),
        "computer_20251124": Beta(
            _named("computer", {**_SCREEN, "enable_zoom?": Flag()}), betas.COMPUTER_2025_11
        ),
        "computer_20250124": Beta(_named("computer", _SCREEN), betas.COMPUTER_2025_01),
        "computer_20241022": Beta(_named("computer", _SCREEN), betas.COMPUTER_2024_10),
    },
    default="custom",
)

_PARALLEL: Final[Mapping[str, Shape]] = {"type!": _STRING, "disable_parallel_tool_use": Flag()}
TOOL_CHOICE: Final = Tagged(
    {
        "auto": Record(_PARALLEL),
        "any": Record(_PARALLEL),
        "tool": Record({**_PARALLEL, "name!": _STRING}),
        "none": Record({"type!": _STRING}),
    }
)

MCP_SERVER: Final = Record(
    {
        "type!": Text(choices=("url",)),
        "url!": _STRING,
        "name!": _STRING,
        "authorization_token?": _STRING,
        # Older than the toolset; whether the newer versions still take it is unconfirmed.
        "tool_configuration?": Record({"enabled?": Flag(), "allowed_tools?": Items(_STRING)}),
    }
)
