"""Frozen JSON, and the base of all models."""

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.errors import InputError
from hookline.values.blocks import TextBlock, ToolUseBlock
from hookline.values.brief import brief
from hookline.values.frozen import FrozenDict, freeze, thaw
from hookline.values.messages import Message, Request
from hookline.wire import json as wire_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_freeze_and_thaw(value: Any) -> None:
    frozen = freeze(value)
    assert thaw(frozen) == value
    assert freeze(frozen) == frozen
    assert hash(frozen) == hash(freeze(value))
    assert json.loads(wire_json.dumps(frozen)) == json.loads(json.dumps(frozen)) == value


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.__setitem__("a", 1),
        lambda d: d.__delitem__("a"),
        lambda d: d.update(a=2),
        lambda d: d.setdefault("b", 2),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.__ior__({"b": 1}),
    ],
)
def test_a_frozen_dict_refuses_changes(change: Any) -> None:
    frozen: FrozenDict[str, Any] = FrozenDict({"a": [1]})
    with pytest.raises(TypeError, match="cannot be changed"):
        change(frozen)
    assert frozen == {"a": (1,)}


def test_a_frozen_dict_copies_and_pickles() -> None:
    frozen: FrozenDict[str, Any] = FrozenDict(a={"b": [1]})
    for twin in (copy.copy(frozen), copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):  # noqa: S301 -- our own bytes
        assert twin == frozen
        assert isinstance(twin["a"], FrozenDict)


def test_what_was_handed_over_is_not_shared() -> None:
    given_input: dict[str, Any] = {"path": ["a"]}
    call = ToolUseBlock("id", "name", given_input)
    given_input["path"].append("b")
    assert call.input == {"path": ("a",)}


def test_models_cannot_be_changed_and_compare_by_value() -> None:
    block = TextBlock("a")
    with pytest.raises(AttributeError):
        block.text = "b"  # type: ignore[misc]  # the point
    with pytest.raises(AttributeError):
        block.colour = "red"  # type: ignore[attr-defined]  # the point
    assert block == TextBlock("a")
    assert block != TextBlock("a", extra={"x": None})
    assert block != "a"
    assert len({block, TextBlock("a"), TextBlock("b")}) == 2
    message = Message("user", [block])
    for twin in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):  # noqa: S301 -- our own bytes
        assert twin == message


def test_evolve_names_what_it_does_not_know() -> None:
    request = Request("m", 1)
    assert request.evolve(stream=True).stream is True
    assert request.stream is None
    with pytest.raises(InputError, match=r"Request has no field temprature.*extra"):
        request.evolve(temprature=1)
    with pytest.raises(InputError, match="Request has no field _encoded"):
        request.evolve(_encoded=b"")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("short", "'short'"),
        (b"12345", "<5 bytes>"),
        ((1,), "(1,)"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, … 2 more]"),
        ({"a": 1, "b": {}}, "{'a': 1, 'b': {}}"),
        ([[[[1]]]], "[[[[…]]]]"),
    ],
)
def test_brief(value: Any, text: str) -> None:
    assert brief(value) == text


def test_brief_of_an_int_that_str_refuses() -> None:
    assert brief(10**5000) == "<int of 16610 bits>"


@given(st.recursive(st.text(min_size=50), lambda i: st.lists(i) | st.dictionaries(st.text(), i)))
def test_brief_is_brief(value: Any) -> None:
    assert len(brief(value)) < 20_000
