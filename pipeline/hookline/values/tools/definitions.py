"""Tools as a request declares them (facts 10.1, 10.2, 10.5)."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from hookline.values.blocks import CacheControl
from hookline.values.frozen import Model, checked, freeze

__all__ = ["ServerTool", "Tool", "ToolChoice", "ToolSpec", "UnknownTool"]


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolSpec(Model):
    """Base of everything that may stand in ``Request.tools``."""


@frozen(eq=False, repr=False, field_transformer=checked)
class Tool(ToolSpec):
    """A tool of the caller's own.

    Attributes:
        name: what the model calls it.
        input_schema: JSON Schema of its input; the root is an object.
        description: what it does, for the model.

    """

    name: str
    input_schema: Mapping[str, Any] = field(converter=freeze)
    description: str | None = None
    type: str | None = None
    strict: bool | None = None
    input_examples: tuple[Any, ...] | None = field(default=None, converter=freeze)
    defer_loading: bool | None = None
    allowed_callers: tuple[Any, ...] | None = field(default=None, converter=freeze)
    eager_input_streaming: bool | None = None
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class ServerTool(ToolSpec):
    """A tool that Anthropic defines, for example ``ServerTool("web_search_20250305", "web_search")``.

    Attributes:
        type: the dated type.
        name: its name; toolsets have none.

    The options of the single tools (``max_uses``, ``display_width_px`` …) are in ``extra``: they
    differ by type and version, and only the API judges them.

    """

    type: str
    name: str | None = None
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class UnknownTool(ToolSpec):
    """A tool entry of a shape that this version does not know, kept whole in ``data``."""

    type: str
    data: Mapping[str, Any] = field(converter=freeze)

    @property
    def name(self) -> str | None:
        """The tool's name, if the entry has one."""
        name = self.data.get("name")
        return name if isinstance(name, str) else None


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolChoice(Model):
    """Whether and which tool the model must use: ``type`` is auto, any, tool or none."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None
