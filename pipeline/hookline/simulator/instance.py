"""An instance of a JSON Schema: the smallest honest value that fits it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from hookline.simulator.schema_rules import resolve

_BY_FORMAT: Final[Mapping[str, str]] = {
    "date-time": "2026-11-23T12:00:00Z",
    "date": "2026-11-23",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "sim@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEP: Final = 12


def instance_of(schema: Mapping[str, Any]) -> Any:
    """Make a value that fits a schema.

    Args:
        schema: A JSON Schema. Tool schemas may use more than the API's strict subset; what
            cannot be met here (such as a ``pattern``) is met as far as possible.

    Returns:
        The value: required properties first, then optional ones, in the schema's order.

    """
    return _make(schema, schema, 0)


def _make(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict):
        return "simulated"
    for keyword, pick in _DIRECT:
        if keyword in schema:
            return pick(schema[keyword])
    if "$ref" in schema:
        return _make(resolve(schema["$ref"], root), root, depth + 1) if depth < _DEEP else None
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            return _make(schema[keyword][0], root, depth + 1)
    if schema.get("allOf"):
        return _make(_merged(schema), root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    match kind:
        case "object":
            return _object(schema, root, depth)
        case "array":
            wanted = max(1, schema.get("minItems", 1)) if depth < _DEEP else 0
            return [_make(schema.get("items", {}), root, depth + 1) for _ in range(wanted)]
        case "string":
            return _string(schema)
        case "integer":
            return int(_number(schema))
        case "number":
            return _number(schema)
        case "boolean":
            return True
        case _:
            return None


_DIRECT: Final[tuple[tuple[str, Callable[[Any], Any]], ...]] = (
    ("const", lambda value: value),
    ("enum", lambda values: values[0] if values else None),
    ("examples", lambda values: values[0] if values else None),
    ("default", lambda value: value),
)


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = [name for name in properties if name in schema.get("required", ())]
    # Deep inside a (recursive) tool schema only what must be there, so that it ends.
    optional = [name for name in properties if name not in required] if depth < _DEEP // 2 else []
    return {name: _make(properties[name], root, depth + 1) for name in (*required, *optional)}


def _string(schema: Mapping[str, Any]) -> str:
    text = _BY_FORMAT.get(schema.get("format", ""), "simulated")
    text = text.ljust(schema.get("minLength", 0), ".")
    return text[: schema.get("maxLength", len(text))]


def _number(schema: Mapping[str, Any]) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", 2) - 1)
    value = low if low > 0 else min(1, high)
    step = schema.get("multipleOf")
    return value if not step else -(-value // step) * step


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        for key, value in part.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, ()), *value]
            else:
                merged.setdefault(key, value)
    return merged
