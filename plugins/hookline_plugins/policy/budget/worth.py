"""What an attempt may take at most, and what it took."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import define, field

from hookline import APIError, HooklineError, PolicyViolation, Request, Turn, Usage
from hookline.errors import TransportError
from hookline.models import ModelFacts, cost
from hookline.plugin import StreamOutcome, estimate, price
from hookline.values import (
    ContentBlockDelta,
    ContentBlockStart,
    Event,
    FallbackBlock,
    InputJSONDelta,
    MessageStart,
    MessageStop,
    RedactedThinkingBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
)
from hookline_plugins.policy.budget.limits import Amounts

__all__ = ["NOTHING", "Heard", "after_failure", "at_most", "taken"]

NOTHING: Final = Amounts()
# An estimate reckons with four bytes a token; digits, code and many scripts have fewer.
_MARGIN: Final = 2.0
_CHARACTERS_A_TOKEN: Final = 2.0  # rather too few: the API bills what it made, not what arrived
_FAST: Final = ("beta", "ga")  # models with a fast mode, whose prices nobody has told us
_NOT_SENT: Final = frozenset({"connect", "tls", "pool", "proxy", "limit", "circuit"})


def at_most(turn: Turn, request: Request) -> Amounts:
    """Return the most that an attempt may take: a generous estimate, all of ``max_tokens``.

    A prompt that may be written to the cache is reckoned at the dearest rate of that; so are the models
    that may answer in the place of the one that is asked, and a place that only the workspace knows.
    """
    given = math.ceil(estimate(request) * _MARGIN)
    output = max(0, request.max_tokens)
    written = "cache_write_1h" if _writes_cache(request) else "input_tokens"
    prices = [
        None
        if facts is None or (request.speed == "fast" and facts.fast_mode in _FAST)
        else cost(
            facts,
            output_tokens=output,
            **{written: given},
            batch=turn.surface == "batch",
            us_only=request.inference_geo != "global",
        )
        for facts in _who_may_answer(turn, request)
    ]
    told = [each for each in prices if each is not None]
    dollars = max(told) if told and len(told) == len(prices) else None
    return Amounts(usd=Amounts.dollars(dollars), tokens=given + output, requests=1)


def _who_may_answer(turn: Turn, request: Request) -> Iterator[ModelFacts | None]:
    """Yield the model that is asked, and those that the API may turn to."""
    yield turn.models.get(request.model)
    fallbacks = request.fallbacks
    if isinstance(fallbacks, str):  # the API chooses, and does not say among which
        yield from (each for each in turn.models if each.prices is not None and not each.retired)
        return
    for each in fallbacks or ():
        name = each.get("model") if isinstance(each, Mapping) else each
        yield turn.models.get(name) if isinstance(name, str) else None


def _writes_cache(request: Request) -> bool:
    system = request.system if isinstance(request.system, tuple) else ()
    lists = [each.content for each in request.messages if not isinstance(each.content, str)]
    blocks = (block for content in lists for block in content)
    return request.cache_control is not None or any(
        getattr(part, "cache_control", None) is not None
        for part in (*(request.tools or ()), *system, *blocks)
    )


def taken(turn: Turn, model: str, usage: Usage) -> Amounts:
    """Return what an answer took, by its usage."""
    facts = turn.models.get(model)
    dollars = price(usage, facts) if facts is not None else None
    tokens = sum(each.total_input + each.output_tokens for each in (usage, *usage.compactions))
    return Amounts(usd=Amounts.dollars(dollars), tokens=tokens, requests=1)


def after_failure(error: BaseException, most: Amounts) -> Amounts:
    """Return what an attempt took that brought no answer.

    An answer of the API that is an error is not billed, nor is what was never sent. Of everything else nobody
    knows: the API may have worked to the end, and the worst case stays.
    """
    if isinstance(error, APIError | PolicyViolation):
        return NOTHING
    if isinstance(error, TransportError):
        return NOTHING if error.phase in _NOT_SENT else most
    return NOTHING if isinstance(error, HooklineError) else most


@define
class Heard:
    """What a stream has told of its cost by now.

    Attributes:
        model: who answers.
        characters: of output that arrived.
        complete: whether its last event has come.
        hidden: blocks of which nothing was seen so far that tells how long they are.

    """

    model: str
    characters: int = 0
    complete: bool = False
    hidden: set[int] = field(factory=set)

    def event(self, event: Event) -> None:
        """Take in the next event."""
        if isinstance(event, ContentBlockDelta):
            self._delta(event)
        elif isinstance(event, ContentBlockStart):
            block = event.content_block
            if isinstance(block, FallbackBlock):  # another model takes over
                self.model = block.to.get("model") or self.model
            elif isinstance(block, ThinkingBlock | RedactedThinkingBlock):
                self.hidden.add(event.index)
        elif isinstance(event, MessageStart):
            self.model = event.message.model or self.model
        elif isinstance(event, MessageStop):
            self.complete = True

    def _delta(self, event: ContentBlockDelta) -> None:
        delta = event.delta
        if isinstance(delta, TextDelta):
            self.characters += len(delta.text)
        elif isinstance(delta, InputJSONDelta):
            self.characters += len(delta.partial_json)
        elif isinstance(delta, ThinkingDelta) and delta.thinking:
            self.characters += len(delta.thinking)
            self.hidden.discard(event.index)

    def taken(self, turn: Turn, outcome: StreamOutcome, most: Amounts) -> Amounts:
        """Return what the stream took; one that was left is billed up to where it was.

        Where the model has thought out of sight, nobody knows how far that was.
        """
        usage = outcome.usage
        if usage is None or (self.hidden and not self.complete):
            return most
        if not self.complete:
            made = math.ceil(self.characters / _CHARACTERS_A_TOKEN)
            usage = usage.evolve(output_tokens=max(usage.output_tokens, made))
        return taken(turn, self.model, usage)
