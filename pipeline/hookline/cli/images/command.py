"""``hookline images``: what images and documents would be sent as, and what they would cost."""

from collections.abc import Sequence
from decimal import Decimal
from os import fsdecode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import frozen

from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import error, print_json, print_table
from hookline.cli.progress import ProgressBar
from hookline.values.brief import size_text

if TYPE_CHECKING:
    from hookline.models import ModelFacts
    from hookline.pipeline import Pipeline
    from hookline.values.attachments import Attachment
    from hookline.values.pictures.survey import Medium

__all__ = ["images"]


_LEAST: Final = Decimal("0.0001")  # dollars that are shown


@click.command(
    epilog=examples(
        "hookline images ant.jpg",
        "hookline images scans/ report.pdf --model claude-haiku-4-5",
        "hookline images 'scans/*.jpg' --json | jq '[.[].tokens[1]] | add'",
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--model", "-m", metavar="ID", help="See `hookline models`.")
@CONFIG
@JSON
def images(files: tuple[str, ...], model: str | None, config: str | None, *, as_json: bool) -> int:
    """Show what files would be sent as, and what they would cost; send nothing.

    FILE is a path, a URL, a directory of images, a pattern, or - for stdin. Each is taken through the
    stages by itself, as this model and these settings would have it. $ is the price of its tokens as
    input, once. A PDF costs by its pages, within a range; what only the API reads has no price before.
    """
    from hookline.cli.selection import applied  # noqa: PLC0415 -- `--help` does without
    from hookline.cli.sources import attached  # noqa: PLC0415 -- as above
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- as above

    plugins, disable = applied(config)
    with Pipeline(model=model, config=config, plugins=plugins, disable=disable) as line:
        facts = line.model_table.require(line.settings.model)
        rows = _rows([each for file in files for each in attached(file)], line, facts)
    if as_json:
        print_json([row.to_dict() for row in rows])
    else:
        _print(rows)
    return int(any(row.problem for row in rows))


@frozen
class _Row:
    """One line of the table.

    Attributes:
        name: of what was given.
        type: its media type, as its first bytes say; empty where they are not at hand.
        size: bytes of it, where it is at hand.
        sent: what would be sent; None if that cannot be.
        dollars: the price of its tokens, at least and at most.
        problem: why nothing can be sent, or why there is no price.

    """

    name: str
    type: str
    size: int | None
    sent: "Medium | None"
    dollars: tuple[Decimal, Decimal] | None
    problem: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "file": self.name,
            "type": self.type or None,
            "size": self.size,
            "sent": self.sent.to_dict() if self.sent else None,
            "dollars": [float(each) for each in self.dollars] if self.dollars else None,
            "problem": self.problem or None,
        }


def _rows(attachments: Sequence["Attachment"], line: "Pipeline", facts: "ModelFacts") -> list[_Row]:
    from hookline.turn import Progress  # noqa: PLC0415 -- `--help` does without

    rows: list[_Row] = []
    with ProgressBar() as bar:
        for number, attachment in enumerate(attachments):
            bar(Progress("images", number, len(attachments), "images and documents"))
            rows.append(_row(attachment, line, facts))
    return rows


def _row(attachment: "Attachment", line: "Pipeline", facts: "ModelFacts") -> _Row:
    from hookline.errors import InputError  # noqa: PLC0415 -- `--help` does without

    size, kind = _size(attachment), attachment.media_type or ""
    name = fsdecode(attachment.source) if attachment.kind == "path" else attachment.name
    try:
        media = line.explain([attachment]).media
    except InputError as error:
        return _Row(name, kind, size, None, None, str(error))
    if not media:
        return _Row(name, kind, size, None, None, "it was left out")
    (sent,) = media
    return _Row(name, kind, size, sent, _dollars(sent, facts), "")


def _size(attachment: "Attachment") -> int | None:
    if attachment.kind == "bytes":
        return len(attachment.source)
    try:
        return Path(attachment.source).stat().st_size if attachment.kind == "path" else None
    except (OSError, ValueError):  # whoever reads it says what is wrong with it
        return None


def _dollars(sent: "Medium", facts: "ModelFacts") -> tuple[Decimal, Decimal] | None:
    from hookline.models import cost  # noqa: PLC0415 -- `--help` does without

    if sent.tokens is None:
        return None
    least, most = (
        cost(facts, input_tokens=tokens) for tokens in (sent.tokens.least, sent.tokens.most)
    )
    return None if least is None or most is None else (least, most)


def _print(rows: Sequence[_Row]) -> None:
    columns = ("FILE", "TYPE", "SIZE", "SENT AS", "SENT", "EXTENT", "TOKENS", "$")
    table = [_cells(row) for row in rows if row.sent is not None]
    if table:
        print_table(columns, table, right=("SIZE", "SENT", "TOKENS", "$"))
    for row in rows:
        if row.problem:
            error(row.problem)


def _cells(row: _Row) -> tuple[str, ...]:
    sent = row.sent
    # A name may hold a line break.
    name = row.name if row.name.isprintable() else repr(row.name)[1:-1]
    if sent is None:
        return (name,)
    dollars = row.dollars
    return (
        name,
        row.type,
        "" if row.size is None else size_text(row.size),
        sent.media_type or sent.source,
        "" if sent.size is None else size_text(sent.size),
        sent.extent,
        str(sent.tokens or ""),
        "" if dollars is None else " to ".join(dict.fromkeys(map(_in_words, dollars))),
    )


def _in_words(dollars: Decimal) -> str:
    return f"{dollars:.4f}" if not 0 < dollars < _LEAST else f"<{_LEAST}"
