"""The fields of classes of every usual kind, as JSON knows them."""

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, NotRequired, Required, get_args, get_origin

import attrs
from attrs import NOTHING, frozen

from hookline.schema.docstrings import documentation

__all__ = ["Member", "is_class", "is_named_tuple", "is_pydantic", "members_of"]


@frozen
class Member:
    """One field.

    Attributes:
        name: in JSON.
        type: with what ``Annotated`` says of it.
        default: its default; NOTHING if there is none, or if it is made anew each time.
        required: whether it must be given.
        text: what is said about it, or "".

    """

    name: str
    type: Any
    default: Any
    required: bool
    text: str


def is_pydantic(cls: Any) -> bool:
    """Say whether it is a pydantic model; pydantic itself is not imported for that."""
    return isinstance(cls, type) and hasattr(cls, "model_fields") and hasattr(cls, "model_validate")


def is_named_tuple(cls: Any) -> bool:
    """Say whether it is a ``NamedTuple`` or ``namedtuple``."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def is_class(cls: Any) -> bool:
    """Say whether it is a class whose fields are known."""
    return any(is_kind(cls) for is_kind, _ in _KINDS)


def members_of(cls: Any) -> tuple[Member, ...]:
    """Return the fields of a class that is one of the kinds, in their order.

    Raises:
        NameError: an annotation names what cannot be found.
        TypeError: an annotation is no type.

    """
    said = documentation(cls).of
    members = next(read for is_kind, read in _KINDS if is_kind(cls))(cls)
    return tuple(
        attrs.evolve(member, text=member.text or said.get(member.name, "")) for member in members
    )


def _hints(cls: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


def _of_attrs(cls: Any) -> Iterator[Member]:
    attrs.resolve_types(cls)
    for each in attrs.fields(cls):
        if each.init:
            required = each.default is NOTHING
            default = NOTHING if isinstance(each.default, attrs.Factory) else each.default  # type: ignore[arg-type]  # a class, to the runtime
            yield Member(each.alias, each.type, default, required, "")


def _of_dataclass(cls: Any) -> Iterator[Member]:
    hints = _hints(cls)
    for each in dataclasses.fields(cls):
        if each.init:
            plain = each.default is not dataclasses.MISSING
            required = not plain and each.default_factory is dataclasses.MISSING
            yield Member(
                each.name, hints[each.name], each.default if plain else NOTHING, required, ""
            )


def _of_typed_dict(cls: Any) -> Iterator[Member]:
    for name, hint in _hints(cls).items():
        bare = get_args(hint)[0] if get_origin(hint) in (Required, NotRequired) else hint
        yield Member(name, bare, NOTHING, name in cls.__required_keys__, "")


def _of_named_tuple(cls: Any) -> Iterator[Member]:
    hints, defaults = _hints(cls), cls._field_defaults
    for name in cls._fields:
        yield Member(
            name, hints.get(name, Any), defaults.get(name, NOTHING), name not in defaults, ""
        )


def _of_pydantic(cls: Any) -> Iterator[Member]:
    for name, each in cls.model_fields.items():
        kind = Annotated[(each.annotation, *each.metadata)] if each.metadata else each.annotation
        alias = each.validation_alias if isinstance(each.validation_alias, str) else each.alias
        default = NOTHING if each.is_required() or each.default_factory else each.default
        yield Member(alias or name, kind, default, each.is_required(), each.description or "")


_KINDS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Iterator[Member]]], ...]] = (
    (is_pydantic, _of_pydantic),
    (lambda cls: isinstance(cls, type) and attrs.has(cls), _of_attrs),
    (lambda cls: isinstance(cls, type) and dataclasses.is_dataclass(cls), _of_dataclass),
    (typing.is_typeddict, _of_typed_dict),
    (is_named_tuple, _of_named_tuple),
)
