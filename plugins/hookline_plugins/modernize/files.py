"""Files with requests in them: JSON and lines of JSON, found in folders, read with positions and written whole."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from hookline import InputError
from hookline.plugin import read_file, write_file
from hookline.wire import JSONDecodeError, loads_unique

__all__ = ["Entry", "Text", "entries", "found_in", "modern_name", "read", "save", "written"]

JSON_FILES: Final = (".json",)
LINE_FILES: Final = (".jsonl", ".ndjson")
SCRIPTS: Final = (".py",)
_MOST: Final = 256 * 1024 * 1024  # bytes, as many as a batch may have
_OURS: Final = ".modern"
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})
# A word at the end of which a request may stand in an object: an item of a batch, a line of a log.
_WRAPPERS: Final = ("params", "body", "request")
_POSITION: Final = re.compile(r"line (\d+)")


@frozen
class Text:
    """What a file holds.

    Attributes:
        path: the file; ``-`` for the standard input.
        data: all of it.

    """

    path: str
    data: bytes


@frozen
class Entry:
    """One request in a file.

    Attributes:
        line: its line in a file of lines; 0 in a file that is one document.
        keys: the way to it from the top of the document: ``("requests", 0, "params")``.
        body: the request.

    """

    line: int
    keys: tuple[str | int, ...]
    body: Mapping[str, Any]

    def at(self, where: str) -> str:
        """Return a place in the request as a place in the document."""
        return ".".join(map(str, (*self.keys, where)))


def found_in(path: str) -> Iterator[Path]:
    """Yield the files that a path means: itself, or all below a folder that may hold requests.

    Hidden folders, environments, and files that this command has written are left out.

    Raises:
        InputError: there is nothing.

    """
    start = Path(path)
    if not os.path.isdir(start):  # noqa: PTH112 -- Path.is_dir() raises where a name is too long
        if not os.path.exists(start):  # noqa: PTH110 -- as above
            raise InputError(f"{path}: no such file or directory")
        yield start
        return
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(
            each for each in folders if each not in _SKIPPED and not each.startswith(".")
        )
        for name in sorted(names):
            each = Path(folder, name)
            ours = Path(each.stem).suffix == _OURS
            if each.suffix in (*JSON_FILES, *LINE_FILES, *SCRIPTS) and not ours:
                yield each


def read(path: Path) -> Text:
    """Read a file as a whole.

    Raises:
        InputError: it cannot be read.

    """
    try:
        return Text(str(path), read_file(path, most=_MOST, empty=True))
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from problem


def is_lines(text: Text) -> bool:
    """Say whether a file holds a document on each line; by its name, or else by its beginning."""
    suffix = Path(text.path).suffix
    if suffix in (*JSON_FILES, *LINE_FILES):
        return suffix in LINE_FILES
    first, _, rest = text.data.strip().partition(b"\n")
    return bool(rest.strip()) and _is_json(first)


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(loads_unique(data), dict)
    except JSONDecodeError:
        return False


def documents(text: Text) -> Iterator[tuple[int, Any]]:
    """Yield each document of a file and its line, 0 where the file is one document.

    Raises:
        InputError: it is not JSON; the text says where.

    """
    pieces = enumerate(text.data.split(b"\n"), 1) if is_lines(text) else [(0, text.data)]
    for line, piece in pieces:
        if line and not piece.strip():
            continue
        try:
            yield line, loads_unique(piece.removeprefix(b"\xef\xbb\xbf"))
        except (JSONDecodeError, RecursionError) as problem:
            at = _POSITION.search(str(problem))
            place = line or (int(at[1]) if at else 1)
            raise InputError(f"{text.path}:{place}: not JSON: {problem}") from problem


def requests_in(value: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield the requests in a document, each with the way to it."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from requests_in(item, (*keys, index))
    elif isinstance(value, dict):
        if is_request(value):
            yield keys, value
        elif isinstance(value.get("requests"), list):
            yield from requests_in(value["requests"], (*keys, "requests"))
        else:
            inside = next((name for name in _WRAPPERS if isinstance(value.get(name), dict)), None)
            if inside is not None:
                yield from requests_in(value[inside], (*keys, inside))


def is_request(value: Mapping[str, Any]) -> bool:
    """Say whether an object has the shape of a request, of this API or of the one before."""
    spoken = isinstance(value.get("messages"), list) or isinstance(value.get("prompt"), str)
    return isinstance(value.get("model"), str) and spoken


def entries(text: Text) -> list[Entry]:
    """Return the requests of a file.

    Raises:
        InputError: it is not JSON.

    """
    return [
        Entry(line, keys, body)
        for line, value in documents(text)
        for keys, body in requests_in(value)
    ]


def written(text: Text, changed: Sequence[tuple[Entry, Mapping[str, Any]]]) -> bytes:
    """Return a file with other requests in the place of some; lines without any stay as they are.

    Args:
        text: the file.
        changed: requests of it, and what stands there now.

    """
    if not is_lines(text):
        (_, value), *_ = documents(text)
        for entry, body in changed:
            value = _put(value, entry.keys, body)
        return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
    lines = text.data.split(b"\n")
    for entry, body in changed:
        value = _put(loads_unique(lines[entry.line - 1]), entry.keys, body)
        ending = b"\r" if lines[entry.line - 1].endswith(b"\r") else b""
        lines[entry.line - 1] = json.dumps(value, ensure_ascii=False).encode() + ending
    return b"\n".join(lines)


def _put(value: Any, keys: tuple[str | int, ...], body: Any) -> Any:
    if not keys:
        return body
    first, *rest = keys
    value[first] = _put(value[first], tuple(rest), body)
    return value


def modern_name(path: str) -> Path:
    """Return the name of the file that is written beside another one: ``NAME.modern.json``."""
    given = Path(path)
    return given.with_name(f"{given.stem}{_OURS}{given.suffix}")


def save(path: Path, data: bytes, like: str) -> None:
    """Write a file whole, with the rights of the one that it was made from.

    Raises:
        InputError: it cannot be written.

    """
    mode = Path(like).stat().st_mode
    try:
        write_file(path, data).chmod(mode & 0o777)
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from problem
