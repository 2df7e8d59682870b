"""``hookline modernize``: what the plugin does to turns, done to files."""

import datetime as dt
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from attrs import define, field, frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text as Line

from hookline import DecodeError, InputError
from hookline.models import load_models
from hookline_plugins.modernize import files
from hookline_plugins.modernize.modern import NEWEST_VERSION, Wanted, modernized_json
from hookline_plugins.modernize.rules import Change
from hookline_plugins.modernize.scripts import places_in

__all__ = ["command"]

_NOTHING, _UNREADABLE, _NEEDED = 0, 2, 3
_VERSIONS: Final = (NEWEST_VERSION, "2023-06-01")
_STDIN: Final = "-"
_LEAST_WIDTH: Final = (
    200  # columns of a table that nobody looks at: a script must not meet line breaks
)
_CONTROLS: Final = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "�")
_EPILOG: Final = (
    "\b\nExamples:\n  hookline modernize requests.jsonl\n  hookline modernize src/ --model claude-opus-5-5"
    "\n  hookline modernize request.json --write\n  cat request.json | hookline modernize - --write > new.json"
)


@frozen
class _Row:
    """One line of the report.

    Attributes:
        path: the file.
        line: the line in it; 0 in a file that is one document.
        where: the place in the document.
        change: what there is to change.

    """

    path: str
    line: int
    where: str
    change: Change

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def needed(self) -> bool:
        """Whether the request is refused as it is; a prefill is another plugin's business."""
        return self.change.done or self.change.rule == "model"

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "line": self.line or None,
            **self.change.to_dict(),
            "where": self.where,
        }


@define
class _Report:
    wanted: Wanted
    rows: list[_Row] = field(factory=list)
    problems: list[str] = field(factory=list)
    made: list[tuple[files.Text, bytes]] = field(factory=list)
    requests: int = 0

    @property
    def code(self) -> int:
        if self.problems:
            return _UNREADABLE
        return _NEEDED if any(row.needed for row in self.rows) else _NOTHING


@click.command("modernize", epilog=_EPILOG)
@click.argument("paths", metavar="PATH…|-", nargs=-1, required=True)
@click.option("--model", metavar="ID", help="Make all requests valid for this model.")
@click.option("--write", is_flag=True, help="Write NAME.modern.json beside each file that changes.")
@click.option("--in-place", is_flag=True, help="Write into the files themselves.")
@click.option("--strict", is_flag=True, help="Say what is wrong as errors; goes with no writing.")
@click.option(
    "--allow-price", is_flag=True, help="Take successors at a price that differs by half."
)
@click.option(
    "--api-version",
    type=click.Choice(_VERSIONS),
    default=NEWEST_VERSION,
    show_default=True,
    help="The anthropic-version that they go out with.",
)
@click.option("as_json", "--json", is_flag=True, help="Print one JSON document instead.")
def command(
    *,
    paths: tuple[str, ...],
    model: str | None,
    write: bool,
    in_place: bool,
    strict: bool,
    allow_price: bool,
    api_version: str,
    as_json: bool,
) -> int:
    """Find what is out of date in requests, and make them valid on the models of today.

    PATH is a file with requests (JSON, or JSON on each line), a Python script that calls the SDK, or a folder of these. In
    scripts the places are shown, and nothing is written. Exit code: 0 if there is nothing to do, 3 if changes are
    needed, 2 if something cannot be read.
    """
    if (write and in_place) or (strict and (write or in_place)):
        raise click.UsageError("--write, --in-place and --strict exclude each other.")
    if in_place and _STDIN in paths:
        raise click.UsageError("the standard input has no place to write to; use --write.")
    models = load_models()
    facts = models.require(model) if model else None
    if facts is not None and facts.retired:
        raise click.UsageError(f"{facts.id} is retired; `hookline models` lists those that answer.")
    wanted = Wanted(
        models=models,
        model=facts,
        name=model or "",
        allow_price=allow_price,
        version=api_version,
        today=dt.datetime.now(dt.UTC).date(),
    )
    report = _Report(wanted)
    for path in paths:
        _look(path, report)
    saved = _saved(report, write=write, in_place=in_place)
    _show(report, saved, strict=strict, as_json=as_json, quiet=_STDIN in paths and write)
    return report.code


def _look(path: str, report: _Report) -> None:
    """Look at all files that an argument means."""
    try:
        if path == _STDIN:
            _requests(files.Text(_STDIN, sys.stdin.buffer.read()), report, alone=True)
            return
        for each in files.found_in(path):
            _file(each, report, alone=each == Path(path))
    except InputError as problem:
        report.problems.append(str(problem))


def _file(path: Path, report: _Report, *, alone: bool) -> None:
    try:
        text = files.read(path)
        if path.suffix in files.SCRIPTS:
            _script(text, report)
        else:
            _requests(text, report, alone=alone)
    except InputError as problem:  # the other files of the folder may be read all the same
        report.problems.append(str(problem))


def _script(text: files.Text, report: _Report) -> None:
    for place in places_in(text.data, report.wanted, text.path):
        report.rows.append(_Row(text.path, place.line, place.change.where, place.change))


def _requests(text: files.Text, report: _Report, *, alone: bool) -> None:
    found = files.entries(text)
    if not found and alone:
        report.problems.append(
            f"{text.path}: there is no request in it: an object with model and messages, or with model "
            "and prompt"
        )
    changed: list[tuple[files.Entry, Mapping[str, Any]]] = []
    for entry in found:
        report.requests += 1
        try:
            body, changes = modernized_json(entry.body, report.wanted)
        except (DecodeError, InputError) as problem:
            place = f"{text.path}:{entry.line}" if entry.line else text.path
            at = ".".join(map(str, entry.keys))
            report.problems.append(f"{place}: {at}{': ' if at else ''}no request: {problem}")
            continue
        if any(change.done for change in changes):
            changed.append((entry, body))
        report.rows += (
            _Row(text.path, entry.line, entry.at(change.where), change) for change in changes
        )
    if changed:
        report.made.append((text, files.written(text, changed)))


def _saved(report: _Report, *, write: bool, in_place: bool) -> list[str]:
    """Write what was made, where that was asked for; return where."""
    saved: list[str] = []
    for text, data in report.made if write or in_place else ():
        if text.path == _STDIN:
            sys.stdout.write(data.decode())
            continue
        to = Path(text.path) if in_place else files.modern_name(text.path)
        files.save(to, data, like=text.path)
        saved.append(str(to))
    return saved


def _show(report: _Report, saved: list[str], *, strict: bool, as_json: bool, quiet: bool) -> None:
    for problem in report.problems:
        click.echo(f"hookline: error: {_clean(problem)}", err=True)
    if as_json and not quiet:
        _print_json(report, saved)
        return
    if strict:
        for row in report.rows:
            click.echo(f"hookline: error: {_clean(f'{row.place}: {row.change}')}", err=True)
    elif report.rows:
        _draw(report.rows, sys.stderr if quiet else sys.stdout)
    for line in _summary(report, saved):
        click.echo(line, err=True)


def _print_json(report: _Report, saved: list[str]) -> None:
    document = {
        "changes": [row.to_dict() for row in report.rows],
        "problems": report.problems,
        "written": saved,
    }
    text = json.dumps(document, ensure_ascii=False, indent=2)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def _summary(report: _Report, saved: list[str]) -> Iterator[str]:
    needed = sum(row.needed for row in report.rows)
    if not report.rows and not report.problems:
        yield "nothing to do"
    elif needed:
        yield f"{needed} changes needed in {len({row.path for row in report.rows})} files"
    yield from (f"wrote {path}" for path in saved)


def _draw(rows: list[_Row], stream: Any) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("place", "where", "change", "because"):
        table.add_column(column, no_wrap=column == "place", overflow="fold")
    for row in rows:
        change = row.change.what if row.change.done else f"not done: {row.change.what}"
        cells = (row.place, row.where, change, row.change.fact)
        table.add_row(*(Line(_clean(cell)) for cell in cells))
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not stream.isatty():
        console = Console(
            file=stream, highlight=False, markup=False, emoji=False, width=_LEAST_WIDTH * 5
        )
    console.print(table)


def _clean(text: str) -> str:
    return text.translate(_CONTROLS)
