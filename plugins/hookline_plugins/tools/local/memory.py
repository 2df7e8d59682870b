"""The memory tool: a directory that the model keeps notes in (facts 10.5)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import field, frozen

from hookline import ConfigError, Turn
from hookline.values import ToolSpec
from hookline_plugins.tools.known import defined
from hookline_plugins.tools.local.files import Command, Folder, carry_out
from hookline_plugins.tools.running import Job

__all__ = ["Memory"]

_ROOT: Final = "/memories"
_COMMANDS: Final[Mapping[str, Command]] = {
    name: getattr(Folder, name)
    for name in ("view", "create", "str_replace", "insert", "delete", "rename")
}
_STRING: Final = {"type": "string"}
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "command": {"type": "string", "enum": list(_COMMANDS)},
        "path": {"type": "string", "description": f"Begins with {_ROOT}."},
        "view_range": {"type": "array", "items": {"type": "integer"}},
        **dict.fromkeys(("file_text", "old_str", "new_str", "insert_text"), _STRING),
        "insert_line": {"type": "integer"},
        **dict.fromkeys(("old_path", "new_path"), _STRING),
    },
    "required": ["command"],
}


def _kept_in(path: Any) -> Folder:
    if not str(path).strip(". "):  # nothing, or whatever the working directory happens to be
        raise ConfigError(f"tools: memory takes a directory, not {str(path)!r}")
    return Folder(root=path, seen_as=_ROOT)


@frozen
class Memory:
    """A directory store with the commands of the memory tool.

    The model sees it as ``/memories``; no path, and no symbolic link, leads out of it.

    Attributes:
        folder: the directory; it is made when the first turn needs it.

    """

    folder: Folder = field(converter=_kept_in)

    def __str__(self) -> str:
        return f"memory {self.folder.root}"

    async def tools(self, turn: Turn, model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the one tool."""
        text = f"Keep notes in files below {_ROOT}, from one conversation to the next."
        return (("memory", defined(turn, model, "memory", text, _SCHEMA)),)

    async def run(self, job: Job) -> Any:
        """Carry a command out.

        Raises:
            InputError: an unknown command, a path outside, a file that is not there.

        """
        return await carry_out(self.folder, _COMMANDS, job)
