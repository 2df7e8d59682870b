"""Tools that must be approved: by name, and by whoever is asked."""

from collections.abc import Callable
from fnmatch import fnmatch

from attrs import frozen

from hookline import ToolResultBlock, ToolUseBlock, Turn, hookimpl
from hookline.turn import RunTool


@frozen
class ToolApproval:
    """Runs a tool only if its name is allowed, or somebody says yes.

    Attributes:
        allow: patterns of names that are run without asking.
        approve: is asked about every other call; nobody, and they are not run.

    """

    contract = ">=1,<2"
    allow: tuple[str, ...] = ("get_*", "look_up")
    approve: Callable[[Turn, ToolUseBlock], bool] | None = None

    @hookimpl
    async def call_tool(
        self, turn: Turn, call: ToolUseBlock, call_next: RunTool
    ) -> ToolResultBlock:
        """Let the call pass, or tell the model that it was not approved."""
        if any(fnmatch(call.name, pattern) for pattern in self.allow):
            return await call_next(call)
        if self.approve is not None and await turn.io.run_blocking(self.approve, turn, call):
            return await call_next(call)
        return ToolResultBlock(call.id, f"The call of {call.name} was not approved.", is_error=True)
