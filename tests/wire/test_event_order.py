"""Streams that leave the order of the protocol: put right where it has one meaning, refused elsewhere."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.errors import DecodeError
from hookline.values.blocks import TextBlock, ThinkingBlock, ToolUseBlock
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    InputJSONDelta,
    MessageChange,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    TextDelta,
    ThinkingDelta,
    UnknownDelta,
)
from hookline.values.messages import Response
from hookline.wire.assembler import Assembler
from hookline.wire.event_order import EventOrder
from hookline.wire.replay import events_of


def begin(index: int, text: str = "") -> Event:
    return ContentBlockStart(index, TextBlock(text))


def call(index: int) -> Event:
    return ContentBlockStart(index, ToolUseBlock(f"t{index}", "n"))


def grow(index: int, text: str) -> Event:
    return ContentBlockDelta(index, TextDelta(text))


def json_of(index: int, text: str) -> Event:
    return ContentBlockDelta(index, InputJSONDelta(text))


START, END = MessageStart(Response("m")), [MessageDelta(MessageChange("end_turn")), MessageStop()]


def arranged(*events: Event) -> tuple[list[Event], list[str]]:
    notes: list[str] = []
    order = EventOrder(notes.append)
    out = [each for event in events for each in order.arranged(event)]
    return [each for each in out if not isinstance(each, Ping)], notes


def test_a_stream_in_order_passes_as_it_is() -> None:
    whole = Response("m", "x", ["ab", ToolUseBlock("t", "n", {"a": 1})], "tool_use")
    events = list(events_of(whole))
    assert arranged(*events) == (events, [])


@given(st.data())
def test_blocks_that_overlap_come_one_after_the_other(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    blocks = [
        [
            begin(i),
            *(grow(i, f"{i}{n}") for n in range(data.draw(st.integers(0, 3)))),
            ContentBlockStop(i),
        ]
        for i in range(count)
    ]
    left = [list(block) for block in blocks]
    mixed: list[Event] = []
    while any(left):
        ready = [
            i for i in range(count) if left[i] and (i == 0 or len(left[i - 1]) < len(blocks[i - 1]))
        ]
        mixed.append(left[data.draw(st.sampled_from(ready))].pop(0))
    out, notes = arranged(START, *mixed, *END)
    assert out == [START, *(event for block in blocks for event in block), *END]
    assert len(notes) <= 1


def test_a_later_block_goes_on_as_soon_as_the_earlier_has_ended() -> None:
    order = EventOrder(lambda _: None)
    for event in (START, call(0), call(1), json_of(1, "{")):
        list(order.arranged(event))
    assert list(order.arranged(ContentBlockStop(0))) == [
        ContentBlockStop(0),
        call(1),
        json_of(1, "{"),
    ]
    assert order.open == 1
    assert list(order.arranged(json_of(1, "}"))) == [json_of(1, "}")]


@pytest.mark.parametrize(
    ("events", "wanted", "note"),
    [
        ([begin(0, "Hi"), ContentBlockStop(0), *END], "Hi", "no message_start"),
        ([START, begin(0), grow(0, "Hi"), *END], "Hi", "without the end of a block"),
        (
            [
                START,
                begin(0),
                begin(1),
                grow(1, "b"),
                grow(0, "a"),
                ContentBlockStop(0),
                ContentBlockStop(1),
                *END,
            ],
            "ab",
            "overlapped",
        ),
        (
            [
                START,
                begin(1),
                grow(1, "Hi"),
                ContentBlockStop(1),
                begin(0, "!"),
                ContentBlockStop(0),
                *END,
            ],
            "Hi!",
            "",
        ),
        (
            [MessageStart(Response("m", "x", ["Hi"])), begin(1, "!"), ContentBlockStop(1), *END],
            "Hi!",
            "brought content along",
        ),
        (
            [START, grow(0, "Hi"), grow(0, "!"), ContentBlockStop(0), *END],
            "Hi!",
            "a text of the stream had no start",
        ),
        ([START, call(0), grow(0, "Hi"), ContentBlockStop(0), *END], "", "was left out"),
        (
            [
                START,
                begin(0, "Hi"),
                ContentBlockDelta(0, ThinkingDelta("x")),
                ContentBlockStop(0),
                *END,
            ],
            "Hi",
            "thinking_delta was left out",
        ),
    ],
)
def test_what_has_one_meaning_is_put_right_and_noted(
    events: list[Event], wanted: str, note: str
) -> None:
    out, notes = arranged(*events)
    assembler = Assembler()
    for event in out:
        assembler.feed(event)
    shown = "".join(
        part.text
        for event in out
        for part in (getattr(event, "delta", None), getattr(event, "content_block", None))
        if isinstance(part, TextDelta | TextBlock)
    )
    assert assembler.response.text == shown == wanted
    assert len(notes) == bool(note)
    assert note in " ".join(notes)


@pytest.mark.parametrize(
    ("events", "where"),
    [
        ([START, grow(1, "x")], r"content\[1\].*has not begun"),
        ([START, json_of(0, "x")], r"content\[0\].*has not begun"),
        ([START, ContentBlockDelta(0, ThinkingDelta("x"))], r"content\[0\].*has not begun"),
        ([START, begin(0), grow(1, "x")], r"content\[1\].*has not begun"),
        ([START, begin(0), ContentBlockStop(0), grow(0, "x")], r"content\[0\].*has ended"),
        ([START, begin(0), ContentBlockStop(0), ContentBlockStop(0)], r"content\[0\].*has ended"),
        ([START, begin(0), ContentBlockStop(0), begin(0)], r"content\[0\].*begun before"),
        ([START, begin(0), begin(0)], r"content\[0\].*begun before"),
        (
            [START, begin(0), begin(1), ContentBlockStop(1), grow(1, "x")],
            r"content\[1\].*has ended",
        ),
        ([START, begin(0), START], "second one"),
        ([begin(0), START], "second one"),
    ],
)
def test_what_may_mean_two_things_is_an_error_that_says_where(
    events: list[Event], where: str
) -> None:
    order = EventOrder(lambda _: None)
    for event in events[:-1]:
        list(order.arranged(event))
    with pytest.raises(DecodeError, match=where):
        list(order.arranged(events[-1]))


def test_deltas_of_unknown_types_pass() -> None:
    delta: Any = ContentBlockDelta(0, UnknownDelta("new_delta", {"type": "new_delta"}))
    events = [START, ContentBlockStart(0, ThinkingBlock("", "")), delta]
    assert arranged(*events) == (events, [])
