"""What the commands print: text for stdout, remarks for stderr, tables, JSON.

Replies, file names and errors of servers come from elsewhere and may hold escape sequences that
retitle a terminal or worse. Nothing of the kind reaches one.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Writer", "console", "error", "note", "print_json", "print_table", "printable", "styled"]

_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))  # C0, DEL and C1; C1 holds a one-byte CSI
_REMOVED: Final[Mapping[int, None]] = dict.fromkeys(set(_CONTROLS) - {0x09, 0x0A})
_ESCAPED: Final[Mapping[int, str]] = {c: f"\\u{c:04x}" for c in _CONTROLS if c > 0x20}  # noqa: PLR2004 -- JSON itself escapes those up to a space
_UNBOUNDED: Final = (
    1000  # columns of a table that nobody looks at: a script must not meet line breaks
)


def printable(text: str) -> str:
    """Return text without control characters but newline and tab."""
    return text.translate(_REMOVED)


class Writer:
    """Writes a reply to stdout in pieces, and ends it with a newline."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._last = ""

    def write(self, text: str) -> None:
        """Write a piece and show it at once."""
        text = printable(text) if self._terminal else text
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._last = text[-1]

    def finish(self) -> None:
        """End the last line, if anything was written and the line has not ended."""
        if self._last not in ("", "\n"):
            sys.stdout.write("\n")
        sys.stdout.flush()
        self._last = ""


def error(text: str) -> None:
    """Say on stderr what went wrong."""
    _remark("error", "bold red", text)


def note(text: str) -> None:
    """Say on stderr what the user should know besides the answer."""
    _remark("note", "yellow", text)


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    plain = not (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(value, ensure_ascii=plain, indent=2, default=str)
    sys.stdout.write(text.translate(_ESCAPED) + "\n")


def console(*, stderr: bool = False) -> "Console":
    """Return a rich console that guesses nothing: no markup, emoji or highlighting in data."""
    from rich.console import Console  # noqa: PLC0415 -- `ask` does not need it, and is in a hurry

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1; `running` knows what scripts expect

    stream = sys.stderr if stderr else sys.stdout
    return Screen(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
        width=None if stream.isatty() else _UNBOUNDED,
    )


def styled(*parts: "tuple[str, str]") -> Any:
    """Return ``(text, style)`` pairs as one rich line, cleaned of control characters."""
    from rich.text import Text  # noqa: PLC0415 -- as for `console`

    return Text.assemble(*((printable(text), style) for text, style in parts))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    wrapped: Sequence[str] = (),
) -> None:
    """Print a table without lines; empty cells are fine.

    Where the terminal is too narrow even for that, each row becomes a list of its cells: nothing is
    cut, since half a price or half an id is worse than none.

    Args:
        columns: headings.
        rows: as many texts as there are columns.
        right: headings of columns to align on the right.
        wrapped: headings of columns that may break where the terminal is narrow; a name that is
            to be copied must not.

    """
    from rich.table import Table  # noqa: PLC0415 -- as for `console`

    screen = console()
    drawn = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        drawn.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column not in wrapped,
            overflow="fold",
        )
    rows = [tuple(row) for row in rows]
    for row in rows:
        drawn.add_row(*(styled((cell, "")) for cell in row))
    if (
        sum(_least_width(texts, wrapped) for texts in zip(columns, *rows, strict=True))
        <= screen.width
    ):
        screen.print(drawn)
        return
    for first, *others in rows:
        screen.print(styled((first, "bold")))
        for column, cell in zip(columns[1:], others, strict=True):
            if cell:
                screen.print(styled((f"  {column.lower()} ", "dim"), (cell, "")))


def _least_width(texts: Sequence[str], wrapped: Sequence[str]) -> int:
    """Return the columns of the terminal that a column of a table needs; its heading comes first."""
    from rich.cells import cell_len  # noqa: PLC0415 -- as for `console`

    pieces = [word for text in texts for word in text.split()] if texts[0] in wrapped else texts
    return 1 + max(map(cell_len, pieces), default=0)


def _remark(kind: str, style: str, text: str) -> None:
    with suppress(OSError):  # there is no other place to complain about a full stderr
        if sys.stderr.isatty():
            screen = console(stderr=True)
            screen.print(styled(("hookline: ", ""), (kind, style), (f": {text}", "")))
        else:
            sys.stderr.write(f"hookline: {kind}: {printable(text)}\n")
            sys.stderr.flush()
