"""What an attempt may take at most, and what it took."""

import math
from decimal import Decimal
from typing import Final

from attrs import define

from hookline import APIError, HooklineError, PolicyViolation, Request, Turn, Usage
from hookline.errors import TransportError
from hookline.models import cost
from hookline.plugin import StreamOutcome, estimate, price
from hookline.values import (
    ContentBlockDelta,
    Event,
    InputJSONDelta,
    MessageStart,
    TextDelta,
    ThinkingDelta,
)
from hookline_plugins.policy.budget.limits import Amounts

__all__ = ["NOTHING", "Heard", "after_failure", "at_most", "taken"]

NOTHING: Final = Amounts()
# An estimate reckons with four bytes a token; digits, code and many scripts have fewer.
_MARGIN: Final = 2.0
_CHARACTERS_A_TOKEN: Final = 2.0  # rather too few: the API bills what it made, not what arrived
_NOT_SENT: Final = frozenset({"connect", "tls", "pool", "proxy", "limit", "circuit"})


def at_most(turn: Turn, request: Request) -> Amounts:
    """Return the most that an attempt may take: a generous estimate, all of ``max_tokens``.

    A prompt that may be written to the cache is reckoned at the dearest rate of that.
    """
    given = math.ceil(estimate(request) * _MARGIN)
    output = max(0, request.max_tokens)
    facts = turn.models.get(request.model)
    dollars: Decimal | None = None
    if facts is not None:
        dollars = cost(
            facts,
            output_tokens=output,
            **{"cache_write_1h" if _writes_cache(request) else "input_tokens": given},
            batch=turn.surface == "batch",
            us_only=request.inference_geo == "us",
        )
    return Amounts(usd=Amounts.dollars(dollars), tokens=given + output, requests=1)


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
    return Amounts(
        usd=Amounts.dollars(dollars),
        tokens=usage.total_input + usage.output_tokens,
        requests=1,
    )


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

    """

    model: str
    characters: int = 0

    def event(self, event: Event) -> None:
        """Take in the next event."""
        if isinstance(event, ContentBlockDelta):
            delta = event.delta
            if isinstance(delta, TextDelta):
                self.characters += len(delta.text)
            elif isinstance(delta, ThinkingDelta):
                self.characters += len(delta.thinking)
            elif isinstance(delta, InputJSONDelta):
                self.characters += len(delta.partial_json)
        elif isinstance(event, MessageStart):
            self.model = event.message.model or self.model

    def taken(self, turn: Turn, outcome: StreamOutcome, most: Amounts) -> Amounts:
        """Return what the stream took; one that was left is billed up to where it was."""
        usage = outcome.usage
        if usage is None:
            return most
        if outcome.error is not None:
            made = math.ceil(self.characters / _CHARACTERS_A_TOKEN)
            usage = usage.evolve(output_tokens=max(usage.output_tokens, made))
        return taken(turn, self.model, usage)
