"""A conversation: history that is kept and sent for you.

What is remembered is what the first three stages left in the request (images resolved, so they are
read and encoded once), plus the reply. What the ``send`` onion changed was for the wire only.
"""

import html
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

from attrs import evolve

from hookline.errors import InputError
from hookline.reply import Reply
from hookline.send_options import Input, SendOptions, as_message, check_names
from hookline.streams import AsyncStream, Stream
from hookline.turn import TurnOptions
from hookline.values.blocks import TextBlock
from hookline.values.messages import Message

if TYPE_CHECKING:
    from hookline.pipeline import AsyncPipeline, Pipeline

__all__ = ["AsyncConversation", "Conversation", "ConversationBase"]


class ConversationBase:
    """What both colours of a conversation share.

    Attributes:
        messages: the conversation so far, oldest first.
        incomplete: whether the last message is a reply that broke off.

    """

    def __init__(self, options: SendOptions) -> None:
        check_names(options)
        self._options: SendOptions = {**options}
        given: Sequence[Message | Mapping[str, Any]] = self._options.pop("messages", ())
        self.messages: tuple[Message, ...] = tuple(
            as_message(item, index) for index, item in enumerate(given)
        )
        self.incomplete = False
        self._busy = threading.Lock()
        self.state: dict[Any, Any] = {}  # what `ConversationState` of plugins keeps its values in

    def add(self, role: str, content: Any) -> Self:
        """Add a turn that nobody sent or wrote: an example, a summary, a corrected answer.

        Args:
            role: ``"user"`` or ``"assistant"``.
            content: as for ``send``.

        Returns:
            The conversation itself, so that calls can be chained.

        Raises:
            InputError: another role, or empty content.

        """
        if role not in ("user", "assistant"):
            raise InputError(
                f"role must be 'user' or 'assistant', not {role!r}; the system prompt is system="
            )
        message = as_message({"role": role, "content": content}, len(self.messages), person=True)
        self.begin()
        self.messages = (*self.messages, message)
        self.incomplete = False
        self.end(None)
        return self

    def joined(self, options: TurnOptions) -> TurnOptions:
        """Return a call's options with the history in front."""
        return evolve(options, history=(*self.messages, *options.history))

    def _merged(self, options: SendOptions) -> SendOptions:
        merged: SendOptions = {**self._options, **options}
        return merged

    def begin(self, history: tuple[Message, ...] | None = None) -> None:
        """Hold the conversation for one turn: two at once would each forget the other.

        Args:
            history: what the turn was made with, if that was earlier.

        Raises:
            InputError: another turn is under way, or has been since.

        """
        if history is not None and history[: len(self.messages)] != self.messages:
            raise InputError(
                "the conversation has gone on since this stream was made; call stream(…) again"
            )
        if not self._busy.acquire(blocking=False):
            raise InputError(
                "this conversation is in the middle of a turn; wait for it, or open another one"
            )

    def end(self, reply: Reply | None) -> None:
        """Remember what came of the turn, if anything did, and let the next one begin."""
        if reply is not None:
            self.messages = reply.messages
            self.incomplete = reply.interrupted
        self._busy.release()

    def __len__(self) -> int:
        return len(self.messages)

    def __repr__(self) -> str:
        count = len(self.messages)
        return f"<{type(self).__name__} {count} message{'' if count == 1 else 's'}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='vertical-align:top'><b>{html.escape(message.role)}</b></td>"
            f"<td style='white-space:pre-wrap;text-align:left'>{_shown(message)}</td></tr>"
            for message in self.messages
        )
        return f"<table>{rows}</table>"


class Conversation(ConversationBase):
    """A conversation over a ``Pipeline``; make one with ``line.conversation()``.

    A turn that fails leaves the conversation as it was. A stream that breaks, or is left early,
    keeps what had arrived, with ``incomplete`` set.

    Example:
        >>> chat = line.conversation(system="Be brief.")
        >>> chat.send("Hello, Claude")
        >>> chat.send("Can you describe LLMs to me?")

    """

    def __init__(self, line: "Pipeline", options: SendOptions) -> None:
        super().__init__(options)
        self._line = line

    def send(self, message: Input = None, **options: Unpack[SendOptions]) -> Reply:
        """Send the next message, with everything before it, and remember the reply."""
        self.begin()
        try:
            reply = self._line.take_turn("send", message, self._merged(options), self)
        except BaseException:
            self.end(None)
            raise
        self.end(reply)
        return reply

    def stream(self, message: Input = None, **options: Unpack[SendOptions]) -> "Stream":
        """Send the next message and read the reply while it is written; then remember it."""
        return self._line.open_stream(message, self._merged(options), self)


class AsyncConversation(ConversationBase):
    """A conversation over an ``AsyncPipeline``; see ``Conversation``."""

    def __init__(self, line: "AsyncPipeline", options: SendOptions) -> None:
        super().__init__(options)
        self._line = line

    async def send(self, message: Input = None, **options: Unpack[SendOptions]) -> Reply:
        """Send the next message, with everything before it, and remember the reply."""
        self.begin()
        try:
            reply = await self._line.take_turn("send", message, self._merged(options), self)
        except BaseException:
            self.end(None)
            raise
        self.end(reply)
        return reply

    def stream(self, message: Input = None, **options: Unpack[SendOptions]) -> "AsyncStream":
        """Send the next message and read the reply while it is written; then remember it."""
        return self._line.open_stream(message, self._merged(options), self)


def _shown(message: Message) -> str:
    return "<br>".join(
        html.escape(block.text) if isinstance(block, TextBlock) else html.escape(repr(block))
        for block in message.blocks
    )
