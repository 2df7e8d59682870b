"""Streams become the response of the plain call, and responses become streams."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.errors import DecodeError
from hookline.values.blocks import TextBlock, ThinkingBlock, ToolUseBlock
from hookline.values.citations import CharLocation
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    ErrorEvent,
    Event,
    InputJSONDelta,
    MessageStart,
    MessageStop,
    Ping,
    SignatureDelta,
    TextDelta,
    UnknownEvent,
)
from hookline.values.messages import Response
from hookline.values.usage import Usage
from hookline.wire.assembler import Assembler
from hookline.wire.codec import structure_event, structure_response, unstructure
from hookline.wire.replay import events_of

TEXT = st.text(st.characters(codec=None), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
CITATION = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["char_location", "new_location"]),
        "cited_text": TEXT,
        "document_index": st.just(0),
        "start_char_index": st.just(0),
        "end_char_index": st.just(3),
    },
    optional={"document_title": st.none() | TEXT},
)
CALL = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]),
        "id": TEXT,
        "name": TEXT,
        "server_name": TEXT,
        "input": st.dictionaries(TEXT | st.just("INVALID_JSON"), JSON, max_size=2),
    },
    optional={"new": JSON},
)
BLOCK = (
    st.fixed_dictionaries(
        {"type": st.just("text"), "text": TEXT},
        optional={"citations": st.none() | st.lists(CITATION, max_size=2), "new": JSON},
    )
    | st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT, "signature": TEXT})
    | CALL
    | st.fixed_dictionaries(
        {"type": st.just("compaction"), "content": st.none() | TEXT},
        optional={"encrypted_content": st.none() | TEXT, "signature": TEXT},
    )
    | st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": TEXT})
    | st.fixed_dictionaries({"type": TEXT}, optional={"text": JSON, "content": JSON})
)
COUNTS = ["input_tokens", "output_tokens", "cache_creation", "server_tool_use", "new"]
RESPONSE = st.fixed_dictionaries(
    {"content": st.lists(BLOCK, max_size=3)},
    optional={
        "id": TEXT,
        "role": st.just("assistant"),
        "stop_reason": JSON,
        "stop_sequence": st.none() | TEXT,
        "stop_details": JSON | st.fixed_dictionaries({"type": st.just("refusal")}),
        "container": JSON,
        "usage": JSON | st.dictionaries(st.sampled_from(COUNTS), JSON | st.integers(0, 9)),
        "new": JSON,
    },
)


def assemble(events: list[Event]) -> Response:
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    return assembler.response


@given(RESPONSE)
def test_a_response_survives_being_streamed(data: dict[str, Any]) -> None:
    response = structure_response(data)
    # Over the wire and back, as a real stream would go.
    events = [structure_event(unstructure(event)) for event in events_of(response)]
    assert assemble(events) == response
    assert unstructure(assemble(events)) == data


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": None},
    },
}  # fmt: skip


def stream(*middle: dict[str, Any], usage: dict[str, Any] | None = None) -> list[Event]:
    end: dict[str, Any] = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": usage or {"output_tokens": 15},
    }
    return [structure_event(data) for data in (START, *middle, end, {"type": "message_stop"})]


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def test_a_stream_in_the_documented_form() -> None:
    citation = {
        "type": "char_location", "cited_text": "A", "document_index": 0, "document_title": None,
        "start_char_index": 0, "end_char_index": 1,
    }  # fmt: skip
    response = assemble(
        stream(
            {"type": "ping"},
            *block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "Let "},
                {"type": "thinking_delta", "thinking": "me"},
                {"type": "signature_delta", "signature": "sig"},
            ),
            {"type": "brand_new", "index": 0},
            *block(
                1,
                {"type": "text", "text": "", "citations": None},
                {"type": "text_delta", "text": "Hel"},
                {"type": "citations_delta", "citation": citation},
                {"type": "text_delta", "text": "lo"},
                {"type": "glow_delta", "glow": 1},
            ),
            *block(
                2,
                {"type": "tool_use", "id": "t", "name": "n", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a": [1'},
                {"type": "input_json_delta", "partial_json": ", 12345678901234567890123]}"},
            ),
        )
    )
    thinking, text, call = response.content
    assert thinking == ThinkingBlock("Let me", "sig")
    assert isinstance(text, TextBlock)
    assert (text.text, text.extra) == ("Hello", {})
    assert text.citations == (CharLocation("A", 0, 0, 1, extra={"document_title": None}),)
    assert call == ToolUseBlock("t", "n", {"a": [1, 12345678901234567890123]})
    assert response.stop_reason == "end_turn"
    assert response.extra == {"stop_sequence": None}


def test_usage_is_overwritten_by_values_only() -> None:
    response = assemble(
        stream(
            usage={
                "input_tokens": None,
                "output_tokens": 15,
                "cache_read_input_tokens": 7,
                "server_tool_use": {"web_search_requests": 1},
                "new": 3,
            }
        )
    )
    assert response.usage == Usage(
        25,
        15,
        cache_read_input_tokens=7,
        server_tool_use={"web_search_requests": 1},
        extra={"new": 3},
    )
    assert response.usage.total_input == 32


@pytest.mark.parametrize(
    ("raw", "parsed", "invalid"),
    [
        ("", {}, None),
        (" ", {}, None),
        ("{}", {}, None),
        ('{"a": 1', {"INVALID_JSON": '{"a": 1'}, '{"a": 1'),
        ("[1]", {"INVALID_JSON": "[1]"}, "[1]"),
        ("null", {}, None),
        ('"{}"', {}, None),
        ('"x"', {"INVALID_JSON": '"x"'}, '"x"'),
        ('{"a":1,"a":2}', {"INVALID_JSON": '{"a":1,"a":2}'}, '{"a":1,"a":2}'),
    ],
)
def test_tool_input(raw: str, parsed: dict[str, Any], invalid: str | None) -> None:
    events = stream(
        *block(
            0,
            {"type": "tool_use", "id": "t", "name": "n", "input": {}},
            *({"type": "input_json_delta", "partial_json": c} for c in raw),
        )
    )
    (call,) = assemble(events).content
    assert isinstance(call, ToolUseBlock)
    assert (call.input, call.invalid_json) == (parsed, invalid)


def test_blocks_of_unknown_types_grow_too() -> None:
    (new,) = assemble(
        stream(
            *block(
                0,
                {"type": "song", "text": "la", "verse": ""},
                {"type": "text_delta", "text": "la"},
                {"type": "verse_delta", "verse": "do "},
                {"type": "verse_delta", "verse": "re", "key": 4},
                {"type": "input_json_delta", "partial_json": '{"x":1}'},
            )
        )
    ).content
    assert unstructure(new) == {
        "type": "song", "text": "lala", "verse": "do re", "key": 4, "input": {"x": 1},
    }  # fmt: skip


def delta(index: int, text: str = "x", kind: str = "text") -> dict[str, Any]:
    inner = {"type": f"{kind}_delta", kind: text}
    return {"type": "content_block_delta", "index": index, "delta": inner}


TEXT_BLOCK = {"type": "text", "text": "a"}
BEGUN = {"type": "content_block_start", "index": 0, "content_block": TEXT_BLOCK}


@pytest.mark.parametrize(
    ("events", "where"),
    [
        ([START, delta(9)], r"content\[9\].*not open"),
        ([START, BEGUN, {"type": "content_block_stop", "index": 9}], r"content\[9\].*not open"),
        ([START, *block(0, TEXT_BLOCK), delta(0)], r"content\[0\].*not open"),
        ([START, *block(0, TEXT_BLOCK), BEGUN], r"content\[0\].*begun already"),
        ([START, BEGUN, START], "second message_start"),
        ([BEGUN], "before message_start"),
        ([START, {"type": "message_stop"}, BEGUN], "after message_stop"),
        ([START, BEGUN, delta(0, kind="thinking")], "text block does not grow by a thinking_delta"),
    ],
)
def test_what_does_not_belong_is_refused_and_what_came_before_stands(
    events: list[dict[str, Any]], where: str
) -> None:
    assembler = Assembler()
    for event in events[:-1]:
        assembler.feed(structure_event(event))
    before = assembler.partial()
    with pytest.raises(DecodeError, match=where):
        assembler.feed(structure_event(events[-1]))
    assert assembler.partial() == before


def test_partial_at_every_point() -> None:
    whole = Response(
        "id", "m", ["ab", ToolUseBlock("t", "n", {"a": 1})], "tool_use", usage=Usage(1, 2)
    )
    assembler = Assembler()
    assert assembler.partial() == Response()
    for event in events_of(whole):
        assert not assembler.complete
        with pytest.raises(DecodeError, match="partial"):
            _ = assembler.response
        assembler.feed(event)
        before_end = assembler.partial()
        assert whole.text.startswith(before_end.text)
        assert before_end.stop_reason in (None, "tool_use")
    assert assembler.complete
    assert assembler.response == assembler.partial() == whole


def test_a_cut_tool_call_is_flagged() -> None:
    assembler = Assembler()
    for event in (
        MessageStart(Response()),
        ContentBlockStart(0, ToolUseBlock("t", "n")),
        ContentBlockDelta(0, InputJSONDelta('{"path": "/')),
    ):
        assembler.feed(event)
    (call,) = assembler.partial().content
    assert isinstance(call, ToolUseBlock)
    assert call.invalid_json == '{"path": "/'


def test_other_events_change_nothing() -> None:
    assembler = Assembler()
    for event in (Ping(), ErrorEvent({"type": "overloaded_error"}), UnknownEvent("x", {})):
        assembler.feed(event)
    assert assembler.partial() == Response()
    assert not assembler.complete


def test_the_events_come_in_the_documented_order() -> None:
    response = Response(
        "id", "m", ["Hi", ThinkingBlock("", "sig"), ToolUseBlock("t", "n")], "end_turn",
        usage=Usage(3, 40), status=201, headers={"request-id": "r"},
    )  # fmt: skip
    events = list(events_of(response))
    start = events[0]
    assert isinstance(start, MessageStart)
    assert unstructure(start.message) == {
        "id": "id", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1},
    }  # fmt: skip
    assert events[1:-2] == [
        ContentBlockStart(0, TextBlock("")),
        ContentBlockDelta(0, TextDelta("Hi")),
        ContentBlockStop(0),
        ContentBlockStart(1, ThinkingBlock("", "")),
        ContentBlockDelta(1, SignatureDelta("sig")),
        ContentBlockStop(1),
        ContentBlockStart(2, ToolUseBlock("t", "n")),
        ContentBlockDelta(2, InputJSONDelta("")),
        ContentBlockStop(2),
    ]
    assert unstructure(events[-2]) == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 3, "output_tokens": 40},
    }
    assert events[-1] == MessageStop()
    again = assemble(events)
    assert (again.status, again.request_id) == (201, "r")


def _seconds_for(count: int) -> float:
    assembler = Assembler()
    delta = ContentBlockDelta(0, TextDelta("x" * 20))
    begun = time.process_time()
    assembler.feed(MessageStart(Response()))
    assembler.feed(ContentBlockStart(0, TextBlock("")))
    for _ in range(count):
        assembler.feed(delta)
    assembler.feed(ContentBlockStop(0))
    return time.process_time() - begun


def test_time_is_linear_in_the_number_of_deltas() -> None:
    small = min(_seconds_for(5_000) for _ in range(3))
    large = min(_seconds_for(100_000) for _ in range(3))
    assert large < small * 20 * 4
