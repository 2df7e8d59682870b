"""About how many tokens a request has, without asking anybody."""

from typing import Final

from hookline.values.blocks import TextBlock
from hookline.values.messages import Request
from hookline.wire.codec import encode_message, unstructure

__all__ = ["estimate"]

_BYTES_A_TOKEN: Final = 4
_MEDIUM: Final = 1600  # tokens of an image or a page; their bytes tell nothing


def estimate(request: Request) -> float:
    """Return about how many input tokens a request has; no image is looked into."""
    size = 0
    media = 0
    for message in request.messages:
        if all(isinstance(block, TextBlock) for block in message.blocks):
            size += len(encode_message(message))
            continue
        for block in message.blocks:
            if block.type in ("image", "document"):
                media += 1
            else:
                size += len(str(unstructure(block)))
    for part in (request.system, request.tools):
        size += len(str(part)) if part else 0
    return size / _BYTES_A_TOKEN + media * _MEDIUM
