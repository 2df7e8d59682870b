"""One small call after another, and many at once: Hookline against bare HTTP libraries and the SDK."""

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter, process_time
from typing import Any

from benchmarks import interleaved, row
from benchmarks.stub_server import stub_server

_CALLS = 300
_IN_FLIGHT = 64
_LINE: dict[str, Any] = {"api_key": "none", "model": "claude-haiku-4-5", "max_tokens": 64}
_BODY = {
    "model": "claude-haiku-4-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello, Claude"}],
}
_HEADERS = {
    "x-api-key": "none",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
}


def _cpu(call: Callable[[], Any]) -> Callable[[], float]:
    def measure() -> float:
        began = process_time()
        for _ in range(_CALLS):
            call()
        return (process_time() - began) / _CALLS

    return measure


def _sync_calls(base_url: str) -> dict[str, Callable[[], float]]:
    import anthropic
    import httpx
    import httpx2

    from hookline import Pipeline

    subjects: dict[str, Callable[[], float]] = {}
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"))

    def raw() -> Any:
        connection.request("POST", "/v1/messages", json.dumps(_BODY), _HEADERS)
        return json.loads(connection.getresponse().read())

    subjects["http.client"] = _cpu(raw)
    for module in (httpx, httpx2):
        name = module.__name__
        bare = partial(
            module.Client().post, f"{base_url}/v1/messages", json=_BODY, headers=_HEADERS
        )
        subjects[f"bare {name}"] = _cpu(lambda bare=bare: bare().json())  # type: ignore[misc]  # mypy infers no defaults
        given = Pipeline(base_url=base_url, client=module.Client(), **_LINE)
        subjects[f"given {name}"] = _cpu(lambda line=given: line.send("Hello, Claude").text)  # type: ignore[misc]  # as above
    own = Pipeline(base_url=base_url, **_LINE)
    subjects["own"] = _cpu(lambda: own.send("Hello, Claude").text)
    sdk = anthropic.Anthropic(base_url=base_url, api_key="none")

    def official() -> Any:
        return sdk.messages.create(**_BODY).content[0].text  # type: ignore[call-overload]

    subjects["anthropic SDK"] = _cpu(official)
    return subjects


async def _many(call: Callable[[], Any], calls: int) -> float:
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    began = perf_counter()
    await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
    return (perf_counter() - began) / calls


def _in_flight(base_url: str) -> dict[str, Callable[[], float]]:
    from hookline import AsyncPipeline

    async def ours(library: str, calls: int) -> float:
        async with AsyncPipeline(base_url=base_url, http=library, **_LINE) as line:
            await _many(lambda: line.send("Hello, Claude"), 300)
            return await _many(lambda: line.send("Hello, Claude"), calls)

    async def bare(calls: int) -> float:
        import aiohttp

        async with aiohttp.ClientSession() as session:

            async def call() -> Any:
                url = f"{base_url}/v1/messages"
                async with session.post(url, json=_BODY, headers=_HEADERS) as answer:
                    return await answer.json()

            await _many(call, 300)
            return await _many(call, calls)

    return {
        "bare aiohttp": lambda: asyncio.run(bare(4000)),
        "aiohttp": lambda: asyncio.run(ours("aiohttp", 2500)),
        "httpcore2": lambda: asyncio.run(ours("httpcore2", 1000)),
    }


def report(rounds: int = 7) -> Iterator[str]:
    """Yield the report's lines."""
    with stub_server() as base_url:
        found = interleaved(_sync_calls(base_url), rounds)
        ours = found["own"]
        yield from row(
            "one small call, CPU", ours, "anthropic SDK", found["anthropic SDK"], "at most 0.6"
        )
        for library in ("httpx", "httpx2"):
            bare = found[f"bare {library}"]
            yield from row("one small call, CPU", ours, f"bare {library}", bare, "at most 1.15")
            given = found[f"given {library}"]
            what = f"one small call, CPU, client={library}.Client()"
            yield from row(what, given, f"bare {library}", bare, "none")
        yield from row(
            "  bare httpx2", found["bare httpx2"], "http.client", found["http.client"], "none"
        )
        rates = interleaved(_in_flight(base_url), 3)
        for library in ("aiohttp", "httpcore2"):
            aim = "at most 250 µs" if library == "aiohttp" else "none"
            what = f"a call, {_IN_FLIGHT} in flight, http={library!r}"
            yield from row(what, rates[library], "bare aiohttp", rates["bare aiohttp"], aim)
