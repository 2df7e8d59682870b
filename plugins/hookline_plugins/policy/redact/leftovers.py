"""What a request holds beside the texts that can be rewritten: ids, addresses, results of the API's own tools."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hookline import Request
from hookline.values import TextBlock
from hookline.wire import unstructure

__all__ = ["leftovers"]

# Signed, encrypted or encoded, or a credential that is meant for whoever gets it.
_OPAQUE: Final = frozenset(
    {
        "authorization_token",
        "data",
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
_FIELDS: Final = (
    "tools",
    "tool_choice",
    "output_config",
    "container",
    "mcp_servers",
    "context_management",
    "diagnostics",
    "fallbacks",
)


def leftovers(request: Request) -> Iterator[tuple[str, str]]:
    """Yield path and text of every string that `Request.map_text` may not have reached.

    Args:
        request: as it is about to be sent.

    """
    for number, message in enumerate(request.messages):
        for place, block in enumerate(message.blocks):
            if not isinstance(block, TextBlock) or block.citations:
                yield from _strings(unstructure(block), f"$.messages[{number}].content[{place}]")
    for name in _FIELDS:
        value = getattr(request, name)
        if value is not None:
            plain = [unstructure(each) for each in value] if name == "tools" else value
            yield from _strings(plain, f"$.{name}")


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _OPAQUE:
                yield f"{path}.*", key
                yield from _strings(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _strings(item, f"{path}[{place}]")
