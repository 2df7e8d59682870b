"""Conversations on disk: what ``Conversation.to_json`` writes, or a plain list of messages."""

import json
import os
import tempfile
from pathlib import Path

from hookline.conversation import Conversation
from hookline.errors import InputError
from hookline.pipeline import Pipeline
from hookline.send_options import SendOptions

__all__ = ["load_conversation", "save_conversation"]


def load_conversation(path: str, line: Pipeline, options: SendOptions) -> Conversation:
    """Read a conversation.

    Args:
        path: the file; ``~`` is understood.
        line: the pipeline to go on with.
        options: what shall be other than the file says.

    Raises:
        InputError: it cannot be read, or holds something else.

    """
    try:
        data = Path(path).expanduser().read_bytes()
    except (OSError, RuntimeError, ValueError) as problem:  # ~ of nobody; a null in the name
        raise InputError(f"the conversation {path} cannot be read: {_why(problem)}") from problem
    try:
        return Conversation.from_json(data, line, **options)
    except InputError as problem:
        raise InputError(f"the conversation {path}: {problem}") from problem


def save_conversation(path: str, talk: Conversation) -> Path:
    """Write a conversation: the whole file or nothing, readable by its owner alone.

    Args:
        path: the file; ``~`` is understood, and an old file is replaced.
        talk: the conversation.

    Returns:
        Where it was written.

    Raises:
        InputError: it cannot be written there.

    """
    text = json.dumps(json.loads(talk.to_json()), ensure_ascii=False, indent=2)
    temporary: str | None = None
    try:
        target = Path(path).expanduser().resolve()  # through a link, to replace what it points to
        _check_replaceable(target)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(handle, "wb") as file:  # noqa: PTH123 -- a handle, not a path
            # What UTF-8 cannot hold, a lone surrogate, is written as the JSON escape it is.
            file.write(text.encode("utf-8", "backslashreplace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except (OSError, RuntimeError, ValueError) as problem:
        raise InputError(f"the conversation cannot be saved: {path}: {_why(problem)}") from problem
    else:
        temporary = None
        return target
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _check_replaceable(target: Path) -> None:
    if target.is_dir():
        raise IsADirectoryError(0, "it is a directory")
    if target.exists() and not target.is_file():
        raise OSError(0, "it is a device or a pipe, and only a file can be replaced by another")


def _why(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)
