"""How much there is to do to check a value: a schema that somebody else wrote may be made to last for years.

References that lead to others, twice at each level, double the work with every level. The library that checks
cannot be stopped, so what would come is counted before: each schema that meets each part of the value, as if
no check ever ended early. Equal meetings are counted once and added up, so the count itself is quick.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from attrs import frozen

__all__ = ["Effort", "effort"]

_WITHOUT_END: Final = 10**30
_SAME: Final = ("not", "if", "then", "else")
_SAME_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SAME_TABLES: Final = ("dependentSchemas", "dependencies")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_EACH_MEMBER: Final = ("additionalProperties", "unevaluatedProperties")
_EACH_ITEM: Final = ("items", "additionalItems", "contains", "unevaluatedItems")
_NAMES: Final = ("$anchor", "$dynamicAnchor", "$id")


@frozen
class Effort:
    """What a check comes to.

    Attributes:
        meetings: how often a schema meets a part of the value.
        parts: how many parts the value has.

    """

    meetings: int
    parts: int


def effort(value: Any, schema: Mapping[str, Any]) -> Effort | None:
    """Return what it takes to check a value.

    Args:
        value: plain JSON.
        schema: what it would be held to.

    Returns:
        The effort; None where there is no end to it.

    """
    counts: dict[tuple[int, int], int] = {}
    named = [(name, each) for each in _values(schema) for name in _names(each)]

    def count(rule: Any, part: Any) -> int:
        if not isinstance(rule, Mapping):
            return 1
        meeting = id(rule), id(part)
        if meeting not in counts:
            counts[meeting] = _WITHOUT_END  # where it leads back to itself
            counts[meeting] = 1 + sum(count(*each) for each in _met(rule, part, schema, named))
        return counts[meeting]

    try:
        meetings = count(schema, value)
    except RecursionError:
        return None
    return None if meetings >= _WITHOUT_END else Effort(meetings, sum(1 for _ in _values(value)))


def _met(
    rule: Mapping[str, Any], part: Any, schema: Mapping[str, Any], named: list[tuple[str, Any]]
) -> Iterator[tuple[Any, Any]]:
    """Yield what meets what next."""
    for name in _REFERENCES:
        if isinstance(reference := rule.get(name), str):
            yield from ((target, part) for target in _targets(schema, named, reference))
    yield from ((inner, part) for inner in _beside(rule))
    yield from _below(rule, part)


def _beside(rule: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the schemas that the same part of the value meets."""
    for name in _SAME:
        if name in rule:
            yield rule[name]
    for name in _SAME_LISTS:
        yield from _listed(rule.get(name))
    for name in _SAME_TABLES:
        yield from _table(rule.get(name)).values()


def _below(rule: Mapping[str, Any], part: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what is inside of a part of the value, each with a schema that it meets."""
    if isinstance(part, Mapping):
        for name, inner in _table(rule.get("properties")).items():
            if name in part:
                yield inner, part[name]
        for inner in _table(rule.get("patternProperties")).values():
            yield from ((inner, each) for each in part.values())
        for name in _EACH_MEMBER:
            if name in rule:
                yield from ((rule[name], each) for each in part.values())
    elif isinstance(part, list | tuple):
        yield from zip(_listed(rule.get("prefixItems")), part, strict=False)
        for name in _EACH_ITEM:
            if isinstance(rule.get(name), Mapping):
                yield from ((rule[name], each) for each in part)
        yield from zip(_listed(rule.get("items")), part, strict=False)  # of older drafts


def _targets(
    schema: Mapping[str, Any], named: list[tuple[str, Any]], reference: str
) -> Iterator[Any]:
    """Yield what a reference may lead to; nothing where it leaves the schema, which nobody follows."""
    address, _, fragment = reference.partition("#")
    pointed = not fragment or fragment.startswith("/")
    if not address:
        roots = [schema] if pointed else [part for name, part in named if name == fragment]
    else:
        roots = [part for name, part in named if name.partition("#")[0].endswith(address)]
    for root in roots:
        target: Any = root
        for step in fragment.split("/")[1:] if pointed else ():
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(target, Mapping):
                target = target.get(key)
            elif isinstance(target, list | tuple) and key.isdecimal() and int(key) < len(target):
                target = target[int(key)]
            else:
                target = None
        yield target


def _names(rule: Any) -> Iterator[str]:
    """Yield the names by which references may lead to a schema."""
    if isinstance(rule, Mapping):
        yield from (name for key in _NAMES if isinstance(name := rule.get(key), str))


def _values(value: Any) -> Iterator[Any]:
    """Yield a JSON value and everything inside of it."""
    todo = [value]
    while todo:
        each = todo.pop()
        yield each
        if isinstance(each, Mapping):
            todo += each.values()
        elif isinstance(each, list | tuple):
            todo += each


def _listed(value: Any) -> "list[Any] | tuple[Any, ...]":
    return value if isinstance(value, list | tuple) else ()


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
