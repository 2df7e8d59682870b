"""Images that were rendered before, so that the same bytes are decoded once in this process.

That holds for several who want them at the same time too.
Bounded by memory; what was not asked for longest goes first. Whoever asks is part of the key: no
tenant gets, or learns of, what another one sent.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from attrs import define, field

from hookline import Turn
from hookline_plugins.images.alone import Alone
from hookline_plugins.images.prepare import Sent

__all__ = ["KEPT", "Kept"]


@define(eq=False)
class Kept:
    """Rendered images by key.

    Attributes:
        most: characters of base64 that they have together at most.

    """

    most: int
    _images: OrderedDict[Hashable, Sent] = field(factory=OrderedDict, init=False, repr=False)
    _size: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _alone: Alone = field(factory=Alone, init=False, repr=False)
    _pid: int = field(factory=os.getpid, init=False, repr=False)

    async def once(self, turn: Turn, key: Hashable, make: Callable[[], Awaitable[Sent]]) -> Sent:
        """Return what is kept, or make it; whoever wants the same meanwhile waits for it.

        Args:
            turn: whose deadline holds for the wait.
            key: what is wanted, and for whom.
            make: makes it; if it fails, the next who waits tries for itself.

        Raises:
            DeadlineExceeded: the time was up before somebody else had made it.

        """
        if self._pid != os.getpid():  # a thread of the other process may have held it
            self._pid, self._lock = os.getpid(), threading.Lock()
        sent = self.get(key)
        if sent is None:
            async with self._alone.place(turn, key, "resolve_images"):
                sent = self.get(key)
                if sent is None:
                    sent = await make()
                    self.put(key, sent)
        return sent

    def get(self, key: Hashable) -> Sent | None:
        """Return what was kept under this key, or None."""
        with self._lock:
            sent = self._images.get(key)
            if sent is not None:
                self._images.move_to_end(key)
            return sent

    def put(self, key: Hashable, sent: Sent) -> None:
        """Keep an image; what is larger than all the room there is, is not kept."""
        size = len(sent.source.data)
        if size > self.most:
            return
        with self._lock:
            old = self._images.pop(key, None)
            self._size += size - (len(old.source.data) if old else 0)
            self._images[key] = sent
            while self._size > self.most:
                _, oldest = self._images.popitem(last=False)
                self._size -= len(oldest.source.data)


# Of the process: pipelines come and go, and the pictures of a chat stay the same.
KEPT: Final = Kept(64 * 1024 * 1024)
