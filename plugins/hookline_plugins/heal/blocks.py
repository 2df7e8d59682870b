"""One message by itself: blank text, half characters, blocks that no such message may hold."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from attrs import evolve

from hookline import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock
from hookline.values import (
    BLOCKS,
    ContentSource,
    DocumentBlock,
    RedactedThinkingBlock,
    SearchResultBlock,
    TextSource,
    ThinkingBlock,
    UnknownBlock,
)
from hookline_plugins.heal.repairs import Unhealable
from hookline_plugins.preflight.turns import HOLDER

__all__ = ["LONGEST_NAME", "NOT_IN_IDS", "Say", "is_thought", "mended", "without_thoughts"]

Say = Callable[[str, str], None]
"""Gets where and what: one repair."""

_ROLES: Final = ("user", "assistant", "system")
_IN_SYSTEM: Final = ("text", "tool_addition", "tool_removal")
_IN_RESULTS: Final = (
    "text", "image", "search_result", "document", "tool_reference", "browser_state"
)  # fmt: skip
NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")
_HALVES: Final = re.compile("[\ud800-\udfff]")
LONGEST_NAME: Final = 128


def is_thought(block: Block) -> bool:
    """Say whether a block is thinking, whole or without its signature."""
    if isinstance(block, UnknownBlock):
        return block.type in (ThinkingBlock.type, RedactedThinkingBlock.type)
    return isinstance(block, ThinkingBlock | RedactedThinkingBlock)


def without_thoughts(messages: Iterable[Message]) -> Iterator[Message]:
    """Yield messages without their thinking; one that was nothing else is left out.

    Args:
        messages: of a history.

    """
    for message in messages:
        if isinstance(message.content, str) or not any(map(is_thought, message.content)):
            yield message
            continue
        kept = tuple(block for block in message.content if not is_thought(block))
        if kept:  # an empty message would be refused
            yield message.evolve(content=kept)


def mended(message: Message, where: str, say: Say, *, stored: bool) -> Message | None:
    """Return a message without what the API refuses in it, itself if there is nothing.

    Args:
        message: any message.
        where: its position.
        say: told each repair.
        stored: whether it comes from a history; half characters that the caller has just
            written are left, to be refused.

    Returns:
        None if nothing is left of it.

    Raises:
        Unhealable: its role is none that the API knows.

    """
    if message.role not in _ROLES:
        raise Unhealable(
            f"{where}: a message of the role {message.role!r} cannot be sent; the roles are user, "
            "assistant and, within a conversation, system"
        )
    if isinstance(message.content, str):
        return _text(message, message.content, where, say, stored=stored)
    if not message.content and message.role == "system" and message.output_config is not None:
        return message  # a directive, which is all it is
    blocks: list[Block] = []
    for place, block in enumerate(message.content):
        at = f"{where}.content.{place}"
        blocks += _standing(block, message.role, at, say, stored=stored)
    if not blocks:
        say(where, "nothing is left of the message")
        return None
    same = len(blocks) == len(message.content) and all(
        one is other for one, other in zip(blocks, message.content, strict=True)
    )
    return message if same else message.evolve(content=tuple(blocks))


def _text(message: Message, text: str, where: str, say: Say, *, stored: bool) -> Message | None:
    if not text.strip():
        say(where, "blank message left out")
        return None
    whole = _whole(text, where, say) if stored else text
    return message if whole is text else message.evolve(content=whole)


def _standing(block: Block, role: str, at: str, say: Say, *, stored: bool) -> Iterator[Block]:
    """Yield what a block becomes where it stands."""
    kind = block.type
    misplaced = HOLDER.get(kind, role) != role or (role == "system" and kind not in _IN_SYSTEM)
    if misplaced:
        say(at, f"{kind} block left out, which cannot stand in a message of the {role}")
    elif isinstance(block, UnknownBlock) and kind in BLOCKS:
        say(at, f"{kind} block left out, which lacks what its type must have")
    else:
        found = _one(block, at, say, stored=stored)
        if found is not None:
            yield found


def _one(block: Block, at: str, say: Say, *, stored: bool) -> Block | None:
    if isinstance(block, TextBlock):
        return _words(block, at, say, stored=stored)
    if isinstance(block, ToolUseBlock):
        return _call(block, at, say)
    if isinstance(block, ToolResultBlock):
        return _result(block, at, say, stored=stored)
    if isinstance(block, SearchResultBlock):
        return _found(block, at, say, stored=stored)
    return _document(block, at, say, stored=stored) if isinstance(block, DocumentBlock) else block


def _words(block: TextBlock, at: str, say: Say, *, stored: bool) -> TextBlock | None:
    if not block.text.strip():
        say(at, "blank text left out")
        return None
    text = _whole(block.text, at, say) if stored else block.text
    return block if text is block.text else block.evolve(text=text)


def _found(
    block: SearchResultBlock, at: str, say: Say, *, stored: bool
) -> SearchResultBlock | None:
    content = _inside(block.content, at, say, stored=stored)
    if content is None:
        say(at, "search_result block left out, which holds nothing")
        return None
    return block if content is block.content else block.evolve(content=content)


def _document(block: DocumentBlock, at: str, say: Say, *, stored: bool) -> DocumentBlock | None:
    source: Any = block.source
    where = f"{at}.source"
    if isinstance(source, ContentSource) and isinstance(source.content, tuple):
        content = _inside(source.content, where, say, stored=stored)
        if content is None:
            say(at, "document block left out, which holds nothing")
            return None
        return block if content is source.content else block.evolve(source=ContentSource(content))
    if isinstance(source, ContentSource) and isinstance(source.content, str) and stored:
        text = _whole(source.content, where, say)
        return block if text is source.content else block.evolve(source=ContentSource(text))
    if isinstance(source, TextSource) and stored:
        text = _whole(source.data, where, say)
        return block if text is source.data else block.evolve(source=evolve(source, data=text))
    return block


def _call(block: ToolUseBlock, at: str, say: Say) -> ToolUseBlock:
    name = NOT_IN_IDS.sub("_", block.name)[:LONGEST_NAME] or "tool"
    call_id = NOT_IN_IDS.sub("_", block.id) or "_"
    if (name, call_id) == (block.name, block.id):
        return block
    say(at, f"the tool call {block.id!r} of {block.name!r} renamed to what the API takes")
    return block.evolve(name=name, id=call_id)


def _result(block: ToolResultBlock, at: str, say: Say, *, stored: bool) -> ToolResultBlock:
    changes: dict[str, object] = {}
    use_id = NOT_IN_IDS.sub("_", block.tool_use_id) or "_"
    if use_id != block.tool_use_id:
        changes["tool_use_id"] = use_id
    content = block.content
    if isinstance(content, str) and stored:
        content = _whole(content, at, say)
    elif isinstance(content, tuple):
        content = _inside(content, at, say, stored=stored)
    if block.is_error and not (content.strip() if isinstance(content, str) else content):
        say(at, "a failed tool's result says nothing; it says now that it failed")
        content = "The tool failed."
    if content is not block.content:
        changes["content"] = content
    return block.evolve(**changes) if changes else block


def _inside(
    content: tuple[Block, ...], at: str, say: Say, *, stored: bool
) -> tuple[Block, ...] | None:
    kept: list[Block] = []
    for place, block in enumerate(content):
        where = f"{at}.content.{place}"
        if isinstance(block, UnknownBlock) and block.type in BLOCKS:
            say(where, f"{block.type} block left out, which lacks what its type must have")
        elif block.type in BLOCKS and block.type not in _IN_RESULTS:
            say(where, f"{block.type} block left out, which cannot stand in a tool's result")
        else:
            found = _one(block, where, say, stored=stored)
            kept += [found] if found is not None else []
    same = len(kept) == len(content) and all(
        one is other for one, other in zip(kept, content, strict=True)
    )
    return content if same else tuple(kept) or None


def _whole(text: str, at: str, say: Say) -> str:
    """Return a text without half characters, which no JSON may hold (facts 16.2)."""
    if text.isascii() or _HALVES.search(text) is None:
        return text
    # Two halves that make one character are put together; the others are no text.
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    say(at, "half a character replaced by U+FFFD")
    return whole
