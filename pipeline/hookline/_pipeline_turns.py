"""How both pipelines take a turn: a reply is waited for, a stream is opened, by a journey.

``send``, ``stream`` and ``resume`` are made of these, and so are those of a conversation.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from hookline._io import drive, within_deadline
from hookline._journey.journey import journey, the_reply
from hookline._pipeline_base import PipelineBase
from hookline.conversation import ConversationBase
from hookline.errors import InputError
from hookline.reply import Reply
from hookline.send_options import Input, SendOptions
from hookline.streams import AsyncStream, Stream
from hookline.turn import Turn
from hookline.values.messages import Request

__all__ = ["AsyncTurns", "Turns"]


S = TypeVar("S")


class _Opens(PipelineBase, Generic[S]):
    """What both colours have alike: how a stream is opened, and a turn that waited begun again."""

    _stream: Callable[..., S]

    def open_stream(
        self, message: Input, options: SendOptions, conversation: ConversationBase | None = None
    ) -> S:
        """Prepare a stream; what ``stream`` and a conversation's ``stream`` are made of."""
        turn, request = self.begin_turn("stream", message, options, conversation)
        return self._stream(journey(self._engine, turn, request), turn, conversation)

    def open_resumed(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> S:
        """Prepare to go on in a stream; what both ``resume_stream`` are made of."""
        turn, request = self._begin_again("stream", pending, decisions, options, conversation)
        return self._stream(journey(self._engine, turn, request), turn, conversation)

    def _begin_again(
        self,
        surface: str,
        pending: Any,
        decisions: Any,
        given: Mapping[str, Any],
        conversation: "ConversationBase | None" = None,
    ) -> tuple[Turn, Request]:
        """Turn a reply that waited for decisions into a turn that goes on there."""
        from hookline.send_options.resuming import MAY_BE_GIVEN, resumed  # noqa: PLC0415 -- few turns wait

        unknown = ", ".join(sorted(given.keys() - MAY_BE_GIVEN))
        if unknown:
            raise InputError(
                f"resume takes {', '.join(sorted(MAY_BE_GIVEN))}, not {unknown}: the rest was decided "
                "when the turn began"
            )
        where = resumed(pending, decisions)
        if conversation is not None:
            conversation.require_own(where.reply.messages)
        given = {"messages": where.reply.request.messages, **given}
        turn, _ = self.begin_turn(surface, None, given, conversation, resumed=where)
        return turn, where.reply.request


class Turns(_Opens[Stream]):
    """The turns of a ``Pipeline``."""

    _stream = Stream

    def take_turn(self, turn: Turn, request: Request) -> Reply:
        """Take a turn that has begun; what ``send`` and a conversation's ``send`` are made of."""
        items = journey(self._engine, turn, request)
        try:
            return the_reply(drive(anext(items)))
        finally:
            drive(items.aclose())

    def take_up(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> Reply:
        """Go on with a turn; what ``resume`` and a conversation's ``resume`` are made of."""
        again = self._begin_again("send", pending, decisions, options, conversation)
        return self.take_turn(*again)


class AsyncTurns(_Opens[AsyncStream]):
    """The turns of an ``AsyncPipeline``."""

    _stream = AsyncStream

    async def take_turn(self, turn: Turn, request: Request) -> Reply:
        """Take a turn that has begun; what ``send`` and a conversation's ``send`` are made of."""
        items = journey(self._engine, turn, request)
        try:
            return the_reply(await within_deadline(turn, anext(items)))
        finally:
            await items.aclose()

    async def take_up(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> Reply:
        """Go on with a turn; what ``resume`` and a conversation's ``resume`` are made of."""
        again = self._begin_again("send", pending, decisions, options, conversation)
        return await self.take_turn(*again)
