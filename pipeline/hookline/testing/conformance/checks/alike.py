"""Checks that what is sent is the same, through whatever door and in whatever colour, and holds what the caller set."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import TEXTS, sentence, words
from hookline.testing.conformance.surfaces import COLOURS, Call, Outcome
from hookline.testing.conformance.trying import Trying
from hookline.values.principal import Principal

__all__ = ["alike", "stands"]

_DOORS: Final = ("stream", "batch", "explain", "count_tokens")
_COUNTED: Final = ("model", "messages", "system", "tools", "tool_choice", "thinking")
_MOST: Final = 100  # characters that a finding shows
_SHORT: Final = 5  # letters of a word that stands everywhere
_DIFFERS: Final = (
    "what is counted, explained or put in a batch is what would be sent: change requests on every "
    "surface, or say in the class on which: surfaces = (…)"
)
_BRIEF: Final = "Keep to the facts about meadows."
_MARK: Final = {"type": "ephemeral"}
_LOOK_UP: Final = {"name": "look_up", "input_schema": {"type": "object"}}
_SET: Final[Mapping[str, Any]] = {
    "temperature": 0.5,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "of-the-caller"},
    "tools": [_LOOK_UP],
    "tool_choice": {"type": "auto"},
}
_MARKED: Final = Call(
    message=[{"type": "text", "text": "Hello", "cache_control": _MARK}],
    options={"system": [{"type": "text", "text": _BRIEF, "cache_control": _MARK}]},
)
_BRIEFED: Final = Call(options={"system": _BRIEF})
# Nobody, and such names as there are; no text is safe to be taken as part of a query.
_USERS: Final = ("", "o'brien\"; --", "Ω" * 300)


def alike(trying: Trying) -> Iterator[Finding]:
    """Check that every surface and every colour sends the same request, for whichever user."""
    if trying.subject.deterministic:
        own = trying.subject.own_samples
        for message in ("Hello", sentence("; ".join((*own, *TEXTS[:-1])))):
            yield from _doors(trying, message, {})
            yield from _colours(trying, message)
        for user in ("ada", "ben", "cleo", "dora"):
            yield from _doors(trying, "Hello", {"principal": Principal(user=user)})
    for user in _USERS:
        for surface in ("send", "stream"):
            principal = Principal(user=user, team=user)
            outcome = trying.take(Call(surface=surface, options={"principal": principal}))
            if outcome.blames:
                yield Finding(
                    f"for the user {_shown(user)} ({surface}) it failed: {outcome.error}",
                    "turn.principal holds what an application knows of its user: nothing, or any text",
                )
    for context in _contexts(trying):
        outcome = trying.take(Call(line={"context": context}))
        if outcome.blames:
            yield Finding(
                f"with the context {_shown(context)} it failed: {outcome.error}",
                "turn.context is the caller's: anything may be missing, misspelt or of another type; "
                "raise InputError where it must not",
            )


def _contexts(trying: Trying) -> Iterator[dict[str, Any]]:
    """Yield the plugin's sample context with something missing, or something else in its place."""
    known = trying.subject.context
    for name in known:
        yield {key: value for key, value in known.items() if key != name}
        for odd in ("no-such-thing-4711", 7, None):
            yield {**known, name: odd}


def _doors(trying: Trying, message: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    call = Call(message=message, options=options)
    sent, bare = trying.take(call), trying.subject.without(call)
    wanted = trying.subject.surfaces
    for surface in _DOORS:
        if sent.error is not None or (wanted and (surface not in wanted or "send" not in wanted)):
            continue
        call = Call(surface=surface, message=message, options=options)
        there = trying.take(call)
        if there.error is not None or not there.bodies or not sent.bodies:
            continue
        if surface == "count_tokens" and len(there.bodies) > 1:
            yield Finding(
                f"a count of tokens sends {len(there.bodies)} requests",
                "where turn.asks_model is false, ask no model: pass the request on",
            )
        names = _COUNTED if surface == "count_tokens" else None
        one, two = _last(sent, names), _last(there, names)
        before = _last(bare, names) == _last(trying.subject.without(call), names)
        if before and one != two:
            yield Finding(f"{surface} differs from send in {_unlike(one, two)}", _DIFFERS)


def _colours(trying: Trying, message: str) -> Iterator[Finding]:
    if trying.subject.asks_loop:
        return
    for surface in ("send", "stream"):
        call = Call(surface=surface, message=message)
        first = trying.take(call)
        for colour in COLOURS[1:]:
            other = trying.take(call, colour)
            if first.error is None and other.error is None and _end(first) != _end(other):
                yield Finding(
                    f"{surface} in {colour} differs from sync: {_unlike(*map(_end, (first, other)))}",
                    "one code serves both colours; turn.io waits in each as it should",
                )


def _end(outcome: Outcome) -> dict[str, Any]:
    return {**_last(outcome, None), "the reply": outcome.text}


def _last(outcome: Outcome, names: tuple[str, ...] | None) -> dict[str, Any]:
    """Return what the last request says, whether it is streamed apart, its messages in one form."""
    body = outcome.bodies[-1]
    body = body["requests"][0]["params"] if "requests" in body else body
    found = {
        name: value
        for name, value in body.items()
        if (name != "stream" if names is None else name in names)
    }
    if isinstance(found.get("system"), str):
        found["system"] = [{"type": "text", "text": found["system"]}]
    return found


def _unlike(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    names = sorted(name for name in {*one, *two} if one.get(name) != two.get(name))
    name = names[0]
    return f"{name}: {_shown(one.get(name))}, and there {_shown(two.get(name))}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def stands(trying: Trying) -> Iterator[Finding]:
    """Check that what the caller has set, system prompt and cache breakpoints included, leaves as well."""
    replaces = "system" in getattr(trying.subject.object, "edits", ())
    for call, form in ((_BRIEFED, "a string"), (_MARKED, "blocks")):
        outcome = trying.take(call)
        if outcome.error is not None or not outcome.bodies:
            continue
        if not replaces and not says(outcome, _BRIEF):
            yield Finding(
                f"the caller's system prompt, {form}, is gone from what is sent",
                "request.with_system(text) adds to it, and evolve(system=…) replaces it; where that is "
                'meant, say so in the class: edits = ("system",)',
            )
        elif _marks(outcome) < _marks(trying.subject.without(call)):
            yield Finding(
                "a cache breakpoint of the caller's is gone from what is sent",
                "keep the blocks: request.with_system and request.map_text leave `cache_control` alone",
            )
    yield from _fields(trying)


def _fields(trying: Trying) -> Iterator[Finding]:
    for options in (
        _SET,
        *({name: value} for name, value in _SET.items() if name != "tool_choice"),
    ):
        call = Call(options=options)
        outcome, bare = trying.take(call), trying.subject.without(call)
        if outcome.error is not None or not outcome.bodies or not bare.bodies:
            continue
        for name in options:
            before, after = bare.bodies[-1].get(name), outcome.bodies[-1].get(name)
            if before is not None and (after is None or _lost(before, after)):
                yield Finding(
                    f"the caller's {name} is {_shown(before)}, and {_shown(after)} when it leaves",
                    "evolve(…) replaces what it names; add to what is there, or leave it",
                )


def _lost(before: Any, after: Any) -> bool:
    """Say whether something that was there is not there any more; more may have come."""
    if isinstance(before, dict) and "type" not in before:
        return any(after.get(key) != value for key, value in before.items())
    if isinstance(before, list):
        names = {_name(each) for each in after}
        return any(_name(each) not in names for each in before)
    return False


def _name(each: Any) -> str:
    return str(each.get("name")) if isinstance(each, dict) else str(each)


def says(outcome: Outcome, text: str) -> bool:
    """Say whether what left holds any of the long words of a text, in whatever case."""
    sent = words(list(outcome.bodies)).lower()
    said = (word for word in text.lower().rstrip(".").split() if len(word) > _SHORT)
    return any(word in sent for word in said)


def _marks(outcome: Outcome) -> int:
    return json.dumps(outcome.bodies[-1:]).count('"cache_control"')
