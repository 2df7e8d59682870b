"""The plugin ``echo``: the reply's text holds the prefill exactly once.

Anthropic's models answer a prefill with the continuation only. Some other servers repeat the prefill, in
whole answers, in streams or in both; which, is learned per destination, model and kind of answer (``turn.learn``), and never
guessed: a short prefill may well be what the model itself says next, so before the first one such a server is
asked for one token after words that nobody says by chance. A model that was only told to continue may repeat
the words in its own way (``repeats``).

It works inside ``cache`` and ``resume``, so that nobody out there takes a repeat for the model's words.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Final, Literal

from attrs import define, field, frozen

from hookline import (
    CallNext,
    HooklineError,
    Message,
    Request,
    Response,
    StreamFilter,
    TextBlock,
    Turn,
    hookimpl,
)
from hookline.plugin import Relay, TurnState, checks_options, close, option
from hookline.profiles import LessonName
from hookline.values import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    MessageDelta,
    TextDelta,
)
from hookline_plugins.prefill import words_at_the_end
from hookline_plugins.prefill.decision import SMALL, continues, stops_within
from hookline_plugins.prefill.overrun import Stops, within
from hookline_plugins.prefill.repeats import Cut, Repeat

__all__ = ["Echo"]

_TELLING: Final = "The quick brown fox jumps over the"
_ORDINARY: Final = ("end_turn", "stop_sequence", "max_tokens")
_TELLS: Final = 12  # characters; words that long are not said again by chance
_WHOLE: Final = "repeats_whole"
_IN_STREAMS: Final = "repeats_streams"


@define
class _Wanted:
    """What the answer of this turn has to continue, in how many tokens, and where it ends."""

    words: str = ""
    limit: int = 0
    stops: tuple[str, ...] = ()


@checks_options
@frozen(eq=False)
class Echo:
    """Takes the prefill out of an answer that repeats it.

    Attributes:
        remove: ``"auto"`` takes repeats out of what a model was told to continue, and of the
            answers of servers that are known to repeat; ``"always"`` out of all, ``"never"``
            out of none.
        ask: whether a server that nobody knows is asked for one token, to learn its habit, before
            the first short prefill.

    """

    first = True
    before = ("prefill",)
    remove: Literal["auto", "always", "never"] = field(
        default="auto", metadata=option(harmless=True)
    )
    ask: bool = field(default=True, metadata=option(harmless=True))
    wanted = TurnState(_Wanted)

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Return the answer without what it repeats of the prefill."""
        words = words_at_the_end(turn, request)
        if words is None or self.remove == "never":
            return await call_next(request)
        stops = stops_within(request, words)
        self.wanted[turn] = _Wanted(words, request.max_tokens, stops)
        if turn.asks_model and continues(turn, request):
            await self._ask(turn, request, words, call_next, streams=turn.stream)
        response = await call_next(request)
        if turn.asks_model and _kind(turn, response) == _IN_STREAMS and not turn.stream:
            # A plain call that was a stream on the wire: there the habit may be another one.
            await self._ask(turn, request, words, call_next, streams=True)
        taking = self._taking(turn, words, request, response)
        if taking is not None and response.events is None:
            response = taking.whole(response)
        elif taking is not None and response.events is not None:
            events = Relay(response.events, _taken(response.events, taking))
            response = response.evolve(events=events)
        # What an instructed model was given room for is cut by `_Taking`.
        few = 0 < request.max_tokens <= SMALL and turn.asks_model
        native = few and turn.prefill is not None and turn.prefill.mode == "native"
        return (
            within(response, request.max_tokens)
            if native and _may_repeat(turn, request)
            else response
        )

    @hookimpl
    def filter_stream(self, turn: Turn) -> StreamFilter | None:
        """Do the same for the result of a batch, which comes a day later and by another way."""
        prefill = turn.prefill
        if turn.surface != "batch" or prefill is None or prefill.mode == "native":
            return None
        wanted = self.wanted[turn]
        if not wanted.words:
            return None
        limit = wanted.limit if 0 < wanted.limit <= SMALL and prefill.mode == "instructed" else 0
        return _Taking(turn, Repeat(wanted.words, loose=True), limit, stops=wanted.stops)

    def _taking(
        self, turn: Turn, words: str, request: Request, response: Response
    ) -> "_Taking | None":
        """Return what takes repeats out of this answer, or None if there are none."""
        mode = turn.prefill.mode if turn.prefill and turn.prefill.text == words else None
        if mode is None:
            mode = "native" if continues(turn, request) else "instructed"
        if mode != "native":
            small = mode == "instructed" and 0 < request.max_tokens <= SMALL
            limit = request.max_tokens if small else 0
            stops = stops_within(request, words)
            return _Taking(turn, Repeat(words, loose=True), limit, stops=stops)
        if self.remove == "always":
            return _Taking(turn, Repeat(words))
        if not _may_repeat(turn, request):
            return None
        kind = _kind(turn, response)
        repeats = turn.learned(kind, request.model)
        if repeats is False or (repeats is None and len(words) < _TELLS):
            return None
        known = repeats is True
        return _Taking(turn, Repeat(words, known=known), learns=(kind, request.model))

    async def _ask(
        self, turn: Turn, request: Request, words: str, call_next: CallNext, *, streams: bool
    ) -> None:
        """Ask an unknown server for one token after words that nobody says twice by chance."""
        if not self.ask or self.remove != "auto" or len(words) >= _TELLS:
            return
        expected: LessonName = _IN_STREAMS if streams else _WHOLE
        if not _may_repeat(turn, request) or turn.learned(expected, request.model) is not None:
            return
        question = Request(
            request.model,
            1,
            (Message("user", "Say a sentence."), Message("assistant", _TELLING)),
            stream=streams or None,
        )
        try:
            response = await call_next(question)
            kind = _kind(turn, response)
            text = await _text(response)
        except HooklineError as error:
            turn.trace.note(
                "echo", f"whether {turn.upstream} repeats a prefill is unknown: {error}"
            )
            return
        # A server that counts the repeat has no room for all of it.
        cut = len(text) > 1 and _TELLING.startswith(text)
        repeats = cut or text.startswith(_TELLING)
        turn.learn(kind, repeats, model=request.model, how="asked for one token")


def _may_repeat(turn: Turn, request: Request) -> bool:
    """Say whether the server may be one of those: not where a Claude answers."""
    profile = turn.profile
    claude = profile.claude and turn.models.is_claude(request.model)
    return profile.repeats_prefill == "learned" and not claude


def _kind(turn: Turn, response: Response) -> LessonName:
    """Return which habit of the server an answer shows: that of streams, if it was one on the wire."""
    streamed = "event-stream" in response.headers.get("content-type", "").lower()
    return _IN_STREAMS if streamed or (turn.stream and response.events is not None) else _WHOLE


class _Taking(StreamFilter):
    """Takes a repeat out of the first text of an answer, and cuts the answer where it is too long."""

    sees = "deltas"

    def __init__(
        self,
        turn: Turn,
        repeat: Repeat,
        limit: int = 0,
        learns: tuple[LessonName, str] | None = None,
        stops: tuple[str, ...] = (),
    ) -> None:
        self._turn = turn
        self._repeat = repeat
        self._cut = Cut(limit) if limit else None
        self._stops = Stops(stops)
        self._learns = learns  # what the answer shows, and of which model
        self._index: int | None = None  # of the first block of text
        self._texts: set[int] = set()  # blocks of text
        self._last = 0  # the block that a stop sequence was found in
        self._told = False

    def feed(self, event: Event) -> Iterator[Event]:
        """Pass events on; hold the first text back while it may still be a repeat."""
        if self._stops.found is not None and self._is_of_later_block(event):
            return
        if isinstance(event, ContentBlockStart) and isinstance(event.content_block, TextBlock):
            self._index = event.index if self._index is None else self._index
            self._texts.add(event.index)
            text = event.content_block.text
            yield event.evolve(content_block=event.content_block.evolve(text="")) if text else event
            if text:
                yield from self._grown(event.index, text)
        elif isinstance(event, ContentBlockDelta) and isinstance(event.delta, TextDelta):
            yield from self._grown(event.index, event.delta.text)
        elif isinstance(event, ContentBlockStop) and event.index in self._texts:
            if event.index == self._index:
                yield from self._delta(event.index, self._repeat.end())
                self._tell()
            yield from self._cut_delta(event.index, self._stops.end())
            yield event
        elif isinstance(event, MessageDelta):
            yield event.evolve(delta=event.delta.evolve(**self._ending(event.delta.stop_reason)))
        else:
            yield event

    def whole(self, response: Response) -> Response:
        """Do the same to an answer that has arrived."""
        content = []
        for index, block in enumerate(response.content):
            if self._stops.found is not None:
                break
            if not isinstance(block, TextBlock):
                content.append(block)
                continue
            text = block.text
            if self._index is None:
                self._index = index
                text = self._repeat.feed(text) + self._repeat.end()
                self._tell()
            text = self._stops.feed(text) + self._stops.end()
            text = self._cut.feed(text) if self._cut is not None else text
            content.append(block if text == block.text else block.evolve(text=text))
        return response.evolve(content=tuple(content), **self._ending(response.stop_reason))

    def _ending(self, stop_reason: str | None) -> dict[str, str | None]:
        """Return how the API would have ended the answer where it is cut here; nothing if it is not."""
        if self._cut is not None and self._cut.over and stop_reason in _ORDINARY:
            return {"stop_reason": "max_tokens", "stop_sequence": None}
        if self._stops.found is not None and stop_reason != "refusal":
            return {"stop_reason": "stop_sequence", "stop_sequence": self._stops.found}
        return {}

    def _is_of_later_block(self, event: Event) -> bool:
        """Say whether an event belongs to what comes behind a stop sequence."""
        if isinstance(event, ContentBlockStart | ContentBlockDelta | ContentBlockStop):
            return event.index > self._last
        return False

    def _grown(self, index: int, text: str) -> Iterator[Event]:
        text = self._repeat.feed(text) if index == self._index else text
        self._tell()
        yield from self._delta(index, text)

    def _delta(self, index: int, text: str) -> Iterator[Event]:
        going_on = self._stops.found is None
        text = self._stops.feed(text)
        if going_on and self._stops.found is not None:
            self._last = index
        yield from self._cut_delta(index, text)

    def _cut_delta(self, index: int, text: str) -> Iterator[Event]:
        text = self._cut.feed(text) if self._cut is not None else text
        if text:
            yield ContentBlockDelta(index, TextDelta(text))

    def _tell(self) -> None:
        """Note what came out, and learn from it, once."""
        repeat = self._repeat
        if self._told or not repeat.decided:
            return
        self._told = True
        if repeat.taken is not None:
            self._turn.trace.note("echo", f"{repeat.taken} of the prefill taken out")
        elif repeat.loose and repeat.began:
            self._turn.trace.note("echo", "the model began anew: it did not repeat the prefill")
        if self._learns is not None and not repeat.short:
            name, model = self._learns
            repeats = repeat.taken is not None
            self._turn.learn(name, repeats, model=model, how="by an answer to a prefill")


async def _taken(source: AsyncIterator[Event], taking: _Taking) -> AsyncGenerator[Event, None]:
    try:
        async for event in source:
            for each in taking.feed(event):
                yield each
    finally:
        await close(source)


async def _text(response: Response) -> str:
    """Return the text of an answer, streamed or whole."""
    if response.events is None:
        return response.text
    pieces: list[str] = []
    try:
        async for event in response.events:
            if isinstance(event, ContentBlockStart) and isinstance(event.content_block, TextBlock):
                pieces.append(event.content_block.text)
            elif isinstance(event, ContentBlockDelta) and isinstance(event.delta, TextDelta):
                pieces.append(event.delta.text)
    finally:
        await close(response.events)
    return "".join(pieces)
