"""From Python types to JSON Schema."""

import datetime as dt
import enum
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from attrs import field, frozen

from hookline import InputError
from hookline.schema.functions import describe
from hookline.schema.types import schema_of
from hookline.values.frozen import thaw


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@frozen
class Leg:
    joints: int


@frozen
class Ant:
    """An ant.

    More about ants.
    """

    name: str
    legs: tuple[Leg, ...] = ()
    _hidden: int = field(default=0, init=False)


@frozen
class Node:
    children: "list[Node]"


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (None.__class__, {"type": "null"}),
        (dt.datetime, {"type": "string", "format": "date-time"}),
        (dt.date, {"type": "string", "format": "date"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (tuple[str, ...], {"type": "array", "items": {"type": "string"}}),
        (Sequence[str], {"type": "array", "items": {"type": "string"}}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
    ],
)
def test_a_type_has_its_schema(annotation: Any, schema: Any) -> None:
    assert schema_of(annotation) == schema


def test_an_output_has_a_table_as_pairs_because_no_compiled_schema_names_its_keys() -> None:
    schema = schema_of(dict[str, int])
    assert schema["type"] == "array"
    assert schema["items"]["properties"] == {
        "key": {"type": "string"},
        "value": {"type": "integer"},
    }


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Any, {}),
        (list, {"type": "array", "items": {}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": True}),
    ],
)
def test_a_tool_may_say_less_because_its_schema_is_not_compiled(
    annotation: Any, schema: Any
) -> None:
    def takes(a: Any) -> None: ...

    takes.__annotations__["a"] = annotation
    assert thaw(describe(takes).input_schema)["properties"]["a"] == schema


def test_a_class_becomes_a_definition() -> None:
    schema = schema_of(Ant)
    assert schema["$ref"] == "#/$defs/Ant"
    ant = schema["$defs"]["Ant"]
    assert ant["description"] == "An ant."
    assert ant["required"] == ["name"]
    assert ant["additionalProperties"] is False
    assert set(ant["properties"]) == {"name", "legs"}
    assert ant["properties"]["legs"]["items"] == {"$ref": "#/$defs/Leg"}
    assert "description" not in schema["$defs"]["Leg"]


@pytest.mark.parametrize(
    ("annotation", "complaint"),
    [
        (object, "no JSON schema"),
        (Any, "may be anything"),
        (list, "may be anything"),
        (Mapping[str, Any], "may be anything"),
        (bytes, "no JSON schema"),
        (tuple[int, str], "fixed length"),
        (dict[int, str], "strings as keys"),
        (Node, "contains itself"),
        (list[object], r"output\[\]"),
        (Literal[b"x"], "enumeration"),
    ],
)
def test_a_type_without_a_schema_is_refused(annotation: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        schema_of(annotation)


def test_a_function_becomes_a_tool() -> None:
    def weather(city: str, days: int = 1) -> str:
        """Say the weather,
        briefly.

        Where no station stands, it guesses.

        Args:
            city: where,
                in full.
            days: how many.

        Returns:
            a text.
        """
        return f"{city} {days}"

    tool = describe(weather)
    assert tool.name == "weather"
    assert tool.description == "Say the weather, briefly.\n\nWhere no station stands, it guesses."
    assert tool.input_schema["required"] == ("city",)
    assert tool.input_schema["properties"]["city"]["description"] == "where, in full."
    assert tool.input_schema["properties"]["days"] == {
        "type": "integer",
        "default": 1,
        "description": "how many.",
    }
    assert describe(weather, "forecast").name == "forecast"


def without_type(a) -> None: ...


def many(*a: int) -> None: ...


def keywords(**a: int) -> None: ...


def positional(a: int, /) -> None: ...


def unreadable(a: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821 -- on purpose
    ...


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (without_type, "needs a type annotation"),
        (many, "has no schema"),
        (keywords, "has no schema"),
        (positional, "cannot be given by name"),
        (unreadable, "cannot be described"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused(function: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        describe(function)
    assert f"tool '{function.__name__}'" in str(caught.value)
