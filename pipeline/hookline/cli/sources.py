"""What arguments of the command line refer to: pictures, documents, schemas, functions."""

import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from hookline.errors import InputError
from hookline.values.attachments import Document, Image
from hookline.values.blocks import Block

__all__ = ["attachments", "function", "schema"]

_STDIN = "-"


def attachments(images: Sequence[str], documents: Sequence[str]) -> list[Block | str]:
    """Return images and documents as blocks; ``-`` is what stdin holds.

    Raises:
        InputError: stdin holds nothing.

    """
    return [
        *(Image(_stdin() if each == _STDIN else each) for each in images),
        *(Document(_stdin() if each == _STDIN else each) for each in documents),
    ]


def schema(path: str) -> dict[str, Any]:
    """Read a JSON schema from a file.

    Raises:
        InputError: it cannot be read, or is no JSON object.

    """
    try:
        read = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"the schema {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the schema {path} is not JSON: {error}") from error
    if not isinstance(read, dict):
        raise InputError(f"the schema {path} must be a JSON object")
    return read


def function(reference: str) -> Callable[..., Any]:
    """Import a function.

    Args:
        reference: ``MODULE:NAME``; modules in the current directory are found too.

    Raises:
        InputError: there is no such module or function.

    """
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise InputError(f"--tool takes MODULE:NAME, for example weather:forecast, not {reference}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), name, None)
    except (Exception, SystemExit) as error:  # the user's own code
        raise InputError(
            f"--tool {reference}: the module cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise InputError(f"--tool {reference}: module {module!r} has no function {name!r}")
    result: Callable[..., Any] = found
    return result


def _stdin() -> bytes:
    data = b"" if sys.stdin is None or sys.stdin.closed else sys.stdin.buffer.read()
    if not data:
        raise InputError("stdin was to be an image or document, and it is empty")
    return data
