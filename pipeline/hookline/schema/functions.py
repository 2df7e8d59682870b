"""Python functions as tools: their definition, and a call's input as their arguments."""

import functools
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import field, frozen

from hookline.errors import DecodeError, InputError
from hookline.schema.docstrings import documentation
from hookline.schema.types import SchemaBuilder, object_schema
from hookline.values.tools.definitions import Tool

__all__ = ["accepts", "describe", "fitted_arguments"]

_REST: Final = inspect.Parameter.VAR_KEYWORD
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@frozen
class _Signature:
    """What a callable takes by name, whatever it is wrapped in.

    Attributes:
        name: what it is called.
        documented: what holds the docstring.
        parameters: without those that a ``partial`` has fixed.
        hints: their types.

    """

    name: str
    documented: Any
    parameters: Mapping[str, inspect.Parameter] = field(repr=False)
    hints: Mapping[str, Any] = field(repr=False)

    @property
    def takes_rest(self) -> bool:
        """Whether it takes ``**kwargs``."""
        return any(each.kind is _REST for each in self.parameters.values())


def describe(function: Callable[..., Any], name: str | None = None) -> Tool:
    """Return the tool definition of a typed Python function.

    Args:
        function: a function, method, ``partial`` or callable object, decorated or not. Its parameters
            need type annotations; what its docstring says of the whole is the description, and what
            it says of each parameter (Google, NumPy or Sphinx style), or ``Annotated[T, "text"]``,
            describes that.
        name: what the model calls it; None is the function's own name.

    Raises:
        InputError: a parameter without a type, or of a type that has no schema.

    """
    signature = _signature(function, name)
    where = f"tool {signature.name!r}"
    said = documentation(signature.documented)
    builder = SchemaBuilder(where)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for each in signature.parameters.values():
        if each.kind not in _NAMED:
            problem = (
                f"{each.name} cannot be given by name"
                if each.kind is each.POSITIONAL_ONLY
                else f"*{each.name} has no schema; name each one, or give a Tool with an input_schema"
            )
            raise InputError(f"{where}: {problem}")
        if each.name not in signature.hints:
            raise InputError(f"{where}: parameter {each.name!r} needs a type annotation")
        schema = builder.of(signature.hints[each.name], each.name)
        if each.name in said.of and "description" not in schema:
            schema = {**schema, "description": said.of[each.name]}
        if each.default is each.empty:
            required.append(each.name)
        elif _is_json(each.default):
            schema = {**schema, "default": each.default}
        properties[each.name] = schema
    root = object_schema(properties, required)
    if builder.definitions:
        root["$defs"] = builder.definitions
    return Tool(name=signature.name, input_schema=root, description=said.text or None)


def accepts(function: Callable[..., Any], schema: Mapping[str, Any]) -> str:
    """Say what a function cannot take of the inputs that a schema describes; empty if it takes all.

    Args:
        function: what is to run a tool that was defined elsewhere.
        schema: the tool's input schema.

    """
    try:
        signature = _signature(function, None)
    except InputError:
        return ""  # of a function in C nobody knows; its own error will say
    if signature.takes_rest:
        return ""
    by_name = {name for name, each in signature.parameters.items() if each.kind in _NAMED}
    unknown = ", ".join(sorted(set(schema.get("properties", ())) - by_name))
    return f"{signature.name} takes no {unknown}" if unknown else ""


def fitted_arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool call's input as keyword arguments for a function.

    Args:
        function: as for ``describe``; what it does not annotate, or takes as ``**kwargs``, gets plain
            JSON.
        given: the input that the model wrote.

    Raises:
        DecodeError: an argument is missing, unknown, or of another type.

    """
    from hookline.schema.structure import structured  # noqa: PLC0415 -- loads cattrs

    signature = _signature(function, None)
    known = {name for name, each in signature.parameters.items() if each.kind in _NAMED}
    unknown = ", ".join(sorted(given.keys() - known))
    if unknown and not signature.takes_rest:
        raise DecodeError(f"there is no parameter {unknown}", path="$")
    missing = ", ".join(
        repr(each.name)
        for each in signature.parameters.values()
        if each.kind in _NAMED and each.default is each.empty and each.name not in given
    )
    if missing:
        raise DecodeError(f"the parameter {missing} is missing", path="$")
    arguments: dict[str, Any] = {}
    for name, value in given.items():
        try:
            arguments[name] = structured(value, signature.hints.get(name, Any))
        except DecodeError as error:
            raise DecodeError(f"parameter {name}: {error}", path="") from error
    return arguments


def _signature(function: Any, name: str | None) -> _Signature:
    fixed: set[str] = set()
    target = function
    while isinstance(target, functools.partial):
        fixed |= target.keywords.keys()
        target = target.func
    own = name or getattr(target, "__name__", "") or type(target).__name__
    documented: Any = None
    if not (inspect.isroutine(target) or hasattr(target, "__wrapped__") or inspect.isclass(target)):
        kind, target = type(target), type(target).__call__
        documented = target if target.__doc__ else kind
    target = inspect.unwrap(target)
    try:
        hints = typing.get_type_hints(target, include_extras=True)
        parameters = inspect.signature(function).parameters
    except (NameError, TypeError, ValueError) as error:
        raise InputError(
            f"tool {own!r} cannot be described: {error}. Give a function of your own, or a "
            "Tool with its input_schema"
        ) from error
    hints.pop("return", None)
    free = {key: each for key, each in parameters.items() if key not in fixed}
    return _Signature(own, documented or target, free, hints)


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False
