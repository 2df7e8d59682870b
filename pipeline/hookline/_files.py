"""The one door for local files, as ``_fetch`` is the one for URLs: read bounded, written whole and private.

What is read is a regular file of bounded size, opened without blocking: no pipe, no device, nothing of
``/proc``. Below ``roots`` no link is followed. What is written appears at once or not at all, readable by
its owner alone, and never takes the place of anything but a regular file.

Everything that depends on the operating system stands here. On POSIX a path below a root is opened
component by component, never through a symbolic link, so nothing can be swapped between check and
use. Windows has no such calls: there the real path is compared before and after opening.
"""

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from hookline.errors import InputError

__all__ = ["cache_folder", "read_file", "secure_file", "state_folder", "write_file"]

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
_CHUNK: Final = 4 * 1024 * 1024  # bytes between two looks at the clock
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_file(
    path: Any,
    *,
    most: int,
    roots: Sequence[str] | None = None,
    empty: bool = False,
    check: Callable[[], None] | None = None,
) -> bytes:
    """Read a regular file as a whole.

    Args:
        path: what the caller wrote; relative to the working directory, ``~`` not expanded.
        most: the largest size accepted, in bytes.
        roots: directories below which it must lie; None for anywhere.
        empty: whether a file without content is one.
        check: called between pieces of a few megabytes; raises when there is no time left.

    Returns:
        Its bytes.

    Raises:
        InputError: it is missing, not a regular file, not readable, outside the roots, empty, too
            large, or changed while it was read.

    """
    with _explained("read", path):
        name = os.fsdecode(path)
        descriptor = os.open(name, _READ) if roots is None else _open_below(name, roots)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor has no path to go by
            info = os.fstat(descriptor)
            _check_regular(info)
            if roots is not None and info.st_nlink > 1:
                # The other name of a hard link may lie outside the roots.
                raise InputError("it has several hard links, which is not allowed below the roots")
            if info.st_size == 0 and not empty:
                raise InputError("the file is empty")
            if info.st_size > most:
                raise InputError(f"the file has {info.st_size:,} bytes, and {most:,} are allowed")
            data = bytearray()
            # One byte more than there should be: a file that grows is noticed, one of /proc too,
            # which says that it is empty.
            while piece := file.read(min(_CHUNK, info.st_size + 1 - len(data))):
                data += piece
                if check is not None:
                    check()
    if len(data) != info.st_size:
        raise InputError("the file changed while it was read; try again")
    return bytes(data)


def write_file(path: Any, content: bytes) -> Path:
    """Write a file as a whole, in the place of an older one, readable by its owner alone.

    Args:
        path: where; through a symbolic link, to replace what it points to.
        content: all of it.

    Returns:
        The real path that was written.

    Raises:
        InputError: it cannot be written, or what stands there is no regular file; an older file is
            as it was.

    """
    temporary = None
    with _explained("written", path):
        target = Path(os.path.realpath(os.fsdecode(path)))
        with suppress(FileNotFoundError):
            _check_regular(target.stat())
        try:
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:64]}.")
            with open(handle, "wb") as file:  # noqa: PTH123 -- a handle, not a path
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
            temporary = None
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
    return target


def cache_folder() -> Path:
    """Return where programs keep what can be made again: a folder of the user's, for Hookline alone."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "hookline"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/hookline"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hookline"


def state_folder() -> Path:
    """Return where programs keep what they remember between two runs: a folder of the user's, for Hookline alone."""
    if own := os.environ.get("XDG_STATE_HOME"):
        return Path(own) / "hookline"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "hookline"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/hookline"
    return Path.home() / ".local/state/hookline"


def secure_file(path: Any) -> None:
    """Make sure that a file exists and that only its owner may read it, before others open it by name.

    Args:
        path: the file; it is made, empty, if there is none.

    Raises:
        InputError: it is no regular file, or its rights are too wide and cannot be narrowed; the
            text begins with the path, since whoever opens a store seldom knows where it lies.

    """
    try:
        with _explained("used", path):
            name = os.fsdecode(path)
            descriptor = os.open(name, _READ | os.O_CREAT, 0o600)
            try:
                info = os.fstat(descriptor)
                _check_regular(info)
                if info.st_mode & _OTHERS and os.name == "posix":
                    os.fchmod(descriptor, stat.S_IMODE(info.st_mode) & ~_OTHERS)
            finally:
                os.close(descriptor)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


@contextmanager
def _explained(done: str, path: Any) -> Iterator[None]:
    """Turn what the operating system says into words for a person."""
    try:
        yield
    except InputError:  # a ValueError too
        raise
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)
        if error.errno == errno.ENOENT and done != "read":
            reason = "its directory does not exist"
        hint = " (~ is not expanded)" if os.fsdecode(path).startswith("~") else ""
        raise InputError(f"it cannot be {done}: {reason}{hint}") from error
    except ValueError as error:  # a NUL in the name, or bytes that are no name
        raise InputError("its path holds characters that no file name has") from error


def _check_regular(info: os.stat_result) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise InputError("it is a directory, not a file")
    if not stat.S_ISREG(info.st_mode):
        raise InputError("it is not a regular file")


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
    if not _BY_COMPONENT:  # pragma: no cover -- Windows opens nothing relative to a folder
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
