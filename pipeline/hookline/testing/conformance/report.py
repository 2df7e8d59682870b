"""What the suite found, as values, rows of a table, JSON and a badge."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

__all__ = ["Finding", "Report", "Result", "Verdict"]

Verdict: TypeAlias = Literal["right", "wrong", "not tried"]


@frozen
class Finding:
    """Something that is wrong.

    Attributes:
        what: happened, in one sentence.
        remedy: what to do about it.

    """

    what: str
    remedy: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {"what": self.what, "remedy": self.remedy}


@frozen
class Result:
    """What came of one check.

    Attributes:
        check: its name.
        tries: what it tries, in words.
        calls: how many calls it took.
        findings: what is wrong.
        note: what there is to say besides, or why it was not tried.
        tried: whether the plugin has anything to try here.

    """

    check: str
    tries: str
    calls: int = 0
    findings: tuple[Finding, ...] = ()
    note: str = ""
    tried: bool = True

    @property
    def verdict(self) -> Verdict:
        """The outcome in a word."""
        if self.findings:
            return "wrong"
        return "right" if self.tried else "not tried"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "check": self.check,
            "tries": self.tries,
            "verdict": self.verdict,
            "calls": self.calls,
            "note": self.note,
            "findings": [each.to_dict() for each in self.findings],
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Result":
        """Return the result that ``to_dict`` wrote."""
        findings = tuple(Finding(each["what"], each["remedy"]) for each in value["findings"])
        return cls(
            value["check"],
            value["tries"],
            value["calls"],
            findings,
            value["note"],
            value["verdict"] != "not tried",
        )


@frozen
class Report:
    """What came of all checks of one plugin.

    Attributes:
        plugin: its name.
        results: in the order of the suite.

    """

    plugin: str
    results: tuple[Result, ...]

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not any(each.findings for each in self.results)

    @property
    def badge(self) -> str:
        """A line of Markdown for a README."""
        tried = [each for each in self.results if each.verdict != "not tried"]
        good = sum(each.verdict == "right" for each in tried)
        colour = "brightgreen" if self.right else "red"
        text = f"hookline conformance: {good} of {len(tried)} checks"
        return f"![{text}](https://img.shields.io/badge/hookline-{good}%2F{len(tried)}-{colour})"

    def rows(self) -> Sequence[tuple[str, str, str, str]]:
        """Return check, verdict, calls and what was tried, as texts."""
        return [
            (
                each.check,
                each.verdict,
                str(each.calls) if each.calls else "",
                each.note or each.tries,
            )
            for each in self.results
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "plugin": self.plugin,
            "right": self.right,
            "badge": self.badge,
            "results": [each.to_dict() for each in self.results],
        }
