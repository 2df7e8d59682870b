"""How much memory all decoded pictures of the process may take together.

Whoever wants to decode queues for a share; nobody overtakes, so a large picture does not starve. The
wait goes through ``turn.io``, so no thread is held by it and both colours do the same. A share that
was begun is given back by the thread that uses it, when it ends, even if its turn was cancelled and
has long stopped waiting for it.
"""

import ctypes
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar, TypeVarTuple

from attrs import define, field

from hookline import Turn

__all__ = ["BUDGET", "Budget", "Share"]

T = TypeVar("T")
Args = TypeVarTuple("Args")

_LOOK_AGAIN: Final = 0.005  # seconds
_LARGE: Final = 64 * 1024 * 1024  # bytes; less is not worth the time that trimming takes


@cache
def _trim() -> Callable[[int], Any]:
    """Return what gives freed memory back to the system.

    glibc keeps it, and in a heap of its own for each thread: pictures decoded one after the other in
    four threads would take the memory of four. Other allocators have no such function, and no need.
    """
    try:
        trim: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows
        return int
    return trim


@define(eq=False)
class Share:
    """A part of a budget, or a place in the queue for it."""

    budget: "Budget"
    size: int
    _running: bool = False
    _over: bool = False

    def run(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Call a function, and give the share back afterwards; nothing happens if it is gone."""
        with self.budget.lock:
            if self._over:
                raise RuntimeError("the turn was over before this picture's turn came")
            self._running = True
        try:
            return function(*args)
        finally:
            if self.size >= _LARGE:
                _trim()(0)
            with self.budget.lock:
                self._running = False
            self.leave()

    def leave(self) -> None:
        """Give back what nobody uses: the share, or the place in the queue."""
        with self.budget.lock:
            if self._running or self._over:
                return
            self._over = True
            self.budget.release(self)


@define(eq=False)
class Budget:
    """So many bytes for decoded pictures.

    Attributes:
        most: bytes; a single picture may have more, if it is alone.

    """

    most: int
    lock: threading.RLock = field(factory=threading.RLock, init=False, repr=False)
    _queue: deque[Share] = field(factory=deque, init=False, repr=False)
    _used: int = field(default=0, init=False)
    _pid: int = field(factory=os.getpid, init=False, repr=False)

    async def run(self, turn: Turn, size: int, function: Callable[[*Args], T], *args: *Args) -> T:
        """Wait for ``size`` bytes, and then run a blocking function that needs them.

        Args:
            turn: whose deadline holds for the wait.
            size: bytes.
            function: what decodes.
            *args: its arguments.

        Returns:
            What the function returns.

        Raises:
            DeadlineExceeded: the time was up before there was room.

        """
        if self._pid != os.getpid():
            self._start_over()
        share = Share(self, size)
        with self.lock:
            self._queue.append(share)
        try:
            while not self._granted(share):
                turn.check_deadline("resolve_images")
                await turn.io.sleep(_LOOK_AGAIN)
            return await turn.io.run_blocking(share.run, function, *args)
        finally:
            share.leave()

    def _granted(self, share: Share) -> bool:
        with self.lock:
            first = self._queue[0] is share
            if not first or (self._used and self._used + share.size > self.most):
                return False
            self._queue.popleft()
            self._used += share.size
            return True

    def _start_over(self) -> None:
        """Forget, after a fork, the shares of threads that live in the other process only."""
        self._pid = os.getpid()
        self.lock = threading.RLock()
        self._queue.clear()
        self._used = 0

    def release(self, share: Share) -> None:
        """Take a share back; what ``Share.leave`` calls, under the lock."""
        if share in self._queue:
            self._queue.remove(share)
        else:
            self._used -= share.size


# Of the process, since its memory is one: about the largest picture that is decoded at all.
BUDGET: Final = Budget(512 * 1024 * 1024)
