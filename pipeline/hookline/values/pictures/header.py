"""What a file is, told from its own first bytes: names and declared types prove nothing.

Only headers are read here, nothing is decoded, and Pillow is not needed.
"""

import binascii
from typing import Final

from attrs import frozen

from hookline.errors import InputError

__all__ = [
    "Header",
    "Truncated",
    "convertible",
    "looks_like",
    "media_type_of",
    "read_base64_header",
    "read_header",
]

# First bytes of the formats the Messages API takes (facts 5.1), and what stands at offset 8.
_SIGNATURES: Final = (
    ("image/jpeg", b"\xff\xd8\xff", b""),
    ("image/png", b"\x89PNG\r\n\x1a\n", b""),
    ("image/gif", b"GIF87a", b""),
    ("image/gif", b"GIF89a", b""),
    ("image/webp", b"RIFF", b"WEBP"),  # with the file's length between the two
)


# What people hand over by mistake, to be named in the error: (offset, bytes, name).
_OTHERS: Final = (
    (0, b"%PDF-", "a PDF: use Document for it"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<!doctype html", "an HTML page"),
    (0, b"<html", "an HTML page"),
    (0, b"<?xml", "XML, perhaps an SVG drawing"),
    (0, b"<", "an HTML or XML page"),
    (0, b"{", "JSON"),
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"BM", "a BMP image"),
    (0, b"\0\0\1\0", "an ICO image"),
    (0, b"8BPS", "a Photoshop file"),
    (4, b"ftypavi", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC or AVIF image"),
    (4, b"ftyp", "a video"),
    (0, b"\0\0\0\x0cjP", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL", "a JPEG XL image"),
    (0, b"SIMPLE  =", "a FITS image"),
    (0, b"%!", "PostScript"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer and not the file itself"),
)

# What the API does not take and Pillow can turn into what it takes: (offset, bytes, media type).
_CONVERTIBLE: Final = (
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypavis", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftyphev", "image/heic"),
    (4, b"ftypmif1", "image/heic"),  # the container's general name; AVIF files lead with their own
)

# Start-of-frame markers of JPEG: C0 to CF without the tables and the reserved one in that range.
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_JPEG_END_OF_HEADER: Final = frozenset({0xD9, 0xDA})


class Truncated(InputError):
    """The file ends, or was cut, before its header does."""

    def __init__(self) -> None:
        super().__init__("the image is cut off or damaged: it ends inside its header")


@frozen
class Header:
    """What an image's header says.

    Attributes:
        media_type: one of the four that the API takes.
        width: pixels.
        height: pixels.

    """

    media_type: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width times height: what decoding would cost."""
        return self.width * self.height

    @property
    def longest(self) -> int:
        """The longer side, in pixels."""
        return max(self.width, self.height)


def media_type_of(data: bytes) -> str | None:
    """Tell an image's media type from its first bytes.

    Args:
        data: the file, or at least its first 12 bytes.

    Returns:
        ``image/jpeg``, ``image/png``, ``image/gif``, ``image/webp``, or None for anything else.

    Example:
        >>> media_type_of(b"GIF89a…")
        'image/gif'

    """
    for media_type, start, at_eight in _SIGNATURES:
        if data.startswith(start) and data[8:12].startswith(at_eight):
            return media_type
    return None


def read_header(data: bytes) -> Header:
    """Read format and size of an image.

    Args:
        data: the file, or as much of it as holds the header.

    Returns:
        Media type and size.

    Raises:
        Truncated: the data ends inside the header.
        InputError: it is no JPEG, PNG, GIF or WebP, or claims a side of 0 pixels.

    """
    media_type = media_type_of(data)
    if media_type is None:
        raise InputError(
            f"not an image the API accepts (JPEG, PNG, GIF, WebP): it looks like {looks_like(data)}"
        )
    width, height = _SIZES[media_type](data)
    if not width or not height:
        raise InputError(f"the image is damaged: its header says {width}x{height} pixels")
    return Header(media_type, width, height)


_BASE64_STEPS: Final = (4096, 262_144)  # characters; a JPEG may carry 64 kB of EXIF first


def read_base64_header(data: str) -> Header:
    """Read format and size of an image in base64, without decoding all of it.

    Args:
        data: base64, perhaps with line breaks.

    Returns:
        Media type and size.

    Raises:
        Truncated: the data ends inside the header.
        InputError: it is no image the API takes, or no base64.

    """
    for characters in (*_BASE64_STEPS, len(data)):
        whole = characters >= len(data)
        try:
            start = binascii.a2b_base64(data[:characters])
        except ValueError as error:
            if whole:
                raise InputError(f"the data is not base64: {error}") from error
            continue  # the cut fell among line breaks; more of it may be right
        try:
            return read_header(start)
        except Truncated:
            if whole:
                raise
    raise Truncated


def convertible(data: bytes) -> str | None:
    """Tell a format that the API does not take, but that can be turned into one that it takes.

    Args:
        data: the file, or at least its first 12 bytes.

    Returns:
        ``image/tiff``, ``image/avif`` or ``image/heic``; None for anything else.

    """
    for offset, signature, media_type in _CONVERTIBLE:
        if data.startswith(signature, offset):
            return media_type
    return None


def looks_like(data: bytes) -> str:
    """Name the format of something that is no image the API takes.

    Args:
        data: the first bytes.

    Returns:
        Words for an error text.

    """
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    for offset, signature, name in _OTHERS:
        if start[offset : offset + len(signature)].lower() == signature.lower():
            return name
    media_type = media_type_of(data)
    if media_type is not None:
        return f"{media_type}: use Image for it"
    if not start:
        return "nothing: it is empty"
    readable = start.isascii() and start.translate(None, b"\t\r\n").decode("ascii").isprintable()
    return "plain text" if readable else "something unknown"


def _number(data: bytes, offset: int, length: int, order: str = "big") -> int:
    piece = data[offset : offset + length]
    if len(piece) < length:
        raise Truncated
    return int.from_bytes(piece, "little" if order == "little" else "big")


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise Truncated
    return _number(data, 16, 4), _number(data, 20, 4)


def _gif(data: bytes) -> tuple[int, int]:
    return _number(data, 6, 2, "little"), _number(data, 8, 2, "little")


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":  # extended: the canvas
        return _number(data, 24, 3, "little") + 1, _number(data, 27, 3, "little") + 1
    if kind == b"VP8L":  # lossless: 14 bits each, after a signature byte
        bits = _number(data, 21, 4, "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":  # lossy: the upper two bits are a scaling hint
        return _number(data, 26, 2, "little") & 0x3FFF, _number(data, 28, 2, "little") & 0x3FFF
    raise Truncated


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if _number(data, at, 1) != 0xFF:  # noqa: PLR2004 -- every JPEG marker begins with it
            raise Truncated
        marker = _number(data, at + 1, 1)
        if marker == 0xFF:  # noqa: PLR2004 -- fill bytes may stand before a marker
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        elif marker in _JPEG_END_OF_HEADER:
            raise Truncated
        elif marker in _JPEG_FRAMES:
            return _number(data, at + 7, 2), _number(data, at + 5, 2)
        else:
            # A length below 2 would be a lie that lets the scan stand still.
            at += 2 + max(2, _number(data, at + 2, 2))


_SIZES: Final = {"image/png": _png, "image/gif": _gif, "image/webp": _webp, "image/jpeg": _jpeg}
