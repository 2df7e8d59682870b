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

from hookline.assembler import Assembler, assemble_block, events_of, events_of_block
from hookline.blocks import Block
from hookline.events import (
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
from hookline.messages import Response

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
        self._context = ""  # raw text already released: what a \b or a look-behind may look at
        self._held = ""  # raw text not yet released
        self._last: ContentBlockDelta | None = None

    def feed(self, event: Event) -> Iterator[Event]:
        if isinstance(event, ContentBlockDelta):
            kind, attribute = _DELTA_TYPES.get(type(event.delta), ("", ""))
            if kind in self._kinds:
                self._held += getattr(event.delta, attribute)
                self._last = event
                yield from self._emit(self._release(self._safe_cut()))
                return
        elif isinstance(event, ContentBlockStart):
            self._start_over()
        elif isinstance(event, ContentBlockStop) and self._last is not None:
            yield from self._emit(self._release(len(self._held)))
            self._start_over()
        yield event

    def _emit(self, text: str) -> Iterator[Event]:
        if text and self._last is not None:
            _, attribute = _DELTA_TYPES[type(self._last.delta)]
            yield evolve(self._last, delta=evolve(self._last.delta, **{attribute: text}))

    def _safe_cut(self) -> int:
        """Return how many held characters no later text can touch.

        A replacement is decided within ``look_behind`` characters, so what lies further back than
        that is settled, unless a replacement straddles the cut. Then rewriting both halves does not
        give what rewriting the whole gives, and the cut moves back, at most to where it began.
        """
        window = self._context + self._held
        offset = len(self._context)
        latest = len(self._held) - self._look_behind
        if latest <= 0:
            return 0
        whole = self._rewrite(window)
        if whole == window:
            return latest
        for cut in range(latest, max(0, latest - self._look_behind) - 1, -1):
            head, tail = window[: offset + cut], window[offset + cut :]
            if self._rewrite(head) + self._rewrite(tail) == whole:
                return cut
        return 0

    def _release(self, count: int) -> str:
        if count == 0:
            return ""
        raw = self._held[:count]
        before = self._rewrite(self._context)
        after = self._rewrite(self._context + raw)
        released = after[len(before) :] if after.startswith(before) else self._rewrite(raw)
        self._context = (self._context + raw)[-self._look_behind :] if self._look_behind else ""
        self._held = self._held[count:]
        return released


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
