"""The texts of content blocks, each with the part of a request that it belongs to."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from hookline.values import (
    Attachment,
    Base64Source,
    Block,
    Citation,
    ContainerUploadBlock,
    ContentSource,
    DocumentBlock,
    ImageBlock,
    MCPToolResultBlock,
    MCPToolUseBlock,
    RedactedThinkingBlock,
    SearchResultBlock,
    ServerToolUseBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    URLSource,
)
from hookline_plugins.policy.rules.binary_texts import text_of_base64, text_of_bytes
from hookline_plugins.policy.rules.json_texts import SEALED, input_texts, looks_sealed, strings
from hookline_plugins.policy.rules.keys import Part

__all__ = ["Piece", "pieces_of"]

Piece: TypeAlias = tuple[Part, str]

_USUAL: Final = frozenset(
    {
        "application/pdf",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/plain",
    }
)


def pieces_of(block: Block, part: Part) -> Iterator[Piece]:
    """Yield the texts of a block.

    Args:
        block: any, known or not.
        part: that its plain text belongs to.

    """
    reader, others = _READERS.get(type(block), _UNKNOWN)
    yield from reader(block, part)
    if block.extra:
        yield from _all(part, block.extra)
    for name in others:
        value = getattr(block, name)
        if value is not None and not (name in SEALED and looks_sealed(value)):
            yield from _all("reply" if part == "reply" else "metadata", value)


def _all(part: Part, value: Any) -> Iterator[Piece]:
    return ((part, text) for text in strings(value))


def _text(block: Any, part: Part) -> Iterator[Piece]:
    yield part, block.text
    if block.citations:
        yield from _citations(block.citations, part)


def _citations(citations: Iterable[Citation], part: Part) -> Iterator[Piece]:
    for citation in citations:
        yield from _all(part, citation)
        url = getattr(citation, "url", None)
        if url:
            yield "urls", url


def _thinking(block: Any, part: Part) -> Iterator[Piece]:
    yield part, block.thinking


def _call(block: Any, part: Part) -> Iterator[Piece]:
    into: Part = "reply" if part == "reply" else "tool_inputs"
    yield into, block.name
    for text in input_texts(block.input):
        yield into, text
    if isinstance(block, MCPToolUseBlock):
        yield into, block.server_name


def _result(block: Any, part: Part) -> Iterator[Piece]:
    into: Part = "reply" if part == "reply" else "tool_results"
    content = block.content
    if isinstance(content, str):
        yield into, content
    for each in content or () if not isinstance(content, str) else ():
        yield from pieces_of(each, into)


def _document(block: Any, part: Part) -> Iterator[Piece]:
    into: Part = "reply" if part == "reply" else "documents"
    for text in (block.title, block.context):
        if text:
            yield into, text
    if block.title:
        yield "names", block.title
    yield from _source(block.source, into)


def _image(block: Any, _part: Part) -> Iterator[Piece]:
    if isinstance(block.source, Base64Source):  # a picture is no text
        yield from _beside(block.source, "documents")
    else:
        yield from _source(block.source, "documents")


def _source(source: Any, into: Part) -> Iterator[Piece]:
    if isinstance(source, URLSource):
        yield "urls", source.url
    elif isinstance(source, Base64Source):
        yield into, text_of_base64(source.data)
    elif isinstance(source, TextSource):
        yield into, source.data
    elif isinstance(source, ContentSource):
        if isinstance(source.content, str):
            yield into, source.content
        else:
            for block in source.content:
                yield from pieces_of(block, into)
    else:
        yield from _all(into, source)
        return
    yield from _beside(source, into)


def _beside(source: Any, into: Part) -> Iterator[Piece]:
    """Read what a source says beside its content."""
    media_type = getattr(source, "media_type", None)
    if media_type is not None and media_type not in _USUAL:
        yield into, media_type
    if source.extra:
        yield from _all(into, source.extra)


def _search_result(block: Any, part: Part) -> Iterator[Piece]:
    into: Part = "reply" if part == "reply" else "documents"
    yield "urls", block.source
    yield into, block.title
    for each in block.content:
        yield from pieces_of(each, into)


def _sealed(block: Any, part: Part) -> Iterator[Piece]:
    if not looks_sealed(block.data):
        yield part, block.data


def _upload(block: Any, _part: Part) -> Iterator[Piece]:
    yield "names", block.file_id


def _attachment(block: Any, part: Part) -> Iterator[Piece]:
    """Read one that nobody has resolved: what is uploaded, or what a plugin put in too late."""
    into: Part = "reply" if part == "reply" else "documents"
    source = block.source
    if isinstance(source, bytes) and block.type == "document":
        yield into, text_of_bytes(source)
    elif isinstance(source, str) and block.kind == "url":
        yield "urls", source
    elif isinstance(source, str):
        yield "names", source
    for name in ("title", "context"):
        text = getattr(block, name, None)
        if text:
            yield into, text


def _other(block: Any, part: Part) -> Iterator[Piece]:
    if isinstance(block, Attachment):
        yield from _attachment(block, part)
        return
    result = block.type.endswith("_result") and part != "reply"
    yield from _all("tool_results" if result else part, block)


_Reader: TypeAlias = Callable[[Any, Part], Iterator[Piece]]
_KNOWN: Final[tuple[tuple[type[Block], _Reader, str], ...]] = (
    (TextBlock, _text, "text citations"),
    (ThinkingBlock, _thinking, "thinking"),
    (RedactedThinkingBlock, _sealed, "data"),
    (ToolUseBlock, _call, "name input"),
    (ServerToolUseBlock, _call, "name input"),
    (MCPToolUseBlock, _call, "name input server_name"),
    (ToolResultBlock, _result, "content"),
    (MCPToolResultBlock, _result, "content"),
    (DocumentBlock, _document, "source title context"),
    (ImageBlock, _image, "source"),
    (SearchResultBlock, _search_result, "source title content"),
    (ContainerUploadBlock, _upload, "file_id"),
)
"""Who reads the blocks of a class, and the fields that it reads; all others are metadata."""

_UNKNOWN: Final[tuple[_Reader, tuple[str, ...]]] = (_other, ())
_READERS: Final[Mapping[type[Block], tuple[_Reader, tuple[str, ...]]]] = {
    kind: (
        reader,
        tuple([
            each.name
            for each in attrs.fields(kind)
            if each.name not in {"extra", *read.split()} and not each.name.startswith("_")
        ]),
    )
    for kind, reader, read in _KNOWN
}  # fmt: skip
