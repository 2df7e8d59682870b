"""Watching a stream on its way, without ever losing its connection.

What ``send`` returns in a stream is read later, by others, or never. A generator that nobody has
begun to read runs no clean-up when it is closed, so a plain ``async def`` around the events would
leave the connection of an unread stream open. :class:`Relay` closes its source either way.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from inspect import isawaitable
from typing import Self

from attrs import frozen

from hookline.errors import HooklineError
from hookline.values.events import ErrorEvent, Event, MessageDelta, MessageStart
from hookline.values.messages import Response
from hookline.values.usage import Usage
from hookline.wire.assembler import Assembler

__all__ = ["Relay", "StreamOutcome", "close", "discard", "watched", "whole"]


class Relay:
    """Events passed on by a generator that reads them from a source.

    Args:
        source: the events of a response.
        passing: reads the source; closes it in a ``finally`` once it has begun.
        unread: awaited instead, if nobody ever began to read.
        begun: whether the source has been read from already.

    """

    def __init__(
        self,
        source: AsyncIterator[Event],
        passing: AsyncGenerator[Event, None],
        unread: Callable[[], Awaitable[None]] | None = None,
        *,
        begun: bool = False,
    ) -> None:
        self._source = source
        self._passing = passing
        self._unread = unread
        self._begun = False
        self._source_begun = begun
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._begun = True
        return await anext(self._passing)

    async def aclose(self) -> None:
        """Close the source, whether or not anybody has read from it."""
        if self._closed:
            return
        self._closed = True
        await self._passing.aclose()
        if self._begun:
            return
        try:
            await (close if self._source_begun else discard)(self._source)
        finally:
            if self._unread is not None:
                await self._unread()


@frozen
class StreamOutcome:
    """How a watched stream ended.

    Attributes:
        usage: as far as the stream has told it; None if it has told nothing.
        error: what ended it, None if it came to its own end; ``GeneratorExit`` if it was left.

    """

    usage: Usage | None
    error: BaseException | None


def watched(
    response: Response,
    on_event: Callable[[Event], object] | None,
    on_end: Callable[[StreamOutcome], object],
) -> Response:
    """Return a streamed response whose events are seen on their way to the caller.

    Args:
        response: one with ``events``.
        on_event: called with each event; None for nobody.
        on_end: called exactly once, when the stream has ended, broken or been left, even if nobody
            has begun to read it. A coroutine that it returns is awaited.

    Raises:
        TypeError: the response is whole.

    Example:
        >>> response = await call_next(request)
        >>> return watched(response, seen.append, lambda outcome: self.settle(outcome.usage))

    """
    source = response.events
    if source is None:
        raise TypeError("there are no events to watch in a whole response")
    watch = _Watch(on_event, on_end)
    return response.evolve(events=Relay(source, watch.passing(source), watch.unread))


class _Watch:
    """Sees one stream to its end."""

    def __init__(
        self, on_event: Callable[[Event], object] | None, on_end: Callable[[StreamOutcome], object]
    ) -> None:
        self._on_event = on_event
        self._on_end = on_end
        self._usage: Usage | None = None

    async def passing(self, source: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        error: BaseException | None = None
        try:
            async for event in source:
                self._count(event)
                if self._on_event is not None:
                    self._on_event(event)
                yield event
        except BaseException as ended:
            error = ended
            raise
        finally:
            try:
                await close(source)
            finally:
                await self._end(error)

    async def unread(self) -> None:
        """End a stream that nobody has begun to read."""
        await self._end(GeneratorExit())

    def _count(self, event: Event) -> None:
        if isinstance(event, MessageStart):
            self._usage = event.message.usage
        elif isinstance(event, MessageDelta) and event.usage is not None:
            spent = event.usage.output_tokens
            self._usage = (self._usage or event.usage).evolve(output_tokens=spent)

    async def _end(self, error: BaseException | None) -> None:
        result = self._on_end(StreamOutcome(self._usage, error))
        if isawaitable(result):
            await result


async def whole(response: Response) -> Response:
    """Return a response that is complete; the events of one that still arrives are read to their end.

    Args:
        response: what ``call_next`` returned, in a stream or not.

    Raises:
        APIError: the stream ends in an error.
        DecodeError: it ends too early.

    """
    if response.events is None:
        return response
    assembler = Assembler()
    try:
        async for event in response.events:
            if isinstance(event, ErrorEvent):
                raise event.as_error(response.headers)
            assembler.feed(event)
    finally:
        await close(response.events)
    return assembler.response.evolve(status=response.status, headers=response.headers)


async def close(events: AsyncIterator[Event]) -> None:
    """Close events that somebody has begun to read."""
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        await aclose()


async def discard(events: AsyncIterator[Event]) -> None:
    """Close events that nobody has begun to read.

    A generator that has not begun is begun first; its first event has arrived already.
    """
    if not isinstance(events, Relay):
        with suppress(StopAsyncIteration, HooklineError):
            await anext(events)
    await close(events)
