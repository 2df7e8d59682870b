"""The image files that a directory or a pattern means."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from hookline.errors import InputError

__all__ = ["image_files"]

_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".heif", ".avif",
                              ".tif", ".tiff"})  # fmt: skip


def image_files(source: Any) -> Iterable[Any]:
    """Return the sources that are meant, without reading one.

    Args:
        source: a directory (its image files, by their names; hidden ones are left out), a pattern
            (``*``, ``?``, ``[…]``, and ``**`` for directories of any depth), or an iterable of
            what an ``Image`` takes.

    Returns:
        Paths in the order of their names, or what the iterable gives.

    Raises:
        InputError: nothing is meant.

    """
    if isinstance(source, bytes | bytearray | memoryview) or hasattr(source, "read"):
        raise InputError(
            "this is one image: Image(…); Image.all takes a directory, a pattern or several"
        )
    if not isinstance(source, str | os.PathLike):
        try:
            return list(source)
        except TypeError as error:
            raise InputError(
                f"Image.all takes a directory, a pattern or an iterable, not {type(source).__name__}"
            ) from error
    name = os.fspath(source)
    try:
        if os.path.isdir(name):  # noqa: PTH112 -- plain strings, as the caller wrote them
            paths = sorted(
                str(path)
                for path in Path(name).iterdir()
                if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
            )
        else:
            # A file whose name looks like a pattern is meant itself.
            exists = os.path.lexists(name)
            paths = [name] if exists else sorted(glob.glob(name, recursive=True))  # noqa: PTH207 -- as above
    except (OSError, ValueError) as error:
        raise InputError(f"{name!r} cannot be searched: {error}") from error
    if not paths:
        raise InputError(f"{name!r} means no image file: there is no such file or directory")
    return paths
