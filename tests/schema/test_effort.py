"""Schemas made to keep us busy for years are refused at once, and honest ones that branch much are checked."""

from itertools import pairwise
from typing import Any

import pytest

from hookline import DecodeError, InputError
from hookline.schema import check_value
from hookline.schema.effort import effort


def doubling(levels: int, word: str, leaf: Any) -> dict[str, Any]:
    """Return definitions each of which leads to the next one twice."""
    names = [f"d{level}" for level in range(levels + 1)]
    table = {one: {word: [{"$ref": f"#/$defs/{two}"}] * 2} for one, two in pairwise(names)}
    return {"$defs": {**table, names[-1]: leaf}, "$ref": "#/$defs/d0"}


def condition(*operators: str) -> dict[str, Any]:
    """Return the schema of a condition: a text, or an operator over conditions."""
    branches = [
        {
            "type": "object",
            "properties": {
                "op": {"const": operator},
                "args": {"type": "array", "items": {"$ref": "#/$defs/condition"}},
            },
            "required": ["op", "args"],
            "additionalProperties": False,
        }
        for operator in operators
    ]
    return {
        "$defs": {"condition": {"anyOf": [{"type": "string"}, *branches]}},
        "type": "object",
        "properties": {"where": {"$ref": "#/$defs/condition"}},
    }


def nested(levels: int, leaf: Any) -> Any:
    value = leaf
    for _ in range(levels):
        value = {"op": "and", "args": [value]}
    return {"where": value}


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


TWICE: Any = [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/n"}]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubling(60, "allOf", {}), {}),
        (doubling(60, "oneOf", {}), {}),
        (doubling(60, "anyOf", {"type": "string"}), {}),
        ({"$defs": {"n": {"properties": {"a": {"allOf": TWICE}}}}, "$ref": "#/$defs/n"}, deep(60)),
        ({"$defs": {"n": {"patternProperties": {"": {"allOf": TWICE}}}}, **TWICE[0]}, deep(60)),
        (
            {"$defs": {"n": {"additionalProperties": {"not": {"anyOf": TWICE}}}}, **TWICE[0]},
            deep(60),
        ),
        ({"$anchor": "n", "allOf": [{"$ref": "#n"}, {"$ref": "#n"}]}, {}),
        ({"$dynamicAnchor": "n", "allOf": [{"$dynamicRef": "#n"}, {"$dynamicRef": "#n"}]}, {}),
        (
            {
                "$id": "http://e/",
                "$defs": {"a": {"$id": "b", "allOf": [{"$ref": "b"}]}},
                "$ref": "b",
            },
            {},
        ),
    ],
)
def test_work_without_end_is_refused_at_once(schema: Any, value: Any) -> None:
    with pytest.raises(InputError, match="nothing can be checked by it"):
        check_value(value, schema)


def test_twice_at_each_of_a_few_levels_is_no_harm() -> None:
    schema = {"$defs": {"n": {"items": {"allOf": TWICE}}}, "$ref": "#/$defs/n"}
    check_value([[[[]]]] * 10, schema)
    check_value({}, doubling(8, "allOf", {}))


@pytest.mark.parametrize("levels", [1, 4, 9, 12])
def test_a_condition_in_a_condition_is_checked(levels: int) -> None:
    schema = condition("and", "or", "not")
    check_value(nested(levels, "ants"), schema)
    with pytest.raises(DecodeError):  # which once took a minute to explain
        check_value(nested(levels, 5), schema)


def test_where_there_is_much_to_say_it_is_not_all_said() -> None:
    with pytest.raises(DecodeError, match="parameter where: "):
        check_value(nested(2, 5), condition("and", "or"))
    with pytest.raises(DecodeError, match="this does not fit the schema"):
        check_value(nested(12, 5), condition("and", "or", "not"))


def test_a_long_value_is_checked_and_its_fault_is_named() -> None:
    fields = {
        f"f{number}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for number in range(20)
    }
    schema = {
        "$defs": {"row": {"properties": fields}},
        "properties": {"rows": {"items": {"$ref": "#/$defs/row"}}},
    }
    rows: list[Any] = [dict.fromkeys(fields, "x") for _ in range(2_000)]
    check_value({"rows": rows}, schema)
    with pytest.raises(DecodeError, match=r"rows\.2000\.f1"):
        check_value({"rows": [*rows, {"f1": 5}]}, schema)


def test_each_meeting_counts_as_often_as_it_comes() -> None:
    assert effort({}, {}).meetings == 1  # type: ignore[union-attr]  # it has an end
    assert effort({}, doubling(3, "allOf", {})).meetings == 1 + 1 + 2 + 2 + 4 + 4 + 8 + 8  # type: ignore[union-attr]  # as before
    assert effort([1, 2], {"items": {"type": "integer"}}).parts == 3  # type: ignore[union-attr]  # as before
