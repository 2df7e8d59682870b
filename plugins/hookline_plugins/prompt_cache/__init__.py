"""The plugin ``prompt_cache``: breakpoints of the API's prompt cache, placed and guarded.

``breakpoints`` says where they stand and where they pay; ``guard`` what an edit before one of them costs. What is kept
of the last request is known for a conversation, and for the steps of a turn.
"""

from typing import Final, Literal

from attrs import define, field, frozen, validators

from hookline import CallNext, InputError, Request, Response, Turn, hookimpl
from hookline.models import ModelFacts
from hookline.plugin import ConversationState, TurnState, checks_options, option
from hookline.trace import AttemptRecord
from hookline_plugins.prompt_cache.breakpoints import HOURLY, Spot, given_spots, placed, tokens_to
from hookline_plugins.prompt_cache.guard import Kept, Spoiled, reads, spoiled, worth

__all__ = ["CacheSpoiled", "Guarding", "PromptCache"]

Guarding = Literal["report", "refuse", "off"]

_LARGER: Final = 1.3  # tokens of newer models for one estimated (facts 9.1)


class CacheSpoiled(InputError):
    """What would be sent differs before a cache breakpoint from what the API keeps."""


@define
class _Memory:
    """What is known of one conversation."""

    kept: Kept | None = None


@checks_options
@frozen(eq=False, kw_only=True)
class PromptCache:
    """Places cache breakpoints where ``cache_breakpoints="auto"``, and tells what spoils the cache.

    A conversation whose last request had a breakpoint is watched: a change of tools, system prompt or messages
    before it is told in the trace, with the plugin that made it, and what it costs.

    Attributes:
        guard: ``"report"`` tells, ``"refuse"`` refuses what spoils the cache, ``"off"`` does not look.
        ttl: how long what placed breakpoints cover is kept: ``"5m"``, or ``"1h"`` at a higher price.

    """

    name = "prompt_cache"
    after = ("trim", "heal", "prefill", "modernize")
    memory = ConversationState(_Memory)
    aside = TurnState[bool](bool)
    told = TurnState[set[int]](set)
    guard: Guarding = field(default="report", validator=validators.in_(("report", "refuse", "off")))
    ttl: Literal["5m", "1h"] = field(
        default="5m", validator=validators.in_(("5m", "1h")), metadata=option(harmless=True)
    )

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Place breakpoints."""
        self.aside[turn] = not _is_the_turn(turn, request)
        facts = turn.models.get(request.model)
        wanted = turn.options.places_breakpoints and not self.aside[turn]
        if wanted and facts is not None and turn.profile.claude:
            request = self._placed(turn, request, facts)
        return await call_next(request)

    @hookimpl
    def check_request(self, turn: Turn, request: Request) -> None:
        """Tell of an edit before the last breakpoint.

        Raises:
            CacheSpoiled: there is one, and ``guard`` is ``"refuse"``.

        """
        if turn not in self.memory or self.guard == "off":
            return
        kept = self.memory[turn].kept
        if kept is None or self.aside[turn] or turn.step in self.told[turn]:
            return
        found = spoiled(kept, request, turn)
        if found is None:
            return
        text = f"{found}; {_cost(found, turn.models.get(request.model))}"
        if self.guard == "refuse" and found.edits:
            raise CacheSpoiled(
                f"{text}. Leave what stands before the breakpoint as it was, or set [plugins.prompt_cache] "
                'guard = "report"'
            )
        self.told[turn].add(turn.step)
        turn.trace.note(self.name, text)

    @hookimpl
    def on_attempt(self, turn: Turn, request: Request, attempt: AttemptRecord) -> None:
        """Remember what the API keeps now."""
        usage = attempt.usage
        answered = attempt.outcome == "answered" and usage is not None and turn.asks_model
        if not answered or usage is None or self.aside[turn]:
            return
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        known = cached and given_spots(request)  # others keep what nobody has marked
        if known or turn in self.memory:
            self.memory[turn].kept = Kept.of(request, turn, cached) if known else None

    def _placed(self, turn: Turn, request: Request, facts: ModelFacts) -> Request:
        grows = (
            turn.conversation is not None
            or bool(turn.options.history)
            or turn.step > 0
            or bool(request.tools)
        )
        factor = _LARGER if facts.vision is not None and facts.vision.name == "high" else 1.0
        changed, new = placed(
            request,
            facts,
            grows=grows,
            ttl=HOURLY if self.ttl == HOURLY else None,
            factor=factor,
        )
        if new:
            turn.trace.note(self.name, self._expected(turn, changed, new, facts, factor))
        return changed

    def _expected(
        self, turn: Turn, request: Request, new: list[Spot], facts: ModelFacts, factor: float
    ) -> str:
        """Return in words what the breakpoints will do."""
        spots = given_spots(request)
        read, written = 0, tokens_to(request, spots[-1], facts) * factor
        kept = self.memory[turn].kept
        if kept is not None:
            read, before = reads(kept, request, turn.io.now(), facts)
            written = max(0.0, written - before * factor)
        hourly = any(spot.ttl == HOURLY for spot in spots)
        text = f"breakpoints after {', '.join(map(str, new))}: about {read:,} tokens read and "
        text += f"{written:,.0f} written"
        now = worth(facts, read=read, written=written, hourly=hourly)
        later = worth(facts, read=read + written, written=0, hourly=hourly)
        if now is None or later is None:
            return text
        if now >= 0:
            return f"{text}, which saves about USD {now:.6f}"
        return f"{text}, for about USD {-now:.6f}; each time that it is read saves USD {later:.6f}"


def _is_the_turn(turn: Turn, request: Request) -> bool:
    """Say whether a request is the turn's own, and not a question that a plugin asks on the side."""
    own = turn.request.messages if turn.request is not None else ()
    if len(own) <= 1 or (request.messages and request.messages[0] is own[0]):  # as nearly always
        return True
    ids = set(map(id, own))
    return any(id(message) in ids for message in request.messages)


def _cost(found: Spoiled, facts: ModelFacts | None) -> str:
    tokens = f"about {found.tokens:,} tokens are written anew instead of read"
    lost = worth(facts, read=found.tokens, written=0, hourly=False)
    again = worth(facts, read=0, written=found.tokens, hourly=False)
    if lost is None or again is None:
        return tokens
    return f"{tokens}, for USD {lost - again:.6f} more"
