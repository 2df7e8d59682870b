"""How both pipelines take a turn: a reply is waited for, a stream is opened, by a journey.

``send``, ``stream`` and ``resume`` are made of these, and so are those of a conversation.
"""

from collections.abc import Mapping
from typing import Any

from hookline._io import drive, within_deadline
from hookline._journey.journey import journey, the_reply
from hookline._pipeline_base import PipelineBase
from hookline.conversation import ConversationBase
from hookline.reply import Reply
from hookline.send_options import Input, SendOptions
from hookline.streams import AsyncStream, Stream
from hookline.turn import Turn
from hookline.values.messages import Request

__all__ = ["AsyncTurns", "Turns"]


class Turns(PipelineBase):
    """The turns of a ``Pipeline``."""

    def take_turn(
        self,
        surface: str,
        message: Input,
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> Reply:
        """Take one turn; what ``send`` and a conversation's ``send`` are made of."""
        return self._travel(*self._begin(surface, message, options, conversation))

    def take_up(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> Reply:
        """Go on with a turn; what ``resume`` and a conversation's ``resume`` are made of."""
        again = self._begin_again("send", pending, decisions, options, conversation)
        return self._travel(*again)

    def open_stream(
        self, message: Input, options: SendOptions, conversation: ConversationBase | None = None
    ) -> Stream:
        """Prepare a stream; what ``stream`` and a conversation's ``stream`` are made of."""
        turn, request = self._begin("stream", message, options, conversation)
        return Stream(journey(self._engine, turn, request), turn, conversation)

    def open_resumed(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> Stream:
        """Prepare to go on in a stream; what both ``resume_stream`` are made of."""
        turn, request = self._begin_again("stream", pending, decisions, options, conversation)
        return Stream(journey(self._engine, turn, request), turn, conversation)

    def _travel(self, turn: Turn, request: Request) -> Reply:
        items = journey(self._engine, turn, request)
        try:
            return the_reply(drive(anext(items)))
        finally:
            drive(items.aclose())


class AsyncTurns(PipelineBase):
    """The turns of an ``AsyncPipeline``."""

    async def take_turn(
        self,
        surface: str,
        message: Input,
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> Reply:
        """Take one turn; what ``send`` and a conversation's ``send`` are made of."""
        return await self._travel(*self._begin(surface, message, options, conversation))

    async def take_up(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> Reply:
        """Go on with a turn; what ``resume`` and a conversation's ``resume`` are made of."""
        again = self._begin_again("send", pending, decisions, options, conversation)
        return await self._travel(*again)

    def open_stream(
        self, message: Input, options: SendOptions, conversation: ConversationBase | None = None
    ) -> AsyncStream:
        """Prepare a stream; what ``stream`` and a conversation's ``stream`` are made of."""
        turn, request = self._begin("stream", message, options, conversation)
        return AsyncStream(journey(self._engine, turn, request), turn, conversation)

    def open_resumed(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        options: SendOptions,
        conversation: ConversationBase | None = None,
    ) -> AsyncStream:
        """Prepare to go on in a stream; what both ``resume_stream`` are made of."""
        turn, request = self._begin_again("stream", pending, decisions, options, conversation)
        return AsyncStream(journey(self._engine, turn, request), turn, conversation)

    async def _travel(self, turn: Turn, request: Request) -> Reply:
        items = journey(self._engine, turn, request)
        try:
            return the_reply(await within_deadline(turn, anext(items)))
        finally:
            await items.aclose()
