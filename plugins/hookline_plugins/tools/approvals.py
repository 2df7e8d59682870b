"""What a user has approved of MCP servers: the hashes of their tools, kept from one run to the next.

A server that describes a tool one way when it is looked at, and another way later, gives orders to the
model. So the first description that is seen is pinned; another one is refused, or somebody is asked.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from hookline import ConfigError, InputError, Tool
from hookline.plugin import read_file, state_folder, write_file
from hookline.values import thaw

__all__ = ["Approvals"]

_MOST_BYTES: Final = 16 * 1024 * 1024


@frozen
class Approvals:
    """The approvals of this user.

    Attributes:
        path: the file; by default in the user's state directory.

    """

    path: Path

    @classmethod
    def of_user(cls) -> "Approvals":
        """Return those of whoever runs this process."""
        return cls(state_folder() / "mcp-approvals.json")

    def read(self) -> dict[str, dict[str, str]]:
        """Return the hashes by server and tool.

        Raises:
            ConfigError: the file cannot be read.

        """
        if not self.path.exists():
            return {}
        try:
            found = json.loads(read_file(self.path, most=_MOST_BYTES))
        except ValueError as error:  # an InputError, too
            raise ConfigError(
                f"{self.path} cannot be read ({error}); repair it, or delete it to approve anew"
            ) from error
        if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
            raise ConfigError(f"{self.path} is no list of approvals; delete it to approve anew")
        return found

    def changed(self, server: str, tools: Iterable[Tool]) -> tuple[Tool, ...]:
        """Return the tools that are described in another way than when they were approved."""
        pinned = self.read().get(server, {})
        return tuple(tool for tool in tools if pinned.get(tool.name, _hash(tool)) != _hash(tool))

    def pin(self, server: str, tools: Iterable[Tool]) -> None:
        """Approve tools as they are described now."""
        known = self.read()
        pinned = known.get(server, {})
        approved = {**pinned, **{tool.name: _hash(tool) for tool in tools}}
        if approved != pinned:
            self._write({**known, server: approved})

    def forget(self, server: str) -> bool:
        """Drop what was approved of a server; return whether there was anything."""
        known = self.read()
        if known.pop(server, None) is None:
            return False
        self._write(known)
        return True

    def _write(self, approvals: Mapping[str, Any]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_file(self.path, json.dumps(approvals, indent=1, sort_keys=True).encode())
        except (OSError, InputError) as error:
            raise ConfigError(f"{self.path} cannot be written: {error}") from error


def _hash(tool: Tool) -> str:
    said = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": thaw(tool.input_schema),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
