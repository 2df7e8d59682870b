"""Changing a request or a reply all through, and nothing but what is meant.

One walk stands under all of it: it goes through a list of blocks, into tool results and into documents
that are made of blocks, and asks a function what stands for each. What the function leaves alone stays
the very same object, so that an unchanged message keeps its encoded bytes and the prompt cache its
prefix. The public faces are the methods of `Request` and `Reply`.
"""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Iterable, Mapping
from inspect import isawaitable
from typing import Any, Final, Protocol, TypeAlias

from attrs import fields

from hookline.errors import InputError
from hookline.values.blocks import (
    Block,
    DocumentBlock,
    MCPToolResultBlock,
    SearchResultBlock,
    TextBlock,
    ToolResultBlock,
)
from hookline.values.brief import brief
from hookline.values.content import as_blocks
from hookline.values.messages import Message, Request
from hookline.values.sources import ContentSource

__all__ = [
    "RESULTS",
    "Edit",
    "EditText",
    "Gathers",
    "Replacement",
    "edited",
    "replaced_blocks",
    "replaced_media",
    "with_system",
]

Replacement: TypeAlias = Block | Iterable[Block | str] | str | None
"""What may stand for a block: a block or a text, several of them, or None for nothing."""

Edit: TypeAlias = Callable[[Block, Block, str], Block | tuple[Block, ...]]
"""What the walk asks: gets a block whose own content has been edited already, the block as it was, and the
part of the request in which it stands (``"system"``, ``"messages"``, ``"tool_results"``, ``"documents"``);
returns the block itself, another one, or a tuple of what stands for it."""

EditText: TypeAlias = Callable[[str, str], str]
"""What the walk asks about a content that is a string: gets it and its part, returns what stands for it."""

_MEDIA: Final = frozenset({"image", "document"})
RESULTS: Final = ToolResultBlock | MCPToolResultBlock  # what tools return and everybody can read


class Gathers(Protocol):
    """What `replaced_media` needs of ``turn.io``."""

    async def gather(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run coroutines side by side."""
        ...


def with_system(request: Request, text: str) -> Request:
    """Add to the system prompt; see ``Request.with_system``."""
    if not isinstance(text, str):
        raise InputError(f"with_system takes a text, not {brief(text)} ({type(text).__name__})")
    if not text.strip():  # the API refuses blank text
        return request
    system = request.system
    if isinstance(system, tuple):
        return request.evolve(system=(*system, TextBlock(text)))
    return request.evolve(system=f"{system}\n\n{text}" if system else text)


def edited(request: Request, edit: Edit, say: EditText | None = None) -> Request:
    """Ask what stands for every block of the system prompt and the messages, the inmost first.

    Args:
        request: the request.
        edit: says it.
        say: says it of contents that are a string; by default they are blocks to ``edit``.

    Returns:
        The request; ``request`` itself where nothing changed.

    """
    changes: dict[str, Any] = {}
    messages = tuple([_edited_message(message, edit, say) for message in request.messages])
    if not _same(messages, request.messages):
        changes["messages"] = messages
    system = _edited_content(request.system, edit, say, "system")
    if system is not request.system:
        changes["system"] = system
    return request.evolve(**changes) if changes else request


def _edited_message(message: Message, edit: Edit, say: EditText | None) -> Message:
    content = _edited_content(message.content, edit, say, "messages")
    return message if content is message.content else message.evolve(content=content)


def _edited_content(content: Any, edit: Edit, say: EditText | None, part: str) -> Any:
    """Edit content in each of its forms; a string stays one as long as text alone stands for it."""
    if isinstance(content, tuple):
        return _edited_blocks(content, edit, part)
    if content is None:
        return None
    if say is not None:
        return say(content, part)
    block = TextBlock(content)
    made = edit(block, block, part)
    if isinstance(made, tuple) and len(made) == 1:
        (made,) = made
    if made is block:
        return content
    return made.text if isinstance(made, TextBlock) and made == TextBlock(made.text) else made


def _edited_blocks(blocks: tuple[Block, ...], edit: Edit, part: str) -> tuple[Block, ...]:
    done: list[Block] = []
    for block in blocks:
        made = edit(_inside(block, edit), block, part)
        if isinstance(made, Block):
            done.append(made)
        else:
            done.extend(made)
    return blocks if _same(done, blocks) else tuple(done)


def _inside(block: Block, edit: Edit) -> Block:
    """Return a block with what lies in it edited."""
    if isinstance(block, ToolResultBlock | MCPToolResultBlock | SearchResultBlock) and isinstance(
        block.content, tuple
    ):
        part = "documents" if isinstance(block, SearchResultBlock) else "tool_results"
        content = _edited_blocks(block.content, edit, part)
        return block if content is block.content else block.evolve(content=content)
    if isinstance(block, DocumentBlock) and isinstance(block.source, ContentSource):
        inner = block.source.content
        if isinstance(inner, tuple):
            content = _edited_blocks(inner, edit, "documents")
            if content is not inner:
                return block.evolve(source=block.source.evolve(content=content))
    return block


def _same(new: Collection[Any], old: Collection[Any]) -> bool:
    return len(new) == len(old) and all(one is other for one, other in zip(new, old, strict=True))


def replaced_blocks(request: Request, function: Callable[[Block], Replacement]) -> Request:
    """Put other blocks in the place of blocks; see ``Request.map_blocks``."""

    def edit(block: Block, _was: Block, _part: str) -> Block | tuple[Block, ...]:
        return _replacement(function(block), "map_blocks")

    return edited(request, edit)


def _replacement(made: Replacement, method: str) -> Block | tuple[Block, ...]:
    if isinstance(made, Block):
        return made
    if made is None:
        return ()
    several = as_blocks([made] if isinstance(made, str) else list(made)) if _several(made) else None
    if several is None or not all(isinstance(block, Block) for block in several):
        raise InputError(
            f"{method}: the function returned {brief(made)} ({type(made).__name__}); it may return "
            "a block, several, or None to leave the block out"
        )
    return tuple(several)


def _several(made: object) -> bool:
    return isinstance(made, Iterable) and not isinstance(made, Mapping | bytes)


async def replaced_media(
    request: Request,
    function: Callable[[Block], Replacement | Awaitable[Replacement]],
    io: Gathers,
) -> Request:
    """Put something else in the place of images and documents; see ``Request.map_media``."""
    first: dict[Hashable, Block] = {}  # of each source, in order

    def find(block: Block, was: Block, _part: str) -> Block:
        if was.type in _MEDIA:
            first.setdefault(_source_key(was), was)
        return block

    edited(request, find)
    if not first:
        return request

    async def ask(block: Block) -> Block | tuple[Block, ...]:
        made = function(block)
        return _replacement(await made if isawaitable(made) else made, "map_media")

    answers = await io.gather(*[ask(block) for block in first.values()])
    made = dict(zip(first, answers, strict=True))

    def replace(block: Block, was: Block, _part: str) -> Block | tuple[Block, ...]:
        key = _source_key(was) if was.type in _MEDIA else None
        if key is None or made[key] is first[key]:
            return block
        return _carried(made[key], first[key], was)

    return edited(request, replace)


def _source_key(block: Any) -> Hashable:
    """Return what two images or documents have in common that are of one source."""
    if block.resolved:
        return block.type, getattr(block, "source", block)
    # Files and pictures in memory have no equality of content: the object itself counts.
    source = id(block.source) if block.kind in {"file", "picture"} else block.source
    return block.type, block.kind, source, block.file_id, block.strategy, block.media_type


def _carried(
    made: Block | tuple[Block, ...], first: Block, block: Block
) -> Block | tuple[Block, ...]:
    """Return what stands for a block whose source is that of ``first``, for which ``made`` stands.

    What only this block says (its title, its cache breakpoint) stays as it says, unless the function
    has changed it.
    """
    if not isinstance(made, Block) or block is first:
        return made
    names = {a.name for a in fields(type(made))} - {"source"}
    changes = {
        a.name: getattr(block, a.name)
        for a in fields(type(first))
        if a.name in names
        and getattr(made, a.name) == getattr(first, a.name) != getattr(block, a.name)
    }
    return made.evolve(**changes) if changes else made
