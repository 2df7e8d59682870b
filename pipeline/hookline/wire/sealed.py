"""Values as their own JSON says: copies that nobody else holds and in which nothing can hide.

A value is frozen against mistakes and not against malice: a subclass may show a check something else
than the encoder reads, ``extra`` may hold a name that a field has too, and kept bytes may be those of
something else. What has been written as JSON and read back shows what leaves, and nothing besides. So
this is what enforcers judge, and what is used afterwards.
"""

from typing import Final

from hookline.errors import InputError
from hookline.values.blocks import ToolUseBlock
from hookline.values.conversion.copies import copied
from hookline.values.events import ContentBlockDelta, Event, TextDelta
from hookline.values.frozen import EMPTY, Model, freeze
from hookline.values.messages import Request, Response
from hookline.wire.codec import (
    decode_request,
    encode_request,
    structure_block,
    structure_event,
    structure_response,
    unstructure,
)
from hookline.wire.json import dumps, loads_unique

__all__ = ["sealed_call", "sealed_event", "sealed_request", "sealed_response"]

_TEXT: Final = (ContentBlockDelta, int, TextDelta, str)


def sealed_request(request: Request) -> Request:
    """Return a request as the bytes say in which it would leave.

    Raises:
        UnresolvedContent: it holds an attachment that no plugin has resolved.
        InputError: it holds something that JSON has no form for.
        DecodeError: its bytes are those of no request.

    """
    betas = tuple([str.__str__(name) for name in request.betas])
    return decode_request(encode_request(request), betas)


def sealed_response(response: Response) -> Response:
    """Return a response as its JSON says; status, headers and a live stream are not of the JSON.

    Raises:
        DecodeError: it would be the JSON of no response.

    """
    read = copied(response) if type(response) is Response else None
    if read is None:
        read = structure_response(_json(response))
    object.__setattr__(read, "status", response.status)  # nobody has seen it yet
    object.__setattr__(read, "headers", freeze(response.headers))
    object.__setattr__(read, "events", response.events)
    return read


def sealed_event(event: Event) -> Event:
    """Return an event as its JSON says.

    Raises:
        DecodeError: it would be the JSON of no event.

    """
    delta = getattr(event, "delta", None)
    text = getattr(delta, "text", None)
    index = getattr(event, "index", None)
    if (
        (type(event), type(index), type(delta), type(text)) == _TEXT
        and event.extra is EMPTY
        and delta.extra is EMPTY  # type: ignore[union-attr]  # it is a TextDelta
    ):  # nearly all of a stream's
        return structure_event(
            {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "text_delta", "text": text},
            }
        )
    return structure_event(_json(event))


def sealed_call(call: ToolUseBlock) -> ToolUseBlock:
    """Return a tool call as its JSON says.

    Raises:
        InputError: it would be the JSON of no tool call.

    """
    read = structure_block(_json(call))
    if not isinstance(read, ToolUseBlock):
        raise InputError(f"what a plugin made of a tool call is none: {read!r}")
    return read


def _json(model: Model) -> dict[str, object]:
    read: dict[str, object] = loads_unique(dumps(unstructure(model)))
    return read
