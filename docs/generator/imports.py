"""Who imports whom at run time, room by room: the graph behind the picture and its tests."""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import TopologicalSorter
from typing import Final

import grimp

from generator.source import parsed

__all__ = ["circles", "graph", "levels", "reduced", "room_imports", "room_of", "waits"]

PACKAGES: Final = ("hookline", "hookline_plugins")
_EVERYWHERE: Final = frozenset({"hookline", "hookline._faces", "hookline._log"})


@cache
def graph() -> grimp.ImportGraph:
    """Return the graph of our modules, without what is imported for type checkers only."""
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)


@cache
def _lines_in_functions(module: str) -> frozenset[int]:
    return frozenset(
        line
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    )


def waits(importer: str, imported: str) -> bool:
    """Say whether a module imports another only inside its functions, when they are called."""
    places = graph().get_import_details(importer=importer, imported=imported)
    return all(each["line_number"] in _lines_in_functions(importer) for each in places)


def room_of(module: str) -> str:
    """Return the room that a module stands in: a package or module directly below ``hookline``."""
    parts = module.split(".")
    return parts[0] if parts[0] == "hookline_plugins" else ".".join(parts[:2])


def room_imports() -> dict[str, dict[str, bool]]:
    """Return for each room those that it imports, and whether it does so only inside functions."""
    found: dict[str, dict[str, bool]] = {}
    for module in sorted(graph().modules):
        room = room_of(module)
        if room in _EVERYWHERE:
            continue
        theirs = found.setdefault(room, {})
        for imported in sorted(graph().find_modules_directly_imported_by(module)):
            other = room_of(imported)
            if other not in {room, *_EVERYWHERE}:
                theirs[other] = theirs.get(other, True) and waits(module, imported)
    return found


def circles(imports: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the circles of a graph: each strongly connected group of more than one (Tarjan)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in imports.get(node, ()):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(imports):
        if node not in number:
            visit(node)
    return found


def levels(imports: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return how high each room stands: one above the highest of those that it imports.

    Raises:
        graphlib.CycleError: there is a circle.

    """
    heights: dict[str, int] = {}
    for room in TopologicalSorter(imports).static_order():
        heights[room] = 1 + max((heights[each] for each in imports.get(room, ())), default=-1)
    return heights


def reduced(imports: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Return the imports that do not follow from others: what a picture has to draw."""
    below: dict[str, set[str]] = {}
    for room in TopologicalSorter(imports).static_order():
        theirs = set(imports.get(room, ()))
        below[room] = theirs.union(*(below[each] for each in theirs))
    return {
        room: sorted(each for each in theirs if not any(each in below[other] for other in theirs))
        for room, theirs in imports.items()
    }
