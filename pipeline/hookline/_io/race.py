"""The two races behind ``turn.io.race``: tasks that can be cancelled, and threads that cannot.

A race has one rule that is easy to get wrong: every answer has an owner. The winner's goes to the
caller; one that comes too late, or whose caller has been cancelled meanwhile, is discarded by
whoever holds it, because it may be a stream with a connection of its own.
"""

import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import anyio

__all__ = ["TaskRace", "ThreadRace"]

T = TypeVar("T")
Factory: TypeAlias = Callable[[], Coroutine[Any, Any, T]]
Discard: TypeAlias = Callable[[T], Coroutine[Any, Any, None]]


class TaskRace(Generic[T]):
    """One race of tasks.

    Args:
        discard: clears away an answer that came too late.
        shielded: runs clean-up to its end in a cancelled scope.

    """

    def __init__(
        self, discard: Discard[T], shielded: Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
    ) -> None:
        self._discard = discard
        self._shielded = shielded
        self._won: list[tuple[int, T]] = []
        self._failed: dict[int, BaseException] = {}

    async def run(self, factories: Sequence[Factory[T]], delay: float) -> tuple[int, T]:
        """Hold the race; see ``hookline.turn.IO.race``."""
        try:
            async with anyio.create_task_group() as group:
                for place, factory in enumerate(factories):
                    ended = anyio.Event()
                    group.start_soon(self._race, place, factory, ended, group.cancel_scope)
                    with anyio.move_on_after(delay):
                        await ended.wait()
                    if len(self._failed) > place:  # nothing runs any more: the race is lost
                        break
        except BaseException as error:  # noqa: BLE001 -- raised again, below
            # Cancelled in the moment of winning: nobody is left to take the answer.
            for _, answer in self._won:
                await self._shielded(self._discard(answer))
            raise _alone(error) from error.__cause__
        if self._won:
            return self._won[0]
        raise self._failed[min(self._failed)]

    async def _race(
        self, place: int, factory: Factory[T], ended: anyio.Event, scope: anyio.CancelScope
    ) -> None:
        try:
            answer = await factory()
        except BaseException as error:
            self._failed[place] = error  # raised by run(), if nobody wins
            if not isinstance(error, Exception):
                raise  # a cancellation of this one alone is a failure, too
        else:
            if self._won:
                await self._shielded(self._discard(answer))
            else:
                self._won.append((place, answer))
                scope.cancel()
        finally:
            ended.set()


class ThreadRace(Generic[T]):
    """One race of threads.

    Args:
        discard: clears away an answer that came too late.
        drive: runs a coroutine that never suspends.

    """

    def __init__(
        self, discard: Discard[T], drive: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._discard = discard
        self._drive = drive
        self._changed = threading.Condition()
        self._won: list[tuple[int, T]] = []
        self._failed: dict[int, BaseException] = {}
        self._started = 0
        self._abandoned = False

    def run(self, factories: Sequence[Factory[T]], delay: float) -> tuple[int, T]:
        """Hold the race while the calling thread waits; see ``hookline.turn.IO.race``."""
        try:
            with self._changed:
                for place, factory in enumerate(factories):
                    self._start(place, factory)
                    if self._changed.wait_for(self._decided, delay):
                        break
                self._changed.wait_for(self._decided)
        except BaseException:
            with self._changed:  # ctrl-C: nobody is left to take an answer
                self._abandoned = True
            for _, answer in self._won:
                self._drive(self._discard(answer))
            raise
        if self._won:
            return self._won[0]
        raise self._failed[min(self._failed)]

    def _decided(self) -> bool:
        return bool(self._won) or len(self._failed) == self._started

    def _start(self, place: int, factory: Factory[T]) -> None:
        self._started += 1
        # Daemons, so that a loser who still waits for an answer does not hold up the exit.
        threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._race, place, factory),
            name=f"hookline-race-{place}",
            daemon=True,
        ).start()

    def _race(self, place: int, factory: Factory[T]) -> None:
        try:
            answer: T = self._drive(factory())
        except BaseException as error:  # noqa: BLE001 -- raised in the thread that waits
            with self._changed:
                self._failed[place] = error
                self._changed.notify_all()
            return
        with self._changed:
            late = self._abandoned or bool(self._won)
            if not late:
                self._won.append((place, answer))
                self._changed.notify_all()
        if late:
            self._drive(self._discard(answer))


def _alone(error: BaseException) -> BaseException:
    """Return what a task group wrapped: whoever awaits a race expects one error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
