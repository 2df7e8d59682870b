"""What can be read in a file: all of a text, and of anything else the words that stand in it as they are."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from hashlib import blake2b
from threading import Lock
from typing import Final

__all__ = ["text_of_base64", "text_of_bytes"]

_LARGE: Final = 64 * 1024  # characters of base64; what was read in as much or more is remembered
_MOST_KEPT: Final = 64
_LONGEST_KEPT: Final = 512 * 1024  # characters
# Compressed streams hold such runs by chance as well, few of them, and no words.
_READABLE: Final = re.compile(rb"[\x20-\x7e\t\r\n]{4,}")
_KEPT: Final[dict[bytes, str]] = {}
_TURN: Final = Lock()


def text_of_base64(data: str) -> str:
    """Return what can be read in a file that goes along in base64; the data itself where it is none.

    Args:
        data: base64.

    """
    if len(data) < _LARGE:
        return _read(data)
    digest = blake2b(data.encode("utf-8", "replace"), digest_size=20).digest()
    known = _KEPT.get(digest)
    if known is None:
        known = _read(data)
        if len(known) <= _LONGEST_KEPT:
            with _TURN:
                if len(_KEPT) >= _MOST_KEPT:
                    _KEPT.clear()
                _KEPT[digest] = known
    return known


def text_of_bytes(data: bytes) -> str:
    """Return what can be read in a file.

    Args:
        data: its bytes.

    """
    try:
        if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return b"\n".join(_READABLE.findall(data)).decode("ascii")


def _read(data: str) -> str:
    try:
        return text_of_bytes(b64decode(data))
    except (Base64Error, ValueError):
        return data
