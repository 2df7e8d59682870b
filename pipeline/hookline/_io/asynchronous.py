"""I/O that waits on the running event loop: what ``turn.io`` is in an ``AsyncPipeline``."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

from hookline._io.door import Door

if TYPE_CHECKING:
    from hookline.turn import Alongside

__all__ = ["AsyncIO"]

T = TypeVar("T")
Args = TypeVarTuple("Args")

_CLEAN_UP_SECONDS: Final = 5.0


class AsyncIO(Door):
    """I/O that waits on the running event loop, asyncio's or trio's."""

    __slots__ = ()

    async def sleep(self, seconds: float) -> None:
        """Suspend for ``seconds``."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        await anyio.sleep(max(0.0, seconds))

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Call the function in a worker thread; a cancelled turn does not wait for it."""
        from anyio import to_thread  # noqa: PLC0415 -- keeps `import hookline` cheap

        return await to_thread.run_sync(function, *args, abandon_on_cancel=True)

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        """Run the coroutines in a task group; results in order, the first failure in time alone.

        One that is cancelled by itself, and not with the others, counts as a failure.
        """
        if len(coroutines) < 2:  # noqa: PLR2004 -- nothing to run side by side
            return [await coroutine for coroutine in coroutines]
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        results: dict[int, T] = {}
        failures: list[BaseException] = []
        cancelled: list[BaseException] = []

        async def collect(index: int, coroutine: Coroutine[Any, Any, T]) -> None:
            try:
                results[index] = await coroutine
            except anyio.get_cancelled_exc_class() as error:
                # A task group takes this for its own doing, and would say nothing of it.
                cancelled.append(error)
                group.cancel_scope.cancel()
                raise
            except BaseException as error:
                failures.append(error)
                raise

        try:
            async with anyio.create_task_group() as group:
                for index, coroutine in enumerate(coroutines):
                    group.start_soon(collect, index, coroutine)
        except BaseExceptionGroup:
            # A caller of gather wrote one await and expects one error, as from a plain call. A group
            # does not say in which order its errors came.
            raise failures[0] from None
        if cancelled:
            raise cancelled[0]
        return [results[index] for index in range(len(coroutines))]

    async def race(
        self,
        *factories: Callable[[], Coroutine[Any, Any, T]],
        delay: float,
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[int, T]:
        """See ``hookline.turn.IO.race``; the losers are cancelled and waited for."""
        from hookline._io.race import TaskRace  # noqa: PLC0415 -- only who hedges needs it

        return await TaskRace(discard, self.shielded).run(factories, delay)

    async def bounded(self, awaitable: Awaitable[T], seconds: float, *, shield: bool = False) -> T:
        """See ``hookline.turn.IO.bounded``."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        with anyio.fail_after(max(0.0, seconds), shield=shield):
            return await awaitable

    async def outwait(
        self, function: Callable[[*Args], T], *args: *Args, seconds: float | None
    ) -> T:
        """See ``hookline.turn.IO.outwait``."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        with anyio.fail_after(seconds):
            return await self.run_blocking(function, *args)

    def alongside(self) -> "Alongside":
        """See ``hookline.turn.IO.alongside``; a task, which is cancelled when nobody reads on."""
        from hookline._io.alongside import InTask  # noqa: PLC0415 -- only streams with tools need it

        return InTask()

    async def shielded(self, coroutine: Coroutine[Any, Any, T], *, apart: bool = False) -> T:
        """Run clean-up to its end even in a cancelled scope, for a few seconds at most."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        if apart and _in_asyncio():
            with anyio.CancelScope(shield=True):
                return await _in_its_own_task(coroutine)
        with anyio.fail_after(_CLEAN_UP_SECONDS, shield=True):
            return await coroutine


def _in_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _in_its_own_task(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine that ``task.cancel()`` does not end, which no scope of anyio's holds back.

    The cancellation goes on to the caller when the coroutine has ended.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(coroutine)
    end = loop.time() + _CLEAN_UP_SECONDS
    left: asyncio.CancelledError | None = None
    while not task.done() and loop.time() < end:
        try:
            await asyncio.wait((task,), timeout=end - loop.time())
        except asyncio.CancelledError as error:
            left = error
    if not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_CLEAN_UP_SECONDS)
        if left is None:
            raise TimeoutError(f"it was not done after {_CLEAN_UP_SECONDS:g} s")
    if left is not None:
        failed = None if not task.done() or task.cancelled() else task.exception()
        raise left from failed
    return task.result()
