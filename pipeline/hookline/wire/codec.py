"""JSON to models and back, value for value.

``unstructure(structure_x(d)) == d`` holds for every JSON object that has the shape of an ``x``:

- unknown fields, and explicit nulls of optional ones, are kept in ``extra``;
- an object of an unknown ``type``, or of a known one with fields that do not fit, is kept whole in
  an ``Unknown…`` value;
- nothing is coerced: an int is no float, a bool is no int, a null is no text.

Only a top level without the shape that the API promises is an error. The rules themselves are in
`hookline.values.conversion`.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from hookline.errors import DecodeError, InputError, UnresolvedContent
from hookline.values.blocks import Block
from hookline.values.conversion.reading import structured_as
from hookline.values.conversion.rules import Unresolved, is_known, plain, wire_fields, writer
from hookline.values.events import ContentBlockDelta, Event, TextDelta
from hookline.values.frozen import EMPTY, Model, freeze
from hookline.values.messages import Message, Request, Response
from hookline.wire.json import (
    JSONDecodeError,
    dumps,
    fast_dumps,
    loads,
    loads_unique,
    unwritable,
)

__all__ = [
    "JSONDecodeError",
    "decode_request",
    "dumps",
    "encode_body",
    "encode_message",
    "encode_request",
    "loads",
    "loads_unique",
    "structure_block",
    "structure_event",
    "structure_message",
    "structure_request",
    "structure_response",
    "unstructure",
]


def structure_request(data: Mapping[str, Any]) -> Request:
    """Make a `Request` of its JSON object.

    Args:
        data: the body of ``POST /v1/messages``.

    Returns:
        The request; ``unstructure`` gives ``data`` back.

    Raises:
        DecodeError: ``model``, ``max_tokens`` or ``messages`` is missing or of the wrong type, or a
            message has no role or content.

    """
    request: Request = structured_as(data, Request)
    return request


def structure_response(
    data: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] = EMPTY
) -> Response:
    """Make a `Response` of its JSON object.

    Args:
        data: the body of the answer. Servers that leave fields out are tolerated.
        status: the HTTP status that it came with.
        headers: the headers that it came with, names in lower case.

    Returns:
        The response; ``unstructure`` gives ``data`` back.

    Raises:
        DecodeError: no object, or ``content`` is no list of objects.

    """
    response: Response = structured_as(data, Response)
    # Nobody has seen the value yet; a copy by evolve() would cost as much as making it.
    object.__setattr__(response, "status", status)
    object.__setattr__(response, "headers", freeze(headers))
    return response


def structure_message(data: Mapping[str, Any]) -> Message:
    """Make a `Message` of its JSON object.

    Args:
        data: an item of ``messages``.

    Returns:
        The message; ``unstructure`` gives ``data`` back.

    Raises:
        DecodeError: no role, or the content is neither a string nor a list of objects.

    """
    message: Message = structured_as(data, Message)
    return message


def structure_block(data: Mapping[str, Any]) -> Block:
    """Make a content block of its JSON object.

    Args:
        data: an item of ``content``.

    Returns:
        The block; an `UnknownBlock` where its type or fields are not known.

    Raises:
        DecodeError: ``data`` is no object.

    """
    block: Block = structured_as(data, Block)
    return block


def structure_event(data: Mapping[str, Any]) -> Event:
    """Make an event of its JSON object.

    Args:
        data: the ``data`` of one server-sent event.

    Returns:
        The event; an `UnknownEvent` where its type or fields are not known.

    Raises:
        DecodeError: ``data`` is no object.

    """
    # Nearly all events of a stream are text deltas of exactly this form. Reading them here takes a
    # third of the time of the general way below, which gives the same result.
    if data.__class__ is dict and len(data) == 3 and data.get("type") == "content_block_delta":  # noqa: PLR2004 -- type, index, delta
        delta: Any = data.get("delta")
        if delta.__class__ is dict and len(delta) == 2 and delta.get("type") == "text_delta":  # noqa: PLR2004 -- type, text
            text: Any = delta.get("text")
            index: Any = data.get("index")
            if text.__class__ is str and index.__class__ is int:
                return _text_event(index, text)
    event: Event = structured_as(data, Event)
    return event


def unstructure(model: Model) -> dict[str, Any]:
    """Make the JSON object of a model.

    Args:
        model: any value of the data model.

    Returns:
        A new object of dicts and lists that the caller may change.

    Raises:
        UnresolvedContent: it holds an attachment that no plugin has resolved.

    """
    try:
        data: dict[str, Any] = plain(model)
    except Unresolved:
        raise _located(model, "") from None
    except RecursionError as error:
        raise InputError("it is nested too deeply to be sent") from error
    return data


def encode_message(message: Message) -> bytes:
    """Write a message as JSON, once: the bytes are kept on the message.

    Args:
        message: the message.

    Returns:
        Compact UTF-8 JSON.

    Raises:
        UnresolvedContent: it holds an attachment that no plugin has resolved.
        InputError: it holds something that JSON has no form for.

    """
    kept = message._encoded  # noqa: SLF001 -- the slot is there for this module
    if type(kept) is _Kept and kept.content is message.content and kept.head is message.role:
        return kept.data
    data = encode_body(unstructure(message))
    object.__setattr__(message, "_encoded", _Kept(message.role, message.content, data))
    return data


_SMALL: Final = 65_536  # bytes of a body that is kept with its request


class _Kept(NamedTuple):
    """The bytes of a message or request, and what they are the bytes of.

    Bytes of another origin in their place are not believed, nor are those of another message.

    Attributes:
        head: the role of the message, the model of the request.
        content: its content, its messages.
        data: the JSON.

    """

    head: str
    content: tuple[Any, ...] | str
    data: bytes


def encode_request(request: Request) -> bytes:
    """Write the body of a request, ``messages`` last.

    The bytes of messages that were encoded before are joined, not made again, and the body of a
    later turn begins with the bytes of the earlier one.

    Args:
        request: the request.

    Returns:
        Compact UTF-8 JSON; for an unchanged request from `decode_request` the bytes it was read from.

    Raises:
        UnresolvedContent: it holds an attachment that no plugin has resolved; the message tells the
            position, for example ``messages.2.content.0``.
        InputError: it holds something that JSON has no form for.

    """
    kept = request._encoded  # noqa: SLF001 -- the slot is there for this module
    if type(kept) is _Kept and kept.content is request.messages and kept.head is request.model:
        return kept.data
    encoded: list[bytes] = []
    head = b""
    try:
        head = encode_body(_head_writer()(request))
        encoded.extend(map(encode_message, request.messages))
    except (Unresolved, UnresolvedContent):
        raise _located(request, "") from None
    except InputError as error:
        if head and error.position:  # it was the message behind those that are encoded
            raise _refused(f"messages.{len(encoded)}.{error.position}", error.reason) from None
        raise
    parts = [b","] * (2 * len(encoded))
    parts[::2] = encoded
    # The one copy: megabytes of images are in there.
    data = b"".join([head[:-1], b',"messages":[', *parts[:-1], b"]}"])
    if len(data) <= _SMALL:  # estimates, checks and the audit ask again
        object.__setattr__(request, "_encoded", _Kept(request.model, request.messages, data))
    return data


def decode_request(data: bytes, betas: tuple[str, ...] = ()) -> Request:
    """Read the body of a request and keep the bytes.

    Args:
        data: the body.
        betas: the names of its ``anthropic-beta`` header.

    Returns:
        The request. While it is unchanged, `encode_request` returns ``data``.

    Raises:
        DecodeError: not JSON, a name that stands twice in one object, or not the shape of a request.

    """
    try:
        body = loads_unique(data)
    except (JSONDecodeError, RecursionError) as error:
        raise DecodeError(f"the request body is not valid JSON: {error}") from error
    request = structure_request(body)
    if betas:
        request = request.evolve(betas=betas)
    kept = _Kept(request.model, request.messages, data)
    object.__setattr__(request, "_encoded", kept)
    return request


# The slots' own accessors: both are frozen, so their __init__ takes a detour for each field.
_new: Final = object.__new__
_PUT_TEXT: Final = TextDelta.text.__set__  # type: ignore[attr-defined]  # attrs makes slots of the fields
_PUT_EXTRA: Final = TextDelta.extra.__set__  # type: ignore[attr-defined]  # as above; inherited
_PUT_INDEX: Final = ContentBlockDelta.index.__set__  # type: ignore[attr-defined]  # as above
_PUT_DELTA: Final = ContentBlockDelta.delta.__set__  # type: ignore[attr-defined]  # as above


def _text_event(index: int, text: str) -> ContentBlockDelta:
    delta = _new(TextDelta)
    _PUT_TEXT(delta, text)
    _PUT_EXTRA(delta, EMPTY)
    event = _new(ContentBlockDelta)
    _PUT_INDEX(event, index)
    _PUT_DELTA(event, delta)
    _PUT_EXTRA(event, EMPTY)
    return event


@cache
def _head_writer() -> Callable[[Any], dict[str, Any]]:
    return writer(Request, skip="messages")


def _unresolved(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Find unresolved blocks and their positions, as the API writes them: ``messages.2.content.0``."""
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _unresolved(item, f"{path}.{index}")
    elif isinstance(value, Model):
        if not is_known(type(value)):
            yield path, value
            return
        for a, key in wire_fields(type(value)):
            yield from _unresolved(getattr(value, a.name), f"{path}.{key}" if path else key)


def _located(model: Model, path: str) -> UnresolvedContent:
    found = list(_unresolved(model, path))
    schemes = sorted({f"{each.scheme}:" for _, each in found if getattr(each, "scheme", None)})
    places = ", ".join(f"{where}: {_named(each)}" for where, each in found)
    if schemes:
        return UnresolvedContent(
            f"{places} was not turned into what the API accepts: no plugin of this pipeline resolves "
            f"the scheme {' '.join(schemes)} in the stage resolve_images. Add the one that does "
            "(plugins=[…], or hookline -p FILE), or see whether the scheme is misspelt"
        )
    return UnresolvedContent(
        f"{places} was not turned into what the API accepts. The 'images' plugin does this in the "
        "stage resolve_images; enable it, or pass an ImageBlock or a DocumentBlock"
    )


def _named(block: Any) -> str:
    scheme = getattr(block, "scheme", None)
    return type(block).__name__ + (f" of the scheme {scheme}:" if scheme else "")


def encode_body(data: dict[str, Any]) -> bytes:
    """Write what leaves for the API; `dumps` would write half a surrogate pair, which it refuses.

    Raises:
        InputError: it holds something that JSON or the API has no form for; the text says where.

    """
    try:
        return fast_dumps(data)
    except TypeError:
        found = unwritable(data)
    if found is not None:
        raise _refused(*found)
    try:
        return dumps(data)  # integers beyond 64 bits
    except (TypeError, RecursionError) as error:
        raise InputError("it is nested too deeply to be sent") from error


def _refused(position: str, reason: str) -> InputError:
    error = InputError(f"{position}: {reason}")
    error.position, error.reason = position, reason
    return error
