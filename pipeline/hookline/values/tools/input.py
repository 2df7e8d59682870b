"""The input of a tool call, which is an object, whatever a server or a model wrote in its place."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hookline.values.blocks import INVALID_JSON

__all__ = ["tool_input"]

_MOST_ENCODINGS: Final = 2  # a stream's text, of a JSON text


def tool_input(value: Any) -> Mapping[str, Any]:
    """Return the object that stands for the input of a tool call.

    Null, or nothing at all, is the input of a tool without parameters; a text is JSON that has been
    encoded twice, as some servers do. What is no object even then cannot be run, but it is kept: a
    call that vanished would never be answered.

    Args:
        value: what came: a JSON value, or the text of one.

    Returns:
        The object, or ``{"INVALID_JSON": raw}``.

    """
    read = None if isinstance(value, str) and not value.strip() else value
    try:
        for _ in range(_MOST_ENCODINGS):
            read = _parsed(read) if isinstance(read, str) else read
    except (ValueError, RecursionError):
        return {INVALID_JSON: value}
    if read is None or isinstance(read, dict):
        return read or {}
    return {INVALID_JSON: value if isinstance(value, str) else json.dumps(value)}


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refused, object_pairs_hook=_unique)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands there twice, and readers differ in which they take")
    return made
