"""Functions as tools: of every kind, documented in every style, with types of every kind."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, TypedDict

import attrs
import pytest
from pydantic import BaseModel, Field

from hookline import InputError
from hookline.errors import DecodeError
from hookline.schema import accepts, check_value, describe, fitted_arguments, structured
from hookline.schema.output import Output
from hookline.values import thaw

UserId = NewType("UserId", int)


def google(city: str) -> str:
    """Tell the weather.

    Args:
        city: the town.
    """
    return city


def google_tight(city: str) -> str:
    """Tell the weather.
    Args:
        city (str): the town.
    Returns:
        words.
    """
    return city


def numpy(city: str) -> str:
    """Tell the weather.

    Parameters
    ----------
    city : str
        the town.

    Returns
    -------
    str
    """
    return city


def sphinx(city: str) -> str:
    """Tell the weather.

    :param str city: the town.
    :returns: words
    """
    return city


def annotated(city: Annotated[str, "the town."]) -> str:
    """Tell the weather."""
    return city


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return inner


class Weather:
    """Tell the weather."""

    def __call__(self, city: Annotated[str, "the town."]) -> str:
        return city

    def method(self, city: str) -> str:
        """Tell the weather.

        Args:
            city: the town.
        """
        return city


def in_country(country: str, city: str, *, unit: str = "C") -> str:
    """Tell the weather.

    Args:
        country: where.
        city: the town.
        unit: of the temperature.
    """
    return f"{country} {city} {unit}"


CALLABLES = [
    google,
    google_tight,
    numpy,
    sphinx,
    annotated,
    traced(google),
    functools.lru_cache(google),
    Weather(),
    Weather().method,
    functools.partial(in_country, "Switzerland", unit="K"),
    traced(functools.lru_cache(numpy)),
]


@pytest.mark.parametrize("function", CALLABLES)
def test_every_callable_and_style_says_the_same(function: Any) -> None:
    tool = describe(function, "weather")
    assert tool.description == "Tell the weather."
    assert thaw(tool.input_schema) == {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "the town."}},
        "required": ["city"],
        "additionalProperties": False,
    }
    assert fitted_arguments(function, {"city": "Bern"}) == {"city": "Bern"}
    assert "Bern" in function(**fitted_arguments(function, {"city": "Bern"}))
    with pytest.raises(DecodeError, match="parameter city"):
        fitted_arguments(function, {"city": 5})
    with pytest.raises(DecodeError, match="no parameter unit"):
        fitted_arguments(function, {"city": "Bern", "unit": "F"})


class Colour(Enum):
    RED = "red"


@attrs.frozen
class AttrsPoint:
    """A point.

    Attributes:
        x: to the right.

    """

    x: int
    y: int = 0


@dataclass
class DataPoint:
    """A point.

    Attributes:
        x: to the right.
    """

    x: int
    y: int = 0
    tags: list[str] = dataclass_field(default_factory=list)


class DictPoint(TypedDict):
    """A point."""

    x: Annotated[int, "to the right."]
    y: NotRequired[int]


class TuplePoint(NamedTuple):
    """A point."""

    x: Annotated[int, "to the right."]
    y: int = 0


class PydanticPoint(BaseModel):
    """A point."""

    x: int = Field(description="to the right.", ge=0)
    y: int = 0


KINDS = [AttrsPoint, DataPoint, DictPoint, TuplePoint, PydanticPoint]


@pytest.mark.parametrize("kind", KINDS)
def test_classes_of_every_kind_are_described_and_made(kind: Any) -> None:
    def draw(at: kind) -> str:
        """Draw."""
        return ""

    draw.__annotations__["at"] = kind
    schema = thaw(describe(draw).input_schema)
    (definition,) = schema["$defs"].values()
    assert definition["description"] == "A point."
    assert definition["required"] == ["x"]
    assert definition["properties"]["x"]["type"] == "integer"
    assert definition["properties"]["x"]["description"] == "to the right."
    assert definition["properties"]["y"] == {"type": "integer"}
    given = fitted_arguments(draw, {"at": {"x": 1}})["at"]
    assert given["x"] if kind is DictPoint else given.x == 1
    if kind is not DictPoint:
        assert isinstance(given, kind)
        assert given.y == 0
    with pytest.raises(DecodeError, match="z"):
        check_value({"at": {"x": 1, "z": 2}}, schema)
    with pytest.raises(DecodeError):
        fitted_arguments(draw, {"at": {"x": "one"}})


@pytest.mark.parametrize("kind", KINDS)
def test_classes_of_every_kind_are_outputs(kind: Any) -> None:
    output = Output.of(kind)
    value = output.read('{"x": 3, "y": 4}')
    assert (value["x"] if kind is DictPoint else value.x) == 3
    with pytest.raises(DecodeError):
        output.read('{"x": "three", "y": 4}')


def paint(
    colour: Colour,
    size: Literal["s", "l"],
    price: Decimal,
    user: UserId,
    part: Annotated[float, Field(gt=0, le=1)],
    words: Annotated[list[str], Field(min_length=1, max_length=2)],
    either: int | str | None = None,
    name: Annotated[str, Field(pattern="^[a-z]+$")] = "ant",
) -> str:
    """Paint."""
    return ""


GOOD = {
    "colour": "red",
    "size": "s",
    "price": "1.10",
    "user": 7,
    "part": 0.5,
    "words": ["a"],
}


def test_types_of_every_kind_have_a_schema_and_a_value() -> None:
    schema = thaw(describe(paint).input_schema)
    properties = schema["properties"]
    assert properties["part"] == {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    assert properties["words"]["minItems"] == 1
    assert properties["name"]["pattern"] == "^[a-z]+$"
    assert properties["name"]["default"] == "ant"
    assert properties["user"] == {"type": "integer"}
    check_value(GOOD, schema)
    arguments = fitted_arguments(paint, GOOD)
    assert arguments["price"] == Decimal("1.10")
    assert arguments["colour"] is Colour.RED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("part", 0),
        ("part", 2),
        ("words", []),
        ("words", ["a", "b", "c"]),
        ("name", "Ant"),
        ("price", "much"),
        ("either", []),
        ("size", "m"),
    ],
)
def test_a_value_beyond_its_limits_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(DecodeError, match=f"parameter {name}"):
        check_value({**GOOD, name: value}, describe(paint).input_schema)


def test_limits_of_an_output_are_said_in_words_since_the_api_compiles_none() -> None:
    @attrs.frozen
    class Ant:
        legs: Annotated[int, "how many", Field(ge=6)]

    schema = thaw(Output.of(Ant).schema)
    assert schema["properties"]["legs"] == {
        "type": "integer",
        "description": "how many; at least 6",
    }


def test_keyword_arguments_without_names_want_a_definition() -> None:
    def anything(**given: Any) -> Any:
        """Take anything."""
        return given

    with pytest.raises(InputError, match="Tool with an input_schema"):
        describe(anything)
    assert accepts(anything, {"properties": {"a": {}}}) == ""
    assert fitted_arguments(anything, {"a": [1]}) == {"a": [1]}


def test_a_function_that_cannot_take_what_its_schema_says_is_named() -> None:
    assert accepts(google, {"properties": {"city": {}}}) == ""
    assert accepts(google, {"properties": {"town": {}}}) == "google takes no town"


def test_what_has_no_signature_is_refused_with_a_remedy() -> None:
    with pytest.raises(InputError, match="Tool with"):
        describe(max)


def test_decimals_come_as_text() -> None:
    assert structured("0.1", Decimal) == Decimal("0.1")
    with pytest.raises(DecodeError):
        structured("ten", Decimal)
