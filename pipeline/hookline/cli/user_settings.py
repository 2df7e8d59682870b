"""Changing the user's own settings file: one value, checked, with every comment kept."""

import json
import os
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hookline._journey.discovery import installed
from hookline._journey.made import made
from hookline._journey.trust import options_of
from hookline.config import (
    LISTS,
    SETTINGS,
    Key,
    Origin,
    TomlFile,
    dotted,
    nearest,
    read_file,
    read_text,
    settings_of,
    user_file,
)
from hookline.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = ["set_option", "unset_option"]

_OF_A_PLUGIN = 3  # parts of plugins.NAME.OPTION


def set_option(name: str, text: str) -> Path:
    """Give an option a value in the user's file, which is made if there is none.

    Args:
        name: ``timeout``, ``plugins.disable``, ``plugins.images.strategy``.
        text: the value; TOML if it is, else plain text, and names separated by commas.

    Returns:
        The file.

    Raises:
        ConfigError: there is no such option, the value does not fit, or the file is wrong.
        MissingExtra: tomlkit is not installed.

    """
    path = _users()
    if not _is_unicode(text):
        raise ConfigError(f"the value of {name!r} is no text: it is not UTF-8")
    key, wanted = _option(name)
    value = read_text(text, wanted)
    changed = _with(path, key, list(value) if isinstance(value, tuple) else value)
    _check(TomlFile(os.fspath(path), changed, tomllib.loads(changed)), key)
    _write(path, changed)
    return path


def unset_option(name: str) -> tuple[Path, bool]:
    """Take an option out of the user's file, one that there no longer is as well.

    Args:
        name: ``timeout``, ``plugins.images.strategy``; a plugin's name (``plugins.images``) takes all of its.

    Returns:
        The file, and whether the option stood there.

    Raises:
        ConfigError: the file is wrong.
        MissingExtra: tomlkit is not installed.

    """
    path = _users()
    key = tuple(name.split("."))
    document = _document(path)
    wanted = tomllib.loads(document.as_string())
    if not _taken_out(wanted, key):
        return path, False
    _taken_out(document, key)
    changed = document.as_string()
    if not _same(tomllib.loads(changed), wanted):
        raise ConfigError(
            f"{path} is written in a way that {name} cannot be taken out of; do it by hand"
        )
    _write(path, changed)
    return path, True


def _taken_out(table: Any, key: Key) -> bool:
    """Take a key out of tables, and those that are empty then; say whether it stood there."""
    around = [table]
    for part in key[:-1]:
        inner = around[-1].get(part)
        if not isinstance(inner, dict):
            return False
        around.append(inner)
    if key[-1] not in around[-1]:
        return False
    del around[-1][key[-1]]
    for part, outer, inner in reversed(list(zip(key, around, around[1:], strict=False))):
        if not inner:  # an empty table of a plugin would say that it is to take part
            del outer[part]
    return True


def _is_unicode(text: str) -> bool:
    """Say whether a text of the command line was UTF-8; what was not has halves of characters."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _with(path: Path, key: Key, value: Any) -> str:
    """Return a file's text with a value added to it, or put in the place of another.

    There are many ways to write a table, and not all of them take a further key anywhere; so what comes out is
    read again, and must be what was there with this one change.
    """
    before = _document(path).as_string()
    wanted = tomllib.loads(before)
    table = wanted
    for place, part in enumerate(key[:-1]):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {dotted(key[: place + 1])} must be a table, not {table!r}")
    table[key[-1]] = value
    for write in (_in_tables, _at_the_end):
        changed = write(before, key, value)
        with suppress(tomllib.TOMLDecodeError):
            if _same(tomllib.loads(changed), wanted):
                return changed
    raise ConfigError(
        f"{path} is written in a way that {dotted(key)} cannot be added to; write it there by hand"
    )


def _in_tables(text: str, key: Key, value: Any) -> str:
    import tomlkit  # noqa: PLC0415 -- an extra, see _document

    document = tomlkit.parse(text)
    table: Any = document
    for part in key[:-1]:
        table = table.setdefault(part, {})
    table[key[-1]] = value
    return document.as_string()


def _at_the_end(text: str, key: Key, value: Any) -> str:
    import tomlkit  # noqa: PLC0415 -- an extra, see _document

    *tables, name = key
    header = f"[{dotted(tuple(tables))}]\n" if tables else ""
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}\n{header}{tomlkit.dumps({name: value})}"


def _same(one: Any, other: Any) -> bool:
    """Compare tables; by their texts, since NaN is not even itself."""
    return json.dumps(one, sort_keys=True, default=repr) == json.dumps(
        other, sort_keys=True, default=repr
    )


def _users() -> Path:
    path = user_file(os.environ)
    if path is None:
        raise ConfigError("there is no home directory to keep settings in: set HOME")
    return Path(os.path.realpath(path))  # a link stays one, and what it leads to is changed


def _option(name: str) -> tuple[Key, Any]:
    """Return the key of an option and its type."""
    key = tuple(name.split("."))
    if len(key) == 1 and name in SETTINGS and name not in LISTS:
        return key, SETTINGS[name].type
    if len(key) == 2 and key[0] == "plugins" and key[1] in LISTS:  # noqa: PLR2004 -- plugins.disable
        return key, SETTINGS[key[1]].type
    available = {each.name: each for each in installed()}
    if len(key) == _OF_A_PLUGIN and key[0] == "plugins" and key[1] in available:
        options = {**options_of(available[key[1]].imported()), "shadow": None}
        if key[2] in options:
            field = options[key[2]]
            return key, field.type if field is not None else bool
        raise ConfigError(f"plugin {key[1]!r} has no option {key[2]!r}; {nearest(key[2], options)}")
    known = [
        *(each for each in SETTINGS if each not in LISTS),
        *(f"plugins.{each}" for each in LISTS),
        *(f"plugins.{each}.OPTION" for each in available),
    ]
    raise ConfigError(f"there is no option {name!r}; {nearest(name, known)}")


def _document(path: Path) -> "TOMLDocument":
    try:
        import tomlkit  # noqa: PLC0415 -- an extra, which only this command needs
    except ImportError as error:
        raise MissingExtra("cli", "tomlkit", "hookline config set") from error
    if not path.exists():
        return tomlkit.document()
    file = read_file(path)
    return tomlkit.parse("" if file is None else file.text)


def _check(file: TomlFile, key: Key) -> None:
    """Refuse a value that would stop every pipeline of the user's from being built."""
    settings = settings_of(file, Origin.USER_FILE)
    if len(key) == _OF_A_PLUGIN:
        (plugin,) = (each for each in installed() if each.name == key[1])
        made(plugin, settings)


def _write(path: Path, text: str) -> None:
    """Put a file in another's place at once: there is always a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
