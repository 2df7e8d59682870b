"""What all values of Hookline are made of: a small base for frozen attrs classes.

Nothing inside a model can be changed, so a request that ten plugins have seen is still the request
that was made, and its encoded bytes stay true. JSON inside one is frozen by
`hookline.values.frozen_json`, whose names this module hands on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, NoReturn, Self, cast, get_args, get_origin

from attrs import Attribute, field, fields, frozen

from hookline.errors import FrozenError, InputError
from hookline.values.brief import brief
from hookline.values.frozen_json import (
    EMPTY,
    FrozenDict,
    exact,
    freeze,
    is_number,
    named_freeze,
    same_json,
    thaw,
)

__all__ = ["EMPTY", "FrozenDict", "Model", "checked", "freeze", "frozen_tuple", "thaw"]


def frozen_tuple(items: Any) -> Any:
    """Convert a list of models to a tuple; anything else is left for the validator to judge.

    Args:
        items: the models.

    Returns:
        A tuple, or ``items`` if it is no list.

    """
    if items is None or type(items) is tuple:
        return items
    return tuple(items) if isinstance(items, list | tuple) else items


_ENGLISH: Final[Mapping[Any, str]] = {
    str: "a string", int: "an integer", float: "a number", bool: "true or false",
    tuple: "a list", Mapping: "a mapping", NoneType: "None",
}  # fmt: skip
# What may stand where a type is written. A bool is an int to Python but not to JSON.
_ACCEPTED: Final[Mapping[Any, tuple[type, ...]]] = {float: (int, float)}
_PLAIN: Final = frozenset({str, int, float, bool})


def _expected(annotation: Any) -> list[tuple[type, Any]]:
    """Split an annotation into (run-time class, item annotation) alternatives."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return [(get_origin(part) or part, (*get_args(part), None)[0]) for part in parts]


def _validator(annotation: Any) -> Callable[[Any, "Attribute[Any]", Any], None] | None:
    expected = _expected(annotation)
    kinds = [kind for kind, _ in expected]
    if any(kind is Any or not isinstance(kind, type) for kind in kinds):
        return None  # nothing to check
    accepted = tuple(sub for kind in kinds for sub in _ACCEPTED.get(kind, (kind,)))
    no_bool = bool not in kinds
    item = next((item for kind, item in expected if kind is tuple and item is not Any), None)
    # Nearly every value is exactly of a class that is asked for; one look-up settles that.
    plain = frozenset(
        accepted if item is None else [kind for kind in accepted if kind is not tuple]
    )

    plain -= {float, int}  # of which some are no JSON

    def check(instance: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if type(value) in plain:
            return
        if not issubclass(type(value), accepted) or (no_bool and value.__class__ is bool):
            wanted = " or ".join(_ENGLISH.get(kind, f"a {kind.__name__}") for kind in kinds)
            raise InputError(
                f"{type(instance).__name__}.{attribute.name} must be {wanted}, "
                f"not {brief(value)} ({type(value).__name__})"
            )
        if item is not None and isinstance(value, tuple) and not set(map(type, value)) <= {item}:
            for index, member in enumerate(value):
                if not isinstance(member, item):
                    raise InputError(
                        f"{type(instance).__name__}.{attribute.name}[{index}] must be "
                        f"{_ENGLISH.get(item, f'a {item.__name__}')}, not {brief(member)} "
                        f"({type(member).__name__})"
                    )
            if item is str:
                _set(instance, attribute.name, tuple([exact(member) for member in value]))
        elif type(value) not in _PLAIN or value.__class__ is float or value.__class__ is int:
            _put_exact(instance, attribute, value)

    return check


def _put_exact(instance: Any, attribute: "Attribute[Any]", value: Any) -> None:
    """Put what an instance of a subclass stands for in its place; refuse what is no number."""
    if isinstance(value, float) and not isfinite(value):
        raise InputError(
            f"{type(instance).__name__}.{attribute.name} must be a finite number, not {value}"
        )
    if isinstance(value, int) and not is_number(value):
        raise InputError(
            f"{type(instance).__name__}.{attribute.name} must be a number of JSON, "
            f"not {brief(value)}"
        )
    if type(value) not in (int, float) and isinstance(value, str | int | float):
        _set(instance, attribute.name, exact(value))


def checked(cls: type, attributes: list["Attribute[Any]"]) -> list["Attribute[Any]"]:
    """Give every field the validator that its annotation asks for.

    Every model is ``@frozen(eq=False, repr=False, field_transformer=checked)``, written out because
    type checkers do not see through a wrapper: equality and repr are inherited from `Model`, which
    halves the time that attrs needs for each class at import.
    """
    done: list[Attribute[Any]] = []
    for a in attributes:
        changes: dict[str, Any] = {}
        # What is inherited was seen to there; evolve() costs more than all the rest.
        if not a.inherited:  # type: ignore[attr-defined]  # unknown to the stubs of attrs
            if a.validator is None and (validator := _validator(a.type)) is not None:
                changes["validator"] = validator
            if cast("Any", a.converter) is freeze:
                shared = a.name == "extra" or cls.__name__.startswith("_")  # by several classes
                owner = "" if shared else f"{cls.__name__}."
                changes["converter"] = named_freeze(f"{owner}{a.name}")
        done.append(a.evolve(**changes) if changes else a)
    return done


_set: Final = object.__setattr__  # for values that nobody has seen yet


def _refuse_change(self: Any, name: str, _value: object = None) -> NoReturn:
    kind = type(self).__name__
    raise FrozenError(
        f"a {kind} cannot be changed; make another one: new = old.evolve({name}=…)"
        if name in self._settable
        else f"a {kind} cannot be changed, and has no field {name}"
    )


class _AsShown:
    """A text that is its own ``repr``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


@frozen(eq=False, repr=False, field_transformer=checked)
class Model:
    """Base of the data model: equality, hash, a short repr, and ``evolve``.

    Attributes:
        extra: fields of the JSON object that this class has no room for: unknown names, known ones
            that were an explicit null, and (in classes that have no ``Unknown…`` twin) optional
            ones whose value did not fit. They are sent and compared like all others.

    """

    extra: Mapping[str, Any] = field(default=EMPTY, kw_only=True, converter=freeze)

    _compared: ClassVar[tuple[str, ...]] = ()
    _settable: ClassVar[Mapping[str, "Attribute[Any]"]] = {}
    _values: ClassVar["attrgetter[tuple[Any, ...]]"]
    _put: ClassVar[tuple[Callable[[Any, Any], None], ...]] = ()
    _caches: ClassVar[tuple["Attribute[Any]", ...]] = ()

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        cls._compared = tuple(a.name for a in fields(cls) if a.eq)
        cls._settable = {a.alias: a for a in fields(cls) if a.init}
        # All values in one call, and the slots' own accessors: object.__setattr__ would look each
        # name up again. (`extra` is always there; a second name makes it a tuple.)
        names = [a.name for a in cls._settable.values()]
        cls._values = attrgetter(*names, "extra")
        cls._put = tuple(getattr(cls, name).__set__ for name in names)
        cls._caches = tuple(a for a in fields(cls) if not a.init)
        # attrs refuses a class that has its own, since it makes one for each; which names no remedy.
        cls.__setattr__ = cls.__delattr__ = _refuse_change  # type: ignore[method-assign]  # as said

    def _key(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._compared])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Model) or other.__class__ is not self.__class__:
            return NotImplemented
        mine, others = self._key(), other._key()
        return mine == others and all(map(same_json, mine, others))

    def __hash__(self) -> int:
        return hash((self.__class__, self._key()))

    def __repr__(self) -> str:
        parts = []
        for a in sorted(fields(type(self)), key=lambda a: a.name == "extra"):  # extra last
            value = getattr(self, a.name)
            if a.repr is False or value is None or (a.name == "extra" and not value):
                continue
            value = self._shown_extra() if a.name == "extra" else value
            shown = a.repr(value) if callable(a.repr) else brief(value, 1)
            parts.append(f"{a.name}={shown}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def _shown_extra(self) -> Mapping[str, Any]:
        """Return what ``repr()`` shows of ``extra``."""
        return self.extra

    def __rich_repr__(self) -> Iterator["_AsShown"]:
        """Tell rich, which shows every field of an attrs class, what ``repr()`` leaves out."""
        yield _AsShown(repr(self).partition("(")[2].removesuffix(")"))

    def evolve(self, **changes: Any) -> Self:
        """Make a copy with some fields changed.

        Args:
            **changes: field names and their new values.

        Returns:
            The new value; ``self`` is unchanged.

        Raises:
            InputError: no such field, or a value of the wrong type.

        """
        settable = self._settable
        if not changes.keys() <= settable.keys():
            raise _no_field(type(self).__name__, changes.keys() - settable.keys(), settable)
        # attrs.evolve would convert and check every field again; only the changed ones are new.
        copy = object.__new__(type(self))
        for put, value in zip(self._put, self._values(self), strict=False):
            put(copy, value)
        for a in self._caches:
            _set(copy, a.name, a.default)
        for name, value in changes.items():
            a = settable[name]
            converter: Any = a.converter
            converted = value if converter is None else converter(value)
            _set(copy, a.name, converted)
            if a.validator is not None:
                a.validator(copy, a, converted)
        complete = getattr(copy, "__attrs_post_init__", None)
        if complete is not None:  # what the constructor checks besides
            complete()
        return copy

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self


def _no_field(kind: str, names: Iterable[str], known: Iterable[str]) -> InputError:
    said = []
    for name in sorted(names):
        from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

        near = get_close_matches(name, known, 1)
        said.append(f"{name} (did you mean {near[0]!r}?)" if near else name)
    return InputError(
        f"{kind} has no field {', '.join(said)}; put what the API knows and Hookline does not into "
        "extra={…}"
    )
