"""``hookline budget``: what has been spent, and what is left."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

import click
from attrs import asdict, frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline.models import load_models
from hookline_plugins.policy.budget.ledger import Ledger
from hookline_plugins.policy.budget.limits import NANO, Account, Limit, begins
from hookline_plugins.policy.budget.words import in_words

__all__ = ["command_of"]

_WIDTH: Final = 20  # cells of a bar
_COLUMNS: Final[tuple[str, ...]] = (
    "by",
    "subject",
    "per",
    "period",
    "unit",
    "spent",
    "limit",
    "share",
)
_CONTROLS: Final = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "�")


@frozen
class _Line:
    """One account and the limit that holds for it, if one does."""

    account: Account
    spent: int
    limit: int | None

    @property
    def share(self) -> float | None:
        return self.spent / self.limit if self.limit else None

    def to_dict(self) -> dict[str, Any]:
        dollars = self.account.unit == "usd"
        return {
            **asdict(self.account),
            "spent": _number(self.spent, dollars=dollars),
            "limit": None if self.limit is None else _number(self.limit, dollars=dollars),
            "share": None if self.share is None else round(self.share, 4),
        }


def command_of(
    limits: tuple[Limit, ...], ledger: Ledger, clock: Callable[[], float]
) -> click.Command:
    """Return the command that shows a budget's spending.

    Args:
        limits: of the budget.
        ledger: its spending.
        clock: seconds of the Unix epoch.

    """

    @click.command("budget")
    @click.option("as_json", "--json", is_flag=True, help="Print one JSON document instead.")
    @click.option("as_csv", "--csv", is_flag=True, help="Print comma-separated values instead.")
    @click.option("everything", "--all", is_flag=True, help="Periods that are over, too.")
    def command(*, as_json: bool, as_csv: bool, everything: bool) -> None:
        """Show what has been spent, what is reserved included, and the limits.

        The store is that of the settings ([plugins.budget] in the file that HOOKLINE_CONFIG names, or in
        the policy). Days, weeks and months are those of UTC.
        """
        if as_json and as_csv:
            raise click.UsageError("--json and --csv exclude each other.")
        lines = sorted(_lines(limits, ledger, None if everything else clock()), key=_order)
        if as_json:
            print(json.dumps([line.to_dict() for line in lines], indent=2))  # noqa: T201 -- a command
        elif as_csv:
            writer: csv.DictWriter[str] = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(line.to_dict() for line in lines)
        else:
            _draw(lines)

    return command


def _lines(limits: tuple[Limit, ...], ledger: Ledger, now: float | None) -> Iterator[_Line]:
    for account, spent in ledger.spent():
        if now is None or account.period == begins(account.per, now):
            yield _Line(account, spent, _limit_of(account, limits))


def _order(line: _Line) -> tuple[Any, ...]:
    account = line.account
    kind = (account.by, account.per, account.period, account.unit)
    return (*kind, -line.spent, account.subject)


def _limit_of(account: Account, limits: Iterable[Limit]) -> int | None:
    found = [
        allowed
        for limit in limits
        if limit.holds(account, load_models())
        for unit, allowed in limit.amounts()
        if unit == account.unit
    ]
    return min(found, default=None)


def _draw(lines: list[_Line]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    if not lines:
        console.print("nothing has been spent in these periods")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("BY", "WHO", "PERIOD", "SPENT", "LIMIT", "", ""):
        table.add_column(name, justify="right" if name in ("SPENT", "LIMIT") else "left")
    for line in lines:
        account, share = line.account, line.share
        table.add_row(
            account.by,
            # Whoever is spent for may be named by a stranger: no escape sequences.
            Text((account.subject or "-").translate(_CONTROLS)),
            f"{account.per} {account.period}".strip(),
            in_words(line.spent, account.unit),
            "" if line.limit is None else in_words(line.limit, account.unit),
            "" if share is None else _bar(share),
            "" if share is None else f"{share:.0%}",
        )
    console.print(table)


def _bar(share: float) -> str:
    full = min(_WIDTH, round(share * _WIDTH))
    return "█" * full + "░" * (_WIDTH - full)


def _number(amount: int, *, dollars: bool) -> float | int:
    return float(Decimal(amount) / NANO) if dollars else amount
