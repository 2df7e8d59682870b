"""Frozen JSON, and the base of all models."""

import copy
import json
import pickle
from collections import OrderedDict
from enum import IntEnum, StrEnum
from math import inf, nan
from types import NoneType
from typing import Any, NamedTuple

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from hookline.errors import FrozenError, InputError
from hookline.values.attachments import Image
from hookline.values.blocks import CacheControl, TextBlock, ToolUseBlock
from hookline.values.brief import brief
from hookline.values.frozen import FrozenDict, freeze, thaw
from hookline.values.messages import Message, Request
from hookline.values.tools.definitions import ServerTool, Tool, ToolChoice
from hookline.wire import json as wire_json
from hookline.wire.codec import unstructure

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
    with pytest.raises(
        InputError, match=r"Request has no field temprature \(did you mean 'temperature'\?\).*extra"
    ):
        request.evolve(temprature=1)
    with pytest.raises(InputError, match="Request has no field _encoded"):
        request.evolve(_encoded=b"")


def test_evolve_takes_what_send_takes() -> None:
    request = Request("m", 1, [Message("user", "a")]).evolve(
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "b"}]},
            Message("user", "c"),
        ],
        system=["be brief", {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
        tools=[{"name": "t", "input_schema": {}}, {"type": "web_search_20250305", "name": "s"}],
        tool_choice={"type": "auto"},
        cache_control={"type": "ephemeral", "ttl": "1h"},
        thinking={"type": "disabled"},
    )
    assert request.messages == (Message("user", ["b"]), Message("user", "c"))
    assert request.system == (TextBlock("be brief"), TextBlock("x", cache_control=CacheControl()))
    assert request.tools == (Tool("t", {}), ServerTool("web_search_20250305", "s"))
    assert request.tool_choice == ToolChoice("auto")
    assert request.cache_control == CacheControl("1h")
    with pytest.raises(InputError, match=r"^Request\.messages\[1\]\.content: expected a value"):
        request.evolve(messages=[Message("user", "a"), {"role": "user"}])
    with pytest.raises(InputError, match=r"^Request\.tool_choice\.type: expected a value"):
        request.evolve(tool_choice={"name": "t"})
    with pytest.raises(InputError, match=r"Request\.max_tokens must be an integer"):
        request.evolve(max_tokens="5", tool_choice={"type": "auto"})


def test_evolve_keeps_what_a_constructor_sees_to() -> None:
    with pytest.raises(InputError, match="either a source or a file_id"):
        Image("a.png").evolve(file_id="file_1")
    assert Image("a.png").evolve(source=None, file_id="file_1").kind == "file_id"


def test_a_change_in_place_names_evolve() -> None:
    request: Any = Request("m", 1, thinking={"type": "disabled"})
    with pytest.raises(FrozenError, match=r"a Request cannot be changed;.*old\.evolve\(system=…\)"):
        request.system = "x"
    with pytest.raises(FrozenError, match=r"a Request cannot be changed, and has no field sytem"):
        request.sytem = "x"
    with pytest.raises(FrozenError, match=r"old\.evolve\(system=…\)"):
        del request.system
    with pytest.raises(FrozenError, match="FrozenDict"):
        request.thinking["type"] = "adaptive"


# ---- only JSON is JSON ---------------------------------------------------------------------------


class Role(StrEnum):
    USER = "user"


class Sly(str):
    """Shows one thing to a check and holds another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "harmless"

    def __contains__(self, part: object) -> bool:
        return False

    def encode(self, *_given: Any) -> bytes:
        return b"harmless"


class Loud(dict[str, Any]):
    """A dict that can be read but once."""

    def items(self) -> Any:
        yield from super().items()
        self.clear()


class Numbered(NamedTuple):
    one: int
    two: int


@frozen
class Point:
    x: int


class Posing:
    """Says that it is a string."""

    @property  # type: ignore[misc]  # the point
    def __class__(self) -> Any:
        return str


circle: dict[str, Any] = {"a": []}
circle["a"].append(circle)
deep: Any = {}
for _ in range(300):
    deep = {"a": deep}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, {2}]}, r"^input\.a\[1\] is \{2\} \(set\), which JSON has no form for"),
        ({"a b": {"c": object}}, r"input\['a b'\]\.c is <class 'object'> \(type\)"),
        ({"a": Point(1)}, r"input\.a is .*\(Point\)"),
        ({"a": Posing()}, r"input\.a is .*\(Posing\)"),
        ({"a": b"x"}, r"input\.a is <1 bytes> \(bytes\)"),
        ({"a": nan}, r"input\.a is nan, which is not JSON"),
        ({"a": [inf]}, r"input\.a\[0\] is inf, which is not JSON"),
        ({"a": {1: 2}}, r"input\.a has the key 1 \(int\); JSON has only strings as keys"),
        (circle, r"input\.a\[0\]\.a\[0\].* is nested more than 200 levels deep, or contains itself"),
        (deep, r"input\.a\.a\.a.*… is nested more than 200 levels deep"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused_with_its_place(value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ToolUseBlock("t", "n", value)
    assert len(str(caught.value)) < 300
    with pytest.raises(InputError):
        ToolUseBlock("t", "n").evolve(input=value)
    with pytest.raises(InputError):
        TextBlock("t", extra=value)
    with pytest.raises(InputError):
        FrozenDict(value)


def test_what_poses_as_a_string_is_none() -> None:
    with pytest.raises(InputError, match=r"TextBlock\.text must be a string, not .*\(Posing\)"):
        TextBlock(Posing())  # type: ignore[arg-type]  # the point


def test_subclasses_become_what_they_stand_for() -> None:
    given = {
        Role.USER: [Sly("secret"), Status.OK, Numbered(1, 2), OrderedDict(a=1.5)],
        "loud": Loud(a=[Sly("secret")]),
    }
    made = freeze(given)
    assert made == {"user": ("secret", 200, (1, 2), {"a": 1.5}), "loud": {"a": ("secret",)}}
    assert exact(made)
    block = TextBlock(Sly("secret"))
    request = Request(Sly("m"), Status.OK, stop_sequences=[Sly("secret")], temperature=Half(0.5))
    changed = request.evolve(model=Sly("secret"))
    for value in (
        block.text,
        request.model,
        request.max_tokens,
        request.temperature,
        changed.model,
    ):
        assert exact(value)
    assert exact(request.stop_sequences)
    assert "secret" in block.text
    assert b"secret" in wire_json.dumps(unstructure(block))
    assert Message(Role.USER, "x") == Message("user", "x")


class Status(IntEnum):
    OK = 200


class Half(float):
    """A float with a class of its own, as numpy has one."""

    __slots__ = ()


def exact(value: Any) -> bool:
    """Say whether a value is made of the exact types of frozen JSON."""
    if type(value) is FrozenDict:
        return all(map(exact, value)) and all(map(exact, value.values()))
    if type(value) is tuple:
        return all(map(exact, value))
    return type(value) in {NoneType, str, int, float, bool}


def test_equal_is_the_same_json() -> None:
    one = ToolUseBlock("t", "n", {"a": 1})
    for other in (True, 1.0):
        assert one != ToolUseBlock("t", "n", {"a": other})
        assert Message("user", [one]) != Message("user", [ToolUseBlock("t", "n", {"a": other})])
        assert one.evolve(input={"a": [{"b": 1}]}) != one.evolve(input={"a": [{"b": other}]})
    assert one == ToolUseBlock("t", "n", {"a": 1})
    assert hash(one) == hash(ToolUseBlock("t", "n", {"a": 1}))


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
