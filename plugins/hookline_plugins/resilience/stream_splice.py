"""Two or more streams of one reply, spliced into one: no text lost, none doubled.

Does no I/O. The plugin ``resume`` feeds events in; what comes out is a stream as the API would have
sent it in one piece: one ``message_start``, blocks numbered through, usage added up.
"""

from collections.abc import Iterator
from typing import Final

from hookline import TextBlock, Usage
from hookline.values import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    MessageDelta,
    MessageStart,
    MessageStop,
    RedactedThinkingBlock,
    TextDelta,
    ThinkingBlock,
    total,
)

__all__ = ["Join", "Splice"]

_THOUGHTS: Final = (ThinkingBlock, RedactedThinkingBlock)
_WHOLE: Final = 8  # characters; a shorter repetition of everything so far may well be meant
_WORD: Final = 3
_LONGEST: Final = 4000  # characters of an overlap that is looked for, unless it is everything


class Splice:
    """The stream that the caller sees.

    Attributes:
        stopped: whether ``message_stop`` has come.
        text: all text so far.

    """

    def __init__(self) -> None:
        self.stopped = False
        self._pieces: list[str] = []
        self._part = 0
        self._begun = False
        self._open: int | None = None  # the block that is still growing
        self._open_text = False
        self._next = 0
        self._places: dict[int, int | None] = {}  # this part's index to ours; None is dropped
        self._others = False  # blocks that a continuation could not stand behind
        self._thoughts = False
        self._join: Join | None = None
        self._usage = Usage()  # of this part, as it began
        self._spent: list[Usage] = []  # of the parts that broke

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._pieces)

    @property
    def resumable(self) -> bool:
        """Whether the reply may be continued where it stands.

        Not within a tool call or a thought: half a call is no call, and a thought's signature
        vouches for the whole of it. Nor between a thought and the text that would follow from it.
        """
        if self._others or (self._open is not None and not self._open_text):
            return False
        return bool(self._pieces) or not self._thoughts

    def seam(self, *, words: str = "", lost: str = "", instructed: bool = False) -> None:
        """Begin the next part.

        Args:
            words: what the model was to continue: the text so far, behind the prefill.
            lost: white space at the end of the text that the model was not shown.
            instructed: whether the model was told to go on, and so may repeat some words.

        """
        self._part += 1
        self._places = {}
        self._spent.append(self._usage)
        before = words or self.text
        self._join = Join(before, lost=lost, instructed=instructed) if self._pieces else None

    def feed(self, event: Event) -> Iterator[Event]:
        """Take in one event; yield what the caller gets."""
        if isinstance(event, ContentBlockDelta):
            yield from self._grow(event)
        elif isinstance(event, ContentBlockStart):
            yield from self._start(event)
        elif isinstance(event, ContentBlockStop):
            place = self._places.get(event.index, event.index)
            if place is not None:
                yield from self._close()
        elif isinstance(event, MessageStart):
            self._usage = event.message.usage
            if not self._begun:
                self._begun = True
                yield event
        elif isinstance(event, MessageDelta):
            yield from self._close()
            yield self._added_up(event) if self._spent else event
        else:
            self.stopped = self.stopped or isinstance(event, MessageStop)
            yield event

    def held(self) -> Iterator[Event]:
        """Yield what waits for the rest of a repetition, when no more will come."""
        if self._open is not None and self._open_text and self._join is not None:
            text, self._join = self._join.flush(), None
            if text:
                self._pieces.append(text)
                yield ContentBlockDelta(self._open, TextDelta(text))

    def _start(self, event: ContentBlockStart) -> Iterator[Event]:
        block = event.content_block
        if isinstance(block, _THOUGHTS):
            if self._part and self._pieces:  # thoughts cannot follow the text they led to
                self._places[event.index] = None
                return
            self._thoughts = True
        elif not isinstance(block, TextBlock):
            self._others = True
        text = block.text if isinstance(block, TextBlock) else None
        if text is not None and self._open_text and self._open is not None:
            self._places[event.index] = self._open  # the broken block goes on
        else:
            yield from self._close()
            self._open = self._places[event.index] = self._next
            self._open_text = text is not None
            self._next += 1
            shown = block.evolve(text="") if text and self._join else block
            yield ContentBlockStart(self._open, shown)
            if not (text and self._join):
                self._pieces += [text] if text else []
                return
        if text:
            yield from self._grow(ContentBlockDelta(event.index, TextDelta(text)))

    def _grow(self, event: ContentBlockDelta) -> Iterator[Event]:
        place = self._places.get(event.index, event.index)
        if place is None:
            return
        if not isinstance(event.delta, TextDelta):
            yield event if place == event.index else event.evolve(index=place)
            return
        text = event.delta.text
        if self._join is not None:
            text = self._join.feed(text)
            if self._join.done:
                self._join = None
            if not text:
                return
        self._pieces.append(text)
        same = place == event.index and text == event.delta.text
        yield event if same else ContentBlockDelta(place, TextDelta(text))

    def _close(self) -> Iterator[Event]:
        """End the open block, if there is one; text that was held back comes first."""
        if self._open is None:
            return
        yield from self.held()
        place, self._open, self._open_text = self._open, None, False
        yield ContentBlockStop(place)

    def _added_up(self, event: MessageDelta) -> MessageDelta:
        """Return the event with the usage of all parts, as far as the API has told it."""
        last = self._usage if event.usage is None else self._usage.updated(event.usage)
        return event.evolve(usage=total([*self._spent, last]).evolve(absent=frozenset()))


class Join:
    """Finds out how much of the end of a text its continuation repeats, and takes it out.

    Holds the continuation back only as long as it may still be a repetition.

    Args:
        before: the text that was delivered.
        lost: white space at its end that the model was not shown.
        instructed: look for repeated words too. A model that continues natively repeats nothing,
            but some local servers repeat everything.

    Attributes:
        done: whether it is decided; what comes then is all new.

    """

    def __init__(self, before: str, *, lost: str = "", instructed: bool = False) -> None:
        self.done = False
        self._before = before
        self._lost = lost
        self._instructed = instructed
        self._held = ""

    def feed(self, text: str) -> str:
        """Take in more of the continuation; return what is new of it."""
        if self.done:
            return text
        self._held += text
        return "" if self._undecided() else self.flush()

    def flush(self) -> str:
        """Decide by what has come."""
        self.done = True
        held, self._held = self._held, ""
        return held[self._overlap(held) :]

    def _undecided(self) -> bool:
        """Say whether what is held may be the beginning of a longer repetition."""
        if self._instructed:
            return self._held in self._before[:-1] or not self._held
        whole = len(self._held) < len(self._before) and self._before.startswith(self._held)
        return whole or (len(self._held) < len(self._lost) and self._lost.startswith(self._held))

    def _overlap(self, held: str) -> int:
        before = self._before
        if len(before) >= _WHOLE and held.startswith(before):
            return len(before)
        for size in range(min(len(held), len(before), _LONGEST), 0, -1):
            if before.endswith(held[:size]) and self._meant(size):
                return size
        return 0

    def _meant(self, size: int) -> bool:
        """Say whether so long an overlap is a repetition and not the way of the text."""
        piece = self._before[-size:]
        if piece.isspace():
            return self._instructed or size <= len(self._lost)
        if not self._instructed:
            return False
        if len(piece.split()) > 1:
            return True
        # One word: "a very " goes on "very good", but "a fox" does not go on "fox jumps".
        begins = size == len(self._before) or not (self._before[-size - 1] + piece[0]).isalnum()
        return begins and piece[-1].isalnum() and len(piece) >= _WORD
