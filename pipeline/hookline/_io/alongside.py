"""Running a coroutine while its caller, an async generator, yields what the coroutine reports.

A task group would be the tidy way, but a generator must not yield inside of one: whoever reads it
opens and closes cancel scopes of his own between two items. So the coroutine gets a task (or a
thread) of its own, which the generator ends when it is closed.
"""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Generic, TypeVar

__all__ = ["InTask", "InThread", "Report"]

T = TypeVar("T")
R = TypeVar("R")
Report = Callable[[R], None]

_CLEAN_UP_SECONDS: Final = 5.0


class InThread(Generic[R, T]):
    """Runs the coroutine of a ``Pipeline`` in a thread, and waits for it in this one.

    Nothing can end a thread: if the generator is closed early, it is left to finish by itself.

    Args:
        drive: runs a coroutine that never suspends.

    Attributes:
        result: what the coroutine returned, once the generator is exhausted.

    """

    result: T

    def __init__(self, drive: Callable[[Awaitable[T]], T]) -> None:
        self._drive = drive

    async def run(
        self, start: Callable[[Report[R]], Coroutine[Any, Any, T]]
    ) -> AsyncGenerator[R, None]:
        """Yield what is reported until the coroutine has ended; raise what it raised."""
        said: SimpleQueue[tuple[R] | None] = SimpleQueue()
        errors: list[BaseException] = []

        def work() -> None:
            try:
                self.result = self._drive(start(lambda item: said.put((item,))))
            except BaseException as error:  # noqa: BLE001 -- raised again where the reports are read
                errors.append(error)
            finally:
                said.put(None)

        Thread(target=copy_context().run, args=(work,), name="hookline-tools", daemon=True).start()
        while (item := said.get()) is not None:
            yield item[0]
        if errors:
            raise errors[0]


class InTask(Generic[R, T]):
    """Runs the coroutine in a task of the running loop, asyncio's or trio's.

    Attributes:
        result: what the coroutine returned, once the generator is exhausted.

    """

    result: T

    def __init__(self) -> None:
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        self._said: deque[R] = deque()
        self._errors: list[BaseException] = []
        self._woken = anyio.Event()
        self._ended = anyio.Event()
        self._scope = anyio.CancelScope()

    async def run(
        self, start: Callable[[Report[R]], Coroutine[Any, Any, T]]
    ) -> AsyncGenerator[R, None]:
        """Yield what is reported until the coroutine has ended; raise what it raised.

        Closed early, it cancels the coroutine and waits for its end.
        """
        import anyio  # noqa: PLC0415 -- as above

        in_loop, spawn = _host()

        def report(item: R) -> None:
            self._said.append(item)
            in_loop(self._wake)  # a tool may report from a thread of its own

        spawn(self._work(start(report)))
        try:
            while True:
                self._woken = anyio.Event()
                if self._said:
                    yield self._said.popleft()
                elif self._ended.is_set():
                    break
                else:
                    await self._woken.wait()
        finally:
            self._scope.cancel()
            with anyio.move_on_after(_CLEAN_UP_SECONDS, shield=True):
                await self._ended.wait()
        if self._errors:
            raise self._errors[0]

    async def _work(self, coroutine: Coroutine[Any, Any, T]) -> None:
        import anyio  # noqa: PLC0415 -- as above

        try:
            with self._scope:
                self.result = await coroutine
        except anyio.get_cancelled_exc_class() as error:
            self._errors.append(error)
            raise
        except BaseException as error:  # noqa: BLE001 -- raised again where the reports are read
            self._errors.append(error)
        finally:
            self._ended.set()
            self._wake()

    def _wake(self) -> None:
        self._woken.set()


def _host() -> tuple[
    Callable[[Callable[[], None]], Any], Callable[[Coroutine[Any, Any, None]], Any]
]:
    """Return how the running loop takes calls from any thread, and how it starts a task."""
    import asyncio  # noqa: PLC0415 -- keeps `import hookline` cheap

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        from trio import lowlevel  # noqa: PLC0415 -- not everybody has it

        token = lowlevel.current_trio_token()

        async def await_it(coroutine: Coroutine[Any, Any, None]) -> None:
            await coroutine

        return token.run_sync_soon, lambda coroutine: lowlevel.spawn_system_task(
            await_it, coroutine, context=copy_context()
        )
    return loop.call_soon_threadsafe, loop.create_task
