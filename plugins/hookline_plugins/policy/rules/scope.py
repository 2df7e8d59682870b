"""Whom a rule is for: its scope, its condition, and its share of the users."""

from collections.abc import Callable, Iterable
from hashlib import blake2b

from hookline import Principal
from hookline.models import ModelTable, load_models
from hookline.turn import Turn
from hookline_plugins.policy.rules.conditions import Condition, Setting
from hookline_plugins.policy.rules.judging import matches
from hookline_plugins.policy.rules.keys import Rule, Scope
from hookline_plugins.policy.rules.outgoing import names_of

__all__ = ["Applies", "applies", "in_scope", "sampled"]

Applies = Callable[[Turn, str, Setting], bool]


def in_scope(
    scope: Scope,
    principal: Principal,
    model: str | None,
    surface: str | None,
    environment: str = "",
    *,
    models: ModelTable | None = None,
) -> bool:
    """Say whether a scope fits.

    Args:
        scope: of a rule.
        principal: on whose behalf.
        model: that is asked; None where any is meant.
        surface: the door; None where any is meant.
        environment: in which this runs; empty where nobody knows.
        models: what is known of models; the table that ships with Hookline if it is left out.

    """
    tags = [(str(name), str(value)) for name, value in principal.tags.items()]
    return (
        (scope.users is None or matches(principal.user, scope.users))
        and (scope.teams is None or matches(principal.team, scope.teams))
        and (scope.models is None or model is None or _is_one_of(scope.models, model, models))
        and (
            scope.environments is None
            or not environment
            or matches(environment, scope.environments)
        )
        and (scope.surfaces is None or surface is None or surface in scope.surfaces)
        and (
            scope.tags is None
            or any(
                matches(name, (wanted.partition("=")[0],))
                and ("=" not in wanted or matches(value, (wanted.partition("=")[2],)))
                for name, value in tags
                for wanted in scope.tags
            )
        )
    )


def _is_one_of(patterns: Iterable[str], model: str, models: ModelTable | None) -> bool:
    """Say whether a model may be one that a rule is for: by no spelling does it slip out of the rule."""
    names = names_of(model, load_models() if models is None else models)
    return any(matches(name, patterns) for name in names.perhaps)


def sampled(rule: Rule, turn: Turn) -> bool:
    """Say whether somebody belongs to the share of a rule: the same person always does, or never."""
    if rule.sample >= 1:
        return True
    whom = f"{rule.id}\0{turn.principal.user or turn.id}"
    share = int.from_bytes(blake2b(whom.encode(), digest_size=8).digest()) / (1 << 64)
    return share < rule.sample


def applies(rule: Rule, condition: Condition | None, environment: str = "") -> Applies:
    """Return what says whether a rule is for a turn.

    Args:
        rule: the rule.
        condition: its ``when``, compiled.
        environment: in which this runs.

    """
    scope = rule.for_

    def asked(turn: Turn, model: str, setting: Setting) -> bool:
        return (
            (
                scope is None
                or in_scope(
                    scope, turn.principal, model, turn.surface, environment, models=turn.models
                )
            )
            and sampled(rule, turn)
            and (condition is None or condition.holds(setting))
        )

    return asked
