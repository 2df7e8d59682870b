"""All images and documents of a request as they would be sent: what they are, and what they cost."""

import binascii
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from attrs import evolve, frozen

from hookline.errors import InputError
from hookline.models import ModelFacts
from hookline.values.blocks import (
    Block,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from hookline.values.brief import size_text
from hookline.values.messages import Message, Request
from hookline.values.pictures.header import Header, read_base64_header
from hookline.values.pictures.pdf import pages_of
from hookline.values.pictures.tokens import TokenRange, image_tokens, page_tokens, text_tokens
from hookline.values.sources import Base64Source, ContentSource, Source, TextSource

__all__ = [
    "Medium",
    "media_in",
    "pages_in",
    "remember_header",
    "remember_pages",
    "surveyed",
    "total_tokens",
]

_PDF: Final = "application/pdf"
_MEDIA: Final = frozenset({"image", "document"})
_NO_MEDIA: Final = frozenset({TextBlock, ToolUseBlock, ThinkingBlock})


@frozen(kw_only=True)
class Medium:
    """An image or a document of a request.

    Attributes:
        place: as the API writes it: ``messages.0.content.6``.
        type: ``"image"`` or ``"document"``.
        source: ``"base64"``, ``"url"``, ``"file"``, ``"text"``, ``"content"``.
        media_type: of the file; None where the API alone has it.
        size: bytes of the file.
        pixels: width and height of an image.
        pages: of a PDF.
        tokens: what it costs; None where only the API can know.

    """

    place: str
    type: str
    source: str
    media_type: str | None = None
    size: int | None = None
    pixels: tuple[int, int] | None = None
    pages: int | None = None
    tokens: TokenRange | None = None

    @property
    def extent(self) -> str:
        """How large it is: pixels or pages, in words."""
        if self.pixels is not None:
            return "x".join(map(str, self.pixels))
        if self.pages is not None:
            return f"{self.pages} page{'' if self.pages == 1 else 's'}"
        return ""

    def __str__(self) -> str:
        parts = (
            f"{self.type} at {self.place}",
            self.media_type or f"by {self.source}",
            self.extent,
            size_text(self.size) if self.size is not None else "",
            f"{self.tokens} tokens" if self.tokens else "",
        )
        return " · ".join(part for part in parts if part)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        tokens = self.tokens
        return {
            "place": self.place,
            "type": self.type,
            "source": self.source,
            "media_type": self.media_type,
            "size": self.size,
            "pixels": list(self.pixels) if self.pixels else None,
            "pages": self.pages,
            "tokens": [tokens.least, tokens.most] if tokens else None,
        }


def surveyed(request: Request, facts: ModelFacts | None) -> tuple[Medium, ...]:
    """Return the images and documents of a request that are resolved, in order.

    Args:
        request: as it would be sent.
        facts: of its model; without them nobody knows what images cost.

    """
    return tuple([
        _described(block, place, facts)
        for block, place in media_in(request.messages)
        if isinstance(block, ImageBlock | DocumentBlock)
    ])  # fmt: skip


def total_tokens(media: tuple[Medium, ...]) -> TokenRange:
    """Return what all of them cost together, as far as that is known."""
    return sum((each.tokens for each in media if each.tokens), TokenRange(0, 0))


def media_in(messages: Iterable[Message]) -> Iterator[tuple[Block, str]]:
    """Find images and documents, resolved or not, in tool results and in documents made of blocks too.

    Args:
        messages: of a request.

    Yields:
        Each block, and its place as the API writes it: ``messages.0.content.6``.

    """
    for index, message in enumerate(messages):
        content = message.content  # mostly a string; and a history may be long
        if content.__class__ is not str and not _NO_MEDIA.issuperset(map(type, content)):
            yield from _media(content, f"messages.{index}.content")


def _media(content: object, path: str) -> Iterator[tuple[Block, str]]:
    for index, block in enumerate(content if isinstance(content, tuple) else ()):
        place = f"{path}.{index}"
        if block.type in _MEDIA:
            yield block, place
        if isinstance(block, ToolResultBlock):
            yield from _media(block.content, f"{place}.content")
        elif isinstance(block, DocumentBlock) and isinstance(block.source, ContentSource):
            yield from _media(block.source.content, f"{place}.source.content")


def _described(block: Any, place: str, facts: ModelFacts | None) -> Medium:
    source: Source = block.source
    medium = Medium(place=place, type=block.type, source=source.type)
    if isinstance(source, TextSource):
        size = len(source.data.encode("utf-8", "replace"))
        return evolve(medium, media_type=source.media_type, size=size, tokens=text_tokens(size))
    if not isinstance(source, Base64Source):
        return medium
    size = len(source.data) * 3 // 4 - source.data[-2:].count("=")
    medium = evolve(medium, media_type=source.media_type, size=size)
    extent = _extent_of(source)
    sees = facts is not None and facts.vision is not None
    if isinstance(extent, tuple):
        tokens = image_tokens(*extent, facts) if facts is not None and sees else None
        return evolve(medium, pixels=extent, tokens=tokens)
    return evolve(medium, pages=extent, tokens=page_tokens(extent) if extent and sees else None)


_Extent: TypeAlias = tuple[int, int] | int | None
"""The sides of an image in pixels, the pages of a PDF, or None where it is damaged."""

# A long history is surveyed in every turn; what a source holds is found out once.
_EXTENTS: WeakKeyDictionary[Base64Source, _Extent] = WeakKeyDictionary()


def remember_header(source: Base64Source, header: Header) -> None:
    """Note the header of an image, so that it is not read again out of the base64."""
    _EXTENTS[source] = header.width, header.height


def remember_pages(source: Base64Source, data: bytes) -> None:
    """Count the pages of a PDF whose bytes are at hand, so that they are not counted out of the base64."""
    _EXTENTS[source] = _counted(data)


def pages_in(source: Source) -> int | None:
    """Return how many pages a PDF has; None for everything else, and where they cannot be counted."""
    if not isinstance(source, Base64Source) or source.media_type != _PDF:
        return None
    extent = _extent_of(source)
    return extent if isinstance(extent, int) else None


def _extent_of(source: Base64Source) -> _Extent:
    if source not in _EXTENTS:
        _EXTENTS[source] = _measured(source)
    return _EXTENTS[source]


def _measured(source: Base64Source) -> _Extent:
    try:
        if source.media_type == _PDF:
            return _counted(binascii.a2b_base64(source.data))
        header = read_base64_header(source.data)
    except (InputError, ValueError):  # whoever sends it is told by others
        return None
    return header.width, header.height


def _counted(data: bytes) -> int | None:
    try:
        return pages_of(data)
    except InputError:
        return None
