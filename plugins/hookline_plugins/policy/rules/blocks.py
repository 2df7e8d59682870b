"""The texts of content blocks, each with the part of a request that it belongs to."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
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
    FrozenDict,
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
from hookline_plugins.policy.rules.keys import Part

__all__ = ["Piece", "input_texts", "pieces_of", "strings"]

Piece: TypeAlias = tuple[Part, str]

# What only the API can read, or what is no text: a word could be in it by chance alone.
_SEALED: Final = frozenset(
    {"signature", "encrypted_content", "encrypted_index", "fallback_credit_token"}
)
_RESULTS: Final = (ToolResultBlock, MCPToolResultBlock)


def strings(value: Any) -> list[str]:
    """Return every text in a value of JSON or of ours: keys and numbers included.

    Args:
        value: of any depth.

    """
    found: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is str:
            found.append(item)
        elif kind is tuple or kind is list:
            waiting += item[::-1]
        elif kind is FrozenDict or kind is dict:
            for key, inner in reversed(item.items()):
                if key not in _SEALED:
                    waiting += (inner, key)
        elif kind is int or kind is float:
            found.append(str(item))
        elif item is not None and kind is not bool:
            waiting.append(_plainly(item, kind))
    return found


def _plainly(item: Any, kind: type) -> Any:
    """Return what is none of the plain kinds as one of them: a model as its fields, a subclass as itself."""
    if attrs.has(kind):
        return [getattr(item, name) for name in _fields(kind)]
    if isinstance(item, str):
        return str.__str__(item)
    if isinstance(item, Mapping):
        return {str(key): inner for key, inner in item.items()}
    return list(item) if isinstance(item, list | tuple) else str(item)


@cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    names = [each.name for each in attrs.fields(kind)]
    return tuple([name for name in names if not name.startswith("_") and name not in _SEALED])


def input_texts(value: Any) -> Iterator[str]:
    """Yield the texts of a tool's input, and what its values say together: keys may stand between them.

    Args:
        value: the input.

    """
    yield from strings(value)
    together = "".join(_values(value))
    if together:
        yield together


def _values(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting += reversed(tuple(item.values()))
        elif isinstance(item, list | tuple):
            waiting += reversed(item)


def pieces_of(block: Block, part: Part) -> Iterator[Piece]:
    """Yield the texts of a block.

    Args:
        block: any, known or not.
        part: that its plain text belongs to.

    """
    yield from _READERS.get(type(block), _other)(block, part)
    if block.extra:
        yield from _all(part, block.extra)


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
    source = block.source
    if not isinstance(source, Base64Source):
        yield from _source(source, "documents")


def _source(source: Any, into: Part) -> Iterator[Piece]:
    if isinstance(source, URLSource):
        yield "urls", source.url
    elif isinstance(source, Base64Source):
        try:
            yield into, b64decode(source.data).decode("latin-1")
        except (Base64Error, ValueError):
            yield into, source.data
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


def _search_result(block: Any, part: Part) -> Iterator[Piece]:
    into: Part = "reply" if part == "reply" else "documents"
    yield "urls", block.source
    yield into, block.title
    for each in block.content:
        yield from pieces_of(each, into)


def _sealed(_block: Any, _part: Part) -> Iterator[Piece]:
    return iter(())


def _upload(block: Any, _part: Part) -> Iterator[Piece]:
    yield "names", block.file_id


def _attachment(block: Any, part: Part) -> Iterator[Piece]:
    """Read one that nobody has resolved: what is uploaded, or what a plugin put in too late."""
    into: Part = "reply" if part == "reply" else "documents"
    source = block.source
    if isinstance(source, bytes) and block.type == "document":
        yield into, source.decode("latin-1")
        yield into, source.decode("utf-8", "ignore")
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


_READERS: Final[Mapping[type, Callable[[Any, Part], Iterator[Piece]]]] = {
    TextBlock: _text,
    ThinkingBlock: _thinking,
    RedactedThinkingBlock: _sealed,
    ToolUseBlock: _call,
    ServerToolUseBlock: _call,
    MCPToolUseBlock: _call,
    **dict.fromkeys(_RESULTS, _result),
    DocumentBlock: _document,
    ImageBlock: _image,
    SearchResultBlock: _search_result,
    ContainerUploadBlock: _upload,
}
