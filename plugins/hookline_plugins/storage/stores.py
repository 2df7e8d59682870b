"""Where the plugin ``cache`` keeps answers: in memory, or in one SQLite file.

Both hold bytes under a key until they expire, and know nothing of requests or responses.
"""

import hashlib
import os
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from attrs import field, frozen

from hookline import ConfigError, InputError
from hookline.plugin import secure_file

__all__ = ["MemoryStore", "SQLiteStore", "Store", "file_path", "set_aside"]

_VERSION: Final = 1
_OURS: Final = 0x484C4341  # "HLCA": tells our file from somebody's database
_BUSY_SECONDS: Final = 5.0
_CLOCK_SKEW: Final = 60.0  # seconds that an entry may seem to come from the future

_SCHEMA: Final = """
CREATE TABLE entry (
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL,
    digest BLOB NOT NULL,
    stored REAL NOT NULL,
    expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX entry_stored ON entry (stored);
"""


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


@frozen
class _Kept:
    """A connection that stays open, and what it was made for."""

    db: sqlite3.Connection
    pid: int
    inode: tuple[int, int] | None

    def good(self, path: Path) -> bool:
        """Tell whether it was made in this process, and for the file that stands there now."""
        return self.pid == os.getpid() and self.inode == _inode(path)


def _inode(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one that has taken its name."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return None
    return info.st_dev, info.st_ino


class SQLiteStore:
    """Answers in a file that processes may share; the oldest goes first.

    Between ``open`` and ``close`` one connection is kept; before and after, every operation opens
    the file for itself. After a fork, and where another process has set the file aside, a new
    connection is made. A file that turns out damaged is set aside under another name, reported,
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
        self._entries = entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.RLock()
        self._reports: list[str] = []
        self._kept: _Kept | None = None
        self._inherited: list[_Kept] = []
        self._keeps = False
        try:
            with self._healed():
                self._check()
        except InputError as error:
            raise ConfigError(f"cache: {path}: {error}") from error
        except sqlite3.Error as error:
            raise ConfigError(f"cache: {path} cannot be used: {error}") from error

    def get(self, key: bytes) -> bytes | None:
        """See ``Store.get``."""
        with self._tolerant(), self._connection() as db:
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
        with self._tolerant(), self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM entry WHERE expires <= ?", (now,))
            db.execute(
                "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)",
                (key, value, _digest(value), now, now + ttl),
            )
            db.execute(_EVICT, (self._entries, self._max_bytes))
            db.execute("COMMIT")

    def items(self) -> list[tuple[bytes, bytes]]:
        """Return every key and value that has not expired."""
        with self._tolerant(), self._connection() as db:
            rows = db.execute("SELECT key, value FROM entry WHERE expires > ?", (self._clock(),))
            return [(bytes(key), bytes(value)) for key, value in rows]
        return []

    def drop(self, key: bytes) -> None:
        """Forget what is stored under ``key``."""
        with self._tolerant(), self._connection() as db:
            db.execute("DELETE FROM entry WHERE key = ?", (key,))

    def reports(self) -> Iterator[str]:
        """See ``Store.reports``."""
        while self._reports:
            yield self._reports.pop(0)

    def open(self) -> None:
        """See ``Store.open``."""
        self._keeps = True

    def close(self) -> None:
        """See ``Store.close``."""
        with self._lock:
            self._keeps = False
            self._drop()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Give the connection that is kept, or one for this time only."""
        if not self._keeps:
            with closing(self._open()) as db:
                yield db
            return
        with self._lock:
            if self._kept is None or not self._kept.good(self._path):
                self._drop()
                self._kept = _Kept(self._open(), os.getpid(), _inode(self._path))
            db = self._kept.db
            try:
                yield db
            finally:
                if db.in_transaction:  # whatever broke off must not lock out everybody else
                    db.execute("ROLLBACK")

    def _drop(self) -> None:
        kept, self._kept = self._kept, None
        if kept is None:
            return
        if kept.pid == os.getpid():
            kept.db.close()
        else:  # SQLite forbids to use, and so to close, what a fork inherited
            self._inherited.append(kept)

    def _open(self) -> sqlite3.Connection:
        # SQLite would make the file with the umask's rights; its journals take those of the file.
        secure_file(self._path)
        db = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._found(db)
        except BaseException:
            db.close()
            raise
        return db

    def _found(self, db: sqlite3.Connection) -> None:
        """Make the tables in an empty file; refuse somebody else's database."""
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:  # nobody was quicker
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise ConfigError(
                    f"cache: {self._path} is a database, but not a cache of Hookline; "
                    "choose another path"
                )
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {_OURS}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")

    def _check(self) -> None:
        with closing(self._open()) as db:
            if db.execute("PRAGMA application_id").fetchone()[0] != _OURS:
                raise ConfigError(
                    f"cache: {self._path} is a database, but not a cache of Hookline; "
                    "choose another path"
                )
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != _VERSION:
                raise ConfigError(
                    f"cache: {self._path} has version {version}, and this Hookline reads version "
                    f"{_VERSION}; choose another path, or delete the file"
                )
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)

    @contextmanager
    def _healed(self) -> Iterator[None]:
        """Set a damaged file aside and begin a new one; other errors pass."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            with self._lock:
                self._drop()
                aside = set_aside(self._path)
                for suffix in ("-wal", "-shm"):
                    with suppress(FileNotFoundError):
                        Path(f"{self._path}{suffix}").replace(f"{aside}{suffix}")
            self._reports.append(
                f"{self._path} was damaged ({error}); it is now {aside.name}, and a new one begun"
            )
            self._check()

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


def file_path(path: str | os.PathLike[str]) -> str:
    """Return a path as text; what options called ``path`` are converted with."""
    return os.fspath(path)


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
