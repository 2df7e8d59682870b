"""What all values of Hookline are made of: frozen JSON, and a small base for frozen attrs classes.

Nothing inside a model can be changed, so a request that ten plugins have seen is still the request
that was made, and its encoded bytes stay true. JSON objects become `FrozenDict`, arrays become
tuples; `thaw` turns them back.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, ClassVar, Final, NoReturn, Self, TypeVar, get_args, get_origin

from attrs import Attribute, field, fields, frozen

from hookline.errors import InputError
from hookline.values.brief import brief

__all__ = ["EMPTY", "FrozenDict", "Model", "checked", "freeze", "frozen_tuple", "thaw"]

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dict that refuses changes, with everything inside it frozen too.

    It stays a dict, because both JSON writers and every ``isinstance`` check know dicts.

    Args:
        *args: what ``dict`` takes.
        **kwargs: what ``dict`` takes.

    """

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        plain: dict[Any, Any] = dict(*args, **kwargs)
        if not _FROZEN_ALREADY.issuperset(map(type, plain.values())):
            plain = {key: freeze(value) for key, value in plain.items()}
        super().__init__(plain)

    def _refuse(self: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("a FrozenDict cannot be changed; make a new one: FrozenDict({**old, …})")

    __setitem__ = __delitem__ = _refuse
    __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]  # dict says "unhashable"
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[K, V]]]:
        # dict's own way fills an empty copy item by item, which is refused.
        return type(self), (dict(self),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self


_FROZEN_ALREADY: Final = frozenset({NoneType, str, int, float, bool, FrozenDict})

EMPTY: Final[FrozenDict[str, Any]] = FrozenDict()


def freeze(value: Any) -> Any:
    """Make a JSON value unchangeable, deeply.

    Args:
        value: anything; mappings and sequences of JSON are converted, other values kept.

    Returns:
        `FrozenDict` for mappings, tuple for lists and tuples, otherwise ``value`` itself.

    """
    kind = value.__class__
    if kind in _FROZEN_ALREADY:  # nearly always; the checks below cost ten times as much
        return value
    if isinstance(value, list | tuple):
        return tuple([freeze(item) for item in value])
    if isinstance(value, dict | Mapping):
        return FrozenDict(value)
    return value


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


def frozen_tuple(items: Any) -> Any:
    """Convert a list of models to a tuple; anything else is left for the validator to judge.

    Args:
        items: the models.

    Returns:
        A tuple, or ``items`` if it is no list.

    """
    return tuple(items) if isinstance(items, list) else items


_ENGLISH: Final[Mapping[Any, str]] = {
    str: "a string", int: "an integer", float: "a number", bool: "true or false",
    tuple: "a list", Mapping: "a mapping", NoneType: "None",
}  # fmt: skip
# What may stand where a type is written. A bool is an int to Python but not to JSON.
_ACCEPTED: Final[Mapping[Any, tuple[type, ...]]] = {float: (int, float)}


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

    def check(instance: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if value.__class__ in plain:
            return
        if not isinstance(value, accepted) or (no_bool and isinstance(value, bool)):
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

    return check


def checked(_cls: type, attributes: list["Attribute[Any]"]) -> list["Attribute[Any]"]:
    """Give every field the validator that its annotation asks for.

    Every model is ``@frozen(eq=False, repr=False, field_transformer=checked)``, written out because
    type checkers do not see through a wrapper: equality and repr are inherited from `Model`, which
    halves the time that attrs needs for each class at import.
    """
    # What is inherited was checked there; evolve() costs more than all the rest.
    validators = [
        None if a.inherited or a.validator is not None else _validator(a.type)  # type: ignore[attr-defined]  # unknown to the stubs of attrs
        for a in attributes
    ]
    return [
        a if validator is None else a.evolve(validator=validator)
        for a, validator in zip(attributes, validators, strict=True)
    ]


_set: Final = object.__setattr__  # for values that nobody has seen yet


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

    def _key(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._compared])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Model) or other.__class__ is not self.__class__:
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.__class__, self._key()))

    def __repr__(self) -> str:
        parts = []
        for a in sorted(fields(type(self)), key=lambda a: a.name == "extra"):  # extra last
            value = getattr(self, a.name)
            if a.repr is False or value is None or (a.name == "extra" and not value):
                continue
            shown = a.repr(value) if callable(a.repr) else brief(value, 1)
            parts.append(f"{a.name}={shown}")
        return f"{type(self).__name__}({', '.join(parts)})"

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
            names = ", ".join(sorted(changes.keys() - settable.keys()))
            raise InputError(
                f"{type(self).__name__} has no field {names}; put what the API knows and Hookline "
                "does not into extra={…}"
            )
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
        return copy
