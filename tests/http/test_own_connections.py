"""What our own connections have that the engine's own lack."""

import asyncio
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import httpcore2
import pytest

from hookline import AsyncPipeline, DeadlineExceeded, Pipeline
from hookline._http.async_network import AsyncStream
from hookline._http.network import BoundedStream, Deadline
from hookline._io import drive
from hookline.testing import Delay, Drip, FaultServer, json_answer, message, no_leaks
from support.patience import SLACK

ONLY = {"plugins": {"enable": ["history"]}}


def test_connections_are_kept_alive() -> None:
    with (
        no_leaks(),
        FaultServer(json_answer(message("Hello!"))) as server,
        Pipeline(base_url=server.url, api_key="test", config=ONLY) as line,
    ):
        for _ in range(5):
            line.send("Hi")
        assert server.accepted == 1
        transport: Any = line._upstreams.transports[0]
        (pool,) = transport._pools
        (connection,) = pool.connections
        stream: Any = connection._connection._network_stream
        made = stream.get_extra_info("socket")
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


class Wire:
    """A socket, or a stream, that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def recv(self, max_bytes: int) -> bytes:
        return b"read after " + b"|".join(self.written)

    def send(self, buffer: bytes) -> int:
        self.written.append(bytes(buffer))
        return len(buffer)

    def settimeout(self, seconds: float | None) -> None: ...

    def close(self) -> None: ...


class Awaited:
    """The other colour of a stream."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- the interface of httpcore
        return self._wire.recv(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- as above
        if buffer:
            self._wire.send(buffer)


def connected(wire: Wire, *, asynchronous: bool) -> Any:
    """Return a stream of one colour over the wire, to be used like a blocking one."""
    if not asynchronous:
        return BoundedStream(wire, Deadline())
    awaited = AsyncStream(Awaited(wire))
    return SimpleNamespace(
        read=lambda size: drive(awaited.read(size)), write=lambda data: drive(awaited.write(data))
    )


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ([HEAD, b"body", b""], [HEAD + b"body"]),
        ([HEAD, b""], [HEAD]),
        ([HEAD], [HEAD]),
        ([HEAD, b"ends so\r\n\r\n", b""], [HEAD + b"ends so\r\n\r\n"]),
        ([HEAD, b"5\r\n", b"0\r\n\r\n"], [HEAD + b"5\r\n", b"0\r\n\r\n"]),
        ([b"raw", b"more"], [b"raw", b"more"]),
    ],
)
def test_a_head_leaves_together_with_its_body(
    asynchronous: bool, written: list[bytes], sent: list[bytes]
) -> None:
    """And never stays here: what is read for has been sent."""
    wire = Wire()
    stream = connected(wire, asynchronous=asynchronous)
    for _ in range(2):  # a kept connection takes the next request like the first
        wire.written.clear()
        for data in written:
            stream.write(data)
        assert stream.read(10) == b"read after " + b"|".join(sent)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_large_body_is_not_copied_behind_its_head(asynchronous: bool) -> None:
    wire = Wire()
    stream = connected(wire, asynchronous=asynchronous)
    for data in (HEAD, b"x" * 200_000, b""):
        stream.write(data)
    assert wire.written[0] == HEAD
    assert b"".join(wire.written[1:]) == b"x" * 200_000


def test_a_deadline_that_is_over_is_noticed_though_there_is_always_more() -> None:
    limit = Deadline()
    stream = BoundedStream(Wire(), limit)
    with limit.until(time.monotonic() + 60):
        stream.read(1)
        stream.write(b"x")
    with limit.until(time.monotonic() - 1):
        with pytest.raises(httpcore2.ReadTimeout):
            stream.read(1)
        with pytest.raises(httpcore2.WriteTimeout):
            stream.write(b"x")
    stream.read(1)  # the deadline was the block's only


def test_a_deadline_belongs_to_its_thread() -> None:
    deadline = Deadline()
    deadline.at = time.monotonic() + 1
    seen: list[float | None] = []
    thread = threading.Thread(target=lambda: seen.append(deadline.within(30.0)))
    thread.start()
    thread.join()
    assert seen == [30.0]
    assert 0.5 < (deadline.within(30.0) or 0) <= 1
    assert (deadline.within(None) or 0) <= 1
    deadline.at = time.monotonic() - 5
    assert 0 < (deadline.within(30.0) or 0) < 0.01


def test_two_turns_of_one_thread_have_their_own_deadlines() -> None:
    """A stream that is read between other calls ends at its own deadline, not at theirs."""
    from hookline.testing import Send, stream_events, stream_head, stream_parts

    parts = stream_parts(stream_events("a", "b", "c"))
    body = b"".join(parts)
    slow = (Send(stream_head() + parts[0]), Drip(body[len(parts[0]) :], 0.1))
    with (
        FaultServer(slow, json_answer(message("Hello!"))) as server,
        Pipeline(base_url=server.url, api_key="test", config=ONLY) as line,
        line.stream("Hi", timeout=1.5) as stream,
    ):
        began = time.monotonic()
        assert line.send("Hi", timeout=30).text == "Hello!"
        with pytest.raises(DeadlineExceeded):
            list(stream.events)
        assert time.monotonic() - began < SLACK


@pytest.mark.parametrize("library", ["httpcore2", "aiohttp"])
def test_more_calls_than_connections_wait_their_turn(library: str) -> None:
    async def main(url: str) -> list[str]:
        async with AsyncPipeline(
            base_url=url, api_key="test", http=library, config=ONLY, max_connections=2
        ) as line:
            replies = await asyncio.gather(*[line.send("Hi") for _ in range(20)])
            return [reply.text for reply in replies]

    with no_leaks(), FaultServer((Delay(0.005), json_answer(message("Hello!")))) as server:
        assert asyncio.run(main(server.url)) == ["Hello!"] * 20
        assert server.accepted == 2
