"""Where a request goes, and so which rules hold there: the only place that asks.

Anthropic's own hosts and the simulator apply all rules. Others are laxer or differ (facts 14.2): there
only what every server shares is a rule.
"""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from hookline import Turn
from hookline.models import ModelFacts
from hookline_plugins.preflight.rules import Problem, Rule

__all__ = ["Scope"]

_SIMULATOR: Final = "sim:"


@frozen
class Scope:
    """What holds at one destination, for one model.

    Attributes:
        strict: whether all rules hold, and not only those that every server shares.
        facts: the model; None where nothing is known of it, or where its facts are not those of
            this server.
        simulated: whether the simulator answers, which goes by the table alone and not by the
            calendar.
        rules_off: names of rules that the user has switched off.

    """

    strict: bool
    facts: ModelFacts | None
    simulated: bool
    rules_off: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, turn: Turn, model: str, *, strict: bool | None, rules_off: tuple[str, ...]
    ) -> "Scope":
        """Return what holds for the next attempt.

        Args:
            turn: with the destination as it is now.
            model: the id that the request names.
            strict: True or False for every host alike; None to go by the host.
            rules_off: names of rules.

        """
        address = turn.destination.base_url
        all_rules = turn.profile.all_rules if strict is None else strict
        facts = turn.models.get(model)
        if facts is not None and not facts.told and not all_rules:
            facts = None  # a server of another kind may have given the name to another model
        return cls(
            strict=all_rules,
            facts=facts,
            simulated=address.startswith(_SIMULATOR),
            rules_off=rules_off,
        )

    @property
    def claude(self) -> ModelFacts | None:
        """The facts, unless a plugin registered the model as a foreign one."""
        return self.facts if self.facts is not None and self.facts.line is not None else None

    def sorted(self, problems: Sequence[Problem]) -> tuple[list[Problem], list[Problem]]:
        """Return the problems that refuse the request, and those to warn of.

        What is unconfirmed about the model warns (facts 9.1): the API may well take it.
        """
        held = [problem for problem in problems if self._holds(problem.rule)]
        doubtful = [problem for problem in held if not self._sure(problem.rule)]
        return [problem for problem in held if problem not in doubtful], doubtful

    def _holds(self, rule: Rule) -> bool:
        return (self.strict or rule.shared) and rule.name not in self.rules_off

    def _sure(self, rule: Rule) -> bool:
        return not rule.goes_by or self.facts is None or self.facts.confirmed(rule.goes_by)
