"""Watching a stream on its way, without ever losing its connection.

What ``send`` returns in a stream is read later, by others, or never. A generator that nobody has
begun to read runs no clean-up when it is closed, so a plain ``async def`` around the events would
leave the connection of an unread stream open. :class:`Relay` closes its source either way.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Self, TypeAlias

from hookline.errors import HooklineError
from hookline.turn import Turn
from hookline.values.events import Event
from hookline.values.messages import Response

__all__ = ["Relay", "asks_model", "close", "discard", "watched"]

End: TypeAlias = Callable[[bool], Awaitable[None]]

# These doors build a request, or count it, and ask no model; `call_next` does not answer there.
_BUILD_ONLY = frozenset({"explain", "batch", "count_tokens"})


def asks_model(turn: Turn) -> bool:
    """Say whether the turn sends its request to a model."""
    return turn.surface not in _BUILD_ONLY


class Relay:
    """Events passed on by a generator that reads them from a source.

    Args:
        source: the events of a response.
        passing: reads the source; closes it in a ``finally`` once it has begun.
        unread: awaited instead, with False, if nobody ever began to read.
        begun: whether the source has been read from already.

    """

    def __init__(
        self,
        source: AsyncIterator[Event],
        passing: AsyncGenerator[Event, None],
        unread: End | None = None,
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
                await self._unread(False)  # noqa: FBT003 -- the one argument that ends take


def watched(response: Response, see: Callable[[Event], None], end: End) -> Response:
    """Return a streamed response whose events are seen on their way to the caller.

    Args:
        response: one with ``events``.
        see: called with each event.
        end: awaited exactly once when the stream is over; its argument says whether the stream
            came to its own end.

    """
    source = response.events
    if source is None:
        raise TypeError("there are no events to watch in a whole response")
    return response.evolve(events=Relay(source, _watching(source, see, end), end))


async def _watching(
    source: AsyncIterator[Event], see: Callable[[Event], None], end: End
) -> AsyncGenerator[Event, None]:
    complete = False
    try:
        async for event in source:
            see(event)
            yield event
        complete = True
    finally:
        try:
            await close(source)
        finally:
            await end(complete)


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
