"""The memory tool: a directory that the model keeps notes in, and never leaves (facts 10.5)."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from shutil import rmtree
from typing import Any, Final

from attrs import field, frozen

from hookline import ConfigError, InputError, Turn
from hookline.values import ServerTool, ToolSpec, thaw
from hookline_plugins.tools.running import Job

__all__ = ["Memory"]

_TYPE: Final = "memory_20250818"
_NAME: Final = "memory"
_ROOT: Final = "/memories"
_MOST_BYTES: Final = 1_000_000  # of one file
_MOST_FILES: Final = 1_000
_DEEP: Final = 2  # levels that a listing shows


@frozen
class Memory:
    """A directory store with the commands of the memory tool.

    The model sees it as ``/memories``; no path, and no symbolic link, leads out of it.

    Attributes:
        folder: the directory; it is made when the first turn needs it.

    """

    folder: Path = field(converter=Path)

    def __attrs_post_init__(self) -> None:
        if not str(self.folder).strip(". ") or self.folder.is_file():
            raise ConfigError(f"tools: memory takes a directory, not {str(self.folder)!r}")

    def __str__(self) -> str:
        return f"memory {self.folder}"

    async def tools(self, _turn: Turn, _model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the one tool."""
        return ((_NAME, ServerTool(type=_TYPE, name=_NAME)),)

    async def run(self, job: Job) -> Any:
        """Carry a command out.

        Raises:
            InputError: an unknown command, a path outside, a file that is not there.

        """
        given = thaw(job.call.input)
        command = _COMMANDS.get(given.get("command", ""))
        if command is None:
            raise InputError(f"commands are {', '.join(_COMMANDS)}")
        try:
            return await job.turn.io.outwait(command, self, given, seconds=job.seconds)
        except KeyError as error:
            raise InputError(f"the command needs {error}") from error
        except OSError as error:
            raise InputError(f"that cannot be done: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError("that file is no text") from error

    def _at(self, path: Any) -> Path:
        """Return where a path of the model's is.

        Raises:
            InputError: outside of the store, or through a symbolic link.

        """
        if not isinstance(path, str) or "\0" in path or "\\" in path:
            raise InputError(f"{path!r} is no path; paths begin with {_ROOT}")
        pure = PurePosixPath(path)
        if pure.parts[:2] != ("/", "memories") or ".." in pure.parts:
            raise InputError(f"{path!r} is outside of {_ROOT}")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        root = self.folder.resolve()
        found = root.joinpath(*pure.parts[2:])
        if Path(os.path.realpath(found)) != found:
            raise InputError(f"{path!r} leads through a symbolic link")
        return found

    def _file(self, path: Any) -> Path:
        found = self._at(path)
        if not found.is_file():
            raise InputError(f"there is no file {path}")
        if found.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is larger than {_MOST_BYTES:,} bytes")
        return found

    def _write(self, at: Path, text: str) -> None:
        if len(text.encode("utf-8", "replace")) > _MOST_BYTES:
            raise InputError(f"a file may have {_MOST_BYTES:,} bytes at most")
        if not at.exists() and sum(1 for _ in self.folder.rglob("*")) >= _MOST_FILES:
            raise InputError(f"the store is full: it may hold {_MOST_FILES:,} files")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text, encoding="utf-8", errors="replace")

    def _view(self, given: Mapping[str, Any]) -> str:
        path = given["path"]
        at = self._at(path)
        if at.is_dir():
            lines = [path, *(f"  {each}" for each in _listed(at, _DEEP))]
            return "\n".join(lines)
        lines = self._file(path).read_text(encoding="utf-8").split("\n")
        first, last = given.get("view_range") or (1, -1)
        chosen = lines[max(first, 1) - 1 : None if last == -1 else last]
        return "\n".join(
            f"{number:6}\t{line}" for number, line in enumerate(chosen, start=max(first, 1))
        )

    def _create(self, given: Mapping[str, Any]) -> str:
        at = self._at(given["path"])
        if at.is_dir() or at == self.folder.resolve():
            raise InputError(f"{given['path']} is a directory")
        self._write(at, given["file_text"])
        return f"{given['path']} is written"

    def _str_replace(self, given: Mapping[str, Any]) -> str:
        at = self._file(given["path"])
        text = at.read_text(encoding="utf-8")
        old = given["old_str"]
        count = text.count(old) if old else 0
        if count != 1:
            raise InputError(
                f"old_str must stand in {given['path']} once, and stands {count} times"
            )
        self._write(at, text.replace(old, given.get("new_str", "")))
        return f"{given['path']} is changed"

    def _insert(self, given: Mapping[str, Any]) -> str:
        at = self._file(given["path"])
        lines = at.read_text(encoding="utf-8").split("\n")
        after = given["insert_line"]
        if not isinstance(after, int) or not 0 <= after <= len(lines):
            raise InputError(f"insert_line must be from 0 to {len(lines)}, not {after!r}")
        lines[after:after] = str(given["insert_text"]).removesuffix("\n").split("\n")
        self._write(at, "\n".join(lines))
        return f"{given['path']} is changed"

    def _delete(self, given: Mapping[str, Any]) -> str:
        at = self._at(given["path"])
        if at == self.folder.resolve():
            raise InputError(f"{_ROOT} itself cannot be deleted")
        if not at.exists():
            raise InputError(f"there is no {given['path']}")
        if at.is_dir():
            rmtree(at)
        else:
            at.unlink()
        return f"{given['path']} is deleted"

    def _rename(self, given: Mapping[str, Any]) -> str:
        old, new = self._at(given["old_path"]), self._at(given["new_path"])
        if self.folder.resolve() in (old, new):
            raise InputError(f"{_ROOT} itself cannot be renamed")
        if not old.exists() or new.exists():
            raise InputError(
                f"there must be {given['old_path']}, and no {given['new_path']}, for that"
            )
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        return f"{given['old_path']} is now {given['new_path']}"


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


_COMMANDS: Final[Mapping[str, Callable[[Memory, Mapping[str, Any]], str]]] = {
    "view": Memory._view,  # noqa: SLF001 -- its own commands, by the names that the model uses
    "create": Memory._create,  # noqa: SLF001 -- as above
    "str_replace": Memory._str_replace,  # noqa: SLF001 -- as above
    "insert": Memory._insert,  # noqa: SLF001 -- as above
    "delete": Memory._delete,  # noqa: SLF001 -- as above
    "rename": Memory._rename,  # noqa: SLF001 -- as above
}
