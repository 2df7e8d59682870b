"""Reading a local file that a message names, without being led elsewhere and without blocking.

Everything that depends on the operating system stands here. On POSIX a path below a root is opened
component by component, never through a symbolic link, so nothing can be swapped between check and
use. Windows has no such calls: there the real path is compared before and after opening.
"""

import errno
import os
import stat
from collections.abc import Sequence
from typing import Any, Final

from hookline.errors import InputError

__all__ = ["read_file"]

_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a named pipe without a writer would block for ever
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)  # Windows
)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_BY_COMPONENT: Final = os.open in os.supports_dir_fd and bool(_NO_LINK)

_REASONS: Final = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "a part of the path is no directory, or a symbolic link below a root",
    errno.ELOOP: "symbolic links are not followed below the roots",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "it is a directory, not a file",
    errno.ENXIO: "it is not a regular file",
    errno.ENAMETOOLONG: "the name is too long",
}


def read_file(path: Any, *, roots: Sequence[str] | None, most: int) -> bytes:
    """Read a regular file as a whole.

    Args:
        path: what the caller wrote; relative to the working directory, ``~`` not expanded.
        roots: directories below which it must lie; None for anywhere.
        most: the largest size accepted, in bytes.

    Returns:
        Its bytes.

    Raises:
        InputError: it is missing, not a regular file, not readable, outside the roots, empty, too
            large, or changed while it was read.

    """
    try:
        name = os.fsdecode(path)
        descriptor = os.open(name, _READ) if roots is None else _open_below(name, roots)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor has no path to go by
            info = os.fstat(descriptor)
            _check(info, below_root=roots is not None, most=most)
            data = file.read(info.st_size + 1)
    except InputError:  # a ValueError too
        raise
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)
        hint = " (~ is not expanded)" if os.fsdecode(path).startswith("~") else ""
        raise InputError(f"it cannot be read: {reason}{hint}") from error
    except ValueError as error:  # a NUL in the name, or bytes that are no name
        raise InputError("its path holds characters that no file name has") from error
    if len(data) != info.st_size:
        raise InputError("the file changed while it was read; try again")
    return data


def _check(info: os.stat_result, *, below_root: bool, most: int) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise InputError("it is a directory, not a file")
    if not stat.S_ISREG(info.st_mode):
        raise InputError("it is not a regular file")
    if below_root and info.st_nlink > 1:
        # The other name of a hard link may lie outside the roots.
        raise InputError("it has several hard links, which is not allowed below the roots")
    if info.st_size == 0:
        raise InputError("the file is empty")
    if info.st_size > most:
        raise InputError(f"the file has {info.st_size:,} bytes, and {most:,} are allowed")


def _open_below(name: str, roots: Sequence[str]) -> int:
    wanted = os.path.abspath(name)  # noqa: PTH100 -- Path.absolute() keeps the ".."
    for root in roots:
        real = os.path.realpath(root)
        for base in {os.path.abspath(root), real}:  # noqa: PTH100 -- as above
            # With the separator: /data-evil is not below /data.
            prefix = base.rstrip(os.sep) + os.sep
            if wanted.startswith(prefix):
                return _descend(real, wanted[len(prefix) :])
    raise InputError("it does not lie below the directories that `roots` allows")


def _descend(root: str, below: str) -> int:
    """Open ``below`` inside ``root`` without following a link that stands below it."""
    if not _BY_COMPONENT:  # pragma: no cover -- Windows
        path = os.path.join(root, below)  # noqa: PTH118 -- plain strings all through
        if os.path.realpath(path) != path:
            raise InputError("symbolic links are not followed below the roots")
        return os.open(path, _READ)
    *folders, last = below.split(os.sep)  # noqa: PTH206 -- Path would drop what it finds odd
    current = os.open(root, _FOLDER)
    try:
        for folder in folders:
            following = os.open(folder, _FOLDER | _NO_LINK, dir_fd=current)
            os.close(current)
            current = following
        return os.open(last, _READ | _NO_LINK, dir_fd=current)
    finally:
        os.close(current)
