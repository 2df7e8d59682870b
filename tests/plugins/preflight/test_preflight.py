"""The preflight plugin: each rule against the simulator, so that the two cannot drift apart."""

import base64
import datetime as dt
import gc
import pickle
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import (
    APIError,
    ConfigError,
    Destination,
    InputError,
    Message,
    ModelFacts,
    Pipeline,
    Request,
    TextBlock,
    Turn,
    hookimpl,
)
from hookline.models import load_models
from hookline.simulator import Call, Simulator
from hookline.wire import json
from hookline.wire.codec import structure_request
from hookline_plugins.preflight import (
    _CHECKS,
    _ORDINARY_CHECKS,
    RULES,
    Preflight,
    PreflightError,
    server,
)
from hookline_plugins.preflight.given import Given
from hookline_plugins.preflight.memory import Memory

OLD, NEW, MIDDLE = "claude-haiku-4-5", "claude-opus-5-5", "claude-sonnet-4-6"
NEW_VERSION = "2026-10-21"
HELLO = {"role": "user", "content": "Hello"}
EPHEMERAL = {"type": "ephemeral"}
TOOL = {"name": "look", "input_schema": {"type": "object"}}
ENABLED = {"type": "enabled", "budget_tokens": 1024}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def system(*content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "system", "content": list(content), **more}


def text(words: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def use(name: str = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "look", "input": {}, **more}


def result(name: str = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": "ok", **more}


def image(source: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "image", "source": source or data(png(1, 1)), **more}


def data(content: bytes, media_type: str = "image/png") -> dict[str, Any]:
    return {
        "type": "base64",
        "media_type": media_type,
        "data": base64.b64encode(content).decode(),
    }


def png(width: int, height: int, padding: int = 0) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    rows = zlib.compress(b"\0" * ((1 + (width + 7) // 8) * height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + (chunk(b"prIv", b"\0" * padding) if padding else b"")
        + chunk(b"IEND", b"")
    )


def document(citations: bool | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Ants."},
    }
    return block if citations is None else {**block, "citations": {"enabled": citations}}


def pdf(pages: int) -> dict[str, Any]:
    tree = b"%%PDF-1.4\n1 0 obj << /Type /Pages /Count %d >> endobj " % pages
    content = tree + b"<< /Type /Page >> " * pages
    return {"type": "document", "source": data(content, "application/pdf")}


SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
FORMAT = {"format": {"type": "json_schema", "schema": SCHEMA}}
CITED = {
    "type": "char_location",
    "cited_text": "A",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}
SEARCHED = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
MCP = {"type": "url", "url": "https://mcp.example.com", "name": "m"}
MCP_BETA = ("mcp-client-2025-11-20",)
SCREEN = {
    "type": "computer_20251124",
    "name": "computer",
    "display_width_px": 800,
    "display_height_px": 600,
}


@frozen
class Case:
    """A request and the rule that it breaks."""

    rule: str
    position: str
    body: dict[str, Any]
    version: str = "2023-06-01"
    betas: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.rule}@{self.position}"


def case(
    rule: str,
    position: str,
    *,
    version: str = "2023-06-01",
    betas: tuple[str, ...] = (),
    **body: Any,
) -> Case:
    return Case(rule, position, complete(body), version, betas)


def complete(body: dict[str, Any]) -> dict[str, Any]:
    return {"model": OLD, "max_tokens": 100, "messages": [HELLO], **body}


MARKED = [text(str(number), cache_control=EPHEMERAL) for number in range(5)]
LONG = {"type": "ephemeral", "ttl": "1h"}

REFUSED = [
    # limits
    case("max-tokens", "max_tokens", max_tokens=64_001),
    case("max-tokens", "max_tokens", model=NEW, max_tokens=128_001),
    case("max-tokens-least", "max_tokens", max_tokens=-1),
    case("stop-sequence", "stop_sequences.1", stop_sequences=["ok", " \n"]),
    case("user-id", "metadata.user_id", metadata={"user_id": "u" * 600}),
    case("speed", "speed", model="claude-opus-4-7", speed="fast"),
    case("speed", "speed", model="claude-opus-5", speed="fast"),
    case("retired-model", "model", model="claude-opus-4-1"),
    case(
        "compaction",
        "compaction",
        compaction={"type": "summarize"},
        context_management={"edits": []},
        betas=("compact-2026-09-04", "context-management-2025-06-27"),
    ),
    # what cannot be what it says it is
    case("block-fields", "messages.0.content.0", messages=[user({"type": "text"})]),
    case("block-fields", "messages.0.content.1", messages=[user(text(), {"type": "image"})]),
    case(
        "block-fields",
        "messages.1.content.0",
        messages=[HELLO, assistant({"type": "text", "text": None}), HELLO],
    ),
    case(
        "block-fields",
        "messages.2.content.0.content.0",
        messages=[HELLO, assistant(use()), user(result(content=[{"type": "text", "text": 5}]))],
    ),
    case("lone-surrogate", "messages.0.content", messages=[{"role": "user", "content": "\ud83d"}]),
    case("lone-surrogate", "messages.0.content.1.text", messages=[user(text(), text("a \udc00"))]),
    case(
        "lone-surrogate",
        "messages.1.content.0.input.a.0",
        messages=[HELLO, assistant(use(input={"a": ["\ud83d"]})), user(result())],
        tools=[TOOL],
    ),
    case("lone-surrogate", "system.0.text", system=[text("\ud83d!")]),
    case("lone-surrogate", "system", system="Caf\u00e9 \ud83d"),
    # turns
    case("no-messages", "messages", messages=[]),
    case("first-message", "messages", messages=[assistant(text()), HELLO]),
    case("empty-message", "messages.0", messages=[{"role": "user", "content": ""}]),
    case("empty-message", "messages.1", messages=[HELLO, assistant(), HELLO]),
    case("blank-text", "messages.0.content.1", messages=[user(text(), text(""))]),
    case("blank-text", "messages.0.content.0", messages=[{"role": "user", "content": " \n"}]),
    case("blank-text", "messages.1.content.0", messages=[HELLO, assistant(text(" ")), HELLO]),
    case("blank-text", "system.0", system=[text(" ")]),
    case("blank-text", "system", system="  "),
    case(
        "trailing-whitespace",
        "messages.1.content.0",
        messages=[HELLO, {"role": "assistant", "content": "It is "}],
    ),
    case("prefill", "messages.1", model=NEW, messages=[HELLO, assistant(text())]),
    case("prefill", "messages.1", model=NEW, messages=[HELLO, assistant()]),
    case(
        "prefill-format", "messages.1", messages=[HELLO, assistant(text())], output_config=FORMAT
    ),
    case(
        "thinking-first",
        "messages.1.content.0",
        messages=[HELLO, assistant(text())],
        max_tokens=2000,
        thinking=ENABLED,
    ),
    case(
        "thinking-first",
        "messages.1.content.0",
        messages=[HELLO, assistant(use()), user(result())],
        tools=[TOOL],
        max_tokens=2000,
        thinking=ENABLED,
    ),
    case("system-role", "messages.1", messages=[HELLO, system(text())]),
    case("system-place", "messages.0", model=NEW, messages=[system(text()), HELLO]),
    case(
        "system-place",
        "messages.2",
        model=NEW,
        messages=[HELLO, assistant(text()), system(text()), HELLO],
    ),
    case("system-place", "messages.1", model=NEW, messages=[HELLO, system(text()), HELLO]),
    case("system-content", "messages.1", model=NEW, messages=[HELLO, system()]),
    case("system-content", "messages.1.content.0", model=NEW, messages=[HELLO, system(image())]),
    case(
        "system-directive",
        "messages.1",
        model="claude-sonnet-5-5",
        messages=[HELLO, system(output_config={"effort": "low"})],
        betas=("mid-conversation-output-config-2026-07-01",),
    ),
    case("block-place", "messages.1.content.0", messages=[HELLO, assistant(image()), HELLO]),
    case(
        "block-place",
        "messages.0.content.0",
        messages=[user({"type": "redacted_thinking", "data": "eA=="})],
    ),
    case(
        "version-content",
        "messages.1.content.0",
        messages=[HELLO, assistant(document()), HELLO],
        version=NEW_VERSION,
    ),
    case(
        "version-content",
        "messages.0.content.0.citations",
        messages=[user(text(citations=[CITED]))],
        version=NEW_VERSION,
    ),
    # tools
    case("tool-pairs", "messages.1", messages=[HELLO, assistant(use()), HELLO], tools=[TOOL]),
    case("tool-pairs", "messages.1", messages=[HELLO, assistant(use())], tools=[TOOL]),
    case(
        "tool-pairs",
        "messages.1",
        messages=[HELLO, assistant(use(), use("t2")), user(result())],
        tools=[TOOL],
    ),
    case("tool-pairs", "messages.0.content.0", messages=[user(result())], tools=[TOOL]),
    case(
        "tool-pairs",
        "messages.2.content.1",
        messages=[HELLO, assistant(use()), user(result(), result())],
        tools=[TOOL],
    ),
    case(
        "results-first",
        "messages.2.content.1",
        messages=[HELLO, assistant(use()), user(text(), result())],
        tools=[TOOL],
    ),
    case(
        "results-first",
        "messages.3.content.0",
        messages=[HELLO, assistant(use()), HELLO, user(result())],
        tools=[TOOL],
    ),
    case(
        "tool-ids",
        "messages.3.content.0",
        messages=[HELLO, assistant(use()), user(result()), assistant(use()), user(result())],
        tools=[TOOL],
    ),
    case(
        "toolset-name",
        "messages.2.content.0.toolset_name",
        messages=[HELLO, assistant(use(toolset_name="computer")), user(result())],
        model=NEW,
        tools=[{"type": "computer_toolset_20260801"}],
    ),
    case("tool-names", "tools.1.name", tools=[TOOL, TOOL]),
    case("tool-name", "tools.0.name", tools=[{**TOOL, "name": "no spaces"}]),
    case("tool-name", "tools.0.name", tools=[{**TOOL, "name": "n" * 129}]),
    case(
        "error-result",
        "messages.2.content.0.content",
        messages=[HELLO, assistant(use()), user(result(is_error=True, content=""))],
    ),
    case(
        "error-result",
        "messages.2.content.0.content",
        messages=[HELLO, assistant(use()), user({**result(is_error=True), "content": []})],
    ),
    case(
        "tool-type",
        "tools.0.type",
        model=NEW,
        tools=[SCREEN],
        betas=("computer-use-2025-11-24",),
    ),
    case(
        "beta-header",
        "tools.0",
        tools=[{"type": "text_editor_20241022", "name": "str_replace_editor"}],
    ),
    case("beta-name", "betas.1", betas=("context-1m-2025-08-07", "context-1m")),
    case("tool-schema", "tools.0.input_schema", tools=[{**TOOL, "input_schema": {"type": "array"}}]),
    case(
        "tool-examples",
        "tools.0.input_examples.1",
        tools=[
            {
                "name": "count",
                "input_schema": {"type": "object", "properties": {"to": {"type": "integer"}}},
                "input_examples": [{"to": 3}, {"to": "three"}],
            }
        ],
    ),
    case("tool-deferred", "tools", tools=[{**TOOL, "defer_loading": True}]),
    case(
        "tool-strict",
        "tools",
        tools=[
            {"name": f"t{n}", "input_schema": SCHEMA, "strict": True} for n in range(21)
        ],
    ),
    case(
        "tool-domains",
        "tools.0",
        tools=[
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "allowed_domains": ["a.example"],
                "blocked_domains": ["b.example"],
            }
        ],
    ),
    case("tool-choice", "tool_choice", tool_choice={"type": "auto"}),
    case(
        "tool-choice-name",
        "tool_choice.name",
        tools=[TOOL],
        tool_choice={"type": "tool", "name": "other"},
    ),
    case("forced-tool", "tool_choice", model=NEW, tools=[TOOL], tool_choice={"type": "any"}),
    case(
        "forced-tool-thinking",
        "tool_choice",
        max_tokens=2000,
        tools=[TOOL],
        tool_choice={"type": "any"},
        thinking=ENABLED,
    ),
    case(
        "forced-tool-thinking",
        "tool_choice",
        model="claude-opus-5",
        tools=[TOOL],
        tool_choice={"type": "any"},
    ),
    case("server-tool", "messages.1.content.0", messages=[HELLO, assistant(SEARCHED), HELLO]),
    case("mcp-servers", "mcp_servers.0", mcp_servers=[MCP], betas=MCP_BETA),
    case(
        "mcp-servers",
        "mcp_servers.0.url",
        mcp_servers=[{**MCP, "url": "http://mcp.example.com"}],
        tools=[{"type": "mcp_toolset", "mcp_server_name": "m"}],
        betas=MCP_BETA,
    ),
    case(
        "mcp-servers",
        "tools",
        mcp_servers=[MCP],
        tools=[
            {"type": "mcp_toolset", "mcp_server_name": "m"},
            {"type": "mcp_toolset", "mcp_server_name": "n"},
        ],
        betas=MCP_BETA,
    ),
    # cache
    case("cache-count", "", messages=[user(*MARKED)]),
    case("cache-count", "", messages=[user(*MARKED[:4])], cache_control=EPHEMERAL),
    case("cache-count", "", system=MARKED[:3], messages=[user(*MARKED[:2])]),
    case(
        "cache-ttl-order",
        "messages.0.content.1.cache_control.ttl",
        messages=[user(MARKED[0], text(cache_control=LONG))],
    ),
    case(
        "cache-ttl-order",
        "system.0.cache_control.ttl",
        tools=[{**TOOL, "cache_control": EPHEMERAL}],
        system=[text(cache_control=LONG)],
    ),
    case(
        "cache-place",
        "messages.0.content.1.cache_control",
        messages=[user(text(), text("", cache_control=EPHEMERAL))],
    ),
    case(
        "cache-place",
        "messages.1.content.0.cache_control",
        messages=[
            HELLO,
            assistant(
                {"type": "redacted_thinking", "data": "eA==", "cache_control": EPHEMERAL}, text()
            ),
            HELLO,
        ],
    ),
    case(
        "cache-place",
        "tools.1",
        tools=[TOOL, {**TOOL, "name": "b", "defer_loading": True, "cache_control": EPHEMERAL}],
    ),
    # media
    case("image-count", "messages", messages=[user(*[image()] * 101)]),
    case("pdf-pages", "messages", messages=[user(pdf(60), pdf(41))]),
    case(
        "image-bytes",
        "messages.0.content.0.source.data",
        messages=[user(image(data(png(1, 1, padding=7_864_320))))],  # a third more as base64
    ),
    case(
        "image-pixels",
        "messages.0.content.0.source.data",
        messages=[user(image(data(png(8001, 1))))],
    ),
    case(
        "image-pixels",
        "messages.2.content.0.content.0.source.data",
        messages=[
            user(*[image()] * 20),
            assistant(use()),
            user(result(content=[image(data(png(2001, 1)))])),
        ],
        tools=[TOOL],
    ),
    case(
        "image-format",
        "messages.0.content.0.source.media_type",
        messages=[user(image(data(png(1, 1), "image/jpeg")))],
    ),
    case(
        "image-format",
        "messages.0.content.0.source.data",
        messages=[user(image(data(b"BM, a picture of Windows")))],
    ),
    case(
        "base64",
        "messages.0.content.0.source.data",
        messages=[user(image({**data(b""), "data": "data:image/png;base64,iVBORw0KGgo="}))],
    ),
    case("base64", "messages.0.content.0.source.data", messages=[user(image(data(b"")))]),
    case(
        "https-only",
        "messages.0.content.0.source.url",
        messages=[user(image({"type": "url", "url": "http://example.com/a.png"}))],
    ),
    case(
        "image-pixels",
        "messages.0.content.0.source.content.0.source.data",
        messages=[
            user(
                {
                    "type": "document",
                    "source": {"type": "content", "content": [image(data(png(1, 8001)))]},
                }
            )
        ],
    ),
    case(
        "citations", "messages.0.content.1", messages=[user(document(citations=True), document())]
    ),
    case(
        "format-citations",
        "messages.0.content.0",
        messages=[user(document(citations=True))],
        output_config=FORMAT,
    ),
    # sampling and thinking
    case("sampling-version", "temperature", temperature=1.0, version=NEW_VERSION),
    case("sampling-model", "temperature", model=NEW, temperature=0.5),
    case("sampling-model", "top_k", model=NEW, top_k=5),
    case("sampling-range", "temperature", temperature=1.5),
    case("sampling-range", "top_k", top_k=-1),
    case("sampling-both", "top_p", temperature=0.5, top_p=0.5),
    case(
        "sampling-thinking", "temperature", max_tokens=2000, thinking=ENABLED, temperature=0.5
    ),
    case("sampling-thinking", "top_k", max_tokens=2000, thinking=ENABLED, top_k=5),
    case("thinking-type", "thinking.type", thinking={"type": "adaptive"}),
    case("thinking-type", "thinking.type", model=NEW, max_tokens=2000, thinking=ENABLED),
    case("thinking-type", "thinking.type", model=NEW, thinking={"type": "disabled"}),
    case("thinking-type", "thinking.type", model=NEW, thinking={"type": "between_tools"}),
    case(
        "thinking-budget",
        "thinking.budget_tokens",
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1023},
    ),
    case("thinking-budget", "thinking.budget_tokens", max_tokens=1024, thinking=ENABLED),
    case("effort", "output_config.effort", output_config={"effort": "low"}),
    case("effort", "output_config.effort", model=MIDDLE, output_config={"effort": "xhigh"}),
    case(
        "effort-thinking",
        "output_config.effort",
        model="claude-opus-5",
        thinking={"type": "disabled"},
        output_config={"effort": "max"},
    ),
    # betas
    case("beta-header", "mcp_servers", mcp_servers=[MCP], tools=[{"type": "mcp_toolset", "mcp_server_name": "m"}]),
    case("beta-header", "thread", thread={"type": "create"}),
    case(
        "beta-header",
        "messages.1.output_config",
        model=NEW,
        messages=[HELLO, system(output_config={"effort": "low"})],
    ),
    case(
        "beta-header",
        "messages.1.content.0",
        model=NEW,
        messages=[HELLO, assistant({"type": "compaction", "content": "So far."}, text()), HELLO],
    ),
    case(
        "beta-header",
        "tools.0",
        tools=[
            {
                "type": "computer_20250124",
                "name": "computer",
                "display_width_px": 100,
                "display_height_px": 100,
            }
        ],
    ),
    case(
        "beta-header",
        "thinking.display",
        model=NEW,
        thinking={"type": "adaptive", "display": "updates"},
    ),
    case(
        "beta-header",
        "output_config.task_budget",
        model=NEW,
        output_config={"task_budget": {"type": "tokens", "total": 20_000}},
    ),
]  # fmt: skip

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
ACCEPTED = [
    case("", ""),
    case("", "", model=NEW, max_tokens=128_000),
    case("", "", model="claude-sonnet-4-5"),
    case("", "", max_tokens=0),
    case("", "", system=""),
    case("", "", messages=[HELLO, HELLO, assistant(text(" a ")), assistant(text()), HELLO]),
    case("", "", messages=[HELLO, assistant(text())]),
    case("", "", messages=[HELLO, {"role": "assistant", "content": ""}]),
    case("", "", messages=[HELLO, assistant(use()), user(result(), text())], tools=[TOOL]),
    case(
        "",
        "",
        messages=[HELLO, assistant(use()), assistant(text()), user(result())],
        tools=[TOOL],
    ),
    case(
        "",
        "",
        messages=[HELLO, assistant(use(), use("t2")), user(result("t2")), user(result("t1"))],
        tools=[TOOL],
    ),
    case("", "", model=NEW, messages=[HELLO, system(text()), system(text())]),
    case("", "", model=NEW, messages=[HELLO, system(text()), assistant(text()), HELLO]),
    case(
        "",
        "",
        model=NEW,
        messages=[system(output_config={"effort": "low"}), HELLO],
        betas=("mid-conversation-output-config-2026-07-01",),
    ),
    case("", "", model=NEW, messages=[HELLO, assistant(SEARCHED)], tools=[SEARCH]),
    case("", "", model=NEW, messages=[HELLO, assistant(SEARCHED), system(text())], tools=[SEARCH]),
    case("", "", messages=[HELLO, assistant(document()), HELLO]),
    case("", "", messages=[user(text(citations=[CITED]))]),
    case("", "", messages=[user(*MARKED[:4])]),
    case("", "", messages=[user(text(cache_control=LONG), MARKED[0])]),
    case("", "", messages=[user(*[image()] * 100)]),
    case("", "", messages=[user(*[image(data(png(2001, 1)))] * 20)]),
    case("", "", messages=[user(image(data(png(8000, 1))))]),
    case("", "", messages=[user(image({"type": "url", "url": "https://example.com/a.png"}))]),
    case("", "", messages=[user(document(citations=True), document(citations=True))]),
    case("", "", temperature=0.5, top_k=3),
    case("", "", model=MIDDLE, temperature=0.5, top_p=0.5),
    case("", "", model=NEW, temperature=1.0, top_p=1),
    case("", "", max_tokens=2000, thinking=ENABLED, temperature=1.0),
    case("", "", model="claude-sonnet-5-5", thinking={"type": "between_tools"}),
    case("", "", model=MIDDLE, max_tokens=2000, thinking={"type": "adaptive"}),
    case("", "", model=NEW, output_config={"effort": "max"}),
    case("", "", tools=[TOOL], tool_choice={"type": "tool", "name": "look"}),
    case("", "", model=NEW, tools=[TOOL], tool_choice={"type": "auto"}),
    case(
        "",
        "",
        tools=[{"type": "mcp_toolset", "mcp_server_name": "m"}],
        mcp_servers=[MCP],
        betas=MCP_BETA,
    ),
    case("", "", model=NEW, speed="fast"),
    case("", "", output_config=FORMAT),
    case("", "", model=MIDDLE, max_tokens=128_000),
    case("", "", tools=[{**TOOL, "name": "n" * 128}]),
    case("", "", mcp_servers=[MCP], betas=("mcp-client-2025-04-04",)),
    case("", "", betas=("brand-new-2027-01-01", "brand-new-20270101")),
    case(
        "",
        "",
        model=NEW,
        messages=[HELLO, system(text(), output_config={"effort": "low"})],
        betas=("per-turn-control-2026-07-01",),
    ),
    case("", "", model="claude-sonnet-5", messages=[HELLO, system(text())]),
    case("", "", model="claude-opus-5", tools=[SCREEN], betas=("computer-use-2025-11-24",)),
    case("", "", metadata={"user_id": "u" * 512}),
    case("", "", messages=[user(text("\U0001f600"))]),
    case("", "", messages=[user(image(data(png(1, 1, padding=7_864_200))))]),
]


class Exactly:
    """Sends a request as it is, whatever was asked for."""

    last = True

    def __init__(self, request: Request) -> None:
        self.request = request

    @hookimpl
    def build_history(self) -> Request:
        return self.request


def request_of(one: Case) -> Request:
    return structure_request(one.body).evolve(betas=one.betas)


def sent(one: Case, simulator: Simulator, *, preflight: bool) -> None:
    enabled = "preflight" if preflight else "logging"
    with Pipeline(
        base_url=simulator,
        model=OLD,
        api_version=one.version,
        config={"plugins": {"enable": [enabled]}},
        plugins=[Exactly(request_of(one))],
    ) as line:
        line.send("Hello")


@pytest.mark.parametrize("one", REFUSED, ids=str)
def test_what_the_simulator_refuses_is_not_sent(one: Case, sim: Callable[..., Any]) -> None:
    simulator = sim()
    with pytest.raises(PreflightError) as caught:
        sent(one, simulator, preflight=True)
    assert simulator.calls == []
    told = {(problem.rule.name, problem.position) for problem in caught.value.problems}
    assert (one.rule, one.position) in told
    assert one.rule in str(caught.value)
    with pytest.raises((APIError, InputError)) as refused:
        sent(one, simulator, preflight=False)
    if isinstance(refused.value, APIError):
        assert 400 <= refused.value.status < 500
    else:  # the encoder has refused it already, at the same place
        assert one.rule == "lone-surrogate"
        assert getattr(refused.value, "position", None) == one.position


@pytest.mark.parametrize("one", ACCEPTED, ids=lambda one: str(ACCEPTED.index(one)))
def test_what_the_simulator_accepts_is_sent(one: Case, sim: Callable[..., Any]) -> None:
    simulator = sim()
    sent(one, simulator, preflight=True)
    assert len(simulator.calls) == 1


def test_every_rule_has_a_case() -> None:
    # These are tested below: they are large, or belong to another surface.
    assert {one.rule for one in REFUSED} == RULES.keys() - {
        "message-count", "body-size", "batch", "no-vision",
        *(rule.name for rule in server.RULES),
    }  # fmt: skip


def a_turn(**changes: Any) -> Turn:
    values: dict[str, Any] = {
        "id": "t",
        "io": None,
        "models": load_models(),
        "destination": Destination(base_url="https://api.anthropic.com"),
        "api_version": "2023-06-01",
        **changes,
    }
    return Turn(**values)


def broken(
    body: dict[str, Any], plugin: Preflight | None = None, **turn: Any
) -> list[tuple[str, str]]:
    try:
        (plugin or Preflight()).check_request(a_turn(**turn), structure_request(complete(body)))
    except PreflightError as error:
        return [(problem.rule.name, problem.position) for problem in error.problems]
    return []


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Preflight().check_request(
            a_turn(),
            Request(OLD, 64_001, [Message("user", "")] * 7, temperature=2.0),
        )
    error = caught.value
    assert isinstance(error, PreflightError)
    assert len(error.problems) == 9
    words = str(error)
    assert "for 9 reasons" in words
    assert "messages.0: only a final assistant message may be empty." in words
    assert "messages.6 (empty-message)" in words
    assert (error.rule, error.position) == ("empty-message", "messages.0")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 -- made one line above
    assert (str(again), again.problems) == (words, error.problems)


def test_a_body_of_more_than_32_megabytes(sim: Callable[..., Any]) -> None:
    large = Case("", "", complete({"messages": [user(text("x" * 1000 * 1000))] * 34}))
    assert ("body-size", "") in broken(large.body)
    with pytest.raises(APIError) as refused:
        sent(large, sim(), preflight=False)
    assert refused.value.status == 413


def test_more_than_100_000_messages() -> None:
    request = Request(NEW, 100, [Message("user", "x")] * 100_001)
    with pytest.raises(PreflightError) as caught:
        Preflight().check_request(a_turn(), request)
    assert caught.value.rule == "message-count"


def test_batches_have_rules_of_their_own() -> None:
    assert broken({"max_tokens": 0}, surface="batch") == [("max-tokens-least", "max_tokens")]
    assert broken({"stream": True}, surface="batch") == [("batch", "stream")]
    assert broken({"model": NEW, "speed": "fast"}, surface="batch") == [("batch", "speed")]
    long = structure_request(complete({"model": NEW, "max_tokens": 300_000}))
    long = long.evolve(betas=("output-300k-2026-03-24",))
    Preflight().check_request(a_turn(surface="batch"), long)
    with pytest.raises(PreflightError):
        Preflight().check_request(a_turn(), long)


def test_counting_tokens_does_not_ask_about_the_reply() -> None:
    assert broken({"max_tokens": 999_999, "temperature": 9.0}, surface="count_tokens") == []


def test_a_model_without_eyes() -> None:
    models = load_models()
    blind = evolve(models.require(OLD), id="claude-blind", vision=None, aliases=())
    body = {"model": "claude-blind", "messages": [user(image())]}
    assert broken(body, models=models.with_models(blind)) == [("no-vision", "messages")]


def test_unknown_things_pass() -> None:
    body = {
        "model": NEW,
        "messages": [
            user({"type": "hologram", "data": 1}, text()),
            assistant({"type": "dream", "about": "sheep"}),
            {"role": "narrator", "content": "x"},
            user(image({"type": "telepathy", "to": "you"})),
        ],
        "tools": [{"type": "time_machine_20270101", "year": 1885}],
        "tool_choice": {"type": "maybe"},
        "thinking": {"type": "deep"},
        "output_config": {"effort": "heroic", "new": 1},
        "service_tier": "gold",
        "speed": "ludicrous",
        "quantum": True,
    }
    assert broken(body) == []


def test_unknown_models_have_only_the_common_rules() -> None:
    body = {"model": "claude-next", "temperature": 1.0, "max_tokens": 10**6, "thinking": ENABLED}
    assert broken(body) == []
    assert broken({**body, "temperature": 5.0, "thinking": None})[0][0] == "sampling-range"


def test_what_is_unconfirmed_of_a_model_is_noted_and_passes() -> None:
    body = complete({"model": "claude-sonnet-5", "messages": [HELLO, system(text())]})
    journey = a_turn()
    Preflight().check_request(journey, structure_request(body))
    (note,) = [text for _, text in journey.trace.notes]
    assert note.startswith("the API may refuse this: messages.1: claude-sonnet-5 takes no system")
    misplaced = {**body, "messages": [HELLO, assistant(text()), system(text())]}
    assert ("system-place", "messages.2") in broken(misplaced)


@pytest.mark.parametrize(
    "block", [{"type": "text"}, {"type": "text", "text": None}, {"type": "text", "text": 5}]
)
def test_text_without_text_stops_no_other_server(block: dict[str, Any]) -> None:
    body = {"model": "llama", "messages": [HELLO, assistant(block), HELLO]}
    assert broken(body, destination=Destination(base_url="http://localhost:8080")) == []
    assert broken(body) == [("block-fields", "messages.1.content.0")]


def test_foreign_models_have_only_the_common_rules() -> None:
    models = load_models().with_models(ModelFacts(id="llama"))
    body = {"model": "llama", "max_tokens": 10**6, "messages": [user(image()), assistant(text())]}
    assert broken(body, models=models) == []


@pytest.mark.parametrize(
    "upstream", ["http://localhost:11434", "https://anthropic.com.example", "http://127.0.0.1:1"]
)
def test_other_hosts_have_only_the_shared_rules(upstream: str) -> None:
    lax = {"messages": [assistant(text())], "model": NEW, "temperature": 2.0, "max_tokens": 10**6}
    assert broken(lax, destination=Destination(base_url=upstream)) == []
    assert broken({"tools": [TOOL, TOOL]}, destination=Destination(base_url=upstream)) == [
        ("tool-names", "tools.1.name")
    ]
    strict = Preflight(strict=True)
    assert ("first-message", "messages") in broken(
        lax, strict, destination=Destination(base_url=upstream)
    )
    assert broken(lax, Preflight(strict=False)) == []


def test_rules_can_be_turned_off() -> None:
    assert broken({"temperature": 2.0}, Preflight(rules_off=("sampling-range",))) == []
    with pytest.raises(ConfigError, match="did you mean 'sampling-range'"):
        Preflight(rules_off=("sampling-rang",))


def test_the_plugin_can_be_turned_off(sim: Callable[..., Any]) -> None:
    simulator = sim()
    with (
        Pipeline(
            base_url=simulator, model=OLD, config={"plugins": {"disable": ["preflight", "retry"]}}
        ) as line,
        pytest.raises(APIError),
    ):
        line.send("Hello", temperature=0.5, top_p=0.5)
    assert len(simulator.calls) == 1


def test_betas_and_version_of_the_pipeline_s_own_headers_count(sim: Callable[..., Any]) -> None:
    request = structure_request(complete({"thread": {"type": "create"}}))
    with Pipeline(
        base_url=sim(),
        model=OLD,
        headers={"Anthropic-Beta": "message-threads-2026-08-12"},
        plugins=[Exactly(request)],
    ) as line:
        assert line.send("Hello").text
    with (
        Pipeline(base_url=sim(), model=OLD, headers={"anthropic-version": NEW_VERSION}) as line,
        pytest.raises(PreflightError, match="sampling-version"),
    ):
        line.send("Hello", temperature=1.0)


def test_a_conversation_that_began_elsewhere_may_begin_with_the_assistant() -> None:
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    request = structure_request(complete({"thread": thread, "messages": [user(result())]}))
    Preflight().check_request(a_turn(), request.evolve(betas=("message-threads-2026-08-12",)))
    compacted = assistant({"type": "compaction", "content": "So far."}, text())
    request = structure_request(complete({"messages": [compacted, HELLO]}))
    Preflight().check_request(a_turn(), request.evolve(betas=("compact-2026-09-04",)))


def test_a_newer_header_of_the_same_feature_opens_it_too() -> None:
    request = structure_request(complete({"thread": {"type": "create"}}))
    Preflight().check_request(a_turn(), request.evolve(betas=("message-threads-2027-01-01",)))


# --- models that go


def on(day: str, **options: Any) -> Preflight:
    plugin = Preflight(**options)
    object.__setattr__(plugin, "_today", lambda: dt.date.fromisoformat(day))
    return plugin


def warnings_of(plugin: Preflight, model: str, **turn: Any) -> list[str]:
    journey = a_turn(**turn)
    with suppress(PreflightError):
        plugin.check_request(journey, Request(model, 100, [Message("user", "x")]))
    return [note for _, note in journey.trace.notes]


def test_a_model_that_retires_soon_is_warned_about_once(logged: list[Any]) -> None:
    plugin = on("2026-11-23")
    expected = "claude-sonnet-4-5-20250929 retires on 30 November 2026, in 7 days; move to claude-sonnet-5-5"
    assert warnings_of(plugin, "claude-sonnet-4-5") == [expected]
    assert warnings_of(plugin, "claude-sonnet-4-5") == [expected]
    assert warnings_of(plugin, "claude-sonnet-4-5", attempt=1) == []
    lines = [record for record in logged if record["level"].name == "WARNING"]
    assert [record["message"] for record in lines] == [expected]
    assert warnings_of(plugin, "claude-opus-5-5") == []


def test_warn_days() -> None:
    assert warnings_of(on("2026-09-01"), "claude-sonnet-4-5") == []
    assert warnings_of(on("2026-11-20", warn_days=9), "claude-sonnet-4-5") == []
    assert warnings_of(on("2026-11-20", warn_days=10), "claude-sonnet-4-5")
    assert warnings_of(on("2026-11-20"), "claude-mythos-preview")


def test_a_model_is_refused_after_its_day_but_not_by_the_simulator() -> None:
    body = {"model": "claude-sonnet-4-5"}
    assert broken(body, on("2026-11-30")) == []
    assert broken(body, on("2026-12-01")) == [("retired-model", "model")]
    assert broken(body, on("2026-12-01"), destination=Destination(base_url="sim:")) == []
    assert (
        "only the simulator"
        in warnings_of(on("2026-12-01"), body["model"], destination=Destination(base_url="sim:"))[0]
    )


# --- memory


def test_a_growing_conversation_is_judged_like_a_new_one() -> None:
    plugin = Preflight()
    turns: list[Message] = []
    for number in range(30):
        wire = [user(text(str(number))), assistant(use(f"t{number}")), user(result(f"t{number}"))]
        turns += structure_request(complete({"messages": wire})).messages
        plugin.check_request(a_turn(), Request(OLD, 10, turns))
    with pytest.raises(PreflightError) as caught:
        plugin.check_request(a_turn(), Request(OLD, 10, [*turns, turns[1]]))
    told = [(problem.rule.name, problem.position) for problem in caught.value.problems]
    assert told == [("tool-pairs", "messages.90"), ("tool-ids", "messages.90.content.0")]
    plugin.check_request(a_turn(), Request(OLD, 10, turns))
    plugin.check_request(a_turn(), Request(OLD, 10, turns[:6]))


def test_what_is_final_once_is_not_final_for_ever() -> None:
    plugin = Preflight()
    first, empty = Message("user", "x"), Message("assistant", ())
    plugin.check_request(a_turn(), Request(OLD, 10, [first, empty]))
    with pytest.raises(PreflightError, match=r"messages\.1: only a final"):
        plugin.check_request(a_turn(), Request(OLD, 10, [first, empty, first]))
    plugin.check_request(a_turn(), Request(OLD, 10, [first, empty]))


def test_no_message_is_kept_alive() -> None:
    plugin = Preflight()
    for number in range(3):
        history = [Message("user", (TextBlock(f"{number}"),)) for _ in range(100)]
        plugin.check_request(a_turn(), Request(NEW, 10, history))
        del history
    gc.collect()
    assert plugin._memory._digests == plugin._memory._alive == {}
    assert len(plugin._memory._kept) <= 3


def test_a_thousand_messages_cost_little() -> None:
    plugin, turn = Preflight(), a_turn()
    history = tuple(
        Message(("user", "assistant")[number % 2], f"Message {number}") for number in range(1001)
    )
    request = Request(NEW, 10, history)
    plugin.check_request(turn, request)
    best = min(_seconds(plugin, turn, request) for _ in range(50))
    assert best < 0.001  # about 80 µs; a shared machine may be slow, but not that slow


def _seconds(plugin: Preflight, turn: Turn, request: Request) -> float:
    began = time.perf_counter()
    plugin.check_request(turn, request)
    return time.perf_counter() - began


POOL = structure_request(
    complete(
        {
            "messages": [
                HELLO,
                user(*MARKED[:3]),
                user(result("a"), result("b")),
                user(document(citations=True), image(data(png(2001, 1)))),
                user(*[image()] * 11),
                user(document()),
                assistant(use("a"), use("b")),
                assistant(text("x ")),
                assistant(),
                system(text()),
            ]
        }
    )
).messages
HISTORIES = st.lists(st.sampled_from(POOL), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(histories=st.lists(HISTORIES, min_size=1, max_size=6), cuts=st.data())
def test_what_was_remembered_changes_no_verdict(
    histories: list[list[Message]], cuts: st.DataObject
) -> None:
    plugin = Preflight()
    for history in histories:
        cut: int = cuts.draw(st.integers(1, len(history)))
        for messages in (history[:cut], history, history):
            assert found(plugin, messages) == found(Preflight(), messages)


def found(plugin: Preflight, messages: list[Message]) -> list[str]:
    try:
        plugin.check_request(a_turn(), Request(NEW, 10, messages))
    except PreflightError as error:
        return sorted(map(str, error.problems))
    return []


def test_many_threads_share_one_plugin() -> None:
    plugin = Preflight()
    calls = [part for n in range(40) for part in (assistant(use(f"{n}")), user(result(f"{n}")))]
    shared = structure_request(complete({"messages": [HELLO, *calls]})).messages
    ends = range(1, len(shared) + 1)
    alone = [found(Preflight(), list(shared[:end])) for end in ends]

    def work(_: int) -> list[list[str]]:
        return [found(plugin, list(shared[:end])) for end in ends]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(verdicts == alone for verdicts in pool.map(work, range(24)))
    finally:
        sys.setswitchinterval(interval)


# --- nothing that the simulator accepts is refused

WORDS = st.sampled_from([*"abcdefghijklm", "a b", "ab\n", " "])
MODELS = st.sampled_from(
    [OLD, NEW, MIDDLE, "claude-opus-5", "claude-sonnet-5-5", "claude-opus-4-5"]
)
CONTROL: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [*[{}] * 12, {"cache_control": EPHEMERAL}, {"cache_control": LONG}]
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Conversations that are nearly always right, of every kind of turn."""

    def words() -> dict[str, Any]:
        return {"type": "text", "text": draw(WORDS), **draw(CONTROL)}

    def grow() -> Iterator[dict[str, Any]]:
        open_calls: list[str] = []
        for number in range(draw(st.integers(1, 6))):
            answers = [result(name) for name in open_calls if draw(st.integers(0, 30))]
            extra = [words() for _ in range(draw(st.integers(0, 1)))]
            media = [image()] if draw(st.integers(0, 4)) == 0 else []
            yield user(*answers, *(extra or media or ([] if answers else [text()])))
            if draw(st.integers(0, 15)) == 0:
                yield system(text("Be brief."))
            if draw(st.integers(0, 3)) == 0:
                yield user(text("more"))
            calls: int = draw(st.sampled_from([0, 0, 1, 2]))
            open_calls = [f"c{number}_{n}" for n in range(calls)]
            silent: bool = draw(st.booleans())
            said = [] if open_calls and silent else [words()]
            yield assistant(*said, *[use(name) for name in open_calls])
        if open_calls or draw(st.integers(0, 3)) > 0:
            yield user(*[result(name) for name in open_calls], text())

    return list(grow())


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    optional: dict[str, st.SearchStrategy[Any]] = {
        "temperature": st.sampled_from([0, 0.5, 1, 1.5]),
        "top_p": st.sampled_from([0.5, 1]),
        "thinking": st.sampled_from(
            [ENABLED, *({"type": kind} for kind in ("adaptive", "disabled", "between_tools"))]
        ),
        "output_config": st.sampled_from(
            [FORMAT, *({"effort": level} for level in ("low", "xhigh", "max"))]
        ),
        "tool_choice": st.sampled_from(
            [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "look"}]
        ),
        "stop_sequences": st.lists(WORDS, max_size=2),
        "system": st.one_of(WORDS, st.just([text(cache_control=EPHEMERAL)])),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(optional)), max_size=2))
    return {
        "model": draw(MODELS),
        "max_tokens": draw(st.sampled_from([1, 1024, 2000, 64_000, 100_000])),
        "messages": draw(conversations()),
        **draw(st.sampled_from([{"tools": [TOOL]}, {}])),
        **{name: draw(optional[name]) for name in sorted(chosen)},
    }


@settings(max_examples=300, deadline=None)
@given(body=bodies(), version=st.sampled_from(["2023-06-01", NEW_VERSION]))
def test_preflight_and_simulator_agree(body: dict[str, Any], version: str) -> None:
    headers = (("x-api-key", "k"), ("anthropic-version", version))
    answer = Simulator().handle(Call("POST", "/v1/messages", headers, json.dumps(body)))
    problems = broken(body, api_version=version)
    assert bool(problems) == (answer.status != 200), (problems, answer.content)


@settings(max_examples=300, deadline=None)
@given(body=bodies(), version=st.sampled_from(["2023-06-01", NEW_VERSION]))
def test_ordinary_requests_skip_only_checks_that_find_nothing(
    body: dict[str, Any], version: str
) -> None:
    messages = [each for each in body["messages"] if isinstance(each["content"], str)] or [HELLO]
    plain = [{**each, "content": [text()]} for each in body["messages"] if each["role"] != "system"]
    for turns in (body["messages"], messages, plain):
        request = structure_request({**body, "messages": turns})
        given_ = Given(
            request=request,
            history=Memory().history(request.messages),
            facts=load_models().get(request.model),
            version=version,
            betas=(),
            surface="send",
        )
        skipped = [check for check in _CHECKS if check not in _ORDINARY_CHECKS]
        if given_.ordinary:
            assert [problem for check in skipped for problem in check(given_)] == []


def test_what_is_ordinary_and_what_is_not() -> None:
    def ordinary(**more: Any) -> bool:
        request = Request(OLD, 10, (Message("user", "Hello"),)).evolve(**more)
        history = Memory().history(request.messages)
        return Given(
            request=request, history=history, facts=None, version="", betas=(), surface="send"
        ).ordinary

    assert ordinary()
    assert ordinary(system="Be brief.", stop_sequences=("x",), stream=True)
    assert not ordinary(temperature=0.0)
    assert not ordinary(system=(TextBlock("Be brief."),))
    assert not ordinary(thread={"type": "create"})
    assert not ordinary(messages=(Message("user", " "),))
