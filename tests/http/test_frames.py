"""No key in the local variables of a traceback, wherever an exchange breaks, on every library.

Sentry by default, rich with ``show_locals`` and pytest with ``-l`` show them to whoever reads along.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import aiohttp
import anyio
import httpx
import httpx2
import pytest

from hookline import AsyncPipeline, HooklineError, Pipeline
from hookline.testing import (
    Close,
    Delay,
    FaultServer,
    NeverRead,
    Reset,
    Send,
    Stall,
    stream_events,
    stream_head,
    stream_parts,
)
from support.frames import chain, shown_variables

# httpx leaves the generator of a request's body to the collector, which trio tells.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx|httpcore):ResourceWarning")

# As long as real ones, and not one constant, which a traceback would show as source code.
KEY = "sk-ant-" + "CANARY" + 100 * "k"
ELSE = "x" + "-CANARY" + 100 * "h"

WAYS: dict[str, tuple[str, Any]] = {
    "sync": ("sync", "auto"),
    "sync-httpx": ("sync", httpx.Client),
    "sync-httpx2": ("sync", httpx2.Client),
    "asyncio-httpcore2": ("asyncio", "httpcore2"),
    "asyncio-aiohttp": ("asyncio", "aiohttp"),
    "asyncio-session": ("asyncio", aiohttp.ClientSession),
    "asyncio-httpx": ("asyncio", httpx.AsyncClient),
    "asyncio-httpx2": ("asyncio", httpx2.AsyncClient),
    "trio": ("trio", "auto"),
    "trio-httpx": ("trio", httpx.AsyncClient),
    "trio-httpx2": ("trio", httpx2.AsyncClient),
}

_JSON = b"content-type: application/json\r\n"
_HALF = _JSON + b'content-length: 5000\r\n\r\n{"a":'
_OK, _BAD = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 500 Oh\r\n"
_HEL = stream_head() + b"".join(stream_parts(stream_events("Hel", end=False)))
BODIES: dict[str, tuple[Any, ...]] = {
    "cut": (Send(_OK + _HALF), Close()),
    "reset": (Send(_OK + _HALF), Delay(0.02), Reset()),
    "silent": (Send(_OK + _HALF), Stall()),
    "bad chunk": (
        Send(_OK + _JSON + b'transfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\nzzz\r\n'),
        Close(),
    ),
    "bad gzip": (
        Send(_OK + _JSON + b"content-encoding: gzip\r\ncontent-length: 9\r\n\r\n123456789"),
    ),
    "an error, cut": (Send(_BAD + _HALF), Close()),
    "an error, silent": (Send(_BAD + _HALF), Stall()),
}
STREAMS: dict[str, tuple[Any, ...]] = {
    "cut": (Send(_HEL), Close()),
    "reset": (Send(_HEL), Delay(0.02), Reset()),
    "silent": (Send(_HEL), Stall()),
}


async def _streamed(line: Any) -> None:
    stream = line.stream("Hello")
    if isinstance(line, Pipeline):
        with stream:
            list(stream.text)
    else:
        async with stream:
            async for _ in stream.text:
                pass


async def _results(line: Any) -> None:
    found = line.batches.results("msgbatch_a")
    if isinstance(line, Pipeline):
        list(found)
    else:
        async for _ in found:
            pass


CALLS: dict[str, Callable[[Any], Any]] = {
    "send": lambda line: line.send("Hello"),
    "stream": _streamed,
    "count_tokens": lambda line: line.count_tokens("Hello"),
    "batches.create": lambda line: line.batches.create(["Hello"]),
    "batches.results": _results,
    "files.list": lambda line: line.files.list(),
    "files.upload": lambda line: line.files.upload(b"ants", filename="ants.txt"),
    "files.content": lambda line: line.files.content("file_a"),
}


def broken(way: str, server: FaultServer, call: Callable[[Any], Any], **more: Any) -> BaseException:
    """Return the error of a call."""
    colour, library = WAYS[way]
    options: dict[str, Any] = {
        "base_url": server.url,
        "model": "claude-haiku-4-5",
        "api_key": KEY,
        "headers": {"x-gateway": ELSE},
        "timeout": 0.15,
        "config": {"plugins": {"disable": ["retry"]}},
        **more,
    }
    given = isinstance(library, str)

    def taken(client: Any) -> dict[str, Any]:
        return {"http": library} if given else {"client": client}

    async def finished(result: Any) -> None:
        if isinstance(result, Awaitable):
            await result

    async def main() -> None:
        async with (
            nullcontext() if given else library() as client,
            AsyncPipeline(**options, **taken(client)) as line,
        ):
            await finished(call(line))

    with pytest.raises((HooklineError, TimeoutError)) as caught:
        if colour != "sync":
            anyio.run(main, backend=colour)
        else:
            with (
                nullcontext() if given else library() as client,
                Pipeline(**options, **taken(client)) as line,
            ):
                asyncio.run(finished(call(line)))
    return caught.value


def leaks(error: BaseException) -> Iterator[str]:
    for each in chain(error):
        yield from (text for text in (repr(each), repr(vars(each)), repr(each.args)) if _told(text))
    yield from filter(_told, shown_variables(error, but=__file__))


def _told(text: str) -> bool:
    return "CANARY" in text


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("fault", BODIES)
def test_where_a_body_breaks_off(way: str, fault: str) -> None:
    for name, call in CALLS.items():
        with FaultServer(*[BODIES[fault]] * 3) as server:
            error = broken(way, server, call)
        assert any("hookline" in line for line in shown_variables(error, but=__file__))
        assert [*leaks(error)] == [], name


@pytest.mark.parametrize("fault", STREAMS)
def test_where_a_stream_breaks_off(way: str, fault: str) -> None:
    for name in ("send", "stream"):  # a plain call may be a stream on the wire
        with FaultServer(STREAMS[fault]) as server:
            error = broken(way, server, CALLS[name], always_stream=True)
        assert [*leaks(error)] == [], name


def test_where_a_request_is_not_taken(way: str) -> None:
    with FaultServer((NeverRead(), Stall())) as server:
        error = broken(way, server, lambda line: line.send("Hello " * 3_000_000), timeout=3, write_timeout=0.1)  # fmt: skip
    assert [*leaks(error)] == []


@pytest.mark.parametrize("fault", [(Stall(),), BODIES["silent"], STREAMS["silent"]])
def test_where_the_caller_gives_up(way: str, fault: tuple[Any, ...]) -> None:
    if WAYS[way][0] == "sync":
        return  # nobody can cancel it

    async def given_up(line: Any) -> None:
        with anyio.fail_after(0.1):
            await line.send("Hello")

    with FaultServer(fault) as server:
        error = broken(way, server, given_up, timeout=5)
    assert isinstance(error, TimeoutError)
    assert [*leaks(error)] == []


def test_the_password_of_a_proxy_is_in_none(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(WAYS[way][1], str):
        return  # a client that is handed in has its own
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://me:{ELSE}@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    secret = base64.b64encode(f"me:{ELSE}".encode()).decode()[8:40]
    with FaultServer(*[BODIES["cut"]] * 2) as server:
        error = broken(way, server, CALLS["send"], base_url="http://api.example")
        assert not server.requests
    assert [*leaks(error)] == []
    assert [line for line in shown_variables(error, but=__file__) if secret in line] == []
