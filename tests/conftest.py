"""What many tests need: a clean environment, pipelines of every colour, servers to talk to."""

import asyncio
import json
import os
import socket
import struct
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import pytest
import trio
from attrs import define, field, frozen

from hookline import AsyncPipeline, Pipeline
from hookline._io import drive
from hookline._journey.discovery import installed
from hookline.simulator import Answer, Call, Rule, Scenario, Simulator

COLOURS: Final = ("sync", "asyncio", "trio")
MODEL: Final = "claude-haiku-4-5"

# Tests count what is sent and want failures at once; test_retry enables the plugin on purpose.
_NO_RETRIES: Final = {
    "plugins": {"disable": [each.name for each in installed() if each.name == "retry"]}
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, address or option of the machine, and no ``hookline.toml`` that lies about."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "HOOKLINE_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


# Pipelines of every colour ------------------------------------------------------------------------


class _SyncStream:
    """A ``Stream`` behind the names of an ``AsyncStream``."""

    def __init__(self, stream: Any) -> None:
        self.inner = stream

    async def __aenter__(self) -> Self:
        self.inner.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:  # noqa: PYI036 -- handed on
        self.inner.__exit__(*error)

    @property
    async def text(self) -> AsyncIterator[str]:
        for piece in self.inner.text:
            yield piece

    @property
    async def events(self) -> AsyncIterator[Any]:
        for event in self.inner.events:
            yield event

    @property
    async def reply(self) -> Any:
        return self.inner.reply

    async def close(self) -> None:
        self.inner.close()


class _SyncFace:
    """A ``Pipeline`` or ``Conversation`` behind the names of its async twin."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def send(self, *given: Any, **options: Any) -> Any:
        return self.inner.send(*given, **options)

    async def count_tokens(self, *given: Any, **options: Any) -> Any:
        return self.inner.count_tokens(*given, **options)

    async def explain(self, *given: Any, **options: Any) -> Any:
        return self.inner.explain(*given, **options)

    def stream(self, *given: Any, **options: Any) -> _SyncStream:
        return _SyncStream(self.inner.stream(*given, **options))

    def conversation(self, **options: Any) -> "_SyncFace":
        return _SyncFace(self.inner.conversation(**options))

    def __len__(self) -> int:
        return len(self.inner)


@frozen
class Runner:
    """Runs one test body, written once as ``async def body(line)``, in one colour."""

    colour: str

    @asynccontextmanager
    async def line(self, **options: Any) -> AsyncIterator[Any]:
        options = {"base_url": "sim:", "model": MODEL, "config": _NO_RETRIES, **options}
        if self.colour == "sync":
            with Pipeline(**options) as line:
                yield _SyncFace(line)
        else:
            async with AsyncPipeline(**options) as aline:
                yield aline

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        if self.colour == "sync":
            return drive(function())
        if self.colour == "asyncio":
            return asyncio.run(function())  # type: ignore[arg-type]  # always a coroutine
        with warnings.catch_warnings():
            # The HTTP libraries leave their own generators to the garbage collector.
            warnings.filterwarnings("ignore", "Async generator '(httpx|httpcore)", ResourceWarning)
            warnings.filterwarnings("ignore", "Async generator '.*SimulatorStream", ResourceWarning)
            return trio.run(function)

    def __call__(self, body: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
        async def main() -> Any:
            async with self.line(**options) as line:
                return await body(line)

        return self.run(main)

    def send(self, message: Any = "Hello", *, line: Mapping[str, Any], **options: Any) -> Any:
        """Send one message through a pipeline made with the options ``line``."""
        return self(lambda pipeline: pipeline.send(message, **options), **line)

    def stream(
        self, message: Any = "Hello", *, line: Mapping[str, Any], **options: Any
    ) -> tuple[str, Any]:
        """Stream one message; return the pieces of text joined, and the reply."""

        async def body(pipeline: Any) -> tuple[str, Any]:
            async with pipeline.stream(message, **options) as stream:
                pieces = [piece async for piece in stream.text]
                return "".join(pieces), await stream.reply

        result: tuple[str, Any] = self(body, **line)
        return result

    def outcome(self, streamed: bool, message: Any = "Hello", **given: Any) -> Any:
        """Return the reply of a plain or a streamed turn."""
        if streamed:
            return self.stream(message, **given)[1]
        return self.send(message, **given)


@pytest.fixture(params=COLOURS)
def run(request: pytest.FixtureRequest) -> Runner:
    """Run a body in each colour: sync, asyncio, trio."""
    return Runner(request.param)


@pytest.fixture
def blocking() -> Runner:
    """Run a body in a ``Pipeline`` alone."""
    return Runner("sync")


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def streamed(request: pytest.FixtureRequest) -> bool:
    """Say whether the turn is streamed."""
    return bool(request.param)


# The simulator, counting --------------------------------------------------------------------------


class Recorder(Simulator):
    """A simulator that keeps what it was asked."""

    def __init__(self, *rules: Rule, **options: Any) -> None:
        super().__init__(Scenario.of(*rules), **options)
        self.calls: list[Call] = []

    def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        return super().handle(call)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(call.body) for call in self.calls]


@pytest.fixture
def sim() -> Callable[..., Recorder]:
    """Make recording simulators: ``sim(Rule(…), …)``."""
    return Recorder


# A server that answers with the bytes it is told --------------------------------------------------


@frozen
class Received:
    """One HTTP request as it came over the socket."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@frozen
class Reset:
    """Break the connection with a TCP reset."""


@frozen
class Wait:
    """Say nothing until the test is over."""


Part = bytes | Reset | Wait


@define(eq=False)
class Loopback:
    """A server on the loopback interface; ``answer(request)`` gives the parts to send.

    It closes every connection after its answer.
    """

    answer: Callable[[Received], Any]
    requests: list[Received] = field(factory=list)
    port: int = 0
    _over: threading.Event = field(factory=threading.Event)
    _socket: Any = None
    _threads: list[threading.Thread] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def line(self) -> dict[str, Any]:
        """Options of a pipeline that talks to it."""
        return {"base_url": self.url, "api_key": "test-key", "model": MODEL}

    def stop(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, function: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                connection, _ = self._socket.accept()
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = _read_request(connection)
            if request is None:
                return
            self.requests.append(request)
            answer = self.answer(request)
            for part in (answer,) if isinstance(answer, bytes) else answer:
                if isinstance(part, Wait):
                    self._over.wait(30)
                elif isinstance(part, Reset):
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                else:
                    connection.sendall(part)


def _read_request(connection: socket.socket) -> Received | None:
    with connection.makefile("rb") as reader:
        first = reader.readline().decode("latin-1").split()
        if len(first) < 2:
            return None
        headers: dict[str, str] = {}
        while line := reader.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", "0")))
        return Received(first[0], first[1], headers, body)


@pytest.fixture
def loopback() -> Iterator[Callable[[Callable[[Received], Any]], Loopback]]:
    """Start servers: ``loopback(lambda request: http(200, …))``."""
    servers: list[Loopback] = []

    def start(answer: Callable[[Received], Any]) -> Loopback:
        servers.append(Loopback(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def _http(
    status: int = 200,
    body: Any = b"",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    lines = {
        "content-type": kind,
        "content-length": str(len(content) if length is None else length),
        "connection": "close",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Some Reason\r\n{head}\r\n".encode() + content


@pytest.fixture
def http() -> Callable[..., bytes]:
    """Write an HTTP answer: ``http(200, {…})``."""
    return _http


def _message(text: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 5},
        **fields,
    }


@pytest.fixture
def message() -> Callable[..., dict[str, Any]]:
    """Write a whole reply of the API as JSON: ``message("text")``."""
    return _message


def _sse(*events: Mapping[str, Any]) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


@pytest.fixture
def sse() -> Callable[..., bytes]:
    """Write server-sent events: ``sse({"type": …}, …)``."""
    return _sse


SSE_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def _deltas(*pieces: str, end: bool = True) -> list[dict[str, Any]]:
    begin = _message("", content=[], stop_reason=None)
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begin},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": piece},
            }
            for piece in pieces
        ),
    ]
    if end:
        events += [
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": len(pieces)},
            },
            {"type": "message_stop"},
        ]
    return events


@pytest.fixture
def deltas() -> Callable[..., list[dict[str, Any]]]:
    """Write the events of a streamed text: ``deltas("Hel", "lo", end=True)``."""
    return _deltas


@pytest.fixture
def sse_head() -> bytes:
    """The head of a streamed answer; the end of the connection ends the body."""
    return SSE_HEAD


@pytest.fixture
def reset() -> Reset:
    """A part of a loopback answer that resets the connection."""
    return Reset()


@pytest.fixture
def wait() -> Wait:
    """A part of a loopback answer that says nothing until the test is over."""
    return Wait()


# Log lines ----------------------------------------------------------------------------------------


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """The loguru records of Hookline and its plugins, all levels, while the test runs."""
    from loguru import logger

    records: list[Any] = []
    handler = logger.add(lambda message: records.append(message.record), level=0)
    logger.enable("hookline")
    logger.enable("hookline_plugins")
    yield records
    logger.disable("hookline")
    logger.disable("hookline_plugins")
    logger.remove(handler)
