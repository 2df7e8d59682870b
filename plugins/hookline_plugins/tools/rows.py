"""One line of the routing table: a tool's name or a glob, and what stands there."""

import re
from typing import Any

from attrs import frozen

from hookline.values import ToolSpec

__all__ = ["Row"]


@frozen(kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        pattern: a tool's name, or a glob: ``get_*``, ``*_ant``.
        handler: what takes the calls.
        origin: where the line comes from.
        definition: what the model is told; None if the caller tells it.

    """

    pattern: str
    handler: Any
    origin: str
    definition: ToolSpec | None = None

    @property
    def rank(self) -> tuple[bool, int]:
        """How specific it is: a name before every glob, then the longest fixed part."""
        return "*" not in self.pattern, len(self.pattern.replace("*", ""))

    def takes(self, name: str) -> bool:
        """Say whether a tool's name fits."""
        if "*" not in self.pattern:
            return name == self.pattern
        return re.fullmatch(".*".join(map(re.escape, self.pattern.split("*"))), name) is not None
