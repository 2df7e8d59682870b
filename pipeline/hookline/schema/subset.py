"""Which JSON Schemas the API compiles for structured output (facts 11), checked before it costs.

Every rule is a row of a table; an error names the place in the schema, as JSONPath, and the remedy.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hookline.errors import InputError
from hookline.values.brief import brief

__all__ = ["check_subset", "closed", "inner_schemas", "referred"]

Schema = Mapping[str, Any]

_MOST_OPTIONAL: Final = 24
_MOST_UNIONS: Final = 16
_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")
_FORMATS: Final = (
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
)
_KEYWORDS: Final = frozenset(
    {
        "$comment",
        "$defs",
        "$id",
        "$ref",
        "$schema",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "default",
        "definitions",
        "description",
        "enum",
        "examples",
        "format",
        "items",
        "minItems",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    }
)
_TABLES: Final = ("properties", "$defs", "definitions")  # keywords that hold schemas by name
_LISTS: Final = ("anyOf", "allOf")
_HARD_REGEX: Final = re.compile(r"\(\?<?[=!]|\\[bB]|\\[1-9]|\(\?P=")
_SCALAR: Final = str | int | float | None

# What a schema must not say, and what to do about it.
_RULES: Final[tuple[tuple[Callable[[Schema], bool], str], ...]] = (
    (
        lambda schema: any(kind not in _TYPES for kind in _kinds(schema)),
        f"`type` must be one of {', '.join(_TYPES)}",
    ),
    (
        lambda schema: schema.get("additionalProperties", False) is not False,
        "`additionalProperties` must be false; for free keys use an array of key and value",
    ),
    (
        lambda schema: schema.get("minItems", 0) not in (0, 1),
        "`minItems` may only be 0 or 1; say a larger number in `description`",
    ),
    (
        lambda schema: not all(isinstance(each, _SCALAR) for each in schema.get("enum", ())),
        "`enum` may only hold strings, numbers, booleans and null",
    ),
    (
        lambda schema: schema.get("format", "date") not in _FORMATS,
        f"`format` must be one of {', '.join(_FORMATS)}",
    ),
    (
        lambda schema: _HARD_REGEX.search(schema.get("pattern", "")) is not None,
        "`pattern` may not look around, refer back or use word boundaries",
    ),
    (
        lambda schema: any("$ref" in part for part in schema.get("allOf", ())),
        "`allOf` may not hold a `$ref`; write the schema out",
    ),
    (
        lambda schema: not set(schema.get("required", ())) <= set(schema.get("properties", ())),
        "`required` names a property that `properties` does not have",
    ),
)
# The JSON type of the keywords that the rules and the walk look into.
_SHAPES: Final[Mapping[str, tuple[type, ...]]] = {
    "$defs": (Mapping,),
    "$ref": (str,),
    "allOf": (list, tuple),
    "anyOf": (list, tuple),
    "definitions": (Mapping,),
    "enum": (list, tuple),
    "format": (str,),
    "items": (Mapping, bool),
    "pattern": (str,),
    "properties": (Mapping,),
    "required": (list, tuple),
    "type": (str, list, tuple),
}


def check_subset(schema: Schema) -> None:
    """Refuse a schema that the API would not compile.

    Args:
        schema: the whole schema.

    Raises:
        InputError: names the place, what is wrong there, and what to do.

    """
    optional = unions = 0
    for place, each in _places(schema, "$"):
        _check_shape(each, place)
        for broken, text in _RULES:
            if broken(each):
                raise _refused(place, text)
        if "$ref" in each:
            referred(schema, each["$ref"], place)
        optional += len(set(each.get("properties", ())) - set(each.get("required", ())))
        unions += "anyOf" in each or len(_kinds(each)) > 1
    if optional > _MOST_OPTIONAL:
        raise _refused(
            "$",
            f"{optional} properties are optional, and the API compiles {_MOST_OPTIONAL} at most; "
            "require more of them (a field without a default)",
        )
    if unions > _MOST_UNIONS:
        raise _refused(
            "$",
            f"{unions} values are unions or optional types, and the API compiles {_MOST_UNIONS} "
            "at most; use fewer",
        )
    _check_recursion(schema, schema, "$", ())


def closed(schema: Any) -> Any:
    """Return a checked schema with ``additionalProperties: false`` in every object, as it must be."""
    if not isinstance(schema, Mapping):
        return schema
    changed: dict[str, Any] = {**schema}
    for name in _TABLES:
        if name in schema:
            changed[name] = {key: closed(inner) for key, inner in schema[name].items()}
    for name in _LISTS:
        if name in schema:
            changed[name] = [closed(inner) for inner in schema[name]]
    if "items" in schema:
        changed["items"] = closed(schema["items"])
    if "object" in _kinds(schema) or "properties" in schema:
        changed["additionalProperties"] = False
    return changed


def inner_schemas(schema: Schema) -> Iterator[tuple[str, Any, Any]]:
    """Yield the schemas directly inside one: the keyword, the key or index under it, the schema."""
    for name in _TABLES:
        for key, inner in schema.get(name, {}).items():
            yield name, key, inner
    for name in _LISTS:
        for index, inner in enumerate(schema.get(name, ())):
            yield name, index, inner
    if "items" in schema:
        yield "items", None, schema["items"]


def referred(root: Schema, reference: str, place: str = "$") -> Any:
    """Return the schema that a ``$ref`` points to.

    Raises:
        InputError: it points out of the schema, or to nothing.

    """
    if not reference.startswith("#"):
        raise _refused(place, f"`$ref` {reference!r} points elsewhere; put the schema into `$defs`")
    target: Any = root
    for step in filter(None, reference[1:].split("/")):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, Mapping) or name not in target:
            raise _refused(place, f"`$ref` {reference!r} points to nothing")
        target = target[name]
    return target


def _kinds(schema: Schema) -> tuple[Any, ...]:
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _places(schema: Any, place: str) -> Iterator[tuple[str, Schema]]:
    if schema is True:
        return
    if not isinstance(schema, Mapping):
        raise _refused(place, f"a schema must be an object, not {brief(schema)}")
    yield place, schema  # first, so that its shape is checked before anybody looks inside
    for name, key, inner in inner_schemas(schema):
        yield from _places(inner, _step(place, name, key))


def _step(place: str, name: str, key: Any) -> str:
    place = f"{place}.{name}"
    if key is None:
        return place
    return f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}"


def _check_shape(schema: Schema, place: str) -> None:
    for name, value in schema.items():
        if name not in _KEYWORDS:
            raise _refused(
                place, f"`{name}` is not supported; leave it out, or say it in `description`"
            )
        if name in _SHAPES and not isinstance(value, _SHAPES[name]):
            raise _refused(place, f"`{name}` cannot be {value!r}")


def _check_recursion(schema: Any, root: Schema, place: str, trail: tuple[int, ...]) -> None:
    if not isinstance(schema, Mapping):
        return
    if id(schema) in trail:
        raise _refused(place, "the schema contains itself; the API refuses recursive schemas")
    trail = (*trail, id(schema))
    if "$ref" in schema:
        _check_recursion(referred(root, schema["$ref"]), root, place, trail)
    for name, key, inner in inner_schemas(schema):
        if name not in ("$defs", "definitions"):  # these count where they are used
            _check_recursion(inner, root, _step(place, name, key), trail)


def _refused(place: str, text: str) -> InputError:
    return InputError(f"the JSON schema of output= cannot be compiled by the API: {place}: {text}")
