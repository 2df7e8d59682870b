"""The pages and their generated regions, which say after a mark what is drawn in them."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from os.path import relpath
from pathlib import Path
from typing import Final

from generator import hooks, house, names, tables

__all__ = ["DOCS", "drawn", "regions"]

DOCS: Final = Path(__file__).parent.parent
_REGION: Final = re.compile(r"(<!-- generated: ([^\n]+) -->\n).*?(<!-- end -->)", re.DOTALL)

_TABLES: Final[dict[str, Callable[..., str]]] = {
    "contract": tables.contract,
    "excerpt": tables.excerpt,
    "fields": tables.options,
    "hook": hooks.page,
    "hooks": hooks.listed,
    "models": tables.models,
    "parts": tables.parts,
    "rules": tables.rules,
    "settings": tables.settings,
    "plugins": tables.standard_plugins,
    "house": house.table,
}


def pages() -> list[Path]:
    """Return every page of the documentation."""
    return sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)


def regions() -> Iterator[tuple[Path, list[str]]]:
    """Yield each region's page and the words after its mark."""
    for page in pages():
        for _, words, _ in _REGION.findall(page.read_text(encoding="utf-8")):
            yield page, words.split()


def drawn() -> dict[Path, str]:
    """Return what every file with generated parts has to hold."""
    found = {DOCS / "house.svg": house.picture()}
    for page in sorted({page for page, _ in regions()}):
        found[page] = _REGION.sub(partial(_redrawn, page), page.read_text(encoding="utf-8"))
    return found


def _redrawn(page: Path, match: re.Match[str]) -> str:
    begin, words, end = match.groups()
    return f"{begin}\n{_region(words.split(), page)}\n\n{end}"


def _region(words: list[str], page: Path) -> str:
    """Draw one region: ``names PATH NAME…``, ``face PATH``, or a table; ``without MEMBER…``."""
    cut = words.index("without") if "without" in words else len(words)
    (kind, *given), left_out = words[:cut], words[cut + 1 :]
    if kind == "names":
        return names.described(given[0], given[1:], left_out)
    if kind == "face":
        return names.face(given[0], _homes(page), left_out)
    return _TABLES[kind](*given)


def _homes(page: Path) -> dict[str, str]:
    """Return where public paths, and names that have a page apart from their path, are described.

    Seen from ``page``; a name stands there as ``path:name``.
    """
    homes: dict[str, str] = {}
    for other, (kind, *given) in regions():
        path, *rest = given or [""]
        place = "" if other == page else relpath(other, page.parent)
        if kind == "face":
            homes[path] = place
        elif kind == "names":
            names = rest[: rest.index("without")] if "without" in rest else rest
            homes.update({f"{path}:{name}": place for name in names})
    return homes
