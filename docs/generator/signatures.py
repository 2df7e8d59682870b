"""Signatures as their authors wrote them, whatever the version of Python that draws them."""

import ast
import inspect
from collections.abc import Iterator
from copy import deepcopy
from importlib import import_module
from typing import Any, Final

import attrs

from generator.source import Definition, definition

__all__ = ["ancestors", "defaulted", "field_types", "of_class", "of_data", "of_function"]

_WIDE: Final = 88
_TOLD: Final = (bool, int, float, str, bytes, type(None))


class _Unquoted(ast.NodeTransformer):
    """Takes the quotation marks off forward references; a Literal keeps its strings."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.parse(node.value, mode="eval").body if isinstance(node.value, str) else node


def type_text(node: ast.expr | None) -> str:
    """Return an annotation."""
    return "" if node is None else _text(_Unquoted().visit(deepcopy(node)))


def _text(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if '"' in text else text.replace("'", '"')


def defaulted(node: ast.expr | None, module: str) -> str:
    """Return a default: a constant's value for its name, ``...`` for what a call makes."""
    if node is None:
        return "..."
    if isinstance(node, ast.Name | ast.Attribute):
        value: Any = import_module(module)
        for name in ast.unparse(node).split("."):
            value = getattr(value, name, ...)
        return _text(ast.Constant(value)) if isinstance(value, _TOLD) else "..."
    return "..." if isinstance(node, ast.Call) else _text(node)


def of_function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, module: str, *, name: str = "", skip: int = 0
) -> str:
    """Return a function's signature; of its positional parameters, the first ``skip`` are left out."""
    begin = "async def " if isinstance(node, ast.AsyncFunctionDef) else "def "
    returns = f" -> {type_text(node.returns)}" if node.returns else ""
    return _joined(
        f"{begin}{name or node.name}", list(_parameters(node.args, module))[skip:], returns
    )


def _parameters(given: ast.arguments, module: str) -> Iterator[str]:
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    for place, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        yield _parameter(argument, default, module)
        if given.posonlyargs and place == len(given.posonlyargs) - 1:
            yield "/"
    if given.vararg:
        yield "*" + _parameter(given.vararg, None, module)
    elif given.kwonlyargs:
        yield "*"
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(argument, default, module)
    if given.kwarg:
        yield "**" + _parameter(given.kwarg, None, module)


def _parameter(argument: ast.arg, default: ast.expr | None, module: str) -> str:
    kind = f": {type_text(argument.annotation)}" if argument.annotation else ""
    if default is None:
        return f"{argument.arg}{kind}"
    return f"{argument.arg}{kind}{' = ' if kind else '='}{defaulted(default, module)}"


def _joined(begin: str, parameters: list[str], end: str) -> str:
    line = f"{begin}({', '.join(parameters)}){end}"
    if len(line) <= _WIDE or not parameters:
        return line
    inside = "".join(f"    {each},\n" for each in parameters)
    return f"{begin}(\n{inside}){end}"


def ancestors(cls: type) -> Iterator[Definition]:
    """Yield the definitions of a class and of those of its bases that are ours."""
    for each in cls.__mro__:
        if each.__module__.startswith("hookline") and "<locals>" not in each.__qualname__:
            yield definition(each.__module__, each.__name__)


def field_types(cls: type) -> dict[str, tuple[str, ast.expr | None, str]]:
    """Return the type, the default and the module of each annotated name in a class's body."""
    found: dict[str, tuple[str, ast.expr | None, str]] = {}
    for defined in reversed(list(ancestors(cls))):
        assert isinstance(defined.node, ast.ClassDef)
        for node in defined.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = (type_text(node.annotation), node.value, defined.module)
    return found


def of_class(cls: type) -> str:
    """Return how an object of the class is made."""
    begin = f"class {cls.__name__}"
    for defined in ancestors(cls):
        assert isinstance(defined.node, ast.ClassDef)
        for node in defined.node.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                made = of_function(node, defined.module, name=cls.__name__, skip=1)
                return "class " + made.removeprefix("def ").removesuffix(" -> None")
        if _has_fields(defined):
            return _joined(begin, list(_fields(cls)), "")
    return begin


def _has_fields(defined: Definition) -> bool:
    return attrs.has(vars(import_module(defined.module))[defined.name])


def _fields(cls: type) -> Iterator[str]:
    types = field_types(cls)
    starred = False
    for each in attrs.fields(cls):
        if not each.init:
            continue
        kind, default, module = types.get(each.name, ("Any", None, cls.__module__))
        if each.kw_only and not starred:
            starred = True
            yield "*"
        if each.default is attrs.NOTHING:
            yield f"{each.alias}: {kind}"
        else:
            yield f"{each.alias}: {kind} = {field_default(default, module)}"


def field_default(value: ast.expr | None, module: str) -> str:
    """Return the default that ``field(default=…)`` or a plain assignment gives."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"field", "attrs.field"}:
        given = {keyword.arg: keyword.value for keyword in value.keywords}
        if "factory" in given:
            made = {"dict": "{}", "list": "[]", "tuple": "()"}
            return made.get(ast.unparse(given["factory"]), "...")
        return defaulted(given.get("default"), module)
    return defaulted(value, module)


def _assigned(name: str, value: str) -> str:
    line = f"{name} = {value}"
    if len(line) <= _WIDE or " | " not in value:
        return line
    inside = "\n    | ".join(value.split(" | "))
    return f"{name} = (\n    {inside}\n)"


def of_data(defined: Definition) -> str:
    """Return a constant or an alias of a type: its name, and what kind of thing it is."""
    node = defined.node
    if isinstance(node, ast.AnnAssign):
        kind = type_text(node.annotation)
        if kind == "TypeAlias" and node.value is not None:
            return _assigned(defined.name, type_text(node.value))
        if kind != "Final":
            inner = kind.removeprefix("Final[")
            return f"{defined.name}: {kind if inner == kind else inner.removesuffix(']')}"
    value = getattr(import_module(defined.module), defined.name)
    if isinstance(value, _TOLD):
        return f"{defined.name} = {_text(ast.Constant(value))}"
    if isinstance(node, ast.Assign) and not inspect.isroutine(value):
        shown = ast.unparse(node.value)
        if len(shown) <= _WIDE:
            return f"{defined.name} = {type_text(node.value)}"
    return defined.name
