"""F44 to F62: what can go wrong in a stream."""

import json
import time
from typing import Any

import pytest

from hookline import APIError, DeadlineExceeded, DecodeError, StreamInterrupted, StreamTruncated
from hookline.testing import (
    Bandwidth,
    Close,
    Delay,
    Drip,
    Reset,
    Send,
    Slice,
    Stall,
    message,
    stream_answer,
    stream_events,
    stream_head,
    stream_parts,
)
from support.patience import SLACK, widening

START, BLOCK, HEL, LO, *END = stream_parts(stream_events("Hel", "lo!"))
WHOLE = (Send(stream_head() + START + BLOCK + HEL + LO + b"".join(END)), Close())


def of(*parts: bytes) -> bytes:
    return stream_head() + b"".join(parts)


def error_event(kind: str) -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": "scripted"}}
    return f"event: error\ndata: {json.dumps(error)}\n\n".encode()


def broken(outcome: Any, text: str = "Hel") -> StreamInterrupted:
    """Check that a stream broke after ``text``, which nobody lost."""
    error = outcome.error
    assert isinstance(error, StreamInterrupted), error
    assert error.partial is not None
    assert (outcome.seen, error.partial.text, error.partial.interrupted) == (text, text, True)
    assert len(outcome.attempts) == 1, "nothing is sent again once the caller has seen something"
    return error


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("sizes", [(1,), (2,), (3,), (7, 1), (1000,)])
def test_f44_however_a_stream_is_cut_up(
    few_streams: Any, ending: bytes, sizes: tuple[int, ...]
) -> None:
    parts = stream_parts(stream_events("Grüße, ", "世界 ", "🐜\u2028!"))
    body = b"".join(parts).replace(b"\n", ending)
    body = json.dumps("🐜").encode().join(body.split("🐜".encode()))
    outcome = few_streams.meet((Send(stream_head()), Slice(body, sizes), Close()))
    assert outcome.text == outcome.seen == "Grüße, 世界 🐜\u2028!"


@pytest.mark.parametrize(
    "stuff",
    [
        pytest.param(b"\xef\xbb\xbf", id="F46-a-byte-order-mark"),
        pytest.param(b": comment\n\n:\n:keep-alive\n", id="F47-comments"),
        pytest.param(b"id: \x00\nretry: soon\nid\n\n", id="F49-odd-ids"),
        pytest.param(b'event: ping\ndata: {"type": "ping"}\n\n' * 3, id="F47-pings"),
    ],
)
def test_f46_f47_f49_what_is_harmless(stream: Any, stuff: bytes) -> None:
    outcome = stream.meet((Send(of(stuff, START, BLOCK, HEL, LO, *END)), Close()))
    assert outcome.text == "Hello!"


def test_f48_invalid_utf8_becomes_replacement_characters(stream: Any) -> None:
    bad = HEL.replace(b"Hel", b"H\xff\xc3l")
    outcome = stream.meet((Send(of(START, BLOCK, bad, LO, *END)), Close()))
    assert outcome.text == "H\ufffd\ufffdllo!"


@pytest.mark.parametrize("endless", [b"data: ", b": ", b"event: ", b"data: x\ndata: "])
def test_f51_an_event_without_end_is_stopped(few_streams: Any, endless: bytes) -> None:
    began = time.process_time()
    outcome = few_streams.meet((Send(of(START, BLOCK, HEL, endless) + b"x" * 9_000_000), Stall()))
    error = broken(outcome)
    assert isinstance(error.__cause__, DecodeError)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("cut", ["inside", "between"])
def test_f53_an_end_before_the_last_event_is_truncation(stream: Any, cut: str) -> None:
    left = {"inside": LO[:-9], "between": b""}[cut]
    outcome = stream.meet((Send(of(START, BLOCK, HEL, left)), Close()))
    assert isinstance(broken(outcome), StreamTruncated)


def test_f53_a_chunked_body_that_is_cut_off_is_a_break(stream: Any) -> None:
    whole = stream_answer("Hel", end=False).removesuffix(b"\r\n0\r\n\r\n")
    broken(stream.meet((Send(whole), Close())))


def test_f54_a_reset_is_a_break(stream: Any) -> None:
    whole = stream_answer("Hel", end=False).removesuffix(b"\r\n0\r\n\r\n")
    error = broken(stream.meet((Send(whole), Delay(0.05), Reset())))
    assert not isinstance(error, StreamTruncated)
    assert error.__cause__.phase == "read"  # type: ignore[union-attr]  # it has a cause


def test_f54_a_reset_of_a_body_without_a_length_is_a_break(stream: Any) -> None:
    error = broken(stream.meet((Send(of(START, BLOCK, HEL)), Delay(0.05), Reset())))
    # aiohttp takes it for the end of the body, which is an early one.
    assert isinstance(error, StreamTruncated) == (stream.http == "aiohttp")
    assert getattr(error.__cause__, "phase", "read") == "read"


@pytest.mark.parametrize("end", [Close(), Reset()])
def test_f53_f54_a_call_streamed_under_the_hood_is_sent_again(plain: Any, end: Any) -> None:
    outcome = plain.meet(
        (Send(of(START, BLOCK, HEL)), Delay(0.05), end), WHOLE, asked={"max_tokens": 60_000}
    )
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 2


def test_before_the_first_event_a_break_is_an_ordinary_failure(stream: Any) -> None:
    head = stream_head()
    outcome = stream.meet((Send(head), Close()), (Send(head + START[:-9]), Reset()), WHOLE)
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 3


def test_f55_silence_meets_the_idle_timeout(stream: Any) -> None:
    outcome = stream.meet((Send(of(START, BLOCK, HEL)), Stall()), read_timeout=0.15)
    assert broken(outcome).__cause__.phase == "read"  # type: ignore[union-attr]  # it has a cause


def test_f55_pings_are_signs_of_life(stream: Any) -> None:
    rest = b"".join((LO, *END))
    for limit in widening(0.25):  # of which the pings fill one and a half
        ping = (Delay(limit / 4), Send(b'event: ping\ndata: {"type": "ping"}\n\n'))
        script = (Send(of(START, BLOCK, HEL)), *(ping * 6), Send(rest), Close())
        outcome = stream.meet(script, read_timeout=limit)
        if outcome.error is None:
            break
    assert outcome.text == "Hello!"


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(Drip(b":" * 1000, 0.03), id="drip"),
        pytest.param(Bandwidth(b"data: " + b"x" * 6_000_000, 200_000), id="one-long-event"),
        pytest.param(
            Bandwidth(b'event: ping\ndata: {"type": "ping"}\n\n' * 100_000, 100_000), id="pings"
        ),
    ],
)
def test_f56_a_slow_drip_meets_the_deadline(few_streams: Any, endless: Any) -> None:
    beyond_the_deadline(few_streams, endless)


def test_f56_a_flood_meets_the_deadline(stream: Any) -> None:
    beyond_the_deadline(stream, Bandwidth(b":\n\n" * 8_000_000, 1_000_000))


def beyond_the_deadline(way: Any, endless: Any) -> None:
    """Check that the deadline ends a stream that goes on for half a minute, and what came is kept."""
    for limit in widening(0.15):
        outcome = way.meet(
            (Send(of(START, BLOCK, HEL)), endless), asked={"timeout": limit}, real_time=True
        )
        assert isinstance(outcome.error, DeadlineExceeded), outcome.error
        assert outcome.seconds < limit + SLACK
        if outcome.seen:
            break
    assert outcome.error.partial is not None
    assert outcome.error.partial.text == outcome.seen == "Hel"


@pytest.mark.parametrize("kind", ["overloaded_error", "api_error", "rate_limit_error"])
def test_f57_an_error_event_before_any_content_is_sent_again(few_streams: Any, kind: str) -> None:
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    outcome = few_streams.meet((Send(of(ping, error_event(kind))), Close()), WHOLE)
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 2


@pytest.mark.parametrize("kind", ["overloaded_error", "invalid_request_error"])
def test_f57_f58_an_error_event_after_content_is_a_break(stream: Any, kind: str) -> None:
    outcome = stream.meet((Send(of(START, BLOCK, HEL, error_event(kind))), Stall()))
    cause = broken(outcome).__cause__
    assert isinstance(cause, APIError)
    assert cause.type == kind
    assert cause.request_id == "req_test"


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def test_f59_what_is_unknown_is_kept(stream: Any) -> None:
    body = of(
        START,
        event("message_weather", forecast="rain"),
        event("content_block_start", index=0, content_block={"type": "hologram", "depth": 3}),
        event("content_block_delta", index=0, delta={"type": "hologram_delta", "z": 1}),
        event("content_block_stop", index=0),
        BLOCK.replace(b'"index": 0', b'"index": 1'),
        HEL.replace(b'"index": 0', b'"index": 1'),
        event("content_block_stop", index=1),
        event("message_delta", delta={"stop_reason": "bored"}, usage={"output_tokens": 1}),
        event("message_stop"),
    )
    outcome = stream.meet((Send(body), Close()))
    assert (outcome.text, outcome.reply.stop_reason) == ("Hel", "bored")
    assert outcome.reply.response.content[0].type == "hologram"


def test_f59_what_is_unknown_is_kept_in_plain_answers(plain: Any) -> None:
    from hookline.testing import json_answer

    blocks = [{"type": "hologram", "depth": 3}, {"type": "text", "text": "Hel"}]
    outcome = plain.meet(json_answer(message(content=blocks, stop_reason="bored", mood="good")))
    assert (outcome.text, outcome.reply.stop_reason) == ("Hel", "bored")
    assert outcome.reply.response.extra["mood"] == "good"


@pytest.mark.parametrize("pieces", [['{"a": '], ["{'a'", ": 1}"], [""], ["[", "]"]])
def test_f61_a_tool_input_that_is_no_json_does_not_crash(
    few_streams: Any, pieces: list[str]
) -> None:
    tool = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    body = of(
        START,
        event("content_block_start", index=0, content_block=tool),
        *[
            event(
                "content_block_delta",
                index=0,
                delta={"type": "input_json_delta", "partial_json": piece},
            )
            for piece in pieces
        ],
        *[part.replace(b'"end_turn"', b'"max_tokens"') for part in END],
    )
    outcome = few_streams.meet((Send(body), Close()))
    (block,) = outcome.reply.response.content
    assert block.name == "look"
    raw = "".join(pieces)
    assert block.input == ({"INVALID_JSON": raw} if raw else {})
    assert block.invalid_json == (raw or None)


@pytest.mark.parametrize("usage", [{}, None, {"output_tokens": None}, {"output_tokens": 0}])
def test_f62_odd_usage_does_not_crash(few_streams: Any, usage: Any) -> None:
    last = event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
    outcome = few_streams.meet((Send(of(START, BLOCK, HEL, END[0], last, END[2])), Close()))
    assert outcome.text == "Hel"


def test_f62_a_missing_usage_does_not_crash(stream: Any) -> None:
    last = event("message_delta", delta={"stop_reason": "end_turn"})
    outcome = stream.meet((Send(of(START, BLOCK, HEL, END[0], last, END[2])), Close()))
    assert outcome.text == "Hel"


@pytest.mark.parametrize("bad", [b"data: {\n\n", b"data: []\n\n", b"data: null\n\n"])
def test_an_event_that_is_no_object_is_a_break(stream: Any, bad: bytes) -> None:
    broken(stream.meet((Send(of(START, BLOCK, HEL, bad, LO, *END)), Close())))


@pytest.mark.parametrize(
    "bad",
    [
        b'data: {"type": 5}\n\n',
        event("content_block_delta", index=0),
        event("content_block_delta", index=9, delta={"type": "text_delta", "text": "x"}),
        event("content_block_delta", index=-1, delta={"type": "text_delta", "text": "x"}),
        event("content_block_delta", index="0", delta={"type": "text_delta", "text": "x"}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": 5}),
        event("content_block_stop", index=7),
        event("message_delta", delta=None),
        event("message_start", message=None),
    ],
)
def test_an_event_of_the_wrong_shape_is_kept_or_a_break(few_streams: Any, bad: bytes) -> None:
    outcome = few_streams.meet((Send(of(START, BLOCK, HEL, bad, LO, *END)), Close()))
    if outcome.error is None:
        assert "Hello!" in outcome.text.replace("x", "")
    else:
        broken(outcome)


def test_what_follows_the_last_event_does_not_matter(stream: Any) -> None:
    body = of(START, BLOCK, HEL, LO, *END, error_event("api_error"), b"data: {")
    outcome = stream.meet((Send(body), Close()))
    assert outcome.text == "Hello!"
