"""A new message, and the messages of a history, as callers write them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hookline.errors import InputError
from hookline.send_options.options import Part, list_of, read_plain
from hookline.values.blocks import Block
from hookline.values.messages import Message

__all__ = ["Input", "as_history", "as_message", "as_part", "new_message"]

Input: TypeAlias = "str | Message | Block | Sequence[Part] | None"
"""A new message: text, a block, an image, or a list of these; None with ``messages=``."""


def new_message(message: Any, images: Any = None, *, optional: bool = False) -> Message | None:
    """Make the message that a caller wants to send.

    Args:
        message: an ``Input``.
        images: what ``images=`` gave; they stand before the text.
        optional: whether there need be none.

    Raises:
        InputError: nothing, empty text, or something that is no part of a message.

    """
    pictures = _pictures(images) if images is not None else []
    if message is None and not pictures:
        if optional:
            return None
        raise InputError("there is nothing to send: give a message, or messages=[…]")
    if isinstance(message, Message):
        return _illustrated(message, pictures)
    if isinstance(message, str) and not pictures:
        if not message.strip():
            raise InputError("the message is empty; the API refuses a message without text")
        return Message("user", message)
    parts = message if isinstance(message, list | tuple) else [message]
    content = [*pictures, *(as_part(part) for part in parts if part is not None)]
    if not content:
        raise InputError("the message is empty; give it text or an image")
    for block in content:
        if isinstance(block, str) and not block.strip():
            raise InputError("the message holds an empty text; the API refuses that")
    return Message("user", tuple(content))


def as_part(part: Any) -> Any:
    """Return one part of a message: text, or a block, which may be written as plain JSON.

    Raises:
        InputError: it is something else.

    """
    if isinstance(part, Mapping):
        from hookline.wire.codec import structure_message  # noqa: PLC0415 -- loads cattrs

        message = {"role": "user", "content": [part]}
        return read_plain("a part of the message", structure_message, message).blocks[0]
    if isinstance(part, str | Block):
        return part
    raise InputError(
        f"a message is made of text, Image, Document and blocks, not {type(part).__name__}; "
        "wrap a picture in Image(…)"
    )


def as_history(given: Any) -> tuple[Message, ...]:
    """Return the messages of ``messages=``.

    Raises:
        InputError: no list, or one that holds something else.

    """
    history = list_of("messages", given, "messages")
    if set(map(type, history)) <= {Message}:  # a long history is made of them, as a rule
        return history
    return tuple(as_message(item, index) for index, item in enumerate(history))


def as_message(item: Any, index: int) -> Message:
    """Return one message of a history, given as a ``Message`` or a dict.

    Args:
        item: the message.
        index: its position, for messages of errors.

    Raises:
        InputError: it is neither.

    """
    if isinstance(item, Message):
        return item
    if not isinstance(item, Mapping):
        raise InputError(
            f"messages[{index}] must be a Message or a dict with role and content, "
            f"not {type(item).__name__}"
        )
    from hookline.wire.codec import structure_message  # noqa: PLC0415 -- loads cattrs

    return read_plain(f"messages[{index}]", structure_message, dict(item))


def _pictures(images: Any) -> list[Block]:
    from hookline.values.attachments import Image  # noqa: PLC0415 -- only where there are images

    given = list_of("images", images, "pictures")
    return [item if isinstance(item, Block) else Image(item) for item in given]


def _illustrated(message: Message, pictures: list[Block]) -> Message:
    return message.evolve(content=(*pictures, *message.blocks)) if pictures else message
