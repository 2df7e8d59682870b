"""A small deterministic tokenizer, and the token count of a request made with it.

It is no model's tokenizer; it is lossless, cheap, close enough to be plausible (about four
characters of English a token), and the only one here: usage, ``count_tokens``, ``max_tokens`` and
the prompt cache all count with it, so their numbers agree.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from hookline.simulator import json
from hookline.simulator.measures.vision import Picture

_TOKEN: Final = re.compile(r" ?[A-Za-z]{1,7}| ?[0-9]{1,3}| ?[^\sA-Za-z0-9]|\s+")

_REQUEST_OVERHEAD: Final = 7
_MESSAGE_OVERHEAD: Final = 3
_TOOLS_OVERHEAD: Final = 290
_BYTES_PER_PDF_TOKEN: Final = 50  # a PDF is not read here; this keeps its cost plausible
_REMOTE_IMAGE_TOKENS: Final = 1_000  # URLs are not fetched, as in the real count_tokens


def split(text: str) -> list[str]:
    """Return the tokens of ``text``; joined they give it back."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Return the number of tokens of ``text``."""
    return sum(1 for _ in _TOKEN.finditer(text))


@frozen
class Part:
    """One cacheable stretch of the prompt, in the order the API hashes it.

    Args:
        section: ``tools``, ``system`` or ``messages``.
        content: What it says, without ``cache_control``.
        tokens: What it costs.
        ttl: ``5m`` or ``1h`` when a cache breakpoint stands on it, else None.

    """

    section: str
    content: Any
    tokens: int
    ttl: str | None = None


def request_parts(
    body: Mapping[str, Any], pictures: Mapping[int, Picture | None]
) -> Iterator[Part]:
    """Cut a request into its parts: tools, then system, then messages.

    Args:
        body: The request, already checked.
        pictures: What each image block holds, by the ``id()`` of its source.

    Yields:
        Part: with the overhead of roles and separators spread over them.

    """
    for position, tool in enumerate(body.get("tools") or ()):
        overhead = _TOOLS_OVERHEAD if position == 0 else 0
        yield _part("tools", tool, overhead + count(json.dumps(_bare(tool)).decode()))
    for block in blocks_of(body.get("system")):
        yield _part("system", block, block_tokens(block, pictures))
    for message in body.get("messages", ()):
        overhead = _MESSAGE_OVERHEAD
        for block in blocks_of(message["content"]):
            yield _part(
                "messages",
                block,
                overhead + block_tokens(block, pictures),
                role=message["role"],
            )
            overhead = 0


def request_tokens(parts: Sequence[Part], body: Mapping[str, Any]) -> int:
    """Return the input tokens of a request that was cut into ``parts``."""
    schema = (body.get("output_config") or {}).get("format")
    extra = count(json.dumps(schema).decode()) if schema else 0
    return _REQUEST_OVERHEAD + extra + sum(part.tokens for part in parts)


def blocks_of(content: Any) -> Sequence[dict[str, Any]]:
    """Return content as blocks: a string is one text block, None or an empty string is none."""
    if isinstance(content, str):
        return ({"type": "text", "text": content},) if content else ()
    return content or ()


def block_tokens(  # noqa: PLR0911 - one return for each kind of block
    block: Mapping[str, Any], pictures: Mapping[int, Picture | None]
) -> int:
    """Return what one block costs as input (or as output: the same)."""
    match block.get("type"):
        case "text":
            return count(block["text"])
        case "thinking":
            return count(block["thinking"])
        case "redacted_thinking":
            return count(block["data"][:64])
        case "image":
            picture = pictures.get(id(block["source"]))
            return picture.tokens if picture else _REMOTE_IMAGE_TOKENS
        case "document":
            return _document_tokens(block, pictures)
        case "tool_result" | "search_result" | "mcp_tool_result":
            inner = block.get("content")
            if not isinstance(inner, str | list):
                return 4
            return 4 + sum(block_tokens(item, pictures) for item in blocks_of(inner))
        case _:
            return count(json.dumps(_bare(block)).decode())


def _document_tokens(block: Mapping[str, Any], pictures: Mapping[int, Picture | None]) -> int:
    source = block["source"]
    about = count(f"{block.get('title') or ''} {block.get('context') or ''}")
    match source["type"]:
        case "text":
            return about + count(source["data"])
        case "content":
            blocks = blocks_of(source["content"])
            return about + sum(block_tokens(item, pictures) for item in blocks)
        case "base64":
            return about + len(source["data"]) // _BYTES_PER_PDF_TOKEN
        case _:
            return about + _REMOTE_IMAGE_TOKENS


def _bare(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "cache_control"}


def _part(section: str, block: Mapping[str, Any], tokens: int, role: str = "") -> Part:
    marker = block.get("cache_control")
    ttl = (marker.get("ttl") or "5m") if marker else None
    return Part(section, (role, _bare(block)), tokens, ttl)
