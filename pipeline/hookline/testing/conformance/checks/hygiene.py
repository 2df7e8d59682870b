"""Checks of options, and of what a call costs."""

import json
import tomllib
from collections.abc import Iterator
from time import perf_counter
from typing import Any, Final

from hookline._journey.made import configured
from hookline._journey.trust import options_of
from hookline.config import facts_of
from hookline.errors import HooklineError
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator

__all__ = ["cost", "options"]

_ROUNDS: Final = 40
_SLOW: Final = 50_000  # microseconds; a turn is not to wait for that


def options(trying: Trying) -> Iterator[Finding]:
    """Each option goes through a settings file and comes out the same; a wrong one is named."""
    thing = trying.subject.object
    known = options_of(type(thing))
    if not known:
        trying.nothing("it has no options")
        return
    values: dict[str, Any] = {}
    for name, field in known.items():
        value = getattr(thing, field.name)
        if facts_of(field).secret or value is None:
            continue
        written = _toml(value)
        if written is None:
            continue  # an object, which only code can give
        values[name] = tomllib.loads(f"value = {written}")["value"]
    if not values:
        trying.nothing("only code can give its options")
        return
    try:
        made = configured(trying.subject.name, type(thing), values)
    except HooklineError as error:
        yield Finding(
            f"its own values, read from a settings file, are refused: {error}",
            "the type of each field must say what it takes",
        )
        return
    for name in values:
        field = known[name]
        if getattr(made, field.name) != getattr(thing, field.name):
            yield Finding(
                f"option {name!r} is {getattr(thing, field.name)!r}, and "
                f"{getattr(made, field.name)!r} after a settings file",
                "let the field's type, or a converter, take what TOML can say",
            )
    try:
        configured(trying.subject.name, type(thing), {**values, "no_such_option": 1})
    except HooklineError:
        return
    yield Finding("an unknown option is taken without a word", "declare options as attrs fields")


def _toml(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # TOML's basic strings escape as JSON does
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset):
        items = [_toml(each) for each in value]
        return None if None in items else "[" + ", ".join(map(str, items)) + "]"
    return None


def cost(trying: Trying) -> Iterator[Finding]:
    """Measure what the plugin adds to a call; only a gross delay is a finding."""
    with_it, bare = _measured(trying, alone=False), _measured(trying, alone=True)
    if with_it is None or bare is None:
        trying.nothing("its calls are refused, or need an event loop")
        return
    trying.calls += _ROUNDS
    more = max(0.0, with_it - bare)
    trying.note = f"about {more:.0f} µs a call, {len(trying.subject.hooks)} hooks"
    if more > _SLOW:
        yield Finding(
            f"a call takes {more / 1000:.0f} ms more",
            "work that waits belongs into turn.io, and work that is the same each time into `open`",
        )


def _measured(trying: Trying, *, alone: bool) -> float | None:
    """Return the median microseconds of a call."""
    subject = trying.subject
    line = subject.line("sync", RecordingSimulator())
    if alone:
        line.close()
        line = type(line)(base_url=RecordingSimulator(), config={}, disable=["retry"])
    with line:
        times = []
        for _ in range(_ROUNDS):
            began = perf_counter()
            try:
                line.send("Hello")
            except HooklineError:
                return None
            times.append(perf_counter() - began)
    return sorted(times)[_ROUNDS // 2] * 1e6
