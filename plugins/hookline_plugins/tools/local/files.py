"""A folder that a model may work in, and never leaves."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from shutil import rmtree
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from hookline import ConfigError, InputError
from hookline.values import thaw
from hookline_plugins.tools.running import Job

__all__ = ["Command", "Folder", "carry_out"]

_MOST_BYTES: Final = 1_000_000  # of one file
_DEEP: Final = 2  # levels that a listing shows

Given: TypeAlias = Mapping[str, Any]
Command: TypeAlias = "Callable[[Folder, Given], str]"


@frozen(kw_only=True)
class Folder:
    """A folder, and the name under which a model knows it.

    No path, and no symbolic link, leads out of it.

    Attributes:
        root: the folder; it is made when it is first needed.
        seen_as: what its paths begin with, as the model writes them: ``/memories``.
        most_files: that it may hold.

    """

    root: Path = field(converter=Path)
    seen_as: str
    most_files: int = 1_000

    def __attrs_post_init__(self) -> None:
        if self.root.is_file():
            raise ConfigError(f"tools: memory takes a directory, not {str(self.root)!r}")

    def at(self, path: Any) -> Path:
        """Return where a path of the model's is.

        Raises:
            InputError: outside of the folder, or through a symbolic link.

        """
        if not isinstance(path, str) or "\0" in path or "\\" in path:
            raise InputError(f"{path!r} is no path; paths begin with {self.seen_as}")
        pure, base = PurePosixPath(path), PurePosixPath(self.seen_as)
        if not pure.is_relative_to(base) or ".." in pure.parts:
            raise InputError(f"{path!r} is outside of {self.seen_as}")
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.root.resolve() / pure.relative_to(base)
        if Path(os.path.realpath(found)) != found:
            raise InputError(f"{path!r} leads through a symbolic link")
        return found

    def view(self, given: Given) -> str:
        """Show a file with the numbers of its lines, or what a folder holds."""
        path = given["path"]
        at = self.at(path)
        if at.is_dir():
            return "\n".join([path, *(f"  {each}" for each in _listed(at, _DEEP))])
        lines = self._file(path).read_text(encoding="utf-8").split("\n")
        first, last = _range(given.get("view_range") or (1, -1))
        chosen = lines[first - 1 : None if last == -1 else last]
        return "\n".join(f"{number:6}\t{line}" for number, line in enumerate(chosen, start=first))

    def create(self, given: Given) -> str:
        """Write a file, in place of what is there."""
        at = self.at(given["path"])
        if at.is_dir() or at == self.root.resolve():
            raise InputError(f"{given['path']} is a directory")
        self._write(at, _text(given, "file_text"))
        return f"{given['path']} is written"

    def str_replace(self, given: Given) -> str:
        """Put one text in the place of another that stands in a file once."""
        at = self._file(given["path"])
        text = at.read_text(encoding="utf-8")
        old = _text(given, "old_str")
        count = text.count(old) if old else 0
        if count != 1:
            raise InputError(
                f"old_str must stand in {given['path']} once, and stands {count} times"
            )
        self._write(at, text.replace(old, _text({"new_str": "", **given}, "new_str")))
        return f"{given['path']} is changed"

    def insert(self, given: Given) -> str:
        """Put lines after a line."""
        at = self._file(given["path"])
        lines = at.read_text(encoding="utf-8").split("\n")
        after = given["insert_line"]
        if not isinstance(after, int) or not 0 <= after <= len(lines):
            raise InputError(f"insert_line must be from 0 to {len(lines)}, not {after!r}")
        name = "insert_text" if "insert_text" in given else "new_str"  # as the oldest editor says
        lines[after:after] = _text(given, name).removesuffix("\n").split("\n")
        self._write(at, "\n".join(lines))
        return f"{given['path']} is changed"

    def delete(self, given: Given) -> str:
        """Delete a file or a folder."""
        at = self.at(given["path"])
        if at == self.root.resolve():
            raise InputError(f"{self.seen_as} itself cannot be deleted")
        if not at.exists():
            raise InputError(f"there is no {given['path']}")
        if at.is_dir():
            rmtree(at)
        else:
            at.unlink()
        return f"{given['path']} is deleted"

    def rename(self, given: Given) -> str:
        """Move a file or a folder, where nothing is yet."""
        old, new = self.at(given["old_path"]), self.at(given["new_path"])
        if self.root.resolve() in (old, new):
            raise InputError(f"{self.seen_as} itself cannot be renamed")
        if not old.exists() or new.exists():
            raise InputError(
                f"there must be {given['old_path']}, and no {given['new_path']}, for that"
            )
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        return f"{given['old_path']} is now {given['new_path']}"

    def _file(self, path: Any) -> Path:
        found = self.at(path)
        if not found.is_file():
            raise InputError(f"there is no file {path}")
        if found.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is larger than {_MOST_BYTES:,} bytes")
        return found

    def _write(self, at: Path, text: str) -> None:
        if len(text.encode("utf-8", "replace")) > _MOST_BYTES:
            raise InputError(f"a file may have {_MOST_BYTES:,} bytes at most")
        if not at.exists() and sum(1 for _ in self.root.rglob("*")) >= self.most_files:
            raise InputError(f"the folder is full: it may hold {self.most_files:,} files")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text, encoding="utf-8", errors="replace")


async def carry_out(folder: Folder, commands: Mapping[str, Command], job: Job) -> str:
    """Carry a command out that a model gave.

    Raises:
        InputError: an unknown command, a path outside, a file that is not there.

    """
    given = thaw(job.call.input)
    command = commands.get(str(given.get("command", "")))
    if command is None:
        raise InputError(f"commands are {', '.join(commands)}")
    try:
        return await job.turn.io.outwait(command, folder, given, seconds=job.seconds)
    except KeyError as error:
        raise InputError(f"the command needs {error}") from error
    except UnicodeDecodeError as error:
        raise InputError("that file is no text") from error
    except OSError as error:
        raise InputError(f"that cannot be done: {error.strerror}") from error


def _text(given: Given, name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, not {value!r}")
    return value


def _range(given: Any) -> tuple[int, int]:
    whole = isinstance(given, list | tuple) and all(type(line) is int for line in given)
    if not whole or len(given) != 2:  # noqa: PLR2004 -- a first and a last line
        raise InputError(f"view_range takes two line numbers, [first, last], not {given!r}")
    first, last = given
    return max(first, 1), last


def _listed(folder: Path, levels: int) -> Iterable[str]:
    for each in sorted(folder.iterdir()):
        if each.name.startswith(".") or each.is_symlink():
            continue
        if each.is_dir():
            yield f"{each.name}/"
            if levels > 1:
                yield from (f"  {inner}" for inner in _listed(each, levels - 1))
        else:
            yield f"{each.name} ({each.stat().st_size:,} bytes)"
