"""What keeps sealed records: a table of SQLite."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from attrs import field, frozen

from hookline import InputError
from hookline_plugins.policy.audit.chain import START, Chain, Damaged, Sealed
from hookline_plugins.storage.database import Database, Layout

__all__ = ["NO_LOG", "PATIENCE", "Log", "SQLiteLog"]

NO_LOG: Final = "audit: there is no log at {}; it is begun with the first turn"

PATIENCE: Final = 30.0
"""Seconds that others may write: a turn has been paid for when its record is kept, and many may end at once."""


class Log(Protocol):
    """Keeps records, in order, for ever. Many threads and processes may append at once."""

    def append(self, record: bytes) -> Sealed:
        """Seal a record and keep it; when this returns, it is kept.

        Args:
            record: JSON.

        """
        ...

    def records(self) -> Iterator[Sealed]:
        """Yield all records, the first one first.

        Raises:
            InputError: there is no log here; a path that is wrong must not look like one that is whole.
            Damaged: it is that, or no log at all.

        """
        ...

    def open(self) -> None:
        """Keep what is needed from now on ready, until ``close``."""
        ...

    def close(self) -> None:
        """Let go of what ``open`` keeps."""
        ...


_SCHEMA: Final = (
    """
    CREATE TABLE record (
        number INTEGER PRIMARY KEY,
        seal TEXT NOT NULL,
        record BLOB NOT NULL
    )
    """,
    # No lock against somebody who means it, whom the chain shows; one against a slip.
    """
    CREATE TRIGGER record_stays BEFORE DELETE ON record
    BEGIN SELECT RAISE(ABORT, 'records of an audit are not deleted'); END
    """,
    """
    CREATE TRIGGER record_is_final BEFORE UPDATE ON record
    BEGIN SELECT RAISE(ABORT, 'records of an audit are not changed'); END
    """,
)


@frozen(eq=False)
class SQLiteLog:
    """Records in one SQLite file.

    Attributes:
        path: the file; its directory must exist.
        chain: seals them.
        fsync: whether a record is on the disk, and not only with the operating system, when it is kept.

    """

    path: str
    chain: Chain
    fsync: bool = True
    _file: Database = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        layout = Layout(
            plugin="audit",
            kind="an audit log",
            application_id=0x484C4155,  # "HLAU"
            version=1,
            schema=_SCHEMA,
            synchronous="FULL" if self.fsync else "NORMAL",
        )
        object.__setattr__(self, "_file", Database(self.path, layout, PATIENCE))

    def append(self, record: bytes) -> Sealed:
        """See ``Log.append``."""
        with self._file.writing() as db:
            last = db.execute(
                "SELECT number, seal FROM record ORDER BY number DESC LIMIT 1"
            ).fetchone()
            number, before = last or (0, START)
            sealed = self.chain.seal(before, number + 1, record)
            db.execute("INSERT INTO record VALUES (?, ?, ?)", (sealed.number, sealed.seal, record))
        return sealed

    def records(self) -> Iterator[Sealed]:
        """See ``Log.records``."""
        if self.path and not Path(self.path).exists():
            raise InputError(NO_LOG.format(self.path))
        try:
            with self._file.connection() as db:
                for number, seal, record in db.execute(
                    "SELECT number, CAST(seal AS TEXT), CAST(record AS BLOB) FROM record ORDER BY number"
                ):
                    yield Sealed(number, seal or "", record or b"")
        except sqlite3.Error as error:
            raise Damaged(f"audit: {self.path} is damaged, or no log: {error}") from error

    def open(self) -> None:
        """See ``Log.open``."""
        self._file.check()
        self._file.open()

    def close(self) -> None:
        """See ``Log.close``."""
        self._file.close()
