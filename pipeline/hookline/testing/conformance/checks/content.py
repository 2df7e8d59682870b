"""Checks of what a plugin makes of a request: on every surface, in every form, in every place."""

from collections.abc import Iterator
from typing import Final

from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import FORMS, PLACES, Place, sentence, words
from hookline.testing.conformance.surfaces import COLOURS, SURFACES, Call, Outcome
from hookline.testing.conformance.trying import Trying

__all__ = ["UNHEARD", "forms", "places", "surfaces"]

_BY_NAME: Final = {place.name: place for place in PLACES}
_MOST: Final = 100  # characters of a sample that a finding shows

UNHEARD: Final = (
    "what only observes fails without a word to the caller: its work is not done; `reply` is None "
    "where a turn failed, and `error` None where it did not"
)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MOST else text[: _MOST - 1] + "…")


def surfaces(trying: Trying) -> Iterator[Finding]:
    """Check that every surface in every colour ends as it does without the plugin, or in a refusal on purpose."""
    loop = False
    for surface in SURFACES:
        call = Call(surface=surface)
        for colour in COLOURS:
            outcome = trying.subject.take(call, colour)
            trying.calls += 1
            if outcome.asks_loop and colour == "sync":
                loop = True
            elif outcome.blames:
                yield Finding(
                    f"{surface} in {colour} failed: {outcome.error}",
                    "a hook must work on every surface; turn.surface says which one it is",
                )
            for text in outcome.unheard:
                if colour == "sync" and "event loop" in text:
                    loop = True
                else:
                    yield Finding(f"{surface} in {colour}, unheard by the caller: {text}", UNHEARD)
    if loop:
        trying.note = "it needs an event loop: AsyncPipeline only"


def _put(place: Place, text: str) -> Call:
    message, options = place.put(text)
    return Call(message=message, options=options)


def forms(trying: Trying) -> Iterator[Finding]:
    """Check that content that means the same is treated the same, as a string or in blocks."""
    for sample in trying.subject.samples:
        for first, second in FORMS:
            one = trying.take(_put(_BY_NAME[first], sentence(sample)))
            two = trying.take(_put(_BY_NAME[second], sentence(sample)))
            for place, outcome in ((first, one), (second, two)):
                if outcome.blames:
                    yield Finding(
                        f"with {_shown(sample)} in {place} it failed: {outcome.error}",
                        "content is a string or a tuple of blocks: request.map_text and "
                        "request.with_system know both",
                    )
            if one.error or two.error:
                continue
            if _sent(one) != _sent(two):
                yield Finding(
                    f"{_shown(sample)} left differently from {first} ({_shown(_end(one))}) than from "
                    f"{second} ({_shown(_end(two))})",
                    "content is a string or a tuple of blocks: request.map_text and "
                    "request.with_system know both",
                )


def places(trying: Trying) -> Iterator[Finding]:
    """Check that what is changed or refused in a message is changed or refused wherever it may stand."""
    touched = False
    first, *others = PLACES
    wanted = [each for each in others if each.kind in trying.subject.edits]
    for sample in trying.subject.samples:
        call = _put(first, sentence(sample))
        outcome = trying.take(call)
        text = " ".join(sample.split())
        if outcome.blames or not (outcome.refused or text not in _sent(outcome)):
            continue
        touched = True
        for place in wanted:
            other = trying.take(_put(place, sentence(sample)))
            if other.error is None and text in _sent(other):
                did = "refuses" if outcome.refused else "changes"
                yield Finding(
                    f"it {did} {_shown(sample)} in {first.name}, and lets it pass in {place.name}",
                    "use request.map_text, which goes everywhere; where less is meant, say so in the "
                    'class: edits = ("messages",)',
                )
    if not touched:
        trying.nothing("no sample was changed; a class says what it reacts to: samples = (…)")


def _sent(outcome: Outcome) -> str:
    return words(list(outcome.bodies))


def _end(outcome: Outcome) -> str:
    return _sent(outcome)[-_MOST:]
