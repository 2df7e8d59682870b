"""Messages, requests and responses: what travels between a caller and the Messages API.

All are frozen values without I/O. Everything that the API may send and this version does not know
survives, in ``extra`` or in ``Unknown…`` classes.
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import field, frozen

from hookline._said import LONGEST_NAME, shown_text
from hookline.errors import InputError
from hookline.values.content import Block, CacheControl, TextBlock, as_blocks, as_content
from hookline.values.frozen import EMPTY, Model, checked, freeze, frozen_tuple
from hookline.values.rate_limits import RateLimits, read_rate_limits
from hookline.values.redaction import shown_values
from hookline.values.tools.definitions import ToolChoice, ToolSpec
from hookline.values.usage import StopDetails, Usage

if TYPE_CHECKING:
    from hookline.values.editing.blocks import Gathers, Replacement
    from hookline.values.editing.text import TextPart

__all__ = ["Message", "Request", "Response"]

# Marks fields that are ours and not the JSON's; `hookline.wire.codec` leaves them out.
LOCAL: Final[Mapping[str, Any]] = {"local": True}


def _joined(blocks: Iterable[Block]) -> str:
    return "".join([block.text for block in blocks if isinstance(block, TextBlock)])


def _count(items: tuple[Any, ...]) -> str:
    return f"<{len(items)} messages>"


@frozen(eq=False, repr=False, field_transformer=checked)
class Message(Model):
    """One turn of a conversation.

    Args:
        role: ``"user"``, ``"assistant"`` or ``"system"``; other values are kept for the API to judge.
        content: a string, a block, or a list of blocks and strings. A string stays a string, a list
            becomes a tuple of blocks.
        output_config: on system messages (beta).
        clear_at: on system messages (beta).

    Raises:
        InputError: a value of the wrong type.

    Example:
        >>> Message("user", ["What is this?", ImageBlock(URLSource("https://example.com/ant.jpg"))])

    """

    role: str
    content: str | tuple[Block, ...] = field(converter=as_content)
    output_config: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    clear_at: Any = field(default=None, converter=freeze, kw_only=True)
    # Its JSON, filled in by hookline.wire.codec when first needed: a long history or a large image is
    # encoded once and not on every turn.
    _encoded: Any = field(default=None, init=False, eq=False, repr=False, metadata=LOCAL)
    # Its string as a block, made when first asked for.
    _as_block: Any = field(default=None, init=False, eq=False, repr=False, metadata=LOCAL)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The content as blocks, also where it is a string."""
        content = self.content
        if not isinstance(content, str):
            return content
        block: TextBlock | None = self._as_block
        if type(block) is not TextBlock or block.text is not content:
            block = TextBlock(content)
            object.__setattr__(self, "_as_block", block)
        return (block,)

    @property
    def text(self) -> str:
        """The text of all text blocks, joined."""
        return self.content if isinstance(self.content, str) else _joined(self.content)


# attrs takes the type of an argument from its converter, so each kind of list has one of its own.
def _messages(items: Sequence[Message]) -> Any:
    return frozen_tuple(items)


def _tools(items: Sequence[ToolSpec] | None) -> Any:
    return frozen_tuple(items)


def _strings(items: Sequence[str] | None) -> Any:
    return (items,) if isinstance(items, str) else frozen_tuple(items)


@frozen(eq=False, repr=False, field_transformer=checked)
class Request(Model):
    """What is sent to ``POST /v1/messages``. Absent fields are None.

    Attributes:
        betas: names for the ``anthropic-beta`` header; not in the body.

    The other fields are those of the API (facts 2.1), with its names and types.

    Example:
        >>> Request("claude-opus-5-5", 1024, [Message("user", "Hello")])

    """

    model: str
    max_tokens: int
    messages: tuple[Message, ...] = field(default=(), converter=_messages, repr=_count)
    system: str | tuple[Block, ...] | None = field(default=None, converter=as_content, kw_only=True)
    tools: tuple[ToolSpec, ...] | None = field(default=None, converter=_tools, kw_only=True)
    tool_choice: ToolChoice | None = field(default=None, kw_only=True)
    stop_sequences: tuple[str, ...] | None = field(default=None, converter=_strings, kw_only=True)
    temperature: float | None = field(default=None, kw_only=True)
    top_p: float | None = field(default=None, kw_only=True)
    top_k: int | None = field(default=None, kw_only=True)
    thinking: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    output_config: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    metadata: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    service_tier: str | None = field(default=None, kw_only=True)
    container: str | Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    cache_control: CacheControl | None = field(default=None, kw_only=True)
    speed: str | None = field(default=None, kw_only=True)
    inference_geo: str | None = field(default=None, kw_only=True)
    diagnostics: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    stream: bool | None = field(default=None, kw_only=True)
    mcp_servers: tuple[Any, ...] | None = field(default=None, converter=freeze, kw_only=True)
    context_management: Mapping[str, Any] | None = field(
        default=None, converter=freeze, kw_only=True
    )
    compaction: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    thread: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    fallbacks: str | tuple[Any, ...] | None = field(default=None, converter=freeze, kw_only=True)
    fallback_credit_token: str | None = field(default=None, repr=False, kw_only=True)
    billing_policy: Any = field(default=None, converter=freeze, kw_only=True)
    betas: tuple[str, ...] = field(default=(), converter=_strings, kw_only=True, metadata=LOCAL)
    # The very bytes it was read from, so that an unchanged request leaves as it came. A copy made
    # by evolve() starts without.
    _encoded: Any = field(default=None, init=False, eq=False, repr=False, metadata=LOCAL)

    def _shown_extra(self) -> Mapping[str, Any]:
        # What servers take beside the API's fields may be a credential of theirs, by any name.
        return shown_values(self.extra)

    def append(self, *messages: Message) -> Self:
        """Make a copy with more messages at the end.

        Args:
            *messages: what to add.

        Returns:
            The new request.

        """
        return self.evolve(messages=(*self.messages, *messages))

    def evolve(self, **changes: Any) -> Self:
        """Make a copy with some fields changed, written as ``send`` takes them.

        Args:
            **changes: field names and their new values; messages, tools, blocks of the system prompt,
                ``tool_choice`` and ``cache_control`` may be dicts.

        Returns:
            The new request; ``self`` is unchanged.

        Raises:
            InputError: no such field, or a value of the wrong type.

        """
        try:
            return super().evolve(**changes)
        except InputError:  # seldom: most who change a request have values at hand
            written = {
                name for name in _WRITABLE.intersection(changes) if _holds_json(changes[name])
            }
            if not written:
                raise
        from hookline.values.conversion.reading import structure_field  # noqa: PLC0415 -- it stands on this

        read = {name: structure_field(name, changes[name]) for name in written}
        return super().evolve(**{**changes, **read})

    def with_system(self, text: str) -> "Request":
        r"""Add to the system prompt; what is there, and its cache breakpoints, stays.

        Args:
            text: what to add, after a blank line or as a block of its own; blank text adds nothing.

        Returns:
            The new request.

        Example:
            >>> Request("m", 9, system="Be brief.").with_system("Be polite.").system
            'Be brief.\n\nBe polite.'

        """
        from hookline.values.editing.blocks import with_system  # noqa: PLC0415 -- it stands on this

        return with_system(self, text)

    def map_text(
        self,
        function: Callable[[str], str],
        where: "TextPart | Collection[TextPart]" = (
            "system",
            "messages",
            "tool_results",
            "documents",
        ),
    ) -> "Request":
        """Change text wherever it lies. What the function leaves alone stays the same object.

        Args:
            function: gets a text and returns what stands for it.
            where: the parts it is applied to: ``"system"``; ``"messages"`` (the text of every message,
                prefill and quotes and titles in citations included); ``"tool_results"``; ``"documents"`` (their
                text, titles and contexts, and search results, wherever they lie; a file that nobody
                has read yet has no text: from ``send`` on there are none); ``"tool_inputs"`` (all
                strings in them); ``"tools"`` (the descriptions).

        Returns:
            The new request, or this one where nothing changed.

        Raises:
            InputError: no such part, or the function returned no text.

        Example:
            >>> request.map_text(lambda text: text.replace("Ada", "[name]"))

        """
        from hookline.values.editing.text import mapped_text  # noqa: PLC0415 -- it stands on this

        return mapped_text(self, function, where)

    def map_blocks(self, function: "Callable[[Block], Replacement]") -> "Request":
        """Put other blocks in the place of blocks, in the system prompt and all messages.

        It reaches into tool results, search results and documents made of blocks, the inmost first. The
        text of a message that is a string is a ``TextBlock`` to it, and becomes a string again.

        Args:
            function: gets a block; returns it, another one, several, or None to leave it out.

        Returns:
            The new request, or this one where nothing changed.

        Raises:
            InputError: the function returned something else.

        Example:
            >>> request.map_blocks(lambda block: None if block.type == "image" else block)

        """
        from hookline.values.editing.blocks import replaced_blocks  # noqa: PLC0415 -- it stands on this

        return replaced_blocks(self, function)

    async def map_media(
        self,
        function: "Callable[[Block], Replacement | Awaitable[Replacement]]",
        io: "Gathers",
    ) -> "Request":
        """Put something else in the place of images and documents, wherever they lie.

        Args:
            function: a ``def`` or ``async def``; gets an image or a document, resolved or not, once
                for each distinct source, and returns what stands for it: the block itself, another
                one, several, or None. Titles and cache breakpoints of blocks that share a source stay
                with each of them.
            io: ``turn.io``; the calls run side by side.

        Returns:
            The new request, or this one where nothing changed.

        Raises:
            InputError: the function returned something else.

        Example:
            >>> request = await request.map_media(describe, turn.io)

        """
        from hookline.values.editing.blocks import replaced_media  # noqa: PLC0415 -- it stands on this

        return await replaced_media(self, function, io)


# What a person may write as JSON; everything else in a request is JSON anyway.
_WRITABLE: Final = frozenset({"messages", "system", "tools", "tool_choice", "cache_control"})


def _holds_json(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(isinstance(item, Mapping) for item in value)
    return isinstance(value, Mapping)


@frozen(eq=False, repr=False, field_transformer=checked)
class Response(Model):
    """What the API answered (facts 7.1).

    Attributes:
        content: the blocks of the reply.
        stop_reason: why it ended; new values are kept. None while it still arrives.
        absent: names of fields with a default that the server left out.
        status: HTTP status; like the next two not part of the JSON and not compared.
        headers: response headers, names in lower case.
        events: the live stream, on a response whose content is still arriving.

    """

    id: str = ""
    model: str = ""
    # The one field without which there is no response; see hookline.wire.codec.
    content: tuple[Block, ...] = field(default=(), converter=as_blocks, metadata={"required": True})
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage = field(factory=Usage)
    stop_details: StopDetails | None = field(default=None, kw_only=True)
    container: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    diagnostics: Mapping[str, Any] | None = field(default=None, converter=freeze, kw_only=True)
    context_management: Mapping[str, Any] | None = field(
        default=None, converter=freeze, kw_only=True
    )
    input_transformations: tuple[Any, ...] | None = field(
        default=None, converter=freeze, kw_only=True
    )
    type: str = field(default="message", kw_only=True, repr=False)
    role: str = field(default="assistant", kw_only=True, repr=False)
    absent: frozenset[str] = field(default=frozenset(), kw_only=True, repr=False)
    status: int = field(default=200, kw_only=True, eq=False, repr=False, metadata=LOCAL)
    headers: Mapping[str, str] = field(
        default=EMPTY, converter=freeze, kw_only=True, eq=False, repr=False, metadata=LOCAL
    )
    # An Event of hookline.values.events, which imports this module.
    events: AsyncIterator[Any] | None = field(
        default=None, kw_only=True, eq=False, repr=False, metadata=LOCAL
    )

    @property
    def text(self) -> str:
        """The text of all text blocks, joined."""
        return _joined(self.content)

    @property
    def message(self) -> Message:
        """The reply as a message, for the history."""
        return Message(self.role, self.content)

    @property
    def request_id(self) -> str | None:
        """The ``request-id`` header, for a support request to Anthropic; cut and cleaned."""
        told = self.headers.get("request-id")
        return None if told is None else shown_text(told, LONGEST_NAME)

    @property
    def rate_limits(self) -> RateLimits:
        """What the response's headers say about rate limits."""
        return read_rate_limits(self.headers)
