"""A kept connection that has gone stale is housekeeping: no attempt, no wait, no note."""

import socket
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
from attrs import define, field

from hookline import AsyncPipeline, Pipeline, TransportError, hookimpl
from hookline.testing import json_answer, message, no_leaks, stream_answer

NO_RETRIES: dict[str, Any] = {"plugins": {"enable": ["history"]}}
WAYS = [
    ("sync", "httpcore2"),
    ("sync", httpx),
    ("sync", httpx2),
    ("asyncio", "httpcore2"),
    ("asyncio", "aiohttp"),
    ("asyncio", httpx),
    ("asyncio", httpx2),
    ("asyncio", aiohttp),
    ("trio", "httpcore2"),
    ("trio", httpx),
    ("trio", httpx2),
]


@define
class Server:
    """Answers the first request of each connection; ``then`` is what it does with the next one.

    Attributes:
        then: called with the connection when a further request has arrived; it is closed after that.
        fresh: whether first requests are answered at all.
        requests: how many have arrived.
        connections: how many have been made.

    """

    then: Callable[[socket.socket], object]
    fresh: Callable[[int], bool] = lambda number: True
    requests: int = 0
    connections: int = 0
    _listening: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _threads: list[threading.Thread] = field(factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                thread = threading.Thread(
                    target=self._speak, args=(connection, self.connections), daemon=True
                )
                thread.start()
                self._threads.append(thread)

    def stop(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(5)

    def _speak(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            first = self._request(connection)
            if not first or not self.fresh(number):
                return
            streamed = b'"stream":true' in first.replace(b" ", b"")
            connection.sendall(
                stream_answer("Hello!") if streamed else json_answer(message("Hello!"))
            )
            if self._request(connection):
                self.then(connection)

    def _request(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0
        while len(body) < length:
            body += connection.recv(65536)
        self.requests += 1
        return head + body


def close(connection: socket.socket) -> None:
    """End it with a FIN."""


def reset(connection: socket.socket) -> None:
    """End it with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def begin(connection: socket.socket) -> None:
    """End it in the middle of a head."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-ty")


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    running: list[tuple[Server, threading.Thread]] = []

    def start(*arguments: Any, **options: Any) -> Server:
        server = Server(*arguments, **options)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.stop()
        thread.join(5)


class Witness:
    """Counts attempts."""

    name = "witness"
    role = "observer"

    def __init__(self) -> None:
        self.attempts: list[Any] = []

    @hookimpl
    def on_attempt(self, attempt: Any) -> None:
        self.attempts.append(attempt)


def turns(way: tuple[str, Any], server: Server, count: int, *, streamed: bool) -> tuple[Any, Any]:
    """Take some turns one after the other; return what they said, and the attempts they took."""
    colour, library = way
    witness = Witness()
    options: dict[str, Any] = {
        "base_url": server.url,
        "api_key": "k",
        "config": NO_RETRIES,
        "plugins": [witness],
    }
    if colour == "sync":
        with nullcontext() if isinstance(library, str) else library.Client() as client:
            own = {"http": library} if client is None else {"client": client}
            with Pipeline(**options, **own) as line:
                said = [blocking_turn(line, streamed=streamed) for _ in range(count)]
        return said, witness.attempts

    async def main() -> list[str]:
        async with nullcontext() if isinstance(library, str) else handed_in(library) as client:
            own = {"http": library} if client is None else {"client": client}
            async with AsyncPipeline(**options, **own) as line:
                return [await turn(line, streamed=streamed) for _ in range(count)]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Async generator '(httpx|httpcore)", ResourceWarning)
        return anyio.run(main, backend=colour), witness.attempts


def handed_in(library: Any) -> Any:
    return library.ClientSession() if library is aiohttp else library.AsyncClient()


def blocking_turn(line: Pipeline, *, streamed: bool) -> str:
    if not streamed:
        return line.send("Hi").text
    with line.stream("Hi") as stream:
        return "".join(stream.text)


async def turn(line: AsyncPipeline, *, streamed: bool) -> str:
    if not streamed:
        return (await line.send("Hi")).text
    async with line.stream("Hi") as stream:
        return "".join([piece async for piece in stream.text])


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{getattr(way[1], '__name__', way[1])}")
def way(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("then", [close, reset])
def test_it_is_reopened_at_once(way: Any, serving: Any, then: Any, *, streamed: bool) -> None:
    server = serving(then)
    with no_leaks():
        said, attempts = turns(way, server, 4, streamed=streamed)
    assert said == ["Hello!"] * 4
    assert len(attempts) == 4, "no attempt is counted for it"
    assert server.connections == 4
    # Each but the first was sent to a stale connection before, except that aiohttp keeps no
    # connection that has taken the place of one.
    assert server.requests == (6 if way[1] == "aiohttp" else 7)


def test_five_hundred_streams_in_a_row_take_no_retry(way: Any, serving: Any) -> None:
    """llama.cpp closes after each streamed answer, though it announced to keep the connection."""
    said, attempts = turns(way, serving(close), 500, streamed=True)
    assert said == ["Hello!"] * 500
    assert len(attempts) == 500


@pytest.mark.parametrize(
    ("backend", "http"), [("asyncio", "httpcore2"), ("asyncio", "aiohttp"), ("trio", "httpcore2")]
)
def test_where_one_has_gone_stale_others_have_too(backend: str, http: Any, serving: Any) -> None:
    """The connection that takes the place of a stale one is new, and not the next stale one."""
    together = threading.Barrier(6)
    server = serving(reset, fresh=lambda number: number > 6 or together.wait(10) >= 0)
    witness = Witness()

    async def main() -> None:
        async with (
            AsyncPipeline(
                base_url=server.url, api_key="k", config=NO_RETRIES, plugins=[witness], http=http
            ) as line,
            anyio.create_task_group() as group,
        ):
            for _ in range(6):
                group.start_soon(line.send, "Hi")
            with anyio.fail_after(10):
                while len(witness.attempts) < 6:
                    await anyio.lowlevel.checkpoint()
            for _ in range(6):
                assert (await line.send("Hi")).text == "Hello!"

    anyio.run(main, backend=backend)
    assert len(witness.attempts) == 12


def test_it_is_reopened_once(way: Any, serving: Any) -> None:
    """The new connection is not a kept one: its end is a failed attempt like any other."""
    server = serving(close, fresh=lambda number: number == 1)
    with pytest.raises(TransportError) as caught:
        turns(way, server, 2, streamed=False)
    assert caught.value.retryable
    assert server.requests == 3
    assert server.connections == 2


def test_a_new_connection_that_ends_is_not_reopened(way: Any, serving: Any) -> None:
    server = serving(close, fresh=lambda number: False)
    with pytest.raises(TransportError) as caught:
        turns(way, server, 1, streamed=False)
    assert caught.value.retryable
    assert server.requests == 1


@pytest.mark.parametrize(
    "way", [("sync", "httpcore2"), ("asyncio", "httpcore2"), ("asyncio", "aiohttp")], ids=str
)
def test_an_answer_that_has_begun_is_not_asked_for_again(way: Any, serving: Any) -> None:
    server = serving(begin)
    with pytest.raises(TransportError):
        turns(way, server, 2, streamed=False)
    assert server.requests == 2
