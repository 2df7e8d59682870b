"""Faults that the catalogue does not name: what a broken or hostile server may also do."""

import asyncio
import gzip
import json
import time
from contextlib import nullcontext
from typing import Any

import httpx
import httpx2
import pytest

from hookline import (
    APIError,
    AsyncPipeline,
    DeadlineExceeded,
    DecodeError,
    Pipeline,
    StreamInterrupted,
)
from hookline.testing import (
    Bandwidth,
    Close,
    Delay,
    Drip,
    FaultServer,
    Send,
    Stall,
    http_answer,
    json_answer,
    message,
    no_leaks,
    stream_answer,
    stream_events,
    stream_head,
    stream_parts,
)
from support.patience import SLACK

START, BLOCK, HEL, *END = stream_parts(stream_events("Hel"))
DEEP = b'{"\\u0061":' * 5000 + b"1" + b"}" * 5000  # with an escape, which sends it the slow road
LIBRARIES = [httpx, httpx2]
# Something to read all the time, so that no wait is ever long; slow enough not to keep a core busy.
FLOOD = Bandwidth(b"HTTP/1.1 100 Continue\r\n\r\n" * 400_000, 500_000)


def events(*parts: bytes) -> bytes:
    """Return a whole answer with a length, so that the connection is kept."""
    body = b"".join(parts)
    return http_answer(200, body, {"content-type": "text/event-stream"})


# Connections


def test_a_second_answer_is_not_taken_for_the_next_one(way: Any) -> None:
    """A connection on which more came than was asked for is not used again."""
    stolen = stream_answer("stolen") if way.streamed else json_answer(message("stolen"))
    whole = events(START, BLOCK, HEL, *END) if way.streamed else json_answer(message("Hel"))
    with no_leaks(), FaultServer((Send(whole + stolen),)) as server:
        options: dict[str, Any] = {"base_url": server.url, "api_key": "k"}
        own, client = way.connected()

        async def main() -> list[str]:
            async with client or nullcontext(), AsyncPipeline(**own, **options) as line:
                said = []
                for _ in range(3):
                    if way.streamed:
                        async with line.stream("Hi") as stream:
                            said.append("".join([piece async for piece in stream.text]))
                    else:
                        said.append((await line.send("Hi")).text)
                return said

        if way.colour == "sync":
            with client or nullcontext(), Pipeline(**own, **options) as line:
                said = []
                for _ in range(3):
                    if way.streamed:
                        with line.stream("Hi") as stream:
                            said.append("".join(stream.text))
                    else:
                        said.append(line.send("Hi").text)
        else:
            said = way.run(main())
    assert said == ["Hel"] * 3


@pytest.mark.parametrize("library", LIBRARIES)
def test_nor_by_a_client_that_was_handed_in(library: Any) -> None:
    twice = Send(json_answer(message("Hel")) + json_answer(message("stolen")))
    with no_leaks(), FaultServer((twice,)) as server:
        options: dict[str, Any] = {"base_url": server.url, "api_key": "k"}

        async def main() -> list[str]:
            async with (
                library.AsyncClient() as client,
                AsyncPipeline(**options, client=client) as line,
            ):
                return [(await line.send("Hi")).text for _ in range(3)]

        assert asyncio.run(main()) == ["Hel"] * 3
        with library.Client() as client, Pipeline(**options, client=client) as line:
            assert [line.send("Hi").text for _ in range(3)] == ["Hel"] * 3


def test_a_stream_that_is_left_open_ends_with_its_message(stream: Any) -> None:
    """Nobody waits for a server that says nothing more after the last event."""
    outcome = stream.meet((Send(stream_head() + START + BLOCK + HEL + b"".join(END)), Stall()))
    assert outcome.text == outcome.seen == "Hel"
    assert outcome.seconds < SLACK


@pytest.mark.parametrize("library", ["httpcore2", "aiohttp"])
def test_a_stream_that_ends_a_moment_later_keeps_its_connection(library: str) -> None:
    body = b"".join((START, BLOCK, HEL, *END))
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    late = (Send(head + b"%x\r\n%s\r\n" % (len(body), body)), Delay(0.01), Send(b"0\r\n\r\n"))

    async def main(url: str) -> None:
        async with AsyncPipeline(base_url=url, api_key="k", http=library) as line:
            for _ in range(3):
                async with line.stream("Hi") as stream:
                    assert (await stream.reply).text == "Hel"

    with no_leaks(), FaultServer(late) as server:
        asyncio.run(main(server.url))
        assert server.accepted == 1
        if library != "aiohttp":
            with Pipeline(base_url=server.url, api_key="k", http=library) as line:
                for _ in range(3):
                    with line.stream("Hi") as stream:
                        assert stream.reply.text == "Hel"
            assert server.accepted == 2


# Deadlines


def test_a_flood_of_interim_answers_meets_the_deadline(plain: Any) -> None:
    outcome = plain.meet((FLOOD,), asked={"timeout": 0.3}, real_time=True)
    assert isinstance(outcome.error, DeadlineExceeded)
    assert outcome.seconds < SLACK


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "script",
    [
        (Drip(json_answer(message("Hello!")), 0.1),),
        (Send(b"HTTP/1.1 500 x\r\ncontent-length: 9999\r\n\r\n"), Drip(b" " * 9000, 0.02)),
        (FLOOD,),
    ],
    ids=["head", "error body", "flood"],
)
def test_the_deadline_holds_for_a_client_that_was_handed_in(library: Any, script: Any) -> None:
    with (
        FaultServer(script) as server,
        library.Client() as client,
        Pipeline(base_url=server.url, api_key="k", client=client) as line,
    ):
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            line.send("Hi", timeout=0.3)
        assert time.monotonic() - began < SLACK


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_owner_of_a_client_has_no_deadline(library: Any) -> None:
    slow = (Delay(0.3), Send(json_answer(message("Hello!"))))
    with (
        FaultServer(json_answer(message("Hi")), slow) as server,
        library.Client() as client,
        Pipeline(base_url=server.url, api_key="k", client=client) as line,
    ):
        assert line.send("Hi", timeout=0.2).text == "Hi"
        assert client.post(f"{server.url}/v1/messages", json={}).status_code == 200


# Bodies


def test_json_beyond_reading_is_an_error_of_ours(way: Any) -> None:
    if way.streamed:
        outcome = way.meet((Send(events(START, b"data: " + DEEP + b"\n\n")), Close()))
        assert isinstance(outcome.error, StreamInterrupted)
        assert isinstance(outcome.error.__cause__, DecodeError)
    else:
        outcome = way.meet((Send(http_answer(200, DEEP)),))
        assert isinstance(outcome.error, APIError)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("body", [DEEP, b'{"type": "error", "x": ' + b"9" * 5000 + b"}"])
def test_so_is_an_error_body_beyond_reading(few_plain: Any, status: int, body: bytes) -> None:
    outcome = few_plain.meet((Send(http_answer(status, body)),))
    assert isinstance(outcome.error, APIError)
    assert outcome.error.status == status


def test_a_byte_order_mark_before_json_is_no_trouble(few_plain: Any) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(message("Hello!")).encode()
    assert few_plain.meet((Send(http_answer(200, body)), Close())).text == "Hello!"


@pytest.mark.parametrize("rest", [b"", b"\0\0\0", b"junk"])
@pytest.mark.parametrize("cut", [1, 50, 99])
def test_gzip_in_several_members_is_read_whole(few_plain: Any, cut: int, rest: bytes) -> None:
    body = json.dumps(message("Hello!")).encode()
    packed = gzip.compress(body[:cut]) + gzip.compress(body[cut:]) + rest
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    answer = http_answer(200, packed, headers)
    assert few_plain.meet((Send(answer), Close())).text == "Hello!"


# Streams


@pytest.mark.parametrize("kind", ["Text/Event-Stream; charset=UTF-8", "TEXT/EVENT-STREAM"])
def test_the_case_of_a_content_type_does_not_matter(few_streams: Any, kind: str) -> None:
    body = b"".join((START, BLOCK, HEL, *END))
    answer = http_answer(200, body, {"content-type": kind})
    assert few_streams.meet((Send(answer), Close())).text == "Hel"


@pytest.mark.parametrize(
    "after", [HEL, b"data: [DONE]\n\n", b"data: {nope\n\n", START + BLOCK + HEL]
)
def test_what_follows_the_end_of_a_message_is_not_of_it(stream: Any, after: bytes) -> None:
    outcome = stream.meet((Send(events(START, BLOCK, HEL, *END, after)), Close()))
    assert outcome.text == outcome.seen == "Hel"


@pytest.mark.parametrize("blank", [b"data:\n\n", b"data: \n\n", b"event: x\ndata:\n\n"])
def test_an_event_without_data_is_a_sign_of_life(few_streams: Any, blank: bytes) -> None:
    outcome = few_streams.meet(
        (Send(events(blank, START, blank, BLOCK, HEL, blank, *END)), Close())
    )
    assert outcome.text == "Hel"


@pytest.mark.parametrize("error", [b'"error": "boom"', b'"error": null', b'"x": 1'])
def test_an_error_of_another_shape_is_an_error(few_streams: Any, error: bytes) -> None:
    event = b'data: {"type": "error", ' + error + b"}\n\n"
    first = few_streams.meet((Send(events(event)), Close()))
    assert isinstance(first.error, APIError)
    assert ("boom" in str(first.error)) == (b"boom" in error)
    later = few_streams.meet((Send(events(START, BLOCK, HEL, event, *END)), Close()))
    assert isinstance(later.error, StreamInterrupted)
    assert later.seen == "Hel"
