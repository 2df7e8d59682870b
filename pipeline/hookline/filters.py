"""Stream filters: rules on what the model says that hold for streams and whole replies alike.

A filter says how much it must see at once. The least that every filter needs decides how much of a
stream is held back, and no more is:

=========== ==================================== =============================================
sees        the function gets                    held back
=========== ==================================== =============================================
``observe`` each event                           nothing
``deltas``  a window of the running text         a few times ``look_behind`` characters at most
``block``   one whole content block              one block
``message`` the whole response                   everything
=========== ==================================== =============================================

A plain reply runs through the same filters, all at once, so no rule is skipped because somebody
did, or did not, stream.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Final, Literal, TypeAlias

from attrs import evolve

from hookline.values.blocks import Block, TextBlock
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    InputJSONDelta,
    MessageStop,
    Ping,
    TextDelta,
    ThinkingDelta,
)
from hookline.values.messages import Response
from hookline.wire.assembler import Assembler, assemble_block, events_of, events_of_block

__all__ = ["DeltaKind", "Sees", "StreamFilter"]

Sees: TypeAlias = Literal["observe", "deltas", "block", "message"]
DeltaKind: TypeAlias = Literal["text", "thinking", "input_json"]


class StreamFilter(ABC):
    """What ``filter_stream`` returns: it turns one sequence of events into another.

    Use one of the four constructors, or subclass for what they cannot say. A filter serves one
    stream and may keep state.

    Attributes:
        sees: how much it must see at once; ``hookline plugins`` prints it.

    """

    sees: ClassVar[Sees] = "message"

    @abstractmethod
    def feed(self, event: Event) -> Iterable[Event]:
        """Take the next event and return those that may go on now, possibly none."""

    @staticmethod
    def observe(function: Callable[[Event], object]) -> "StreamFilter":
        """Call ``function`` with each event and change nothing.

        Args:
            function: gets the event; its result is ignored.

        """
        return _Observe(function)

    @staticmethod
    def deltas(
        rewrite: Callable[[str], str],
        *,
        look_behind: int,
        kinds: tuple[DeltaKind, ...] = ("text",),
    ) -> "StreamFilter":
        """Rewrite running text, wherever the model's chunks happen to end.

        Args:
            rewrite: gets a window of text and returns it rewritten; must be pure. The windows are
                chosen so that the result equals ``rewrite(whole text)``.
            look_behind: the longest stretch, in characters, that decides one replacement (for a
                card number with dashes: 19).
            kinds: the deltas it applies to. Rewriting ``"thinking"`` breaks the signature of the
                block; ``"input_json"`` is the JSON text of tool inputs.

        Example:
            ``StreamFilter.deltas(lambda text: text.replace("secret", "……"), look_behind=6)``

        """
        return _Deltas(rewrite, look_behind, kinds)

    @staticmethod
    def block(function: Callable[[Block], Block | None]) -> "StreamFilter":
        """Judge or rewrite one whole content block at a time.

        Args:
            function: gets the block, returns the one to pass on, or None to leave it as it is.

        """
        return _WholeBlock(function)

    @staticmethod
    def message(function: Callable[[Response], Response | None]) -> "StreamFilter":
        """Judge or rewrite the whole response; nothing is delivered before it has run.

        Args:
            function: gets the response, returns the one to pass on, or None to leave it as it is.

        """
        return _WholeMessage(function)


class _Observe(StreamFilter):
    sees = "observe"

    def __init__(self, function: Callable[[Event], object]) -> None:
        self._function = function

    def feed(self, event: Event) -> Iterable[Event]:
        self._function(event)
        return (event,)


_DELTA_TYPES: Final = {
    TextDelta: ("text", "text"),
    ThinkingDelta: ("thinking", "thinking"),
    InputJSONDelta: ("input_json", "partial_json"),
}


class _Deltas(StreamFilter):
    """Holds back raw text until no later text can change what becomes of it."""

    sees = "deltas"

    def __init__(
        self, rewrite: Callable[[str], str], look_behind: int, kinds: tuple[DeltaKind, ...]
    ) -> None:
        self._rewrite = rewrite
        self._look_behind = max(0, look_behind)
        self._kinds = kinds
        self._start_over()

    def _start_over(self) -> None:
        # Raw text already released and what became of it, in the pieces in which it was released:
        # what a \b or a look-behind may look at, and how the replacements fall in line.
        self._pieces: list[tuple[str, str]] = []
        self._held = ""  # raw text not yet released
        self._last: ContentBlockDelta | None = None

    def feed(self, event: Event) -> Iterator[Event]:
        if isinstance(event, ContentBlockDelta):
            kind, attribute = _DELTA_TYPES.get(type(event.delta), ("", ""))
            if kind in self._kinds:
                self._held += getattr(event.delta, attribute)
                self._last = event
                yield from self._emit(self._settled())
                return
        elif isinstance(event, ContentBlockStart):
            self._start_over()
            yield from self._begin(event)
            return
        elif isinstance(event, ContentBlockStop) and self._last is not None:
            yield from self._emit(self._rest())
            self._start_over()
        yield event

    def _begin(self, event: ContentBlockStart) -> Iterator[Event]:
        """Pass a block's start on; text that some servers put into it waits like any other."""
        block = event.content_block
        if not isinstance(block, TextBlock) or not block.text or "text" not in self._kinds:
            yield event
            return
        yield event.evolve(content_block=block.evolve(text=""))
        yield from self.feed(ContentBlockDelta(event.index, TextDelta(block.text)))

    def _emit(self, text: str) -> Iterator[Event]:
        if text and self._last is not None:
            _, attribute = _DELTA_TYPES[type(self._last.delta)]
            yield evolve(self._last, delta=evolve(self._last.delta, **{attribute: text}))

    def _settled(self) -> str:
        """Release what no later text can touch, and return what becomes of it.

        A replacement is decided within ``look_behind`` characters, so what lies further back than
        that is settled, unless a replacement straddles the cut; then the cut moves back.
        """
        context, emitted = self._context()
        window = context + self._held
        latest = len(self._held) - self._look_behind
        if latest <= 0:
            return ""
        if self._rewrite(window) == window == emitted + self._held:
            return self._release(latest, self._held[:latest])
        for cut in range(latest, max(0, latest - self._look_behind) - 1, -1):
            head = self._rewrite(window[: len(context) + cut])
            if cut and head.startswith(emitted) and self._parts(window, len(context) + cut, head):
                return self._release(cut, head[len(emitted) :])
        return ""

    def _parts(self, window: str, at: int, head: str) -> bool:
        """Say whether no replacement straddles a place: wherever the text might end, too.

        One end alone could agree by chance: halving "aaa" gives "aa" with a cut after any letter.
        """
        return all(
            self._rewrite(window[:end]) == head + self._rewrite(window[at:end])
            for end in range(len(window), at, -1)
        )

    def _release(self, count: int, text: str) -> str:
        self._pieces.append((self._held[:count], text))
        self._held = self._held[count:]
        # Forget what no rule looks back at, but only as far as the replacements stay in line.
        for first in range(len(self._pieces), 0, -1):
            context, emitted = self._context(first)
            if len(context) < self._look_behind:
                continue
            if self._rewrite(context + self._held).startswith(emitted):
                del self._pieces[:first]
                break
        return text

    def _rest(self) -> str:
        """Return what becomes of the text that is still held when the block ends."""
        context, emitted = self._context()
        whole = self._rewrite(context + self._held)
        return whole[len(emitted) :] if whole.startswith(emitted) else self._rewrite(self._held)

    def _context(self, first: int = 0) -> tuple[str, str]:
        pieces = self._pieces[first:]
        return "".join(raw for raw, _ in pieces), "".join(text for _, text in pieces)


class _WholeBlock(StreamFilter):
    sees = "block"

    def __init__(self, function: Callable[[Block], Block | None]) -> None:
        self._function = function
        self._held: list[Event] = []

    def feed(self, event: Event) -> Iterator[Event]:
        if isinstance(event, ContentBlockStart):
            self._held = [event]
        elif isinstance(event, ContentBlockDelta) and self._held:
            self._held.append(event)
        elif isinstance(event, ContentBlockStop) and self._held:
            held, self._held = [*self._held, event], []
            block = assemble_block(held)
            changed = self._function(block)
            if changed is None or changed == block:
                yield from held
            else:
                yield from events_of_block(event.index, changed)
        else:
            yield event


class _WholeMessage(StreamFilter):
    sees = "message"

    def __init__(self, function: Callable[[Response], Response | None]) -> None:
        self._function = function
        self._held: list[Event] = []

    def feed(self, event: Event) -> Iterator[Event]:
        if isinstance(event, Ping):
            yield event
            return
        self._held.append(event)
        if not isinstance(event, MessageStop):
            return
        held, self._held = self._held, []
        assembler = Assembler()
        for each in held:
            assembler.feed(each)
        response = assembler.response
        changed = self._function(response)
        if changed is None or changed == response:
            yield from held
        else:
            yield from events_of(changed)
