"""Which JSON Schemas the API takes for structured output and strict tools."""

import re
from collections.abc import Mapping
from typing import Any, Final

from hookline.simulator.errors import ApiError, invalid

_TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_FORMATS: Final = frozenset(
    {
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
    }
)
_KNOWN: Final = frozenset(
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
_HARD_REGEX: Final = re.compile(r"\(\?[=!<]|\\[bB]|\\[1-9]|\(\?P=")
_MOST_OPTIONAL: Final = 24
_MOST_UNIONS: Final = 16


def check_schema(schema: Any, where: str) -> None:
    """Refuse a schema that uses more than the API's subset. The wordings are approximate.

    Args:
        schema: A JSON Schema.
        where: Its position in the request.

    Raises:
        ApiError: 400 naming the position in the schema and the feature.

    """
    if not isinstance(schema, dict):
        raise invalid(f"{where}: Input should be an object")
    counts = {"optional": 0, "unions": 0}
    _check(schema, where, schema, counts)
    _check_recursion(schema, schema, where, ())
    if counts["optional"] > _MOST_OPTIONAL or counts["unions"] > _MOST_UNIONS:
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
        raise _unsupported(where, f"external $ref '{ref}' is not supported")
    target: Any = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        if step == "":
            continue
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, dict) or name not in target:
            raise _unsupported(where, f"$ref '{ref}' points to nothing")
        target = target[name]
    return target


def _unsupported(where: str, text: str) -> ApiError:
    return invalid(f"{where}: {text}")


def _check(schema: Any, where: str, root: Mapping[str, Any], counts: dict[str, int]) -> None:
    if schema is True or schema == {}:
        return
    if not isinstance(schema, dict):
        raise _unsupported(where, "Input should be an object")
    for name in schema:
        if name not in _KNOWN:
            kind = schema.get("type", "schema")
            raise _unsupported(where, f"For '{kind}' type, property '{name}' is not supported")
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    for name in kinds:
        if name is not None and name not in _TYPES:
            raise _unsupported(where, f"type '{name}' is not supported")
    if len(kinds) > 1 or "anyOf" in schema:
        counts["unions"] += 1
    if "object" in kinds:
        _check_object(schema, where, counts)
    if schema.get("minItems", 0) not in (0, 1):
        raise _unsupported(where, "For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    _check_values(schema, where)
    if "$ref" in schema:
        resolve(schema["$ref"], root, where)
    if "allOf" in schema and any("$ref" in item for item in schema["allOf"]):
        raise _unsupported(where, "'allOf' with '$ref' is not supported")
    for path, inner in _inner(schema):
        _check(inner, f"{where}.{path}", root, counts)


def _check_object(schema: Mapping[str, Any], where: str, counts: dict[str, int]) -> None:
    if schema.get("additionalProperties") is not False:
        raise _unsupported(
            where, "For 'object' type, 'additionalProperties' must be explicitly set to false"
        )
    properties = schema.get("properties", {})
    counts["optional"] += len(set(properties) - set(schema.get("required", ())))
    unknown = sorted(set(schema.get("required", ())) - set(properties))
    if unknown:
        raise _unsupported(where, f"'required' names unknown properties: {', '.join(unknown)}")


def _check_values(schema: Mapping[str, Any], where: str) -> None:
    if any(isinstance(value, dict | list) for value in schema.get("enum", ())):
        raise _unsupported(where, "'enum' may only hold scalar values")
    if "format" in schema and schema["format"] not in _FORMATS:
        raise _unsupported(where, f"For 'string' type, format '{schema['format']}' is not supported")
    pattern = schema.get("pattern")
    if pattern is not None and _HARD_REGEX.search(pattern):
        raise _unsupported(
            where, "pattern: lookaround, backreferences and word boundaries are not supported"
        )


def _inner(schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in ("properties", "$defs", "definitions"):
        found += [(f"{name}.{key}", inner) for key, inner in schema.get(name, {}).items()]
    for name in ("anyOf", "allOf"):
        found += [(f"{name}.{place}", inner) for place, inner in enumerate(schema.get(name, ()))]
    if "items" in schema:
        found.append(("items", schema["items"]))
    return found


def _check_recursion(
    schema: Any, root: Mapping[str, Any], where: str, trail: tuple[int, ...]
) -> None:
    if not isinstance(schema, dict):
        return
    if id(schema) in trail:
        raise _unsupported(where, "recursive schemas are not supported")
    trail = (*trail, id(schema))
    if "$ref" in schema:
        _check_recursion(resolve(schema["$ref"], root, where), root, where, trail)
    for path, inner in _inner(schema):
        if not path.startswith(("$defs", "definitions")):  # these count where they are used
            _check_recursion(inner, root, where, trail)
