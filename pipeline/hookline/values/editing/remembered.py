"""What of a reply goes into a history: everything that the API would take back.

A model says things that the API refuses when they come back (facts 16.2): blank text before a tool
call, a call that was cut off or that nobody may run, a thought that leads to nothing. The response
keeps them; the conversation does not.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve

from hookline.values.blocks import (
    Block,
    MCPToolUseBlock,
    RedactedThinkingBlock,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UnknownBlock,
)
from hookline.values.messages import Message
from hookline.values.prefill import Prefill

__all__ = ["before_the_turn", "remembered", "without_prefill"]

# After these the turn goes on, and what is open belongs there: a call to be answered, a search
# that will continue.
_OPEN: Final = frozenset({"tool_use", "pause_turn", "compaction"})


def remembered(
    content: Sequence[Block],
    *,
    stop_reason: str | None,
    prefill: Prefill | None = None,
    interrupted: bool = False,
) -> tuple[Block, ...]:
    """Return the blocks of a reply as a history holds them.

    Args:
        content: of the response.
        stop_reason: why it ended: only ``"tool_use"`` leaves calls to be answered.
        prefill: words that the reply began with, and the response does not hold.
        interrupted: whether more would have come. Then text alone is kept: half a tool call or an
            unsigned thought would poison the history.

    """
    if interrupted:
        content = [block for block in content if isinstance(block, TextBlock)]
    elif stop_reason not in _OPEN:
        content = _without_open_calls(content)
    if prefill is not None:
        content = _joined(prefill, content)
    kept = [block for block in content if not isinstance(block, TextBlock) or block.text.strip()]
    if stop_reason not in _OPEN:
        while kept and _is_thought(kept[-1]):  # no message may end in one
            kept.pop()
    return tuple(kept)


def _without_open_calls(content: Sequence[Block]) -> list[Block]:
    """Leave out calls that nobody answers: those of the caller's tools, and cut ones of servers'."""
    answered = {_answers(block) for block in content}
    return [
        block
        for block in content
        if not isinstance(block, ToolUseBlock)
        and not (
            isinstance(block, ServerToolUseBlock | MCPToolUseBlock) and block.id not in answered
        )
    ]


def _answers(block: Block) -> str | None:
    if isinstance(block, UnknownBlock):
        found = block.data.get("tool_use_id")
        return found if isinstance(found, str) else None
    return getattr(block, "tool_use_id", None)


def _is_thought(block: Block) -> bool:
    if isinstance(block, UnknownBlock):  # one without its signature
        return block.type in (ThinkingBlock.type, RedactedThinkingBlock.type)
    return isinstance(block, ThinkingBlock | RedactedThinkingBlock)


def _joined(prefill: Prefill, content: Iterable[Block]) -> list[Block]:
    blocks = list(content)
    for index, block in enumerate(blocks):
        if isinstance(block, TextBlock):
            blocks[index] = evolve(block, text=prefill.text + block.text)
            return blocks
    thoughts = sum(_is_thought(block) for block in blocks)
    blocks.insert(thoughts, TextBlock(prefill.text))  # thinking blocks must stay in front
    return blocks


def before_the_turn(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return what stands before the last message that a person, not a tool, has sent."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        by_tool = any(isinstance(block, ToolResultBlock) for block in message.blocks)
        if message.role == "user" and not by_tool:
            return messages[:index]
    return ()


def without_prefill(sent: tuple[Message, ...], prefill: Prefill) -> tuple[Message, ...]:
    """Return what was sent without a final assistant message that is the prefill.

    A plugin further in (fallback to another model) may have done the prefill in the other way, so
    the mode does not tell.
    """
    return sent[:-1] if sent and sent[-1] == Message("assistant", prefill.text) else sent
