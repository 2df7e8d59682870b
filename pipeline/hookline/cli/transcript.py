"""Conversations on disk: a JSON list of messages, as the API takes them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hookline._files import read_file, write_file
from hookline.errors import DecodeError, InputError
from hookline.values.messages import Message
from hookline.wire.codec import JSONDecodeError, loads, structure_message, unstructure

__all__ = ["load_messages", "save_messages"]

_MOST_BYTES: Final = 256 * 1024 * 1024


def load_messages(path: str) -> list[Message]:
    """Read a conversation.

    Args:
        path: the file; ``~`` is understood.

    Raises:
        InputError: it cannot be read, or holds something else.

    """
    try:
        data = loads(read_file(_expanded(path), most=_MOST_BYTES, empty=True))
    except InputError as problem:
        raise InputError(f"the conversation {path} cannot be read: {problem}") from problem
    except JSONDecodeError as problem:
        raise InputError(f"the conversation {path} is not JSON: {problem}") from problem
    if not isinstance(data, list):
        raise InputError(f"the conversation {path} must be a JSON list of messages")
    messages = []
    for index, item in enumerate(data):
        try:
            messages.append(structure_message(item))
        except DecodeError as problem:
            raise InputError(f"the conversation {path}: messages[{index}]: {problem}") from problem
    return messages


def save_messages(path: str, messages: Sequence[Message]) -> Path:
    """Write a conversation: the whole file or nothing, readable by its owner alone.

    Args:
        path: the file; ``~`` is understood, and an old file is replaced.
        messages: the conversation.

    Returns:
        Where it was written.

    Raises:
        InputError: it cannot be written there.

    """
    text = json.dumps([unstructure(each) for each in messages], ensure_ascii=False, indent=2)
    # What UTF-8 cannot hold, a lone surrogate, is written as the JSON escape it is.
    content = text.encode("utf-8", "backslashreplace") + b"\n"
    try:
        return write_file(_expanded(path), content)
    except InputError as problem:
        raise InputError(f"the conversation cannot be saved: {path}: {problem}") from problem


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # ~ of a user who does not exist
        raise InputError(str(error)) from error
