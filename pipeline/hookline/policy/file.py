"""One policy file: what may stand in it, with its lines. Anything that is not understood is an error."""

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import IntEnum
from typing import Any, Final

from attrs import Attribute, field, frozen

from hookline.config import SETTINGS, Bound, Key, TomlFile, checked, dotted, facts_of, nearest
from hookline.errors import ConfigError
from hookline.values.brief import brief

__all__ = ["Include", "PolicyFile", "RuleTable", "Standing", "parsed"]

_LISTS: Final = ("require", "allow_distributions", "deny")
_SWITCHES: Final = (*_LISTS, "code_plugins")
_TABLES: Final = ("policy", "plugins", "lock", "bounds", "rule", "include")
_ABOUT: Final = ("id", "contact", "include")
_INCLUDED: Final = ("path", "sha256", "signed_by")
_BOUNDS: Final = ("min", "max")
_PLUGIN_OPTION: Final = 3  # parts of "plugins.images.strategy"


class Standing(IntEnum):
    """Whose a policy file is, the weakest first: of several only the strongest may weaken enforcers."""

    CODE = 1
    ENVIRONMENT = 2
    SYSTEM = 3


@frozen(eq=False)
class RuleTable:
    """One ``[[rule]]`` as it was written.

    Attributes:
        values: what stands in it.
        where: says for a key in it where that stands: file and line.

    """

    values: Mapping[str, Any]
    where: Callable[[Key], str] = field(repr=False)


@frozen
class Include:
    """Another file that a policy file brings.

    Attributes:
        path: of it, relative to the file that brings it.
        sha256: that its bytes must have, or empty.
        signed_by: a public key that must have signed it, or empty.
        where: file and line of the wish.

    """

    path: str
    sha256: str = ""
    signed_by: str = ""
    where: str = ""


@frozen(kw_only=True, eq=False)
class PolicyFile:
    """What one policy file says.

    Attributes:
        name: its path.
        digest: SHA-256 of its bytes, for the audit.
        standing: whose it is.
        id: what it calls itself, or its path.
        contact: whom to ask.
        require: plugins that must take part, each with the versions that will do.
        allow_distributions: patterns; where not None, nothing else is loaded.
        deny: plugins that are not loaded.
        code_plugins: whether plugins may be handed over as objects.
        lock: values that options have, whatever any layer says.
        bounds: what is allowed of numbers.
        rules: what the plugin ``rules`` holds every turn to.
        include: further files.
        where: says for a key where it stands.

    """

    name: str
    digest: str
    standing: Standing
    id: str
    contact: str = ""
    require: tuple[str, ...] = ()
    allow_distributions: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    code_plugins: bool = True
    lock: Mapping[Key, Any] = field(factory=dict)
    bounds: Mapping[Key, Bound] = field(factory=dict)
    rules: tuple[RuleTable, ...] = ()
    include: tuple[Include, ...] = ()
    where: Callable[[Key], str] = field(repr=False)


def parsed(file: TomlFile, digest: str, standing: Standing) -> PolicyFile:
    """Understand a policy file, all of it.

    Args:
        file: as it was read.
        digest: SHA-256 of its bytes.
        standing: whose it is.

    Raises:
        ConfigError: names file and line of what is not understood, and the nearest name there is.

    """
    table = file.table
    _check_names(file, (), table, _TABLES)
    about = _table(file, ("policy",))
    _check_names(file, ("policy",), about, _ABOUT)
    plugins = _table(file, ("plugins",))
    lists = {
        name: tuple(_names(file, ("plugins", name), plugins[name]))
        for name in _LISTS
        if name in plugins
    }
    lock = dict(_locks(file, plugins))
    return PolicyFile(
        name=file.name,
        digest=digest,
        standing=standing,
        id=_text(file, ("policy", "id"), about.get("id", file.name)),
        contact=_text(file, ("policy", "contact"), about.get("contact", "")),
        require=lists.get("require", ()),
        allow_distributions=lists.get("allow_distributions"),
        deny=lists.get("deny", ()),
        code_plugins=_switch(file, ("plugins", "code_plugins"), plugins.get("code_plugins", True)),
        lock=lock,
        bounds=dict(_bounds(file, lock)),
        rules=tuple(_rules(file)),
        include=(
            *_includes(file, ("include",), table.get("include", [])),
            *_includes(file, ("policy", "include"), about.get("include", [])),
        ),
        where=file.where,
    )


def _wrong(file: TomlFile, key: Key, text: str) -> ConfigError:
    return ConfigError(f"{file.where(key)}: {text}")


def _check_names(
    file: TomlFile, key: Key, table: Mapping[str, Any], known: Collection[str]
) -> None:
    for name in table:
        if name not in known:
            path = (*key, name)
            raise _wrong(file, path, f"a policy has no {dotted(path)!r}; {nearest(name, known)}")


def _table(file: TomlFile, key: Key) -> Mapping[str, Any]:
    value = file.table.get(key[0], {})
    if not isinstance(value, Mapping):
        raise _wrong(file, key, f"{dotted(key)} must be a table, not {brief(value)}")
    return value


def _names(file: TomlFile, key: Key, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise _wrong(file, key, f"{dotted(key)} must be a list of names, not {brief(value)}")
    return value


def _text(file: TomlFile, key: Key, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise _wrong(file, key, f"{dotted(key)} must be a text on one line, not {brief(value)}")
    return value


def _switch(file: TomlFile, key: Key, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(file, key, f"{dotted(key)} must be true or false, not {brief(value)}")
    return value


def _locks(file: TomlFile, plugins: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    """Yield what is fixed: under ``[lock]``, and as a table of a plugin, which is the same."""
    for name, value in _table(file, ("lock",)).items():
        at, key = ("lock", name), tuple(name.split("."))
        if isinstance(value, Mapping) and name not in ("headers", "models"):
            hint = f'"{name}.{next(iter(value), "OPTION")}" = …'
            raise _wrong(file, at, f"lock takes options by their whole name: {hint}")
        field = _setting(file, at, key)
        if field is not None and not facts_of(field).secret:
            try:
                checked(name, value, field.type, facts_of(field))
            except ConfigError as error:
                raise _wrong(file, at, str(error)) from error
        yield key, value
    for name, options in plugins.items():
        if name in _SWITCHES:
            continue
        if not isinstance(options, Mapping):
            hint = nearest(name, _SWITCHES)
            raise _wrong(file, ("plugins", name), f"a policy has no 'plugins.{name}'; {hint}")
        for option, value in options.items():
            yield ("plugins", name, option), value


def _setting(file: TomlFile, at: Key, key: Key) -> "Attribute[Any] | None":
    """Return the setting that a key means, or None for an option of a plugin."""
    if len(key) == _PLUGIN_OPTION and key[0] == "plugins":
        return None
    if len(key) == 1 and key[0] in SETTINGS and key[0] not in ("enable", "disable"):
        return SETTINGS[key[0]]
    known = [name for name in SETTINGS if name not in ("enable", "disable")]
    raise _wrong(
        file,
        at,
        f"there is no option {dotted(key)!r}; {nearest(dotted(key), known)}, or plugins.NAME.OPTION",
    )


def _bounds(file: TomlFile, lock: Mapping[Key, Any]) -> Iterator[tuple[Key, Bound]]:
    for name, value in _table(file, ("bounds",)).items():
        at, key = ("bounds", name), tuple(name.split("."))
        if not isinstance(value, Mapping) or not value:
            raise _wrong(file, at, f"bounds of {name} are a table: {{ max = … }}, {{ min = … }}")
        _check_names(file, at, value, _BOUNDS)
        for number in value.values():
            if isinstance(number, bool) or not isinstance(number, int | float) or number != number:  # noqa: PLR0124 -- NaN
                raise _wrong(file, at, f"a bound must be a number, not {brief(number)}")
        field = _setting(file, at, key)
        if field is not None and field.type not in (int, float):
            raise _wrong(file, at, f"{name} is no number, so it has no bounds; lock it")
        place = file.where(at)
        bound = Bound(least=value.get("min"), most=value.get("max"), by=place)
        bound.joined(Bound(by=place))
        if field is not None:
            floor = facts_of(field)
            if bound.most is not None and floor.outside(bound.most):
                raise _wrong(
                    file, at, f"{name} must be a number{floor.bounds}, so this bound allows none"
                )
        if key in lock and not bound.holds(lock[key]):
            raise _wrong(
                file, at, f"{name} is locked to {lock[key]!r}, which is out of these bounds"
            )
        yield key, bound


def _rules(file: TomlFile) -> Iterator[RuleTable]:
    rules = file.table.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(each, Mapping) for each in rules):
        raise _wrong(file, ("rule",), "rules are written as [[rule]]")
    for number, values in enumerate(rules):

        def where(key: Key, number: int = number) -> str:
            return file.where_in("rule", number, key)

        yield RuleTable(values, where)


def _includes(file: TomlFile, key: Key, given: Any) -> Iterator[Include]:
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise _wrong(file, key, 'include is a list of tables: [{ path = "…", sha256 = "…" }]')
    for each in given:
        for name, value in each.items():
            if name not in _INCLUDED:
                raise _wrong(file, key, f"include has no {name!r}; {nearest(name, _INCLUDED)}")
            if not isinstance(value, str) or not value:
                raise _wrong(file, key, f"include.{name} must be a text, not {brief(value)}")
        if "path" not in each:
            raise _wrong(file, key, "include needs a path")
        yield Include(**each, where=file.where(key))
