"""Where breakpoints of the API's prompt cache stand, and where they pay: pure functions on a request (facts 12.2).

The prompt is tools, then system, then messages. A breakpoint lets the API keep everything up to it; one whose
beginning is shorter than the model's minimum is silently ignored, and so is not placed.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import frozen

from hookline import Block, Message, Request, TextBlock, ToolResultBlock
from hookline.models import ModelFacts
from hookline.plugin import estimate, estimate_message
from hookline.values import CacheControl

__all__ = ["HOURLY", "Spot", "given_spots", "placed", "tokens_to"]

MOST: Final = 4
HOURLY: Final = "1h"
_LOOKBACK: Final = 20  # blocks that the API looks back from a breakpoint, that one included
_TOOLS, _SYSTEM, _MESSAGES = range(3)


@frozen(order=True)
class Spot:
    """The place of a breakpoint, in the order of the prompt.

    Attributes:
        section: 0 for tools, 1 for the system prompt, 2 for messages.
        index: of the tool, the block of the system prompt, or the message.
        block: of the message; 0 elsewhere.
        ttl: how long it keeps what it covers; None is the API's five minutes.

    """

    section: int
    index: int
    block: int = 0
    ttl: str | None = None

    def __str__(self) -> str:
        if self.section == _TOOLS:
            return "tools"
        return "system" if self.section == _SYSTEM else f"messages.{self.index}"


def given_spots(request: Request) -> list[Spot]:
    """Return the breakpoints that a request has, in order; the automatic one stands at the end."""
    spots = [
        Spot(_TOOLS, index, 0, control.ttl)
        for index, tool in enumerate(request.tools or ())
        if (control := getattr(tool, "cache_control", None)) is not None
    ]
    if isinstance(request.system, tuple):
        spots += _spots_in(_SYSTEM, 0, request.system)
    for index, message in enumerate(request.messages):
        if not isinstance(message.content, str):
            spots += _spots_in(_MESSAGES, index, message.content)
    if request.cache_control is not None and request.messages:
        last = len(request.messages) - 1
        end = len(request.messages[last].blocks) - 1
        spots.append(Spot(_MESSAGES, last, max(0, end), request.cache_control.ttl))
    return spots


def _spots_in(section: int, index: int, blocks: Sequence[Block]) -> Iterator[Spot]:
    for place, block in enumerate(blocks):
        control = getattr(block, "cache_control", None)
        at = (place, 0) if section == _SYSTEM else (index, place)
        if control is not None:
            yield Spot(section, *at, control.ttl)
        if isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
            for inner in block.content:
                control = getattr(inner, "cache_control", None)
                if control is not None:
                    yield Spot(section, *at, control.ttl)


def tokens_to(request: Request, spot: Spot, facts: ModelFacts | None) -> float:
    """Return about how many tokens the prompt has up to a breakpoint."""
    tools = request.evolve(messages=(), system=None)
    if spot.section == _TOOLS:
        return estimate(tools, facts)
    around = estimate(request.evolve(messages=()), facts)
    if spot.section == _SYSTEM:
        return around
    return around + sum(
        estimate_message(message, facts) for message in request.messages[: spot.index + 1]
    )


def placed(
    request: Request, facts: ModelFacts, *, grows: bool, ttl: str | None, factor: float = 1.0
) -> tuple[Request, list[Spot]]:
    """Place breakpoints where they pay.

    After the tools, after the system prompt, and after the last turn of a conversation that goes on, or
    in a single message after its last long part. What the request brings stays, and counts.

    Args:
        request: about to leave.
        facts: its model.
        grows: whether what is sent next will begin with these messages.
        ttl: how long to keep it.
        factor: real tokens for one estimated.

    Returns:
        The request, and where new breakpoints are, in order.

    """
    given = given_spots(request)
    taken = {(spot.section, spot.index, spot.block) for spot in given}
    wanted = [
        spot
        for spot in _wanted(request, facts, grows=grows, factor=factor)
        if (spot.section, spot.index, spot.block) not in taken
        and tokens_to(request, spot, facts) * factor >= facts.min_cacheable
    ]
    if request.cache_control is not None:  # the API itself keeps to the end
        wanted = [spot for spot in wanted if spot.section != _MESSAGES]
    new = [
        Spot(spot.section, spot.index, spot.block, _ttl_among(spot, given, ttl))
        for spot in wanted[: max(0, MOST - len(given))]
    ]
    for spot in new:
        request = _with(request, spot)
    return request, sorted(new, key=_place)


def _place(spot: Spot) -> tuple[int, int, int]:
    return spot.section, spot.index, spot.block


def _ttl_among(spot: Spot, given: Sequence[Spot], ttl: str | None) -> str | None:
    """Return a ttl that fits the others: longer ones come before shorter ones."""
    if any(other.ttl == HOURLY for other in given if _place(other) > _place(spot)):
        return HOURLY
    if any(other.ttl != HOURLY for other in given if _place(other) < _place(spot)):
        return None
    return ttl


def _wanted(request: Request, facts: ModelFacts, *, grows: bool, factor: float) -> Iterator[Spot]:
    """Yield the places, the one that pays most first."""
    users = [i for i, message in enumerate(request.messages) if message.role == "user"]
    if users and grows:
        yield from _end_of(request.messages, users[-1])
    elif users:
        yield from _long_part(request.messages, users[-1], facts, factor)
    if isinstance(request.system, tuple) and request.system:
        yield Spot(_SYSTEM, len(request.system) - 1)
    elif isinstance(request.system, str) and request.system.strip():
        yield Spot(_SYSTEM, 0)
    tools = [
        index
        for index, tool in enumerate(request.tools or ())
        if hasattr(tool, "cache_control") and not _option(tool, "defer_loading")
    ]
    if tools:
        yield Spot(_TOOLS, tools[-1])
    if grows and len(users) > 1 and _far(request.messages, users[-2], users[-1]):
        yield from _end_of(request.messages, users[-2])


def _option(tool: Any, name: str) -> Any:
    return getattr(tool, name, None) or tool.extra.get(name)


def _end_of(messages: Sequence[Message], index: int) -> Iterator[Spot]:
    """Yield the last block of a message that can hold a breakpoint."""
    blocks = messages[index].blocks
    for place in range(len(blocks) - 1, -1, -1):
        if _can_hold(blocks[place]):
            yield Spot(_MESSAGES, index, place)
            return


def _can_hold(block: Block) -> bool:
    blank = isinstance(block, TextBlock) and not block.text.strip()
    return hasattr(block, "cache_control") and block.resolved and not blank


def _long_part(
    messages: Sequence[Message], index: int, facts: ModelFacts, factor: float
) -> Iterator[Spot]:
    """Yield the last long part of a message with something after it: a document, and then a question."""
    blocks = messages[index].blocks
    for place in range(len(blocks) - 2, -1, -1):
        alone = Message("user", (blocks[place],))
        long = estimate_message(alone, facts) * factor >= facts.min_cacheable
        if long and _can_hold(blocks[place]):
            yield Spot(_MESSAGES, index, place)
            return


def _far(messages: Sequence[Message], earlier: int, last: int) -> bool:
    """Say whether the API would not look back from one message to the other."""
    between = sum(len(message.blocks) for message in messages[earlier + 1 : last + 1])
    return between >= _LOOKBACK


def _with(request: Request, spot: Spot) -> Request:
    control = CacheControl(spot.ttl)
    if spot.section == _TOOLS:
        tools: list[Any] = list(request.tools or ())
        tools[spot.index] = tools[spot.index].evolve(cache_control=control)
        return request.evolve(tools=tuple(tools))
    if spot.section == _SYSTEM:
        blocks = (
            [TextBlock(request.system)]
            if isinstance(request.system, str)
            else [*(request.system or ())]
        )
        return request.evolve(system=_marked(blocks, spot.index, control))
    messages = list(request.messages)
    message = messages[spot.index]
    content = _marked(message.blocks, spot.block, control)
    messages[spot.index] = message.evolve(content=content)
    return request.evolve(messages=tuple(messages))


def _marked(blocks: Sequence[Any], place: int, control: CacheControl) -> tuple[Any, ...]:
    marked = list(blocks)
    marked[place] = marked[place].evolve(cache_control=control)
    return tuple(marked)
