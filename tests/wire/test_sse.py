"""The SSE decoder against a slow and simple reading of the WHATWG rules."""

import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookline.errors import DecodeError
from hookline.wire.sse import ServerSentEvent, SSEDecoder


def reference(data: bytes) -> list[ServerSentEvent]:  # noqa: C901, PLR0912 -- the whole standard in one place
    """Decode a whole stream, one character after the other."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    lines: list[str] = []
    line, skip_lf = "", False
    for char in text:
        if char == "\n" and skip_lf:
            skip_lf = False
            continue
        skip_lf = char == "\r"
        if char in "\r\n":
            lines.append(line)
            line = ""
        else:
            line += char
    if not line:
        lines.append("")  # our departure: the closing blank line may be missing
    events: list[ServerSentEvent] = []
    parts: list[str] = []
    name, last_id, retry = "", "", None
    for full in lines:
        if full == "":
            if parts:
                events.append(ServerSentEvent(name or "message", "\n".join(parts), last_id, retry))
            name, parts, retry = "", [], None
            continue
        field, colon, value = full.partition(":")
        if colon and value[:1] == " ":
            value = value[1:]
        if field == "data":
            parts.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and value and all(c in "0123456789" for c in value):
            retry = int(value)
    return events


def decode(chunks: list[bytes]) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.flush()


PIECES = st.sampled_from(
    [
        b"data", b"event", b"id", b"retry", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"x", b"7",
        b"data: ", b"event: ping\n", b"\0", b"\xef\xbb\xbf", "ü€😀".encode(), b"\xf0\x9f", b"\xff",
        b"\x85", "\u2028".encode(), b"\x0b",
    ]
)  # fmt: skip
STREAM = st.lists(PIECES, max_size=25).map(b"".join)


@given(STREAM, st.lists(st.integers(0, 60)))
@example(b"data: a\r\n\r\ndata: b\r\r", [8, 9])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
def test_any_chunking_gives_the_events_of_the_reference(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    expected = reference(data)
    assert decode([data]) == expected
    assert decode([data[i:j] for i, j in pairwise(places)]) == expected
    assert decode([data[i : i + 1] for i in range(len(data))]) == expected


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"event: ping\ndata: {}\n\n", [("ping", "{}", "", None)]),
        (b"data:a\ndata: b\ndata\n\n", [("message", "a\nb\n", "", None)]),
        (b": comment\n\nevent: nothing\n\n", []),
        (b"data:  two spaces\n\n", [("message", " two spaces", "", None)]),
        (b"id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n",
         [("message", "a", "1", None), ("message", "b", "1", None),
          ("message", "c", "1", None), ("message", "d", "", None)]),
        (b"retry: 30\ndata: a\n\nretry: 3x\ndata: b\n\nretry:\ndata: c\n\n",
         [("message", "a", "", 30), ("message", "b", "", None), ("message", "c", "", None)]),
        (b"data: \xff\n\n", [("message", "\ufffd", "", None)]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("message", "b", "", None)]),
        (b"data: complete\n", [("message", "complete", "", None)]),
        (b"data: cut", []),
    ],
)  # fmt: skip
def test_rules(data: bytes, events: list[tuple[str, str, str, int | None]]) -> None:
    assert decode([data]) == events


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "data", [b"data: " + b"x" * 200, b"data: x\n" * 60, b"event: " + b"y" * 200 + b"\n"]
)
def test_an_event_above_the_cap_is_refused(data: bytes, size: int) -> None:
    decoder = SSEDecoder(max_event_bytes=100)
    good = decoder.feed(b"data: good\n\n")
    with pytest.raises(DecodeError, match="larger than 100 bytes"):
        for start in range(0, len(data), size):
            good += decoder.feed(data[start : start + size])
    assert [event.data for event in good] == ["good"]
    with pytest.raises(DecodeError):
        decoder.flush()


def test_events_before_the_oversized_one_are_not_lost() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    assert [event.data for event in decoder.feed(b"data: a\n\ndata: " + b"x" * 50)] == ["a"]
    with pytest.raises(DecodeError):
        decoder.feed(b"")


def test_events_of_any_number_may_come_in_one_chunk_above_the_cap() -> None:
    assert len(SSEDecoder(max_event_bytes=100).feed(b"data: abc\n\n" * 1000)) == 1000


def _seconds_for(length: int) -> float:
    decoder = SSEDecoder()
    piece = b"x" * 10
    begun = time.process_time()
    decoder.feed(b"data: ")
    for _ in range(length):
        decoder.feed(piece)
    return time.process_time() - begun


def test_an_endless_line_costs_linear_time() -> None:
    # Quadratic work would make this a factor of 400; the best of three keeps noise out.
    small = min(_seconds_for(5_000) for _ in range(3))
    large = min(_seconds_for(100_000) for _ in range(3))
    assert large < small * 20 * 4


_PAYLOAD_FRAMES = (
    b"event: ping\ndata: {}\n\n",
    b'event: content_block_delta\ndata: {"a": "\xc3\xa9"}\n\n',
    b"data: alone\n\n",
    b"data:  two spaces\n\n",
    b"data:none\n\n",
    b"data: one\ndata: two\n\n",
    b": comment\n\n",
    b"event: named\n\n",
    b"id: 7\nretry: 3\ndata: with an id\n\n",
    b"event: crlf\r\ndata: x\r\n\r\n",
    b"data: cut",
    b"\n",
    b"\n\n",
)


@given(frames=st.lists(st.sampled_from(_PAYLOAD_FRAMES), max_size=12), data=st.data())
def test_payloads_are_the_data_of_the_events_however_the_bytes_are_cut(frames, data) -> None:
    whole = b"".join(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    quick, plain = SSEDecoder(), SSEDecoder()
    found = [payload for chunk in chunks for payload in quick.payloads(chunk)]
    expected = [event.data.encode() for chunk in chunks for event in plain.feed(chunk)]
    assert found == expected
    assert [each.data for each in quick.flush()] == [each.data for each in plain.flush()]
