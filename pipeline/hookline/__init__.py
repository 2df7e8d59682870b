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
    from hookline.blocks import Block, TextBlock, ToolResultBlock, ToolUseBlock
    from hookline.conversation import AsyncConversation, Conversation
    from hookline.errors import (
        APIError,
        ConfigError,
        DeadlineExceeded,
        DecodeError,
        HooklineError,
        InputError,
        MissingExtra,
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
    from hookline.filters import StreamFilter
    from hookline.hookspecs import hookimpl
    from hookline.messages import Message, Request, Response, Tool, Usage
    from hookline.models import ModelFacts
    from hookline.pipeline import AsyncPipeline, Pipeline
    from hookline.reply import Reply
    from hookline.secret import Secret
    from hookline.streams import AsyncStream, Stream
    from hookline.trace import AttemptRecord, Trace
    from hookline.turn import CallNext, Continue, Prefill, Turn

_HOMES: Final = {
    "hookline.attachments": ("Document", "Image"),
    "hookline.blocks": ("Block", "TextBlock", "ToolResultBlock", "ToolUseBlock"),
    "hookline.conversation": ("AsyncConversation", "Conversation"),
    "hookline.errors": (
        "APIError",
        "ConfigError",
        "DeadlineExceeded",
        "DecodeError",
        "HooklineError",
        "InputError",
        "MissingExtra",
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
    "hookline.filters": ("StreamFilter",),
    "hookline.hookspecs": ("hookimpl",),
    "hookline.messages": ("Message", "Request", "Response", "Tool", "Usage"),
    "hookline.models": ("ModelFacts",),
    "hookline.pipeline": ("AsyncPipeline", "Pipeline"),
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
    "AsyncPipeline",
    "AsyncStream",
    "AttemptRecord",
    "Block",
    "CallNext",
    "ConfigError",
    "Continue",
    "Conversation",
    "DeadlineExceeded",
    "DecodeError",
    "Document",
    "HooklineError",
    "Image",
    "InputError",
    "Message",
    "MissingExtra",
    "ModelFacts",
    "OutputError",
    "Pipeline",
    "PluginError",
    "PolicyViolation",
    "PoolTimeout",
    "Prefill",
    "Reply",
    "Request",
    "Response",
    "Secret",
    "Stream",
    "StreamFilter",
    "StreamInterrupted",
    "StreamTruncated",
    "TextBlock",
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
