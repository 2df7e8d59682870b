"""One at a time: whoever wants what somebody else is just making waits for it, and makes it not twice."""

import os
import threading
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

from attrs import define, field

from hookline import Turn

__all__ = ["Alone"]

_LOOK_AGAIN: Final = 0.005  # seconds


@define(eq=False)
class Alone:
    """Places that one at a time may hold, by key."""

    _held: set[Hashable] = field(factory=set, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _pid: int = field(factory=os.getpid, init=False, repr=False)

    @asynccontextmanager
    async def place(self, turn: Turn, key: Hashable, phase: str) -> AsyncIterator[None]:
        """Hold the place of a key; who comes later waits until it is free.

        Args:
            turn: whose deadline holds for the wait.
            key: of the place.
            phase: what is waited for, for the text of the error.

        Raises:
            DeadlineExceeded: the time was up before.

        """
        if self._pid != os.getpid():  # whoever held one lives in the other process only
            self._pid, self._lock, self._held = os.getpid(), threading.Lock(), set()
        while not self._claimed(key):
            turn.check_deadline(phase)
            await turn.io.sleep(_LOOK_AGAIN)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(key)

    def _claimed(self, key: Hashable) -> bool:
        with self._lock:
            if key in self._held:
                return False
            self._held.add(key)
            return True
