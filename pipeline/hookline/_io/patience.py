"""Running a blocking function for so long and no longer: nothing can interrupt it, but one can leave."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Generic, TypeVar, TypeVarTuple

__all__ = ["outwait"]

T = TypeVar("T")
Args = TypeVarTuple("Args")


def outwait(function: Callable[[*Args], T], *args: *Args, seconds: float | None) -> T:
    """Run a function in a thread; leave the thread to itself when the time is up.

    Args:
        function: what may block.
        *args: for it.
        seconds: to wait; None waits for its end.

    Raises:
        TimeoutError: it was not done in time.

    """
    running: _Running[T] = _Running(function, args)
    # A daemon, so that a function which never returns does not hold up the program's end.
    context = copy_context()
    threading.Thread(target=context.run, args=(running.run,), daemon=True).start()
    return running.result(seconds)


class _Running(Generic[T]):
    def __init__(self, function: Callable[..., T], args: tuple[Any, ...]) -> None:
        self._function = function
        self._args = args
        self._done = threading.Event()
        self._found: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._found.append(self._function(*self._args))
        except BaseException as error:  # noqa: BLE001 -- raised where the result is waited for
            self._error = error
        finally:
            self._done.set()

    def result(self, seconds: float | None) -> T:
        if not self._done.wait(seconds):
            raise TimeoutError(f"not done after {seconds:.1f} s")
        if self._error is not None:
            raise self._error
        return self._found[0]
