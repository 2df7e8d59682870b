"""What ``output=`` asks for: the JSON schema that is sent, and the way back from the reply.

Two things cannot be said to the API as they are, so they travel in another form and are turned back
here. The root must be an object: anything else travels as ``{"value": …}``. No schema can name the
keys of a ``dict[str, T]``: it travels as an array of ``{"key": …, "value": …}``.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from hookline.errors import DecodeError, InputError
from hookline.schema.fit import misfits
from hookline.schema.subset import check_subset, closed, referred
from hookline.schema.types import schema_of
from hookline.values.blocks import TextBlock
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    MessageStart,
    TextDelta,
)
from hookline.values.frozen import freeze, thaw
from hookline.wire import json
from hookline.wire.partial_json import NOTHING, PartialJSON

__all__ = ["GrowingOutput", "Output"]

_SHARE: Final = 64  # of a growing value is new, at least, when it is made anew
_VALUE: Final = "value"
_ENTRY: Final = ("key", "value")
_DEFINITIONS: Final = ("$defs", "definitions")
_SAYS_WHAT: Final = frozenset({"type", "properties", "$ref", "anyOf", "allOf", "enum", "const"})


@frozen
class Output:
    """An output that was asked for.

    Attributes:
        wanted: a type, or the caller's own JSON schema.
        schema: what is sent.
        wrapped: whether the value travels in an object's one property.

    """

    wanted: Any
    schema: Mapping[str, Any] = field(converter=freeze)
    wrapped: bool

    @classmethod
    def of(cls, wanted: Any) -> "Output":
        """Read what a caller handed over as ``output=``.

        Args:
            wanted: an attrs class, any other type that ``schema_of`` knows, or a JSON schema
                (a dict).

        Raises:
            InputError: the API could not compile its schema.

        """
        if isinstance(wanted, Mapping):
            if not _SAYS_WHAT & wanted.keys():
                raise InputError(
                    "output= is a dict that is no JSON schema; give it a `type`, or hand over a "
                    "type, for example an attrs class"
                )
            schema = thaw(freeze(wanted))
        else:
            schema = schema_of(wanted)
        check_subset(schema)
        root = _unreferred(closed(schema), own=not isinstance(wanted, Mapping))
        wrapped = root.get("type") != "object" and "properties" not in root
        return cls(wanted, _wrap(root) if wrapped else root, wrapped)

    def read(self, text: str) -> Any:
        """Return the value that a reply's text holds.

        Args:
            text: JSON.

        Returns:
            An instance of the type, or plain JSON if a schema was given.

        Raises:
            JSONDecodeError: it is no JSON.
            DecodeError: it is JSON of another shape.

        """
        value = json.loads(text)
        if isinstance(self.wanted, Mapping):
            problems = "; ".join(misfits(value, self.schema, self.schema))
            if problems:
                raise DecodeError(problems, path="")
            return self.plain(value)
        from hookline.schema.structure import structured  # noqa: PLC0415 -- loads cattrs

        value = self.plain(value)
        if value is NOTHING:
            raise DecodeError(f"expected an object with the property {_VALUE!r}")
        return structured(value, self.wanted)

    def plain(self, value: Any) -> Any:
        """Turn a value, perhaps not finished, from the form it travels in into the one meant.

        Returns:
            Plain JSON, or `NOTHING` where too little has come.

        """
        schema: Any = self.schema
        if self.wrapped:
            if not isinstance(value, dict) or _VALUE not in value:
                return NOTHING
            value, schema = value[_VALUE], self.schema["properties"][_VALUE]
        if isinstance(self.wanted, Mapping):
            return value
        return self._with_tables(value, schema)

    def _with_tables(self, value: Any, schema: Any) -> Any:
        """Make dicts of the arrays of entries that stand for them."""
        if not isinstance(value, dict | list):
            return value
        if "$ref" in schema:
            return self._with_tables(value, referred(self.schema, schema["$ref"]))
        if "anyOf" in schema:
            return self._with_tables(value, _matching(value, schema["anyOf"], self.schema))
        if isinstance(value, list):
            items = schema.get("items", {})
            if _is_entry(items):
                return {
                    entry["key"]: self._with_tables(entry["value"], items["properties"]["value"])
                    for entry in value
                    if isinstance(entry, dict) and entry.keys() == set(_ENTRY)
                }
            return [self._with_tables(item, items) for item in value]
        properties = schema.get("properties", {})
        return {
            name: self._with_tables(item, properties.get(name, {})) for name, item in value.items()
        }


class GrowingOutput:
    """Reads a stream's events as an output that grows.

    A value costs as much as it is long. So a long one is not made anew for every few letters but once
    it has grown by a sixty-fourth, and at its end: the work is linear in its length.

    Args:
        wanted: what ``output=`` asked for.
        opening: how the first reply begins already: a prefill.

    Attributes:
        value: the plain value so far.

    """

    def __init__(self, wanted: Any, opening: str = "") -> None:
        self.value: Any = None
        self._opening = opening
        self._output = Output.of(wanted)
        self._start_over()

    def _start_over(self) -> None:
        self._reader = PartialJSON()
        self._begun = False
        self._reader.feed(self._opened(self._opening))
        self._index: int | None = (
            None  # of the block that holds the JSON: the first in which it begins
        )
        self._length = 0
        self._made_at = 0  # the length at which a value was made last

    def feed(self, event: Event) -> bool:
        """Take in the next event; return whether there is a new value.

        Args:
            event: any event; a new step of the turn starts over.

        """
        if isinstance(event, MessageStart):
            self._start_over()
            self._opening = ""  # it belonged to the first reply of the turn
        text = _text_of(event)
        index = getattr(event, "index", None)
        if text and self._index in (None, index):
            self._reader.feed(self._opened(text))
            self._length += len(text)
            self._index = index if self._begun else None
            return self._length - self._made_at >= self._length // _SHARE and self._made()
        ended = isinstance(event, ContentBlockStop) and event.index == self._index
        return ended and self._made_at < self._length and self._made()

    def _opened(self, text: str) -> str:
        """Return the text from where the JSON begins: a model that was asked for it may fence it."""
        if self._begun:
            return text
        _, brace, rest = text.partition("{")
        self._begun = bool(brace)
        return brace + rest

    def _made(self) -> bool:
        self._made_at = self._length
        raw = self._reader.value
        value = NOTHING if raw is NOTHING else self._output.plain(raw)
        if value is NOTHING or value == self.value:
            return False
        self.value = value
        return True


def _text_of(event: Event) -> str:
    if isinstance(event, ContentBlockDelta) and isinstance(event.delta, TextDelta):
        return event.delta.text
    if isinstance(event, ContentBlockStart) and isinstance(event.content_block, TextBlock):
        return event.content_block.text
    return ""


def _unreferred(schema: dict[str, Any], *, own: bool) -> dict[str, Any]:
    """Write out a root that is only a reference: an attrs class is a definition of its own."""
    while "$ref" in schema:
        reference = schema["$ref"]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**referred(schema, reference), **rest}
        if own:  # nothing else refers to it, since recursion is refused
            name = reference.rpartition("/")[2]
            kept = {key: value for key, value in schema["$defs"].items() if key != name}
            schema["$defs"] = kept
            if not kept:
                del schema["$defs"]
    return schema


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    """Put a schema under the one property of an object; references stay true."""
    definitions: dict[str, Any] = {name: schema[name] for name in _DEFINITIONS if name in schema}
    inner = {name: value for name, value in schema.items() if name not in _DEFINITIONS}
    return {
        "type": "object",
        "properties": {_VALUE: inner},
        "required": [_VALUE],
        "additionalProperties": False,
        **definitions,
    }


def _is_entry(items: Any) -> bool:
    """Say whether this is ours: a class that has the same two fields is a reference instead."""
    return isinstance(items, Mapping) and tuple(items.get("properties", ())) == _ENTRY


def _matching(value: Any, schemas: Any, root: Mapping[str, Any]) -> Any:
    """Return the first schema that may be meant by a value, perhaps not finished."""
    for schema in schemas:
        whole = referred(root, schema["$ref"]) if "$ref" in schema else schema
        if "anyOf" in whole:
            whole = _matching(value, whole["anyOf"], root)
        if isinstance(value, list):
            items = whole.get("items")
            entries = all(isinstance(item, dict) and item.keys() <= set(_ENTRY) for item in value)
            if whole.get("type") == "array" and (entries or not _is_entry(items)):
                return whole
        elif whole.get("type") == "object" and value.keys() <= whole["properties"].keys():
            return whole
    return {}
