"""Taking out of an image file what is not its picture, without touching a pixel.

Place, camera, serial numbers, thumbnails, comments, colour profiles (which name the screen of who made a
screenshot) and whatever hangs on behind the end are left out by rewriting the container. What stays of
EXIF is the orientation, which the API applies. Of an animated GIF or PNG only the first frame stays:
the model sees no other.

Each walk keeps a list of what it knows and drops the rest, so that a new kind of metadata needs no new
rule. A file that is cut off stays cut off. Nothing is decoded here, but a walk sees whether it came to the
end that the format has; where it did not, somebody should try to decode the file before it is sent.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from attrs import frozen

from hookline_plugins.images.orientation import minimal_exif, orientation_in

__all__ = ["Stripped", "behind_blocks", "behind_colours", "strip"]


@frozen
class Stripped:
    """A file without metadata.

    Attributes:
        data: the file; the very same object if there was nothing to take out.
        orientation: 1 to 8, as EXIF counts.
        whole: whether the file is put together as its format wants it, from its picture to its end.

    """

    data: bytes
    orientation: int
    whole: bool


def strip(data: bytes, media_type: str) -> Stripped:
    """Leave out of an image file all but its picture and its orientation.

    Args:
        data: the file.
        media_type: what it is: ``image/jpeg``, ``image/png``, ``image/gif`` or ``image/webp``.

    Returns:
        The file without metadata.

    """
    parts, orientation, whole = _WALKS[media_type](memoryview(data))
    new = b"".join(parts)
    return Stripped(data if new == data else new, orientation, whole)


Walked: TypeAlias = tuple[list[bytes | memoryview], int, bool]
Walk: TypeAlias = Callable[[memoryview], Walked]

_EXIF: Final = b"Exif\0\0"
_JFIF_WITHOUT_THUMBNAIL: Final = 16  # bytes of the segment's payload, its length included
# In the coded part FF is followed by 00, a restart marker or more FF; anything else ends it.
_CODED: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_JPEG_KEPT: Final = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xC0, 0xD0)})
_SOS, _EOI, _APP0, _APP1, _ADOBE = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE


def _jpeg(data: memoryview) -> Walked:
    kept: list[bytes | memoryview] = []
    exif: bytes | None = None  # of several, all readers take the first
    at, scanned = 2, False
    while at + 4 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 -- every marker begins with it
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 -- fill bytes may stand before a marker
            at += 1
            continue
        if marker == _EOI:
            break
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        payload = bytes(data[at + 4 : min(end, at + 4 + 64 * 1024)])
        if marker == _APP1 and payload.startswith(_EXIF):
            exif = exif or payload[len(_EXIF) :]
        elif marker == _APP0 and payload.startswith(b"JFIF\0"):
            kept.append(_jfif(data[at:end]))
        elif marker == _SOS:
            after = _CODED.search(data, end)
            end = after.start() if after else len(data)
            kept.append(data[at:end])
            scanned = True
        elif marker in _JPEG_KEPT or (marker == _ADOBE and payload.startswith(b"Adobe")):
            kept.append(data[at:end])
        at = end
    # Where the file ends before its picture does, no end is invented.
    tail = data[at : at + 2] if at + 2 <= len(data) and data[at + 1] == _EOI else b""
    orientation = orientation_in(exif or b"")
    new = _EXIF + minimal_exif(orientation)
    head = b"\xff\xe1" + struct.pack(">H", len(new) + 2) + new if orientation > 1 else b""
    first = kept[:1] if kept and kept[0][1] == _APP0 else []
    parts = [data[:2], *first, head, *kept[len(first) :], tail]
    return parts, orientation, scanned and bool(tail)


def _jfif(segment: memoryview) -> bytes | memoryview:
    """Leave the thumbnail out of a JFIF segment."""
    if len(segment) <= 2 + _JFIF_WITHOUT_THUMBNAIL:
        return segment
    return b"\xff\xe0\0\x10" + bytes(segment[4:16]) + b"\0\0"


_PNG_START: Final = 8
_PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB",
                              b"sBIT"})  # fmt: skip


def _png(data: memoryview) -> Walked:
    parts: list[bytes | memoryview] = [data[:_PNG_START]]
    orientation, at = 1, _PNG_START
    seen: set[bytes] = set()
    sound = True
    while at + 8 <= len(data):
        kind = bytes(data[at + 4 : at + 8])
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"eXIf":
            orientation = orientation_in(bytes(data[at + 8 : end - 4]))
        elif kind in _PNG_KEPT:
            parts.append(data[at:end])
            seen.add(kind)
            sound = sound and data[end - 4 : end] == struct.pack(
                ">I", zlib.crc32(data[at + 4 : end - 4])
            )
        at = end
        if kind == b"IEND":
            break
    if orientation > 1:
        exif = b"eXIf" + minimal_exif(orientation)
        chunk = struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif))
        parts.insert(2, chunk)  # behind the header
    return parts, orientation, sound and {b"IDAT", b"IEND"} <= seen


_WEBP_START: Final = 12
_WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
_WEBP_PICTURES: Final = frozenset({b"VP8 ", b"VP8L", b"ANMF"})
_WEBP_FRAME_HEADER: Final = 16
_ICC_EXIF_XMP, _EXIF_FLAG = 0x20 | 0x08 | 0x04, 0x08


def _webp(data: memoryview) -> Walked:
    # The file says how long it is; what comes behind that is no part of it.
    length = 8 + int.from_bytes(data[4:8], "little")
    orientation = 1
    kinds: set[bytes] = set()
    body: list[bytes | memoryview] = []
    for kind, chunk in _riff(data[:length], _WEBP_START):
        kinds.add(kind)
        if kind == b"EXIF":
            orientation = orientation_in(bytes(chunk[8:]).removeprefix(_EXIF))
        elif kind == b"ANMF":
            body += _frame(chunk)
        elif kind in _WEBP_KEPT:
            body.append(chunk)
    if body and body[0][:4] == b"VP8X":
        flags = body[0][8] & ~_ICC_EXIF_XMP | (_EXIF_FLAG if orientation > 1 else 0)
        body[0] = b"".join((body[0][:8], bytes([flags]), body[0][9:]))
        if orientation > 1:
            exif = minimal_exif(orientation)
            body.append(b"EXIF" + struct.pack("<I", len(exif)) + exif)
    size = struct.pack("<I", 4 + sum(map(len, body)))
    whole = length <= len(data) and not kinds.isdisjoint(_WEBP_PICTURES)
    return [data[:4], size, data[8:12], *body], orientation, whole


def _frame(chunk: memoryview) -> list[bytes | memoryview]:
    """Leave out of one frame of an animation what is no picture."""
    start = 8 + _WEBP_FRAME_HEADER
    inner = [part for kind, part in _riff(chunk, start) if kind in _WEBP_KEPT]
    size = struct.pack("<I", _WEBP_FRAME_HEADER + sum(map(len, inner)))
    return [chunk[:4], size, chunk[8:start], *inner]


def _riff(data: memoryview, at: int) -> Iterator[tuple[bytes, memoryview]]:
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        yield bytes(data[at : at + 4]), data[at:end]
        at = end


_GIF_TABLE: Final = 0x80  # flag: a colour table follows, of 2 to 256 colours
_EXTENSION, _CONTROL, _IMAGE = 0x21, 0xF9, 0x2C


def _gif(data: memoryview) -> Walked:
    at = 13 + behind_colours(data, 10)
    parts: list[bytes | memoryview] = [data[:at]]
    whole = False
    while at + 2 <= len(data):
        if data[at] == _EXTENSION:
            end = behind_blocks(data, at + 2)
            if data[at + 1] == _CONTROL:
                parts.append(data[at:end])
        elif data[at] == _IMAGE:
            end = behind_blocks(data, at + 11 + behind_colours(data, at + 9))
            parts.append(data[at:end])
            if end <= len(data) and data[end - 1] == 0:
                parts.append(b";")
                whole = _within(data[6:10], data[at + 1 : at + 9])
            break
        else:
            break
        at = end
    return parts, 1, whole


def _within(canvas: memoryview, frame: memoryview) -> bool:
    """Tell whether the frame of a GIF lies on its canvas, which is what its header tells of."""
    left, top, width, height = struct.unpack("<4H", frame)
    room = struct.unpack("<2H", canvas)
    return bool(left + width <= room[0] and top + height <= room[1])


def behind_colours(data: memoryview, at: int) -> int:
    """Return the bytes of the colour table that the flags at this place announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & _GIF_TABLE else 0


def behind_blocks(data: memoryview, at: int) -> int:
    """Return the place behind a chain of GIF data blocks that begins here."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


_WALKS: Final[Mapping[str, Walk]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
    "image/gif": _gif,
}
