"""A check of what is kept between calls: the same call again, in one pipeline, by the same user and by another."""

from collections.abc import Iterator
from typing import Any, Final

from hookline.simulator import Rule
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.surfaces import Call, Colour, Outcome
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator
from hookline.values.principal import Principal

__all__ = ["again"]

_ORDERS: Final = (
    ("send", "send"),
    ("stream", "stream", "send"),
    ("send", "stream", "count_tokens"),
    ("stream", "count_tokens"),
    ("count_tokens", "send"),
)
_REPLY: Final = "Ants live in the meadow."
_NOTED: Final = {"role": "assistant", "content": "Noted."}
_REMEDY: Final = (
    "a streamed response can be read once: keep one that is whole (`response.events is None`, or "
    "hookline.plugin.whole); and pass on what asks no model (`turn.asks_model`)"
)


def again(trying: Trying) -> Iterator[Finding]:
    """Check that a call answered before, sent or streamed, is answered as well the next time, and to its user alone."""
    colour = trying.subject.colour
    for order in _ORDERS:
        calls = [Call(surface=each) for each in order]
        outcomes = trying.subject.row(calls, RecordingSimulator(Rule(reply=_REPLY)), colour)
        trying.calls += len(calls)
        yield from _worse(trying, order, outcomes)
    yield from _others(trying, colour)
    yield from _varied(trying, colour)
    yield from _spoilt(trying, colour)


def _worse(trying: Trying, order: tuple[str, ...], outcomes: list[Outcome]) -> Iterator[Finding]:
    """Yield what came out worse in a row than by itself."""
    for number, (surface, outcome) in enumerate(zip(order, outcomes, strict=True)):
        alone = trying.subject.take(Call(surface=surface, rules=(Rule(reply=_REPLY),)))
        if number == 0 or alone.error is not None or not trying.subject.deterministic:
            continue
        row = f"{surface} after {', '.join(order[:number])} of the same in one pipeline"
        if outcome.blames:
            yield Finding(f"{row} failed: {outcome.error}", _REMEDY)
        elif outcome.refused and not trying.subject.enforces:
            yield Finding(
                f"{row} was refused: {outcome.error}",
                "what is given to a plugin stays as it is: take out of a copy what is used up",
            )
        elif outcome.error is None and (outcome.text, outcome.shown) != (alone.text, alone.shown):
            yield Finding(f"{row} gave {outcome.text!r}, and {alone.text!r} by itself", _REMEDY)


_VARIED: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("another system prompt", {"system": "Answer in Latin."}),
    ("another model", {"model": "claude-sonnet-4-5"}),
    ("a smaller max_tokens", {"max_tokens": 7}),
    ("another temperature", {"temperature": 0.1}),
    ("tools", {"tools": [{"name": "look_up", "input_schema": {"type": "object"}}]}),
    ("a stop sequence", {"stop_sequences": ["END"]}),
    ("a history", {"messages": [{"role": "user", "content": "I keep bees."}, _NOTED]}),
)
_KEPT: Final = "The first answer."
_FRESH: Final = "The second answer."


def _varied(trying: Trying, colour: Colour) -> Iterator[Finding]:
    """Ask for something else with the same words, and something else in other words."""
    question = "Where do ants live?"
    pairs = [(what, Call(message=question, options=options)) for what, options in _VARIED]
    pairs.append(("another question", Call(message="How old do queens of bumblebees become?")))
    for what, other in pairs:
        rules = (Rule(reply=_KEPT, times=1), Rule(reply=_FRESH))
        _, two = _row(trying, [Call(message=question), other], rules, colour)
        if _KEPT in (two.text or ""):
            yield Finding(
                f"{what}: the answer was that to an earlier request without it",
                "all that decides an answer belongs into the key under which it is kept: "
                "request.evolve(messages=…) and the like tell the rest",
            )


def _spoilt(trying: Trying, colour: Colour) -> Iterator[Finding]:
    """Ask again where the first answer was none that anybody wants twice."""
    for what, rule in (
        ("was refused", Rule(stop_reason="refusal", reply=_KEPT, times=1)),
        ("was cut off", Rule(stop_reason="max_tokens", reply=_KEPT, times=1)),
        ("failed", Rule(status=500, message=_KEPT, times=1)),
    ):
        call = Call(message="Where do ants live?")
        _, two = _row(trying, [call, call], (rule, Rule(reply=_FRESH)), colour)
        if _KEPT in f"{two.text} {two.error}":
            yield Finding(
                f"a request whose first answer {what} is answered the same the next time",
                'keep only what is whole: response.events is None and response.stop_reason == "end_turn"',
            )


def _row(
    trying: Trying, calls: list[Call], rules: tuple[Rule, ...], colour: Colour
) -> list[Outcome]:
    trying.calls += len(calls)
    return trying.subject.row(calls, RecordingSimulator(*rules), colour)


def _others(trying: Trying, colour: Colour) -> Iterator[Finding]:
    """Ask the same for two users, when the model would answer them differently."""
    rules = (Rule(reply="For Ada alone.", times=1), Rule(reply="For Ben."))
    calls = [Call(options={"principal": Principal(user=user)}) for user in ("ada", "ben")]
    _, ben = _row(trying, calls, rules, colour)
    if "Ada alone" in (ben.text or ""):
        yield Finding(
            "a user was given the answer to another user's request",
            "let turn.principal and turn.account be part of the key under which answers are kept",
        )
