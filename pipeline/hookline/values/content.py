"""What content is: the base of all blocks, plain text, and the conversion of what people write."""

from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import field, frozen

from hookline.values.citations import Citation
from hookline.values.frozen import Model, checked, frozen_tuple

__all__ = ["Block", "CacheControl", "TextBlock", "as_blocks", "as_content"]


@frozen(eq=False, repr=False, field_transformer=checked)
class Block(Model):
    """Base of all content blocks.

    Attributes:
        type: the kind of block on the wire.
        resolved: False for attachments that a plugin must still turn into what the API accepts.

    """

    type: ClassVar[str]
    resolved: ClassVar[bool] = True


@frozen(eq=False, repr=False, field_transformer=checked)
class CacheControl(Model):
    """A prompt cache breakpoint; ``ttl`` is ``"5m"`` (the API's default) or ``"1h"``."""

    ttl: str | None = None
    type: str = "ephemeral"


def as_blocks(items: "Sequence[Block | str]") -> Any:
    """Convert a list of blocks and strings to a tuple of blocks.

    Args:
        items: a list or tuple; strings in it become text blocks.

    Returns:
        A tuple, or ``items`` itself if it is no sequence of that kind: the validator judges it.

    """
    if isinstance(items, list | tuple):
        return tuple([TextBlock(item) if isinstance(item, str) else item for item in items])
    return items


def as_content(value: "str | Block | Sequence[Block | str] | None") -> Any:
    """Convert what a person may write as content to what a model keeps.

    Args:
        value: a string, one block, or a list of blocks and strings.

    Returns:
        The string itself, or a tuple of blocks.

    """
    if isinstance(value, Block):
        return (value,)
    return as_blocks(value) if isinstance(value, list | tuple) else value


def _citations(items: Sequence[Citation] | None) -> Any:
    return frozen_tuple(items)


@frozen(eq=False, repr=False, field_transformer=checked)
class TextBlock(Block):
    """Text. ``citations`` are on blocks of a reply."""

    type: ClassVar[str] = "text"
    text: str
    citations: tuple[Citation, ...] | None = field(default=None, converter=_citations)
    cache_control: CacheControl | None = None
