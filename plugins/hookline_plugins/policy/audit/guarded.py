"""A file that threads and processes write to one at a time, kept open between two writes."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import field, frozen

from hookline.plugin import secure_file
from hookline_plugins.policy.audit.logs import PATIENCE

if sys.platform == "win32":  # pragma: no cover -- which has no fcntl, and locks in its own way
    import msvcrt
else:
    import fcntl

__all__ = ["Guarded"]

_SHORTEST, _LONGEST = 0.0005, 0.02  # seconds between two looks whether they are done
_KEEPS: Final = sys.platform != "win32"  # which renames no file that is open
_OTHERS: Final = 0o077


@frozen
class _Open:
    """The file that is locked and the file that is written to, opened by this process.

    Attributes:
        pid: of the process; what a fork inherits is shared with its parent, locks too.
        lock: descriptor of the file beside it, which is never put aside.
        log: descriptor of the file.
        known: what tells both files from others that have taken their names.

    """

    pid: int
    lock: int
    log: int
    known: tuple[int, int, int, int]

    def close(self) -> None:
        """Close both, which ends the lock."""
        os.close(self.log)
        os.close(self.lock)


@frozen(eq=False)
class Guarded:
    """A file, and the lock beside it.

    Attributes:
        path: the file; made with mode 0600, one with wider rights is narrowed to it.

    """

    path: str
    _thread: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _kept: list[_Open] = field(factory=list, init=False, repr=False)
    _keeps: threading.Event = field(factory=threading.Event, init=False, repr=False)

    def keep(self) -> None:
        """Keep the files open from now on."""
        if _KEEPS:
            self._keeps.set()

    def let_go(self) -> None:
        """Keep them open no longer."""
        with self._thread:
            self._keeps.clear()
            self._drop()

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Keep other threads and processes out; give the descriptor of the file, to read and append.

        Raises:
            TimeoutError: they have not let go of it.
            InputError: it cannot be opened.

        """
        if not self._thread.acquire(timeout=PATIENCE):
            raise TimeoutError("other threads keep the log")
        try:
            opened = self._locked()
            try:
                yield opened.log
            finally:
                if self._keeps.is_set():
                    _unlock(opened.lock)  # said, since a fork may hold a copy of the descriptor
                else:
                    self._drop()
        finally:
            self._thread.release()

    def _locked(self) -> _Open:
        """Return the files, locked, under the names that they have now."""
        beside = f"{self.path}.lock"
        while True:
            if self._kept and self._kept[0].pid == os.getpid():
                opened = self._kept[0]
                _lock(opened.lock)
                if opened.known == _known(beside, self.path):
                    return opened
            self._drop()
            secure_file(beside)
            lock = os.open(beside, os.O_RDWR)
            try:
                _lock(lock)
                secure_file(self.path)
                log = os.open(self.path, os.O_RDWR | os.O_APPEND)
            except BaseException:
                os.close(lock)
                raise
            info, other = os.fstat(lock), os.fstat(log)
            known = info.st_dev, info.st_ino, other.st_dev, other.st_ino
            self._kept.append(_Open(os.getpid(), lock, log, known))
            if known == _known(beside, self.path):
                return self._kept[0]

    def _drop(self) -> None:
        while self._kept:
            self._kept.pop().close()


def _known(beside: str, path: str) -> tuple[int, int, int, int] | None:
    """Return what stands under two names; None where one is missing, or others may read the second."""
    try:
        info, other = os.stat(beside), os.stat(path)  # noqa: PTH116 -- asked before every record
    except FileNotFoundError:
        return None
    if other.st_mode & _OTHERS and os.name == "posix":
        return None
    return info.st_dev, info.st_ino, other.st_dev, other.st_ino


def _lock(descriptor: int) -> None:
    """Lock a file, as soon as nobody else does.

    Raises:
        TimeoutError: somebody does for too long.

    """
    until, pause = time.monotonic() + PATIENCE, _SHORTEST
    while True:
        try:
            if sys.platform == "win32":  # pragma: no cover -- see the imports
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= until:
                raise TimeoutError("another process keeps the log locked") from None
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST)
        else:
            return


def _unlock(descriptor: int) -> None:
    if sys.platform != "win32":  # where the file is closed after every write, which unlocks it
        fcntl.flock(descriptor, fcntl.LOCK_UN)
