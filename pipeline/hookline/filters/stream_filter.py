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
did, or did not, stream. What a filter judged is what goes on, and nothing besides.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, ClassVar, Final, Literal, TypeAlias, TypeVar

from attrs import evolve, frozen

from hookline.filters.asking import Asks, Maybe, Rewrite, answered, then
from hookline.filters.json_strings import JSONStrings
from hookline.filters.running_text import RunningText
from hookline.values.blocks import (
    Block,
    MCPToolUseBlock,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Delta,
    Event,
    InputJSONDelta,
    MessageStop,
    Ping,
    TextDelta,
    ThinkingDelta,
)
from hookline.values.messages import Response
from hookline.wire import json
from hookline.wire.assembler import Assembler, assemble_block
from hookline.wire.replay import events_of, events_of_block

__all__ = ["DeltaKind", "Sees", "StreamFilter"]

Sees: TypeAlias = Literal["observe", "deltas", "block", "message"]
DeltaKind: TypeAlias = Literal["text", "thinking", "input_json"]
T = TypeVar("T")


class StreamFilter(ABC):
    """What ``filter_stream`` returns: it turns one sequence of events into another.

    Use one of the four constructors, or subclass for what they cannot say. A filter serves one
    stream and may keep state. The functions, and ``feed`` of a subclass, may be ``async def``; in a
    ``Pipeline`` they may await only what never waits there, as any hook.

    Attributes:
        sees: how much it must see at once; ``hookline plugins`` prints it.
        waits: whether ``feed`` may have to be awaited.

    """

    sees: ClassVar[Sees] = "message"

    @property
    def waits(self) -> bool:
        """Whether ``feed`` may have to be awaited."""
        return iscoroutinefunction(self.feed)

    def begin(self, prefill: str, *, whole: bool) -> None:  # noqa: B027 -- few need to know
        """Be told, before the first event, what the events are those of.

        Args:
            prefill: the words that stand in front of the first text and are not among the events.
            whole: whether the reply is there already, so that nobody waits for its pieces.

        """

    @abstractmethod
    def feed(self, event: Event) -> Maybe[Iterable[Event]]:
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
        rewrite: Rewrite,
        *,
        look_behind: int,
        kinds: tuple[DeltaKind, ...] = ("text",),
    ) -> "StreamFilter":
        """Rewrite running text, wherever the model's chunks happen to end.

        Args:
            rewrite: gets a window of text and returns it rewritten; must be pure. The windows are
                chosen so that the result equals ``rewrite(whole text)``. A prefill counts for what
                matches but stays as it is: of a match across its end, what it becomes follows it.
            look_behind: the longest stretch, in characters, that decides one replacement (for a
                card number with dashes: 19).
            kinds: the deltas it applies to. ``"input_json"``: each string that is a value in a
                tool's input, read and written anew, so that escapes hide nothing; keys and numbers
                stay. Rewriting ``"thinking"`` breaks the signature of the block.

        Example:
            ``StreamFilter.deltas(lambda text: text.replace("secret", "……"), look_behind=6)``

        """
        return _Deltas(rewrite, look_behind, kinds)

    @staticmethod
    def block(function: Callable[[Block], Maybe[Block | None]]) -> "StreamFilter":
        """Judge or rewrite one whole content block at a time.

        Args:
            function: gets the block, returns the one to pass on, or None to leave it as it is.

        """
        return _WholeBlock(function)

    @staticmethod
    def message(function: Callable[[Response], Maybe[Response | None]]) -> "StreamFilter":
        """Judge or rewrite the whole response; nothing is delivered before it has run.

        Args:
            function: gets the response, returns the one to pass on, or None to leave it as it is.

        """
        return _WholeMessage(function)


class _Calls(StreamFilter):
    """A filter around a function, ``def`` or ``async def``."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @property
    def waits(self) -> bool:
        return iscoroutinefunction(self._function) or iscoroutinefunction(
            getattr(self._function, "__call__", None)  # noqa: B004 -- asked for its colour
        )


class _Observe(_Calls):
    sees = "observe"

    def feed(self, event: Event) -> Maybe[Iterable[Event]]:
        return then(self._function(event), lambda _: (event,))


@frozen
class _Kind:
    """Where text of one kind stands: in the deltas, and in a block that brings it along."""

    name: DeltaKind
    delta: type[Delta]
    attribute: str
    blocks: tuple[type[Block], ...]


_KINDS: Final = (
    _Kind("text", TextDelta, "text", (TextBlock,)),
    _Kind("thinking", ThinkingDelta, "thinking", (ThinkingBlock,)),
    _Kind(
        "input_json",
        InputJSONDelta,
        "partial_json",
        (ToolUseBlock, ServerToolUseBlock, MCPToolUseBlock),
    ),
)


class _Deltas(_Calls):
    """Holds back raw text until no later text can change what becomes of it."""

    sees = "deltas"

    def __init__(self, rewrite: Rewrite, look_behind: int, kinds: tuple[DeltaKind, ...]) -> None:
        super().__init__(rewrite)
        self._look_behind = max(0, look_behind)
        self._by_delta = {kind.delta: kind for kind in _KINDS if kind.name in kinds}
        self._prefill = ""
        self._whole = False
        self._text: RunningText | JSONStrings | None = None
        self._last: ContentBlockDelta | None = None
        self._brought = ""  # a tool's input that came with the block's start, unless deltas follow

    def begin(self, prefill: str, *, whole: bool) -> None:
        self._prefill, self._whole = prefill, whole

    def feed(self, event: Event) -> Maybe[Iterable[Event]]:
        if isinstance(event, ContentBlockDelta):
            kind = self._by_delta.get(type(event.delta))
            if kind is not None:
                self._brought = ""
                return answered(self._grow(event, kind), self._function)
        elif isinstance(event, ContentBlockStart):
            return answered(self._start(event), self._function)
        elif isinstance(event, ContentBlockStop):
            return answered(self._stop(event), self._function)
        return (event,)

    def _start(self, event: ContentBlockStart) -> Asks[list[Event]]:
        block = event.content_block
        self._text = self._last = None
        self._brought = ""
        kind = next((k for k in self._by_delta.values() if isinstance(block, k.blocks)), None)
        if kind is None:
            return [event]
        if kind.name == "input_json":
            self._text = JSONStrings(self._running)
            given = getattr(block, "input", None)
            if not given:
                return [event]
            self._brought = json.dumps(given).decode()
            return [event.evolve(content_block=block.evolve(input={}))]
        before = self._prefill if kind.name == "text" else ""
        self._prefill = "" if kind.name == "text" else self._prefill
        self._text = RunningText(self._look_behind, before, whole=self._whole)
        given = getattr(block, kind.attribute)
        if not given:
            return [event]
        empty = event.evolve(content_block=block.evolve(**{kind.attribute: ""}))
        grown = yield from self._grow(_delta(event.index, kind, given), kind)
        return [empty, *grown]

    def _running(self) -> RunningText:
        return RunningText(self._look_behind, whole=self._whole)

    def _grow(self, event: ContentBlockDelta, kind: _Kind) -> Asks[list[Event]]:
        if self._text is None:  # a block of a type that is not known
            self._text = self._running()
        self._last = event
        return self._changed((yield from self._text.feed(getattr(event.delta, kind.attribute))))

    def _stop(self, event: ContentBlockStop) -> Asks[list[Event]]:
        out: list[Event] = []
        if self._brought:
            kind = self._by_delta[InputJSONDelta]
            out += yield from self._grow(_delta(event.index, kind, self._brought), kind)
        if self._text is not None and self._last is not None:
            out += self._changed((yield from self._text.end()))
        self._text = self._last = None
        return [*out, event]

    def _changed(self, text: str) -> list[Event]:
        if not text or self._last is None:
            return []
        kind = self._by_delta[type(self._last.delta)]
        return [evolve(self._last, delta=evolve(self._last.delta, **{kind.attribute: text}))]


def _delta(index: int, kind: _Kind, text: str) -> ContentBlockDelta:
    return ContentBlockDelta(index, kind.delta(**{kind.attribute: text}))


class _WholeBlock(_Calls):
    sees = "block"

    def __init__(self, function: Callable[[Block], Maybe[Block | None]]) -> None:
        super().__init__(function)
        self._held: list[Event] = []

    def feed(self, event: Event) -> Maybe[Iterable[Event]]:
        if isinstance(event, ContentBlockStart):
            self._held = [event]
        elif isinstance(event, ContentBlockDelta) and self._held:
            self._held.append(event)
        elif isinstance(event, ContentBlockStop) and self._held:
            block = assemble_block(self._held)
            self._held = []
            return then(
                self._function(block),
                lambda judged: tuple(events_of_block(event.index, _or(judged, block, Block))),
            )
        else:
            return (event,)
        return ()


class _WholeMessage(_Calls):
    sees = "message"

    def __init__(self, function: Callable[[Response], Maybe[Response | None]]) -> None:
        super().__init__(function)
        self._assembler = Assembler()

    def feed(self, event: Event) -> Maybe[Iterable[Event]]:
        if isinstance(event, Ping):
            return (event,)
        self._assembler.feed(event)
        if not isinstance(event, MessageStop):
            return ()
        response = self._assembler.response
        return then(
            self._function(response),
            lambda judged: tuple(events_of(_or(judged, response, Response))),
        )


def _or(judged: object, original: T, wanted: type[T]) -> T:
    """Return what a function returned, or the original where it returned None."""
    if judged is None:
        return original
    if not isinstance(judged, wanted):
        raise TypeError(
            f"a filter's function gave {type(judged).__name__!r}, where a {wanted.__name__} or None "
            "is wanted"
        )
    return judged
