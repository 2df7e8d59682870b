"""Frozen JSON: what JSON can carry and nothing else, in a form that nobody can change.

JSON objects become `FrozenDict`, arrays become tuples; `thaw` turns them back.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from sys import float_info
from types import NoneType
from typing import Any, Final, NoReturn, Self, TypeVar

from hookline.errors import FrozenError, InputError
from hookline.values.brief import brief
from hookline.values.redaction import shown_member

__all__ = ["EMPTY", "FrozenDict", "exact", "freeze", "named_freeze", "same_json", "thaw"]

K = TypeVar("K")
V = TypeVar("V")

_MOST_NESTED: Final = 200  # levels; a circle has no end, and every reader has one somewhere
_SHOWN_STEPS: Final = 20
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class FrozenDict(dict[K, V]):
    """A JSON object that refuses changes, with everything inside it frozen too.

    It stays a dict, because both JSON writers and every ``isinstance`` check know dicts.

    Args:
        *args: what ``dict`` takes.
        **kwargs: what ``dict`` takes.

    Raises:
        InputError: something in it is not JSON; the text says where.

    """

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        plain: dict[Any, Any] = dict(*args, **kwargs)
        super().__init__(freeze(plain) if plain else plain)

    def _refuse(self: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise FrozenError("a FrozenDict cannot be changed; make a new one: FrozenDict({**old, …})")

    __setitem__ = __delitem__ = _refuse
    __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __repr__(self) -> str:
        shown = [f"{key!r}: {shown_member(key, value)!r}" for key, value in self.items()]
        return f"{{{', '.join(shown)}}}"

    def __hash__(self) -> int:  # type: ignore[override]  # dict says "unhashable"
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[K, V]]]:
        # dict's own way fills an empty copy item by item, which is refused.
        return type(self), (dict(self),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self


# Of exactly these classes, since a subclass may show one thing to a check and another to the encoder.
_AS_IT_IS: Final = frozenset({NoneType, str, bool, FrozenDict})
_STRING: Final = frozenset({str})
_new: Final = dict.__new__
_fill: Final = dict.update

EMPTY: Final[FrozenDict[str, Any]] = FrozenDict()


class _NotJSON(Exception):
    """Something that JSON has no form for, and where it stands, the inmost step first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.steps: list[str] = []

    def told(self, where: str) -> InputError:
        path = where + "".join(reversed(self.steps[-_SHOWN_STEPS:]))
        deeper = "…" if len(self.steps) > _SHOWN_STEPS else ""
        return InputError(f"{path.lstrip('.') or 'the value'}{deeper} {self}")


def freeze(value: Any) -> Any:
    """Make a JSON value unchangeable, deeply, and see to it that it is JSON and nothing else.

    What passes is made of None, bool, int, finite float, str, list or tuple, and mappings with strings
    as keys. Subclasses of these (an ``IntEnum``, a ``defaultdict``) become what they stand for.
    Half surrogates pass: an API may have said them. The encoder refuses them.

    Args:
        value: JSON as Python has it.

    Returns:
        `FrozenDict` for mappings, tuple for lists and tuples, otherwise ``value`` itself.

    Raises:
        InputError: something in it is not JSON, or it is nested more than 200 levels deep; the text
            says where.

    """
    try:
        return _frozen(value, 0)
    except _NotJSON as error:
        raise error.told("") from None


def _frozen(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in _AS_IT_IS:  # nearly always; the checks below cost ten times as much
        return value
    if kind is int or kind is float:
        if is_number(value):
            return value
        raise _NotJSON(f"is {brief(value)}, which is not JSON")
    if depth >= _MOST_NESTED:
        raise _NotJSON(f"is nested more than {_MOST_NESTED} levels deep, or contains itself")
    if kind is dict:
        return _frozen_object(value, depth)
    if kind is list or kind is tuple or issubclass(kind, list | tuple):
        return _frozen_array(value, depth)
    if issubclass(kind, Mapping):
        return _frozen_object(dict(value.items()), depth)
    return exact(value)


def _frozen_array(value: Iterable[Any], depth: int) -> tuple[Any, ...]:
    done: list[Any] = []
    try:
        for item in value:
            done.append(_frozen(item, depth + 1))  # noqa: PERF401 -- its length tells where an error was
    except _NotJSON as error:
        error.steps.append(f"[{len(done)}]")
        raise
    return tuple(done)


def _frozen_object(value: dict[Any, Any], depth: int) -> FrozenDict[str, Any]:
    if not _AS_IT_IS.issuperset(map(type, value.values())):
        plain = value
        value = {}
        key: Any = None
        try:
            for key, item in plain.items():
                value[key] = _frozen(item, depth + 1)
        except _NotJSON as error:
            error.steps.append(f".{key}" if _NAME.fullmatch(str(key)) else f"[{brief(key)}]")
            raise
    if not _STRING.issuperset(map(type, value)):
        value = {_key(key): item for key, item in value.items()}
    made: FrozenDict[str, Any] = _new(FrozenDict)
    _fill(made, value)
    return made


def _key(key: Any) -> str:
    if issubclass(type(key), str):
        return str.__str__(key)
    raise _NotJSON(
        f"has the key {brief(key)} ({type(key).__name__}); JSON has only strings as keys"
    )


def is_number(value: float) -> bool:
    """Say whether a number is one of JSON's: finite, and no int that is larger than every float."""
    return -float_info.max <= value <= float_info.max


def exact(value: Any) -> Any:
    """Return what an instance of a subclass of a JSON type stands for: an ``IntEnum`` is an int."""
    kind = type(value)  # isinstance() would believe what the value says of itself
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int):
        return bool(value) if kind is bool else _frozen(int.__int__(value), 0)
    if issubclass(kind, float):
        return _frozen(float.__float__(value), 0)
    raise _NotJSON(f"is {brief(value)} ({type(value).__name__}), which JSON has no form for")


def named_freeze(where: str) -> Callable[[Any], Any]:
    """Return `freeze` for one field, whose name begins the position in an error."""

    def convert(value: Any) -> Any:
        if type(value) in _AS_IT_IS:
            return value
        try:
            return _frozen(value, 0)
        except _NotJSON as error:
            raise error.told(where) from None

    return convert


def thaw(value: Any) -> Any:
    """Undo `freeze`: plain dicts and lists that the receiver may change.

    Args:
        value: a frozen JSON value.

    Returns:
        A copy made of dicts and lists.

    """
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [thaw(item) for item in value]
    return value


def same_json(one: Any, other: Any) -> bool:
    """Say whether two equal values are the same JSON: to Python ``1``, ``1.0`` and ``True`` are equal."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return all(map(same_json, one, other))
    if type(one) is FrozenDict:
        return all(same_json(item, other[key]) for key, item in one.items())
    return True  # models have compared themselves
