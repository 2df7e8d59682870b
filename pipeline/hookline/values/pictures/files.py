"""The image files that a directory or a pattern means."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from hookline.errors import InputError

__all__ = ["image_files"]

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)
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
                if path.suffix.lower() in _SUFFIXES
                and not path.name.startswith(".")
                and not path.is_dir()
            )
        elif os.path.lexists(name):  # a file whose name looks like a pattern is meant itself
            paths = [name]
        else:
            found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 -- as above
            paths = [path for path in found if not os.path.isdir(path)]  # noqa: PTH112 -- as above
    except (OSError, ValueError) as error:
        raise InputError(f"{name!r} cannot be searched: {error}") from error
    if not paths and _ADDRESS.match(name):
        raise InputError("an address means one image: Image(…); several stand in a list")
    if not paths:
        raise InputError(f"{name!r} means no image file: there is no such file or directory")
    return paths
