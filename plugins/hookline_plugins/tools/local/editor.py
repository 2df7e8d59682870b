"""The text editor tool: it shows and changes files below one folder (facts 10.5)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from hookline import ConfigError, Turn
from hookline.values import ToolSpec
from hookline_plugins.tools.known import defined
from hookline_plugins.tools.local.files import Command, Folder, carry_out
from hookline_plugins.tools.running import Job

__all__ = ["TextEditor"]

_MOST_FILES: Final = 100_000
_COMMANDS: Final[Mapping[str, Command]] = {
    name: getattr(Folder, name) for name in ("view", "create", "str_replace", "insert")
}
_STRING: Final = {"type": "string"}
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "command": {"type": "string", "enum": list(_COMMANDS)},
        "path": {"type": "string", "description": "Of a file or folder, from the root on."},
        "view_range": {"type": "array", "items": {"type": "integer"}},
        **dict.fromkeys(("file_text", "old_str", "new_str", "insert_text"), _STRING),
        "insert_line": {"type": "integer"},
    },
    "required": ["command", "path"],
}


@frozen
class TextEditor:
    """Shows and changes text files; which ones is the operator's to say.

    Attributes:
        folder: what the model may work in.

    """

    folder: Folder

    @classmethod
    def of(cls, root: Any, *, seen_as: str = "") -> "TextEditor":
        """Read a route.

        Args:
            root: the folder.
            seen_as: where it lies for the model, for example in a sandbox; by default where it lies.

        Raises:
            ConfigError: no folder, or a relative ``seen_as``.

        """
        if not isinstance(root, str | Path) or not Path(root).is_dir():
            raise ConfigError(f"tools: text_editor takes a folder that is there, not {root!r}")
        if seen_as and not seen_as.startswith("/"):
            raise ConfigError(f"tools: seen_as is a path from the root on, not {seen_as!r}")
        shown = seen_as or Path(root).resolve().as_posix()
        return cls(Folder(root=root, seen_as=shown, most_files=_MOST_FILES))

    def __str__(self) -> str:
        return f"text_editor {self.folder.root}"

    async def tools(self, turn: Turn, model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the one tool; its name differs by model."""
        text = f"Look at text files below {self.folder.seen_as}, and change them."
        tool = defined(turn, model, "text_editor", text, _SCHEMA)
        return ((str(getattr(tool, "name", "")), tool),)

    async def run(self, job: Job) -> Any:
        """Carry a command out.

        Raises:
            InputError: an unknown command, a path outside, a file that is not there.

        """
        return await carry_out(self.folder, _COMMANDS, job)
