"""A sound history fitted to the model and the server that get it: what others took and these refuse."""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Final

from hookline import Block, Message, Request, TextBlock, ToolResultBlock
from hookline.models import ModelFacts
from hookline.profiles import Profile
from hookline.values import (
    ImageBlock,
    RedactedThinkingBlock,
    ServerToolUseBlock,
    ThinkingBlock,
)
from hookline_plugins.heal.blocks import is_thought
from hookline_plugins.heal.healing import as_user, heal, is_server_result
from hookline_plugins.heal.repairs import Repair

__all__ = ["fitted", "mark_of", "without_thoughts"]

_LEFT_OUT: Final = TextBlock("[An image was left out here: the conversation holds too many.]")
_MOST_BREAKPOINTS: Final = 4
# facts 8.3: blocks of these are taken only with the tool that made them.
_MADE_BY: Final[Mapping[str, str]] = {
    "web_search_tool_result": "web_search",
    "web_fetch_tool_result": "web_fetch",
    "code_execution_tool_result": "code_execution",
    "bash_code_execution_tool_result": "code_execution",
    "text_editor_code_execution_tool_result": "code_execution",
}
_BRINGS_CODE_EXECUTION: Final = ("web_search_2026", "web_fetch_2026")


def mark_of(block: Block) -> bytes | None:
    """Return what a thought is known again by: a digest of its signature; None for other blocks."""
    if isinstance(block, ThinkingBlock):
        return blake2b(block.signature.encode("utf-8", "replace"), digest_size=16).digest()
    if isinstance(block, RedactedThinkingBlock):
        return blake2b(block.data.encode("utf-8", "replace"), digest_size=16).digest()
    return None


def fitted(
    request: Request,
    facts: ModelFacts | None,
    profile: Profile,
    refused: Collection[bytes] = (),
) -> tuple[Request, tuple[Repair, ...]]:
    """Return a request whose history the model at hand takes, and what was changed.

    Args:
        request: its history is sound.
        facts: of the model; None where nothing is known of it.
        profile: of the server.
        refused: marks of thoughts that this server has refused.

    """
    repairs: list[Repair] = []
    messages = list(request.messages)
    if facts is not None:
        messages = _system(messages, facts, repairs)
        messages = _images(messages, facts, repairs)
    if profile.signatures:
        messages = _thoughts(messages, refused, repairs)
    if profile.all_rules:
        messages = _server_tools(messages, request, repairs)
        messages = _breakpoints(messages, request, repairs)
    if not repairs:
        return request, ()
    sound = heal(messages)  # what was left out may have left something else alone
    return request.evolve(messages=sound.messages), (*repairs, *sound.repairs)


def without_thoughts(request: Request) -> tuple[Request, frozenset[bytes]]:
    """Return a request without any thought, and the marks of those it had."""
    marks = {mark_of(block) for message in request.messages for block in message.blocks}
    kept = [
        message
        if isinstance(message.content, str) or not any(map(is_thought, message.content))
        else message.evolve(content=tuple(b for b in message.content if not is_thought(b)))
        for message in request.messages
    ]
    found = frozenset(mark for mark in marks if mark is not None)
    thinking = request.thinking
    last = request.messages[-1] if request.messages else None
    loop = last is not None and any(isinstance(b, ToolResultBlock) for b in last.blocks)
    if loop and thinking is not None and thinking.get("type") == "enabled":
        thinking = None  # it wants the thoughts that led to the calls (facts 8.3)
    return request.evolve(messages=heal(kept).messages, thinking=thinking), found


def _system(messages: list[Message], facts: ModelFacts, repairs: list[Repair]) -> list[Message]:
    kept: list[Message] = []
    for index, message in enumerate(messages):
        at = f"messages.{index}"
        if message.role != "system":
            kept.append(message)
        elif not message.content:
            if facts.system_directive and facts.system_role:
                kept.append(message)
            else:
                repairs.append(Repair(at, f"a directive left out, which {facts.id} does not take"))
        elif facts.system_role:
            kept.append(message)
        else:
            repairs.append(Repair(at, f"a system message is the user's for {facts.id}"))
            kept.append(as_user(message))
    return kept


def _images(messages: list[Message], facts: ModelFacts, repairs: list[Repair]) -> list[Message]:
    """Keep the newest images, as many as the model takes."""
    count = sum(_count(message) for message in messages)
    surplus = count - facts.max_images
    if surplus <= 0:
        return messages
    repairs.append(Repair("messages", f"the oldest {surplus} of {count} images left out"))
    kept: list[Message] = []
    for message in messages:
        found = _count(message)
        if surplus > 0 and found and not isinstance(message.content, str):
            content, surplus = _fewer(message.content, surplus)
            message = message.evolve(content=content)  # noqa: PLW2901 -- what stands here from now on
        kept.append(message)
    return kept


def _count(message: Message) -> int:
    return 0 if isinstance(message.content, str) else _counted(message.content)


def _counted(blocks: tuple[Block, ...]) -> int:
    return sum(
        _counted(block.content)
        if isinstance(block, ToolResultBlock) and isinstance(block.content, tuple)
        else isinstance(block, ImageBlock)
        for block in blocks
    )


def _fewer(blocks: tuple[Block, ...], surplus: int) -> tuple[tuple[Block, ...], int]:
    kept: list[Block] = []
    for block in blocks:
        if surplus and isinstance(block, ImageBlock):
            surplus -= 1
            kept.append(_LEFT_OUT)
        elif isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
            content, surplus = _fewer(block.content, surplus)
            kept.append(block.evolve(content=content))
        else:
            kept.append(block)
    return tuple(kept), surplus


def _thoughts(
    messages: list[Message], refused: Collection[bytes], repairs: list[Repair]
) -> list[Message]:
    """Leave out thoughts that nobody has signed, and those that the server has refused."""
    kept: list[Message] = []
    for index, message in enumerate(messages):
        if isinstance(message.content, str) or not any(map(is_thought, message.content)):
            kept.append(message)
            continue
        blocks: list[Block] = []
        for place, block in enumerate(message.content):
            unsigned = isinstance(block, ThinkingBlock) and not block.signature
            if unsigned or (refused and mark_of(block) in refused):
                why = "nobody has signed" if unsigned else "this server has refused"
                repairs.append(
                    Repair(f"messages.{index}.content.{place}", f"a thought that {why} left out")
                )
            else:
                blocks.append(block)
        same = len(blocks) == len(message.content)
        kept.append(message if same else message.evolve(content=tuple(blocks)))
    return kept


def _server_tools(
    messages: list[Message], request: Request, repairs: list[Repair]
) -> list[Message]:
    """Leave out what a server's tool did that is not offered any more, and the call of it."""
    kinds = [str(getattr(tool, "type", None) or "custom") for tool in request.tools or ()]
    offered = {
        kind
        for kind, tool in _MADE_BY.items()
        if any(each.startswith(tool) for each in kinds)
        or (tool == "code_execution" and any(e.startswith(_BRINGS_CODE_EXECUTION) for e in kinds))
    }
    kept: list[Message] = []
    for index, message in enumerate(messages):
        lost = {
            getattr(block, "tool_use_id", "")
            for block in message.blocks
            if is_server_result(block) and block.type in _MADE_BY and block.type not in offered
        }
        if not lost:
            kept.append(message)
            continue
        repairs.append(
            Repair(f"messages.{index}", "results of a server's tool left out, which is not offered")
        )
        blocks = tuple(
            block
            for block in message.blocks
            if not (is_server_result(block) and getattr(block, "tool_use_id", "") in lost)
            and not (isinstance(block, ServerToolUseBlock) and block.id in lost)
        )
        kept.append(message.evolve(content=blocks))
    return kept


def _breakpoints(messages: list[Message], request: Request, repairs: list[Repair]) -> list[Message]:
    """Keep the last cache breakpoints where there are more than the API takes."""
    outside = [
        *(request.tools or ()),
        *(request.system if isinstance(request.system, tuple) else ()),
    ]
    room = _MOST_BREAKPOINTS - (request.cache_control is not None)
    room -= sum(getattr(each, "cache_control", None) is not None for each in outside)
    found = sum(
        getattr(block, "cache_control", None) is not None
        for message in messages
        for block in message.blocks
    )
    surplus = found - max(0, room)
    if surplus <= 0:
        return messages
    repairs.append(Repair("messages", f"the first {surplus} of {found} cache breakpoints left out"))
    kept: list[Message] = []
    for message in messages:
        blocks: list[Block] = []
        for block in message.blocks:
            if surplus > 0 and getattr(block, "cache_control", None) is not None:
                surplus -= 1
                block = block.evolve(cache_control=None)  # noqa: PLW2901 -- as above
            blocks.append(block)
        same = all(a is b for a, b in zip(blocks, message.blocks, strict=True))
        kept.append(
            message
            if same or isinstance(message.content, str)
            else message.evolve(content=tuple(blocks))
        )
    return kept
