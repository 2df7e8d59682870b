"""One SQLite file of ours: made with its tables, kept open or not, safe across threads, forks and processes."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from attrs import field, frozen

from hookline import ConfigError
from hookline.plugin import secure_file

__all__ = ["Database", "Layout"]

_BUSY_SECONDS: Final = 5.0
_PAGE: Final = 1024  # bytes: our rows are short, and each page that one touches is written whole


@frozen(kw_only=True)
class Layout:
    """What a file of one kind holds.

    Attributes:
        plugin: whose file it is, for messages.
        kind: what it is, for messages: ``"a cache"``.
        application_id: tells our file from somebody's database.
        version: of the tables.
        schema: the statements that make them.
        synchronous: what is on the disk when a transaction ends: ``"NORMAL"`` survives the death of
            the process, ``"FULL"`` that of the machine.

    """

    plugin: str
    kind: str
    application_id: int
    version: int
    schema: tuple[str, ...]
    synchronous: str = "NORMAL"


@frozen
class _Kept:
    """A connection that stays open, and what it was made for."""

    db: sqlite3.Connection
    pid: int
    inode: tuple[int, int] | None

    def good(self, name: str) -> bool:
        """Tell whether it was made in this process, and for the file that stands there now."""
        return self.pid == os.getpid() and self.inode == _inode(name)


def _inode(name: str) -> tuple[int, int] | None:
    """Return what tells a file from another one that has taken its name."""
    try:
        info = os.stat(name)  # noqa: PTH116 -- asked before every transaction
    except FileNotFoundError:
        return None
    return info.st_dev, info.st_ino


@frozen(eq=False)
class Database:
    """A file, and the one connection that is kept to it between ``open`` and ``close``.

    Before and after, every operation opens the file for itself. After a fork, and where another
    process has put another file in its place, a new connection is made.

    Attributes:
        path: the file; made with mode 0600, one with wider rights is narrowed to it. Its directory
            must exist.
        layout: what it holds.
        patience: seconds that others may keep it from us: threads of this process, and other ones.

    """

    path: Path = field(converter=Path)
    layout: Layout
    patience: float = field(factory=lambda: _BUSY_SECONDS)
    _name: str = field(init=False, repr=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False, repr=False)
    _kept: list[_Kept] = field(factory=list, init=False, repr=False)
    _inherited: list[_Kept] = field(factory=list, init=False, repr=False)
    _keeps: threading.Event = field(factory=threading.Event, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_name", os.fspath(self.path))

    def open(self) -> None:
        """Keep a connection from now on."""
        self._keeps.set()

    def close(self) -> None:
        """Keep none; again, or without ``open``, does nothing."""
        with self._lock:
            self._keeps.clear()
            self.drop()

    def drop(self) -> None:
        """Let go of the connection that is kept; the next operation makes another."""
        with self._lock:
            while self._kept:
                kept = self._kept.pop()
                if kept.pid == os.getpid():
                    kept.db.close()
                else:  # SQLite forbids to use, and so to close, what a fork inherited
                    self._inherited.append(kept)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Give the connection that is kept, or one for this time only; nobody else has it meanwhile.

        Raises:
            ConfigError: the file is somebody else's.
            InputError: it cannot be opened.
            sqlite3.Error: it cannot be used.

        """
        if not self._keeps.is_set():
            with closing(self._opened()) as db:
                yield db
            return
        if not self._lock.acquire(timeout=self.patience):
            raise sqlite3.OperationalError("other threads keep the database")
        try:
            if not self._kept or not self._kept[0].good(self._name):
                self.drop()
                self._kept.append(_Kept(self._opened(), os.getpid(), _inode(self._name)))
            db = self._kept[0].db
            try:
                yield db
            finally:
                if db.in_transaction:  # whatever broke off must not lock out everybody else
                    db.execute("ROLLBACK")
        finally:
            self._lock.release()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside of a transaction that nobody else writes beside, ended at the end."""
        with self.connection() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            if db.in_transaction:
                db.execute("COMMIT")

    def check(self) -> None:
        """Look whether the file is ours, of this version, and whole.

        Raises:
            ConfigError: it is somebody else's, or of another version.
            InputError: it cannot be opened.
            sqlite3.Error: it is damaged, or cannot be used.

        """
        layout = self.layout
        with closing(self._opened()) as db:
            if db.execute("PRAGMA application_id").fetchone()[0] != layout.application_id:
                raise self._not_ours()
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != layout.version:
                raise ConfigError(
                    f"{layout.plugin}: {self.path} has version {version}, and this Hookline reads "
                    f"version {layout.version}; choose another path, or delete the file"
                )
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)

    def _opened(self) -> sqlite3.Connection:
        if self.path == Path():  # of the empty text
            plugin = self.layout.plugin
            raise ConfigError(f"{plugin}: say where its file lies: path under [plugins.{plugin}]")
        # SQLite would make the file with the umask's rights; its journals take those of the file.
        secure_file(self.path)
        db = sqlite3.connect(
            self.path, timeout=self.patience, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute(f"PRAGMA synchronous = {self.layout.synchronous}")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._found(db)
        except BaseException:
            db.close()
            raise
        return db

    def _found(self, db: sqlite3.Connection) -> None:
        """Make the tables in an empty file; refuse somebody else's database."""
        db.execute(f"PRAGMA page_size = {_PAGE}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:  # nobody was quicker
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise self._not_ours()
            for statement in self.layout.schema:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {self.layout.application_id}")
            db.execute(f"PRAGMA user_version = {self.layout.version}")
        db.execute("COMMIT")

    def _not_ours(self) -> ConfigError:
        return ConfigError(
            f"{self.layout.plugin}: {self.path} is a database, but not {self.layout.kind} of "
            "Hookline; choose another path"
        )
