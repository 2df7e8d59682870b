"""What a stream tells about the tools that run here, between the events of the API.

``stream.events`` yields these while the tools run; they have no form on the wire.
"""

from typing import Any, ClassVar

from attrs import field, frozen

from hookline.values.blocks import ToolResultBlock, ToolUseBlock
from hookline.values.events import Event, unchecked

__all__ = ["ToolDone", "ToolEvent", "ToolProgress", "ToolStart"]


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ToolEvent(Event):
    """Base of what is told about one tool call."""

    call: ToolUseBlock


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ToolStart(ToolEvent):
    """A tool begins to run."""

    type: ClassVar[str] = "tool_start"


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ToolProgress(ToolEvent):
    """A tool that is a generator has yielded something on its way."""

    type: ClassVar[str] = "tool_progress"
    value: Any = field(default=None)


@frozen(eq=False, repr=False, field_transformer=unchecked)
class ToolDone(ToolEvent):
    """A tool call has its result.

    Attributes:
        call: as it was run.
        result: what the model gets.
        seconds: how long it took.

    """

    type: ClassVar[str] = "tool_done"
    result: ToolResultBlock
    seconds: float = 0.0
