"""Partial JSON: every beginning of a document has a value, and each is a prefix of the next."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.wire.partial_json import NOTHING, PartialJSON

TEXT = st.text(st.characters(codec=None), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
).filter(lambda value: value not in (float("inf"), float("-inf")))


def read(*pieces: str) -> PartialJSON:
    reader = PartialJSON()
    for piece in pieces:
        reader.feed(piece)
    return reader


def is_prefix(part: Any, whole: Any) -> bool:
    if part is NOTHING:
        return True
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    if isinstance(part, list) and isinstance(whole, list):
        return (
            len(part) <= len(whole)
            and part[:-1] == whole[: len(part)][:-1]
            and (not part or is_prefix(part[-1], whole[len(part) - 1]))
        )
    if isinstance(part, dict) and isinstance(whole, dict):
        keys = list(part)
        return (
            keys == list(whole)[: len(keys)]
            and all(part[key] == whole[key] for key in keys[:-1])
            and (not keys or is_prefix(part[keys[-1]], whole[keys[-1]]))
        )
    return type(part) is type(whole) and part == whole


def finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@given(
    value=JSON.filter(finite),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    separators=st.sampled_from([None, (" , ", " : ")]),
)
def test_the_value_of_every_cut_is_a_prefix_of_the_whole(
    *, value: Any, ascii_only: bool, indent: int | None, separators: tuple[str, str] | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    growing = PartialJSON()
    before: Any = NOTHING
    for position, character in enumerate(text):
        growing.feed(character)
        now = growing.value
        assert not growing.broken
        assert is_prefix(now, value)
        assert is_prefix(before, now)
        assert now == read(text[: position + 1]).value
        before = now
    growing.feed("\n")  # ends a number, which might have gone on
    assert growing.value == value
    assert type(growing.value) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", NOTHING),
        ("  ", NOTHING),
        ("12", NOTHING),
        ("12 ", 12),
        ("tru", NOTHING),
        ("null ", None),
        ('"ant', "ant"),
        ('"a\\', "a"),
        ('"a\\u00e', "a"),
        ('"a\\ud83d', "a"),
        ('"a\\ud83d\\ud', "a"),
        ('"a\\ud83d\\ude00', "a😀"),
        ('"a\\ud83d!', "a\ud83d!"),
        ('"a\\ud83d\\n', "a\ud83d\n"),
        ("{", {}),
        ('{"name', {}),
        ('{"name"', {}),
        ('{"name":', {}),
        ('{"name": "Mes', {"name": "Mes"}),
        ('{"name": 1', {}),
        ('{"name": 1,', {"name": 1}),
        ('{"a": [{"b": "c', {"a": [{"b": "c"}]}),
        ("[[], {}, ", [[], {}]),
        ("[1, [2, 3", [1, [2]]),
    ],
)
def test_cuts(text: str, value: Any) -> None:
    reader = read(text)
    assert reader.value == value
    assert not reader.broken


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Here you are: {", NOTHING),
        ('{"a": 1} and more', {"a": 1}),
        ('{"a": nope, "b": 2}', {}),
        ("[1, ]", [1]),
        ("[1}", [1]),
        ('{"a"; 1}', {}),
        ("{a: 1}", {}),
        ('["\\x"]', [""]),
        ('["\\u12G4"]', [""]),
        ("```json\n{}", NOTHING),
    ],
)
def test_what_is_no_json_breaks_and_keeps_what_was_before(text: str, value: Any) -> None:
    reader = read(text)
    assert reader.broken
    assert reader.value == value
    before = reader.value
    reader.feed('{"more": 1}')
    assert reader.value == before


@given(st.text(max_size=30))
def test_no_text_at_all_raises(text: str) -> None:
    assert read(*text).value == read(text).value


def test_growing_values_are_new_objects_and_finished_parts_are_shared() -> None:
    reader = read('{"done": [1, 2], "open": ["a')
    first = reader.value
    reader.feed("b")
    second = reader.value
    assert first == {"done": [1, 2], "open": ["a"]}
    assert second == {"done": [1, 2], "open": ["ab"]}
    assert first["done"] is second["done"]


def test_reading_is_linear() -> None:
    def seconds(count: int) -> float:
        pieces = ["[", *(['{"key": "some text", "n": 123}, '] * count)]
        began = time.perf_counter()
        read(*pieces)
        return time.perf_counter() - began

    seconds(1000)
    small = min(seconds(2000) for _ in range(3))
    large = min(seconds(20000) for _ in range(3))
    assert (
        large < small * 40
    )  # ten times the work; a quadratic reader takes a hundred times as long


def test_nothing_is_not_null() -> None:
    assert not NOTHING
    assert repr(NOTHING) == "NOTHING"
    assert read("null\n").value is None
