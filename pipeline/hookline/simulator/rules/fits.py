"""Whether a JSON value fits a JSON Schema, for ``input_examples``."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hookline.simulator.rules.schema import resolve

_DEEP: Final = 64  # a recursive schema ends with its value, but one of nothing but $ref does not

_IS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    ),
}

# Keyword, the type that it is about, and whether a value is within it.
_BOUNDS: Final[tuple[tuple[str, str, Callable[[Any, Any], bool]], ...]] = (
    ("minimum", "number", lambda value, bound: value >= bound),
    ("maximum", "number", lambda value, bound: value <= bound),
    ("exclusiveMinimum", "number", lambda value, bound: value > bound),
    ("exclusiveMaximum", "number", lambda value, bound: value < bound),
    ("minLength", "string", lambda value, bound: len(value) >= bound),
    ("maxLength", "string", lambda value, bound: len(value) <= bound),
    ("minItems", "array", lambda value, bound: len(value) >= bound),
    ("maxItems", "array", lambda value, bound: len(value) <= bound),
    ("required", "object", lambda value, names: all(name in value for name in names)),
)


def misfit(value: Any, schema: Any) -> str | None:
    """Find where a value does not fit a schema.

    Args:
        value: A JSON value.
        schema: A well-formed schema. Of its keywords those that bound a type, choose, combine or
            refer are applied; ``format`` and ``multipleOf`` are not.

    Returns:
        The position and the keyword that is broken, or None.

    """
    return next(_misfits(value, schema, schema, "", 0), None)


def _misfits(value: Any, schema: Any, root: Any, path: str, depth: int) -> Iterator[str]:
    if schema is False or depth > _DEEP:
        yield f"{path or 'the example'} is not allowed"
    if not isinstance(schema, dict):
        return
    yield from (f"{path or 'the example'}: {name}" for name in _broken(value, schema))
    for inner in _combined(schema, root):
        yield from _misfits(value, inner, root, path, depth + 1)
    for keyword in ("anyOf", "oneOf"):
        choices = schema.get(keyword)
        if choices and all(any(_misfits(value, s, root, path, depth + 1)) for s in choices):
            yield f"{path or 'the example'}: {keyword}"
    if isinstance(value, dict):
        yield from _in_object(value, schema, root, path, depth)
    elif isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from _misfits(item, schema["items"], root, f"{path}[{place}]", depth + 1)


def _broken(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_IS[kind](value) for kind in kinds):
        yield "type"
    if "enum" in schema and not any(_same(value, other) for other in schema["enum"]):
        yield "enum"
    if "const" in schema and not _same(value, schema["const"]):
        yield "const"
    for keyword, kind, within in _BOUNDS:
        if keyword in schema and _IS[kind](value) and not within(value, schema[keyword]):
            yield keyword
    if "pattern" in schema and isinstance(value, str) and not _matches(schema["pattern"], value):
        yield "pattern"


def _same(value: Any, other: Any) -> bool:
    return value == other and isinstance(value, bool) == isinstance(
        other, bool
    )  # in Python 1 == True


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # another dialect than Python's: it cannot be judged here
        return True


def _combined(schema: Mapping[str, Any], root: Any) -> Iterator[Any]:
    yield from schema.get("allOf", ())
    if "$ref" in schema:
        yield resolve(schema["$ref"], root)


def _in_object(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: Any, path: str, depth: int
) -> Iterator[str]:
    properties = schema.get("properties", {})
    rest = "patternProperties" in schema or schema.get("additionalProperties", True)
    for name, item in value.items():
        inner = properties.get(name, rest)
        yield from _misfits(item, inner, root, f"{path}.{name}".lstrip("."), depth + 1)
