"""``hookline check-plugin``: the conformance suite, run on a plugin in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import define, field

from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import console, error, print_json, print_table, styled

if TYPE_CHECKING:
    from hookline.testing.conformance import Finding, Report

__all__ = ["check_plugin"]

_RIGHT: Final = 0
_FINDINGS: Final = 1
_UNREADABLE: Final = 2
_SHOWN: Final = 3  # findings of one remedy that are printed
_LAST_WORDS: Final = 300  # characters of what a process said that ended by itself


@click.command(
    epilog=examples(
        "hookline check-plugin ./my_plugin.py",
        "hookline check-plugin ./my_images.py --sample asset://ant.png",
        "hookline check-plugin my-plugin --badge >> README.md",
        "hookline check-plugin ./my_plugin.py --json | jq '.[].results[] | select(.verdict==\"wrong\")'",
    )
)
@click.argument("reference", metavar="PATH|NAME")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds that all of it may take.",
)
@click.option(
    "--sample",
    "samples",
    multiple=True,
    metavar="TEXT",
    help="A text that the plugin reacts to, or a source of its own scheme (asset://ant.png). Repeatable.",
)
@click.option("--badge", is_flag=True, help="Print only a line of Markdown for a README.")
@CONFIG
@JSON
def check_plugin(
    reference: str,
    timeout: float,
    samples: tuple[str, ...],
    config: str | None,
    *,
    badge: bool,
    as_json: bool,
) -> int:
    """Try a plugin on every surface and in every form of content.

    PATH is a file with plugins, NAME an installed plugin. Exit code 0 says that nothing is wrong, 1 that
    something is, 2 that there is no plugin that can be made.
    """
    run = _Run(reference, config, timeout, samples)
    run.wait()
    if run.unreadable:
        error(run.unreadable)
        return _UNREADABLE
    reports = run.reports()
    if badge:
        for report in reports:
            click.echo(report.badge)
    elif as_json:
        print_json([report.to_dict() for report in reports])
    else:
        for report in reports:
            _print(report)
    return _RIGHT if all(report.right for report in reports) else _FINDINGS


def _end(process: "subprocess.Popen[str]") -> None:
    """Kill a process and those that it has started, where there are sessions; it alone elsewhere."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


@define
class _Run:
    """A run of the suite in another process."""

    reference: str
    config: str | None
    seconds: float
    samples: tuple[str, ...] = ()
    unreadable: str = ""
    _lines: list[dict[str, Any]] = field(factory=list)
    _ended: str = ""

    def wait(self) -> None:
        """Run it to its end, or to that of the time, and read what it has said."""
        command = [sys.executable, "-m", "hookline.testing.conformance"]
        command += [f"--sample={each}" for each in self.samples]
        command += ["--", self.reference, *([self.config] if self.config else [])]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            process = subprocess.Popen(  # noqa: S603 -- our own interpreter, and what the user named
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                encoding="utf-8",
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
                start_new_session=True,
            )
            try:
                out, _ = process.communicate(timeout=self.seconds)
            except subprocess.TimeoutExpired:
                _end(process)
                out, _ = process.communicate()
                self._ended = f"it was not done after {self.seconds:g} seconds"
            finally:
                _end(process)  # and what the plugin has started and left behind
            self._lines = [json.loads(line) for line in out.splitlines() if line.endswith("}")]
            self.unreadable = next(
                (each["unreadable"] for each in self._lines if "unreadable" in each), ""
            )
            done = any("done" in each for each in self._lines)
            if not done and not self._ended and not self.unreadable:
                said.seek(0)
                words = " ".join(said.read().split())[-_LAST_WORDS:]
                self._ended = (
                    f"it ended the process (exit code {process.returncode}) {words}".strip()
                )
        if not any("plugin" in each for each in self._lines) and not self.unreadable:
            self.unreadable = f"{self.reference}: while it was imported, {self._ended}"

    def reports(self) -> "list[Report]":
        """Return a report for each plugin that was found."""
        from hookline.testing.conformance import Report, Result  # noqa: PLC0415 -- `--help` does without

        reports: list[Report] = []
        for begin, results in self._by_plugin():
            found = tuple(Result.from_dict(each) for each in results)
            left = begin["checks"][len(found) :]
            stopped = found and found[0].findings  # what does not fit is tried no further
            if left and not stopped:
                found = (*found, self._broken_off(left[0]))
            reports.append(Report(begin["plugin"], found))
        return reports

    def _by_plugin(self) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        begin: dict[str, Any] | None = None
        results: list[dict[str, Any]] = []
        for line in self._lines:
            if "plugin" in line:
                if begin is not None:
                    yield begin, results
                begin, results = line, []
            elif "result" in line:
                results.append(line["result"])
        if begin is not None:
            yield begin, results

    def _broken_off(self, check: str) -> Any:
        from hookline.testing.conformance import Finding, Result  # noqa: PLC0415 -- as above

        what = Finding(
            self._ended or "it broke off",
            "a hook must return in time and never end the process; allow more with --timeout",
        )
        return Result(check, "", findings=(what,))


def _remedy(finding: "Finding") -> str:
    return finding.remedy


def _print(report: "Report") -> None:
    screen = console()
    screen.print(styled((report.plugin, "bold")))
    print_table(
        ("CHECK", "VERDICT", "CALLS", "TRIED"), report.rows(), right=("CALLS",), wrapped=("TRIED",)
    )
    for result in report.results:
        alike = groupby(sorted(result.findings, key=_remedy), key=_remedy)
        for remedy, found in ((remedy, list(group)) for remedy, group in alike):
            for finding in found[:_SHOWN]:
                screen.print(styled((f"{result.check}: ", "bold red"), (finding.what, "")))
            if len(found) > _SHOWN:
                more = f"and {len(found) - _SHOWN} more like these; --json has all of them"
                screen.print(styled((f"{result.check}: ", "bold red"), (more, "")))
            screen.print(styled((f"  → {remedy}", "dim")))
    screen.print(styled((report.badge, "green" if report.right else "red")))
