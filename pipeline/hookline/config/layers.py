"""The layers that settings come in, each with what it says and where it says it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final

from attrs import field, frozen

from hookline.config.files import Key, TomlFile
from hookline.config.options import read_text
from hookline.errors import ConfigError, MissingExtra
from hookline.errors.nearest import nearest
from hookline.values.brief import brief

__all__ = [
    "LISTS",
    "Layer",
    "Origin",
    "dotted",
    "located",
    "of_code",
    "of_environment",
    "of_file",
    "of_table",
    "setting",
]

LISTS: Final = ("enable", "disable", "files")
"""Settings about plugins as such, which files hold under ``[plugins]``."""

_TABLE: Final = "config="
_PREFIX: Final = "HOOKLINE_"
_NOT_SETTINGS: Final = frozenset({_PREFIX + "CONFIG", _PREFIX + "POLICY"})
_OF_EVERY_CLIENT: Final[Mapping[str, str]] = {
    "ANTHROPIC_API_KEY": "api_key",
    "ANTHROPIC_AUTH_TOKEN": "auth_token",
    "ANTHROPIC_BASE_URL": "base_url",
}


class Origin(IntEnum):
    """Where a value comes from, the weakest first. Trust follows it."""

    DEFAULT = 0
    FOUND_FILE = 1
    USER_FILE = 2
    NAMED_FILE = 3
    ENVIRONMENT = 4
    CODE = 5
    POLICY = 6

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@frozen(eq=False)
class Layer:
    """What one layer says.

    Attributes:
        origin: what kind of layer it is.
        name: the file's path, ``environment``, ``config=``, ``code`` or the policy's id.
        values: by key. A plugin's table has a key of its own, even if it is empty.
        where: says for a key where the value stands: file and line, or a variable.
        holds_secrets: whether a secret stands here itself, and not only a reference to it.

    """

    origin: Origin
    name: str
    values: Mapping[Key, Any] = field(repr=False)
    where: Callable[[Key], str] = field(repr=False)
    holds_secrets: bool = False


def dotted(key: Key) -> str:
    """Return a key as it is written: ``plugins.images.strategy``."""
    return ".".join(key)


def setting(key: Key) -> str:
    """Return the name of the setting that a key stands for, or "" for what is a plugin's."""
    if len(key) == 1:
        return key[0]
    return key[1] if len(key) == 2 and key[1] in LISTS else ""  # noqa: PLR2004 -- plugins.disable


@contextmanager
def located(layer: Layer, key: Key) -> Iterator[None]:
    """Put the place of a value before what is said against it."""
    try:
        yield
    except MissingExtra:
        raise
    except ConfigError as error:
        place = layer.where(key)
        raise ConfigError(f"{place}: {error}" if place else str(error)) from error.__cause__


def of_file(origin: Origin, file: TomlFile, known: Collection[str]) -> Layer:
    """Return the layer that a file is.

    Args:
        origin: how the file came to be read.
        file: its content.
        known: the settings that there are.

    Raises:
        ConfigError: an unknown setting, or a table that is none.

    """
    values = dict(_flat(file.table, file.where, known))
    return Layer(origin, file.name, values, file.where)


def of_table(table: Mapping[str, Any], known: Collection[str]) -> Layer:
    """Return the layer that a program's ``config={…}`` is: code, like its arguments.

    Raises:
        ConfigError: as for ``of_file``.

    """
    values = dict(_flat(table, lambda _: _TABLE, known))
    return Layer(Origin.CODE, _TABLE, values, lambda _: _TABLE)


def of_code(said: Mapping[str, Any], known: Collection[str]) -> Layer:
    """Return the layer of a program's arguments.

    Raises:
        ConfigError: a setting that there is not.

    """
    for name in said:
        if name not in known:
            raise ConfigError(f"there is no setting {name!r}; {nearest(name, known)}")
    values = {_key(name): value for name, value in said.items()}
    return Layer(Origin.CODE, "code", values, lambda _: "", holds_secrets=True)


def of_environment(environ: Mapping[str, str], types: Mapping[str, Any]) -> Layer:
    """Return the layer of the environment; a variable that is empty says nothing.

    Args:
        environ: the variables.
        types: those settings that a variable may give, and the type of each.

    Raises:
        ConfigError: a variable of ours that there is not.

    """
    values: dict[Key, Any] = {}
    variables: dict[Key, str] = {}

    def add(variable: str, key: Key, value: Any) -> None:
        values[key] = value
        variables[key] = variable

    for variable, name in _OF_EVERY_CLIENT.items():
        if environ.get(variable):
            add(variable, (name,), environ[variable].strip())
    for variable in sorted(environ):
        text = environ[variable]
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS or not text:
            continue
        name, _, option = variable[len(_PREFIX) :].lower().partition("__")
        if option:
            plugin = name.replace("_", "-")
            add(variable, ("plugins", plugin), {})
            add(variable, ("plugins", plugin, option), read_text(text, None))
        elif name in types:
            add(variable, _key(name), read_text(text, types[name]))
        else:
            hint = nearest(variable, [_PREFIX + each.upper() for each in types])
            raise ConfigError(f"unknown environment variable {variable}; {hint}")
    return Layer(
        Origin.ENVIRONMENT, "environment", values, variables.__getitem__, holds_secrets=True
    )


def _key(name: str) -> Key:
    return ("plugins", name) if name in LISTS else (name,)


def _flat(
    table: Mapping[str, Any], where: Callable[[Key], str], known: Collection[str]
) -> Iterator[tuple[Key, Any]]:
    """Yield what a table of settings says, by key."""
    for name, value in table.items():
        if name not in known:
            raise ConfigError(
                f"{where((name,))}: unknown option {name!r}; {nearest(str(name), known)}"
            )
        if name != "plugins":
            yield (name,), value
            continue
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where((name,))}: plugins must be a table, not {brief(value)}")
        for plugin, options in value.items():
            key = (name, str(plugin))
            if plugin in LISTS:
                yield key, options
                continue
            if not isinstance(options, Mapping):
                raise ConfigError(
                    f"{where(key)}: plugins.{plugin} must be a table of options: [plugins.{plugin}]"
                )
            yield key, {}
            yield from (((*key, str(option)), given) for option, given in options.items())
