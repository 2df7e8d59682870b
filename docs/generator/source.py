"""Where a public name is defined, found in the source text."""

import ast
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen

__all__ = ["Definition", "definition", "page_of", "public_names", "reachable"]


@frozen
class Definition:
    """The place where a name gets its meaning.

    Attributes:
        module: dotted.
        name: as it stands there.
        node: the class, the function or the assignment.
        doc: its docstring; of an assignment, the string that follows it.

    """

    module: str
    name: str
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign
    doc: str


@cache
def parsed(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"there is no source of {module}")
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


@cache
def definition(module: str, name: str) -> Definition:
    """Follow a name through the imports of faces to where it is defined.

    Raises:
        LookupError: it is defined nowhere.

    """
    body = parsed(module).body
    for place, node in enumerate(body):
        if name in _bound(node):
            assert isinstance(
                node,
                ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign,
            )
            return Definition(module, name, node, _doc(node, body[place + 1 : place + 2]))
    for each in ast.walk(parsed(module)):
        if isinstance(each, ast.ImportFrom) and each.module:
            for alias in each.names:
                if (alias.asname or alias.name) == name:
                    return definition(each.module, alias.name)
    raise LookupError(f"{module} does not define {name}")


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.AnnAssign):
        return {node.target.id} if isinstance(node.target, ast.Name) else set()
    if isinstance(node, ast.Assign):
        return {each.id for each in node.targets if isinstance(each, ast.Name)}
    return set()


def _doc(node: ast.stmt, behind: list[ast.stmt]) -> str:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.get_docstring(node) or ""
    match behind:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return text
    return ""


def public_names(module: str) -> tuple[str, ...]:
    """Return ``__all__`` of a module, as it stands there; a mere folder of modules has none."""
    names: Sequence[str] = getattr(import_module(module), "__all__", ())
    return tuple(name for name in names if name != "__version__")


@cache
def reachable(name: str, module: str) -> bool:
    """Say whether a class or function is public: a name of ``hookline`` or of a public path."""
    if module.split(".", maxsplit=1)[0] not in {"hookline", "hookline_plugins"}:
        return False
    home = ".".join(module.split(".")[:2])
    offered = () if home.split(".")[-1].startswith("_") else public_names(home)
    return name in offered or name in public_names("hookline")


def page_of(defined: Definition, path: str) -> str:
    """Return the public path under which a name is described, seen from the path ``path``.

    That is ``hookline`` for its own names; else the public module or package that defines it; else
    the face that offers it.
    """
    if defined.name in public_names("hookline"):
        return "hookline"
    home = ".".join(defined.module.split(".")[:2])
    if not home.split(".")[-1].startswith("_") and defined.name in public_names(home):
        return home
    return path
