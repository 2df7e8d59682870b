"""Streams: the reply while it is written, for both colours.

Both classes read one async generator, the journey. ``Stream`` drives it step by step without an
event loop; ``AsyncStream`` awaits it. A generator that is running cannot be closed, so whoever closes a
stream during a read leaves the closing to the reader, who does it as soon as the read is over.
"""

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self

from hookline._io import Waits, drive
from hookline._io.pulled import Pulled
from hookline.errors import HooklineError, InputError
from hookline.reply import Reply
from hookline.turn import Turn
from hookline.values.blocks import TextBlock
from hookline.values.events import ContentBlockDelta, ContentBlockStart, Event, Ping, TextDelta
from hookline.values.messages import Message
from hookline.values.tools.events import ToolEvent
from hookline.values.wanted import T_co

if TYPE_CHECKING:
    from anyio import Event as Event_

    from hookline.schema.output import GrowingOutput

__all__ = ["AsyncStream", "Stream"]


Journey = AsyncGenerator[Event | Reply, None]
_MISUSED: Final = (
    "enter the stream first: `with line.stream(…) as stream:` (`async with` in async code)"
)
_TWO_READERS: Final = "this stream is being read already; one thread or task reads a stream"
_PATIENCE: Final = 5.0  # seconds that a closing waits for the reader


class Keeper(Protocol):
    """Who wants to know how a stream ended: a conversation."""

    def begin(self, history: tuple[Message, ...]) -> None:
        """Be told that a stream starts that was made with ``history``; may refuse by raising."""
        ...

    def end(self, reply: Reply | None) -> None:
        """Be told what came of it: the reply, a partial one, or nothing."""
        ...


class _Reading(Generic[T_co]):
    """What both colours keep: what was read ahead, the prefill's turn to be shown, the reply."""

    def __init__(self, items: Journey, turn: Turn, keeper: Keeper | None = None) -> None:
        self._items = items
        self._turn = turn
        self._keeper = keeper
        self._first: Event | Reply | None = None
        self._entered = False
        self._closing = False
        self._leaving = threading.Lock()
        self._prefill_shown = False
        self._reply: Reply[T_co] | None = None

    def _enter(self) -> None:
        if self._entered or self._closing:
            raise HooklineError("a stream is read once; call line.stream(…) again")
        if self._keeper is not None:
            self._keeper.begin(self._turn.options.history)
        self._entered = True

    def _leave(self) -> None:
        with self._leaving:
            keeper, self._keeper = self._keeper, None
        if keeper is not None and self._entered:
            keeper.end(self._reply or self._turn.partial)

    def _require_closing(self, error: RuntimeError) -> None:
        """Raise what it means that the journey could not be read, unless it is being closed."""
        if not _is_running(error):
            raise error
        if not self._closing:
            raise HooklineError(_TWO_READERS) from error

    def _text_of(self, event: Event) -> str:
        """Return the text that an event adds to ``reply.text``, the prefill first."""
        if self._prefill_shown and type(event) is ContentBlockDelta:  # as nearly all of them
            return event.delta.text if type(event.delta) is TextDelta else ""
        text = ""
        # Signs of life, while a rule may still decide about the prefill.
        if isinstance(event, Ping | ToolEvent):
            return text
        if not self._prefill_shown and self._turn.prefill is not None:
            text = self._turn.prefill.text
        self._prefill_shown = True
        if isinstance(event, ContentBlockDelta) and isinstance(event.delta, TextDelta):
            return text + event.delta.text
        if isinstance(event, ContentBlockStart) and isinstance(event.content_block, TextBlock):
            return text + event.content_block.text
        return text

    def _growing_output(self) -> "GrowingOutput":
        """Return what reads the events of this stream as a structured output."""
        from hookline.schema.output import GrowingOutput  # noqa: PLC0415 -- few streams have an output

        if self._turn.options.output is None:
            raise InputError("stream.output needs output=: line.stream(…, output=SomeClass)")
        prefill = self._turn.prefill
        return GrowingOutput(self._turn.options.output, prefill.text if prefill else "")


def _is_running(error: RuntimeError) -> bool:
    """Say whether an error means that somebody else drives the generator at this moment."""
    return not isinstance(error, HooklineError) and "already running" in str(error)


class Stream(_Reading[T_co]):
    """The reply of a ``Pipeline`` while it is written; a context manager.

    Leaving it early closes the connection.
    """

    def __enter__(self) -> Self:
        self._enter()
        try:
            self._first = self._pull()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def events(self) -> Iterator[Event]:
        """The events as they arrive; each is delivered once."""
        if not self._entered:
            raise HooklineError(_MISUSED)
        while self._reply is None:
            item, self._first = self._first or self._pull(), None
            if item is None:
                return
            if isinstance(item, Reply):
                self._reply = item
            else:
                yield item

    @property
    def text(self) -> Iterator[str]:
        """The text in pieces, the prefill first; joined it is ``reply.text``."""
        for event in self.events:
            text = self._text_of(event)
            if text:
                yield text

    @property
    def output(self) -> Iterator[Any]:
        """What ``output=`` asked for while it grows: plain JSON values, each longer than the last.

        Strings, lists and objects count as far as they have come, numbers when they are whole.
        ``reply.output`` is the finished value, of the type that was asked for. The finished parts
        of a value are shared with the next one, so copy before you change it.
        """
        growing = self._growing_output()
        for event in self.events:
            if growing.feed(event):
                yield growing.value

    @property
    def reply(self) -> Reply[T_co]:
        """The whole reply; reads what is left of the stream.

        Raises:
            HooklineError: whatever ended the turn, or that the stream was closed early.

        """
        for _ in self.events:
            pass
        if self._reply is None:
            raise HooklineError("the stream was closed before its end, so there is no whole reply")
        return self._reply

    def close(self) -> None:
        """Stop: close the connection and end the turn. Harmless after the end.

        Another thread may do it at any moment. A read that waits for the network then ends, with
        nothing, and closes the stream.
        """
        self._closing = True  # before the question, or the reader would not know
        try:
            drive(self._items.aclose())
        except RuntimeError as error:
            if _is_running(error):
                self._turn.leave()
                return
            self._leave()
            raise
        except BaseException:
            self._leave()
            raise
        self._leave()

    def _pull(self) -> Event | Reply | None:
        try:
            return drive(anext(self._items))
        except StopAsyncIteration:
            return None
        except GeneratorExit:
            if not self._turn.left:
                raise
            return None
        except RuntimeError as error:
            self._require_closing(error)
            return None
        finally:
            if self._closing:  # asked for in the meantime
                self.close()


class AsyncStream(_Reading[T_co]):
    """The reply of an ``AsyncPipeline`` while it is written; an async context manager."""

    def __init__(self, items: Journey, turn: Turn, keeper: Keeper | None = None) -> None:
        super().__init__(items, turn, keeper)
        self._waits = Waits(turn)
        self._over: Event_ | None = None  # set once a closing that was left to the reader is done

    async def __aenter__(self) -> Self:
        self._enter()
        try:
            self._first = await self._pull()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def events(self) -> AsyncIterator[Event]:
        """The events as they arrive; each is delivered once."""
        return Pulled(self._next_event)

    @property
    def text(self) -> AsyncIterator[str]:
        """The text in pieces, the prefill first; joined it is ``reply.text``."""
        return Pulled(self._next_text)

    @property
    def output(self) -> AsyncIterator[Any]:
        """What ``output=`` asked for while it grows; see ``Stream.output``."""
        growing = self._growing_output()

        async def following() -> Any:
            while (event := await self._next_event()) is not None:
                if growing.feed(event):
                    return growing.value
            return None

        return Pulled(following)

    @property
    async def reply(self) -> Reply[T_co]:
        """The whole reply (``await stream.reply``); reads what is left of the stream."""
        async for _ in self.events:
            pass
        if self._reply is None:
            raise HooklineError("the stream was closed before its end, so there is no whole reply")
        return self._reply

    async def close(self) -> None:
        """Stop: close the connection and end the turn. Harmless after the end.

        Another task may do it at any moment; a read that waits then ends, with nothing.
        """
        self._closing = True
        if not getattr(self._items, "ag_running", False):  # which every generator has, not its type
            await self._end()
            return
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        self._over = self._over or anyio.Event()
        self._waits.stop()
        self._turn.leave()
        with anyio.move_on_after(_PATIENCE):
            await self._over.wait()

    async def _end(self) -> None:
        try:
            await self._items.aclose()
        except RuntimeError as error:
            if _is_running(error):
                return  # another task is at it
            raise
        finally:
            self._leave()
            if self._over is not None:
                self._over.set()

    async def _pull(self) -> Event | Reply | None:
        try:
            if self._turn.buffered > 0:  # a cancel scope costs more than all the rest of an event
                return await anext(self._items, None)
            return await self._waits.on(anext(self._items, None))
        except GeneratorExit:
            if not self._turn.left:
                raise
            return None
        except RuntimeError as error:
            self._require_closing(error)
            return None
        finally:
            if self._closing:
                await self._end()

    async def _next_event(self) -> Event | None:
        if not self._entered:
            raise HooklineError(_MISUSED)
        if self._reply is not None:
            return None
        item, self._first = self._first, None
        if item is None:
            item = await self._pull()
        if isinstance(item, Reply):
            self._reply, item = item, None
        return item

    async def _next_text(self) -> str | None:
        while (event := await self._next_event()) is not None:
            text = self._text_of(event)
            if text:
                return text
        return None
