"""What a rule is: what it looks at, what it changes, and the fact that forces the change."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from attrs import frozen

from hookline import Request
from hookline.models import ModelFacts

__all__ = ["Case", "Change", "Found", "Rule", "applied"]


@frozen(kw_only=True)
class Case:
    """What a request is made valid for.

    Attributes:
        facts: the model that gets it; None for one that the table does not know.
        made_for: the model that it was written for; None where nothing is known of it.
        moved: whether that is another one.
        version: the ``anthropic-version`` that it goes out with; empty where it is not known.

    """

    facts: ModelFacts | None = None
    made_for: ModelFacts | None = None
    moved: bool = False
    version: str = ""


@frozen(kw_only=True)
class Change:
    """One thing that was changed, or that only the user can decide.

    Attributes:
        rule: the short name of the rule.
        where: the place in the request: ``thinking``, ``messages.3.content.1``.
        what: what was there and what is there now.
        fact: what forces it, and the section of the facts.
        done: False where it was only named: nothing was changed.

    """

    rule: str
    where: str
    what: str
    fact: str
    done: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.what} ({self.fact})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "rule": self.rule,
            "where": self.where,
            "what": self.what,
            "fact": self.fact,
            "done": self.done,
        }


Told: TypeAlias = tuple[str, str]
"""Where something was changed, and what."""

Found: TypeAlias = "tuple[Request, tuple[Told, ...]] | None"
"""The request as a rule leaves it, and what was changed; None where the rule has nothing to do."""


@frozen
class Rule:
    """One rule.

    Attributes:
        name: short, for people and reports.
        fact: what forces the change, ending in the section of the facts.
        apply: the function that does it.

    """

    name: str
    fact: str
    apply: Callable[[Request, Case], Found]


def applied(
    rules: Iterable[Rule], request: Request, case: Case
) -> tuple[Request, tuple[Change, ...]]:
    """Apply rules one after the other.

    Args:
        rules: in order; each gets what the one before left.
        request: the request.
        case: what it is made valid for.

    Returns:
        The request, the same one if there was nothing to do, and what was changed.

    """
    changes: list[Change] = []
    for rule in rules:
        found = rule.apply(request, case)
        if found is not None:
            request, told = found
            changes += (
                Change(rule=rule.name, where=where, what=what, fact=rule.fact)
                for where, what in told
            )
    return request, tuple(changes)
