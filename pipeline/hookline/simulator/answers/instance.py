"""An instance of a JSON Schema: a small honest value that fits it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from hookline.simulator.rules.schema import resolve

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
_TEXT: Final = "simulated"
_DEEP: Final = 12
_MOST_ITEMS: Final = 100
_LONGEST: Final = 10_000


def instance_of(schema: Any) -> Any:
    """Make a value that fits a schema.

    Args:
        schema: A well-formed JSON Schema. A tool's may use more than the API's strict subset; a
            ``pattern`` is not met, numeric bounds and lengths are.

    Returns:
        The value: required properties first, then optional ones, in the schema's order.

    """
    return _make(schema, schema, 0)


def _make(schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEP:
        return None if depth > _DEEP else _TEXT
    for keyword, pick in _GIVEN:
        if keyword in schema:
            return pick(schema[keyword])
    if "$ref" in schema:
        return _make(resolve(schema["$ref"], root), root, depth + 1)
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            return _make(schema[keyword][0], root, depth + 1)
    if schema.get("allOf"):
        return _make(_merged(schema), root, depth + 1)
    return _MAKERS[_kind(schema)](schema, root, depth)


def _first(values: Any) -> Any:
    return values[0] if values else None


_GIVEN: Final[tuple[tuple[str, Callable[[Any], Any]], ...]] = (
    ("const", lambda value: value),
    ("enum", _first),
    ("examples", _first),
    ("default", lambda value: value),
)


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = _first(kind)
    if kind is None:
        kind = "object" if "properties" in schema else "string"
    return str(kind)


def _object(schema: Mapping[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = [name for name in properties if name in schema.get("required", ())]
    # Deep inside a (recursive) tool schema only what must be there, so that it ends.
    optional = [name for name in properties if name not in required] if depth < _DEEP // 2 else []
    return {name: _make(properties[name], root, depth + 1) for name in (*required, *optional)}


def _array(schema: Mapping[str, Any], root: Any, depth: int) -> list[Any]:
    least = min(int(schema.get("minItems", 0)), _MOST_ITEMS)
    wanted = (
        least if depth >= _DEEP // 2 else min(max(1, least), schema.get("maxItems", _MOST_ITEMS))
    )
    return [_make(schema.get("items", {}), root, depth + 1) for _ in range(int(wanted))]


def _string(schema: Mapping[str, Any], _root: Any, _depth: int) -> str:
    text = _BY_FORMAT.get(schema.get("format", ""), _TEXT)
    text = text.ljust(min(int(schema.get("minLength", 0)), _LONGEST), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _integer(schema: Mapping[str, Any], _root: Any, _depth: int) -> int:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1) - 1)
    step = schema.get("multipleOf") or 1
    value = -(-min(max(low, 1), max(high, low)) // step) * step
    return int(value)


def _number(schema: Mapping[str, Any], root: Any, depth: int) -> float:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and "multipleOf" not in schema:
        return float(low + (high - low) / 2)
    return _integer(schema, root, depth)


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        for key, value in part.items() if isinstance(part, dict) else ():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, ()), *value]
            else:
                merged.setdefault(key, value)
    return merged


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any], Any, int], Any]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _schema, _root, _depth: True,
    "null": lambda _schema, _root, _depth: None,
}
