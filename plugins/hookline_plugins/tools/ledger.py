"""What has run of turns that were resumed, so that nobody runs it again: in one SQLite file, or in memory.

Before a call runs, that it begins is written down; after it, its result. A process that is killed in between
leaves a call that was begun and has no result: it may have run or not, which only a person can find out.
Once the model has answered the results, its next calls are written down too, so that who resumes with what
was pending first goes on where the turn has come to.
"""

import os
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, cast

from attrs import field, frozen

from hookline import ConfigError, InputError, Reply, ToolResultBlock, ToolUseBlock
from hookline.plugin import state_folder
from hookline.wire import (
    dumps,
    loads,
    structure_block,
    structure_message,
    structure_response,
    unstructure,
)
from hookline_plugins.storage.database import Database, Layout

__all__ = ["Known", "Ledger", "in_file", "in_memory", "may_have_run", "opened"]

_KEPT_SECONDS: Final = 30 * 86_400.0
_IN_FILE: Final = 100_000  # calls and steps that are kept; the oldest go first
_IN_MEMORY: Final = 1_000

_SCHEMA: Final = (
    """
    CREATE TABLE call (
        pending TEXT NOT NULL,
        id TEXT NOT NULL,
        result TEXT,
        who TEXT NOT NULL,
        at REAL NOT NULL,
        UNIQUE (pending, id)
    )
    """,
    "CREATE INDEX call_at ON call (at)",
    """
    CREATE TABLE step (
        after TEXT NOT NULL UNIQUE,
        pending TEXT NOT NULL,
        kept INTEGER NOT NULL,
        messages TEXT NOT NULL,
        response TEXT NOT NULL,
        at REAL NOT NULL
    )
    """,
    "CREATE INDEX step_at ON step (at)",
)
_LAYOUT: Final = Layout(
    plugin="tools",
    kind="a ledger of tool calls",
    application_id=0x484C544C,  # "HLTL"
    version=1,
    schema=_SCHEMA,
    synchronous="FULL",  # what has run has run, whatever becomes of the machine
)


@frozen
class Known:
    """What is known of a turn that waits.

    Attributes:
        results: of calls that have run, by call id.
        begun: calls of which only that is known: when and by which process, by call id.

    """

    results: Mapping[str, ToolResultBlock]
    begun: Mapping[str, str]


class _Store(Protocol):
    """Where the tables are."""

    def close(self) -> None: ...
    def writing(self) -> AbstractContextManager[sqlite3.Connection]: ...


class _Memory:
    """Tables that live as long as whoever has them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._db.close)
        for statement in _SCHEMA:
            self._db.execute(statement)

    def close(self) -> None:
        """Nothing is to be closed before the end."""

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection; nobody else has it meanwhile."""
        with self._lock:
            yield self._db


@frozen(eq=False)
class Ledger:
    """What has run of turns that were resumed. Its methods block.

    Attributes:
        where: for messages.
        durable: whether it outlives this process.

    """

    where: str
    durable: bool
    _store: _Store = field(repr=False, alias="store")
    _most: int = field(repr=False, alias="most")
    clock: Callable[[], float] = time.time

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def known(self, pending: str) -> Known:
        """Return what is known of the calls of a turn that waits.

        Args:
            pending: its ``pending_id``.

        Raises:
            InputError: the ledger cannot be read.

        """
        with self._transaction() as db:
            rows = db.execute(
                "SELECT id, result, who FROM call WHERE pending = ?", (pending,)
            ).fetchall()
        results = {call: _result(text) for call, text, _ in rows if text is not None}
        return Known(results, {call: who for call, text, who in rows if text is None})

    def begin(
        self, pending: str, call: ToolUseBlock, *, again: bool = False
    ) -> ToolResultBlock | None:
        """Write down that a call begins.

        Args:
            pending: the ``pending_id`` of the reply that asks for it.
            call: the call.
            again: whether it may have run before.

        Returns:
            Its result, where somebody else has run it meanwhile; then it is not to be run.

        Raises:
            InputError: it was begun, and no result is known; or the ledger cannot be written. Then the call
                is not to be run.

        """
        now = self.clock()
        with self._transaction() as db:
            row = db.execute(
                "SELECT result, who FROM call WHERE pending = ? AND id = ?", (pending, call.id)
            ).fetchone()
            if row is not None and row[0] is not None:
                return _result(row[0])
            if row is not None and not again:
                raise may_have_run(call, row[1])
            db.execute(
                "INSERT OR REPLACE INTO call VALUES (?, ?, NULL, ?, ?)",
                (pending, call.id, _here(now), now),
            )
            self._prune(db, now)
        return None

    def done(self, pending: str, call: str, result: ToolResultBlock) -> None:
        """Write down the result of a call.

        Args:
            pending: as for ``begin``.
            call: its id.
            result: what came of it.

        Raises:
            InputError: the ledger cannot be written; who asks again is told that the call was begun.

        """
        text = dumps(unstructure(result)).decode()
        with self._transaction() as db:
            db.execute(
                "UPDATE call SET result = ? WHERE pending = ? AND id = ?",
                (text, pending, call),
            )

    def went_on(self, before: Reply, reply: Reply) -> None:
        """Write down that the model has seen the results of a turn that waited, and what it wants next.

        Args:
            before: the reply that waited, or that came of it.
            reply: the next one.

        Raises:
            InputError: somebody else has gone on from there meanwhile, or the ledger cannot be written.

        """
        old, new = before.messages, reply.request.messages
        same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
        kept = min(len(old), len(new)) if same is None else same
        now = self.clock()
        row = (
            before.pending_id,
            reply.pending_id,
            kept,
            dumps([unstructure(message) for message in new[kept:]]).decode(),
            dumps(unstructure(reply.response)).decode(),
            now,
        )
        with self._transaction() as db:
            found = db.execute(
                "INSERT OR IGNORE INTO step VALUES (?, ?, ?, ?, ?, ?) RETURNING 1", row
            ).fetchone()
            self._prune(db, now)
        if found is None:
            raise InputError(
                "somebody else has gone on with this turn meanwhile; resume it once more to go on from there"
            )

    def next(self, reply: Reply) -> Reply | None:
        """Return where a turn has come to that went on from a reply; None if it did not.

        Raises:
            InputError: the ledger cannot be read.

        """
        with self._transaction() as db:
            row = db.execute(
                "SELECT pending, kept, messages, response FROM step WHERE after = ?",
                (reply.pending_id,),
            ).fetchone()
        if row is None:
            return None
        pending, kept, messages, response = row
        more = [structure_message(each) for each in loads(messages)]
        return reply.evolve(
            pending_id=pending,
            request=reply.request.evolve(messages=(*reply.messages[:kept], *more)),
            response=structure_response(loads(response)),
            tool_results=(),
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._store.writing() as db:
                yield db
        except sqlite3.Error as error:
            raise InputError(
                f"tools: the ledger {self.where} cannot be used: {error}; "
                "Tools(ledger=…) takes another path, or False"
            ) from error

    def _prune(self, db: sqlite3.Connection, now: float) -> None:
        for table in ("call", "step"):
            db.execute(
                f"DELETE FROM {table} WHERE at < ? OR rowid <= (SELECT max(rowid) FROM {table}) - ?",  # noqa: S608 -- constants
                (now - _KEPT_SECONDS, self._most),
            )


def in_file(path: Path) -> Ledger:
    """Return the ledger in a file that all processes of a user share.

    Args:
        path: the file; its directory is made where it is not there.

    Raises:
        ConfigError: it is somebody else's file, or cannot be used.

    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = Database(path, _LAYOUT)
        store.check()
        store.open()
        with store.writing():
            pass  # it can be written
    except (OSError, InputError, sqlite3.Error) as error:
        raise ConfigError(f"tools: the ledger {path} cannot be used: {error}") from error
    return Ledger(where=str(path), durable=True, store=store, most=_IN_FILE)


def opened(where: bool | str) -> tuple[Ledger, str]:  # noqa: FBT001 -- the value of an option
    """Return the ledger that the option ``ledger`` asks for, and what there is to say about it.

    Args:
        where: True for the user's, as far as it can be used; a path; False for none that outlives the process.

    Raises:
        ConfigError: the path cannot be used.

    """
    if where is False:
        return in_memory(), ""
    if where is not True:
        return in_file(Path(where)), ""
    try:
        return in_file(state_folder() / "tool-calls.sqlite3"), ""
    except ConfigError as error:
        return in_memory(), f"what has run is remembered by this process alone: {error}"


def in_memory() -> Ledger:
    """Return a ledger that lives as long as it is held."""
    return Ledger(where="in memory", durable=False, store=_Memory(), most=_IN_MEMORY)


def may_have_run(call: ToolUseBlock, who: str) -> InputError:
    """Return what says that a call was begun and did not end, and what can be done."""
    return InputError(
        f"{call.name} ({call.id}) was begun {who}, and no result of it is known: it is at work still, or it "
        "was broken off and has run or not. Look what has come of it and decide: {'result': text} if it has "
        "run, 'again' to run it nevertheless, {'refuse': reason} to do without"
    )


def _result(text: str) -> ToolResultBlock:
    return cast("ToolResultBlock", structure_block(loads(text)))


def _here(now: float) -> str:
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{at} by process {os.getpid()} on {socket.gethostname()}"
