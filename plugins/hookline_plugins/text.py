"""The plugin ``text``: the reply's text holds the prefill exactly once, and its cost is known.

The API answers a prefill with the continuation only. Some local servers repeat the prefill in their
answer, and a model that was merely instructed may do so too; the repetition is taken out here, in
streams and whole replies alike.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from attrs import frozen

from hookline import Prefill, Reply, StreamFilter, Turn, Usage, hookimpl
from hookline.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    MessageStart,
    TextDelta,
)
from hookline.models import ModelFacts, cost

__all__ = ["Text"]


@frozen
class Text:
    """Joins prefill and completion, and works out the cost.

    Attributes:
        echo: whether to take out a repeated prefill: ``"auto"`` does so for servers that do not
            identify themselves as Anthropic's API by a ``request-id``, and for instructed
            prefills; ``"always"`` and ``"never"`` do as they say.

    """

    first = True
    rewrites_text = False
    echo: Literal["auto", "always", "never"] = "auto"

    @hookimpl
    def filter_stream(self, turn: Turn) -> StreamFilter | None:
        """Return the filter that takes a repeated prefill out, if there was a prefill."""
        if turn.prefill is None or self.echo == "never":
            return None
        return EchoFilter(turn.prefill, certain=self.echo == "always")

    @hookimpl
    def post_process(self, turn: Turn, reply: Reply) -> Reply | None:
        """Put a price on the turn so far, where the model's prices are known."""
        total = Decimal(0)
        for response in (*reply.earlier, reply.response):
            if response.headers.get("hookline-cache") == "hit":
                continue  # nobody was asked, nothing is paid
            facts = turn.models.get(response.model)
            price = _price(response.usage, facts) if facts else None
            if price is None:
                return None
            total += price
        return reply.evolve(cost=total)


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
            # Anthropic's API names every exchange; servers that repeat a prefill do not.
            known = (event.message.request_id or "").startswith("req_")
            self._looking = self._certain or self._instructed or not known
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
        # An instructed model may begin with white space that continues nothing.
        seen = self._held.lstrip() if self._instructed else self._held
        if len(seen) < len(self._words) and self._words.startswith(seen):
            return
        rest = seen[len(self._words) :] if seen.startswith(self._words) else self._held
        self._held, self._looking = "", False
        if rest:
            yield ContentBlockDelta(event.index, TextDelta(rest))


def _text(event: ContentBlockDelta | ContentBlockStart) -> str | None:
    part = event.delta if isinstance(event, ContentBlockDelta) else event.content_block
    if isinstance(part, TextDelta) or part.type == "text":
        text: str = getattr(part, "text", "")
        return text
    return None


def _price(usage: Usage, facts: ModelFacts) -> Decimal | None:
    """Return the price of one response, each kind of token at its own rate."""
    written = usage.cache_creation_input_tokens or 0
    hourly = (usage.cache_creation or {}).get("ephemeral_1h_input_tokens") or 0
    return cost(
        facts,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m=max(0, written - hourly),
        cache_write_1h=hourly,
        cache_read=usage.cache_read_input_tokens or 0,
        batch=usage.service_tier == "batch",
        us_only=usage.inference_geo == "us",
    )
