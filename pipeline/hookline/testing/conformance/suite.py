"""The suite: which checks there are, and one run of all of them."""

import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import frozen

from hookline._journey.plugin_set import Plugin, examine
from hookline.errors import HooklineError
from hookline.testing.conformance.checks import (
    again,
    alike,
    content,
    elsewhere,
    failing,
    hygiene,
    isolation,
    later,
    leftovers,
    media,
    parts,
    privacy,
    repeats,
    replies,
    tools,
    waiting,
)
from hookline.testing.conformance.report import Finding, Report, Result
from hookline.testing.conformance.subject import Subject
from hookline.testing.conformance.surfaces import Call, Outcome
from hookline.testing.conformance.trying import Trying

__all__ = ["CHECKS", "Check", "check_plugin", "results"]


@frozen
class Check:
    """One check.

    Attributes:
        name: of the check.
        tries: what it tries, in words.
        run: yields what is wrong.

    """

    name: str
    tries: str
    run: Callable[[Trying], Iterator[Finding]]


def _fits(trying: Trying) -> Iterator[Finding]:
    try:
        examine(trying.subject.plugin())  # made with its sample options
    except HooklineError as error:
        yield Finding(str(error), "see the page about writing plugins")
        return
    outcome = trying.subject.take(Call()) if "open" in trying.subject.hooks else Outcome()
    if "ConfigError: " in (outcome.error or ""):  # an enforcer refuses by it
        yield Finding(
            f"it cannot begin: {outcome.error}",
            "with options that it can do with: --config FILE, or check_plugin(lambda: Plugin(…))",
        )


CHECKS: Final[tuple[Check, ...]] = (
    Check("contract", "marked hooks, their parameters, role, layer, surfaces, version", _fits),
    Check("surfaces", "every surface, in sync, asyncio and trio", content.surfaces),
    Check("alike", "the same request from every surface, in every colour", alike.alike),
    Check("forms", "the same text as a string and in blocks", content.forms),
    Check("places", "text in messages, system, tool results and documents", content.places),
    Check("what stands", "the caller's system prompt, breakpoints and fields", alike.stands),
    Check("images", "sources of its own scheme, wherever they stand", media.media),
    Check("tools", "its tools, called with what their schemas allow", tools.tools),
    Check("prefills", "prefills native and instructed, plain and streamed", replies.prefills),
    Check("streams", "a stream split at every offset against the plain reply", replies.splits),
    Check("blocks of replies", "text in the second block of a reply", replies.second_block),
    Check("parts of replies", "thinking, tool calls, usage and the stop reason", parts.parts),
    Check("way back", "what is undone of what was done, plain and streamed", replies.restored),
    Check("purity", "what the caller handed over, before and after", repeats.purity),
    Check("determinism", "the same call twice", repeats.determinism),
    Check(
        "other processes", "the same calls where hashes and sets are others", elsewhere.elsewhere
    ),
    Check("again", "the same and other calls in one pipeline, by the same and others", again.again),
    Check("later turns", "what a turn leaves behind, said or unsaid", later.later),
    Check(
        "steps",
        "tool steps and further turns: nothing twice, the beginning unchanged",
        repeats.steps,
    ),
    Check("isolation", "two pipelines, threads and tasks with a user each", isolation.isolation),
    Check("failures", "errors of the API and broken streams around the plugin", failing.failures),
    Check("cancellation", "a cancellation at every await", failing.cancellation),
    Check("options", "each option through a settings file and back", hygiene.options),
    Check("event loop", "files, databases and sleeps where others wait", waiting.waiting),
    Check("leftovers", "coroutines, threads, turns, settings of the process", leftovers.leftovers),
    Check("secrets", "keys and secrets in logs, traces, output and errors", privacy.secrets),
    Check("what it hides", "what it takes out, in logs and traces", privacy.hidden),
    Check("cost", "microseconds that a call takes more", hygiene.cost),
)


def results(subject: Subject) -> Iterator[Result]:
    """Run the checks one after the other; a plugin that does not fit is tried no further."""
    for check in CHECKS:
        trying = Trying(subject)
        try:
            findings = tuple(check.run(trying))
        except Exception as error:  # noqa: BLE001 -- of a plugin that defeats the suite itself
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({last.name}, line {last.lineno})"
            findings = (Finding(f"the check itself broke off: {what}", "look at the plugin there"),)
        yield Result(
            check.name, check.tries, trying.calls, _distinct(findings), trying.note, trying.tried
        )
        if check.name == "contract" and findings:
            return


def _distinct(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))


def check_plugin(
    make: Callable[[], Any], name: str | None = None, *, samples: tuple[str, ...] = ()
) -> Report:
    """Run the conformance suite on a plugin, in this process.

    Args:
        make: makes a new instance each time: a class, or a function.
        name: of the plugin; its own if None.
        samples: texts that it reacts to, or sources of a scheme of its own, besides those that its class
            declares.

    Returns:
        What was tried, and what is wrong.

    Example:
        >>> def test_it_conforms():
        ...     report = check_plugin(Polite)
        ...     assert report.right, report

    """
    subject = Subject(name or Plugin.of(make()).name, make, samples)
    return Report(subject.name, tuple(results(subject)))
