"""What a tool returned, as the content of a result: text, JSON, images, documents, within a size."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import attrs

from hookline import Block, Document, Image, InputError, TextBlock, ToolResultBlock, ToolUseBlock
from hookline.wire import dumps

__all__ = ["content_of", "cut", "failed", "of_bytes"]

_MOST_BYTES: Final = (
    20 * 1024 * 1024
)  # of one image or document; the plugin `images` has finer limits
_MOST_BLOCKS: Final = 100
_PICTURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_PDF: Final = b"%PDF-"


def content_of(value: Any, most: int) -> str | tuple[Block, ...]:
    """Return the content of a result.

    Args:
        value: what the tool returned: text, a block, a list of texts and blocks, bytes of an image, a
            PDF or text, or anything that can be written as JSON.
        most: characters of text; more is cut off, and the cut is marked.

    Raises:
        InputError: it cannot be shown to a model.

    """
    if isinstance(value, bytes | bytearray | memoryview):
        value = of_bytes(bytes(value))
    if isinstance(value, Block):
        return _bounded((value,), most)
    if (
        isinstance(value, list | tuple)
        and any(isinstance(item, Block) for item in value)
        and all(isinstance(item, Block | str) for item in value)
    ):
        return _bounded([TextBlock(i) if isinstance(i, str) else i for i in value], most)
    text = value if isinstance(value, str) else _json_text(value)
    return cut(text, most)


def of_bytes(data: bytes, media_type: str = "") -> Any:
    """Return what bytes are: an ``Image``, a ``Document`` or text.

    Args:
        data: the bytes; they decide, not what they are said to be.
        media_type: what they are said to be, for an error's text.

    Raises:
        InputError: none of these, or too many.

    """
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if webp or data.startswith((*_PICTURES, _PDF)):
        if len(data) > _MOST_BYTES:
            raise InputError(
                f"the result is a file of {len(data):,} bytes, and {_MOST_BYTES:,} may be sent"
            )
        return Document(data) if data.startswith(_PDF) else Image(data)
    try:
        return data.decode()
    except UnicodeDecodeError:
        said = f" ({media_type})" if media_type else ""
        raise InputError(
            f"the result is {len(data):,} bytes{said} that are neither text nor an image or PDF"
        ) from None


def cut(text: str, most: int) -> str:
    """Return text within its limit, the cut marked, and without half characters."""
    shown = text[:most].encode("utf-8", "replace").decode()  # JSON has no half surrogates
    return shown if len(text) <= most else f"{shown}\n[cut: {len(text):,} characters in all]"


def failed(call: ToolUseBlock, text: str, most: int) -> ToolResultBlock:
    """Return a result that says what went wrong; never an empty one, which the API refuses."""
    content = cut(text.strip() or "the tool failed and did not say why", most)
    return ToolResultBlock(
        tool_use_id=call.id, content=content, is_error=True, toolset_name=call.toolset_name
    )


def _bounded(blocks: "tuple[Block, ...] | list[Block]", most: int) -> tuple[Block, ...]:
    kept: list[Block] = []
    left = most
    for block in blocks[:_MOST_BLOCKS]:
        if isinstance(block, TextBlock):
            block = block.evolve(text=cut(block.text, left))  # noqa: PLW2901 -- the same, shorter
            left -= min(left, len(block.text))
            if not block.text.strip():  # which the API refuses
                continue
        kept.append(block)
    if len(blocks) > _MOST_BLOCKS:
        kept.append(TextBlock(f"[cut: {len(blocks):,} blocks in all]"))
    return tuple(kept) or (TextBlock("done"),)


def _json_text(value: Any) -> str:
    if value is None:
        return "done"
    try:
        return dumps(_plain(value)).decode()
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON types, as far as it is made of the usual kinds."""
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if attrs.has(type(value)):
        return _plain(attrs.asdict(value, recurse=False))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)
