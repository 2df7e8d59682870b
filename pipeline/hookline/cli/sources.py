"""What arguments of the command line refer to: pictures, documents, schemas, functions."""

import json
import sys
from collections.abc import Callable, Sequence
from glob import has_magic
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from hookline._files import read_file
from hookline.errors import InputError
from hookline.values.attachments import Attachment, Document, Image
from hookline.values.blocks import Block
from hookline.values.pictures.header import convertible, media_type_of
from hookline.values.pictures.pdf import is_pdf

__all__ = ["attached", "attachments", "function", "pictures", "schema"]

_STDIN: Final = "-"
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_SCHEMA: Final = 8 * 1024 * 1024
_START: Final = 1024  # bytes that tell an image or a PDF


def attachments(images: Sequence[str], documents: Sequence[str]) -> list[Block | str]:
    """Return images and documents as blocks; ``-`` is what stdin holds.

    Raises:
        InputError: stdin holds nothing.

    """
    return [
        *(image for each in images for image in pictures(each)),
        *(Document(_stdin() if each == _STDIN else each) for each in documents),
    ]


def pictures(source: str) -> list[Image]:
    """Return the images that one argument means.

    Args:
        source: a path, a URL, a directory, a pattern such as ``scans/*.jpg``, or ``-`` for stdin.

    Raises:
        InputError: a directory or a pattern without an image, or an empty stdin.

    """
    if source == _STDIN:
        return [Image(_stdin())]
    image = Image(source)
    if image.kind != "path":
        return [image]
    if not source:  # which is a path to whoever asks the system: the folder where one stands
        return [image]
    path = Path(source).expanduser()
    try:
        several = path.is_dir() or (has_magic(source) and not path.exists())
    except (OSError, ValueError):  # whoever reads it says what is wrong with it
        several = False
    return Image.all(path) if several else [Image(path)]


def attached(source: str) -> Sequence[Attachment]:
    """Return the images and documents that one argument means; its first bytes say which, and of what type.

    Args:
        source: as for `pictures`; also a PDF or a text.

    Raises:
        InputError: a directory or a pattern without an image, or an empty stdin.

    """
    images = pictures(source)
    return [_seen(image) for image in images]


def _seen(image: Image) -> Attachment:
    """Return the same source as a document, if it is one."""
    if image.kind == "bytes":
        start: bytes = image.source[:_START]
    elif image.kind == "path":
        try:
            start = read_file(image.source, most=_MOST_BYTES)[:_START]
        except InputError:  # whoever sends it says what is wrong with it
            return image
    else:
        ends_as_pdf = str(image.source).partition("?")[0].lower().endswith(".pdf")
        return Document(image.source) if ends_as_pdf else image
    found = media_type_of(start) or convertible(start)
    if found is not None:
        return evolve(image, media_type=found)
    media_type = "application/pdf" if is_pdf(start) else "text/plain"
    return Document(image.source, media_type=media_type) if start else image


def schema(path: str) -> dict[str, Any]:
    """Read a JSON schema from a file.

    Raises:
        InputError: it cannot be read, or is no JSON object.

    """
    try:
        read = json.loads(_of_schema(path))
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"the schema {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the schema {path} is not JSON: {error}") from error
    if not isinstance(read, dict):
        raise InputError(f"the schema {path} must be a JSON object")
    return read


def _of_schema(path: str) -> bytes:
    with Path(path).expanduser().open("rb") as file:  # a pipe too: --schema <(generate)
        data = file.read(_MOST_SCHEMA + 1)
    if len(data) > _MOST_SCHEMA:
        raise ValueError(f"it has more than {_MOST_SCHEMA:,} bytes")
    return data


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
        stem = module.removesuffix(".py")
        hint = f"; for a file in this folder write --tool {stem}:{name}" if stem != module else ""
        raise InputError(
            f"--tool {reference}: the module cannot be imported: {type(error).__name__}: {error}{hint}"
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
