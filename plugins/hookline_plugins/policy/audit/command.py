"""``hookline audit``: verify, show and export what was recorded."""

import json
import re
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline import ConfigError
from hookline_plugins.policy.audit.chain import Broken, Chain, Damaged, Sealed
from hookline_plugins.policy.audit.jsonl import line_of
from hookline_plugins.policy.audit.logs import Log

__all__ = ["command_of"]

_EXPECTED: Final = re.compile(r"(\d+):([0-9a-f]{64})")
_COLUMNS: Final = ("NUMBER", "TIME", "WHO", "SURFACE", "MODEL", "OUTCOME", "TOKENS", "COST")
_NAMES: Final = frozenset(
    ("time", "user", "team", "surface", "model", "answered_by", "outcome", "error", "usage", "cost")
)
_CONTROLS: Final = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "�")


def _noted(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[int, str] | None:
    if value is None:
        return None
    match = _EXPECTED.fullmatch(value)
    if match is None:
        raise click.BadParameter("write NUMBER:SEAL, as `verify` prints it")
    return int(match[1]), match[2]


def command_of(log: Log, chain: Chain) -> click.Command:
    """Return the commands over a log.

    Args:
        log: with the records.
        chain: that sealed them.

    """

    @click.group("audit")
    def audit() -> None:
        """Verify, show and export the records of turns.

        The log is that of the settings ([plugins.audit] in the file that HOOKLINE_CONFIG names, or in
        the policy).
        """

    @audit.command()
    @click.option(
        "--noted",
        metavar="NUMBER:SEAL",
        callback=_noted,
        help="A seal that was noted before: shows whether records at the end have gone.",
    )
    @click.option("as_json", "--json", is_flag=True, help="Print one JSON document instead.")
    def verify(*, noted: tuple[int, str] | None, as_json: bool) -> None:
        """Check every record; exit with 1 where the chain is broken."""
        last, problem = _verified(log, chain, noted)
        number, seal = (0, "") if last is None else (last.number, last.seal)
        if as_json:
            told = {"whole": not problem, "records": number, "seal": seal, "problem": problem}
            print(json.dumps(told, indent=2))  # noqa: T201 -- a command
        elif problem:
            print(f"BROKEN after {number} records: {problem}")  # noqa: T201 -- a command
        else:
            print(f"whole: {number} records{f', the last {number}:{seal}' if seal else ''}")  # noqa: T201 -- a command
        click.get_current_context().exit(1 if problem else 0)

    @audit.command()
    @click.option("--last", default=20, type=click.IntRange(1), help="How many; 20 by default.")
    @click.option("--user", help="Those of one user.")
    @click.option("as_json", "--json", is_flag=True, help="Print one JSON document instead.")
    def show(last: int, user: str | None, *, as_json: bool) -> None:
        """Show the last records."""
        wanted = deque(_of(log, user), maxlen=last)
        if as_json:
            print(json.dumps([{"number": n, **record} for n, record in wanted], indent=2))  # noqa: T201 -- a command
        else:
            _draw(wanted)

    @audit.command()
    @click.option("first", "--from", default=1, type=click.IntRange(1), help="The first record.")
    def export(first: int) -> None:
        """Write records as lines of JSON, with their seals."""
        for each in log.records():
            if each.number < first:
                continue
            sys.stdout.buffer.write(line_of(each))
        sys.stdout.buffer.flush()

    return audit


def _verified(log: Log, chain: Chain, noted: tuple[int, str] | None) -> tuple[Sealed | None, str]:
    """Return the last record that fits, and what is wrong after it, or with what was noted."""
    last: Sealed | None = None
    found = False
    try:
        for each in chain.checked(log.records()):
            if isinstance(each, Broken):
                return last, f"record {each.number}: {each.why}"
            last = each
            found = found or (each.number, each.seal) == noted
    except Damaged as error:  # a line, or a file, that nobody can read any more
        return last, str(error).removeprefix("audit: ")
    if noted is not None and not found:
        return last, f"record {noted[0]} is missing, or another one than was noted"
    return last, ""


def _of(log: Log, user: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    for each in log.records():
        record = _read(each)
        if user is None or record["user"] == user:
            yield each.number, record


def _read(sealed: Sealed) -> dict[str, Any]:
    """Return what a record says; somebody may have written something else in its place."""
    try:
        record = json.loads(sealed.record)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not record.keys() >= _NAMES:
        raise ConfigError(f"audit: record {sealed.number} is damaged; see `hookline audit verify`")
    return record


def _draw(records: "deque[tuple[int, dict[str, Any]]]") -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in ("TOKENS", "COST") else "left")
    for number, record in records:
        usage, error = record["usage"], record["error"]
        cells = (
            str(number),
            record["time"],
            record["user"] or record["team"] or "-",
            record["surface"],
            record["answered_by"] or record["model"] or "-",
            record["outcome"] + (f" ({error.get('rule') or error['type']})" if error else ""),
            f"{usage['input_tokens']} → {usage['output_tokens']}" if usage else "",
            f"${record['cost']}" if usage and record["cost"] else "",
        )
        # A record may name what a stranger has written: no escape sequences.
        table.add_row(*(Text(cell.translate(_CONTROLS)) for cell in cells))
    Console(highlight=False, markup=False, emoji=False, soft_wrap=True).print(table)
