"""Checks of what must not be shown: keys, secret options, and what the plugin itself hides."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any, Final, Self

import attrs
from loguru import logger

from hookline._journey.plugin_set import Plugin
from hookline._journey.trust import options_of
from hookline.config import facts_of
from hookline.errors import HooklineError
from hookline.pipeline import Pipeline
from hookline.simulator import Rule
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import sentence, words
from hookline.testing.conformance.surfaces import Call
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator, TraceCapture
from hookline.values.secret import Secret

__all__ = ["hidden", "secrets"]

_KEY: Final = "sk-ant-canary-0815"
_SECRET: Final = "canary-secret-4711"  # noqa: S105 -- made up to be looked for
_NAMED_LIKE_ONE: Final = re.compile(
    r"(?:^|_)(?:(?:api_?|secret_?|private_?|signing_?|access_?)?key|token|secret|password|passwd)$"
)


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
    yield from _undeclared(trying)
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
    given = {
        name: value for name, value in secret.items() if getattr(thing, name, None) is not None
    }
    for values in (secret, given):
        with suppress(HooklineError):  # some options go with certain others only
            return attrs.evolve(thing, **values) if values else thing
    return thing


def _everything(trying: Trying, thing: Any, surface: str, rules: Any) -> str:
    """Take a call and return all that it shows to whoever looks."""
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


def _undeclared(trying: Trying) -> Iterator[Finding]:
    """Yield options that are named like secrets, and are plain texts."""
    for name, field in options_of(type(trying.subject.object)).items():
        value = getattr(trying.subject.object, field.name)
        if _NAMED_LIKE_ONE.search(name) and isinstance(value, str):
            yield Finding(
                f"option {name!r} is named like a secret, and is a plain text",
                "key: Secret | None = field(default=None, metadata=option(secret=True)) takes it by "
                "reference, and no repr shows it",
            )


def hidden(trying: Trying) -> Iterator[Finding]:
    """Look whether what the plugin takes out of a request stands in its logs or notes."""
    tried = False
    for sample in trying.subject.samples:
        text = " ".join(sample.split())
        with _Sink() as sink:
            outcome = trying.take(Call(message=sentence(sample)))
        if outcome.error is not None or not outcome.bodies or text in words(list(outcome.bodies)):
            continue
        tried = True
        if sample in sink.out.getvalue() + sink.text.getvalue() + "\n".join(outcome.notes):
            yield Finding(
                f"it takes {sample!r} out of the request, and says it in a log or in the trace",
                "say how many were found, and of what kind, and not which",
            )
    if not tried:
        trying.nothing("it takes no sample out of a request; a class says what: samples = (…)")
