"""Schemas that nobody here has read: patterns, references and depth do no harm."""

import time
from typing import Any

import pytest

from hookline import InputError
from hookline.errors import DecodeError
from hookline.schema import check_schema, check_value


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def test_a_value_that_fits_passes() -> None:
    check_value({"a": 1}, {"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": "x"}, "parameter a: "),
        ({"a": 1, "b": {"c": [1, "x"]}}, "parameter b.c.1: "),
        ({"a": 1, "z": 1}, "there is no parameter z"),
        ({}, "the parameter 'a' is missing"),
    ],
)
def test_what_does_not_fit_is_named(value: Any, said: str) -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "additionalProperties": False,
        "properties": {
            "a": {"type": "integer"},
            "b": {"properties": {"c": {"items": {"type": "integer"}}}},
        },
    }
    with pytest.raises(DecodeError) as raised:
        check_value(value, schema)
    assert str(raised.value).startswith(said)


def test_an_error_does_not_repeat_a_megabyte() -> None:
    with pytest.raises(DecodeError) as raised:
        check_value({"a": "x" * 1_000_000}, {"properties": {"a": {"type": "integer"}}})
    assert len(str(raised.value)) < 1_000


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", r"^(a+)+\1$", "(?=(a+)+$)b"])
def test_a_pattern_that_backtracks_without_end_ends(pattern: str) -> None:
    began = time.monotonic()
    with pytest.raises(DecodeError):
        check_value({"a": "a" * 5_000 + "!"}, {"properties": {"a": {"pattern": pattern}}})
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"properties": {"a": {"$ref": "other.json"}}},
        nested(10_000),
        {"type": "nonsense"},
        {"pattern": "("},
        {"properties": []},
    ],
    ids=["http", "https", "file", "relative", "deep", "type", "pattern", "shape"],
)
def test_a_schema_of_no_use_is_refused(schema: Any) -> None:
    with pytest.raises(InputError, match="tool 'x'"):
        check_schema(schema, "tool 'x'")


def test_a_schema_that_contains_itself_is_no_trap() -> None:
    schema = {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False}
    value: dict[str, Any] = {}
    for _ in range(100):
        value = {"a": value}
    check_value(value, schema)
    with pytest.raises(DecodeError):
        check_value({"a": {"b": 1}}, schema)
