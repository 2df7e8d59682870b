"""From Python types to JSON Schema, within the subset that the API compiles (facts 11).

Serves tools (a function's parameters) and structured output (an attrs class). A tool's schema is
advice that the API does not compile; an output's is compiled, so it is stricter: it says of every
value what it may be, and a ``dict[str, T]``, whose keys no schema can name, becomes an array of
``{"key": …, "value": …}``, which ``hookline.schema.output`` turns back.
"""

import collections.abc
import datetime as dt
import enum
import inspect
import types
import typing
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal, Union, get_args, get_origin

import attrs

from hookline.errors import InputError
from hookline.values.tool_definitions import Tool

__all__ = ["describe", "schema_of"]

_SCALARS: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    Any: {},
}
_LISTS: Final = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_TABLES: Final = (dict, collections.abc.Mapping)


def schema_of(annotation: Any, *, where: str = "output") -> dict[str, Any]:
    """Return the JSON Schema of a type, for structured output.

    Args:
        annotation: a scalar, ``list[…]``, ``dict[str, …]``, ``Literal``, an enum, a union, an attrs
            class, ``datetime``, ``date``, ``time``, ``UUID``; nested as you like, but not
            recursive.
        where: what the type describes, for an error's text.

    Returns:
        The schema; classes that occur are in ``$defs``.

    Raises:
        InputError: the API has no schema for such a type.

    """
    builder = _Builder(where, compiled=True)
    schema = builder.of(annotation, where)
    return {**schema, "$defs": builder.definitions} if builder.definitions else schema


def describe(function: Callable[..., Any], name: str | None = None) -> Tool:
    """Return the tool definition of a typed Python function.

    Args:
        function: its parameters need type annotations; the first paragraph of its docstring is the
            description, and lines ``name: …`` under ``Args:`` describe the parameters.
        name: what the model calls it; None is the function's own name.

    Raises:
        InputError: a parameter without a type, or of a type that has no schema.

    """
    own_name: str = name or getattr(function, "__name__", "") or type(function).__name__
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError) as error:
        raise InputError(f"tool {own_name!r}: its annotations cannot be read: {error}") from error
    summary, explained = _documentation(inspect.getdoc(function) or "")
    builder = _Builder(f"tool {own_name!r}")
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InputError(f"tool {own_name!r}: *{parameter.name} has no schema; name each one")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise InputError(f"tool {own_name!r}: {parameter.name} cannot be given by name")
        if parameter.name not in hints:
            raise InputError(
                f"tool {own_name!r}: parameter {parameter.name!r} needs a type annotation"
            )
        schema = builder.of(hints[parameter.name], parameter.name)
        if parameter.name in explained:
            schema = {**schema, "description": explained[parameter.name]}
        properties[parameter.name] = schema
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    root = _object(properties, required)
    if builder.definitions:
        root["$defs"] = builder.definitions
    return Tool(name=own_name, input_schema=root, description=summary or None)


class _Builder:
    """Builds one schema and collects the definitions that it refers to."""

    def __init__(self, where: str, *, compiled: bool = False) -> None:
        self._where = where
        self._compiled = compiled
        self._open: list[type] = []
        self._names: dict[type, str] = {}
        self.definitions: dict[str, Any] = {}

    def of(self, annotation: Any, path: str) -> dict[str, Any]:  # noqa: PLR0911 -- one line a kind of type
        if _is_scalar(annotation):
            return self._scalar(annotation, path)
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is typing.Annotated:
            return self._annotated(annotation, path)
        if origin is Literal:
            return _enumeration(list(arguments))
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(member, path) for member in arguments]}
        if (origin or annotation) in _LISTS:
            return self._list(origin or annotation, arguments, path)
        if (origin or annotation) in _TABLES:
            return self._table(arguments, path)
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return _enumeration([member.value for member in annotation])
        if isinstance(annotation, type) and attrs.has(annotation):
            return self._class(annotation, path)
        raise InputError(
            f"{self._where}: {path} has type {annotation!r}, which has no JSON schema. Use scalars, "
            "list, dict, Literal, Enum, unions, datetime and attrs classes"
        )

    def _scalar(self, annotation: Any, path: str) -> dict[str, Any]:
        schema = dict(_SCALARS[annotation])
        if not schema and self._compiled:
            raise InputError(
                f"{self._where}: {path} may be anything, for which the API has no schema; say what "
                "it is, for example list[str] in place of list"
            )
        return schema

    def _annotated(self, annotation: Any, path: str) -> dict[str, Any]:
        """Read ``Annotated[T, "what it is"]``: the text becomes the description."""
        inner, *notes = get_args(annotation)
        texts = [note for note in notes if isinstance(note, str)]
        schema = self.of(inner, path)
        return {**schema, "description": texts[0]} if texts else schema

    def _list(self, kind: Any, arguments: tuple[Any, ...], path: str) -> dict[str, Any]:
        if kind is tuple and arguments and arguments[-1] is not Ellipsis:
            raise InputError(
                f"{self._where}: {path} is a tuple of fixed length, for which the API has no "
                "schema; use a class with named fields, or tuple[…, ...]"
            )
        items = self.of(arguments[0] if arguments else Any, f"{path}[]")
        return {"type": "array", "items": items}

    def _table(self, arguments: tuple[Any, ...], path: str) -> dict[str, Any]:
        if arguments and arguments[0] is not str:
            raise InputError(f"{self._where}: {path} must have strings as keys")
        values = self.of(arguments[1] if arguments else Any, f"{path}{{}}")
        if self._compiled:
            return {"type": "array", "items": _object({"key": {"type": "string"}, "value": values})}
        return {"type": "object", "additionalProperties": values or True}

    def _class(self, cls: type, path: str) -> dict[str, Any]:
        if cls in self._open:
            raise InputError(
                f"{self._where}: {path} contains itself ({cls.__name__}); the API refuses "
                "recursive schemas"
            )
        if cls not in self._names:
            name = self._names[cls] = _new_name(cls.__name__, self._names.values())
            self._open.append(cls)
            try:
                attrs.resolve_types(cls)
            except (NameError, TypeError) as error:
                raise InputError(
                    f"{self._where}: the annotations of {cls.__name__} cannot be read: {error}. "
                    "Define the classes it names at the top of a module"
                ) from error
            properties: dict[str, Any] = {}
            required: list[str] = []
            for attribute in attrs.fields(cls):
                if not attribute.init:
                    continue
                properties[attribute.alias] = self.of(attribute.type, f"{path}.{attribute.name}")
                if attribute.default is attrs.NOTHING:
                    required.append(attribute.alias)
            schema = _object(properties, required)
            text = (cls.__doc__ or "").strip().split("\n\n")[0]
            # attrs gives a class without a docstring one that only repeats its signature.
            if text and not text.startswith("Method generated by attrs"):
                schema = {"description": " ".join(text.split()), **schema}
            self.definitions[name] = schema
            self._open.pop()
        return {"$ref": f"#/$defs/{self._names[cls]}"}


def _is_scalar(annotation: Any) -> bool:
    try:
        return annotation in _SCALARS
    except TypeError:  # [int], say, which is no type and has no hash
        return False


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _new_name(name: str, taken: Collection[str]) -> str:
    """Return a name that no other class of this schema has: two modules may each have an Ant."""
    return name if name not in taken else _new_name(f"{name}_", taken)


def _enumeration(values: list[Any]) -> dict[str, Any]:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    found = {kinds.get(type(value)) for value in values}
    if None in found:
        raise InputError(f"an enumeration may hold strings, numbers and booleans, not {values!r}")
    return {"type": found.pop(), "enum": values} if len(found) == 1 else {"enum": values}


def _documentation(text: str) -> tuple[str, dict[str, str]]:
    """Part a docstring into its first paragraph and what it says of each parameter."""
    lines = text.splitlines()
    summary: list[str] = []
    for line in lines:
        if not line.strip():
            break
        summary.append(line.strip())
    explained: dict[str, str] = {}
    inside, current = False, ""
    for line in lines:
        bare = line.strip()
        if bare in ("Args:", "Arguments:", "Parameters:"):
            inside = True
        elif inside and bare and not line.startswith(" "):
            break
        elif inside and bare:
            name, colon, rest = bare.partition(":")
            if colon and name.partition(" ")[0].isidentifier() and not line.startswith("     "):
                current = name.partition(" ")[0]
                explained[current] = rest.strip()
            elif current:
                explained[current] += " " + bare
    return " ".join(summary), explained
