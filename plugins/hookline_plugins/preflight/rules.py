"""What a rule is, what a broken one is, and the error that tells of all of them."""

from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from hookline import InputError

__all__ = ["PreflightError", "Problem", "Rule"]

_IN_FULL: Final = 5  # what a person reads at once; the rest is listed by place


@frozen
class Rule:
    """One rule of the API.

    Attributes:
        name: short and stable; what ``rules_off`` takes and ``PreflightError.rule`` says.
        fact: the section of ``facts/messages-api.md`` it comes from.
        remedy: what to do about it.
        shared: whether every server that speaks this API has it, and not only Anthropic's own.
        goes_by: the field of ``ModelFacts`` that decides; where that is unconfirmed, the rule warns.

    """

    name: str
    fact: str
    remedy: str
    shared: bool = False
    goes_by: str = ""

    def broken(self, position: str, text: str, remedy: str = "") -> "Problem":
        """Return a problem: ``text`` says what is wrong at ``position``."""
        return Problem(self, position, text, remedy or self.remedy)


@frozen
class Problem:
    """A rule that a request breaks.

    Attributes:
        rule: which one.
        position: dotted, from the root of the body: ``messages.3.content.1``.
        text: what is wrong.
        remedy: what to do.

    """

    rule: Rule
    position: str
    text: str
    remedy: str

    def below(self, position: str) -> "Problem":
        """Return it with a position that was relative to ``position``."""
        return evolve(self, position=f"{position}.{self.position}" if self.position else position)

    def __str__(self) -> str:
        where = f"{self.position}: " if self.position else ""
        return f"{where}{self.text}. {self.remedy} (rule {self.rule.name})"


class PreflightError(InputError):
    """The API would refuse the request; nothing was sent.

    Args:
        problems: all of them, at least one.

    Attributes:
        problems: see above.
        rule: the name of the first broken rule.
        position: where it is broken: ``messages.3.content.1``, or "" for the whole request.
        remedy: what to do about it.

    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        self.rule: Final = first.rule.name
        self.position = first.position
        self.remedy: Final = first.remedy
        super().__init__(_told(self.problems))


def _told(problems: Sequence[Problem]) -> str:
    if len(problems) == 1:
        return f"the API would refuse this request, so it was not sent. {problems[0]}"
    lines = [
        f"the API would refuse this request for {len(problems)} reasons, so it was not sent:",
        *(f"- {problem}" for problem in problems[:_IN_FULL]),
    ]
    rest = problems[_IN_FULL:]
    if rest:
        places = ", ".join(
            f"{problem.position or 'the request'} ({problem.rule.name})" for problem in rest[:20]
        )
        more = ", …" if len(rest) > 20 else ""  # noqa: PLR2004 -- as in the line above
        lines.append(f"- and {len(rest)} more: {places}{more}")
    return "\n".join(lines)
