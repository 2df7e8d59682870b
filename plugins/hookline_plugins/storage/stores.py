"""Where the plugin ``cache`` keeps answers: in memory, or in one SQLite file.

Both hold bytes under a key until they expire, and know nothing of requests or responses.
"""

import hashlib
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from attrs import field, frozen

from hookline import ConfigError, InputError
from hookline_plugins.storage.database import Database, Layout

__all__ = ["MemoryStore", "SQLiteStore", "Store", "set_aside"]

_CLOCK_SKEW: Final = 60.0  # seconds that an entry may seem to come from the future

_LAYOUT: Final = Layout(
    plugin="cache",
    kind="a cache",
    application_id=0x484C4341,  # "HLCA"
    version=1,
    schema=(
        """
        CREATE TABLE entry (
            key BLOB PRIMARY KEY,
            value BLOB NOT NULL,
            digest BLOB NOT NULL,
            stored REAL NOT NULL,
            expires REAL NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX entry_stored ON entry (stored)",
    ),
)


class Store(Protocol):
    """Keeps bytes for a while."""

    blocking: bool

    def get(self, key: bytes) -> bytes | None:
        """Return what is stored under ``key`` and has not expired."""
        ...

    def put(self, key: bytes, value: bytes, ttl: float) -> None:
        """Store ``value`` for ``ttl`` seconds."""
        ...

    def reports(self) -> Iterator[str]:
        """Yield, once, what has gone wrong since the last call."""
        ...

    def open(self) -> None:
        """Keep what is needed from now on ready, until ``close``. A store works without it too."""
        ...

    def close(self) -> None:
        """Let go of what ``open`` keeps; again, or without it, does nothing."""
        ...


@frozen(eq=False)
class MemoryStore:
    """Answers in memory; the one not asked for longest goes first.

    Attributes:
        entries: how many it holds at most.
        max_bytes: how many bytes they have together at most.
        clock: monotonic seconds.

    """

    blocking = False
    entries: int
    max_bytes: int
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[bytes, tuple[bytes, float]] = field(factory=OrderedDict, init=False)
    _size: list[int] = field(factory=lambda: [0], init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def get(self, key: bytes) -> bytes | None:
        """See ``Store.get``."""
        with self._lock:
            value, expires = self._kept.get(key, (b"", 0.0))
            if not value:
                return None
            if expires <= self.clock():
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return value

    def put(self, key: bytes, value: bytes, ttl: float) -> None:
        """See ``Store.put``; what is larger than the whole store is not kept."""
        if len(value) > self.max_bytes:
            return
        with self._lock:
            if key in self._kept:
                self._drop(key)
            self._kept[key] = (value, self.clock() + ttl)
            self._size[0] += len(value)
            while len(self._kept) > self.entries or self._size[0] > self.max_bytes:
                self._drop(next(iter(self._kept)))

    def reports(self) -> Iterator[str]:
        """See ``Store.reports``: nothing goes wrong in memory."""
        return iter(())

    def open(self) -> None:
        """See ``Store.open``: memory is always ready."""

    def close(self) -> None:
        """See ``Store.close``: what is kept stays, for the next pipeline with this store."""

    def _drop(self, key: bytes) -> None:
        value, _ = self._kept.pop(key)
        self._size[0] -= len(value)


class SQLiteStore:
    """Answers in a file that processes may share; the oldest goes first.

    A file that turns out damaged is set aside under another name, reported,
    and a new one begun. Trouble of other kinds (a full disk, a lock) is reported, and the cache
    then simply knows nothing.

    Args:
        path: the file; made with mode 0600, one with wider rights is narrowed to it. Its directory
            must exist.
        entries: how many answers it holds at most.
        max_bytes: how many bytes they have together at most.
        clock: wall-clock seconds, since processes share the file.

    Raises:
        ConfigError: the path cannot be used, or the file is not ours or of a later version.

    """

    blocking = True

    def __init__(
        self, path: str, entries: int, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = Path(path)
        self._file = Database(self._path, _LAYOUT)
        self._entries = entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._reports: list[str] = []
        try:
            with self._healed():
                self._file.check()
        except InputError as error:
            raise ConfigError(f"cache: {error}") from error
        except sqlite3.Error as error:
            raise ConfigError(f"cache: {path} cannot be used: {error}") from error

    def get(self, key: bytes) -> bytes | None:
        """See ``Store.get``."""
        with self._tolerant(), self._file.connection() as db:
            row = db.execute(
                "SELECT value, digest, stored, expires FROM entry WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                return None
            value, digest, stored, expires = row
            now = self._clock()
            if not stored - _CLOCK_SKEW <= now < expires:
                return None
            if _digest(value) != digest:
                raise sqlite3.DatabaseError("an entry differs from its checksum")
            return bytes(value)
        return None

    def put(self, key: bytes, value: bytes, ttl: float) -> None:
        """See ``Store.put``; what is larger than the whole store is not kept."""
        if len(value) > self._max_bytes:
            return
        now = self._clock()
        with self._tolerant(), self._file.writing() as db:
            db.execute("DELETE FROM entry WHERE expires <= ?", (now,))
            db.execute(
                "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)",
                (key, value, _digest(value), now, now + ttl),
            )
            db.execute(_EVICT, (self._entries, self._max_bytes))

    def items(self) -> list[tuple[bytes, bytes]]:
        """Return every key and value that has not expired."""
        with self._tolerant(), self._file.connection() as db:
            rows = db.execute("SELECT key, value FROM entry WHERE expires > ?", (self._clock(),))
            return [(bytes(key), bytes(value)) for key, value in rows]
        return []

    def drop(self, key: bytes) -> None:
        """Forget what is stored under ``key``."""
        with self._tolerant(), self._file.writing() as db:
            db.execute("DELETE FROM entry WHERE key = ?", (key,))

    def reports(self) -> Iterator[str]:
        """See ``Store.reports``."""
        while self._reports:
            yield self._reports.pop(0)

    def open(self) -> None:
        """See ``Store.open``."""
        self._file.open()

    def close(self) -> None:
        """See ``Store.close``."""
        self._file.close()

    @contextmanager
    def _healed(self) -> Iterator[None]:
        """Set a damaged file aside and begin a new one; other errors pass."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._file.drop()
            aside = set_aside(self._path)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self._path}{suffix}").replace(f"{aside}{suffix}")
            self._reports.append(
                f"{self._path} was damaged ({error}); it is now {aside.name}, and a new one begun"
            )
            self._file.check()

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Let no trouble of the file fail a turn that could do without a cache."""
        try:
            with self._healed():
                yield
        except (OSError, sqlite3.Error, ConfigError, InputError) as error:
            self._reports.append(f"{self._path} could not be used: {error}")


# Newest first, keep as long as number and bytes allow; delete the rest.
_EVICT: Final = """
DELETE FROM entry WHERE key IN (
    SELECT key FROM (
        SELECT key,
               row_number() OVER newest AS place,
               sum(length(value)) OVER newest AS size
        FROM entry
        WINDOW newest AS (ORDER BY stored DESC, key ROWS UNBOUNDED PRECEDING)
    ) WHERE place > ? OR size > ?
)
"""


def set_aside(path: Path) -> Path:
    """Rename a damaged file to the first free ``NAME.damaged-N``.

    Args:
        path: the file.

    Returns:
        Its new path.

    """
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    with suppress(FileNotFoundError):  # another process was quicker
        path.replace(aside)
    return aside


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
