"""Time that passes only when a turn waits, so that retries, limits and outages test in no time."""

import heapq
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from hookline.turn import IO, Alongside

if TYPE_CHECKING:
    from hookline.pipeline import AsyncPipeline, Pipeline
    from hookline.turn import Fetched

__all__ = ["FakeClock", "fake_time"]

T = TypeVar("T")
Args = TypeVarTuple("Args")

_ROUNDS: Final = 5  # of the event loop in which others may act before the clock jumps


class FakeClock:
    """A clock that stands still until somebody waits for it.

    A wait lets the clock jump to its end. Where several tasks wait, they wake in the order of their
    times, each at its own; between two jumps the others get to run.

    Attributes:
        waits: the seconds of every wait, in the order in which they began.

    """

    def __init__(self) -> None:
        # The real monotonic clock's present: what compares the two must not find us in its past.
        self._now = time.monotonic()
        self._began = self._now
        self._lock = threading.Lock()
        self._sleepers: list[tuple[float, int, Any]] = []
        self._numbers = itertools.count()
        self.waits: list[float] = []

    @property
    def elapsed(self) -> float:
        """The seconds that have passed on this clock."""
        return self._now - self._began

    def now(self) -> float:
        """Return the monotonic seconds of this clock."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; whoever waits wakes the next time the event loop runs."""
        with self._lock:
            self._now += seconds

    def wait_here(self, seconds: float) -> None:
        """Wait in blocking code: the clock jumps, the thread does not stop."""
        self.waits.append(seconds)
        self.advance(max(0.0, seconds))

    async def wait(self, seconds: float) -> None:
        """Wait in async code, in turn with the other tasks that wait."""
        import anyio  # noqa: PLC0415 -- keeps the kit free of it for blocking code
        from anyio.lowlevel import checkpoint  # noqa: PLC0415 -- as above

        self.waits.append(seconds)
        mine = (self._now + max(0.0, seconds), next(self._numbers), anyio.Event())
        heapq.heappush(self._sleepers, mine)
        try:
            while self._now < mine[0]:
                if self._sleepers[0] is not mine:
                    await mine[2].wait()
                    continue
                for _ in range(_ROUNDS):
                    await checkpoint()
                if self._sleepers[0] is mine:
                    self._now = max(self._now, mine[0])
        finally:
            self._sleepers.remove(mine)
            heapq.heapify(self._sleepers)
            if self._sleepers:
                self._sleepers[0][2].set()


class _FakeIO:
    """An IO whose time is a ``FakeClock`` and whose other doors are the real one's."""

    def __init__(self, real: IO, clock: FakeClock, *, blocking: bool) -> None:
        self._real = real
        self._clock = clock
        self._blocking = blocking

    def now(self) -> float:
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        if self._blocking:
            self._clock.wait_here(seconds)
        else:
            await self._clock.wait(seconds)

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        return await self._real.run_blocking(function, *args)

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        return await self._real.gather(*coroutines)

    async def race(
        self,
        *factories: Callable[[], Coroutine[Any, Any, T]],
        delay: float,
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[int, T]:
        return await self._real.race(*factories, delay=delay, discard=discard)

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        allow_hosts: Collection[str] = (),
        max_bytes: int = 10 * 1024 * 1024,
        timeout: float = 10.0,  # noqa: ASYNC109 -- handed on
        redirects: int = 0,
    ) -> "Fetched":
        return await self._real.fetch(
            url,
            method=method,
            content=content,
            headers=headers,
            allow_hosts=allow_hosts,
            max_bytes=max_bytes,
            timeout=timeout,
            redirects=redirects,
        )

    def alongside(self) -> Alongside:
        return self._real.alongside()

    async def shielded(self, coroutine: Coroutine[Any, Any, T], *, apart: bool = False) -> T:
        return await self._real.shielded(coroutine, apart=apart)

    async def bounded(self, awaitable: Awaitable[T], seconds: float, *, shield: bool = False) -> T:
        return await self._real.bounded(awaitable, seconds, shield=shield)

    async def outwait(
        self, function: Callable[[*Args], T], *args: *Args, seconds: float | None
    ) -> T:
        return await self._real.outwait(function, *args, seconds=seconds)


@contextmanager
def fake_time(line: "Pipeline | AsyncPipeline") -> Iterator[FakeClock]:
    """Let a pipeline's turns wait on a fake clock.

    Only what goes through ``turn.io`` is faked: waits and the turn's deadline. The time-outs of the
    network, and the cancellation of async code at its deadline, stay real.

    Args:
        line: of either colour; turns that begin inside the ``with`` block are concerned.

    Yields:
        The clock.

    Example:
        >>> with fake_time(line) as clock:
        ...     line.send("Hello")
        >>> clock.waits
        [2.31]

    """
    from hookline._io import SyncIO  # noqa: PLC0415 -- only to see the colour

    real = line._io  # noqa: SLF001 -- the kit is part of the framework; there is no public way on purpose
    clock = FakeClock()
    line._io = _FakeIO(real, clock, blocking=isinstance(real, SyncIO))  # type: ignore[assignment]  # noqa: SLF001 -- an IO by shape
    try:
        yield clock
    finally:
        line._io = real  # noqa: SLF001 -- as above
