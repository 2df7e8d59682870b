"""The rules by which JSON becomes models and models become JSON, as hooks of a cattrs converter.

This is the one module that imports cattrs; `hookline.wire.codec` is its public face.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from math import isfinite
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, NoReturn, Self, get_args, get_origin

import cattrs
from attrs import NOTHING, Attribute, Factory, fields

from hookline.values.blocks import (
    BLOCKS,
    Block,
    MCPToolUseBlock,
    ServerToolUseBlock,
    ToolUseBlock,
    UnknownBlock,
)
from hookline.values.brief import brief
from hookline.values.citations import CITATIONS, Citation, UnknownCitation
from hookline.values.events import (
    DELTAS,
    EVENTS,
    Delta,
    Event,
    MessageChange,
    UnknownDelta,
    UnknownEvent,
)
from hookline.values.frozen import EMPTY, Model, freeze, thaw
from hookline.values.messages import Message, Request, Response
from hookline.values.sources import SOURCES, Source, UnknownSource
from hookline.values.tools.definitions import ServerTool, Tool, ToolSpec, UnknownTool
from hookline.values.tools.input import tool_input
from hookline.values.usage import StopDetails, Usage

__all__ = [
    "Misfit",
    "Unresolved",
    "converter",
    "is_known",
    "plain",
    "wire_fields",
    "writer",
]

Read = Callable[[Any, Any], Any]  # a cattrs hook: (JSON value, type) -> model value


class Misfit(Exception):
    """A JSON value is not what its place promises."""

    def __init__(self, expected: str, found: Any, path: str = "") -> None:
        super().__init__(expected)
        self.text = f"expected {expected}, found {'nothing' if found is NOTHING else brief(found)}"
        self.path = path

    def under(self, step: str) -> Self:
        """Return itself, its path begun with one more step."""
        self.path = step + self.path
        return self


# attrs declares the class as a function.
_FACTORY: Final[Any] = Factory

_JSON_NAMES: Final[Mapping[Any, str]] = {
    str: "a string",
    tuple: "an array",
    Mapping: "an object",
}


# ---- structure: one hook for each kind of annotation that the models use ----------------------


# What a scalar may be: exactly of one of these classes, since isinstance would let True pass as 1.
_SCALARS: Final[Mapping[type, tuple[tuple[type, ...], str]]] = {
    str: ((str,), "a string"),
    int: ((int,), "an integer"),
    float: ((float, int), "a number"),
    bool: ((bool,), "true or false"),
}


def _scalar_hook(scalar: type) -> Read:
    kinds, expected = _SCALARS[scalar]

    def read(value: Any, _type: Any) -> Any:
        if type(value) in kinds and (scalar is not float or isfinite(value)):
            return value
        raise Misfit(expected, value)

    return read


def _as_it_is(annotation: Any) -> tuple[type, ...]:
    """Return the classes whose values a field takes unchanged, so that no hook need be called."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kinds = {kind for part in parts for kind in _SCALARS.get(part, ((), ""))[0]}
    return tuple(kinds - {float})  # of which some are no JSON


def _read_json(value: Any, _type: Any) -> Any:
    return freeze(value)


def _read_object(value: Any, _type: Any) -> Any:
    if isinstance(value, dict):
        return freeze(value)
    raise Misfit("an object", value)


def _array_hook(annotation: Any, converter: cattrs.Converter) -> Read:
    item = get_args(annotation)[0]
    read_item = _read_json if item is Any else converter.get_structure_hook(item)

    def read(value: Any, _type: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise Misfit("an array", value)
        done: list[Any] = []
        try:
            for entry in value:
                done.append(read_item(entry, item))  # noqa: PERF401 -- its length tells where a misfit was
        except Misfit as misfit:
            raise misfit.under(f"[{len(done)}]") from None
        return tuple(done)

    return read


def _union_hook(annotation: Any, converter: cattrs.Converter) -> Read:
    """Read a union, telling its members by the kind of JSON value. Null never gets here."""
    hooks: dict[Any, Read] = {
        get_origin(part) or part: converter.get_structure_hook(part)
        for part in get_args(annotation)
        if part is not NoneType
    }
    if len(hooks) == 1:
        return next(iter(hooks.values()))
    expected = " or ".join(_JSON_NAMES[kind] for kind in hooks)

    def read(value: Any, type_: Any) -> Any:
        kind = (
            Mapping
            if isinstance(value, dict)
            else tuple
            if isinstance(value, list)
            else type(value)
        )
        if kind not in hooks:
            raise Misfit(expected, value)
        return hooks[kind](value, type_)

    return read


# The classes of each family by ``type``, and the one that keeps what fits none of them.
_FAMILIES: Final[Mapping[Any, tuple[Mapping[str, type[Model]], Callable[[str, Any], Model]]]] = {
    Block: (BLOCKS, UnknownBlock),
    Source: (SOURCES, UnknownSource),
    Citation: (CITATIONS, UnknownCitation),
    Delta: (DELTAS, UnknownDelta),
    Event: (EVENTS, UnknownEvent),
}
_UNKNOWN: Final = (
    UnknownBlock,
    UnknownSource,
    UnknownCitation,
    UnknownDelta,
    UnknownEvent,
    UnknownTool,
)
_CALLS: Final = frozenset({ToolUseBlock.type, ServerToolUseBlock.type, MCPToolUseBlock.type})
# These have no Unknown… twin: an optional field that does not fit goes to ``extra`` instead.
_TOLERANT: Final = (Message, Request, Response, Usage, StopDetails, MessageChange)


def _family_hook(family: Any, converter: cattrs.Converter) -> Read:
    members, unknown = _FAMILIES[family]
    hooks: dict[str, Read] = {}  # filled when first needed, since blocks may hold blocks

    def read(value: Any, _type: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit("an object", value)
        name = value.get("type")
        if not isinstance(name, str):
            return unknown("", value)
        if name in members:
            if name not in hooks:
                hooks[name] = converter.get_structure_hook(members[name])
            if name in _CALLS and not isinstance(value.get("input"), dict):
                value = {**value, "input": tool_input(value.get("input"))}
            try:
                return hooks[name](value, members[name])
            except Misfit:
                pass  # the API knows better what this type is today
        return unknown(name, value)

    return read


def _tool_hook(_type: Any, converter: cattrs.Converter) -> Read:
    """Tell tools apart: the caller's own have no type or "custom", Anthropic's a dated one."""
    hooks = {cls: converter.get_structure_hook(cls) for cls in (Tool, ServerTool)}

    def read(value: Any, _type: Any) -> Any:
        if not isinstance(value, dict):
            raise Misfit("an object", value)
        name = value.get("type")
        cls = Tool if name in (None, "custom") else ServerTool
        try:
            return hooks[cls](value, cls)
        except Misfit:
            return UnknownTool(name if isinstance(name, str) else "", value)

    return read


def wire_fields(cls: type[Model]) -> list[tuple["Attribute[Any]", str]]:
    """List the fields that are JSON, with their names there."""
    own = ("extra", "absent")  # our books, not the API's fields
    return [
        (a, a.name.rstrip("_"))  # "from_" is "from"
        for a in fields(cls)
        if a.name not in own and not a.metadata.get("local")
    ]


def _default(attribute: "Attribute[Any]") -> Any:
    """Tell the value of a field that is not given; NOTHING where it must be."""
    default: Any = attribute.default
    return default.factory() if isinstance(default, _FACTORY) else default


def _required_and_booked(cls: type[Model]) -> tuple[set[str], set[str]]:
    """Tell which JSON names must be there, and whose absence the class books in ``absent``."""
    known = wire_fields(cls)
    defaulted = {key for a, key in known if _default(a) is not None}
    if not any(a.name == "absent" for a in fields(cls)):
        return defaulted, set()  # such a default would be written back: it must have been there
    required = {key for a, key in known if a.default is NOTHING or a.metadata.get("required")}
    return required, defaulted - required


def _maker(cls: type[Model]) -> Callable[[dict[str, Any]], Model]:
    """Return what makes a value of fields that were read, and so are checked and frozen.

    The class itself would convert and check each of them once more.
    """
    names = [a.name for a in fields(cls)]
    puts = [getattr(cls, name).__set__ for name in names]
    defaults = [_default(a) for a in fields(cls)]
    own = [(a.name, a.default.factory) for a in fields(cls) if isinstance(a.default, _FACTORY)]

    def make(values: dict[str, Any]) -> Model:
        made = object.__new__(cls)
        for name, new in own:  # no two values share a default that holds something
            if name not in values:
                values[name] = new()
        for put, value in zip(puts, map(values.get, names, defaults), strict=True):
            put(made, value)
        return made

    return make


def _class_hook(cls: Any, converter: cattrs.Converter) -> Read:
    readers = {
        key: (a.name, _as_it_is(a.type), converter.get_structure_hook(a.type), a.type)
        for a, key in wire_fields(cls)
    }
    required, booked = _required_and_booked(cls)
    expected = required | booked
    # The family has read the type of a class that has one of its own.
    tagged = isinstance(getattr(cls, "type", None), str)
    tolerant = cls in _TOLERANT
    make = _maker(cls)

    def read(data: Any, _type: Any) -> Any:
        if not isinstance(data, dict):
            raise Misfit("an object", data)
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, value in data.items():
            known = readers.get(key)
            if known is None or (value is None and key not in required):
                extra[key] = value
                continue
            name, unchanged, hook, type_ = known
            if type(value) in unchanged:
                values[name] = value
                continue
            try:
                values[name] = hook(value, type_)
            except Misfit as misfit:
                if not tolerant or key in required:
                    raise misfit.under(f".{key}") from None
                extra[key] = value
        if tagged:
            extra.pop("type", None)
        if not data.keys() >= expected:
            values |= _absent(data.keys(), required, booked)
        values["extra"] = freeze(extra) if extra else EMPTY
        return make(values)

    return read


def _absent(
    there: Collection[str], required: set[str], booked: set[str]
) -> dict[str, frozenset[str]]:
    """Return the book of absent names, if a class keeps one; raise ``Misfit`` for a required name."""
    lacking = required.difference(there)
    if lacking:
        raise Misfit("a value", NOTHING, f".{min(lacking)}")
    missing = frozenset(booked.difference(there))
    return {"absent": missing} if missing else {}


# ---- unstructure -----------------------------------------------------------------------------


class Unresolved(Exception):
    """A block that the API has no form for."""


def plain(value: Any) -> Any:
    """Return a value as JSON: a model in its wire form, frozen JSON thawed."""
    if isinstance(value, Model):
        write: Callable[[Any], Any] = _writers()(value.__class__)
        return write(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return thaw(value)


@cache
def _writers() -> Callable[[type], Callable[[Any], Any]]:
    """Return what says how the converter writes a class, and remembers it."""
    return cache(converter().get_unstructure_hook)


_PLAIN_ALREADY: Final = frozenset({str, int, float, bool})


def is_known(cls: type[Model]) -> bool:
    """Say whether the wire has this class of block."""
    return not issubclass(cls, Block) or cls is UnknownBlock or cls in BLOCKS.values()


def writer(cls: Any, skip: str | None = None) -> Callable[[Any], dict[str, Any]]:
    """Return what writes models of a class, leaving one field out if asked to."""
    if cls in _UNKNOWN:
        return lambda model: thaw(model.data)  # an object, as it came
    if not is_known(cls):
        return _refuse
    written = [(a, key) for a, key in wire_fields(cls) if key != skip]
    known = [(key, _default(a)) for a, key in written]
    take = attrgetter(
        *(a.name for a, _ in written), "extra"
    )  # all at once; a second name makes it a tuple
    tag = getattr(cls, "type", None)
    head = {"type": tag} if isinstance(tag, str) else {}

    def write(model: Any) -> dict[str, Any]:
        data: dict[str, Any] = dict(head)
        extra = model.extra
        absent = getattr(model, "absent", ())
        for (key, default), value in zip(known, take(model), strict=False):
            if value is None or (value == default and (key in extra or key in absent)):
                continue
            data[key] = value if value.__class__ in _PLAIN_ALREADY else plain(value)
        for key, value in extra.items():
            if key not in data and key != skip:
                data[key] = thaw(value)
        return data

    return write


def _refuse(_block: Any) -> NoReturn:
    raise Unresolved


# ---- the converter ---------------------------------------------------------------------------


def _is(kind: Any) -> Callable[[Any], bool]:
    return lambda annotation: get_origin(annotation) is kind


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Model)


@cache
def converter() -> cattrs.Converter:
    """Build the converter when it is first needed: it takes milliseconds, and so does cattrs."""
    made = cattrs.Converter(detailed_validation=False)
    for scalar in _SCALARS:
        made.register_structure_hook(scalar, _scalar_hook(scalar))
    made.register_structure_hook_func(lambda annotation: annotation is Any, _read_json)
    made.register_structure_hook_func(_is(Mapping), _read_object)
    made.register_structure_hook_factory(_is(tuple), _array_hook)
    made.register_structure_hook_factory(
        lambda annotation: isinstance(annotation, UnionType), _union_hook
    )
    made.register_structure_hook_factory(_is_model, _class_hook)
    made.register_structure_hook_factory(lambda cls: cls in _FAMILIES, _family_hook)
    made.register_structure_hook_factory(lambda cls: cls is ToolSpec, _tool_hook)
    made.register_unstructure_hook_factory(_is_model, writer)
    return made
