"""One turn against a server that misbehaves, in every colour, with every HTTP library."""

import asyncio
import importlib
import ssl
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Final

import pytest
import trio
from anyio.lowlevel import checkpoint
from attrs import define, field, frozen

from hookline import AsyncPipeline, HooklineError, Pipeline, hookimpl
from hookline._io import drive
from hookline.testing import (
    FaultServer,
    busy_connections,
    fake_time,
    json_answer,
    message,
    no_leaks,
    stream_answer,
)

MODEL: Final = "claude-haiku-4-5"
WAYS: Final = (
    ("sync", "httpcore2"),
    ("sync", "httpx.Client"),
    ("asyncio", "httpcore2"),
    ("asyncio", "httpx2.AsyncClient"),
    ("asyncio", "aiohttp"),
    ("trio", "httpcore2"),
)


@define
class Witness:
    """Sees how turns end."""

    name = "witness"
    role = "observer"
    turns: list[Any] = field(factory=list)
    attempts: list[Any] = field(factory=list)
    at_attempt: Callable[[int], None] = lambda number: None

    @hookimpl
    def on_attempt(self, attempt: Any) -> None:
        self.attempts.append(attempt)
        self.at_attempt(len(self.attempts))

    @hookimpl
    def on_turn_end(self, turn: Any, reply: Any, error: Any) -> None:
        self.turns.append((turn, reply, error))


@frozen
class Outcome:
    """What came of a turn.

    Attributes:
        reply: of a turn that worked.
        error: of one that did not.
        seen: the text that the caller of a stream had got.
        waits: the fake seconds of each wait.
        attempts: the records of all attempts.
        seconds: how long it took, on the real clock.
        server: stopped by now.

    """

    reply: Any
    error: Any
    seen: str
    waits: list[float]
    attempts: list[Any]
    seconds: float
    server: Any

    @property
    def text(self) -> str:
        assert self.error is None, self.error
        return str(self.reply.text)


@frozen
class Way:
    """A colour, an HTTP library, and whether turns are streamed."""

    colour: str
    http: str
    streamed: bool

    @property
    def good(self) -> bytes:
        """An answer of the right kind, saying "Hello!"."""
        return stream_answer("Hel", "lo!") if self.streamed else json_answer(message("Hello!"))

    def connected(self, ca_bundle: str | None = None) -> tuple[dict[str, Any], Any]:
        """Return what a pipeline is told of its HTTP library, and the client to be closed after it."""
        library, _, kind = self.http.partition(".")
        if not kind:
            return {"http": self.http, **({"ca_bundle": ca_bundle} if ca_bundle else {})}, None
        verify = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True
        client = getattr(importlib.import_module(library), kind)(verify=verify)
        return {"client": client}, client

    def meet(
        self,
        *scripts: Any,
        prompt: str = "Hi",
        asked: Mapping[str, Any] | None = None,
        server: Mapping[str, Any] | None = None,
        at_attempt: Callable[[Any], Callable[[int], None]] | None = None,
        real_time: bool = False,
        **options: Any,
    ) -> Outcome:
        """Take one turn against a server with these scripts, and look for what is left behind."""
        with no_leaks(), FaultServer(*(scripts or (b"",)), **(server or {})) as running:
            witness = Witness()
            if at_attempt is not None:
                witness.at_attempt = at_attempt(running)
            options = {
                "base_url": running.url,
                "api_key": "canary-key",
                "model": MODEL,
                "config": {"plugins": {"enable": ["retry"]}},
                **options,
                "plugins": [witness, *options.get("plugins", ())],
            }
            main = self._blocking if self.colour == "sync" else self._concurrent
            coroutine = main(options, prompt, dict(asked or {}), real_time=real_time)
            reply, error, seen, waits, seconds = self.run(coroutine)
        assert len(witness.turns) == 1, "on_turn_end runs once"
        assert (witness.turns[0][2] is None) == (error is None)
        assert error is None or isinstance(error, HooklineError), repr(error)
        assert "canary-key" not in f"{error} {error!r}"
        return Outcome(reply, error, seen, waits, witness.attempts, seconds, running)

    def run(self, coroutine: Any) -> Any:
        if self.colour == "sync":
            return drive(coroutine)
        if self.colour == "asyncio":
            return asyncio.run(coroutine)

        async def main() -> Any:
            return await coroutine

        with warnings.catch_warnings():
            # The HTTP libraries leave their own generators to the garbage collector.
            warnings.filterwarnings("ignore", "Async generator '(httpx|httpcore)", ResourceWarning)
            return trio.run(main)

    async def _blocking(self, options: Any, prompt: str, asked: Any, *, real_time: bool) -> Any:
        reply = error = None
        pieces: list[str] = []
        own, client = self.connected(options.pop("ca_bundle", None))
        with client or nullcontext(), Pipeline(**own, **options) as line:
            real = line._io
            with fake_time(line) as clock:
                if real_time:
                    line._io = real
                began = _now()
                try:
                    if self.streamed:
                        with line.stream(prompt, **asked) as stream:
                            pieces.extend(stream.text)
                            reply = stream.reply
                    else:
                        reply = line.send(prompt, **asked)
                except HooklineError as problem:
                    error = problem
                seconds = _now() - began
            # A look-up that hangs keeps its place in a client that is not ours.
            end = _now() + (1 if client else 0)
            while busy_connections(line) and _now() < end:
                time.sleep(0.01)  # noqa: ASYNC251 -- blocking is what this colour is
            assert busy_connections(line) == 0
        return reply, error, "".join(pieces), clock.waits, seconds

    async def _concurrent(self, options: Any, prompt: str, asked: Any, *, real_time: bool) -> Any:
        reply = error = None
        pieces: list[str] = []
        own, client = self.connected(options.pop("ca_bundle", None))
        async with client or nullcontext(), AsyncPipeline(**own, **options) as line:
            real = line._io
            with fake_time(line) as clock:
                if real_time:
                    line._io = real
                began = _now()
                try:
                    if self.streamed:
                        async with line.stream(prompt, **asked) as stream:
                            async for piece in stream.text:
                                pieces.append(piece)
                            reply = await stream.reply
                    else:
                        reply = await line.send(prompt, **asked)
                except HooklineError as problem:
                    error = problem
                seconds = _now() - began
            for _ in range(20):  # aiohttp gives a connection back when the writer of it has ended
                if busy_connections(line):
                    await checkpoint()
            assert busy_connections(line) == 0
        if self.colour == "asyncio":
            for _ in range(50):  # httpx leaves its generators to the loop, which closes them soon
                if asyncio.all_tasks() == {asyncio.current_task()}:
                    break
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return reply, error, "".join(pieces), clock.waits, seconds


def _now() -> float:
    return time.perf_counter()


# For rows with many cases, where the library makes no difference.
_FEW: Final = (("sync", "httpcore2"), ("asyncio", "httpcore2"))
_PLAIN: Final = (False,)
_STREAMED: Final = (True,)


def _ways(streamed: tuple[bool, ...], ways: Any = WAYS) -> list[Any]:
    return [
        pytest.param(Way(colour, http, each), id=f"{colour}-{http}-{'stream' if each else 'plain'}")
        for each in streamed
        for colour, http in ways
    ]


@pytest.fixture(params=_ways(_PLAIN + _STREAMED))
def way(request: pytest.FixtureRequest) -> Way:
    """Take each way, plain and streamed."""
    return request.param  # type: ignore[no-any-return]  # pytest does not know


@pytest.fixture(params=_ways(_PLAIN))
def plain(request: pytest.FixtureRequest) -> Way:
    """Take each way, plain only."""
    return request.param  # type: ignore[no-any-return]  # pytest does not know


@pytest.fixture(params=_ways(_STREAMED))
def stream(request: pytest.FixtureRequest) -> Way:
    """Take each way, streamed only."""
    return request.param  # type: ignore[no-any-return]  # pytest does not know


@pytest.fixture(params=_ways(_PLAIN + _STREAMED, _FEW))
def few(request: pytest.FixtureRequest) -> Way:
    """Take two ways, for rows with many cases."""
    return request.param  # type: ignore[no-any-return]  # pytest does not know


@pytest.fixture(params=_ways(_PLAIN, _FEW))
def few_plain(request: pytest.FixtureRequest) -> Way:
    """Take two ways, for rows with many cases."""
    return request.param  # type: ignore[no-any-return]  # pytest does not know


@pytest.fixture(params=_ways(_STREAMED, _FEW))
def few_streams(request: pytest.FixtureRequest) -> Way:
    """Take two ways, for rows with many cases."""
    return request.param  # type: ignore[no-any-return]  # pytest does not know
