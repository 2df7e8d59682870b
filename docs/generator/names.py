"""Public names in words: their signatures, their docstrings and, of classes, their members."""

import ast
from collections.abc import Collection, Iterator
from importlib import import_module

from generator import signatures
from generator.prose import cell, fence, markdown, summary
from generator.source import Definition, definition, page_of, public_names, reachable

__all__ = ["described", "face"]

_ACCESS = {"property": "", "cached_property": "", "functools.cached_property": ""}
_BOUND = {"classmethod": 1, "staticmethod": 0}


def described(path: str, names: Collection[str], left_out: Collection[str] = ()) -> str:
    """Return the descriptions of names of a public path.

    Args:
        path: dotted.
        names: in the order in which they are described.
        left_out: members that are public for other parts of Hookline only.

    """
    return "\n\n".join(part for name in names for part in _name(path, name, left_out))


def face(path: str, pages: dict[str, str], left_out: Collection[str] = ()) -> str:
    """Return a list of all names that a public path offers, and the descriptions of its own.

    Args:
        path: dotted.
        pages: where names are described, by public path or by path and name, relative to the page that
            is written.
        left_out: as for ``described``.

    """
    rows = ["| name | is |", "| --- | --- |"]
    own = []
    for name in public_names(path):
        defined = definition(path, name)
        home = page_of(defined, path)
        if home == path:
            own.append(name)
        target = "" if home == path else pages.get(f"{home}:{name}", pages.get(home, ""))
        rows.append(f"| [`{name}`]({target}#{name.lower()}) | {cell(summary(defined.doc))} |")
    parts = ["\n".join(rows), described(path, own, left_out)]
    return "\n\n".join(part for part in parts if part)


def _name(path: str, name: str, left_out: Collection[str]) -> Iterator[str]:
    defined = definition(path, name)
    yield f"### `{name}`"
    if isinstance(defined.node, ast.ClassDef):
        cls = getattr(import_module(defined.module), defined.name)
        yield fence(signatures.of_class(cls))
        bases = [
            base.__name__ for base in cls.__bases__ if reachable(base.__name__, base.__module__)
        ]
        if bases:
            yield f"A kind of {' and '.join(f'`{base}`' for base in bases)}."
        yield markdown(defined.doc)
        yield from _members(cls, left_out)
    elif isinstance(defined.node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield fence(signatures.of_function(defined.node, defined.module))
        yield markdown(defined.doc)
    else:
        yield fence(signatures.of_data(defined))
        yield markdown(defined.doc)


def _members(cls: type, left_out: Collection[str]) -> Iterator[str]:
    """Describe what a class and its bases that are described nowhere else can do."""
    seen = set(left_out)
    for defined in signatures.ancestors(cls):
        if defined.name != cls.__name__ and reachable(defined.name, defined.module):
            continue
        assert isinstance(defined.node, ast.ClassDef)
        for node in defined.node.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            doc = ast.get_docstring(node)
            if node.name.startswith("_") or node.name in seen or not doc:
                continue
            seen.add(node.name)
            yield f"#### `{cls.__name__}.{node.name}`"
            yield fence(_member(node, defined))
            yield markdown(doc)


def _member(node: ast.FunctionDef | ast.AsyncFunctionDef, defined: Definition) -> str:
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    if any(mark in _ACCESS for mark in marks):
        kind = signatures.type_text(node.returns)
        return f"{node.name}: {kind}" if kind else node.name
    bound = next((mark for mark in marks if mark in _BOUND), None)
    signature = signatures.of_function(node, defined.module, skip=_BOUND.get(bound or "", 1))
    return f"@{bound}\n{signature}" if bound else signature
