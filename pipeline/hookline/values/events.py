"""The events of a streamed reply and the deltas inside them (facts 6.2).

They are made by the decoder, thousands a second, and hardly ever by people: no validators.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import Attribute, field, frozen

from hookline.errors import APIError
from hookline.values.blocks import Block
from hookline.values.citations import Citation
from hookline.values.frozen import Model, freeze
from hookline.values.messages import Response
from hookline.values.usage import StopDetails, Usage

__all__ = [
    "DELTAS",
    "EVENTS",
    "CitationsDelta",
    "CompactionDelta",
    "ContentBlockDelta",
    "ContentBlockStart",
    "ContentBlockStop",
    "Delta",
    "ErrorEvent",
    "Event",
    "InputJSONDelta",
    "MessageChange",
    "MessageDelta",
    "MessageStart",
    "MessageStop",
    "Ping",
    "SignatureDelta",
    "TextDelta",
    "ThinkingDelta",
    "UnknownDelta",
    "UnknownEvent",
]


def unchecked(_cls: type, attributes: list["Attribute[Any]"]) -> list["Attribute[Any]"]:
    """Take ``extra`` as it comes: the decoder freezes it, and a converter costs every event."""
    return [
        a.evolve(converter=None, validator=None) if a.name == "extra" and a.converter else a
        for a in attributes
    ]


@frozen(eq=False, repr=False, field_transformer=unchecked)
class Delta(Model):
    """Base of what a ``content_block_delta`` adds to its block."""

    type: ClassVar[str]


@frozen(eq=False, repr=False, field_transformer=unchecked)
class TextDelta(Delta):
    """More text."""

    type: ClassVar[str] = "text_delta"
    text: str


@frozen(eq=False, repr=False, field_transformer=unchecked)
class InputJSONDelta(Delta):
    """More of the JSON text of a tool's input; may be cut anywhere."""

    type: ClassVar[str] = "input_json_delta"
    partial_json: str


@frozen(eq=False, repr=False, field_transformer=unchecked)
class CitationsDelta(Delta):
    """One more citation."""

    type: ClassVar[str] = "citations_delta"
    citation: Citation


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ThinkingDelta(Delta):
    """More thinking."""

    type: ClassVar[str] = "thinking_delta"
    thinking: str


@frozen(eq=False, repr=False, field_transformer=unchecked)
class SignatureDelta(Delta):
    """The signature of a thinking block, just before it stops."""

    type: ClassVar[str] = "signature_delta"
    signature: str


@frozen(eq=False, repr=False, field_transformer=unchecked)
class CompactionDelta(Delta):
    """A whole compaction summary (beta)."""

    type: ClassVar[str] = "compaction_delta"
    content: str | None = None
    encrypted_content: str | None = None


@frozen(eq=False, repr=False, field_transformer=unchecked)
class UnknownDelta(Delta):
    """A delta that this version has no class for, kept whole in ``data``."""

    # Every known class has one type, this one has any: an instance field hides the class's.
    type: str  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
    data: Mapping[str, Any] = field(converter=freeze)


@frozen(eq=False, repr=False, field_transformer=unchecked)
class MessageChange(Model):
    """What a ``message_delta`` sets on the message; None is "not mentioned"."""

    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    container: Mapping[str, Any] | None = field(default=None, converter=freeze)


@frozen(eq=False, repr=False, field_transformer=unchecked)
class Event(Model):
    """Base of all events; ``type`` names the kind on the wire."""

    type: ClassVar[str]


@frozen(eq=False, repr=False, field_transformer=unchecked)
class MessageStart(Event):
    """The first event: the response without its content."""

    type: ClassVar[str] = "message_start"
    message: Response


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ContentBlockStart(Event):
    """A block begins, still empty; results of server tools arrive whole."""

    type: ClassVar[str] = "content_block_start"
    index: int
    content_block: Block


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ContentBlockDelta(Event):
    """A block grows."""

    type: ClassVar[str] = "content_block_delta"
    index: int
    delta: Delta


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ContentBlockStop(Event):
    """A block is complete."""

    type: ClassVar[str] = "content_block_stop"
    index: int


@frozen(eq=False, repr=False, field_transformer=unchecked)
class MessageDelta(Event):
    """The message's own fields change. ``usage`` holds totals so far, not differences."""

    type: ClassVar[str] = "message_delta"
    delta: MessageChange
    usage: Usage | None = None


@frozen(eq=False, repr=False, field_transformer=unchecked)
class MessageStop(Event):
    """The proper end of a stream."""

    type: ClassVar[str] = "message_stop"


@frozen(eq=False, repr=False, field_transformer=unchecked)
class Ping(Event):
    """A sign of life."""

    type: ClassVar[str] = "ping"


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ErrorEvent(Event):
    """The stream failed although its HTTP status was 200; ``error`` has ``type`` and ``message``."""

    type: ClassVar[str] = "error"
    error: Mapping[str, Any] = field(converter=freeze)
    request_id: str | None = None

    def as_error(self, headers: Mapping[str, str] | None = None) -> APIError:
        """Return the error that the event reports.

        Args:
            headers: those of the stream, names in lower case.

        """
        return APIError.from_body(
            {"error": self.error, "request_id": self.request_id}, headers=headers
        )


@frozen(eq=False, repr=False, field_transformer=unchecked)
class UnknownEvent(Event):
    """An event that this version has no class for, kept whole in ``data``."""

    # Every known class has one type, this one has any: an instance field hides the class's.
    type: str  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
    data: Mapping[str, Any] = field(converter=freeze)


DELTAS: Final[Mapping[str, type[Delta]]] = {
    cls.type: cls
    for cls in (
        TextDelta,
        InputJSONDelta,
        CitationsDelta,
        ThinkingDelta,
        SignatureDelta,
        CompactionDelta,
    )
}
EVENTS: Final[Mapping[str, type[Event]]] = {
    cls.type: cls
    for cls in (
        MessageStart,
        ContentBlockStart,
        ContentBlockDelta,
        ContentBlockStop,
        MessageDelta,
        MessageStop,
        Ping,
        ErrorEvent,
    )
}
