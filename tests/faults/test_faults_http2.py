"""F18 to F22: HTTP/2, which a client that is handed in may speak."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import httpx2
import pytest
from attrs import define, field
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.settings import SettingCodes

from hookline import (
    AsyncPipeline,
    DeadlineExceeded,
    HooklineError,
    Pipeline,
    ReadTimeout,
    StreamInterrupted,
    TransportError,
)
from hookline.testing import message, stream_events, stream_parts

PLAIN = json.dumps(message("Hello!")).encode()
STREAMED = b"".join(stream_parts(stream_events("Hel", "lo!")))
PATIENT = {"plugins": {"retry": {"base": 0.001}}}


@define
class Server:
    """One connection after another, each with its script; a script answers the end of a request.

    Attributes:
        scripts: called with the connection, the stream's number and whether events are wanted; the
            last one serves all further requests. True closes the connection.
        requests: how many have been asked.

    """

    scripts: list[Callable[[H2Connection, int, bool], bool | None]]
    requests: int = 0
    connections: int = 0
    _listening: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: list[socket.socket] = field(factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._open.append(connection)
                threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def stop(self) -> None:
        for each in (self._listening, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _speak(self, connection: socket.socket) -> None:
        self.connections += 1
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        bodies: dict[int, bytes] = {}
        with connection, suppress(OSError):
            connection.sendall(h2.data_to_send())
            while data := connection.recv(65536):
                over = False
                for event in h2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        bodies[event.stream_id] = b""
                    elif isinstance(event, DataReceived):
                        bodies[event.stream_id] += event.data
                    elif isinstance(event, StreamEnded):
                        script = self.scripts[min(self.requests, len(self.scripts) - 1)]
                        self.requests += 1
                        wants_events = bool(json.loads(bodies[event.stream_id]).get("stream"))
                        over = bool(script(h2, event.stream_id, wants_events)) or over
                connection.sendall(h2.data_to_send())
                if over:
                    return


@contextmanager
def serving(*scripts: Any) -> Iterator[Server]:
    server = Server([*scripts])
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5)


def begin(h2: H2Connection, stream: int, events: bool) -> None:
    kind = "text/event-stream" if events else "application/json"
    h2.send_headers(stream, [(":status", "200"), ("content-type", kind)])


def good(h2: H2Connection, stream: int, events: bool) -> None:
    begin(h2, stream, events)
    h2.send_data(stream, STREAMED if events else PLAIN, end_stream=True)


@pytest.fixture(params=["sync", "asyncio"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def take(
    library: Any, colour: str, server: Server, *, streamed: bool = False, **options: Any
) -> Any:
    """Take one turn over HTTP/2, and return the reply or the error."""
    options = {"base_url": server.url, "api_key": "k", "config": PATIENT, **options}

    async def main() -> Any:
        async with (
            library.AsyncClient(http1=False, http2=True) as client,
            AsyncPipeline(**options, client=client) as line,
        ):
            try:
                if not streamed:
                    return await line.send("Hi")
                async with line.stream("Hi") as stream:
                    return await stream.reply
            except HooklineError as error:
                return error

    if colour == "asyncio":
        return asyncio.run(main())
    with (
        library.Client(http1=False, http2=True) as client,
        Pipeline(**options, client=client) as line,
    ):
        try:
            if not streamed:
                return line.send("Hi")
            with line.stream("Hi") as stream:
                return stream.reply
        except HooklineError as error:
            return error


def test_it_is_spoken(library: Any, colour: str, streamed: bool) -> None:
    with serving(good) as server:
        assert take(library, colour, server, streamed=streamed).text == "Hello!"
        assert server.requests == 1


@pytest.mark.parametrize("reached", [False, True], ids=["F18", "F19"])
def test_f18_f19_a_connection_that_is_going_away_is_left(
    library: Any, colour: str, streamed: bool, reached: bool
) -> None:
    """F18 is safe to send again; F19 is not certain, and sent again as far as rule R allows."""

    def go_away(h2: H2Connection, stream: int, events: bool) -> bool:
        h2.close_connection(last_stream_id=stream if reached else 0)
        return True

    with serving(go_away, good) as server:
        assert take(library, colour, server, streamed=streamed).text == "Hello!"
        assert (server.requests, server.connections) == (2, 2)
    with serving(go_away) as server:
        error = take(library, colour, server, streamed=streamed)
    assert isinstance(error, TransportError)
    assert error.retryable
    assert len(error.attempts) == 3


def test_f20_a_refused_stream_is_sent_again(library: Any, colour: str, streamed: bool) -> None:
    def refuse(h2: H2Connection, stream: int, events: bool) -> None:
        h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)

    with serving(refuse, good) as server:
        assert take(library, colour, server, streamed=streamed).text == "Hello!"
        assert server.requests == 2


def test_f20_a_stream_that_is_reset_later_is_a_break(library: Any, colour: str) -> None:
    start, block, delta, *_ = stream_parts(stream_events("Hel", "lo!"))

    def cut(h2: H2Connection, stream: int, events: bool) -> None:
        begin(h2, stream, events)
        h2.send_data(stream, start + block + delta)
        h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)

    with serving(cut) as server:
        error = take(library, colour, server, streamed=True)
    assert isinstance(error, StreamInterrupted | TransportError), error
    if isinstance(
        error, StreamInterrupted
    ):  # the frames may be read at once, and then nothing was shown
        assert error.partial is not None
        assert error.partial.text == "Hel"


def test_f21_fewer_streams_at_once_mean_waiting(library: Any) -> None:
    def narrow(h2: H2Connection, stream: int, events: bool) -> None:
        h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        good(h2, stream, events)

    async def main(url: str) -> list[str]:
        async with (
            library.AsyncClient(
                http1=False, http2=True, limits=library.Limits(max_connections=1)
            ) as client,
            AsyncPipeline(base_url=url, api_key="k", client=client, config=PATIENT) as line,
        ):
            first = (await line.send("Hi")).text
            replies = await asyncio.gather(*[line.send("Hi") for _ in range(10)])
            return [first, *(reply.text for reply in replies)]

    with serving(narrow, good) as server:
        assert asyncio.run(main(server.url)) == ["Hello!"] * 11


def test_f22_a_connection_that_falls_silent_meets_the_idle_timeout(
    library: Any, colour: str, streamed: bool
) -> None:
    def nothing(h2: H2Connection, stream: int, events: bool) -> None: ...

    limit: dict[str, float] = (
        {"read_timeout": 0.1} if streamed else {"timeout": 0.3}
    )  # a plain answer is silent
    with serving(nothing) as server:
        error = take(library, colour, server, streamed=streamed, **limit)
    assert isinstance(error, ReadTimeout if streamed else DeadlineExceeded)
