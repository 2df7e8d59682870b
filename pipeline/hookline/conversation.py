"""A conversation: history that is kept and sent for you.

What is remembered is what the first three stages left in the request (images resolved, so they are
read and encoded once), plus the reply. What the ``send`` onion changed was for the wire only.

A conversation is a value with a lock: copied or unpickled it goes on by itself, with a lock of its
own. Its pipeline, which holds connections and keys, is shared by copies and left out of pickles.
"""

import html
import threading
from codecs import BOM_UTF8
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from attrs import evolve

from hookline.errors import DecodeError, InputError
from hookline.reply import Reply
from hookline.send_options import Input, SendOptions
from hookline.send_options.call import request_fields
from hookline.send_options.message import as_history, new_message
from hookline.send_options.options import check_names, forget
from hookline.send_options.tools import split_tools
from hookline.streams import AsyncStream, Stream
from hookline.turn import TurnOptions
from hookline.values.blocks import TextBlock
from hookline.values.brief import brief
from hookline.values.messages import Message, Request
from hookline.values.wanted import T

if TYPE_CHECKING:
    from hookline._pipeline_turns import AsyncTurns, Turns

__all__ = ["AsyncConversation", "Conversation", "ConversationBase"]


class ConversationBase:
    """What both colours of a conversation share.

    Attributes:
        options: what every turn of it takes besides the message; may be changed between turns.
        messages: the conversation so far, oldest first.
        incomplete: whether the last message is a reply that broke off.

    """

    def __init__(self, line: Any, options: SendOptions) -> None:
        check_names(options)
        self._line = line
        self.options: SendOptions = {**options}
        self.messages: tuple[Message, ...] = as_history(self.options.pop("messages", None))
        self.incomplete = False
        self._busy = threading.Lock()
        self.state: dict[Any, Any] = {}  # what `ConversationState` of plugins keeps its values in

    @classmethod
    def from_json(cls, data: str | bytes, line: Any, **options: Unpack[SendOptions]) -> Self:
        """Read a conversation that `to_json` wrote, or a plain list of messages.

        Args:
            data: JSON.
            line: the pipeline to go on with.
            **options: what JSON cannot carry (functions in ``tools``, ``output``, ``context``), and
                what shall be other than it was.

        Returns:
            The conversation.

        Raises:
            InputError: it is no JSON, a name stands twice in one of its objects, or it is no conversation.

        """
        from hookline.wire import json  # noqa: PLC0415 -- loads orjson
        from hookline.wire.codec import structure_request  # noqa: PLC0415 -- loads cattrs

        if not isinstance(data, str | bytes):
            raise InputError(f"from_json() takes JSON as text or bytes, not {type(data).__name__}")
        try:
            raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
            saved = json.loads_unique(raw.removeprefix(BOM_UTF8))
        except json.JSONDecodeError as error:
            raise InputError(f"the conversation is not JSON: {error}") from error
        saved = {"messages": saved} if isinstance(saved, list) else saved
        if not isinstance(saved, dict) or not isinstance(saved.get("messages"), list):
            raise InputError("a conversation is a JSON object with messages, or a list of messages")
        incomplete = saved.pop("incomplete", False)
        betas = saved.pop("betas", ())
        given = {name: value for name, value in saved.items() if value is not None}
        try:
            request = structure_request({"model": "", "max_tokens": 0, **given})
        except DecodeError as error:
            raise InputError(f"this is no conversation: {error}") from error
        kept: Any = {
            name: getattr(request, name) for name in given if name in SendOptions.__annotations__
        }
        kept |= {"betas": betas} if betas else {}
        kept |= {"extra": request.extra} if request.extra else {}
        kept |= options
        chat = cls(line, kept)
        chat.incomplete = bool(incomplete)
        return chat

    def to_json(self) -> str:
        """Write the conversation as JSON: in the form of a request's body, without loss.

        Kept are the messages and every field of a request (``system``, ``model`` …) that its
        options name. Functions in ``tools``, ``output``, ``context``, ``prefill``, ``on_progress`` and
        ``timeout`` belong to the program: give them again to `from_json`.

        Raises:
            InputError: an option is wrong, or holds what JSON cannot carry.
            UnresolvedContent: it holds an image or document that was added but never sent.

        """
        from hookline.wire import json  # noqa: PLC0415 -- loads orjson
        from hookline.wire.codec import unstructure  # noqa: PLC0415 -- loads cattrs

        fields = request_fields(self.options)
        definitions, _functions = split_tools(self.options.get("tools"))
        fields |= {"tools": definitions} if definitions else {}
        request = Request("", 0, self.messages).evolve(**fields)
        saved = unstructure(request)
        for name in ("model", "max_tokens"):  # where the pipeline's own are meant
            if name not in fields:
                del saved[name]
        saved |= {"betas": list(request.betas)} if request.betas else {}
        saved |= {"incomplete": True} if self.incomplete else {}
        try:
            return json.dumps(saved).decode()
        except TypeError as error:
            raise InputError(f"the conversation holds what JSON cannot carry: {error}") from error

    def over(self, line: Any) -> Self:
        """Return a copy that goes on with another pipeline, for example after unpickling."""
        return self._twin(line=line)

    def __getstate__(self) -> dict[str, Any]:
        # What plugins keep of a conversation is theirs, keyed by their pipeline, and may be secret.
        return {
            "options": {**self.options},
            "messages": self.messages,
            "incomplete": self.incomplete,
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update({"_line": None, "state": {}, **state, "_busy": threading.Lock()})

    def __copy__(self) -> Self:
        return self._twin(line=self._line, state={**self.state})

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        options, state = deepcopy((self.options, self.state), memo)
        return self._twin(line=self._line, options=options, state=state)

    def _twin(self, *, line: Any, **changes: Any) -> Self:
        twin = type(self).__new__(type(self))
        twin.__setstate__({**self.__getstate__(), **changes, "_line": line})
        return twin

    def _reached(self) -> Any:
        if self._line is None:
            raise InputError(
                "this conversation was unpickled, and pipelines are not: go on with chat.over(line)"
            )
        return self._line

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
                f"role must be 'user' or 'assistant', not {brief(role)}; the system prompt is system="
            )
        new = new_message(content)
        message = Message(role, new.content if new else "")
        self.begin()
        self.messages = (*self.messages, message)
        self.incomplete = False
        self.end(None)
        return self

    def joined(self, options: TurnOptions) -> TurnOptions:
        """Return a call's options with the history in front."""
        return evolve(options, history=(*self.messages, *options.history))

    def _merged(self, options: SendOptions) -> SendOptions:
        merged: SendOptions = {**self.options, **options}
        forget(options)
        return merged

    def _kept(self, options: SendOptions) -> SendOptions:
        """Return what a turn that goes on takes of the conversation's options."""
        from hookline.send_options.resuming import MAY_BE_GIVEN  # noqa: PLC0415 -- few turns wait

        kept = {name: value for name, value in self.options.items() if name in MAY_BE_GIVEN}
        merged: Any = {**kept, **options}
        return cast("SendOptions", merged)

    def require_own(self, messages: tuple[Message, ...]) -> None:
        """Refuse to go on with a turn that is none of this conversation.

        Raises:
            InputError: ``messages``, which the turn has sent and got, do not begin as it does.

        """
        if messages[: len(self.messages)] != self.messages:
            raise InputError(
                "what is pending is not the last turn of this conversation; resume it with "
                "line.resume(…), or in the conversation where it was sent"
            )

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

    def send(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> Reply[T]:
        """Send the next message, with everything before it, and remember the reply."""
        line: Turns = self._reached()
        self.begin()
        try:
            begun = line.begin_turn("send", message, self._merged(options), self)
            del message
            reply = line.take_turn(*begun)
        except BaseException:
            self.end(None)
            raise
        self.end(reply)
        return reply

    def stream(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> Stream[T]:
        """Send the next message and read the reply while it is written; then remember it."""
        line: Turns = self._reached()
        return line.open_stream(message, self._merged(options), self)

    def resume(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> Reply[T]:
        """Go on with its last turn, which waited for decisions; see ``Pipeline.resume``.

        An empty conversation takes over the one that ``pending`` holds.

        Raises:
            InputError: the turn is one of another conversation.

        """
        line: Turns = self._reached()
        self.begin()
        try:
            reply = line.take_up(pending, decisions, self._kept(options), self)
        except BaseException:
            self.end(None)
            raise
        self.end(reply)
        return reply

    def resume_stream(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> Stream[T]:
        """Go on with its last turn, streamed; see ``Pipeline.resume_stream``."""
        line: Turns = self._reached()
        return line.open_resumed(pending, decisions, self._kept(options), self)


class AsyncConversation(ConversationBase):
    """A conversation over an ``AsyncPipeline``; see ``Conversation``."""

    async def send(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> Reply[T]:
        """Send the next message, with everything before it, and remember the reply."""
        line: AsyncTurns = self._reached()
        self.begin()
        try:
            begun = line.begin_turn("send", message, self._merged(options), self)
            del message
            reply = await line.take_turn(*begun)
        except BaseException:
            self.end(None)
            raise
        self.end(reply)
        return reply

    def stream(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> AsyncStream[T]:
        """Send the next message and read the reply while it is written; then remember it."""
        line: AsyncTurns = self._reached()
        return line.open_stream(message, self._merged(options), self)

    async def resume(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> Reply[T]:
        """Go on with its last turn, which waited for decisions; see ``Conversation.resume``."""
        line: AsyncTurns = self._reached()
        self.begin()
        try:
            reply = await line.take_up(pending, decisions, self._kept(options), self)
        except BaseException:
            self.end(None)
            raise
        self.end(reply)
        return reply

    def resume_stream(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> AsyncStream[T]:
        """Go on with its last turn, streamed; see ``Pipeline.resume_stream``."""
        line: AsyncTurns = self._reached()
        return line.open_resumed(pending, decisions, self._kept(options), self)


def _shown(message: Message) -> str:
    return "<br>".join(
        html.escape(block.text) if isinstance(block, TextBlock) else html.escape(repr(block))
        for block in message.blocks
    )
