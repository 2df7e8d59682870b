"""Whether a JSON value fits a JSON Schema, as far as structured output can say it.

The API promises that it does, other servers do not. Formats and patterns are left to the reader.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from hookline.schema.subset import referred
from hookline.values.brief import brief

__all__ = ["misfits"]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_IS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _number(value) and (isinstance(value, int) or value.is_integer()),
    "number": _number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def misfits(value: Any, schema: Any, root: Mapping[str, Any], path: str = "$") -> Iterator[str]:
    """Say where a value does not fit.

    Args:
        value: plain JSON.
        schema: what it must fit; within the subset that ``check_subset`` holds.
        root: the whole schema, for references.
        path: where the value stands, in JSONPath form.

    Yields:
        One text for each place.

    """
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        yield from misfits(value, referred(root, schema["$ref"]), root, path)
    kinds = schema.get("type")
    wanted = (kinds,) if isinstance(kinds, str) else tuple(kinds or ())
    if wanted and not any(_IS[kind](value) for kind in wanted):
        yield f"{path}: expected {' or '.join(wanted)}, found {brief(value)}"
        return
    allowed = (schema["const"],) if "const" in schema else schema.get("enum")
    if allowed is not None and not any(_same(value, each) for each in allowed):
        yield f"{path}: expected one of {', '.join(map(brief, allowed))}, found {brief(value)}"
    for part in schema.get("allOf", ()):
        yield from misfits(value, {**part, "additionalProperties": True}, root, path)
    parts = schema.get("anyOf")
    if parts and all(any(misfits(value, part, root, path)) for part in parts):
        yield f"{path}: {brief(value)} fits none of {len(parts)} schemas"
    if isinstance(value, dict):
        yield from _object_misfits(value, schema, root, path)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{path}: the array is empty"
        items = schema.get("items", True)
        yield from chain.from_iterable(
            misfits(item, items, root, f"{path}[{index}]") for index, item in enumerate(value)
        )


def _object_misfits(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}: {name!r} is missing"
    for name, item in value.items():
        if name in properties:
            yield from misfits(item, properties[name], root, f"{path}.{name}")
        elif schema.get("additionalProperties") is False and "allOf" not in schema:
            yield f"{path}: {name!r} is not a known property"


def _same(value: Any, other: Any) -> bool:
    # To Python, True is 1; to JSON it is not, but 1.0 is.
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)
