"""Where a conversation can be cut, and where it is: pure, and the same for the same messages.

A cut is made in front of a user's own words, so a call never loses its result. It goes further than it must: what
then comes fits for a while, and the cut stays where it is, which keeps the API's prompt cache warm. Found by
walking through the history as it grew, the cut of a longer history is the cut of a shorter one, until the next.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from attrs import frozen

from hookline import Message, ToolResultBlock

__all__ = ["NO_CUT", "Cut", "begins_turn", "cut_by_size", "head_of"]


@frozen
class Cut:
    """What is left out of a history.

    Attributes:
        start: the first message that is kept.
        made: the message that made it necessary; what was said from there on knows of the cut.
        head: so many messages at the beginning are kept all the same.

    """

    start: int = 0
    made: int = 0
    head: int = 0

    def __bool__(self) -> bool:
        return self.start > self.head


NO_CUT: Final = Cut()


def begins_turn(message: Message) -> bool:
    """Say whether a message is a user's own, and no answer to a call."""
    if message.role != "user":
        return False
    content = message.content
    return isinstance(content, str) or not any(
        isinstance(block, ToolResultBlock) for block in content
    )


def head_of(messages: Sequence[Message], starts: Sequence[int]) -> int:
    """Return how many messages the first cache breakpoint of the caller's own keeps in front.

    Args:
        messages: the history.
        starts: where turns begin.

    Returns:
        The messages up to the end of the turn that holds the breakpoint; 0 if there is none, or
        if that turn is the last.

    """
    for index, message in enumerate(messages):
        if isinstance(message.content, str):
            continue
        if any(getattr(block, "cache_control", None) is not None for block in message.content):
            place = bisect_left(starts, index + 1)
            return starts[place] if place < len(starts) else 0
    return 0


def cut_by_size(  # noqa: PLR0917 -- the numbers that a cut is made of
    sizes: Sequence[float],
    starts: Sequence[int],
    keep: float,
    low: float,
    head: int = 0,
    cut: Cut = NO_CUT,
) -> Cut:
    """Return the cut that keeps the kept messages within a size.

    Args:
        sizes: of each message.
        starts: where turns begin, in order.
        keep: the most that may be kept; the last turn is kept in any case.
        low: what a cut leaves at most.
        head: so many messages at the beginning are kept, if they fit into half of ``low``.
        cut: the one that was found for a beginning of these messages.

    Returns:
        The same cut, where it will do.

    """
    sums = list(accumulate(sizes, initial=0.0))
    if cut:
        head = cut.head
    elif sums[head] > low / 2:
        head = 0
    first = max(cut.start, head)
    for number, begin in enumerate(starts):
        last = number == len(starts) - 1
        if begin <= first or (begin <= cut.made and not last):
            continue
        end = len(sizes) if last else begin + 1  # what was sent when this turn began
        if sums[head] + sums[end] - sums[first] <= keep:
            continue
        fits = bisect_left(sums, sums[head] + sums[end] - low)
        first = min(begin, starts[min(bisect_left(starts, max(fits, first + 1)), number)])
        cut = Cut(first, begin, head)
    return cut
