"""Hookline: a pluggable message pipeline for the Claude Messages API.

A request travels through five stages (build history, inject prefill, resolve images, send,
post-process), and plugins take part in them::

    from hookline import Pipeline

    with Pipeline(base_url="sim:") as line:  # the built-in simulator: no key, no network
        print(line.send("Hello, Claude").text)

Names are imported when first used, so ``import hookline`` costs little more than its logger.
"""

from typing import TYPE_CHECKING, Any

from hookline import _log as _log  # silences the library's log lines, before anybody can want them
from hookline._faces import face

if TYPE_CHECKING:
    from hookline._log import log_to_stdlib
    from hookline.conversation import AsyncConversation, Conversation
    from hookline.endpoints.batch_objects import Batch, BatchItem, BatchResult, RequestCounts
    from hookline.endpoints.files import File
    from hookline.endpoints.models import ModelInfo
    from hookline.endpoints.objects import Deleted
    from hookline.endpoints.pages import AsyncItems, Items, Page
    from hookline.endpoints.token_counts import TokenCount
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
        PluginWarning,
        PolicyViolation,
        PoolTimeout,
        ReadTimeout,
        StreamInterrupted,
        StreamTruncated,
        TransportError,
        TurnLimitExceeded,
        UnresolvedContent,
    )
    from hookline.filters import StreamFilter
    from hookline.hookspecs import hookimpl
    from hookline.models import ModelFacts
    from hookline.pipeline import AsyncPipeline, Pipeline
    from hookline.reply import Reply
    from hookline.streams import AsyncStream, Stream
    from hookline.trace import AttemptRecord, Trace
    from hookline.turn import CallNext, Continue, Progress, Turn
    from hookline.values.attachments import Document, Image
    from hookline.values.blocks import Block, TextBlock, ToolResultBlock, ToolUseBlock
    from hookline.values.destination import Destination
    from hookline.values.messages import Message, Request, Response
    from hookline.values.prefill import Prefill
    from hookline.values.principal import Principal
    from hookline.values.rate_limits import RateLimit, RateLimits
    from hookline.values.secret import Secret
    from hookline.values.tools.definitions import Tool
    from hookline.values.usage import Usage

    __version__: str

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
    "Destination",
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
    "PluginWarning",
    "PolicyViolation",
    "PoolTimeout",
    "Prefill",
    "Principal",
    "Progress",
    "RateLimit",
    "RateLimits",
    "ReadTimeout",
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
    "log_to_stdlib",
]

_load, _names = face(
    __name__,
    {
        "hookline.conversation": (
            "AsyncConversation",
            "Conversation",
        ),
        "hookline.endpoints.batch_objects": (
            "Batch",
            "BatchItem",
            "BatchResult",
            "RequestCounts",
        ),
        "hookline.endpoints.files": ("File",),
        "hookline.endpoints.models": ("ModelInfo",),
        "hookline.endpoints.objects": ("Deleted",),
        "hookline.endpoints.pages": (
            "AsyncItems",
            "Items",
            "Page",
        ),
        "hookline.endpoints.token_counts": ("TokenCount",),
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
            "PluginWarning",
            "PolicyViolation",
            "PoolTimeout",
            "ReadTimeout",
            "StreamInterrupted",
            "StreamTruncated",
            "TransportError",
            "TurnLimitExceeded",
            "UnresolvedContent",
        ),
        "hookline.filters": ("StreamFilter",),
        "hookline.hookspecs": ("hookimpl",),
        "hookline._log": ("log_to_stdlib",),
        "hookline.models": ("ModelFacts",),
        "hookline.pipeline": (
            "AsyncPipeline",
            "Pipeline",
        ),
        "hookline.reply": ("Reply",),
        "hookline.streams": (
            "AsyncStream",
            "Stream",
        ),
        "hookline.trace": (
            "AttemptRecord",
            "Trace",
        ),
        "hookline.turn": ("CallNext", "Continue", "Progress", "Turn"),
        "hookline.values.destination": ("Destination",),
        "hookline.values.prefill": ("Prefill",),
        "hookline.values.principal": ("Principal",),
        "hookline.values.attachments": (
            "Document",
            "Image",
        ),
        "hookline.values.blocks": (
            "Block",
            "TextBlock",
            "ToolResultBlock",
            "ToolUseBlock",
        ),
        "hookline.values.messages": (
            "Message",
            "Request",
            "Response",
        ),
        "hookline.values.rate_limits": (
            "RateLimit",
            "RateLimits",
        ),
        "hookline.values.secret": ("Secret",),
        "hookline.values.tools.definitions": ("Tool",),
        "hookline.values.usage": ("Usage",),
    },
)


def __getattr__(name: str) -> Any:
    if name != "__version__":
        return _load(name)
    from importlib.metadata import version  # noqa: PLC0415 -- slow, and seldom asked for

    globals()[name] = version("hookline")
    return globals()[name]


def __dir__() -> list[str]:
    return sorted([*_names(), "__version__"])
