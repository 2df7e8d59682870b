"""The driver that runs a coroutine without an event loop, and the wait for one under a deadline."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, TypeVar

from hookline.errors import DeadlineExceeded, NeedsEventLoop

if TYPE_CHECKING:
    from anyio import CancelScope

    from hookline.turn import Turn

__all__ = ["Waits", "drive", "within_deadline"]

T = TypeVar("T")

_MOST_REFUSALS: Final = 16


def drive(awaitable: Awaitable[T]) -> T:
    """Run a coroutine that never suspends, and return its result.

    Args:
        awaitable: a coroutine, or an async generator's ``__anext__()``.

    Returns:
        What it returns.

    Raises:
        NeedsEventLoop: it waited for an event loop. The error is thrown in at the place that
            waited, so that whoever called can say which plugin it was.

    """
    steps = awaitable.__await__()
    try:
        next(steps)
        # Code that swallows the refusal gets it again at its next wait, but not for ever.
        for _ in range(_MOST_REFUSALS):
            steps.throw(NeedsEventLoop())
    except StopIteration as done:
        result: T = done.value
        return result
    raise NeedsEventLoop


async def within_deadline(turn: "Turn", awaitable: Awaitable[T]) -> T:
    """Await something under the turn's deadline, wherever inside it the time is spent.

    For async code only; blocking code bounds each wait of the network instead.

    Raises:
        DeadlineExceeded: the time was up; what was awaited has been cancelled.

    """
    remaining = turn.remaining()
    if remaining is None:
        return await awaitable
    import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

    with anyio.move_on_after(remaining):
        return await awaitable
    raise _time_is_up(turn)


class Waits:
    """The waits of whoever reads a stream in async code: under the turn's deadline, and to be ended.

    Args:
        turn: the journey.

    """

    def __init__(self, turn: "Turn") -> None:
        self._turn = turn
        self._scope: CancelScope | None = None
        self._stopped = False

    async def on(self, awaitable: Awaitable[T]) -> T | None:
        """Await something, as ``within_deadline`` does; None if another task said ``stop``."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        with anyio.move_on_after(self._turn.remaining()) as self._scope:
            return await awaitable
        if self._stopped:
            return None
        raise _time_is_up(self._turn)

    def stop(self) -> None:
        """End the wait that is under way, and cancel what is waited for."""
        self._stopped = True
        if self._scope is not None:
            self._scope.cancel()


def _time_is_up(turn: "Turn") -> DeadlineExceeded:
    error = DeadlineExceeded(turn.phase, turn.timeout)
    error.partial = turn.partial
    error.attempts = tuple(turn.trace.attempts)
    return error
