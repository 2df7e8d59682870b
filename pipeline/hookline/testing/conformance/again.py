"""A check of what is kept between calls: the same call again, in one pipeline, by the same user and by another."""

from collections.abc import Iterator
from typing import Final

from hookline.simulator import Rule
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.subject import Call, Colour, Outcome
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
_REMEDY: Final = (
    "a streamed response can be read once: keep one that is whole (`response.events is None`, or "
    "hookline.plugin.whole); and pass on what asks no model (`turn.asks_model`)"
)


def again(trying: Trying) -> Iterator[Finding]:
    """Check that a call answered before, sent or streamed, is answered as well the next time, and to its user alone."""
    loop = trying.subject.take(Call()).asks_loop
    colour: Colour = "asyncio" if loop else "sync"
    for order in _ORDERS:
        calls = [Call(surface=each) for each in order]
        outcomes = trying.subject.row(calls, RecordingSimulator(Rule(reply=_REPLY)), colour)
        trying.calls += len(calls)
        yield from _worse(trying, order, outcomes)
    yield from _others(trying, colour)


def _worse(trying: Trying, order: tuple[str, ...], outcomes: list[Outcome]) -> Iterator[Finding]:
    """Yield what came out worse in a row than by itself."""
    for number, (surface, outcome) in enumerate(zip(order, outcomes, strict=True)):
        alone = trying.subject.take(Call(surface=surface, rules=(Rule(reply=_REPLY),)))
        if number == 0 or alone.error is not None or not trying.subject.deterministic:
            continue
        row = f"{surface} after {', '.join(order[:number])} of the same in one pipeline"
        if outcome.blames:
            yield Finding(f"{row} failed: {outcome.error}", _REMEDY)
        elif outcome.error is None and (outcome.text, outcome.shown) != (alone.text, alone.shown):
            yield Finding(f"{row} gave {outcome.text!r}, and {alone.text!r} by itself", _REMEDY)


def _others(trying: Trying, colour: Colour) -> Iterator[Finding]:
    """Ask the same for two users, when the model would answer them differently."""
    rules = (Rule(reply="For Ada alone.", times=1), Rule(reply="For Ben."))
    calls = [Call(options={"principal": Principal(user=user)}) for user in ("ada", "ben")]
    _, ben = trying.subject.row(calls, RecordingSimulator(*rules), colour)
    trying.calls += len(calls)
    if "Ada alone" in (ben.text or ""):
        yield Finding(
            "a user was given the answer to another user's request",
            "let turn.principal and turn.account be part of the key under which answers are kept",
        )
