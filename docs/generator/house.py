"""The packages: a picture of who imports whom, and what each module is for."""

import ast
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any, Final, TypeAlias

from generator import imports
from generator.prose import cell, summary
from generator.source import parsed

__all__ = ["picture", "table"]

_WIDTH: Final = 900
_ROW: Final = 84
_HIGH: Final = 32
_MARGIN: Final = 24
_LETTER: Final = 8.0  # pixels of one letter, and what surrounds a name
_PADDING: Final = 20
_GAP: Final = 6
_SWEEPS: Final = 12

Spot: TypeAlias = tuple[Any, ...]
"""What takes a place in a row: ``(room,)``, or ``(room, other, level)`` where a line passes."""

_STYLE: Final = """\
    .paper { fill: #fbfaf7; stroke: #c9c4b8 }
    .public { fill: #eef3fa; stroke: #3a6ea5; stroke-width: 1.5 }
    .private { fill: #ffffff; stroke: #55606e; stroke-width: 1.5 }
    .line { fill: none; stroke: #7b8694; stroke-width: 1.2 }
    .later { fill: none; stroke: #7b8694; stroke-width: 1.2; stroke-dasharray: 4 4 }
    text { fill: #1d2530; font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; text-anchor: middle }
    .note { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #4b5563; text-anchor: start }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #16191f; stroke: #3a404b }
      .public { fill: #1b2737; stroke: #6ea3dc }
      .private { fill: #20252e; stroke: #9aa5b4 }
      .line, .later { stroke: #8a94a3 }
      text { fill: #e7ebf0 }
      .note { fill: #aab3c0 }
    }"""


def picture() -> str:
    """Return the rooms as an SVG: each above all that it imports, lines only where none follows."""
    rooms = imports.room_imports()
    circular = [set(each) for each in imports.circles(rooms)]
    straight = {
        room: [
            other
            for other, later in theirs.items()
            if not (later and any({room, other} <= each for each in circular))
        ]
        for room, theirs in rooms.items()
    }
    heights = imports.levels(straight)
    lines = imports.reduced(straight)
    ways = {
        (room, other): _stops(room, other, heights)
        for room in sorted(lines)
        for other in lines[room]
    }
    rows = _ordered(heights, ways)
    spots = {
        item: (x, _MARGIN + _HIGH / 2 + _ROW * (len(rows) - 1 - level))
        for level, row in enumerate(rows)
        for item, x in _spread(row).items()
    }
    tall = _MARGIN * 2 + _ROW * (len(rows) - 1) + _HIGH + 24
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {tall}" width="{_WIDTH}" '
            f'height="{tall}" role="img" aria-labelledby="t d">'
        ),
        '  <title id="t">The packages of Hookline</title>',
        f'  <desc id="d">{escape(_told(lines))}</desc>',
        f"  <style>\n{_STYLE}\n  </style>",
        f'  <rect class="paper" x="1" y="1" width="{_WIDTH - 2}" height="{tall - 2}" rx="10"/>',
        *(
            _line([spots[stop] for stop in stops], later=rooms[room][other])
            for (room, other), stops in ways.items()
        ),
        *(_box(room, *spots[(room,)]) for room in sorted(heights)),
        (
            f'  <text class="note" x="{_MARGIN}" y="{tall - 14}">Each imports what it has a line down '
            "to, and all that lies below that; a broken line: only when it is needed. "
            "Blue: public paths.</text>"
        ),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _short(room: str) -> str:
    return room.removeprefix("hookline.")


def _told(lines: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(
        f"{_short(room)} imports {', '.join(map(_short, theirs))}"
        for room, theirs in sorted(lines.items())
        if theirs
    )


def _stops(room: str, other: str, heights: Mapping[str, int]) -> list[Spot]:
    """Return what a line passes: its ends, and a gap of its own in each row between them."""
    between = range(heights[room] - 1, heights[other], -1)
    return [(room,), *((room, other, level) for level in between), (other,)]


def _ordered(
    heights: Mapping[str, int], ways: Mapping[tuple[str, str], list[Spot]]
) -> list[list[Spot]]:
    """Return the rows from the bottom up, each in an order that crosses few lines."""
    rows: list[list[Spot]] = [[] for _ in range(max(heights.values()) + 1)]
    for room in sorted(heights):
        rows[heights[room]].append((room,))
    neighbours: dict[Spot, list[Spot]] = {}
    for stops in ways.values():
        for _, _, level in (stop for stop in stops if len(stop) == 3):  # noqa: PLR2004 -- a gap
            rows[level].append((*stops[0], *stops[-1], level))
        for upper, lower in pairwise(stops):
            neighbours.setdefault(upper, []).append(lower)
            neighbours.setdefault(lower, []).append(upper)
    for _ in range(_SWEEPS):
        for row in rows:
            places = {item: x for each in rows for item, x in _spread(each).items()}
            means = {
                item: sum(places[each] for each in beside) / len(beside)
                for item in row
                if (beside := neighbours.get(item))
            }
            row.sort(key=lambda item: (means.get(item, places[item]), item))
    return rows


def _spread(row: Sequence[Spot]) -> dict[Spot, float]:
    """Return where the middle of each lies: rooms by their width, gaps narrow, the rest between."""
    wide = [_wide(item[0]) if len(item) == 1 else _GAP for item in row]
    free = (_WIDTH - 2 * _MARGIN - sum(wide)) / (len(row) + 1)
    found: dict[Spot, float] = {}
    x = _MARGIN + free
    for item, own in zip(row, wide, strict=True):
        found[item] = round(x + own / 2, 1)
        x += own + free
    return found


def _wide(room: str) -> float:
    return len(_short(room)) * _LETTER + _PADDING


def _box(room: str, x: float, y: float) -> str:
    wide = _wide(room)
    kind = "private" if _short(room).startswith("_") else "public"
    return (
        f'  <rect class="{kind}" x="{x - wide / 2:g}" y="{y - _HIGH / 2:g}" width="{wide:g}" '
        f'height="{_HIGH}" rx="6"/>\n  <text x="{x:g}" y="{y + 4:g}">{_short(room)}</text>'
    )


def _line(spots: Sequence[tuple[float, float]], *, later: bool) -> str:
    """Draw a line: curved from row to row, straight through the rows between its ends."""
    last = len(spots) - 1
    drawn = f"M{spots[0][0]:g} {spots[0][1] + _HIGH / 2:g}"
    for place, ((x1, y1), (x2, y2)) in enumerate(pairwise(spots), start=1):
        begin, end = y1 + _HIGH / 2, y2 - _HIGH / 2
        middle = (begin + end) / 2
        drawn += f" C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {end:g}"
        if place < last:
            drawn += f" V{y2 + _HIGH / 2:g}"
    return f'  <path class="{"later" if later else "line"}" d="{drawn}"/>'


def table(package: str) -> str:
    """Return what each module of a package, and of the packages in it, is for."""
    rows = ["| module | is |", "| --- | --- |"]
    for module in sorted(imports.graph().modules):
        inside = module == package or module.startswith(f"{package}.")
        doc = ast.get_docstring(parsed(module)) if inside else None
        if doc:
            shown = module.removeprefix(package).lstrip(".") or "the package"
            rows.append(f"| `{shown}` | {cell(summary(doc))} |")
    return "\n".join(rows)
