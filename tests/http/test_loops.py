"""One AsyncPipeline in several event loops, and transports that have been closed."""

import asyncio
import gc
import threading
import warnings
from typing import Any

import pytest
import trio

from hookline import AsyncPipeline, ConfigError, InputError, Pipeline, TransportError
from hookline._http.homes import MOST_POOLS, Pools, home_of_process
from hookline.testing import Delay, FaultServer, json_answer, message, no_leaks

NO_RETRIES: dict[str, Any] = {"plugins": {"enable": ["history"]}}
ANSWER = (Delay(0.002), json_answer(message("Hello!")))
LIBRARIES = ["auto", "httpcore2", "aiohttp"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_two_loops_at_once_have_connections_of_their_own(library: str) -> None:
    """F78: a session of aiohttp that is taken from another loop hangs, or breaks both."""
    ready = threading.Barrier(2)

    async def work(line: AsyncPipeline) -> list[str]:
        ready.wait(10)
        return [(await line.send("Hi")).text for _ in range(20)]

    with no_leaks(), FaultServer(ANSWER) as server:
        line = AsyncPipeline(base_url=server.url, api_key="k", http=library, config=NO_RETRIES)
        said: list[str] = []

        async def main() -> None:
            said.extend(await work(line))
            over.wait(10)  # so that the other loop still runs when everything is closed
            await line.close()

        async def other() -> None:
            said.extend(await work(line))
            over.set()
            while not closed.is_set():  # noqa: ASYNC110 -- the event is another thread's
                await asyncio.sleep(0.001)

        over, closed = threading.Event(), threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(other()))
        thread.start()
        asyncio.run(main())
        closed.set()
        thread.join(10)
        assert said == ["Hello!"] * 40
        assert server.accepted == 2, "each loop keeps its connection"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_loop_that_has_ended_leaves_its_place_to_the_next(library: str) -> None:
    with FaultServer(ANSWER) as server:
        line = AsyncPipeline(base_url=server.url, api_key="k", http=library, config=NO_RETRIES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # nobody closed the loops' sockets
            for _ in range(3):
                assert asyncio.run(line.send("Hi")).text == "Hello!"
                gc.collect()
            asyncio.run(line.close())
            gc.collect()


def test_auto_takes_the_fastest_of_each_loop() -> None:
    with no_leaks(), FaultServer(ANSWER) as server:

        async def engine() -> str:
            async with AsyncPipeline(base_url=server.url, api_key="k", config=NO_RETRIES) as line:
                assert (await line.send("Hi")).text == "Hello!"
                transport: Any = line._upstreams.transports[0]
                (made,) = transport._made.values()
                return type(made).__name__

        assert asyncio.run(engine()) == "AiohttpHTTP"
        assert trio.run(engine) == "AsyncPool"


def test_auto_leaves_socks_to_httpcore2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")

    async def main() -> str:
        async with AsyncPipeline(
            base_url="http://api.example", api_key="k", config=NO_RETRIES
        ) as line:
            with pytest.raises(TransportError):
                await line.send("Hi")
            transport: Any = line._upstreams.transports[0]
            (made,) = transport._made.values()
            return type(made).__name__

    assert asyncio.run(main()) == "AsyncPool"


def test_a_session_that_was_handed_in_stays_in_its_loop() -> None:
    import aiohttp

    with no_leaks(), FaultServer(ANSWER) as server:
        made: list[Any] = []

        async def first() -> None:
            made.append(aiohttp.ClientSession())
            made.append(
                AsyncPipeline(base_url=server.url, api_key="k", client=made[0], config=NO_RETRIES)
            )
            assert (await made[1].send("Hi")).text == "Hello!"
            await made[0].close()

        async def second() -> None:
            with pytest.raises(ConfigError, match="another event loop"):
                await made[1].send("Hi")

        asyncio.run(first())
        asyncio.run(second())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_closed_pipeline_says_so_when_it_is_used(library: str) -> None:
    async def main() -> None:
        async with AsyncPipeline(base_url="http://127.0.0.1:9", api_key="k", http=library) as line:
            pass
        with pytest.raises(InputError, match="is closed"):
            await line.send("Hi")

    asyncio.run(main())
    if library != "aiohttp":
        with Pipeline(base_url="http://127.0.0.1:9", api_key="k", http=library) as line:
            pass
        with pytest.raises(InputError, match="is closed"):
            line.send("Hi")


@pytest.mark.parametrize("library", LIBRARIES)
def test_one_transport_serves_many_addresses(library: str) -> None:
    from hookline._http.transport import Outgoing

    async def main(*urls: str) -> None:
        line = AsyncPipeline(base_url=urls[0], api_key="k", http=library, config=NO_RETRIES)
        for _ in range(3):
            for url in urls:
                outgoing = Outgoing("GET", f"{url}/v1/x", {"x-api-key": url})
                answer = await line._upstreams.transports[0].open(outgoing)
                assert answer.status == 200
                async for _chunk in answer.chunks():
                    pass
                await answer.aclose()
        await line.close()

    with no_leaks(), FaultServer(ANSWER) as one, FaultServer(ANSWER) as two:
        asyncio.run(main(one.url, two.url))
        for server in (one, two):
            assert server.accepted == 1
            assert {each.headers["x-api-key"] for each in server.requests} == {server.url}


def test_the_number_of_pools_is_bounded_and_none_in_use_goes() -> None:
    busy = {0, 1}
    pools: Pools[int] = Pools(lambda pool: pool in busy)
    home = home_of_process()
    closed: list[int] = []
    for number in range(MOST_POOLS + 3):
        found, surplus = pools.get(home, f"http://{number}.test", lambda number=number: number)  # type: ignore[misc]  # mypy infers no defaults
        assert found == number
        closed += surplus
    assert closed == [2, 3, 4]
    assert len(list(pools)) == MOST_POOLS
    assert pools.get(home, "http://0.test", lambda: -1) == (0, [])
