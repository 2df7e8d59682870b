"""From JSON values to Python types: exact, or an error that names the place."""

import datetime as dt
import enum
import uuid
from typing import Any, Literal

import pytest
from attrs import frozen

from hookline import DecodeError
from hookline.schema.functions import fitted_arguments
from hookline.schema.structure import structured


class Colour(enum.Enum):
    RED = "red"


@frozen
class Leg:
    joints: int


@frozen
class Ant:
    name: str
    legs: tuple[Leg, ...] = ()


@pytest.mark.parametrize(
    ("value", "wanted", "result"),
    [
        ("x", str, "x"),
        (["a", 1], tuple[str, int], ("a", 1)),
        ([], tuple[()], ()),
        ("2026-11-26", dt.datetime | dt.date, dt.date(2026, 11, 26)),
        ("2026-11-26", dt.date | dt.datetime, dt.date(2026, 11, 26)),
        ("2026-11-26T10:30:00", dt.date | dt.datetime, dt.datetime(2026, 11, 26, 10, 30)),  # noqa: DTZ001 -- as written
        (1, int, 1),
        (1, float, 1.0),
        (True, bool, True),
        (None, int | None, None),
        (1, int | str, 1),
        ("1", int | str, "1"),
        (True, int | bool, True),
        ([1, 2], list[int], [1, 2]),
        ([1, 2], tuple[int, ...], (1, 2)),
        ({"a": 1}, dict[str, int], {"a": 1}),
        ("red", Colour, Colour.RED),
        ("a", Literal["a", "b"], "a"),
        ("2026-11-23", dt.date, dt.date(2026, 11, 23)),
        (
            "12345678-1234-5678-1234-567812345678",
            uuid.UUID,
            uuid.UUID(int=0x12345678123456781234567812345678),
        ),
        ({"name": "Anna", "legs": [{"joints": 3}]}, Ant, Ant("Anna", (Leg(3),))),
        ({"joints": 3}, Ant | Leg, Leg(3)),
        ({"a": [1]}, Any, {"a": [1]}),
    ],
)
def test_a_value_that_fits_is_read(value: Any, wanted: Any, result: Any) -> None:
    found = structured(value, wanted)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "wanted", "complaint"),
    [
        (1, str, "expected str, found 1"),
        ("1", int, "expected int"),
        (1.0, int, "expected int"),
        (True, int, "expected int"),
        (1, bool, "expected bool"),
        (None, str, "expected str"),
        ("x", dt.date, "x"),
        (5, dt.date, "expected date as text"),
        ("green", Colour, "green"),
        ("c", Literal["a", "b"], "c"),
        (1.5, int | str, "fits none of int, str"),
        ({"name": 5}, Ant, "name"),
        ({"name": "A", "legs": [{"joints": "x"}]}, Ant, r"legs\[0\]\.joints"),
        ({"legs": []}, Ant, "name"),
        ({"name": "A", "wings": 2}, Ant, "wings"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_the_place(
    value: Any, wanted: Any, complaint: str
) -> None:
    with pytest.raises(DecodeError, match=complaint):
        structured(value, wanted)


def count(name: str, times: int = 1) -> str:
    return name * times


def test_the_input_of_a_tool_becomes_arguments() -> None:
    assert fitted_arguments(count, {"name": "a", "times": 2}) == {"name": "a", "times": 2}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"name": "a", "tmies": 2}, "no parameter tmies"),
        ({"name": 5}, "parameter name"),
        ({"name": "a", "times": "2"}, "parameter times"),
    ],
)
def test_input_that_does_not_fit_is_named(given: Any, complaint: str) -> None:
    with pytest.raises(DecodeError, match=complaint):
        fitted_arguments(count, given)


@pytest.mark.parametrize(
    ("value", "wanted", "words"),
    [
        (10**400, float, "<int of 1329 bits> is too large for a float"),
        ([1, 10**400], list[float], "too large for a float"),
        ("ab", tuple[str, str], "expected an array of 2 items, found 'ab'"),
        (["a"], tuple[str, str], "expected an array of 2 items"),
        (["a", "b", "c"], tuple[str, str], "expected an array of 2 items"),
        (["a", 5], tuple[str, str], r"expected str, found 5.*\[1\]"),
    ],
)
def test_what_looks_like_it_and_is_not(value: Any, wanted: Any, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        structured(value, wanted)
