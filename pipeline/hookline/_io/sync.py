"""I/O that blocks: what ``turn.io`` is in a ``Pipeline``."""

import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from hookline._io.door import Door
from hookline._io.driver import drive

if TYPE_CHECKING:
    from hookline.turn import Alongside

__all__ = ["SyncIO"]

T = TypeVar("T")
Args = TypeVarTuple("Args")

_MOST_THREADS: Final = 16

# The moment at which what is being done must be over; each thread and each context has its own.
_until: ContextVar[float | None] = ContextVar("until", default=None)


class SyncIO(Door):
    """I/O that blocks the calling thread and never suspends."""

    __slots__ = ()

    async def sleep(self, seconds: float) -> None:
        """Block for ``seconds``."""
        until = _until.get()
        allowed = seconds if until is None else min(seconds, until - self.now())
        time.sleep(max(0.0, allowed))  # noqa: ASYNC251 -- blocking is what this class is for
        if allowed < seconds:
            raise TimeoutError("the time for this was up")

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Call the function here."""
        return function(*args)

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        """Run the coroutines in a few threads; results in order, the first failure in time raised."""
        if len(coroutines) < 2:  # noqa: PLR2004 -- nothing to run side by side
            return [await coroutine for coroutine in coroutines]
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- only when used

        failures: list[BaseException] = []

        def run(coroutine: Coroutine[Any, Any, T]) -> T:
            try:
                return drive(coroutine)
            except BaseException as error:
                failures.append(error)
                raise

        with ThreadPoolExecutor(min(len(coroutines), _MOST_THREADS), "hookline") as pool:
            # Each in a copy of the context, as tasks have it.
            running = [pool.submit(copy_context().run, run, each) for each in coroutines]
        if failures:
            raise failures[0]
        return [each.result() for each in running]

    async def race(
        self,
        *factories: Callable[[], Coroutine[Any, Any, T]],
        delay: float,
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[int, T]:
        """See ``hookline.turn.IO.race``; each runs in a thread of its own."""
        from hookline._io.race import ThreadRace  # noqa: PLC0415 -- only who hedges needs it

        return ThreadRace(discard, drive).run(factories, delay)

    async def bounded(self, awaitable: Awaitable[T], seconds: float, *, shield: bool = False) -> T:
        """See ``hookline.turn.IO.bounded``; what waits on this io is ended, and nothing else."""
        outer = _until.get()
        until = self.now() + seconds
        token = _until.set(until if outer is None or shield else min(outer, until))
        try:
            return await awaitable
        finally:
            _until.reset(token)

    async def outwait(
        self, function: Callable[[*Args], T], *args: *Args, seconds: float | None
    ) -> T:
        """See ``hookline.turn.IO.outwait``."""
        from hookline._io.threads import call_within  # noqa: PLC0415 -- only who is isolated needs it

        return call_within(seconds, partial(function, *args))

    def alongside(self) -> "Alongside":
        """See ``hookline.turn.IO.alongside``; a thread, which nothing can end."""
        from hookline._io.alongside import InThread  # noqa: PLC0415 -- only streams with tools need it

        return InThread(drive)

    async def shielded(self, coroutine: Coroutine[Any, Any, T], *, apart: bool = False) -> T:  # noqa: ARG002 -- as in async code
        """Just run it: nothing cancels a thread."""
        return await coroutine
