"""All texts of a request that is about to leave, those included that nobody can rewrite."""

from collections.abc import Iterator
from operator import attrgetter
from types import NoneType
from typing import Any, Final

import attrs

from hookline import Request
from hookline.values import EMPTY, Base64Source, Block, TextBlock
from hookline.wire import unstructure

__all__ = ["media", "texts"]

# Signed, encrypted or encoded, or a credential that is meant for whoever gets it.
_OPAQUE: Final = frozenset(
    {
        "authorization_token",
        "encrypted_content",
        "encrypted_index",
        "encrypted_stdout",
        "fallback_credit_token",
        "file_id",
        "id",
        "signature",
        "thinking",
        "tool_use_id",
    }
)
_CODED: Final = frozenset({"base64", "redacted_thinking"})  # types whose ``data`` is no text
_NO_TEXT: Final = frozenset({NoneType, bool, int, float})
_READ: Final = frozenset(
    {"model", "max_tokens", "messages", "system", "betas", "fallback_credit_token"}
)
_FIELDS: Final = tuple(
    each.name
    for each in attrs.fields(Request)
    if each.name not in _READ and not each.name.startswith("_")
)
_values: Final = attrgetter(*_FIELDS)


def texts(request: Request) -> Iterator[tuple[str, str]]:
    """Yield path and text of every string of a request.

    Args:
        request: as it is about to be sent.

    """
    for number, message in enumerate(request.messages):
        path = f"$.messages[{number}]"
        if isinstance(message.content, str):
            yield f"{path}.content", message.content
        else:
            yield from _blocks(message.content, f"{path}.content")
        for value in (message.output_config, message.extra):
            if value:
                yield from _strings(value, path)
    if isinstance(request.system, str):
        yield "$.system", request.system
    elif request.system:
        yield from _blocks(request.system, "$.system")
    for name, value in zip(_FIELDS, _values(request), strict=True):
        if value is None or value is EMPTY or value.__class__ in _NO_TEXT:
            continue
        several = isinstance(value, tuple)
        yield from _strings(list(map(_plain, value)) if several else _plain(value), f"$.{name}")


def media(request: Request) -> Iterator[str]:
    """Yield the data of every image and document that goes along in base64."""
    for message in request.messages:
        waiting: list[Any] = [] if isinstance(message.content, str) else [message.content]
        while waiting:
            content = waiting.pop()
            for block in () if isinstance(content, str) else content or ():
                source = getattr(block, "source", None)
                if isinstance(source, Base64Source):
                    yield source.data
                waiting += [
                    inner
                    for inner in (getattr(block, "content", None), getattr(source, "content", None))
                    if isinstance(inner, tuple)
                ]


def _blocks(blocks: tuple[Block, ...], path: str) -> Iterator[tuple[str, str]]:
    for place, block in enumerate(blocks):
        if isinstance(block, TextBlock) and not block.citations and not block.extra:
            yield f"{path}[{place}]", block.text
        else:
            yield from _strings(unstructure(block), f"{path}[{place}]")


def _plain(value: Any) -> Any:
    return unstructure(value) if attrs.has(type(value)) else value


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, Any]] = [(path, value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, str):
            yield path, item
        elif isinstance(item, dict):
            coded = item.get("type") in _CODED
            for key, inner in item.items():
                if key in _OPAQUE or (coded and key == "data"):
                    continue
                yield f"{path}.*", key
                if inner.__class__ not in _NO_TEXT:
                    waiting.append((f"{path}.{key}", inner))
        elif isinstance(item, list | tuple):
            waiting += [(f"{path}[{place}]", inner) for place, inner in enumerate(item)]
