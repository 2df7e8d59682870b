"""From what the caller handed over to a source that the API accepts.

Three steps: get the bytes (path, URL, ``data:``, file, memory), let them say what they are, make
them fit. Whatever fails says which attachment it was.
"""

import binascii
import re
from base64 import b64encode
from typing import Any, Final

from hookline.errors import InputError
from hookline.values import Base64Source, Source, TextSource, URLSource
from hookline_plugins.images.shrink import Limits, encode, shrink
from hookline_plugins.images.sniff import Truncated, looks_like, read_header

__all__ = [
    "decode_data_url",
    "document_source",
    "image_source",
    "longest_side",
    "mended",
    "passed_on",
    "picture_source",
    "read_stream",
]

_DATA_URL: Final = re.compile(
    r"data:(?P<type>[a-z0-9.+-]+/[a-z0-9.+-]+)?(?:;[a-z0-9-]+=[a-z0-9.+_-]+)*;base64", re.IGNORECASE
)
# Nothing is learnt from a vague type; everything else must at least be a plausible one.
_PLAUSIBLE: Final = re.compile(
    r"image/.+|application/(?:pdf|octet-stream|x-pdf)|text/plain|binary/.+", re.IGNORECASE
)
_PREFIX: Final = 256  # a data: prefix is shorter
_PDF_WITHIN: Final = 1024  # readers accept leading bytes before %PDF-
_HEADER_STEPS: Final = (4096, 262_144)  # base64 characters; a JPEG may carry 64 kB of EXIF first


def decode_data_url(url: str, *, most: int) -> bytes:
    """Decode a ``data:`` URL.

    Args:
        url: ``data:image/png;base64,…``.
        most: the largest result accepted, in bytes.

    Returns:
        The bytes.

    Raises:
        InputError: it is not base64, names a type that cannot be meant, or is too large.

    """
    head, comma, body = url.partition(",")
    match = _DATA_URL.fullmatch(head) if comma and len(head) <= _PREFIX else None
    if match is None:
        raise InputError(
            "a data: URL must read data:image/…;base64,… (other encodings are not read)"
        )
    if match["type"] and not _PLAUSIBLE.fullmatch(match["type"]):
        raise InputError(f"a data: URL of type {match['type']} is no image or document")
    return decode_base64(body, most=most)


def decode_base64(text: str, *, most: int) -> bytes:
    """Decode base64 strictly: the one alphabet, full padding, no white space.

    Args:
        text: base64.
        most: the largest result accepted, in bytes; judged before anything is decoded.

    Returns:
        The bytes.

    Raises:
        InputError: it is not base64, empty, or too large.

    """
    if len(text) > (most + 2) // 3 * 4:
        raise InputError(f"it has about {len(text) * 3 // 4:,} bytes, and {most:,} are allowed")
    if not text:
        raise InputError("it is empty")
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeError):
        data = b""
    # Even the strict decoder takes a surplus "====" at the end; the length tells.
    if not data or len(text) != (len(data) + 2) // 3 * 4:
        raise InputError(
            "its base64 is malformed: A-Z a-z 0-9 + / and = padding at the end, no line breaks"
        )
    return data


def read_stream(file: Any, *, most: int) -> bytes:
    """Read an open binary file from where it stands, and put it back there where that is possible.

    Args:
        file: anything with ``read``.
        most: the largest size accepted, in bytes.

    Returns:
        Its bytes.

    Raises:
        InputError: it is a text file, empty, closed, or too large.

    """
    try:
        start = file.tell() if getattr(file, "seekable", bool)() else None
        data = file.read(most + 1)
        if start is not None:
            file.seek(start)  # the same attachment may be resolved again, in another turn
    except (OSError, ValueError) as error:  # a closed file raises ValueError
        raise InputError(f"the open file cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise InputError("the file is open as text; open it with mode 'rb'")
    if not data:
        raise InputError("the open file gave no bytes: it is empty or was read to its end before")
    if len(data) > most:
        raise InputError(f"the file has more than the {most:,} bytes that are allowed")
    return data


def image_source(data: bytes, limits: Limits, *, shrinks: bool) -> Base64Source:
    """Turn the bytes of an image file into a source within the limits.

    Args:
        data: the file.
        limits: what it may measure.
        shrinks: make it smaller where it has to be (else refuse it).

    Returns:
        The source; the original bytes if they keep the limits.

    Raises:
        InputError: no image the API accepts, damaged, or too large and not to be shrunk.
        MissingExtra: it has to be made smaller and Pillow is not installed.

    """
    header = read_header(data)
    excess = limits.exceeded_by(header, len(data))
    if not excess:
        return _base64(header.media_type, data)
    if not shrinks:
        raise InputError(f'the image is too large: {excess}; oversize = "shrink" makes it fit')
    return _base64(*shrink(data, limits))


def picture_source(picture: Any, limits: Limits) -> Base64Source:
    """Turn a PIL image into a source within the limits.

    Args:
        picture: the PIL image.
        limits: what it may measure.

    Returns:
        The source.

    Raises:
        InputError: its file is damaged, or it is far too large.

    """
    return _base64(*encode(picture, limits))


def mended(source: Base64Source, limits: Limits, *, shrinks: bool, most: int) -> Base64Source:
    """Correct a base64 source that somebody else made.

    Args:
        source: may have a ``data:`` prefix, the wrong media type, or be too large.
        limits: what the image may measure.
        shrinks: make it smaller where it has to be (else refuse it).
        most: the largest image that is looked at, in bytes.

    Returns:
        ``source`` itself if nothing is wrong with it.

    Raises:
        InputError: it is not base64, or not an image the API accepts.
        MissingExtra: it has to be made smaller and Pillow is not installed.

    """
    if source.data[:5].lower() == "data:":
        data = decode_data_url(source.data, most=most)
    else:
        data = decode_base64(source.data, most=most)
    new = image_source(data, limits, shrinks=shrinks)
    return source if new == source else new


def longest_side(source: Base64Source) -> int:
    """Read an image's longer side from its first bytes, without decoding all of it.

    Args:
        source: base64 that was checked before.

    Returns:
        Pixels.

    """
    for characters in _HEADER_STEPS:
        try:
            return read_header(binascii.a2b_base64(source.data[:characters])).longest
        except Truncated:
            continue
    return read_header(binascii.a2b_base64(source.data)).longest


def passed_on(url: str) -> URLSource:
    """Make a source of a URL that the API is to fetch.

    Args:
        url: the address.

    Returns:
        The source.

    Raises:
        InputError: it is not ``https:``, or has characters that no URL has.

    """
    if url[:6].lower() != "https:":
        raise InputError("the API takes https: URLs only; with fetch=True it can be fetched here")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InputError("its URL holds characters that have to be percent-encoded")
    return URLSource(url)


def document_source(data: bytes, *, said: str | None, most: int) -> Source:
    """Turn the bytes of a PDF or text file into a source.

    Args:
        data: the file.
        said: the media type that the caller named, if any.
        most: the largest document accepted, in bytes after base64 encoding.

    Returns:
        A base64 source for a PDF, a text source for text.

    Raises:
        InputError: it is neither, too large, or not UTF-8.

    """
    if b"%PDF-" in data[:_PDF_WITHIN] and said != "text/plain":
        if len(data) > most // 4 * 3:
            raise InputError(f"the PDF has {len(data):,} bytes, and {most // 4 * 3:,} are allowed")
        return _base64("application/pdf", data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"a document is a PDF or UTF-8 text; this looks like {looks_like(data)}")
    if not text.strip():
        raise InputError("the document is empty")
    if len(data) > most:
        raise InputError(f"the text has {len(data):,} bytes, and {most:,} are allowed")
    return TextSource("text/plain", text)


def _base64(media_type: str, data: bytes) -> Base64Source:
    return Base64Source(media_type, b64encode(data).decode("ascii"))
