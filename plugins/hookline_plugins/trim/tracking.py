"""What is known of one conversation: how long and how old its messages are, and where it was cut last."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from attrs import define, field

from hookline import Message
from hookline.models import ModelFacts
from hookline.plugin import estimate_message
from hookline.wire import encode_message
from hookline_plugins.trim.cuts import NO_CUT, Cut, begins_turn, cut_by_size, head_of
from hookline_plugins.trim.summary import is_summary

__all__ = ["Tracked", "marks_of"]


@define
class Tracked:
    """The messages of a conversation as far as they have been looked at.

    Attributes:
        messages: those.
        sizes: tokens of each.
        seen: when each was first seen, in seconds of the turn's clock.
        starts: where turns begin.
        cut: the last cut.
        factor: how many real tokens one estimated token is; 0 where nothing was learned.

    """

    messages: tuple[Message, ...] = ()
    sizes: list[float] = field(factory=list)
    seen: list[float] = field(factory=list)
    starts: list[int] = field(factory=list)
    cut: Cut = NO_CUT
    factor: float = 0.0

    def look_at(self, messages: tuple[Message, ...], now: float, facts: ModelFacts | None) -> None:
        """Look at what is new; what is known of messages that are gone is forgotten."""
        known = self._known_of(messages)
        del self.sizes[known:], self.seen[known:]
        del self.starts[bisect_left(self.starts, known) :]
        if known < self.cut.made:  # another conversation from here on
            self.cut = NO_CUT
        for index in range(known, len(messages)):
            message = messages[index]
            self.sizes.append(estimate_message(message, facts))
            self.seen.append(now)
            if begins_turn(message) and not is_summary(message):
                self.starts.append(index)
        self.messages = messages

    def _known_of(self, messages: tuple[Message, ...]) -> int:
        """Return how many of the messages are the same as before."""
        count = min(len(self.messages), len(messages))
        if (
            self.messages[:count] == messages[:count]
        ):  # one comparison, as a rule of the same objects
            return count
        pairs = zip(self.messages, messages, strict=False)
        return next((place for place, (one, other) in enumerate(pairs) if one != other), count)

    def cut_by_tokens(self, keep: float, low: float) -> Cut:
        """Return the cut that keeps so many tokens."""
        return self._cut(self.sizes, keep, low)

    def cut_by_turns(self, keep: float, low: float) -> Cut:
        """Return the cut that keeps so many turns of the user."""
        starts = set(self.starts)
        sizes = [float(index in starts) for index in range(len(self.messages))]
        return self._cut(sizes, keep, max(low, 1.0))

    def _cut(self, sizes: Sequence[float], keep: float, low: float) -> Cut:
        head = head_of(self.messages, self.starts)
        self.cut = cut_by_size(sizes, self.starts, keep, low, head, self.cut)
        return self.cut

    def cut_by_age(self, now: float, keep: float, low: float) -> Cut:
        """Return the cut that keeps what was said in the last seconds."""
        head = head_of(self.messages, self.starts)
        first = max(self.cut.start, head)
        if first < len(self.seen) and self.starts and now - self.seen[first] > keep:
            young = next(
                (start for start in self.starts if start > first and now - self.seen[start] <= low),
                self.starts[-1],
            )
            if young > first:
                self.cut = Cut(young, self.starts[-1], head)
        return self.cut


def marks_of(messages: Sequence[Message]) -> Iterator[bytes]:
    """Yield, for each message, a mark of everything up to it."""
    digest = hashlib.blake2b(digest_size=16)
    for message in messages:
        digest.update(encode_message(message))
        yield digest.digest()
