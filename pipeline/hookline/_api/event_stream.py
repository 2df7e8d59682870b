"""Streams of the Messages API: from the chunks of an answer to events, or to a whole response."""

from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from hookline._http.transport import RawResponse
from hookline._said import hide, without
from hookline.errors import APIError, DecodeError, TransportError
from hookline.turn import ENDED_EARLY, Ending, Turn
from hookline.values.blocks import FallbackBlock
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ErrorEvent,
    Event,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    UnknownEvent,
)
from hookline.values.messages import Response
from hookline.wire import json
from hookline.wire.assembler import Assembler
from hookline.wire.codec import structure_event
from hookline.wire.event_order import EventOrder
from hookline.wire.sse import SSEDecoder

__all__ = ["open_stream", "read_whole"]

# The slot's own accessor: setting an attribute of a turn asks whether a plugin may, at every event.
_PUT_BUFFERED: Final = Turn.buffered.__set__  # type: ignore[attr-defined,misc]  # attrs makes slots of the fields


async def read_whole(turn: Turn, answer: RawResponse) -> Response:
    """Read a stream that the caller did not ask for to its end: a whole response, or an error.

    The caller has seen nothing of it, so whatever breaks it is what it would be for a plain call.
    """
    assembler = Assembler()
    async with aclosing(_events(turn, answer)) as events:
        async for event in events:
            if isinstance(event, ErrorEvent):
                raise event.as_error(answer.headers)
            if isinstance(event, Event):
                assembler.feed(event)
    if not assembler.complete:
        raise TransportError(ENDED_EARLY, phase="read")
    return assembler.response.evolve(status=answer.status, headers=dict(answer.headers))


async def open_stream(turn: Turn, answer: RawResponse, ending: Ending) -> Response:
    """Wait for the first event that says something, so that an early failure is an ordinary one."""
    events = _events(turn, answer, ending)
    waiting = await anext(events, None)
    if not isinstance(waiting, list):
        raise TransportError("the stream ended before its first event", phase="protocol")
    turn.open_streams.append(events)
    first = waiting[-1]
    if isinstance(first, ErrorEvent):
        await events.aclose()
        raise first.as_error(answer.headers)
    opened = first.message if isinstance(first, MessageStart) else Response()
    opened = opened.evolve(status=answer.status, headers=dict(answer.headers))
    if isinstance(first, MessageStart):  # filters may ask who answers, as in a whole response
        waiting[-1] = first.evolve(message=opened)
    return opened.evolve(events=events)


async def _events(  # noqa: C901 -- one generator, as its docstring says
    turn: Turn, answer: RawResponse, ending: Ending | None = None
) -> AsyncGenerator[Event | list[Event], None]:
    """Yield the events of an answer.

    With an ``ending``, it is told usage, model and what ended the stream; and what is yielded first is
    the list of the events up to the first that says something; they come again then, each by itself.
    (One generator does both, because every layer of generators is paid for with every event.)
    """
    decoder = SSEDecoder()
    order = EventOrder(lambda what: turn.trace.note("stream", what))
    chunks = answer.chunks()
    held: list[Event] | None = [] if ending is not None else None
    error: BaseException | None = None
    try:
        async for chunk in chunks:
            turn.check_deadline("the stream")
            for event in _parsed(turn, decoder.payloads(chunk), order, answer):
                if ending is not None and event.__class__ in _TELLING:
                    _tell(ending, event)
                if held is None:
                    yield event
                else:
                    held.append(event)
                    if isinstance(event, Ping):
                        continue
                    yield held
                    for early in held:
                        yield early
                    held = None
                if event.__class__ is MessageStop:  # whatever follows is not of this message
                    turn.buffered = 0
                    await answer.finish(chunks)
                    return
        for event in _last(decoder, order):
            yield event
        turn.check_deadline("the stream")  # an end may be that of a stream that was left
    except BaseException as ended:
        hide(ended, answer.hidden)
        error = ended
        if turn.left and isinstance(ended, TransportError):  # that is how it was ended
            raise GeneratorExit from ended
        raise
    finally:
        await _hang_up(answer, chunks, ending, error)


async def _hang_up(
    answer: RawResponse,
    chunks: AsyncGenerator[bytes, None],
    ending: Ending | None,
    error: BaseException | None,
) -> None:
    """Close an answer and tell what ended it; a cancellation may strike in the middle of each."""
    try:
        await chunks.aclose()
    finally:
        try:
            await answer.aclose()
        finally:
            if ending is not None:
                await ending.over(error)


def _last(decoder: SSEDecoder, order: EventOrder) -> Iterator[Event]:
    """Yield an event whose closing blank line is missing."""
    for sse in decoder.flush():
        yield from order.arranged(_event(sse.data.encode()))


def _parsed(
    turn: Turn, payloads: Sequence[bytes], order: EventOrder, answer: RawResponse
) -> Iterator[Event]:
    """Yield the events of some payloads in order, counting in ``turn.buffered`` how many are left.

    The one after them counts, too, where the wait for it is bounded by itself.
    """
    bounded = answer.bounded
    # Behind a last one that says nothing the network is waited for, whatever the count.
    says = bool(payloads) and bool(payloads[-1].strip())
    left = len(payloads) + bounded if says or bounded else 0
    if payloads and b'"message_stop"' in payloads[-1]:
        left = len(payloads) - 1  # after it comes the end of the turn, which may take its time
    if not payloads:
        turn.buffered = left
    read = json.reader(payloads)
    for payload in payloads:
        left -= 1
        _PUT_BUFFERED(turn, left)
        try:
            event = structure_event(read(payload))
        except json.JSONDecodeError:
            if not payload.strip():
                continue  # a sign of life that some proxies send
            event = _event(payload)
        if (  # as of nearly all of them; a call costs more than the question
            type(event) is ContentBlockDelta
            and event.index == order.open
            and type(event.delta) in order.grows_by
        ):
            yield event
        else:
            yield from order.arranged(_error_or(event, answer.hidden))


_TELLING: Final = frozenset(
    {MessageStart, ContentBlockStart, MessageDelta, MessageStop, ErrorEvent}
)


def _tell(ending: Ending, event: Event) -> None:
    """Note what an event says about the exchange: who answers, what it has cost, how it ended."""
    if isinstance(event, MessageStart):
        ending.model, ending.usage = event.message.model, event.message.usage
    elif isinstance(event, ContentBlockStart):
        if isinstance(event.content_block, FallbackBlock):  # another model takes over
            ending.model = event.content_block.to.get("model", ending.model)
    elif isinstance(event, MessageDelta) and event.usage is not None:
        ending.usage = ending.usage.updated(event.usage) if ending.usage else event.usage
    elif isinstance(event, MessageStop):
        ending.complete = True
    elif isinstance(event, ErrorEvent):
        ending.error = event.as_error()


def _error_or(event: Event, hidden: Collection[str]) -> Event:
    """Return an error in the API's shape and without our credentials, and others as they are."""
    if isinstance(event, UnknownEvent) and event.type == "error":
        error = APIError.from_body(event.data)
        event = ErrorEvent({"type": error.type, "message": error.message}, error.request_id)
    if isinstance(event, ErrorEvent):
        return event.evolve(
            error=without(event.error, hidden), request_id=without(event.request_id, hidden)
        )
    return event


def _event(payload: bytes) -> Event:
    text = payload.decode("utf-8", "replace")  # what is no UTF-8 is damage, not the end
    try:
        return structure_event(json.loads(text))
    except json.JSONDecodeError as error:
        raise DecodeError(f"an event's data is not JSON: {error.msg}") from error
