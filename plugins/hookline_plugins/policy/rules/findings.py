"""What looks wrong with rules that are well written: that never decide, decide too much, or hold too much back."""

from collections.abc import Iterator, Sequence

import attrs

from hookline_plugins.policy.rules.judging import matches
from hookline_plugins.policy.rules.keys import Forbid, Names, Rule
from hookline_plugins.policy.rules.patterns import Patterns, longest, word_pattern
from hookline_plugins.policy.rules.reading import ABOUT

__all__ = ["findings"]

_SILENT: frozenset[str] = frozenset({"count_tokens", "upload", "explain"})  # no model replies there
_SHORT = 3  # letters; shorter words stand in many an honest text
# What anybody might say; a pattern that matches this refuses nearly everything.
_ORDINARY = (
    "Hello, could you please help me to write a short summary of this report for Monday at 9:30?"
)


def findings(rules: Sequence[Rule]) -> list[tuple[str, str]]:
    """Return what looks wrong, as pairs of a rule's id and the finding.

    Args:
        rules: all of them; some findings are about two.

    """
    found = [(rule.id, text) for rule in rules for text in _of_one(rule)]
    for place, rule in enumerate(rules):
        for other in rules[:place]:
            found += [(rule.id, text) for text in _of_two(other, rule)]
    return found


def _of_one(rule: Rule) -> Iterator[str]:
    if rule.sample == 0:
        yield "it is for nobody: sample is 0"
    if rule.for_ is not None:
        for each in attrs.fields(type(rule.for_)):
            if getattr(rule.for_, each.name) == ():
                yield f"it can never match: for.{each.name} is empty"
    for each in attrs.fields(Rule):
        names = getattr(rule, each.name)
        if isinstance(names, Names) and names.allow:
            denied = [name for name in names.allow if matches(name, names.deny)]
            if denied:
                yield f"{each.name}: {', '.join(denied)} is allowed and denied; it is denied"
    surfaces = rule.for_.surfaces if rule.for_ is not None else None
    if rule.forbid is not None:
        if rule.forbid.in_ == ("reply",) and surfaces and set(surfaces) <= _SILENT:
            yield "it can never match: nothing is replied there"
        yield from _of_pattern(rule.forbid)


def _of_pattern(forbid: Forbid) -> Iterator[str]:
    pattern = word_pattern(forbid.words) if forbid.pattern is None else forbid.pattern
    alone = Patterns([(pattern, None)])
    if any(alone.search({"messages": [""]})):
        yield "its pattern is too broad: it matches an empty text"
    elif any(alone.search({"messages": [_ORDINARY]})):
        yield "its pattern is too broad: it matches an ordinary sentence"
    for word in forbid.words:
        if len(word.strip()) < _SHORT:
            yield f"the word {word!r} is too broad"
    replies = forbid.in_ is None or "reply" in forbid.in_
    if forbid.pattern is not None and replies and longest(forbid.pattern) is None:
        yield (
            "its pattern has no longest match, so streams are held back to their end; "
            r"write \s{1,20} for \s+, or name the parts with in"
        )


def _of_two(first: Rule, second: Rule) -> Iterator[str]:
    """Yield what the first takes from the second: it decides already, whomever the second is for."""
    if first.shadow or first.sample < 1 or first.for_ not in (None, second.for_):
        return
    if first.when and first.when != second.when:
        return
    judged = [
        each.name
        for each in attrs.fields(Rule)
        if each.name not in ABOUT and getattr(second, each.name) is not None
    ]
    if judged and all(_covers(name, first, second) for name in judged):
        yield f"it never decides: {first.id!r} is at least as strict"


def _covers(name: str, first: Rule, second: Rule) -> bool:
    ours, theirs = getattr(first, name), getattr(second, name)
    if ours is None:
        return False
    if name == "max_tokens":
        return bool(ours.max <= theirs.max)
    if isinstance(ours, Forbid):
        parts = ours.in_ is None or (theirs.in_ is not None and set(theirs.in_) <= set(ours.in_))
        same = ours.pattern == theirs.pattern and set(theirs.words) <= set(ours.words)
        return parts and same
    return bool(ours == theirs)
