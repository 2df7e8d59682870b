"""About how many tokens a request has, without asking anybody."""

from typing import Final

from hookline.models import ModelFacts
from hookline.values.blocks import Block, DocumentBlock, ImageBlock, TextBlock, ToolResultBlock
from hookline.values.messages import Message, Request
from hookline.values.pictures.survey import surveyed
from hookline.wire.codec import encode_message, encode_request, unstructure
from hookline.wire.json import dumps

__all__ = ["estimate", "estimate_message"]

_BYTES_A_TOKEN: Final = 4
_MEDIUM: Final = 1600  # tokens of an image or document of which nothing is known
_TURN: Final = 30  # bytes of a message around its text
_RESULT: Final = 100  # bytes of a tool's result around its blocks


def estimate(request: Request, facts: ModelFacts | None = None) -> float:
    """Return about how many input tokens a request has; nothing is decoded or fetched.

    Args:
        request: what is to be sent.
        facts: of its model; with them an image counts as the API counts it, a PDF by its pages.

    """
    if all(isinstance(message.content, str) for message in request.messages):
        return len(encode_request(request)) / _BYTES_A_TOKEN
    system, tools = request.system or (), request.tools or ()
    apart = tools if isinstance(system, str) else (*system, *tools)
    size = sum([len(dumps(unstructure(part))) for part in apart])
    if isinstance(system, str):
        size += len(dumps(system))
    messages = sum([estimate_message(message, facts) for message in request.messages])
    return size / _BYTES_A_TOKEN + messages


def estimate_message(message: Message, facts: ModelFacts | None = None) -> float:
    """Return about how many input tokens one message has, as ``estimate`` counts it.

    Args:
        message: the message.
        facts: of the model.

    """
    content = message.content
    if isinstance(content, str):  # by far the most; the message's own bytes may never be needed
        return (_TURN + len(dumps(content))) / _BYTES_A_TOKEN
    if all(isinstance(block, TextBlock) for block in content):
        return len(encode_message(message)) / _BYTES_A_TOKEN
    size = sum(map(_size, content))
    media = sum(
        (each.tokens.least + each.tokens.most) / 2 if each.tokens else _MEDIUM
        for each in surveyed(Request("", 1, (message,)), facts)
    )
    return size / _BYTES_A_TOKEN + media


def _size(block: Block) -> int:
    """Return the bytes of what is text in a block."""
    if isinstance(block, ImageBlock | DocumentBlock):
        return 0
    if isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
        return _RESULT + sum(map(_size, block.content))
    return len(str(unstructure(block)))
