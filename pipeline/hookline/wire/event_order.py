"""Events in the order of the protocol, so that every reader of a stream reads the same text.

Servers that speak the Messages API second hand leave its order (facts 6.2, 16.3) in two ways. What
has one meaning only is put right, and noted: blocks that overlap, a ``message_start`` that is missing
or brings content along, the next block of text without its start, blocks that nobody ended. What may mean two things is an error that says
where: of text that one reader would show and another leave out, nobody could say that it was judged.
"""

from collections.abc import Callable, Iterator
from typing import Final

from hookline.errors import DecodeError
from hookline.values.blocks import Block, TextBlock
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Delta,
    Event,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    TextDelta,
    UnknownDelta,
)
from hookline.values.messages import Response
from hookline.wire.assembler import grows_by

__all__ = ["EventOrder"]

_NOBODY: Final = -1  # no block has this index


class _Waiting:
    """A block that began while another was open."""

    def __init__(self, block: Block, start: ContentBlockStart) -> None:
        self.block = block
        self.events: list[Event] = [start]
        self.whole = False


class EventOrder:
    """Takes the events of one stream and gives them back in order.

    Args:
        note: told once of each kind of thing that was put right.

    Attributes:
        open: the index of the block that is growing.
        grows_by: the classes of deltas that it grows by. One of these for that block is in order, so
            whoever reads thousands may ask by himself and spare the call.

    """

    def __init__(self, note: Callable[[str], object]) -> None:
        self.open = _NOBODY
        self.grows_by: tuple[type[Delta], ...] = ()
        self._note = note
        self._noted: set[str] = set()
        self._begun = False
        self._block: Block | None = None  # the open one, as it began
        self._waiting: dict[int, _Waiting] = {}
        self._used: set[int] = set()

    def arranged(self, event: Event) -> Iterator[Event]:
        """Take the next event and yield those whose turn it is; a ping where there is none.

        Raises:
            DecodeError: there is no place for it.

        """
        if isinstance(event, MessageStart):
            yield from self._begin(event)
        elif isinstance(event, ContentBlockStart):
            yield from self._missing_start()
            yield from self._start(event)
        elif isinstance(event, ContentBlockDelta):
            yield from self._grow(event)
        elif isinstance(event, ContentBlockStop):
            yield from self._stop(event)
        elif isinstance(event, MessageDelta):
            yield from self._missing_start()
            yield event
        elif isinstance(event, MessageStop):
            yield from self._missing_start()
            yield from self._end()
            yield event
        else:
            yield event

    def _begin(self, event: MessageStart) -> Iterator[Event]:
        if self._begun:
            raise self._wrong(event, "a second one", "$")
        self._begun = True
        content = event.message.content
        if not content:
            yield event
            return
        self._mended("the stream's message_start brought content along")
        yield event.evolve(message=event.message.evolve(content=()))
        for index, block in enumerate(content):
            self._used.add(index)
            yield ContentBlockStart(index, block)
            yield ContentBlockStop(index)

    def _missing_start(self) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            self._mended("the stream had no message_start")
            yield MessageStart(Response())

    def _start(self, event: ContentBlockStart) -> Iterator[Event]:
        if event.index in self._used:
            raise self._wrong(event, "this block has begun before", f"$.content[{event.index}]")
        self._used.add(event.index)
        if self.open != _NOBODY:
            self._mended("blocks of the stream overlapped")
            self._waiting[event.index] = _Waiting(event.content_block, event)
            yield Ping()
            return
        self._open(event.index, event.content_block)
        yield event

    def _grow(self, event: ContentBlockDelta) -> Iterator[Event]:
        waiting = self._waiting.get(event.index)
        block = self._block if event.index == self.open else None
        if self._begins_text(event):
            yield from self._missing_start()
            self._mended("a text of the stream had no start")
            block = TextBlock("")
            self._used.add(event.index)
            self._open(event.index, block)
            yield ContentBlockStart(event.index, block)
        if waiting is not None:
            block = waiting.block
        if block is None or (waiting is not None and waiting.whole):
            raise self._not_open(event, event.index)
        if not isinstance(event.delta, UnknownDelta) and type(event.delta) not in grows_by(block):
            self._mended(
                f"a {event.delta.type} was left out, because a {block.type} block does not grow by it"
            )
            yield Ping()
        elif waiting is None:
            yield event
        else:
            waiting.events.append(event)
            yield Ping()

    def _begins_text(self, event: ContentBlockDelta) -> bool:
        """Say whether text grows where none has begun, and nothing else could be meant than that it begins.

        llama.cpp of summer 2026 leaves the start out where it continues an assistant message.
        """
        return (
            self.open == _NOBODY
            and not self._waiting
            and event.index == len(self._used)
            and event.index not in self._used
            and isinstance(event.delta, TextDelta)
        )

    def _stop(self, event: ContentBlockStop) -> Iterator[Event]:
        waiting = self._waiting.get(event.index)
        if event.index == self.open:
            yield event
            yield from self._next()
        elif waiting is not None and not waiting.whole:
            waiting.whole = True
            waiting.events.append(event)
            yield Ping()
        else:
            raise self._not_open(event, event.index)

    def _open(self, index: int, block: Block | None) -> None:
        self.open, self._block = index, block
        self.grows_by = grows_by(block) if block is not None else ()

    def _next(self) -> Iterator[Event]:
        """Let the blocks go on that waited for the end of the one before."""
        self._open(_NOBODY, None)
        while self._waiting and self._block is None:
            index = next(iter(self._waiting))
            waiting = self._waiting.pop(index)
            if not waiting.whole:
                self._open(index, waiting.block)
            yield from waiting.events

    def _end(self) -> Iterator[Event]:
        while self._block is not None:
            self._mended("the stream ended without the end of a block")
            yield ContentBlockStop(self.open)
            yield from self._next()

    def _mended(self, what: str) -> None:
        if what not in self._noted:
            self._noted.add(what)
            self._note(what)

    def _not_open(self, event: Event, index: int) -> DecodeError:
        why = "has ended" if index in self._used else "has not begun"
        return self._wrong(event, f"this block {why}", f"$.content[{index}]")

    @staticmethod
    def _wrong(event: Event, why: str, where: str) -> DecodeError:
        return DecodeError(
            f"the stream is out of order: {event.type}, but {why}; no two readers would make the same "
            "of it",
            where,
        )
