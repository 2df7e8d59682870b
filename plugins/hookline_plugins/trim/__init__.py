"""The plugin ``trim``: a long conversation is kept within the model's window, or within what it may cost.

``cuts`` says where to cut, ``summary`` asks for what takes the place of what is left out, and ``tracking``
remembers what was found about a conversation, so that a turn looks at new messages only. It is done in ``send``, for the
wire: the conversation itself forgets nothing.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final, Literal

from attrs import field, frozen, validators

from hookline import CallNext, ConfigError, Message, Request, Response, Turn, hookimpl
from hookline.models import ModelFacts
from hookline.plugin import (
    Book,
    ConversationState,
    Outcome,
    TurnState,
    checks_options,
    estimate,
    option,
)
from hookline_plugins.heal.blocks import without_thoughts
from hookline_plugins.heal.healing import heal
from hookline_plugins.trim.cuts import Cut
from hookline_plugins.trim.summary import as_message, pieces, price_of, summed_up
from hookline_plugins.trim.tracking import Tracked, marks_of

__all__ = ["By", "How", "Trim"]

By = Literal["tokens", "turns", "age"]
How = Literal["drop", "summarise"]

_HALF: Final = 0.5
_SUMMARY_SHARE: Final = 0.25  # of what is kept, at most
_LARGER_TOKENS: Final = dt.date(2026, 4, 16)  # from Opus 4.7 on: 30 % more tokens (facts 9.1)
_LARGER: Final = 1.3
_BOUNDS: Final = (0.5, 3.0)  # what is learned of the real count stays within


@checks_options
@frozen(eq=False, kw_only=True)
class Trim:
    """Keeps a conversation short.

    Left out are the oldest turns, never half of a call and its result. What the caller's first cache
    breakpoint covers stays in front. A cut leaves a part of the room free, so that it holds for
    several turns and the prompt cache stays warm meanwhile; thoughts that are bound to what was left out go too.

    Attributes:
        by: ``"tokens"``, ``"turns"`` (of the user), or ``"age"`` (only a conversation knows it).
        keep: so many tokens, turns, or seconds. For tokens 0 means what the model's window leaves
            beside ``max_tokens``.
        how: ``"drop"`` leaves the old turns out, ``"summarise"`` asks for a summary of them once, which
            stands in their place.
        spare: the part of ``keep`` that a cut leaves free.
        model: who sums up; empty for the turn's own model.
        summary_tokens: the longest summary.

    """

    name = "trim"
    before = ("heal", "prefill", "prompt_cache")
    rewrites_text = False
    tracked = ConversationState(Tracked)
    sent = TurnState[float](float)

    by: By = field(
        default="tokens",
        validator=validators.in_(("tokens", "turns", "age")),
        metadata=option(harmless=True),
    )
    keep: float = field(default=0, metadata=option(harmless=True, least=0))
    how: How = field(
        default="drop",
        validator=validators.in_(("drop", "summarise")),
        metadata=option(harmless=True),
    )
    spare: float = field(default=0.25, metadata=option(harmless=True, least=0, most=0.9))
    model: str = field(default="", metadata=option(harmless=True))
    summary_tokens: int = field(default=2048, metadata=option(harmless=True, above=0))
    _summaries: Book[bytes, str] = field(init=False, factory=Book, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.by != "tokens" and not self.keep:
            raise ConfigError(f'trim: by = "{self.by}" needs keep = how many')

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send what is kept."""
        tracked = self.tracked[turn]
        cut = self._cut(turn, request, tracked)
        if not cut:
            self._will_send(turn, request)
            return await call_next(request)
        head, dropped = request.messages[: cut.head], request.messages[cut.head : cut.start]
        summary: tuple[Message, ...] = ()
        if self.how == "summarise":
            summary = await self._summary(turn, request, dropped, call_next)
        elif not turn.step:
            turn.trace.note("trim", f"the oldest {len(dropped)} messages left out")
        kept = _kept(request, cut, turn.models.get(request.model))
        trimmed = request.evolve(messages=(*head, *summary, *kept))
        self._will_send(turn, trimmed)
        return await call_next(trimmed)

    @hookimpl
    def conclude(self, turn: Turn, outcome: Outcome) -> None:
        """Learn how many tokens the messages really have."""
        last = outcome.attempts[-1] if outcome.attempts else None
        if last is None or last.usage is None or not last.usage.total_input or not self.sent[turn]:
            return
        least, most = _BOUNDS
        self.tracked[turn].factor = min(max(last.usage.total_input / self.sent[turn], least), most)

    def _will_send(self, turn: Turn, request: Request) -> None:
        if self.by == "tokens" and turn.conversation is not None:
            self.sent[turn] = estimate(request, turn.models.get(request.model))

    def _cut(self, turn: Turn, request: Request, tracked: Tracked) -> Cut:
        """Return what is to be left out."""
        facts = turn.models.get(request.model)
        tracked.look_at(request.messages, turn.io.now(), facts)
        if self.by == "turns":
            return tracked.cut_by_turns(self.keep, self._low(self.keep))
        if self.by == "age":
            if turn.conversation is None:
                turn.trace.note("trim", "only a conversation knows how old its messages are")
                return Cut()
            return tracked.cut_by_age(turn.io.now(), self.keep, self._low(self.keep))
        keep = self.keep or (facts.context - request.max_tokens if facts is not None else 0)
        if keep <= 0:
            turn.trace.note("trim", f"the window of {request.model} is not known; set keep")
            return Cut()
        factor = tracked.factor or _factor_of(facts)
        around = estimate(request.evolve(messages=()), facts)
        if self.how == "summarise":
            keep -= min(self.summary_tokens, keep * _SUMMARY_SHARE)
        room, low = keep / factor - around, self._low(keep) / factor - around
        return tracked.cut_by_tokens(max(room, 1), max(low, 1))

    def _low(self, keep: float) -> float:
        return keep * (1 - self.spare)

    async def _summary(
        self, turn: Turn, request: Request, dropped: Sequence[Message], call_next: CallNext
    ) -> tuple[Message, ...]:
        """Return the message that stands for those left out; what was summed up before is used."""
        done, earlier = self._known(dropped)
        asking = self._asking(turn, request)
        facts = turn.models.get(asking.model)
        if done < len(dropped) and not turn.asks_model:
            price = price_of(dropped[done:], asking.max_tokens, facts)
            turn.trace.note("trim", f"{len(dropped) - done} messages would be summed up{price}")
            return (as_message(earlier or "…"),)
        most = (facts.context if facts is not None else 100_000) * _HALF
        for run in pieces(dropped[done:], most, facts):
            earlier = await summed_up(turn, asking, run, earlier, call_next)
            if not earlier:
                turn.trace.note("trim", f"no summary came; {len(dropped)} messages left out")
                return ()
        *_, mark = marks_of(dropped)
        self._summaries.get(mark, lambda: earlier)
        return (as_message(earlier),)

    def _known(self, dropped: Sequence[Message]) -> tuple[int, str]:
        """Return how many of the messages have a summary, and the summary."""
        for count, mark in reversed(list(enumerate(marks_of(dropped), 1))):
            found = self._summaries.find(mark)
            if found:
                return count, found
        return 0, ""

    def _asking(self, turn: Turn, request: Request) -> Request:
        """Return the request that asks for a summary; nothing of the turn's own goes with it."""
        model = self.model or request.model
        facts = turn.models.get(model)
        quiet = facts is not None and "disabled" in facts.thinking
        effort = facts is not None and "low" in facts.effort
        return Request(
            model,
            self.summary_tokens,
            thinking={"type": "disabled"} if quiet else None,
            output_config={"effort": "low"} if effort else None,
            metadata=request.metadata,
            service_tier=request.service_tier,
            inference_geo=request.inference_geo,
        )


def _kept(request: Request, cut: Cut, facts: ModelFacts | None) -> tuple[Message, ...]:
    """Return the messages that are kept, without thoughts bound to what was left out (facts 9.3)."""
    before, after = request.messages[cut.start : cut.made], request.messages[cut.made :]
    if facts is None or not facts.prefix_binding or not before:
        return (*before, *after)
    return (*heal(tuple(without_thoughts(before))).messages, *after)


def _factor_of(facts: ModelFacts | None) -> float:
    """Return by how much the estimate is too low for a model."""
    newer = facts is not None and facts.released is not None and facts.released >= _LARGER_TOKENS
    return _LARGER if newer else 1.0
