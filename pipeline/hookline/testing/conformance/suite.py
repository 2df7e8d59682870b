"""The suite: which checks there are, and one run of all of them."""

import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import frozen

from hookline._journey.plugin_set import Plugin, examine
from hookline.errors import HooklineError
from hookline.testing.conformance import again, content, failing, hygiene, repeats, replies
from hookline.testing.conformance.report import Finding, Report, Result
from hookline.testing.conformance.subject import Call, Outcome, Subject
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
        examine(trying.subject.plugin())
    except HooklineError as error:
        yield Finding(str(error), "see the page about writing plugins")
        return
    outcome = trying.subject.take(Call()) if "open" in trying.subject.hooks else Outcome()
    if (outcome.error or "").startswith("ConfigError: "):
        yield Finding(
            f"it cannot begin: {outcome.error}",
            "with options that it can do with: --config FILE, or check_plugin(lambda: Plugin(…))",
        )


CHECKS: Final[tuple[Check, ...]] = (
    Check("contract", "marked hooks, their parameters, role, layer, surfaces, version", _fits),
    Check("surfaces", "every surface, in sync, asyncio and trio", content.surfaces),
    Check("forms", "the same text as a string and in blocks", content.forms),
    Check("places", "text in messages, system, tool results and documents", content.places),
    Check("what stands", "the caller's system prompt and cache breakpoints", content.stands),
    Check("prefills", "prefills native and instructed, plain and streamed", replies.prefills),
    Check("streams", "a stream split at every offset against the plain reply", replies.splits),
    Check("blocks of replies", "text in the second block of a reply", replies.second_block),
    Check("purity", "what the caller handed over, before and after", repeats.purity),
    Check("determinism", "the same call twice", repeats.determinism),
    Check("again", "the same call again in one pipeline, and by another user", again.again),
    Check(
        "steps",
        "tool steps and further turns: nothing twice, the beginning unchanged",
        repeats.steps,
    ),
    Check("isolation", "two pipelines, and eight threads with a user each", repeats.isolation),
    Check("failures", "errors of the API and broken streams around the plugin", failing.failures),
    Check("cancellation", "a cancellation at every await", failing.cancellation),
    Check("options", "each option through a settings file and back", hygiene.options),
    Check("secrets", "keys and secrets in logs, traces, output and errors", hygiene.secrets),
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


def check_plugin(make: Callable[[], Any], name: str | None = None) -> Report:
    """Run the conformance suite on a plugin, in this process.

    Args:
        make: makes a new instance each time: a class, or a function.
        name: of the plugin; its own if None.

    Returns:
        What was tried, and what is wrong.

    Example:
        >>> def test_it_conforms():
        ...     report = check_plugin(Polite)
        ...     assert report.right, report

    """
    subject = Subject(name or Plugin.of(make()).name, make)
    return Report(subject.name, tuple(results(subject)))
