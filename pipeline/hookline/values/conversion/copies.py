"""Values copied field by field, where they plainly are what their JSON says.

Going by JSON shows what a value really is, and takes four times as long. Where every part is exactly of the
class that its place promises, and nothing beside the fields takes the name of one, both ways make the same.
"""

from collections.abc import Callable, Mapping
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin

from attrs import fields

from hookline.values.blocks import BLOCKS, Block
from hookline.values.citations import CITATIONS, Citation
from hookline.values.conversion.rules import wire_fields
from hookline.values.frozen import EMPTY, FrozenDict, Model
from hookline.values.sources import SOURCES, Source

__all__ = ["copied"]

_Copy = Callable[[Any], Any]
_FAMILIES: Final[Mapping[Any, Mapping[str, type[Model]]]] = {
    Block: BLOCKS,
    Citation: CITATIONS,
    Source: SOURCES,
}
_AS_IT_IS: Final[frozenset[Any]] = frozenset({str, bool, NoneType})
_DEEP: Final = 100  # levels; what lies deeper is seldom, and has limits of its own
_WHOLE: Final = 2**63  # what is larger, writers of JSON see differently
_NOTHING: Final[frozenset[str]] = frozenset()


class _Odd(Exception):
    """Only the JSON of it can tell what this is."""


def copied(model: Model) -> Any:
    """Return an equal value that shares nothing with this one that anybody could change.

    Args:
        model: a response, or a part of one. What is not of its JSON is left at its default.

    Returns:
        The copy, or None where only its JSON can tell what it is.

    """
    try:
        made: Any = _copier(type(model))(model)  # type: ignore[arg-type]  # a class has a hash
    except (_Odd, RecursionError):
        return None
    return made


@cache
def _copier(cls: Any) -> _Copy:
    """Return what copies values that are exactly of a class."""
    known = {key: a.name for a, key in wire_fields(cls)}
    plan = [
        (slot.__get__, slot.__set__, _of_field(a))
        for a in fields(cls)
        if a.name in known.values()
        for slot in (getattr(cls, a.name),)
    ]
    others = [
        (getattr(cls, a.name).__set__, a.default)
        for a in fields(cls)
        if a.name not in (*known.values(), "extra")
    ]
    tag = {"type"} if isinstance(getattr(cls, "type", None), str) else set()
    has_book = any(a.name == "absent" for a in fields(cls))
    put_extra = cls.extra.__set__

    def copy(model: Any) -> Any:
        made = object.__new__(cls)
        for take, put, each in plan:
            value = take(model)
            copier = each.get(type(value))
            if copier is None:
                raise _Odd
            put(made, copier(value))
        if has_book and model.absent != _NOTHING:
            raise _Odd
        extra = model.extra
        if extra is not EMPTY:
            extra = _json(extra)
            if type(extra) is not FrozenDict or not tag.isdisjoint(extra):
                raise _Odd
            for key in extra.keys() & known.keys():  # of which a null alone stands there
                if extra[key] is not None or getattr(made, known[key]) is not None:
                    raise _Odd
        put_extra(made, extra)
        for put, default in others:
            put(made, default)
        return made

    return copy


def _of_field(a: Any) -> Mapping[type, _Copy]:
    """Return who copies a field's values, by their exact class."""
    parts = get_args(a.type) if isinstance(a.type, UnionType) else (a.type,)
    found: dict[type, _Copy] = {}
    for part in parts:
        found |= _of_type(part)
    if a.default is not None:  # a None would not be written, and be read as something else
        found.pop(NoneType, None)
    return found


def _of_type(wanted: Any) -> Mapping[type, _Copy]:
    origin, inner = get_origin(wanted), get_args(wanted)
    if wanted in _PLAIN:
        return _PLAIN[wanted]
    if wanted in _AS_IT_IS or wanted is None:
        return {wanted or NoneType: _itself}
    if origin is Mapping or (origin is tuple and inner[0] is Any):
        return {FrozenDict if origin is Mapping else tuple: _json}
    if origin is tuple:
        members = _of_type(inner[0])
        return {tuple: lambda values: tuple([_by_class(members, each) for each in values])}
    if isinstance(wanted, type) and issubclass(wanted, Model):
        return {cls: _later(cls) for cls in _FAMILIES.get(wanted, {"": wanted}).values()}
    return {}  # nobody knows: whatever stands there is odd


def _by_class(members: Mapping[type, _Copy], value: Any) -> Any:
    copier = members.get(type(value))
    if copier is None:
        raise _Odd
    return copier(value)


def _later(cls: type) -> _Copy:
    """Return what copies a class; found out when it is needed, since blocks hold blocks."""

    def copy(value: Any) -> Any:
        return _copier(cls)(value)

    return copy


def _itself(value: Any) -> Any:
    return value


def _number(value: float) -> float:
    if not (isfinite(value) if type(value) is float else -_WHOLE <= value <= _WHOLE):
        raise _Odd
    return value


def _json(value: Any, depth: int = 0) -> Any:
    """Copy frozen JSON."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if kind is int or kind is float:
        return _number(value)
    if depth > _DEEP:
        raise _Odd
    if kind is tuple:
        return tuple([_json(each, depth + 1) for each in value])
    if kind is not FrozenDict or not all(type(key) is str for key in value):
        raise _Odd
    made: FrozenDict[str, Any] = dict.__new__(FrozenDict)
    dict.update(made, {key: _json(each, depth + 1) for key, each in value.items()})
    return made


_PLAIN: Final[Mapping[Any, Mapping[type, _Copy]]] = {
    int: {int: _number},
    float: {float: _number, int: _number},
    Any: dict.fromkeys((*_AS_IT_IS, int, float, tuple, FrozenDict), _json),
}
