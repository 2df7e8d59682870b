"""Rules in words, for ``hookline policy explain``."""

from collections.abc import Iterator
from typing import Any

import attrs

from hookline_plugins.policy.rules.keys import Forbid, Hours, Names, Rule
from hookline_plugins.policy.rules.reading import ABOUT

__all__ = ["in_words"]


def in_words(rule: Rule) -> tuple[str, str]:
    """Return what a rule says, and what limits it.

    Args:
        rule: the rule.

    """
    says = "; ".join(
        _said(each.name, value)
        for each in attrs.fields(Rule)
        if each.name not in ABOUT and (value := getattr(rule, each.name)) is not None
    )
    return says, "; ".join(_limits(rule))


def _said(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, Names):
        parts = []
        if value.allow is not None:
            parts.append(f"only {', '.join(value.allow) or 'none'}")
        if value.deny:
            parts.append(f"not {', '.join(value.deny)}")
        if getattr(value, "pin", False):
            parts.append("by full id")
        return f"{words}: {', '.join(parts)}"
    if isinstance(value, Forbid):
        what = ", ".join(value.words) if value.words else f"/{value.pattern}/"
        where = f" in {', '.join(value.in_)}" if value.in_ else " anywhere"
        return f"never {what}{where}"
    if isinstance(value, Hours):
        days = f", {', '.join(value.days)}" if value.days else ""
        return f"only from {value.from_} to {value.to} {value.zone}{days}"
    if isinstance(value, str):
        return f"{words}: {value}"
    given = ", ".join(
        f"{each.name.replace('_', ' ')} {_plain(part)}"
        for each in attrs.fields(type(value))
        if (part := getattr(value, each.name)) is not None
    )
    return f"{words}: {given}"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _limits(rule: Rule) -> Iterator[str]:
    if rule.for_ is not None:
        for each in attrs.fields(type(rule.for_)):
            patterns = getattr(rule.for_, each.name)
            if patterns is not None:
                yield f"{each.name}: {', '.join(patterns)}"
    if rule.when:
        yield f"when {rule.when}"
    if rule.sample < 1:
        yield f"for {rule.sample:.0%} of the users"
    if rule.shadow:
        yield "in shadow: nothing is stopped"
