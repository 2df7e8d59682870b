"""The sync driver and the two kinds of ``turn.io``."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
import trio

from hookline._io import AsyncIO, SyncIO, drive
from hookline._io.sync import _MOST_THREADS
from hookline.errors import NeedsEventLoop


async def nothing(url: str, **wanted: Any) -> Any:
    raise AssertionError(url)


def sync_io() -> SyncIO:
    return SyncIO(nothing)


def async_io() -> AsyncIO:
    return AsyncIO(nothing)


async def seven() -> int:
    return 7


def test_drive_runs_a_coroutine_that_never_suspends() -> None:
    async def outer() -> int:
        return await seven() + await seven()

    assert drive(outer()) == 14


def test_drive_raises_what_the_coroutine_raises() -> None:
    async def fails() -> None:
        raise LookupError("own")

    with pytest.raises(LookupError, match="own"):
        drive(fails())


def test_drive_steps_an_async_generator() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    items = numbers()
    assert [drive(anext(items)), drive(anext(items))] == [1, 2]
    with pytest.raises(StopAsyncIteration):
        drive(anext(items))


def test_drive_refuses_at_the_very_await_that_waits() -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(0)
        except NeedsEventLoop as error:
            seen.append(str(error))
            raise

    with pytest.raises(NeedsEventLoop):
        drive(waits())
    assert "AsyncPipeline" in seen[0]


def test_code_that_swallows_the_refusal_does_not_wait_for_ever() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(0)
            except NeedsEventLoop:
                continue

    with pytest.raises(NeedsEventLoop):
        drive(stubborn())


def test_code_that_gives_up_its_wait_may_finish() -> None:
    async def reasonable() -> str:
        try:
            await asyncio.sleep(0)
        except NeedsEventLoop:
            return "without waiting"
        return "waited"

    assert drive(reasonable()) == "without waiting"


def test_gather_in_threads_really_runs_side_by_side() -> None:
    io, meeting = sync_io(), threading.Barrier(3, timeout=10)

    async def meets(number: int) -> int:
        meeting.wait()  # passes only when all three are here
        return number

    assert drive(io.gather(meets(1), meets(2), meets(3))) == [1, 2, 3]


def test_gather_raises_the_first_failure_of_the_threads() -> None:
    async def fails() -> int:
        raise LookupError("own")

    with pytest.raises(LookupError, match="own"):
        drive(sync_io().gather(seven(), fails(), seven()))


@pytest.mark.parametrize("early_place", [0, 1])
def test_gather_in_threads_raises_what_failed_first_and_not_what_stands_first(
    early_place: int,
) -> None:
    """The last coroutine gets a thread only when the early failure has been told."""
    told = threading.Event()

    async def early() -> None:
        raise LookupError("early")

    async def late() -> None:
        assert told.wait(20)
        raise KeyError("late")

    async def waits() -> None:
        assert told.wait(20)

    async def tells() -> None:
        told.set()

    failing = [late()]
    failing.insert(early_place, early())
    others = [waits() for _ in range(_MOST_THREADS - len(failing))]

    with pytest.raises(LookupError, match="early") as caught:
        drive(sync_io().gather(*failing, *others, tells()))
    assert not isinstance(caught.value, KeyError)


@pytest.mark.parametrize("early_place", [0, 1])
@pytest.mark.parametrize("runner", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_gather_in_tasks_raises_what_failed_first_and_not_what_stands_first(
    runner: Any, early_place: int
) -> None:
    async def main() -> None:
        begun = anyio.Event()

        async def early() -> None:
            await begun.wait()
            raise LookupError("early")

        async def late() -> None:
            begun.set()
            try:
                await anyio.sleep_forever()
            finally:
                raise KeyError("late")  # while it clears up after the early failure

        failing = [late()]
        failing.insert(early_place, early())
        await async_io().gather(*failing)

    with pytest.raises(LookupError, match="early") as caught:
        runner(main())
    assert not isinstance(caught.value, KeyError)


@pytest.mark.parametrize("runner", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_gather_in_tasks_really_runs_side_by_side(runner: Any) -> None:
    async def main() -> list[int]:
        here: list[int] = []

        async def meets(number: int) -> int:
            here.append(number)
            while len(here) < 3:
                await async_io().sleep(0)
            return number

        return await async_io().gather(meets(1), meets(2), meets(3))

    assert runner(main()) == [1, 2, 3]


def test_gather_raises_one_failure_and_cancels_the_others() -> None:
    ended: list[str] = []

    async def main() -> None:
        async def fails() -> None:
            raise LookupError("own")

        async def waits() -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append("cancelled")

        await async_io().gather(waits(), fails())

    with pytest.raises(LookupError, match="own"):
        trio.run(main)
    assert ended == ["cancelled"]


def test_blocking_work_leaves_the_event_loop_free() -> None:
    async def main() -> tuple[int, int]:
        other = await async_io().run_blocking(threading.get_ident)
        return threading.get_ident(), other

    for here, there in (asyncio.run(main()), trio.run(main)):
        assert here != there
    assert drive(sync_io().run_blocking(threading.get_ident)) == threading.get_ident()


def test_shielded_work_finishes_in_a_cancelled_scope() -> None:
    done: list[int] = []

    async def work() -> None:
        await trio.lowlevel.checkpoint()
        done.append(1)

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await async_io().shielded(work())

    trio.run(main)
    assert done == [1]


def test_time_only_moves_forward() -> None:
    io = sync_io()
    before = io.now()
    drive(io.sleep(0.001))
    drive(io.sleep(-5))
    assert before + 0.001 <= io.now() <= time.monotonic()


def test_gather_says_that_one_was_cancelled_by_itself() -> None:
    ended: list[str] = []

    async def main() -> None:
        async def gives_up() -> None:
            raise asyncio.CancelledError("own")

        async def waits() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("cancelled")

        with pytest.raises(asyncio.CancelledError, match="own"):
            await async_io().gather(waits(), gives_up())
        assert ended == ["cancelled"]
        with pytest.raises(asyncio.CancelledError, match="own"):
            await async_io().gather(gives_up(), waits())
        await asyncio.sleep(0)  # whoever gathered is not cancelled himself

    asyncio.run(main())


def test_gather_prefers_a_failure_to_the_cancellations_that_it_causes() -> None:
    async def main() -> None:
        async def fails() -> None:
            raise LookupError("own")

        with pytest.raises(LookupError, match="own"):
            await async_io().gather(asyncio.sleep(60), fails(), asyncio.sleep(60))

    asyncio.run(main())


def test_a_race_goes_on_when_one_is_cancelled_by_itself() -> None:
    over = asyncio.Event()

    async def gives_up() -> str:
        over.set()
        raise asyncio.CancelledError("own")

    async def answers() -> str:
        await over.wait()
        return "answer"

    async def discard(answer: str) -> None:
        raise AssertionError(answer)

    async def main() -> None:
        io = async_io()
        assert await io.race(answers, gives_up, delay=0, discard=discard) == (0, "answer")
        with pytest.raises(asyncio.CancelledError, match="own"):
            await io.race(gives_up, gives_up, delay=0, discard=discard)

    asyncio.run(main())
