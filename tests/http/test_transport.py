"""HTTP over real sockets: what comes back when all goes well, and when it does not."""

import asyncio
import gzip
import json
import threading
import time
from typing import Any

import httpcore2
import httpx
import httpx2
import pytest

from hookline import (
    APIError,
    AsyncPipeline,
    ConfigError,
    DeadlineExceeded,
    HooklineError,
    Pipeline,
    StreamInterrupted,
    StreamTruncated,
    TransportError,
)
from hookline._http.transport import Timeouts
from support.patience import SLACK, widening

LIBRARIES = [httpx, httpx2]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_client_of_either_library_is_used_and_stays_open(
    library: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Hi!")))
    with library.Client(headers={"x-mine": "1"}) as client:
        with Pipeline(**server.line, client=client) as line:
            assert line.send("Hello").text == "Hi!"
        assert not client.is_closed
    assert server.requests[0].headers["x-mine"] == "1"


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_async_client_of_either_library_is_used_and_stays_open(
    library: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Hi!")))

    async def main() -> None:
        async with library.AsyncClient() as client:
            async with AsyncPipeline(**server.line, client=client) as line:
                assert (await line.send("Hello")).text == "Hi!"
            assert not client.is_closed

    asyncio.run(main())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_closed_client_is_named(library: Any) -> None:
    with library.Client() as client:
        line = Pipeline(base_url="http://127.0.0.1:9", api_key="none", client=client)
    with pytest.raises(ConfigError, match="closed"):
        line.send("Hello")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_client_of_the_wrong_colour_is_refused(library: Any) -> None:
    with library.Client() as client, pytest.raises(ConfigError, match="AsyncClient"):
        AsyncPipeline(base_url="sim:", client=client)

    async def main() -> None:
        async with library.AsyncClient() as client:
            with pytest.raises(ConfigError, match="Client"):
                Pipeline(base_url="sim:", client=client)

    asyncio.run(main())


@pytest.mark.parametrize("library", ["auto", "httpcore2", "httpx", "httpx2"])
def test_either_library_serves_as_our_own(
    run: Any, loopback: Any, http: Any, message: Any, streamed: Any, library: str
) -> None:
    server = loopback(lambda request: http(200, message("Hi!")))
    assert run.outcome(streamed, line={**server.line, "http": library}).text == "Hi!"


def test_a_redirect_of_the_users_client_is_not_followed_either(
    loopback: Any, http: Any, message: Any
) -> None:
    other = loopback(lambda request: http(200, message("stolen")))
    server = loopback(lambda request: http(307, b"", {"location": other.url}))
    with (
        httpx.Client(follow_redirects=True) as client,
        Pipeline(**server.line, client=client) as line,
        pytest.raises(TransportError, match="redirected"),
    ):
        line.send("Hello")
    assert other.requests == []


def test_threads_that_begin_together_share_one_pool(
    monkeypatch: pytest.MonkeyPatch, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Hi!")))
    made: list[Any] = []

    real = httpcore2.ConnectionPool

    def slow(**options: Any) -> Any:
        made.append(real(**options))
        time.sleep(0.01)  # so that the others come in between
        return made[-1]

    monkeypatch.setattr(httpcore2, "ConnectionPool", slow)
    with Pipeline(**server.line) as line:
        together = threading.Barrier(8)

        def work() -> None:
            together.wait()
            line.send("Hello")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(made) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_mock_transport_of_the_users_client_answers(library: Any, message: Any) -> None:
    """Its responses count as read before anybody has read them."""

    def answer(request: Any) -> Any:
        return library.Response(200, json=message("Hi!"))

    with (
        library.Client(transport=library.MockTransport(answer)) as client,
        Pipeline(base_url="http://mock.example", api_key="none", client=client) as line,
    ):
        assert line.send("Hello").text == "Hi!"

    async def main() -> None:
        async with (
            library.AsyncClient(transport=library.MockTransport(answer)) as client,
            AsyncPipeline(base_url="http://mock.example", api_key="none", client=client) as line,
        ):
            assert (await line.send("Hello")).text == "Hi!"

    asyncio.run(main())


# No answer


def test_a_refused_connection_says_so(run: Any, loopback: Any, streamed: Any) -> None:
    server = loopback(lambda request: b"")
    server.stop()
    with pytest.raises(TransportError, match="base_url right") as caught:
        run.outcome(streamed, line=server.line)
    assert caught.value.phase == "connect"
    assert caught.value.retryable
    assert caught.value.__cause__ is not None


def test_a_server_that_never_answers_is_waited_for_until_the_deadline(
    run: Any, loopback: Any, wait: Any, streamed: Any
) -> None:
    server = loopback(lambda request: [wait])
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"0\.1 s were up") as caught:
        run.outcome(streamed, line=server.line, timeout=0.1)
    assert time.monotonic() - began < SLACK
    assert caught.value.timeout == 0.1


def test_a_stream_that_falls_silent_is_waited_for_until_the_deadline(
    run: Any, loopback: Any, wait: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    server = loopback(lambda request: [sse_head + sse(*deltas("Hel", end=False)), wait])
    for limit in widening(0.2):
        with pytest.raises(DeadlineExceeded) as caught:
            run.stream(line=server.line, timeout=limit)
        if partial := getattr(caught.value, "partial", None):
            break
    assert partial is not None
    assert partial.text == "Hel"


def test_a_connection_that_breaks_before_the_answer_is_retryable(
    run: Any, loopback: Any, reset: Any, streamed: Any
) -> None:
    server = loopback(lambda request: [reset])
    with pytest.raises(TransportError) as caught:
        run.outcome(streamed, line=server.line)
    assert caught.value.retryable
    assert caught.value.phase in ("read", "protocol")


def test_what_is_no_http_is_an_error(run: Any, loopback: Any, streamed: Any) -> None:
    server = loopback(lambda request: b"SSH-2.0-OpenSSH_9.6\r\n")
    with pytest.raises(TransportError) as caught:
        run.outcome(streamed, line=server.line)
    assert caught.value.phase == "protocol"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_the_key_stays_here(
    run: Any, loopback: Any, http: Any, message: Any, streamed: Any, status: int
) -> None:
    other = loopback(lambda request: http(200, message("stolen")))
    server = loopback(lambda request: http(status, b"", {"location": other.url}))
    with pytest.raises(TransportError, match=f"redirected \\({status}\\).*base_url") as caught:
        run.outcome(streamed, line=server.line)
    assert not caught.value.retryable
    assert other.requests == []


# Errors of the API


def error_body(kind: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": text, **fields}}


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, "invalid_request_error", False),
        (401, "authentication_error", False),
        (403, "permission_error", False),
        (404, "not_found_error", False),
        (413, "request_too_large", False),
        (429, "rate_limit_error", True),
        (500, "api_error", True),
        (529, "overloaded_error", True),
    ],
)
def test_an_error_keeps_status_type_text_and_request_id(
    run: Any, loopback: Any, http: Any, streamed: Any, status: int, kind: str, retryable: Any
) -> None:
    body = {**error_body(kind, "the text"), "request_id": "req_1"}
    server = loopback(lambda request: http(status, body, {"retry-after": "7"}))
    with pytest.raises(APIError, match="the text") as caught:
        run.outcome(streamed, line=server.line)
    error = caught.value
    assert (error.status, error.type, error.request_id) == (status, kind, "req_1")
    assert error.retryable is retryable
    assert error.headers["retry-after"] == "7"
    assert "req_1" in str(error)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html><h1>502 Bad  Gateway</h1></html>", "502 Bad Gateway"),
        (b"", "0 bytes"),
        (b"\xff\xfe\x00", "3 bytes"),
        (b"[1, 2]", "6 bytes"),
        (b'{"error": "overloaded"}', "overloaded"),
        (b'{"detail": "gone"}', "gone"),
        (b'{"error": {"message": null}}', ""),
        (b"x" * 300_000, "65,536 bytes"),
    ],
)
def test_an_error_body_of_any_shape_is_an_api_error(
    run: Any, loopback: Any, http: Any, streamed: Any, body: bytes, text: str
) -> None:
    server = loopback(lambda request: http(502, body))
    with pytest.raises(APIError) as caught:
        run.outcome(streamed, line=server.line)
    assert (caught.value.status, caught.value.type) == (502, "api_error")
    assert text in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"3", b'{"content": 5}', b'{"a": 1}'])
def test_a_success_that_is_no_message_is_an_error(
    run: Any, loopback: Any, http: Any, body: bytes
) -> None:
    server = loopback(lambda request: http(200, body))
    with pytest.raises(HooklineError):
        run.send(line=server.line)


def test_an_error_in_a_success_is_an_api_error(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda request: http(200, error_body("overloaded_error", "busy")))
    with pytest.raises(APIError, match="busy"):
        run.send(line=server.line)


def test_a_compressed_answer_is_inflated(
    run: Any, loopback: Any, http: Any, message: Any, streamed: Any
) -> None:
    packed = gzip.compress(json.dumps(message("Hi!")).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    server = loopback(lambda request: http(200, packed, headers))
    assert run.outcome(streamed, line=server.line).text == "Hi!"


def test_a_whole_answer_to_a_stream_is_replayed(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Hi!")))
    text, reply = run.stream(line=server.line)
    assert text == reply.text == "Hi!"


def test_a_body_that_is_cut_short_is_an_error(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Hi!"), length=10_000))
    with pytest.raises(TransportError) as caught:
        run.send(line=server.line)
    assert caught.value.retryable


# Streams that do not end well


def streams(run: Any, server: Any, wanted: Any) -> Any:
    with pytest.raises(wanted) as caught:
        run.stream(line=server.line)
    return caught.value


def test_a_stream_that_ends_early_is_truncated_and_keeps_its_partial(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    server = loopback(lambda request: sse_head + sse(*deltas("Hel", "lo", end=False)))
    error = streams(run, server, StreamTruncated)
    assert error.partial.text == "Hello"
    assert error.partial.interrupted


def test_a_stream_that_breaks_is_interrupted_and_keeps_its_partial(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    # A length that is never reached: the end of the connection alone would be a proper end.
    head = sse_head.replace(b"connection: close", b"content-length: 99999")
    server = loopback(lambda request: [head + sse(*deltas("Hel", "lo", end=False))])
    error = streams(run, server, StreamInterrupted)
    assert error.partial.text == "Hello"
    assert isinstance(error.__cause__, TransportError)


def test_an_error_event_that_comes_first_is_an_api_error(
    run: Any, loopback: Any, sse: Any, sse_head: Any
) -> None:
    event = error_body("overloaded_error", "busy")
    server = loopback(lambda request: sse_head + sse({"type": "ping"}, event))
    error = streams(run, server, APIError)
    assert (error.status, error.type, error.retryable) == (200, "overloaded_error", True)


def test_an_error_event_that_comes_later_interrupts_the_stream(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    event = error_body("overloaded_error", "busy")
    server = loopback(lambda request: sse_head + sse(*deltas("Hel", end=False), event))
    error = streams(run, server, StreamInterrupted)
    assert error.partial.text == "Hel"
    assert isinstance(error.__cause__, APIError)
    assert error.__cause__.type == "overloaded_error"


def test_a_stream_without_any_event_is_a_failed_attempt(
    run: Any, loopback: Any, sse_head: Any
) -> None:
    server = loopback(lambda request: sse_head)
    assert streams(run, server, TransportError).phase == "protocol"


def test_data_that_is_no_json_interrupts_the_stream(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    server = loopback(
        lambda request: sse_head + sse(*deltas("Hel", end=False)) + b"data: {nope\n\n"
    )
    assert streams(run, server, StreamInterrupted).partial.text == "Hel"


@pytest.mark.parametrize("after", [b"data: [DONE]\n\n", b"event: x\ndata: {}\n\n", b": bye\n\n"])
def test_what_follows_the_end_of_a_message_spoils_nothing(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any, after: bytes
) -> None:
    server = loopback(lambda request: sse_head + sse(*deltas("Hi!")) + after)
    text, reply = run.stream(line=server.line)
    assert text == reply.text == "Hi!"


def test_unknown_events_are_handed_on_and_break_nothing(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    start, *rest = deltas("Hi!")
    server = loopback(lambda request: sse_head + sse(start, {"type": "novelty", "x": [1]}, *rest))

    async def body(line: Any) -> Any:
        async with line.stream("Hello") as stream:
            events = [event async for event in stream.events]
            return events, await stream.reply

    events, reply = run(body, **server.line)
    assert "novelty" in [event.type for event in events]
    assert reply.text == "Hi!"


def test_the_phases_of_an_exchange_fit_into_what_remains() -> None:
    usual = Timeouts()
    assert usual.within(None) is usual.within(600) is usual
    assert usual.within(2) == Timeouts(2, 2, 2, 2)
    assert usual.within(600, patient=True) == Timeouts(read=600)
    assert usual.within(2, patient=True) == Timeouts(2, 2, 2, 2)
    assert usual.within(None, patient=True) == Timeouts(read=600)
