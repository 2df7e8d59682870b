"""Plugins that were written for another version of the hooks: what they are told.

A class may say for which versions it was written, ``contract = ">=1,<2"``. Where it says nothing, an import
that has another home now tells as much.
"""

import operator
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from hookline import hookspecs
from hookline.errors import ConfigError

if TYPE_CHECKING:
    from hookline._journey.plugin_set import Plugin

__all__ = ["CHANGES", "check_contract", "new_home"]

CHANGES: Final[Mapping[str, str]] = {
    "1.0": (
        "`on_attempt` is told when an exchange has really ended, and not at the first event of a stream; of several "
        "plugins that ask for one more step the first wins; values are imported from `hookline.values`, what "
        "hooks are made of from `hookline.plugin`"
    ),
}
"""What changed for plugins, by the version of the contract that changed it, oldest first."""

_HOMES: Final = ("hookline", "hookline.plugin", "hookline.values", "hookline.errors", "hookline.wire",
                 "hookline.schema", "hookline.testing", "hookline.simulator")  # fmt: skip
"""Where a name may be found today, the first that has it."""

_MOVED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("attachments", "blocks", "citations", "events", "frozen", "messages", "secret", "sources"),
        "hookline.values",
    ),
    **dict.fromkeys(("assembler", "json_lines", "partial_json", "sse"), "hookline.wire"),
    **dict.fromkeys(("retry_after", "asking", "plugins"), "hookline.plugin"),
    **dict.fromkeys(("batches", "counting", "files", "listing"), "hookline.endpoints"),
    "structuring": "hookline.schema",
}
"""Modules of ``hookline`` that contract 1.0 put into packages."""

_BOUND: Final = re.compile(r"(>=|<=|==|>|<) *(\d+(?:\.\d+)*)")
_COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_NO_NAME: Final = re.compile(r"cannot import name '(\w+)' from '(hookline[\w.]*)'")


def check_contract(plugin: "Plugin") -> None:
    """Refuse a plugin that was written for another version of the contract.

    Raises:
        ConfigError: says what it was written for, what this is, what has changed, and what to do.

    """
    wanted = getattr(plugin.object, "contract", None)
    if wanted is None:
        return
    bounds = [_BOUND.fullmatch(part.strip()) for part in str(wanted).split(",")]
    if not isinstance(wanted, str) or not all(bounds):
        raise ConfigError(
            f"plugin {plugin.name!r}: `contract` must be a range of versions such as "
            f"'>=1,<2', not {wanted!r}"
        )
    here = _numbers(hookspecs.CONTRACT)
    for bound in bounds:
        if bound is not None and not _COMPARED[bound[1]](here, _numbers(bound[2])):
            older = bound[1] in ("<", "<=") or (bound[1] == "==" and here > _numbers(bound[2]))
            remedy = (
                f"it is older than this Hookline: update it{_where(plugin)}, or leave it out"
                f"{_changed(bound[1], bound[2])}"
                if older
                else "it needs a newer Hookline: update hookline, or leave the plugin out"
            )
            raise ConfigError(
                f"plugin {plugin.name!r} was written for version {wanted} of the hooks, and these are "
                f"version {hookspecs.CONTRACT}; {remedy}"
            )


def _changed(comparison: str, version: str) -> str:
    """Return what its author has to look at, for a plugin that knows the hooks up to a version."""
    last, until = _numbers(version), comparison == "<"
    since = [
        f"{each}: {what}"
        for each, what in CHANGES.items()
        if (_numbers(each) >= last if until else _numbers(each) > last)
    ]
    return f". What has changed since, {'; '.join(since)}" if since else ""


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    return (*numbers, *(0,) * (3 - len(numbers)))  # 1 and 1.0 are the same


def _where(plugin: "Plugin") -> str:
    return f" ({plugin.distribution} {plugin.version})" if plugin.version else ""


def new_home(error: BaseException) -> str:
    """Return a sentence about where something of Hookline's is now that a plugin could not import.

    Args:
        error: what its import raised.

    Returns:
        Empty where the error is about something else.

    """
    if isinstance(error, ModuleNotFoundError):
        first, _, module = str(error.name).partition(".")
        home = _MOVED.get(module.partition(".")[0]) if first == "hookline" else None
        return _outdated(f"{error.name} is {home} now") if home else ""
    named = _NO_NAME.search(str(error)) if isinstance(error, ImportError) else None
    if named is None:
        return ""
    name, module = named.groups()
    home = next((each for each in _HOMES if name in _names(each)), None)
    if home is None or home == module:
        return ""
    return _outdated(f"{name} comes from {home} now")


def _outdated(what: str) -> str:
    return (
        f". It was written for another version of the hooks, and these are version "
        f"{hookspecs.CONTRACT}: {what}"
    )


def _names(path: str) -> tuple[str, ...]:
    return tuple(getattr(import_module(path), "__all__", ()))
