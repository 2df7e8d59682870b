"""The running of tool calls: an onion of its own, the last word of policy, and the observers."""

from typing import Any, NoReturn

from hookline._journey.checks import check
from hookline._journey.engine import Engine
from hookline._journey.failures import tell
from hookline._journey.onion import Onion, Passed, StoppedShort
from hookline._journey.plugin_set import PluginSet
from hookline._journey.stages import fold
from hookline.turn import RunTool, Turn
from hookline.values.blocks import ToolResultBlock, ToolUseBlock
from hookline.values.messages import Message, Request

__all__ = ["ToolCalls", "resolved"]


async def resolved(
    engine: Engine, turn: Turn, request: Request, result: ToolResultBlock
) -> ToolResultBlock:
    """Take a tool's result through ``resolve_images``; see ``hookline.turn.Turn.resolved``."""
    content = result.content
    if not isinstance(content, tuple) or all(block.resolved for block in content):
        return result
    alone = request.evolve(messages=(Message("user", (result,)),))
    blocks = (await fold(engine, "resolve_images", turn, alone)).messages[0].blocks
    return next((block for block in blocks if isinstance(block, ToolResultBlock)), result)


class ToolCalls:
    """What ``turn.call_tool`` is in a pipeline.

    Args:
        plugins: the pipeline's plugins.

    """

    def __init__(self, plugins: PluginSet) -> None:
        self._layers = plugins.of("call_tool")
        self._checks = plugins.of("check_tool")
        self._observers = plugins.of("on_tool")

    async def __call__(self, turn: Turn, call: ToolUseBlock, run: RunTool) -> ToolResultBlock:
        """Run one call; see ``hookline.turn.Turn.call_tool``."""

        async def innermost(final: ToolUseBlock, passed: Passed) -> ToolResultBlock:
            final = await check(self._checks, turn, final)
            passed.append(True)
            return await run(final)

        async def vet(final: ToolUseBlock, passed: Passed) -> NoReturn:
            await check(self._checks, turn, final)
            passed.append(True)
            raise StoppedShort(final)

        began = turn.io.now()
        onion: Onion[ToolUseBlock, Any] = Onion(
            turn,
            self._layers,
            innermost=innermost,
            vet=vet if self._checks else None,
            takes=ToolUseBlock,
            gives=ToolResultBlock,
        )
        result: ToolResultBlock = await onion.run(call)
        if self._observers:
            await tell(self._observers, turn, call, result, turn.io.now() - began)
        return result
