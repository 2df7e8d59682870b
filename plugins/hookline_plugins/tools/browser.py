"""The browser toolset: every member of it is a method of an object (facts 10.5)."""

from collections.abc import Iterable
from typing import Any, Final

from attrs import frozen

from hookline import ConfigError, InputError, Turn
from hookline.values import ServerTool, ToolSpec, thaw
from hookline_plugins.tools.running import Job, called

__all__ = ["Browser"]

_TYPE: Final = "browser_toolset_20260801"
_NAME: Final = "browser"


@frozen(eq=False)
class Browser:
    """Runs the calls of the browser toolset, one after the other.

    Attributes:
        pages: an object with a method for each member that it can do, ``def`` or ``async def``; it gets what
            the model wrote by name, and returns what a tool may return: text, a PNG, blocks.

    """

    serial = "Not executed: an earlier action in this turn failed."
    pages: Any

    def __attrs_post_init__(self) -> None:
        if not self._members():
            raise ConfigError(f"tools: browser takes an object with methods, not {self.pages!r}")

    def __str__(self) -> str:
        return f"browser ({type(self.pages).__name__})"

    async def tools(self, _turn: Turn, _model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the toolset."""
        return ((_NAME, ServerTool(type=_TYPE)),)

    async def run(self, job: Job) -> Any:
        """Call the method of a member.

        Raises:
            InputError: the object has none, or it takes other names.

        """
        members = self._members()
        if job.call.name not in members:
            raise InputError(f"this browser can {', '.join(members)}, and not {job.call.name!r}")
        function = getattr(self.pages, job.call.name)
        return await called(job, function, **thaw(job.call.input))

    def _members(self) -> list[str]:
        kind = type(self.pages)
        names = (name for name in dir(kind) if not name.startswith("_"))
        return sorted(name for name in names if callable(getattr(kind, name)))
