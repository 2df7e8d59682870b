"""What the rules need to know of one message, worked out once and kept as long as the message.

A digest holds no content: ids, places and small numbers. So a long history costs one look-up a
message, and an image of megabytes is looked at once.
"""

from typing import Final, NamedTuple

from attrs import define, field

from hookline import Block, Message
from hookline.values import TextBlock, UnknownBlock
from hookline_plugins.preflight.rules import Problem

__all__ = ["Call", "Digest", "Mark", "Need"]


class Call(NamedTuple):
    """A ``tool_use`` or a ``tool_result``: the id that pairs them, and where it stands."""

    id: str
    place: str
    toolset: str | None


class Mark(NamedTuple):
    """A cache breakpoint."""

    place: str
    ttl: str | None


class Need(NamedTuple):
    """Something that exists only with a beta header."""

    place: str
    what: str
    header: str
    stems: tuple[str, ...]


@define(eq=False)
class Digest:
    """One message as the rules see it. Places are relative to the message: ``content.1``.

    Attributes:
        role: the speaker.
        size: bytes of its JSON.
        kinds: the types of its blocks.
        empty: whether there is no content at all.
        directive: whether it is a system message that only sets ``output_config``.
        plain: whether it is nothing but text that breaks no rule.
        problems: rules that it breaks, wherever it stands.
        unless_last: rules that it breaks only where another message follows.
        if_last: rules that it breaks only as the final assistant message.
        if_new: rules that it breaks only from API version 2026-10-21 on.
        uses: its ``tool_use`` blocks.
        results: its ``tool_result`` blocks.
        leading: how many results stand before anything else.
        marks: its cache breakpoints, in order.
        images: how many images it holds, in documents and results too.
        pages: how many pages its PDFs have together.
        media: whether it holds an image or a document.
        large: places of images too large for a request with many.
        citing: for each document and search result, whether it wants citations.
        needs: what in it needs a beta header.
        echoes: results of server tools: place and type.

    """

    role: str
    size: int
    kinds: tuple[str, ...] = ()
    empty: bool = False
    directive: bool = False
    plain: bool = False
    problems: tuple[Problem, ...] = ()
    unless_last: tuple[Problem, ...] = ()
    if_last: tuple[Problem, ...] = ()
    if_new: tuple[Problem, ...] = ()
    uses: tuple[Call, ...] = ()
    results: tuple[Call, ...] = ()
    leading: int = 0
    marks: tuple[Mark, ...] = ()
    images: int = 0
    pages: int = 0
    media: bool = False
    large: tuple[str, ...] = ()
    citing: tuple[tuple[str, bool], ...] = ()
    needs: tuple[Need, ...] = ()
    echoes: tuple[tuple[str, str], ...] = ()
    _unknown_end: bool = field(default=False, alias="unknown_end")

    @property
    def ends_in_server_result(self) -> bool:
        """Whether it ends in the result of a tool that runs at the API (facts 2.4)."""
        kind = self.kinds[-1] if self.kinds else ""
        return self._unknown_end or (kind.endswith("_tool_result") and kind != "tool_result")

    @property
    def paused(self) -> bool:
        """Whether it may be a turn that ``pause_turn`` left open (facts 4.2)."""
        kind = self.kinds[-1] if self.kinds else ""
        return self.ends_in_server_result or kind in _SERVER_CALLS


_SERVER_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})


def begun(message: Message, size: int) -> Digest:
    """Return a digest with everything but what the topics' own rules add; ``size`` of its JSON."""
    content = message.content
    empty = not content
    return Digest(
        role=message.role,
        size=size,
        kinds=() if empty else _kinds(content),
        empty=empty,
        directive=message.role == "system"
        and message.content == ()
        and message.output_config is not None,
        plain=message.role in _SPEAKERS
        and not empty
        and not message.extra
        and (_is_clean(content) if isinstance(content, str) else all(map(_is_plain, content))),
        unknown_end=not empty and isinstance(content[-1], UnknownBlock),
    )


def _kinds(content: str | tuple[Block, ...]) -> tuple[str, ...]:
    return ("text",) if isinstance(content, str) else tuple([block.type for block in content])


def _is_clean(text: str) -> bool:
    return text.rstrip() == text != ""


def _is_plain(block: Block) -> bool:
    return (
        isinstance(block, TextBlock)
        and block.cache_control is None
        and not block.citations
        and _is_clean(block.text)
    )


_SPEAKERS: Final = frozenset({"user", "assistant"})
