"""The files with settings: where they are looked for, how they are read, and on which line a key stands."""

import os
import stat
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from hookline.errors import ConfigError

__all__ = ["FILE_NAME", "Key", "TomlFile", "find_file", "read_file", "user_file"]

FILE_NAME: Final = "hookline.toml"
_PROJECT: Final = "pyproject.toml"
_TOOL: Final = ("tool", "hookline")  # where a pyproject.toml holds settings
_REPOSITORY: Final = (".git", ".hg", ".jj")
_MOST_BYTES: Final = 1 << 20

Key: TypeAlias = tuple[str, ...]
"""Where a value stands: ``("plugins", "images", "strategy")``."""


@frozen(eq=False, slots=False)
class TomlFile:
    """A file with settings.

    Attributes:
        name: its path, as it was given.
        text: its content.
        table: the settings in it.
        inside: the table that holds them; empty for the whole file.

    """

    name: str
    text: str = field(repr=False)
    table: Mapping[str, Any] = field(repr=False)
    inside: Key = ()

    @cached_property
    def _lines(self) -> Mapping[Key, tuple[int, ...]]:
        lines: dict[Key, tuple[int, ...]] = {}
        for key, line in _key_lines(self.text):
            lines[key] = (*lines.get(key, ()), line)
        return lines

    def where(self, key: Key) -> str:
        """Return file and line of a key; of what holds it, where it has no line of its own."""
        path = (*self.inside, *key)
        while path and path not in self._lines:
            path = path[:-1]
        return f"{self.name}:{self._lines[path][0]}" if path else self.name

    def where_in(self, table: str, number: int, key: Key = ()) -> str:
        """Return file and line of a key in one table of an array: of ``when`` in the third ``[[rule]]``.

        Args:
            table: name of the array.
            number: of the table, from 0.
            key: within it; empty for the table itself.

        """
        begins = self._lines.get((*self.inside, table), ())
        if number >= len(begins):  # written in brackets, on a line of the array's own
            return self.where((table,))
        begin = begins[number]
        end = begins[number + 1] if number + 1 < len(begins) else sys.maxsize
        path = (*self.inside, table, *key)
        while len(path) > 1:
            line = next((each for each in self._lines.get(path, ()) if begin <= each < end), None)
            if line is not None:
                return f"{self.name}:{line}"
            path = path[:-1]
        return f"{self.name}:{begin}"


def find_file() -> TomlFile | None:
    """Look for settings in the current directory and upward.

    Within a repository the search ends at its root, elsewhere below the user's home. Outside of both
    only the current directory counts: what lies above it may be anybody's. The first file with
    settings is taken: a ``hookline.toml``, or a ``pyproject.toml`` with a table ``[tool.hookline]``.

    Raises:
        ConfigError: the file is wrong.

    """
    # Texts instead of Path, whose exists() raises where a folder may not be read, and which would
    # make this the greater part of reading settings.
    try:
        here = os.getcwd()  # noqa: PTH109 -- as said
    except OSError:  # it has been removed
        return None
    for folder in _searched(here):
        for name in (FILE_NAME, _PROJECT):
            path = os.path.join(folder, name)  # noqa: PTH118 -- as said
            if os.path.isfile(path):  # noqa: PTH113 -- as said
                found = read_file(name if folder == here else path, project=name == _PROJECT)
                if found is not None:
                    return found
    return None


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Return where the user's own settings are kept, or None where there is no home.

    Args:
        environ: ``XDG_CONFIG_HOME``, ``HOME`` or ``APPDATA``.

    """
    home = environ.get("HOME", "")
    if sys.platform == "win32":
        base = environ.get("APPDATA", "")
    elif sys.platform == "darwin":
        base = environ.get("XDG_CONFIG_HOME") or (home and f"{home}/Library/Application Support")
    else:
        base = environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
    return Path(base, "hookline", "config.toml") if Path(base).is_absolute() else None


def read_file(path: str | os.PathLike[str], *, project: bool = False) -> TomlFile | None:
    """Read a file with settings.

    Args:
        path: of the file.
        project: it is a ``pyproject.toml``, whose table ``[tool.hookline]`` is meant.

    Returns:
        The settings, or None for a project without any.

    Raises:
        ConfigError: it is missing, no regular file, too large or no TOML.

    """
    name = os.fspath(path)
    text = read_regular(name, "configuration file")
    if project and _TOOL[1] not in text:
        return None  # most projects, without the cost of reading them as TOML
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: {error}") from error
    if not project:
        return TomlFile(name, text, table)
    tools = table.get(_TOOL[0], {})
    if not isinstance(tools, Mapping) or _TOOL[1] not in tools:
        return None
    settings = tools[_TOOL[1]]
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{name}: tool.hookline must be a table of settings: [tool.hookline]")
    return TomlFile(name, text, settings, _TOOL)


def read_regular(name: str, what: str) -> str:
    """Return the text of a regular file of bounded size.

    Args:
        name: its path.
        what: it is, for messages.

    Raises:
        ConfigError: there is none, or something else of this name.

    """
    try:
        with open(os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # noqa: PTH123 -- a named pipe without a writer would block for ever
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"{what} {name!r} is no regular file")
            data = file.read(_MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {what} {name!r}") from error
    except (OSError, ValueError) as error:  # a directory, no right to read it, not UTF-8, a NUL
        raise ConfigError(f"{what} {name!r} cannot be read: {error}") from error
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{what} {name!r} is larger than {_MOST_BYTES >> 20} MiB")
    return text


def _searched(start: str) -> list[str]:
    """Return the folders in which a file may be found, nearest first."""
    above = [start]
    while (parent := os.path.dirname(above[-1])) != above[-1]:  # noqa: PTH120 -- see find_file
        above.append(parent)
    for place, folder in enumerate(above):
        if any(os.path.exists(os.path.join(folder, mark)) for mark in _REPOSITORY):  # noqa: PTH110, PTH118 -- as above
            return above[: place + 1]
    home = os.path.expanduser("~")  # noqa: PTH111 -- as above
    return above[: above.index(home)] or [start] if home in above else [start]


def _key_lines(text: str) -> Iterator[tuple[Key, int]]:
    """Yield every key of a TOML text with the line where it begins.

    ``tomllib`` reads one statement at a time: a statement is as many lines as it takes to be TOML.
    """
    table: Key = ()
    waiting, begun = "", 1
    for number, line in enumerate(StringIO(text), 1):  # splitlines() has ends that TOML has not
        begun = begun if waiting else number
        waiting += line
        try:
            part = tomllib.loads(waiting)
        except tomllib.TOMLDecodeError:
            continue
        if waiting.lstrip().startswith("["):
            table = ()
            for path in _paths(part):
                table = path  # the last is the deepest
                yield path, begun
        else:
            yield from (((*table, *path), begun) for path in _paths(part))
        waiting = ""


def _paths(part: Any) -> Iterator[Key]:
    if isinstance(part, list):  # a table of an array, or values in brackets
        for item in part:
            yield from _paths(item)
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield (name,)
            yield from ((name, *deeper) for deeper in _paths(value))
