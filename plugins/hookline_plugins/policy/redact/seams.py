"""Values that are split over text blocks: who reads blocks that follow each other reads one text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import Any, TypeAlias

from hookline import Request
from hookline.values import (
    Block,
    ContentSource,
    DocumentBlock,
    SearchResultBlock,
    TextBlock,
    ToolResultBlock,
)
from hookline_plugins.policy.redact.placeholders import Found

__all__ = ["recut", "recut_texts"]

Recogniser: TypeAlias = Callable[[str], tuple[Found, ...]]


def recut(request: Request, find: Recogniser) -> Request:
    """Return a request in which no value is split: its text stands whole in the block where it begins.

    Args:
        request: the request; itself where nothing is split.
        find: says what a text holds.

    """
    contents = [request.system, *[message.content for message in request.messages]]
    if not any(isinstance(content, tuple) for content in contents):
        return request
    changes: dict[str, Any] = {}
    messages = tuple([
        message
        if isinstance(message.content, str)
        else _changed(message, content=_blocks(message.content, find))
        for message in request.messages
    ])  # fmt: skip
    if any(new is not old for new, old in zip(messages, request.messages, strict=True)):
        changes["messages"] = messages
    if isinstance(request.system, tuple):
        system = _blocks(request.system, find)
        if system is not request.system:
            changes["system"] = system
    return request.evolve(**changes) if changes else request


def _changed(value: Any, **fields: Any) -> Any:
    changes = {name: new for name, new in fields.items() if new is not getattr(value, name)}
    return value.evolve(**changes) if changes else value


def _blocks(blocks: tuple[Block, ...], find: Recogniser) -> tuple[Block, ...]:
    done: list[Block] = []
    for kind, run in groupby(blocks, type):
        several = tuple(run)
        if kind is TextBlock:
            done += _texts(several, find)
        else:
            done += [_inside(block, find) for block in several]
    same = len(done) == len(blocks) and all(map(_is, done, blocks))
    return blocks if same else tuple(done)


def _is(one: Block, other: Block) -> bool:
    return one is other


def _inside(block: Any, find: Recogniser) -> Block:
    if isinstance(block, ToolResultBlock | SearchResultBlock) and isinstance(block.content, tuple):
        result: Block = _changed(block, content=_blocks(block.content, find))
        return result
    if isinstance(block, DocumentBlock) and isinstance(block.source, ContentSource):
        source = block.source
        if isinstance(source.content, tuple):
            source = _changed(source, content=_blocks(source.content, find))
        document: Block = _changed(block, source=source)
        return document
    return block  # type: ignore[no-any-return]  # a block, as it came


def _texts(run: Sequence[Any], find: Recogniser) -> Iterable[Block]:
    """Return text blocks that follow each other, cut where no value is."""
    texts = recut_texts([block.text for block in run], find)
    return run if texts is None else _with(run, texts)


def recut_texts(texts: Sequence[str], find: Recogniser) -> list[str] | None:
    """Return texts that follow each other, cut where no value is; None where they are cut well.

    Args:
        texts: they.
        find: says what a text holds.

    """
    if len(texts) < 2:  # noqa: PLR2004 -- nothing to be split over
        return None
    ends = list(accumulate(map(len, texts)))
    whole = "".join(texts)
    moved = list(ends)
    for each in find(whole):
        moved = [each.end if each.start < end < each.end else end for end in moved]
    if moved == ends:
        return None
    return [whole[begin:end] for begin, end in zip([0, *moved], moved, strict=False)]


def _with(run: Sequence[TextBlock], texts: Sequence[str]) -> Iterator[Block]:
    """Yield the blocks with other texts; of one that is empty then only its breakpoint of the cache stays."""
    done: list[TextBlock] = []
    for block, text in zip(run, texts, strict=True):
        if text or not block.text:
            done.append(_changed(block, text=text))
        elif block.cache_control is not None:
            done[-1] = done[-1].evolve(cache_control=block.cache_control)
    yield from done
