"""Conversations on disk: what ``Conversation.to_json`` writes, or a plain list of messages."""

import json
from pathlib import Path
from typing import Final

from hookline._files import read_file, write_file
from hookline.conversation import Conversation
from hookline.errors import InputError
from hookline.pipeline import Pipeline
from hookline.send_options import SendOptions

__all__ = ["load_conversation", "save_conversation"]

_MOST_BYTES: Final = 256 * 1024 * 1024


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
        data = read_file(_expanded(path), most=_MOST_BYTES, empty=True)
    except InputError as problem:
        raise InputError(f"the conversation {path}: {problem}") from problem
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
    # What UTF-8 cannot hold, a lone surrogate, is written as the JSON escape it is.
    content = text.encode("utf-8", "backslashreplace") + b"\n"
    try:
        return write_file(_expanded(path), content)
    except InputError as problem:
        raise InputError(f"the conversation cannot be saved: {path}: {problem}") from problem


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError) as error:  # ~ of a user who does not exist; a null
        raise InputError(str(error)) from error
