"""How many pages a PDF has, told from its page tree alone.

A page is not looked at, nothing is drawn and no library is needed: the root of the page tree says how
many there are. In newer files it lies in a compressed stream of objects, which is inflated under a cap.
"""

import re
import zlib
from collections.abc import Iterator
from typing import Final

from hookline.errors import InputError

__all__ = ["is_pdf", "pages_of"]

_START: Final = 1024  # readers accept leading bytes before %PDF-
_MOST_INFLATED: Final = 32 * 1024 * 1024  # bytes, all object streams of a file together
_DICTIONARY_BEFORE_STREAM: Final = 4096
_NODE: Final = re.compile(rb"/Type\s*/Pages(?![A-Za-z0-9])")
_COUNT: Final = re.compile(rb"/Count\s+(\d{1,7})(?!\d|\s+\d+\s+R)")
_PARENT: Final = re.compile(rb"/Parent(?![A-Za-z])")
_BRACKETS: Final = re.compile(rb"<<|>>")
_OBJECT_STREAM: Final = re.compile(rb"/ObjStm(?![A-Za-z])")
_STREAM: Final = re.compile(rb"stream(?:\r\n|\n|\r)")
_MOST_NODES: Final = 100_000


def is_pdf(data: bytes) -> bool:
    """Tell whether a file is a PDF, from its first bytes."""
    return b"%PDF-" in data[:_START]


def pages_of(data: bytes) -> int:
    """Count the pages of a PDF.

    Args:
        data: the file.

    Returns:
        How many the last page tree in the file says there are.

    Raises:
        InputError: no page tree can be found: the file is encrypted, damaged, or no PDF.

    """
    last: int | None = None
    nodes = 0
    for text in (data, *_object_streams(data)):
        for found in _NODE.finditer(text):
            nodes += 1
            if nodes > _MOST_NODES:
                raise InputError("the pages cannot be counted: the PDF has too large a page tree")
            node = _dictionary(text, found.start())
            count = _COUNT.search(node)
            if count is not None and not _PARENT.search(node):
                last = int(count[1])  # what was changed later stands further on
    if last is not None:
        return last
    why = "it is encrypted" if b"/Encrypt" in data else "it has no page tree that can be found"
    raise InputError(f"the pages of the PDF cannot be counted: {why}")


def _object_streams(data: bytes) -> Iterator[bytes]:
    left = _MOST_INFLATED
    for found in _OBJECT_STREAM.finditer(data):
        begin = _STREAM.search(data, found.end(), found.end() + _DICTIONARY_BEFORE_STREAM)
        if begin is None or left <= 0:
            continue
        try:
            text = zlib.decompressobj().decompress(data[begin.end() :], left)
        except zlib.error:  # encrypted, damaged, or another filter: nothing is learnt from it
            continue
        left -= len(text)
        yield text


def _dictionary(text: bytes, at: int) -> bytes:
    """Return the dictionary that holds this place, from its `<<` to its `>>`."""
    depth, end = 0, len(text)
    for bracket in _BRACKETS.finditer(text, at):
        depth += 1 if bracket[0] == b"<<" else -1
        if depth < 0:
            end = bracket.end()
            break
    depth, start = 0, at
    while start > 0:
        opened, closed = text.rfind(b"<<", 0, start), text.rfind(b">>", 0, start)
        start = max(opened, closed, 0)
        depth += 1 if opened > closed else -1
        if depth > 0 or (opened < 0 and closed < 0):
            break
    return text[start:end]
