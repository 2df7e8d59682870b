"""Finding and replacing images and documents in a request, tool results included.

Finding and replacing are pure; between them stands the only part that does I/O.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from attrs import frozen

from hookline.values import (
    Attachment,
    Block,
    Document,
    DocumentBlock,
    Image,
    ImageBlock,
    Message,
    Request,
    Source,
    URLSource,
    media_in,
)

__all__ = [
    "Placed",
    "data_url_of",
    "find",
    "key_of",
    "replace",
    "source_of",
    "url_of",
    "with_source",
]

_MEDIA = (Attachment, ImageBlock, DocumentBlock)


@frozen
class Placed:
    """An image or a document, and where it stands.

    Attributes:
        block: resolved or not.
        place: as the API writes it: ``messages.0.content.6``.
        label: for people: ``image 7 of 20``.

    """

    block: Block
    place: str
    label: str


def find(messages: Sequence[Message]) -> list[Placed]:
    """Walk through all images and documents, resolved or not.

    Args:
        messages: the whole request's.

    Returns:
        The blocks, in order; what stands inside a tool result in its place.

    """
    found = list(media_in(messages))
    if not found:  # as mostly; counters cost more than the walk
        return []
    total = Counter(block.type for block, _ in found)
    number: Counter[str] = Counter()
    placed = []
    for block, place in found:
        number[block.type] += 1
        label = f"{block.type} {number[block.type]} of {total[block.type]}"
        placed.append(Placed(block, place, label))
    return placed


def replace(request: Request, new: Callable[[Block], Block | None], nothing: Block) -> Request:
    """Put other blocks in the place of images and documents.

    Args:
        request: what they stand in.
        new: gives the replacement of a block, the block itself, or None to leave it out.
        nothing: what a message says that would otherwise be left without content.

    Returns:
        The request; what did not change is the same object.

    """
    changed = request.map_blocks(lambda block: new(block) if isinstance(block, _MEDIA) else block)
    if all(message.content for message in changed.messages):
        return changed
    messages = [
        each if each.content else each.evolve(content=(nothing,)) for each in changed.messages
    ]
    return changed.evolve(messages=messages)


def source_of(block: Block) -> Source | None:
    """Return the source of a block that is resolved."""
    return block.source if isinstance(block, ImageBlock | DocumentBlock) else None


def url_of(block: Block) -> str | None:
    """Return a block's URL, other than ``data:``, whether it is resolved or not."""
    url = _any_url(block)
    return url if url and not _is_data(url) else None


def data_url_of(block: Block) -> str | None:
    """Return a block's ``data:`` URL; some clients put one where an address belongs."""
    url = _any_url(block)
    return url if url and _is_data(url) else None


def key_of(block: Block) -> Hashable:
    """Return what two blocks have in common that may share their source."""
    document = isinstance(block, Document | DocumentBlock)
    if not isinstance(block, Attachment):
        return document, source_of(block)
    # Files and PIL images have no equality of content: the object itself counts.
    source = id(block.source) if block.kind in {"file", "picture"} else block.source
    return document, block.kind, source, block.file_id, block.strategy, block.media_type


def with_source(block: Block, source: Source) -> Block:
    """Return the block, resolved, with this source; the same object if it has it already."""
    if isinstance(block, Image):
        return ImageBlock(source, cache_control=block.cache_control, extra=block.extra)
    if isinstance(block, Document):
        return DocumentBlock(
            source,
            title=block.title,
            context=block.context,
            citations=block.citations,
            cache_control=block.cache_control,
            extra=block.extra,
        )
    return block if source_of(block) == source else block.evolve(source=source)


def _any_url(block: Block) -> str | None:
    if isinstance(block, Attachment):
        return str(block.source) if block.kind in {"url", "data"} else None
    if isinstance(block, ImageBlock | DocumentBlock) and isinstance(block.source, URLSource):
        return block.source.url
    return None


def _is_data(url: str) -> bool:
    return url[:5].lower() == "data:"
