"""Hookline: a pluggable message pipeline for the Claude Messages API.

A request travels through five stages (build history, inject prefill, resolve images, send,
post-process), and plugins take part in them::

    from hookline import Pipeline

    with Pipeline(base_url="sim:") as line:  # the built-in simulator: no key, no network
        print(line.send("Hello, Claude").text)

Names are imported when first used, so ``import hookline`` costs little more than its logger.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from hookline import _log as _log  # silences the library's log lines, before anybody can want them

if TYPE_CHECKING:
    from hookline.attachments import Document, Image
    from hookline.batch_values import Batch, BatchItem, BatchResult, RequestCounts
    from hookline.blocks import Block, TextBlock, ToolResultBlock, ToolUseBlock
    from hookline.conversation import AsyncConversation, Conversation
    from hookline.counting import TokenCount
    from hookline.errors import (
        APIError,
        CircuitOpen,
        ConfigError,
        DeadlineExceeded,
        DecodeError,
        HooklineError,
        InputError,
        LimitExceeded,
        MissingExtra,
        NeedsEventLoop,
        OutputError,
        PluginError,
        PolicyViolation,
        PoolTimeout,
        StreamInterrupted,
        StreamTruncated,
        TransportError,
        TurnLimitExceeded,
        UnresolvedContent,
    )
    from hookline.files import File
    from hookline.filters import StreamFilter
    from hookline.hookspecs import hookimpl
    from hookline.listing import AsyncItems, Items, Page
    from hookline.messages import Message, Request, Response, Tool, Usage
    from hookline.model_info import ModelInfo
    from hookline.models import ModelFacts
    from hookline.pipeline import AsyncPipeline, Pipeline
    from hookline.rate_limits import RateLimit, RateLimits
    from hookline.received import Deleted
    from hookline.reply import Reply
    from hookline.secret import Secret
    from hookline.streams import AsyncStream, Stream
    from hookline.trace import AttemptRecord, Trace
    from hookline.turn import CallNext, Continue, Prefill, Turn

    __version__: str

_HOMES: Final = {
    "hookline.attachments": ("Document", "Image"),
    "hookline.batch_values": ("Batch", "BatchItem", "BatchResult", "RequestCounts"),
    "hookline.blocks": ("Block", "TextBlock", "ToolResultBlock", "ToolUseBlock"),
    "hookline.conversation": ("AsyncConversation", "Conversation"),
    "hookline.counting": ("TokenCount",),
    "hookline.errors": (
        "APIError",
        "CircuitOpen",
        "ConfigError",
        "DeadlineExceeded",
        "DecodeError",
        "HooklineError",
        "InputError",
        "LimitExceeded",
        "MissingExtra",
        "NeedsEventLoop",
        "OutputError",
        "PluginError",
        "PolicyViolation",
        "PoolTimeout",
        "StreamInterrupted",
        "StreamTruncated",
        "TransportError",
        "TurnLimitExceeded",
        "UnresolvedContent",
    ),
    "hookline.files": ("File",),
    "hookline.filters": ("StreamFilter",),
    "hookline.hookspecs": ("hookimpl",),
    "hookline.listing": ("AsyncItems", "Items", "Page"),
    "hookline.messages": ("Message", "Request", "Response", "Tool", "Usage"),
    "hookline.model_info": ("ModelInfo",),
    "hookline.models": ("ModelFacts",),
    "hookline.pipeline": ("AsyncPipeline", "Pipeline"),
    "hookline.rate_limits": ("RateLimit", "RateLimits"),
    "hookline.received": ("Deleted",),
    "hookline.reply": ("Reply",),
    "hookline.secret": ("Secret",),
    "hookline.streams": ("AsyncStream", "Stream"),
    "hookline.trace": ("AttemptRecord", "Trace"),
    "hookline.turn": ("CallNext", "Continue", "Prefill", "Turn"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "APIError",
    "AsyncConversation",
    "AsyncItems",
    "AsyncPipeline",
    "AsyncStream",
    "AttemptRecord",
    "Batch",
    "BatchItem",
    "BatchResult",
    "Block",
    "CallNext",
    "CircuitOpen",
    "ConfigError",
    "Continue",
    "Conversation",
    "DeadlineExceeded",
    "DecodeError",
    "Deleted",
    "Document",
    "File",
    "HooklineError",
    "Image",
    "InputError",
    "Items",
    "LimitExceeded",
    "Message",
    "MissingExtra",
    "ModelFacts",
    "ModelInfo",
    "NeedsEventLoop",
    "OutputError",
    "Page",
    "Pipeline",
    "PluginError",
    "PolicyViolation",
    "PoolTimeout",
    "Prefill",
    "RateLimit",
    "RateLimits",
    "Reply",
    "Request",
    "RequestCounts",
    "Response",
    "Secret",
    "Stream",
    "StreamFilter",
    "StreamInterrupted",
    "StreamTruncated",
    "TextBlock",
    "TokenCount",
    "Tool",
    "ToolResultBlock",
    "ToolUseBlock",
    "Trace",
    "TransportError",
    "Turn",
    "TurnLimitExceeded",
    "UnresolvedContent",
    "Usage",
    "__version__",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 -- slow, and seldom asked for

        value: Any = version("hookline")
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module 'hookline' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
