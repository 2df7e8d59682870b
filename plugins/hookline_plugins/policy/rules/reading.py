"""Understanding a ``[[rule]]`` table; what is not understood is an error with its place."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

import attrs

from hookline.config import checked, dotted, facts_of, nearest
from hookline.errors import ConfigError
from hookline.policy import RuleTable
from hookline_plugins.policy.rules.keys import PARTS, Forbid, Hours, Rule

__all__ = ["ABOUT", "DAYS", "minutes", "read_rules"]

ABOUT: Final = ("id", "reason", "shadow", "sample", "for_", "when")
"""Fields of a rule that do not judge, but say of its judging."""

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SURFACES: Final = ("send", "stream", "count_tokens", "batch", "upload", "explain")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_DAY: Final = 24 * 60

_Where = Callable[[tuple[str, ...]], str]


def read_rules(tables: Iterable[Any]) -> tuple[Rule, ...]:
    """Return the rules that tables stand for.

    Args:
        tables: as a policy file has them, or plain mappings, or rules.

    Raises:
        ConfigError: names the place and what is wrong.

    """
    rules: dict[str, Rule] = {}
    for number, table in enumerate(tables):
        if isinstance(table, Rule):
            rule, where = table, _nowhere(number)
        elif isinstance(table, RuleTable):
            rule, where = _read(Rule, table.values, (), table.where), table.where
        elif isinstance(table, Mapping):
            where = _nowhere(number)
            rule = _read(Rule, table, (), where)
        else:
            raise ConfigError(f"rules: a rule is a table, not {table!r}")
        _check(rule, where)
        if rule.id in rules:
            raise _wrong(where, ("id",), f"there is another rule {rule.id!r}")
        rules[rule.id] = rule
    return tuple(rules.values())


def minutes(time: str) -> int:
    """Return minutes since midnight of ``08:30``."""
    hours, _, rest = time.partition(":")
    return int(hours) * 60 + int(rest)


def _nowhere(number: int) -> _Where:
    return lambda _: f"rules[{number}]"


def _wrong(where: _Where, key: tuple[str, ...], text: str) -> ConfigError:
    return ConfigError(f"{where(key)}: {text}")


def _read(cls: type, table: Mapping[str, Any], path: tuple[str, ...], where: _Where) -> Any:
    known = {each.name.rstrip("_"): each for each in attrs.fields(cls)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        key = (*path, name)
        if name not in known:
            raise _wrong(where, key, f"a rule has no {dotted(key)!r}; {nearest(name, known)}")
        values[known[name].name] = _value(known[name], value, key, where)
    for name, each in known.items():
        if each.default is attrs.NOTHING and each.name not in values:
            raise _wrong(where, path, f"{dotted(path) or 'a rule'} needs {name!r}")
    return cls(**values)


def _value(each: "attrs.Attribute[Any]", value: Any, key: tuple[str, ...], where: _Where) -> Any:
    wanted = _present(each.type)
    if attrs.has(wanted):
        if not isinstance(value, Mapping):
            names = ", ".join(name.name.rstrip("_") for name in attrs.fields(wanted))
            raise _wrong(where, key, f"{dotted(key)} must be a table of {names}")
        return _read(wanted, value, key, where)
    try:
        return checked(dotted(key), value, wanted, facts_of(each))
    except ConfigError as error:
        raise _wrong(where, key, str(error)) from error


def _present(wanted: Any) -> Any:
    """Return the type of an option where it is given: without its None."""
    if NoneType in get_args(wanted):
        return next(each for each in get_args(wanted) if each is not NoneType)
    return wanted


def _check(rule: Rule, where: _Where) -> None:
    """Refuse what is written well and means nothing."""
    judges = [
        each.name
        for each in attrs.fields(Rule)
        if each.name not in ABOUT and getattr(rule, each.name) is not None
    ]
    if not rule.id or not rule.id.isprintable():
        raise _wrong(where, ("id",), "a rule needs an id of printable characters")
    if not judges:
        raise _wrong(where, (), f"rule {rule.id!r} judges nothing; give it one of {_keys()}")
    if rule.forbid is not None:
        _check_forbid(rule.forbid, where)
    if rule.hours is not None:
        _check_hours(rule.hours, where)
    if rule.for_ is not None:
        for surface in rule.for_.surfaces or ():
            if surface not in _SURFACES:
                hint = nearest(surface, _SURFACES)
                raise _wrong(where, ("for", "surfaces"), f"there is no surface {surface!r}; {hint}")
    for name in ("models", "tools", "server_tools", "mcp_servers", "betas", "destinations"):
        names = getattr(rule, name)
        if (
            names is not None
            and names.allow is None
            and not names.deny
            and not getattr(names, "pin", 0)
        ):
            raise _wrong(where, (name,), f"{name} needs allow or deny")


def _check_forbid(forbid: Forbid, where: _Where) -> None:
    if (forbid.pattern is None) == (not forbid.words):
        raise _wrong(where, ("forbid",), "forbid takes a pattern or words, and one of them")
    if not all(word.strip() for word in forbid.words) or forbid.pattern == "":
        raise _wrong(where, ("forbid",), "forbid has nothing to look for")
    for part in forbid.in_ or ():
        if part not in PARTS:
            raise _wrong(
                where, ("forbid", "in"), f"there is no part {part!r}; {nearest(part, PARTS)}"
            )
    if forbid.in_ == ():
        raise _wrong(
            where, ("forbid", "in"), "forbid.in names no part; leave it out for all of them"
        )


def _check_hours(hours: Hours, where: _Where) -> None:
    for name, time in (("from", hours.from_), ("to", hours.to)):
        if not _TIME.fullmatch(time):
            raise _wrong(where, ("hours", name), f"hours.{name} must look like 08:30, not {time!r}")
    if minutes(hours.from_) == minutes(hours.to) or minutes(hours.from_) == _DAY:
        raise _wrong(where, ("hours",), "hours leave no time at all")
    for day in hours.days:
        if day not in DAYS:
            raise _wrong(where, ("hours", "days"), f"there is no day {day!r}; {nearest(day, DAYS)}")
    try:
        ZoneInfo(hours.zone)
    except (KeyError, ValueError, OSError) as error:
        raise _wrong(where, ("hours", "zone"), f"there is no time zone {hours.zone!r}") from error


def _keys() -> str:
    return ", ".join(each.name for each in attrs.fields(Rule) if each.name not in ABOUT)
