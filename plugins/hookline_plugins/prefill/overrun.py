"""Answers that are longer than they were asked to be: cut where they should have ended.

Some routers ask for more tokens than they were told to, since what lies behind them has a least number. A
multiple choice of one token would then be an essay. How many tokens there were, the usage says at the end; the
few that were asked for are held until then.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from attrs import define

from hookline import Response, TextBlock
from hookline.plugin import Relay, close
from hookline.values import ContentBlockDelta, Event, MessageDelta, TextDelta
from hookline_plugins.prefill.repeats import Cut

__all__ = ["Stops", "within"]

_MOST_HELD = 1000  # events; who sends so many for so few tokens is beyond them


@define
class Stops:
    """Ends a text that arrives in pieces where a stop sequence comes, as the API does; that itself is left out.

    Args:
        sequences: any of which ends it.

    Attributes:
        found: the one that did, or None.

    """

    sequences: tuple[str, ...]
    found: str | None = None
    _held: str = ""

    def feed(self, text: str) -> str:
        """Take in the next piece; return what may go on."""
        if self.found is not None:
            return ""
        held = self._held + text
        places = [(held.find(each), each) for each in self.sequences if each in held]
        if places:  # the one that is complete first
            end, self.found = min(places, key=lambda place: (place[0] + len(place[1]), place[0]))
            self._held = ""
            return held[:end]
        most = min(max(map(len, self.sequences), default=1) - 1, len(held))
        begun = (size for size in range(most, 0, -1) if self._may_begin(held[-size:]))
        kept = len(held) - next(begun, 0)
        self._held = held[kept:]
        return held[:kept]

    def end(self) -> str:
        """Return what is left when a block of text has ended."""
        held, self._held = self._held, ""
        return held

    def _may_begin(self, text: str) -> bool:
        return any(each.startswith(text) for each in self.sequences)


def within(response: Response, limit: int) -> Response:
    """Return an answer of no more tokens than were asked for.

    Args:
        response: the answer, whole or streamed.
        limit: few tokens.

    """
    if response.events is not None:
        return response.evolve(events=Relay(response.events, _held(response.events, limit)))
    if response.usage.output_tokens <= limit:
        return response
    cut = Cut(limit)
    content = [
        block.evolve(text=cut.feed(block.text)) if isinstance(block, TextBlock) else block
        for block in response.content
    ]
    return response.evolve(content=tuple(content), stop_reason="max_tokens", stop_sequence=None)


async def _held(source: AsyncIterator[Event], limit: int) -> AsyncGenerator[Event, None]:
    """Hold all events until the usage tells, or until there are too many."""
    held: list[Event] = []
    cut: Cut | None = None
    decided = False
    try:
        async for event in source:
            if not decided:
                held.append(event)
                used = event.usage if isinstance(event, MessageDelta) else None
                decided = used is not None or len(held) > _MOST_HELD
                if not decided:
                    continue
                if used is None or used.output_tokens > limit:
                    cut = Cut(limit)
            for each in held or (event,):
                if (left := _cut(each, cut)) is not None:
                    yield left
            held = []
        for each in held:
            yield each
    finally:
        await close(source)


def _cut(event: Event, cut: Cut | None) -> Event | None:
    if cut is None:
        return event
    if isinstance(event, ContentBlockDelta) and isinstance(event.delta, TextDelta):
        text = cut.feed(event.delta.text)
        return ContentBlockDelta(event.index, TextDelta(text)) if text else None
    if isinstance(event, MessageDelta):
        return event.evolve(delta=event.delta.evolve(stop_reason="max_tokens", stop_sequence=None))
    return event
