"""One small call after another, and many at once: Hookline against bare HTTP libraries and the SDK."""

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator
from time import perf_counter, process_time
from typing import Any

from benchmarks import interleaved, row
from benchmarks.stub_server import stub_server

_CALLS = 300
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
        client = module.Client()

        def bare(client: Any = client) -> Any:
            return client.post(f"{base_url}/v1/messages", json=_BODY, headers=_HEADERS).json()

        line = Pipeline(
            base_url=base_url,
            api_key="none",
            client=module.Client(),
            model="claude-haiku-4-5",
            max_tokens=64,
        )

        def ours(line: Any = line) -> Any:
            return line.send("Hello, Claude").text

        subjects[module.__name__] = _cpu(bare)
        subjects[f"hookline on {module.__name__}"] = _cpu(ours)
    sdk = anthropic.Anthropic(base_url=base_url, api_key="none")

    def official() -> Any:
        return sdk.messages.create(**_BODY).content[0].text  # type: ignore[call-overload]

    subjects["anthropic SDK"] = _cpu(official)
    return subjects


async def _many(call: Callable[[], Any], workers: int, calls: int) -> float:
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    began = perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return calls / (perf_counter() - began)


def _in_flight(base_url: str) -> dict[str, float]:
    from hookline import AsyncPipeline

    async def main(http_library: str) -> float:
        async with AsyncPipeline(
            base_url=base_url,
            api_key="none",
            http=http_library,
            model="claude-haiku-4-5",
            max_tokens=64,
        ) as line:
            await _many(lambda: line.send("Hello, Claude"), 64, 500)
            return await _many(
                lambda: line.send("Hello, Claude"), 64, 3000 if http_library == "aiohttp" else 1000
            )

    return {name: asyncio.run(main(name)) for name in ("httpx", "httpx2", "aiohttp")}


def report(rounds: int = 7) -> Iterator[str]:
    """Yield the report's lines."""
    with stub_server() as base_url:
        found = interleaved(_sync_calls(base_url), rounds)
        for library in ("httpx", "httpx2"):
            ours = found[f"hookline on {library}"]
            yield from row(
                f"one small call, CPU, on {library}",
                ours,
                f"bare {library}",
                found[library],
                "at most 1.15",
            )
            yield from row(
                f"one small call, CPU, on {library}",
                ours,
                "anthropic SDK",
                found["anthropic SDK"],
                "at most 0.6",
            )
        for name, rate in _in_flight(base_url).items():
            yield f"64 in flight, standard plugins, {name:<10} {rate:>10,.0f} calls a second"
