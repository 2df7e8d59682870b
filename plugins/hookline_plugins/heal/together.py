"""What must fit together over a whole request: how many images, which citations, which cache breakpoints."""

from typing import Final

from hookline import Block, Message, Request, TextBlock, ToolResultBlock
from hookline.models import ModelFacts
from hookline.values import DocumentBlock, ImageBlock, SearchResultBlock
from hookline_plugins.heal.repairs import Repair

__all__ = ["breakpoints", "citations", "images", "shorter_last"]

_LEFT_OUT: Final = TextBlock("[An image was left out here: the conversation holds too many.]")
_MOST_BREAKPOINTS: Final = 4
_HOUR: Final = "1h"


def images(messages: list[Message], facts: ModelFacts, repairs: list[Repair]) -> list[Message]:
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


def citations(messages: list[Message], repairs: list[Repair]) -> list[Message]:
    """Let citations be as the first document has them: on for all, or for none (facts 3.4)."""
    wanted: bool | None = None
    kept: list[Message] = []
    for index, message in enumerate(messages):
        blocks: list[Block] = []
        for place, block in enumerate(message.blocks):
            if isinstance(block, DocumentBlock | SearchResultBlock):
                has = bool((block.citations or {}).get("enabled"))
                wanted = has if wanted is None else wanted
                if has != wanted:
                    what = f"citations {'on' if wanted else 'off'}, as for the first document"
                    repairs.append(Repair(f"messages.{index}.content.{place}", what))
                    block = block.evolve(citations={"enabled": wanted})  # noqa: PLW2901 -- as it stands from now on
            blocks.append(block)
        same = blocks == list(message.blocks)
        kept.append(message if same else message.evolve(content=tuple(blocks)))
    return kept


def breakpoints(messages: list[Message], request: Request, repairs: list[Repair]) -> list[Message]:
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


def shorter_last(messages: list[Message], request: Request, repairs: list[Repair]) -> list[Message]:
    """Let no breakpoint of an hour come after one of five minutes (facts 12.2)."""
    system = request.system if isinstance(request.system, tuple) else ()
    marks = [getattr(each, "cache_control", None) for each in (*(request.tools or ()), *system)]
    short = any(mark is not None and mark.ttl != _HOUR for mark in marks)
    kept: list[Message] = []
    for index, message in enumerate(messages):
        blocks = list(message.blocks)
        for place, block in enumerate(blocks):
            mark = getattr(block, "cache_control", None)
            if mark is not None and mark.ttl == _HOUR and short:
                at = f"messages.{index}.content.{place}"
                repairs.append(
                    Repair(at, "a breakpoint of an hour behind one of five minutes is as short")
                )
                blocks[place] = block.evolve(cache_control=mark.evolve(ttl=None))
            short = short or (mark is not None and mark.ttl != _HOUR)
        same = blocks == list(message.blocks)
        kept.append(message if same else message.evolve(content=tuple(blocks)))
    return kept
