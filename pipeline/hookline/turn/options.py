"""What a turn is asked for, and the small words that hooks and the engine exchange."""

from collections.abc import (
    Awaitable,
    Callable,
    Mapping,
)
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from hookline.values.blocks import ToolResultBlock, ToolUseBlock
from hookline.values.messages import Message, Request, Response
from hookline.values.prefill import PrefillMode
from hookline.values.tools.definitions import Tool

if TYPE_CHECKING:
    from hookline.reply import Reply
    from hookline.turn.turn import Turn

__all__ = [
    "NO_OPTIONS",
    "BoundTool",
    "CallNext",
    "CallTool",
    "Continue",
    "OnProgress",
    "Progress",
    "Resolve",
    "Resumed",
    "RunTool",
    "TurnOptions",
]

CallNext: TypeAlias = Callable[[Request], Awaitable[Response]]
"""What a ``send`` hook calls to let the request go on its way."""

RunTool: TypeAlias = Callable[[ToolUseBlock], Awaitable[ToolResultBlock]]
"""What a ``call_tool`` hook calls to let the call go on its way."""

CallTool: TypeAlias = Callable[["Turn", ToolUseBlock, RunTool], Awaitable[ToolResultBlock]]

Resolve: TypeAlias = Callable[["Turn", Request, ToolResultBlock], Awaitable[ToolResultBlock]]


@frozen
class Progress:
    """How far a plugin has come with work that takes long, before a request leaves.

    Attributes:
        plugin: whose work it is: ``"images"``, ``"uploads"``.
        done: how many are done; 0 when it begins.
        total: how many there are.
        what: of what, in words: ``"images and documents"``.

    """

    plugin: str
    done: int
    total: int
    what: str


OnProgress: TypeAlias = Callable[[Progress], object]
"""What takes ``Progress``, in the thread or task of the call; whatever it raises ends nothing."""


@frozen(kw_only=True)
class BoundTool:
    """A tool and what runs it.

    Attributes:
        name: what the model calls it, or a glob.
        definition: sent to the model; None if something else defines it.
        function: what takes the input; or a route to it, which the plugin ``tools`` reads.
        origin: where it comes from, for an error's text.

    """

    name: str
    definition: Tool | None
    function: Any
    origin: str = "tools= of the call"


@frozen(kw_only=True)
class Resumed:
    """Where a turn goes on that waited for somebody's decision.

    Attributes:
        reply: the reply that was pending, as ``reply.pending`` kept it.
        decisions: by the id of a tool call: ``"approve"``, ``"again"``, ``{"edit": input}``,
            ``{"refuse": reason}`` or ``{"result": text}``.

    """

    reply: "Reply"
    decisions: Mapping[str, Any]


@frozen(kw_only=True)
class TurnOptions:
    """What the caller asked for besides the fields of the request itself.

    Attributes:
        history: messages of the conversation so far, oldest first.
        system: the conversation's system prompt; a ``system`` of the request itself wins.
        prefill: the words the reply must begin with; empty for none.
        prefill_mode: ``"auto"`` (native where model and server allow it), ``"native"``,
            ``"instructed"``, ``"structured"`` or ``"error"`` (refused where not native).
        tools: functions that the caller or a plugin offers to the model.
        output: the type or JSON schema that the reply must have, or None.
        places_breakpoints: whether breakpoints for the API's prompt cache are placed.
        resumed: where the turn goes on and what was decided meanwhile, or None.
        on_progress: takes the ``Progress`` of plugins, or None.

    """

    history: tuple[Message, ...] = ()
    system: Any = None
    prefill: str = ""
    prefill_mode: PrefillMode = "auto"
    tools: tuple[BoundTool, ...] = ()
    output: Any = None
    places_breakpoints: bool = False
    resumed: "Resumed | None" = None
    on_progress: "OnProgress | None" = None


@frozen
class Continue:
    """What ``post_process`` returns to ask for one more step of the same turn.

    Attributes:
        request: the request of the next step, for example the last one with the assistant's
            message and the tool results appended.

    """

    request: Request


NO_OPTIONS: Final = TurnOptions()
"""Of a call that asks for nothing but a message."""
