"""httpx 0.28.1 loses pool slots to cancellation; ours does not, and a canary says when it is mended."""

import asyncio
import itertools
import random
import time
from typing import Any

import pytest

from hookline import AsyncPipeline
from hookline._http.pool_repair import Repair, pool_of
from hookline.testing import (
    Bandwidth,
    Close,
    Delay,
    FaultServer,
    Received,
    busy_connections,
    json_answer,
    message,
    no_leaks,
    stream_answer,
)

SLOTS = 10
WORKERS = 20
LIBRARIES = ["httpx", "httpx2"]
# One answer of five closes its connection without a word, far more than a retry budget is meant for.
PATIENT = {"attempts": 10, "base": 0.001, "quota": 1_000_000}


async def hammer(line: Any, seconds: float, seed: int) -> int:
    """Let workers send and stream for a while, cancelled at random; return what went through."""
    chance = random.Random(seed)  # noqa: S311 -- a test wants the same numbers every time
    end = time.monotonic() + seconds
    done = 0

    async def turn() -> None:
        nonlocal done
        if chance.random() < 0.5:
            await line.send("Hi")
        else:
            async with line.stream("Hi") as stream:
                async for _ in stream.text:
                    if chance.random() < 0.3:
                        break
        done += 1

    async def worker() -> None:
        while time.monotonic() < end:
            task = asyncio.create_task(turn())
            if chance.random() < 0.7:
                await asyncio.sleep(chance.random() * 0.02)
                task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    await asyncio.gather(*[worker() for _ in range(WORKERS)])
    return done


def survives(library: str, seconds: float) -> None:
    module = pytest.importorskip(library)
    whole = json_answer(message("Hello!"))
    streamed = stream_answer(*"Hello!")
    turns = itertools.count()

    def answer(request: Received) -> Any:
        """Answer at different speeds, and now and then close the connection after it."""
        number = next(turns)
        body = streamed if request.json.get("stream") else whole
        slow = (Delay(0.003), body) if number % 3 else (Bandwidth(body, 150_000),)
        return (*slow, Close()) if number % 5 == 0 else slow

    async def main(url: str) -> None:
        limits = module.Limits(max_connections=SLOTS)
        async with (
            module.AsyncClient(limits=limits) as client,
            AsyncPipeline(
                base_url=url,
                api_key="test",
                model="claude-haiku-4-5",
                client=client,
                config={"plugins": {"enable": ["history", "retry"], "retry": PATIENT}},
            ) as line,
        ):
            assert await hammer(line, seconds, seed=7) > 20 * seconds
            # As many at once as there are slots: none of them may be missing.
            replies = await asyncio.wait_for(
                asyncio.gather(*[line.send("Hi", timeout=10) for _ in range(SLOTS)]), 15
            )
            assert len(replies) == SLOTS
            assert busy_connections(line) == 0

    with no_leaks(), FaultServer(answer) as server:
        asyncio.run(main(server.url))


# anyio drops a socket that is connected at the very moment of a cancellation: seen once in many runs
# of a loaded machine. No slot goes with it, and the client is the user's here.
dropped = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(socket|function _SelectorTransport)"
    ":pytest.PytestUnraisableExceptionWarning"
)


@dropped
@pytest.mark.parametrize("library", LIBRARIES)
def test_no_slot_is_lost_to_cancellation(library: str) -> None:
    survives(library, 1.5)


@dropped
@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_no_slot_is_lost_to_cancellation_in_half_a_minute(library: str) -> None:
    survives(library, 30)


async def interrupt(client: Any, url: str, steps: int) -> None:
    """Send two requests over one connection, and cancel both after some steps of the loop."""
    tasks = [asyncio.create_task(client.get(url)) for _ in range(2)]
    for _ in range(steps):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def lost(pool: Any) -> int:
    return sum(
        not (each.is_idle() or each.is_closed() or each.is_available()) for each in pool.connections
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_canary_bare_httpx_loses_slots(library: str) -> None:
    module = pytest.importorskip(library)

    async def main(url: str) -> tuple[int, int, int]:
        async with module.AsyncClient(limits=module.Limits(max_connections=1)) as client:
            pool = pool_of(client, module.URL(url))
            for steps in range(300):
                await interrupt(client, url, steps % 60)
                if lost(pool):
                    break
            before = lost(pool)
            await Repair(pool).drop_orphans()
            after = lost(pool)
            status = (await client.get(url)).status_code
            return before, after, status

    closing = (json_answer(message("Hello!"), headers={"connection": "close"}), Close())
    with FaultServer(closing) as server:
        before, after, status = asyncio.run(main(server.url))
    assert (after, status) == (0, 200)
    if library == "httpx":
        assert before, "httpx loses no slot any more: remove hookline._http.pool_repair.Repair"
    else:
        assert not before, "httpx2 loses slots now: let AsyncHTTP repair its pool as well"
