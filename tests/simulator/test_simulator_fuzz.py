"""Whatever is sent, the simulator answers; it never raises."""

import base64
import copy
import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hookline.simulator import Answer, Call, Simulator
from hookline.wire import json

HEADERS = (
    ("x-api-key", "test"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "mcp-client-2025-11-20,context-management-2025-06-27,compact-2026-01-12"),
)


def _pixel() -> str:
    out = io.BytesIO()
    Image.new("RGB", (2, 2)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "a": {"type": ["string", "null"], "format": "date", "enum": ["x"]},
        "b": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/c"}]},
        "d": {"type": "array", "items": {"allOf": [{"type": "number"}]}, "minItems": 1},
    },
    "required": ["a", "b"],
    "$defs": {"c": {"const": 1}},
}
FULL: dict[str, Any] = {
    "model": "claude-opus-4-6",
    "max_tokens": 2000,
    "stream": True,
    "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
    "tools": [
        {"name": "a", "description": "x", "input_schema": SCHEMA, "strict": True},
        {"name": "b", "input_schema": {"type": "object", "properties": {"n": {"maximum": 3}}}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
    ],
    "tool_choice": {"type": "auto"},
    "stop_sequences": ["END"],
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": "u"},
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hello"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": _pixel()},
                },
                {
                    "type": "document",
                    "title": "t",
                    "source": {"type": "content", "content": [{"type": "text", "text": "x"}]},
                },
                {
                    "type": "search_result",
                    "source": "s",
                    "title": "t",
                    "content": [{"type": "text", "text": "x"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "redacted_thinking", "data": "abc"},
                {"type": "text", "text": "Hm."},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}},
                {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                {"type": "tool_use", "id": "t1", "name": "a", "input": {"a": "x"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": "ok"}],
                }
            ],
        },
    ],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        items: Any = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*path, key))


PLACES = tuple(places(FULL))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["", " ", "#", "#/$defs/c", "text", "image", "assistant", "(", "file_1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
# Values of the request itself, in the wrong place, hit more than random ones.
BORROWED = st.sampled_from(PLACES).map(lambda path: reached(FULL, path))


def reached(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return copy.deepcopy(value)


def send(body: bytes, path: str = "/v1/messages") -> Answer:
    return Simulator().handle(Call("POST", path, HEADERS, body))


def test_the_whole_request_is_fine() -> None:
    answer = send(json.dumps(FULL))
    assert answer.status == 200, answer.content


@pytest.mark.parametrize("place", ["search_result", "mcp_tool_result"])
def test_a_list_of_texts_takes_no_other_block(place: str) -> None:
    inside = [{"type": "image", "text": "x"}]
    body = copy.deepcopy(FULL)
    if place == "search_result":
        body["messages"][0]["content"] = [
            {"type": place, "source": "s", "title": "t", "content": inside}
        ]
    else:
        body["messages"][1]["content"].insert(
            0, {"type": place, "tool_use_id": "m1", "content": inside}
        )
    headers = (*HEADERS, ("anthropic-beta", "mcp-client-2025-11-20"))
    answer = Simulator().handle(Call("POST", "/v1/messages", headers, json.dumps(body)))
    assert answer.status == 400
    assert b"Input should be 'text'" in answer.content


@settings(max_examples=400, deadline=None)
@given(path=st.sampled_from(PLACES), value=JSON | BORROWED, delete=st.booleans())
def test_a_request_with_one_thing_changed(path: tuple[Any, ...], value: Any, delete: bool) -> None:
    body = copy.deepcopy(FULL)
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    if delete:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    for target in ("/v1/messages", "/v1/messages/count_tokens"):
        assert send(json.dumps(body), target).status in (200, 400, 404)


@settings(max_examples=100, deadline=None)
@given(value=JSON | BORROWED)
def test_any_value_as_a_batch(value: Any) -> None:
    simulator = Simulator()
    for body in (value, {"requests": value}, {"requests": [{"custom_id": "a", "params": value}]}):
        call = Call("POST", "/v1/messages/batches", HEADERS, json.dumps(body))
        answer = simulator.handle(call)
        assert answer.status in (200, 400)
        if answer.status == 200:
            path = f"/v1/messages/batches/{json.loads(answer.content)['id']}/results"
            assert simulator.handle(Call("GET", path, HEADERS)).status == 200


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=64), path=st.sampled_from(["/v1/messages", "/v1/files"]))
def test_any_bytes_as_a_body(body: bytes, path: str) -> None:
    assert send(body, path).status == 400
