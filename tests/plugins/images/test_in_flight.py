"""How many pictures are in memory at a time, in blocking and async code, and whose time it costs."""

import os
import subprocess
import sys
import threading
from typing import Any

import anyio
import PIL.Image
import pytest
from anyio import to_thread

from hookline import DeadlineExceeded
from hookline._io import AsyncIO, SyncIO, drive
from hookline.values import Image, Message, Request
from hookline_plugins.images import Images
from hookline_plugins.images.in_flight import BUDGET, Budget, Share


async def no_network(*_: Any, **__: Any) -> Any:
    raise AssertionError("no network")


class Work:
    """Decoding that waits until it is told to end, and counts who does it at the same time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sizes: list[int] = []
        self.peak = 0
        self.order: list[int] = []

    def __call__(self, size: int) -> int:
        with self.lock:
            self.sizes.append(size)
            self.order.append(size)
            self.peak = max(self.peak, sum(self.sizes))
        PIL.Image.effect_noise((200, 200), 50)  # takes a moment, so that others would come between
        with self.lock:
            self.sizes.remove(size)
        return size


SIZES = [60, 50, 1, 40, 99, 30, 20, 10]


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_no_more_is_in_memory_than_the_budget_allows(colour: str, turn: Any) -> None:
    budget, work = Budget(100), Work()
    if colour == "sync":
        io: Any = SyncIO(no_network)
        done = drive(io.gather(*[budget.run(turn(io=io), n, work, n) for n in SIZES]))
    else:
        io = AsyncIO(no_network)

        async def main() -> list[int]:
            result: list[int] = await io.gather(
                *[budget.run(turn(io=io), n, work, n) for n in SIZES]
            )
            return result

        done = anyio.run(main, backend=colour)
    assert done == SIZES
    assert 60 <= work.peak <= 100
    assert budget._used == 0


def test_one_that_is_larger_than_the_budget_is_decoded_alone(turn: Any) -> None:
    budget, work = Budget(10), Work()
    io = SyncIO(no_network)
    assert drive(io.gather(*[budget.run(turn(io=io), n, work, n) for n in (30, 2, 40)])) == [
        30,
        2,
        40,
    ]
    assert work.peak == 40
    assert budget._used == 0


def test_nobody_overtakes(turn: Any) -> None:
    budget = Budget(10)
    first, large, small = Share(budget, 8), Share(budget, 9), Share(budget, 1)
    budget._queue.extend((first, large, small))
    assert budget._granted(first)
    assert not budget._granted(small)  # there is room, but somebody came before
    first.leave()
    assert budget._granted(large)
    assert budget._granted(small)
    for share in (large, small):
        share.leave()
        share.leave()
    assert budget._used == 0


def test_the_deadline_holds_while_one_waits(turn: Any) -> None:
    budget = Budget(10)
    holder = Share(budget, 10)
    budget._queue.append(holder)
    assert budget._granted(holder)
    io = SyncIO(no_network)
    late = turn(io=io, deadline=io.now() + 0.03, timeout=0.03)
    with pytest.raises(DeadlineExceeded, match="resolve_images"):
        drive(budget.run(late, 5, Work(), 5))
    assert list(budget._queue) == []
    holder.leave()
    assert budget._used == 0


def test_a_failure_gives_back(turn: Any) -> None:
    budget = Budget(10)

    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        drive(budget.run(turn(), 5, fails))
    assert budget._used == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_turn_that_is_cancelled_gives_back_when_its_thread_is_done(
    backend: str, turn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(10)
    begun, end, gone = threading.Event(), threading.Event(), threading.Event()
    real = budget.release

    def release(share: Share) -> None:
        real(share)
        gone.set()

    monkeypatch.setattr(Budget, "release", lambda _, share: release(share))

    def decode() -> None:
        begun.set()
        end.wait(10)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(budget.run, turn(io=AsyncIO(no_network)), 5, decode)
            await to_thread.run_sync(begun.wait)
            group.cancel_scope.cancel()
        assert budget._used == 5  # the picture is still in memory
        end.set()
        with anyio.fail_after(10):
            await to_thread.run_sync(gone.wait)

    anyio.run(main, backend=backend)
    assert budget._used == 0


def test_a_share_that_is_gone_is_not_used() -> None:
    share = Share(Budget(10), 5)
    share.budget._queue.append(share)
    share.leave()
    with pytest.raises(RuntimeError, match="over"):
        share.run(lambda: None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_does_not_wait_for_threads_that_it_has_not(turn: Any) -> None:
    budget = Budget(10)
    holder = Share(budget, 10)
    budget._queue.append(holder)
    assert budget._granted(holder)
    io = SyncIO(no_network)
    soon = turn(io=io, deadline=io.now() + 20, timeout=20.0)
    child = os.fork()
    if child == 0:  # no assertion may leave this branch: the child would go on with the tests
        done = drive(budget.run(soon, 5, int, "7"))
        os._exit(0 if (done, budget._used) == (7, 0) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert budget._used == 10
    holder.leave()


def test_the_deadline_is_looked_at_between_the_steps(made: Any, turn: Any) -> None:
    """Time that runs out while a picture is decoded ends the work there, not after encoding."""
    file = made("PNG", (2700, 40))
    request = Request("claude-opus-5-5", 10, [Message("user", [Image(file)])])
    steps: list[str] = []

    class Clock(SyncIO):
        """A second passes each time that somebody looks."""

        def now(self) -> float:
            steps.append("look")
            return float(len(steps))

    for seconds in range(1, 6):
        steps.clear()
        late = turn(io=Clock(no_network), deadline=float(seconds), timeout=1.0)
        with pytest.raises(DeadlineExceeded, match="resolve_images"):
            drive(Images().resolve_images(late, request))
        assert len(steps) == seconds
    assert BUDGET._used == 0


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of its memory")
@pytest.mark.parametrize(
    "send",
    [
        'line.send([*[Image(path) for path in files], "What?"], timeout=1000)',
        # In a thread each, whose heap keeps what has been freed in it.
        "list(ThreadPoolExecutor(4).map(lambda path: line.send([Image(path)], timeout=1000), files))",
    ],
    ids=["in one message", "in four threads"],
)
def test_four_large_pictures_take_the_memory_of_one(send: str, tmp_path: Any) -> None:
    """8900x7100 as a PNG of a few kilobytes, four times at once: 5.3 GB before there was a budget."""
    code = f"""
import resource
from concurrent.futures import ThreadPoolExecutor
import PIL.Image
from hookline import Pipeline, Image
files = []
for shade in ("red", "green", "blue", "white"):
    path = {str(tmp_path)!r} + "/" + shade
    PIL.Image.new("RGB", (8900, 7100), shade).save(path, "PNG", compress_level=9)
    files.append(path)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Pipeline(model="claude-haiku-4-5", base_url="sim:") as line:
    {send}
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 600  # megabytes
