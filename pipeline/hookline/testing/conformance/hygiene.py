"""Checks of options, of secrets in output, and of what a call costs."""

import io
import json
import logging
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from time import perf_counter
from typing import Any, Final, Self

import attrs
from loguru import logger

from hookline._journey.made import configured
from hookline._journey.trust import options_of
from hookline.config import facts_of
from hookline.errors import HooklineError
from hookline.simulator import Rule
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator, TraceCapture
from hookline.values.secret import Secret

__all__ = ["cost", "options", "secrets"]

_KEY: Final = "sk-ant-canary-0815"
_SECRET: Final = "canary-secret-4711"  # noqa: S105 -- made up to be looked for
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


class _Sink:
    """Everything that is written anywhere while a call is taken."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        self.out = io.StringIO()

    def __enter__(self) -> Self:
        logger.enable("hookline")
        self._number = logger.add(self.text, level=0, diagnose=False)
        self._handler = logging.StreamHandler(self.text)
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(0)
        self._out = redirect_stdout(self.out)
        self._err = redirect_stderr(self.text)
        self._out.__enter__()
        self._err.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._err.__exit__(None, None, None)
        self._out.__exit__(None, None, None)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
        logger.remove(self._number)
        logger.disable("hookline")


def secrets(trying: Trying) -> Iterator[Finding]:
    """No key and no secret option appears in a log, a trace, a repr, an error or the request."""
    thing = _with_secrets(trying.subject.object)
    for rules in ((), (Rule(status=500),)):
        for surface in ("send", "stream"):
            with _Sink() as sink:
                shown = _everything(trying, thing, surface, rules)
            trying.calls += 1
            for canary, what in ((_KEY, "the API key"), (_SECRET, "a secret option")):
                if canary in shown + sink.text.getvalue() + sink.out.getvalue():
                    yield Finding(
                        f"{what} was shown ({surface})",
                        "a Secret stays one until .reveal() at the place that needs it; "
                        "turn.account stands for the credentials",
                    )
            if sink.out.getvalue():
                yield Finding(
                    f"it prints to stdout: {sink.out.getvalue()[:80]!r}",
                    "log with loguru, or leave a note: turn.trace.note(…)",
                )


def _with_secrets(thing: Any) -> Any:
    """Return the plugin with canaries as its secret options."""
    secret = {
        name: Secret(_SECRET)
        for name, field in options_of(type(thing)).items()
        if facts_of(field).secret
    }
    return attrs.evolve(thing, **secret) if secret else thing


def _everything(trying: Trying, thing: Any, surface: str, rules: Any) -> str:
    """Take a call and return all that it shows to whoever looks."""
    from hookline._journey.plugin_set import Plugin  # noqa: PLC0415 -- only here
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- only here

    trace = TraceCapture()
    simulator = RecordingSimulator(*rules)
    parts = [repr(thing)]
    with Pipeline(
        base_url=simulator,
        api_key=_KEY,
        config={},
        disable=["retry"],
        plugins=[Plugin(trying.subject.name, thing), trace],
    ) as line:
        try:
            if surface == "send":
                parts += [repr(reply := line.send("Hello")), str(reply.text)]
            else:
                with line.stream("Hello") as stream:
                    parts += ["".join(stream.text)]
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- all that it says is looked at
            parts += [repr(error), str(error)]
        parts += [repr(line), *(each.render() for each in trace.traces)]
    parts += [call.body.decode("utf-8", "replace") for call in simulator.calls]
    return "\n".join(parts)


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
