"""The plugin ``echo``: the reply's text holds the prefill exactly once.

The API answers a prefill with the continuation only. Some local servers repeat the prefill in their
answer, and a model that was merely instructed may do so too; the repetition is taken out here, in
streams and whole replies alike.
"""

from collections.abc import Iterator
from typing import Literal

from attrs import field, frozen

from hookline import Prefill, Response, StreamFilter, Turn, hookimpl
from hookline.plugin import option
from hookline.values import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    MessageStart,
    TextDelta,
)

__all__ = ["Echo", "may_repeat", "unrepeated"]


@frozen
class Echo:
    """Takes the prefill out of an answer that repeats it.

    Attributes:
        remove: ``"auto"`` takes a repetition out for servers that do not identify themselves as
            Anthropic's API by a ``request-id``, and for instructed prefills; ``"always"`` and
            ``"never"`` do as they say.

    """

    first = True
    remove: Literal["auto", "always", "never"] = field(
        default="auto", metadata=option(harmless=True)
    )

    @hookimpl
    def filter_stream(self, turn: Turn) -> StreamFilter | None:
        """Return the filter that takes a repeated prefill out, if there was a prefill."""
        if turn.prefill is None or self.remove == "never":
            return None
        return EchoFilter(turn.prefill, certain=self.remove == "always")


class EchoFilter(StreamFilter):
    """Takes the prefill out of the beginning of the first text, if it is repeated there.

    Holds back at most as many characters as the prefill has.

    Args:
        prefill: the words and how they were given.
        certain: look for a repetition whoever answers.

    """

    sees = "deltas"

    def __init__(self, prefill: Prefill, *, certain: bool = False) -> None:
        self._words = prefill.text
        self._instructed = prefill.mode == "instructed"
        self._looking = certain or self._instructed
        self._certain = certain
        self._held = ""

    def feed(self, event: Event) -> Iterator[Event]:
        """Pass events on; hold the first text back while it may still be the prefill."""
        if isinstance(event, MessageStart):
            self._looking = self._certain or may_repeat(event.message, instructed=self._instructed)
        elif self._looking and isinstance(event, ContentBlockDelta | ContentBlockStart):
            text = _text(event)
            if text is not None:
                self._held += text
                yield from self._decide(event)
                return
        elif self._looking and isinstance(event, ContentBlockStop) and self._held:
            held, self._held, self._looking = self._held, "", False
            yield ContentBlockDelta(event.index, TextDelta(held))  # shorter than the prefill
        yield event

    def _decide(self, event: ContentBlockDelta | ContentBlockStart) -> Iterator[Event]:
        if isinstance(event, ContentBlockStart):
            yield event.evolve(content_block=event.content_block.evolve(text=""))
        seen = self._held.lstrip() if self._instructed else self._held
        if len(seen) < len(self._words) and self._words.startswith(seen):
            return
        rest = unrepeated(self._words, self._held, instructed=self._instructed)
        self._held, self._looking = "", False
        if rest:
            yield ContentBlockDelta(event.index, TextDelta(rest))


def may_repeat(answer: Response, *, instructed: bool) -> bool:
    """Say whether an answer may begin with the prefill that it should only continue.

    Anthropic's API names every exchange; servers that repeat a prefill do not. A model that was told
    to continue may do it anywhere.
    """
    return instructed or not (answer.request_id or "").startswith("req_")


def unrepeated(words: str, text: str, *, instructed: bool) -> str:
    """Return a text without the prefill at its beginning, if it is there."""
    # An instructed model may begin with white space that continues nothing.
    seen = text.lstrip() if instructed else text
    return seen[len(words) :] if seen.startswith(words) else text


def _text(event: ContentBlockDelta | ContentBlockStart) -> str | None:
    part = event.delta if isinstance(event, ContentBlockDelta) else event.content_block
    if isinstance(part, TextDelta) or part.type == "text":
        text: str = getattr(part, "text", "")
        return text
    return None
