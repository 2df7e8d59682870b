"""From JSON values to the Python types of a tool's parameters or of a structured output.

The counterpart of ``types``. Nothing is coerced: a float is no int, a null is no text.
"""

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import attrs
from cattrs import Converter, transform_error
from cattrs.cols import namedtuple_dict_structure_factory
from cattrs.errors import (
    BaseValidationError,
    IterableValidationError,
    IterableValidationNote,
    StructureHandlerNotFoundError,
)
from cattrs.gen import make_dict_structure_fn
from cattrs.v import format_exception

from hookline.errors import DecodeError
from hookline.schema.members import is_named_tuple, is_pydantic
from hookline.values.brief import brief
from hookline.values.frozen import thaw

__all__ = ["structured"]

_FROM_TEXT: Final[Mapping[type, Callable[[str], Any]]] = {
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
    dt.time: dt.time.fromisoformat,
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
}


_TYPING_UNION: Final[Any] = Union  # typing's own, beside the one of `int | str`
_FROM_ARRAY: Final[Mapping[Any, Callable[[Iterable[Any]], Any]]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Sequence: tuple,
    Collection: tuple,
    Iterable: tuple,
}
_UNFIT: Final = (
    ValueError,
    TypeError,
    KeyError,
    InvalidOperation,
    StructureHandlerNotFoundError,
)


def structured(value: Any, wanted: Any) -> Any:
    """Return a JSON value as the Python type ``wanted``.

    Args:
        value: what JSON gave.
        wanted: any type that ``hookline.schema.schema_of`` knows.

    Raises:
        DecodeError: it does not fit; the text names every place.

    """
    try:
        return _converter().structure(thaw(value), wanted)
    except BaseValidationError as error:
        raise DecodeError(
            "; ".join(transform_error(error, format_exception=_said)), path=""
        ) from error
    except _UNFIT as error:
        raise DecodeError(str(error), path="$") from error


@cache
def _converter() -> Converter:
    # A new attribute that the model adds is an error: the schema forbade it.
    converter = Converter(forbid_extra_keys=True)
    for kind in (str, int, float, bool, NoneType):
        converter.register_structure_hook(kind, _exact(kind))
    for kind, parse in _FROM_TEXT.items():
        converter.register_structure_hook(kind, _parsed(kind, parse))
    converter.register_structure_hook_func(_is_literal, _literal)
    converter.register_structure_hook_func(_is_enum, _member)
    converter.register_structure_hook_factory(attrs.has, lambda cls: _instance(converter, cls))
    converter.register_structure_hook_factory(
        is_named_tuple,
        lambda cls: namedtuple_dict_structure_factory(cls, converter, forbid_extra_keys=True),  # type: ignore[arg-type]  # the stub names another parameter
    )
    converter.register_structure_hook_func(
        is_pydantic, lambda value, wanted: wanted.model_validate(value)
    )
    converter.register_structure_hook_factory(_is_array, lambda wanted: _array(converter, wanted))
    converter.register_structure_hook_factory(_is_row, lambda wanted: _row(converter, wanted))
    converter.register_structure_hook_factory(_is_table, lambda wanted: _table(converter, wanted))
    converter.register_structure_hook_func(
        _is_union,
        lambda value, wanted: _first_fit(converter, value, wanted),
    )
    return converter


def _is_union(wanted: Any) -> bool:
    return isinstance(wanted, UnionType) or get_origin(wanted) == _TYPING_UNION


def _exact(kind: type) -> Callable[[Any, Any], Any]:
    def read(value: Any, _wanted: Any) -> Any:
        if kind is float and type(value) is int:
            try:
                return float(value)  # JSON writes 1 for 1.0; nothing is lost
            except OverflowError:
                raise ValueError(f"{brief(value)} is too large for a float") from None
        if type(value) is not kind:
            raise ValueError(f"expected {kind.__name__}, found {value!r}")
        return value

    return read


def _parsed(kind: type, parse: Callable[[str], Any]) -> Callable[[Any, Any], Any]:
    def read(value: Any, _wanted: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError(f"expected {kind.__name__} as text, found {value!r}")  # noqa: TRY004 -- cattrs collects ValueErrors
        return parse(value)

    return read


def _is_literal(wanted: Any) -> bool:
    origin: Any = get_origin(wanted)
    return origin is Literal


def _said(error: BaseException, wanted: type | None) -> str:
    """Say what was wrong in one place; our own texts and those of validators are the best."""
    own = isinstance(error, ValueError | TypeError) and str(error)
    return own or format_exception(error, wanted)


def _instance(converter: Converter, cls: Any) -> Callable[[Any, Any], Any]:
    # By their alias, which is what the schema calls them and what a constructor takes.
    read = make_dict_structure_fn(
        cls, converter, _cattrs_forbid_extra_keys=True, _cattrs_use_alias=True
    )

    def read_object(value: Any, wanted: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"expected an object ({cls.__name__}), found {brief(value)}")  # noqa: TRY004 -- cattrs collects ValueErrors
        return read(value, wanted)

    return read_object


def _is_array(wanted: Any) -> bool:
    kind = get_origin(wanted) or wanted
    return kind in _FROM_ARRAY and (kind is not tuple or get_args(wanted)[1:] == (...,))


def _array(converter: Converter, wanted: Any) -> Callable[[Any, Any], Any]:
    make = _FROM_ARRAY[get_origin(wanted) or wanted]
    item = next(iter(get_args(wanted)), Any)

    def read(value: Any, _wanted: Any) -> Any:
        if not isinstance(value, list):  # a text is not a list of its characters
            raise ValueError(f"expected an array, found {brief(value)}")  # noqa: TRY004 -- as above
        places = ((place, each, item) for place, each in enumerate(value))
        return make(each for _, each in _items(converter, places, wanted))

    return read


def _is_row(wanted: Any) -> bool:
    arguments = get_args(wanted)
    return get_origin(wanted) is tuple and arguments[1:] != (...,)


def _row(converter: Converter, wanted: Any) -> Callable[[Any, Any], Any]:
    """Read a tuple of fixed length, in which each place has a type of its own."""
    kinds = get_args(wanted)

    def read(value: Any, _wanted: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(kinds):
            raise ValueError(f"expected an array of {len(kinds)} items, found {brief(value)}")
        places = zip(range(len(kinds)), value, kinds, strict=True)
        return tuple([each for _, each in _items(converter, places, wanted)])

    return read


def _is_table(wanted: Any) -> bool:
    kind: Any = get_origin(wanted) or wanted
    return kind in (dict, Mapping)


def _table(converter: Converter, wanted: Any) -> Callable[[Any, Any], Any]:
    item = get_args(wanted)[1] if get_args(wanted) else Any

    def read(value: Any, _wanted: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, found {brief(value)}")  # noqa: TRY004 -- as above
        places = ((name, each, item) for name, each in value.items())
        return dict(_items(converter, places, wanted))

    return read


def _items(
    converter: Converter, items: Iterable[tuple[Any, Any, Any]], wanted: Any
) -> list[tuple[Any, Any]]:
    """Read what an array or object holds; what is wrong is said of all of them at once.

    Args:
        converter: reads each.
        items: place, value and type of each.
        wanted: the type of the whole.

    """
    done: list[tuple[Any, Any]] = []
    errors: list[Exception] = []
    for place, value, item in items:
        try:
            done.append((place, converter.structure(value, item)))
        except (BaseValidationError, *_UNFIT) as error:
            error.add_note(IterableValidationNote(f"at {place!r}", place, item))
            errors.append(error)
    if errors:
        raise IterableValidationError(f"while structuring {wanted}", errors, wanted)  # pyright: ignore[reportCallIssue] -- cattrs adds the type in __new__
    return done


def _literal(value: Any, wanted: Any) -> Any:
    members = get_args(wanted)
    if not any(value == member and type(value) is type(member) for member in members):
        raise ValueError(f"expected one of {', '.join(map(repr, members))}, found {value!r}")
    return value


def _is_enum(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, enum.Enum)


def _member(value: Any, wanted: type[enum.Enum]) -> enum.Enum:
    for member in wanted:
        if member.value == value and type(member.value) is type(value):
            return member
    known = ", ".join(repr(member.value) for member in wanted)
    raise ValueError(f"expected one of {known}, found {value!r}")


def _first_fit(converter: Converter, value: Any, wanted: Any) -> Any:
    """Return the value as the first member of a union that takes it, exact scalars before others."""
    members = get_args(wanted)
    exact = [member for member in members if member is type(value)]
    # A date reads as midnight of a moment too, while no moment reads as a date.
    exact += [member for member in members if member is dt.date]
    for member in (*exact, *members):
        try:
            return converter.structure(value, member)
        except (BaseValidationError, *_UNFIT):
            continue
    raise ValueError(f"fits none of {', '.join(str(_name(member)) for member in members)}")


def _name(member: Any) -> str:
    if isinstance(member, type) and (attrs.has(member) or issubclass(member, enum.Enum)):
        return member.__name__
    return getattr(member, "__name__", str(member))
