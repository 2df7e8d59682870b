"""The content blocks of a message, one class for each type of the Messages API (facts 3).

A block that came from the API goes back exactly as it came: fields unknown to us are in ``extra``,
and a block of an unknown type, or one whose fields are not what its type promises, is an
`UnknownBlock`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from hookline.values.brief import base64_size
from hookline.values.content import Block, CacheControl, TextBlock, as_blocks, as_content
from hookline.values.frozen import EMPTY, checked, freeze
from hookline.values.sources import Source

__all__ = [
    "BLOCKS",
    "AdvisorToolResultBlock",
    "BashCodeExecutionToolResultBlock",
    "Block",
    "BrowserStateBlock",
    "CacheControl",
    "CodeExecutionToolResultBlock",
    "CompactionBlock",
    "ContainerUploadBlock",
    "DocumentBlock",
    "FallbackBlock",
    "ImageBlock",
    "MCPToolListingBlock",
    "MCPToolResultBlock",
    "MCPToolUseBlock",
    "RedactedThinkingBlock",
    "SearchResultBlock",
    "ServerToolUseBlock",
    "TextBlock",
    "TextEditorCodeExecutionToolResultBlock",
    "ThinkingBlock",
    "ToolAdditionBlock",
    "ToolReferenceBlock",
    "ToolRemovalBlock",
    "ToolResultBlock",
    "ToolSearchToolResultBlock",
    "ToolUseBlock",
    "UnknownBlock",
    "WebFetchToolResultBlock",
    "WebSearchToolResultBlock",
    "as_content",
]


@frozen(eq=False, repr=False, field_transformer=checked)
class ImageBlock(Block):
    """An image, ready to be sent."""

    type: ClassVar[str] = "image"
    source: Source
    cache_control: CacheControl | None = None
    transformations: Mapping[str, Any] | None = field(default=None, converter=freeze)


@frozen(eq=False, repr=False, field_transformer=checked)
class DocumentBlock(Block):
    """A PDF, a text, or blocks; ``citations`` is ``{"enabled": true}`` to have it cited."""

    type: ClassVar[str] = "document"
    source: Source
    title: str | None = None
    context: str | None = None
    citations: Mapping[str, Any] | None = field(default=None, converter=freeze)
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class SearchResultBlock(Block):
    """A search hit of the caller's own, to be cited."""

    type: ClassVar[str] = "search_result"
    source: str
    title: str
    content: tuple[Block, ...] = field(converter=as_blocks)
    citations: Mapping[str, Any] | None = field(default=None, converter=freeze)
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class ThinkingBlock(Block):
    """The model's thinking; goes back unmodified or not at all."""

    type: ClassVar[str] = "thinking"
    thinking: str
    signature: str = field(repr=base64_size)


@frozen(eq=False, repr=False, field_transformer=checked)
class RedactedThinkingBlock(Block):
    """Thinking that only the API can read."""

    type: ClassVar[str] = "redacted_thinking"
    data: str = field(repr=base64_size)


# A stream may end in the middle of a tool's input, and some tools stream input that never was
# JSON. The API's own advice is to hand such text around under this name (facts 6.4).
INVALID_JSON: Final = "INVALID_JSON"


@frozen(eq=False, repr=False, field_transformer=checked)
class _ToolCall(Block):
    """What all tool calls have."""

    id: str
    name: str
    input: Mapping[str, Any] = field(default=EMPTY, converter=freeze)

    @property
    def invalid_json(self) -> str | None:
        """The raw text, if the streamed input was no JSON object: never run such a call.

        ``input`` is ``{"INVALID_JSON": raw}`` then.
        """
        raw = self.input.get(INVALID_JSON)
        return raw if isinstance(raw, str) and len(self.input) == 1 else None


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolUseBlock(_ToolCall):
    """The model asks for a tool of the caller."""

    type: ClassVar[str] = "tool_use"
    cache_control: CacheControl | None = None
    caller: Mapping[str, Any] | None = field(default=None, converter=freeze)
    toolset_name: str | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class ServerToolUseBlock(_ToolCall):
    """The model uses a tool that runs at the API."""

    type: ClassVar[str] = "server_tool_use"
    cache_control: CacheControl | None = None
    caller: Mapping[str, Any] | None = field(default=None, converter=freeze)


@frozen(eq=False, repr=False, field_transformer=checked)
class MCPToolUseBlock(_ToolCall):
    """The model uses a tool of an MCP server (beta)."""

    type: ClassVar[str] = "mcp_tool_use"
    server_name: str = field(kw_only=True)
    cache_control: CacheControl | None = None
    caller: Mapping[str, Any] | None = field(default=None, converter=freeze)


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolResultBlock(Block):
    """What a tool of the caller returned; ``content`` is a string or blocks."""

    type: ClassVar[str] = "tool_result"
    tool_use_id: str
    content: str | tuple[Block, ...] | None = field(default=None, converter=as_content)
    is_error: bool | None = None
    cache_control: CacheControl | None = None
    toolset_name: str | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class MCPToolResultBlock(Block):
    """What a tool of an MCP server returned (beta)."""

    type: ClassVar[str] = "mcp_tool_result"
    tool_use_id: str
    content: str | tuple[Block, ...] | None = field(default=None, converter=as_content)
    is_error: bool | None = None
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class _ServerToolResult(Block):
    """What all results of server tools have. Only the API needs to look inside ``content``."""

    tool_use_id: str
    content: Any = field(converter=freeze)
    cache_control: CacheControl | None = None
    caller: Mapping[str, Any] | None = field(default=None, converter=freeze)


@frozen(eq=False, repr=False, field_transformer=checked)
class WebSearchToolResultBlock(_ServerToolResult):
    """Hits of a web search (a list), or an error object."""

    type: ClassVar[str] = "web_search_tool_result"


@frozen(eq=False, repr=False, field_transformer=checked)
class WebFetchToolResultBlock(_ServerToolResult):
    """A fetched page, or an error object."""

    type: ClassVar[str] = "web_fetch_tool_result"


@frozen(eq=False, repr=False, field_transformer=checked)
class CodeExecutionToolResultBlock(_ServerToolResult):
    """Output of executed code, or an error object."""

    type: ClassVar[str] = "code_execution_tool_result"


@frozen(eq=False, repr=False, field_transformer=checked)
class BashCodeExecutionToolResultBlock(_ServerToolResult):
    """Output of a shell command, or an error object."""

    type: ClassVar[str] = "bash_code_execution_tool_result"


@frozen(eq=False, repr=False, field_transformer=checked)
class TextEditorCodeExecutionToolResultBlock(_ServerToolResult):
    """Outcome of an edit in the container, or an error object."""

    type: ClassVar[str] = "text_editor_code_execution_tool_result"


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolSearchToolResultBlock(_ServerToolResult):
    """References to the tools that were found, or an error object."""

    type: ClassVar[str] = "tool_search_tool_result"


@frozen(eq=False, repr=False, field_transformer=checked)
class AdvisorToolResultBlock(_ServerToolResult):
    """An answer of the advisor tool (beta)."""

    type: ClassVar[str] = "advisor_tool_result"


@frozen(eq=False, repr=False, field_transformer=checked)
class ContainerUploadBlock(Block):
    """A file to be put into the code execution container."""

    type: ClassVar[str] = "container_upload"
    file_id: str
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class MCPToolListingBlock(Block):
    """The tools that an MCP server offers (beta)."""

    type: ClassVar[str] = "mcp_tool_listing"
    mcp_server_name: str
    tools: tuple[Any, ...] = field(converter=freeze)


@frozen(eq=False, repr=False, field_transformer=checked)
class CompactionBlock(Block):
    """A summary that stands for everything before it (beta); goes back unchanged."""

    type: ClassVar[str] = "compaction"
    content: str | None = None
    encrypted_content: str | None = field(default=None, repr=base64_size)
    signature: str | None = field(default=None, repr=base64_size)
    tool_changes: Any = field(default=None, converter=freeze)
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class FallbackBlock(Block):
    """A model declined and another one took over (beta). ``from_`` and ``to`` are ``{"model": …}``."""

    type: ClassVar[str] = "fallback"
    from_: Mapping[str, Any] = field(converter=freeze)
    to: Mapping[str, Any] = field(converter=freeze)
    trigger: Any = field(default=None, converter=freeze)


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolAdditionBlock(Block):
    """A system message adds a tool in mid-conversation (beta); definition or reference in ``extra``."""

    type: ClassVar[str] = "tool_addition"


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolRemovalBlock(Block):
    """A system message removes a tool in mid-conversation (beta); reference in ``extra``."""

    type: ClassVar[str] = "tool_removal"


@frozen(eq=False, repr=False, field_transformer=checked)
class ToolReferenceBlock(Block):
    """The name of a tool that a tool search of the caller found."""

    type: ClassVar[str] = "tool_reference"
    tool_name: str
    cache_control: CacheControl | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class BrowserStateBlock(Block):
    """State of the browser toolset inside a tool result; its fields are in ``extra``."""

    type: ClassVar[str] = "browser_state"


@frozen(eq=False, repr=False, field_transformer=checked)
class UnknownBlock(Block):
    """A block that this version has no class for, kept whole in ``data``."""

    # Every known class has one type, this one has any: an instance field hides the class's.
    type: str  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
    data: Mapping[str, Any] = field(converter=freeze)


BLOCKS: Final[Mapping[str, type[Block]]] = {
    cls.type: cls
    for cls in (
        TextBlock,
        ImageBlock,
        DocumentBlock,
        SearchResultBlock,
        ThinkingBlock,
        RedactedThinkingBlock,
        ToolUseBlock,
        ToolResultBlock,
        ServerToolUseBlock,
        WebSearchToolResultBlock,
        WebFetchToolResultBlock,
        CodeExecutionToolResultBlock,
        BashCodeExecutionToolResultBlock,
        TextEditorCodeExecutionToolResultBlock,
        ToolSearchToolResultBlock,
        ContainerUploadBlock,
        MCPToolUseBlock,
        MCPToolResultBlock,
        MCPToolListingBlock,
        AdvisorToolResultBlock,
        CompactionBlock,
        FallbackBlock,
        ToolAdditionBlock,
        ToolRemovalBlock,
        ToolReferenceBlock,
        BrowserStateBlock,
    )
}
