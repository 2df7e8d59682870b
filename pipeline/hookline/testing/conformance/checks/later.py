"""A check of what earlier turns leave for later ones: the same from every form, and nothing from what was not said."""

from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve

from hookline.simulator import Rule
from hookline.testing.conformance.checks.alike import says
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import TEXTS
from hookline.testing.conformance.surfaces import Call, Outcome
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator
from hookline.values.principal import Principal

__all__ = ["later"]

_BRIEF: Final = "Keep to the facts about meadows."
_REFUSES: Final = Rule(stop_reason="refusal", reply="", times=1)
_UNSAID: Final[tuple[tuple[str, str, Rule | None], ...]] = (
    ("a turn that failed (400)", "send", Rule(status=400, times=1)),
    ("a turn that failed (529)", "send", Rule(status=529, times=1)),
    ("a turn that the model refused", "send", _REFUSES),
    ("a stream that broke", "stream", Rule(cut_after=3, times=1)),
    ("an explanation", "explain", None),
    ("a count of tokens", "count_tokens", None),
)


def later(trying: Trying) -> Iterator[Finding]:
    """Check what a turn leaves behind by what the next one of the same user sends."""
    for number, sample in enumerate((*trying.subject.own_samples, TEXTS[0])):
        yield from _forms(trying, sample, number)
        yield from _unsaid(trying, sample, number)
        yield from _stands(trying, sample, number)


def _next(
    trying: Trying, first: Call, user: str, rule: Rule | None = None, **options: Any
) -> tuple[Outcome, Outcome]:
    """Take a call, and "Hello" after it; return what both came to, the second with its last request."""
    principal = Principal(user=user)
    simulator = RecordingSimulator(*((rule,) if rule else ()))
    calls = [
        Call(surface=first.surface, message=first.message, options={"principal": principal}),
        Call(options={"principal": principal, **options}),
    ]
    trying.calls += 2
    one, two = trying.subject.row(calls, simulator, trying.subject.colour)
    return one, evolve(two, bodies=two.bodies[-1:])


def _forms(trying: Trying, sample: str, number: int) -> Iterator[Finding]:
    if not trying.subject.deterministic:
        return
    kept: dict[str, bool] = {}
    for form in ("string", "blocks"):
        user = f"{form}-{number}"
        text = f"{sample} canary-{user}."
        message: Any = text if form == "string" else [{"type": "text", "text": text}]
        one, two = _next(trying, Call(message=message), user)
        if one.error or two.error:
            return
        kept[form] = f"canary-{user}" in str(two.bodies)
    if kept["string"] != kept["blocks"]:
        there, missing = ("a string", "blocks") if kept["string"] else ("blocks", "a string")
        yield Finding(
            f"{sample!r} is remembered from {there}, and not from {missing}",
            "message.text and message.blocks read both",
        )


def _unsaid(trying: Trying, sample: str, number: int) -> Iterator[Finding]:
    for kind, (what, surface, rule) in enumerate(_UNSAID):
        canary = f"unsaid-{number}-{kind}"
        call = Call(surface=surface, message=f"{sample} {canary}.")
        one, two = _next(trying, call, canary, rule)
        if rule is not None and not one.bodies:
            continue  # it was refused before it could fail
        if two.blames:
            yield Finding(
                f"the turn after {what} failed: {two.error}",
                "let go in `finally` of what is held, and keep nothing half-done",
            )
        elif canary in str(two.bodies):
            yield Finding(
                f"what was said in {what} is sent in a later turn",
                "keep what a turn was about in `conclude`, where `outcome.reply` is there, is no refusal, "
                "and turn.asks_model",
            )


def _stands(trying: Trying, sample: str, number: int) -> Iterator[Finding]:
    user = f"stands-{number}"
    first = Call(message=f"{sample} canary-{user}.")
    one, two = _next(trying, first, user, system=_BRIEF)
    replaces = "system" in getattr(trying.subject.object, "edits", ())
    if one.error or two.error or replaces or not two.bodies:
        return
    if not says(two, _BRIEF):
        yield Finding(
            f"after {sample!r}, the caller's system prompt is gone from what is sent",
            "request.with_system(text) adds to it, and evolve(system=…) replaces it",
        )
