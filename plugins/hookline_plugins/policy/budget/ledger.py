"""Where spending is added up: reserved before, settled after, and right whatever dies in between.

A reservation counts as spent from the moment on that it is made, with the most that the attempt may
take; settling it corrects that to what it took. So a process that is killed in between leaves
the worst case behind, never a hole. Its lease says until when a reservation may still be settled.
"""

import math
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, Protocol

from attrs import field, frozen

from hookline import InputError
from hookline_plugins.policy.budget.limits import Account
from hookline_plugins.storage.database import Database, Layout

__all__ = ["Charge", "Exceeded", "Ledger", "SQLiteLedger", "new_id"]

_KEPT_SECONDS: Final = 400 * 86_400.0  # of periods that are over, for reports


@frozen
class Charge:
    """What an attempt may take of one account.

    Attributes:
        account: whose.
        amount: the most that it may take.
        limit: what the account may come to.
        warn_at: what it may come to without a warning.

    """

    account: Account
    amount: int
    limit: int
    warn_at: int


@frozen
class Exceeded:
    """There is not enough left.

    Attributes:
        charge: the one that does not fit.
        spent: what the account has come to, reservations included.

    """

    charge: Charge
    spent: int


def new_id() -> str:
    """Return a name for a reservation that nobody else gives to one."""
    return uuid.uuid4().hex


class Ledger(Protocol):
    """Adds up spending. What each method does is done at once, or not at all."""

    def reserve(
        self, reservation: str, charges: Sequence[Charge], lease: float
    ) -> Exceeded | tuple[int, ...]:
        """Charge all accounts, if every one of them has room.

        Args:
            reservation: its name.
            charges: for each account.
            lease: seconds in which it will be settled.

        Returns:
            What each account has come to, or the first that has no room.

        """
        ...

    def settle(self, reservation: str, amounts: Sequence[int]) -> bool:
        """Correct what was reserved to what was taken.

        Args:
            reservation: its name.
            amounts: for each charge, in their order.

        Returns:
            Whether there was something to settle: a second time, or after the lease, there is not.

        """
        ...

    def spent(self) -> Iterable[tuple[Account, int]]:
        """Return what every account has come to.

        Raises:
            InputError: it cannot be read.

        """
        ...

    def open(self) -> None:
        """Keep what is needed from now on ready, until ``close``."""
        ...

    def close(self) -> None:
        """Let go of what ``open`` keeps."""
        ...


_LAYOUT: Final = Layout(
    plugin="budget",
    kind="a budget",
    application_id=0x484C4255,  # "HLBU"
    version=1,
    schema=(
        """
        CREATE TABLE account (
            subject_of TEXT NOT NULL,
            subject TEXT NOT NULL,
            per TEXT NOT NULL,
            period TEXT NOT NULL,
            unit TEXT NOT NULL,
            spent INTEGER NOT NULL,
            touched REAL NOT NULL,
            PRIMARY KEY (subject_of, subject, per, period, unit)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE reservation (
            id TEXT NOT NULL,
            place INTEGER NOT NULL,
            subject_of TEXT NOT NULL,
            subject TEXT NOT NULL,
            per TEXT NOT NULL,
            period TEXT NOT NULL,
            unit TEXT NOT NULL,
            amount INTEGER NOT NULL,
            expires REAL NOT NULL,
            PRIMARY KEY (id, place)
        ) WITHOUT ROWID
        """,
    ),
)
_ACCOUNT: Final = "subject_of = ? AND subject = ? AND per = ? AND period = ? AND unit = ?"
_CHARGED: Final = (
    "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, touched = excluded.touched "
    "WHERE spent + excluded.spent <= ? RETURNING spent"
)
_SPENT: Final = f"SELECT spent FROM account WHERE {_ACCOUNT}"  # noqa: S608 -- a constant
_CORRECTED: Final = f"UPDATE account SET spent = spent + ? WHERE {_ACCOUNT}"  # noqa: S608 -- a constant
_RESERVED: Final = "INSERT OR REPLACE INTO reservation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SETTLED: Final = (
    "DELETE FROM reservation WHERE id = ? AND expires > ? "
    "RETURNING place, subject_of, subject, per, period, unit, amount"
)
_account: Final = attrgetter("by", "subject", "per", "period", "unit")
_LARGEST: Final = 2**63 - 1  # integer of SQLite
_SWEPT_SECONDS: Final = 60.0  # between two looks for reservations whose lease is over


@frozen(eq=False)
class SQLiteLedger:
    """Spending in one file that threads and processes share.

    Attributes:
        path: the file; its directory must exist.
        clock: seconds of the Unix epoch.
        patience: seconds that others may keep the file from us.

    """

    path: str
    clock: Callable[[], float] = time.time
    patience: float = 2.0
    _file: Database = field(init=False, repr=False)
    _swept: list[float] = field(factory=lambda: [-math.inf], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_file", Database(self.path, _LAYOUT, self.patience))

    def reserve(
        self, reservation: str, charges: Sequence[Charge], lease: float
    ) -> Exceeded | tuple[int, ...]:
        """See ``Ledger.reserve``."""
        now = self.clock()
        totals: list[int] = []
        with self._file.writing() as db:
            for place, charge in enumerate(charges):
                account, amount = _account(charge.account), charge.amount
                rows = None
                if amount <= charge.limit:  # an account that is not there yet is not added to
                    limit = min(charge.limit, _LARGEST)
                    rows = db.execute(_CHARGED, (*account, amount, now, limit)).fetchall()
                if not rows:
                    row = db.execute(_SPENT, account).fetchone()
                    db.execute("ROLLBACK")
                    return Exceeded(charge, row[0] if row else 0)
                totals.append(rows[0][0])
                db.execute(_RESERVED, (reservation, place, *account, amount, now + lease))
            self._sweep(db, now)
        return tuple(totals)

    def settle(self, reservation: str, amounts: Sequence[int]) -> bool:
        """See ``Ledger.settle``."""
        with self._file.writing() as db:
            rows = db.execute(_SETTLED, (reservation, self.clock())).fetchall()
            for place, *account, reserved in rows:
                if amounts[place] != reserved:
                    db.execute(_CORRECTED, (amounts[place] - reserved, *account))
        return bool(rows)

    def _sweep(self, db: sqlite3.Connection, now: float) -> None:
        """Forget, now and then, reservations that nobody can settle any more."""
        if now >= self._swept[0] + _SWEPT_SECONDS or now < self._swept[0]:
            self._swept[0] = now
            db.execute("DELETE FROM reservation WHERE expires <= ?", (now,))

    def spent(self) -> Iterator[tuple[Account, int]]:
        """See ``Ledger.spent``."""
        try:
            with self._file.connection() as db:
                rows = db.execute("SELECT * FROM account").fetchall()
        except sqlite3.Error as error:
            raise InputError(f"budget: {self.path} cannot be read: {error}") from error
        for by, subject, per, period, unit, spent, _ in rows:
            yield Account(by, subject, per, period, unit), spent

    def open(self) -> None:
        """See ``Ledger.open``; forgets periods that were over a year ago."""
        self._file.check()
        self._file.open()
        with self._file.writing() as db:
            db.execute(
                "DELETE FROM account WHERE per <> 'total' AND touched < ?",
                (self.clock() - _KEPT_SECONDS,),
            )

    def close(self) -> None:
        """See ``Ledger.close``."""
        self._file.close()
