"""Changing text wherever a request or a reply holds it.

The table of parts is the whole truth about what `Request.map_text` reaches. Thinking is in none of them,
since it is signed, and neither are the results of the API's own tools, most of which are encrypted.
"""

from collections.abc import Callable, Collection
from typing import Any, Final, Literal, TypeAlias, get_args

from hookline.errors import InputError
from hookline.values.blocks import (
    Block,
    DocumentBlock,
    MCPToolUseBlock,
    SearchResultBlock,
    ServerToolUseBlock,
    TextBlock,
    ToolUseBlock,
    UnknownBlock,
)
from hookline.values.brief import brief
from hookline.values.citations import Citation
from hookline.values.editing.blocks import RESULTS, edited
from hookline.values.frozen import FrozenDict
from hookline.values.messages import Request
from hookline.values.sources import ContentSource, TextSource
from hookline.values.tools.definitions import Tool, ToolSpec, UnknownTool

__all__ = ["USUAL_PARTS", "TextPart", "checked_function", "mapped_block_text", "mapped_text"]

TextPart: TypeAlias = Literal[
    "system", "messages", "tool_results", "documents", "tool_inputs", "tools"
]
"""A part of a request that holds text; see ``Request.map_text``."""

USUAL_PARTS: Final[tuple[TextPart, ...]] = ("system", "messages", "tool_results", "documents")

_KNOWN: Final = frozenset(get_args(TextPart))
_TOOLS: Final = frozenset({"tools"})
_CALLS: Final = ToolUseBlock | ServerToolUseBlock | MCPToolUseBlock
# Where blocks that this version does not know keep what a person may read.
_TEXT_KEYS: Final = frozenset({"text", "content", "title", "context"})
_CITED: Final = ("cited_text", "document_title", "title")
_DESCRIPTION: Final = frozenset({"description"})

Say: TypeAlias = Callable[[str], str]


def checked_function(function: Callable[[str], Any]) -> Say:
    """Return a function of text that may be trusted: it returns a text, the same one if it is equal."""

    def say(text: str) -> str:
        new = function(text)
        if not isinstance(new, str):
            raise InputError(
                f"map_text: the function returned {brief(new)} ({type(new).__name__}) for a text; "
                "it must return a text"
            )
        return text if new == text else new

    return say


def mapped_text(
    request: Request, function: Callable[[str], str], where: TextPart | Collection[TextPart]
) -> Request:
    """Change text wherever it lies in some parts of a request; see ``Request.map_text``."""
    parts = _checked_parts(where)
    say = checked_function(function)

    def edit(block: Block, _was: Block, part: str) -> Block:
        edited_block: Block = _edited_block(block, part, parts, say)
        return edited_block

    def edit_text(text: str, part: str) -> str:
        return say(text) if part in parts else text

    changed = request if parts == _TOOLS else edited(request, edit, edit_text)
    if "tools" in parts and request.tools:
        tools = tuple([_described(tool, say) for tool in request.tools])
        if any(new is not old for new, old in zip(tools, request.tools, strict=True)):
            changed = changed.evolve(tools=tools)
    return changed


def _checked_parts(where: TextPart | Collection[TextPart]) -> frozenset[str]:
    parts = frozenset((where,) if isinstance(where, str) else where)
    if parts <= _KNOWN:
        return parts
    known = get_args(TextPart)
    for part in sorted(parts.difference(known)):
        from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

        near = get_close_matches(part, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"parts are: {', '.join(known)}"
        raise InputError(f"map_text: a request has no part {part!r}; {hint}")
    return parts


def _edited_block(block: Any, part: str, parts: frozenset[str], say: Say) -> Any:
    """Change the texts of one block; what lies inside it has had its turn."""
    own, edit = next(edits for kinds, edits in _EDITS if isinstance(block, kinds))
    return edit(block, say) if (own or part) in parts else block


def _edited_result(block: Any, say: Say) -> Any:
    return _with(block, say, "content")


def _edited_call(block: Any, say: Say) -> Any:
    given = _mapped_json(block.input, say)
    return block if given is block.input else block.evolve(input=given)


def _edited_unknown(block: UnknownBlock, say: Say) -> UnknownBlock:
    data = _mapped_json(block.data, say, _TEXT_KEYS)
    return block if data is block.data else block.evolve(data=data)


def _edited_search_result(block: Any, say: Say) -> Any:
    return _with(block, say, "title", "source")


def _edited_document(block: Any, say: Say) -> Any:
    if block.type != "document":
        return block
    changed = _with(block, say, "title", "context")
    source: Any = block.source
    if isinstance(block, DocumentBlock):
        name = {TextSource: "data", ContentSource: "content"}.get(type(source))
        new: Any = _with(source, say, name) if name else source
    else:  # nobody has read it yet, unless its text was handed over: `Document.from_text`
        new = source
        if isinstance(source, bytes) and block.media_type == "text/plain":
            text = source.decode("utf-8", "surrogateescape")
            said = say(text)
            new = source if said is text else said.encode("utf-8", "surrogateescape")
    return changed if new is source else changed.evolve(source=new)


def _with(value: Any, say: Say, *names: str) -> Any:
    """Return a value with the texts of some of its fields changed."""
    changes = {}
    for name in names:
        old = getattr(value, name, None)
        if isinstance(old, str) and (new := say(old)) is not old:
            changes[name] = new
    return value.evolve(**changes) if changes else value


def mapped_block_text(block: TextBlock, say: Say) -> TextBlock:
    """Change the text of a block, what its citations quote, and the titles that they name."""
    changed: TextBlock = _with(block, say, "text")
    if block.citations:
        citations: tuple[Citation, ...] = tuple(
            [_with(each, say, *_CITED) for each in block.citations]
        )
        if any(new is not old for new, old in zip(citations, block.citations, strict=True)):
            changed = changed.evolve(citations=citations)
    return changed


# The part that blocks of a kind belong to, None for that in which they stand, and their editor.
_EDITS: Final[tuple[tuple[Any, tuple[str | None, Callable[[Any, Say], Any]]], ...]] = (
    (TextBlock, (None, mapped_block_text)),
    (RESULTS, ("tool_results", _edited_result)),
    (_CALLS, ("tool_inputs", _edited_call)),
    (UnknownBlock, (None, _edited_unknown)),
    (SearchResultBlock, ("documents", _edited_search_result)),
    (Block, ("documents", _edited_document)),
)


def _described(tool: ToolSpec, say: Say) -> ToolSpec:
    if isinstance(tool, Tool):
        described: Tool = _with(tool, say, "description")
        schema = _mapped_json(tool.input_schema, say, _DESCRIPTION)
        return described if schema is tool.input_schema else described.evolve(input_schema=schema)
    if isinstance(tool, UnknownTool):
        data = _mapped_json(tool.data, say, _DESCRIPTION)
        return tool if data is tool.data else tool.evolve(data=data)
    return tool


def _mapped_json(value: Any, say: Say, keys: Collection[str] | None = None) -> Any:
    """Change the strings in frozen JSON: all values, or those that stand under some keys."""
    if isinstance(value, str):
        return say(value) if keys is None else value
    if isinstance(value, FrozenDict):
        new = {
            key: say(item)
            if keys is not None and key in keys and isinstance(item, str)
            else _mapped_json(item, say, keys)
            for key, item in value.items()
        }
        same = all(item is value[key] for key, item in new.items())
        return value if same else FrozenDict(new)
    if isinstance(value, tuple):
        items = [_mapped_json(item, say, keys) for item in value]
        same = all(one is other for one, other in zip(items, value, strict=True))
        return value if same else tuple(items)
    return value
