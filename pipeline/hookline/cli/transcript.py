"""Conversations on disk: a JSON list of messages, as the API takes them."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hookline.errors import DecodeError, InputError
from hookline.values.messages import Message
from hookline.wire.codec import JSONDecodeError, loads, structure_message, unstructure

__all__ = ["load_messages", "save_messages"]


def load_messages(path: str) -> list[Message]:
    """Read a conversation.

    Args:
        path: the file; ``~`` is understood.

    Raises:
        InputError: it cannot be read, or holds something else.

    """
    try:
        data = loads(Path(path).expanduser().read_bytes())
    except (OSError, RuntimeError) as problem:  # RuntimeError: ~ of a user who does not exist
        raise InputError(f"the conversation {path} cannot be read: {_why(problem)}") from problem
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
    temporary: str | None = None
    try:
        target = Path(path).expanduser().resolve()  # through a link, to replace what it points to
        if target.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(handle, "wb") as file:  # noqa: PTH123 -- a handle, not a path
            # What UTF-8 cannot hold, a lone surrogate, is written as the JSON escape it is.
            file.write(text.encode("utf-8", "backslashreplace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except (OSError, RuntimeError) as problem:
        raise InputError(f"the conversation cannot be saved: {path}: {_why(problem)}") from problem
    else:
        temporary = None
        return target
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _why(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)
