"""Which JSON Schemas the API takes: well-formed ones for tools, a subset for structured output.

The wordings are approximate, except where the facts give one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import define

from hookline.simulator.errors import ApiError, invalid
from hookline.simulator.rules.shape import Anything, Flag, Free, Items, Number, Record, Shape, Text

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
_ANY: Final = Anything()
_STRING: Final = Text()

# The keywords of the subset, with the shape of their values.
_SUBSET: Final[Mapping[str, Shape]] = {
    "$comment": _STRING,
    "$defs": Free(Free()),
    "$id": _STRING,
    "$ref": _STRING,
    "$schema": _STRING,
    "additionalProperties": _ANY,
    "allOf": Items(Free()),
    "anyOf": Items(Free()),
    "const": _ANY,
    "default": _ANY,
    "definitions": Free(Free()),
    "description": _STRING,
    "enum": Items(_ANY),
    "examples": Items(_ANY),
    "format": _STRING,
    "items": _ANY,
    "minItems": Number(least=0),
    "pattern": _STRING,
    "properties": Free(),
    "required": Items(_STRING),
    "title": _STRING,
    "type": _ANY,
}
# What a tool's schema may use beyond it and ``instance.py`` reads.
_BEYOND: Final[Mapping[str, Shape]] = {
    "oneOf": Items(_ANY),
    "minLength": Number(least=0),
    "maxLength": Number(least=0),
    "maxItems": Number(least=0),
    "minimum": Number(whole=False),
    "maximum": Number(whole=False),
    "exclusiveMinimum": Number(whole=False),
    "exclusiveMaximum": Number(whole=False),
    "multipleOf": Number(whole=False),
    "uniqueItems": Flag(),
}
_READ: Final[Mapping[str, Shape]] = {**_SUBSET, **_BEYOND}
_HARD_REGEX: Final = re.compile(r"\(\?[=!<]|\\[bB]|\\[1-9]|\(\?P=")
_MOST_OPTIONAL: Final = 24
_MOST_UNIONS: Final = 16


@define
class _Counts:
    optional: int = 0
    unions: int = 0


def check_well_formed(schema: Any, where: str) -> None:
    """Refuse what is no JSON Schema at all.

    Args:
        schema: A JSON value.
        where: Its position in the request.

    Raises:
        ApiError: 400.

    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise invalid(f"{where}: Input should be an object")
    known = {name: shape for name, shape in _READ.items() if name in schema}
    try:
        Record(known).check({name: schema[name] for name in known}, "", frozenset())
        _check_types(schema, where)
    except ApiError as error:
        raise invalid(
            f"{where}: JSON schema is invalid. It must match JSON Schema draft 2020-12 ({error})"
        ) from error
    for path, inner in _inner(schema):
        check_well_formed(inner, f"{where}.{path}")


def check_schema(schema: Any, where: str) -> None:
    """Refuse a schema that uses more than the subset for structured output and strict tools.

    Args:
        schema: A JSON value.
        where: Its position in the request.

    Raises:
        ApiError: 400 naming the position and the feature.

    """
    if not isinstance(schema, dict):
        raise invalid(f"{where}: Input should be an object")
    check_well_formed(schema, where)
    counts = _Counts()
    _check(schema, where, schema, counts)
    _check_recursion(schema, schema, where, ())
    if counts.optional > _MOST_OPTIONAL or counts.unions > _MOST_UNIONS:
        raise invalid("Schema is too complex for compilation.")


def resolve(ref: str, root: Mapping[str, Any], where: str = "schema") -> Any:
    """Follow a local reference.

    Args:
        ref: ``#`` or ``#/…``.
        root: The whole schema.
        where: The position to name when it leads nowhere.

    Returns:
        The schema it points to.

    Raises:
        ApiError: 400, the reference is external or broken.

    """
    if not ref.startswith("#"):
        raise invalid(f"{where}: external $ref '{ref}' is not supported")
    target: Any = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not name:
            continue
        if not isinstance(target, dict) or name not in target:
            raise invalid(f"{where}: $ref '{ref}' points to nothing")
        target = target[name]
    return target


def _kinds(schema: Mapping[str, Any]) -> list[Any]:
    kind = schema.get("type")
    if kind is None:
        return []
    return kind if isinstance(kind, list) else [kind]


def _check_types(schema: Mapping[str, Any], where: str) -> None:
    for kind in _kinds(schema):
        if kind not in _TYPES:
            raise invalid(f"{where}: type '{kind}' is not supported")


def _check(schema: Any, where: str, root: Mapping[str, Any], counts: _Counts) -> None:
    if isinstance(schema, bool):
        if not schema:
            raise invalid(f"{where}: the schema 'false' is not supported")
        return
    unknown = next((name for name in schema if name not in _SUBSET), None)
    if unknown is not None:
        kind = schema.get("type", "schema")
        raise invalid(f"{where}: For '{kind}' type, property '{unknown}' is not supported")
    if len(_kinds(schema)) > 1 or "anyOf" in schema:
        counts.unions += 1
    if "object" in _kinds(schema):
        _check_object(schema, where, counts)
    found = next((text for unsupported, text in _UNSUPPORTED if unsupported(schema)), None)
    if found is not None:
        raise invalid(f"{where}: {found}")
    if "$ref" in schema:
        resolve(schema["$ref"], root, where)
    for path, inner in _inner(schema):
        _check(inner, f"{where}.{path}", root, counts)


_UNSUPPORTED: Final[tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...]] = (
    (
        lambda schema: schema.get("minItems", 0) not in (0, 1),
        "For 'array' type, 'minItems' values other than 0 or 1 are not supported",
    ),
    (
        lambda schema: any("$ref" in item for item in schema.get("allOf", ())),
        "'allOf' with '$ref' is not supported",
    ),
    (
        lambda schema: any(isinstance(value, dict | list) for value in schema.get("enum", ())),
        "'enum' may only hold scalar values",
    ),
    (
        lambda schema: schema.get("format", "date") not in _FORMATS,
        "For 'string' type, this 'format' is not supported",
    ),
    (
        lambda schema: _HARD_REGEX.search(schema.get("pattern", "")) is not None,
        "'pattern' with lookaround, backreferences or word boundaries is not supported",
    ),
)


def _check_object(schema: Mapping[str, Any], where: str, counts: _Counts) -> None:
    if schema.get("additionalProperties") is not False:
        raise invalid(
            f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        )
    properties, required = set(schema.get("properties", {})), set(schema.get("required", ()))
    counts.optional += len(properties - required)
    if required - properties:
        unknown = ", ".join(sorted(required - properties))
        raise invalid(f"{where}: 'required' names unknown properties: {unknown}")


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("properties", "$defs", "definitions"):
        for key, inner in schema.get(name, {}).items():
            yield f"{name}.{key}", inner
    for name in ("anyOf", "allOf", "oneOf"):
        for place, inner in enumerate(schema.get(name, ())):
            yield f"{name}.{place}", inner
    if "items" in schema:
        yield "items", schema["items"]


def _check_recursion(
    schema: Any, root: Mapping[str, Any], where: str, trail: tuple[int, ...]
) -> None:
    if not isinstance(schema, dict):
        return
    if id(schema) in trail:
        raise invalid(f"{where}: recursive schemas are not supported")
    trail = (*trail, id(schema))
    if "$ref" in schema:
        _check_recursion(resolve(schema["$ref"], root, where), root, where, trail)
    for path, inner in _inner(schema):
        if not path.startswith(("$defs", "definitions")):  # these count where they are used
            _check_recursion(inner, root, where, trail)
