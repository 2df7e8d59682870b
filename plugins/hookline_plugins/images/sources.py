"""From what the caller handed over to bytes, and from bytes to a source that the API accepts."""

import binascii
import codecs
import re
from base64 import b64encode
from typing import Any, Final

from hookline.errors import InputError
from hookline.values import Base64Source, Source, TextSource, URLSource, is_pdf, looks_like

__all__ = [
    "base64_source",
    "decode_base64",
    "decode_data_url",
    "document_source",
    "passed_on",
    "read_stream",
]

_DATA_URL: Final = re.compile(
    r"data:(?P<type>[a-z0-9.+-]+/[a-z0-9.+-]+)?(?:;[a-z0-9-]+=[a-z0-9.+_-]+)*;base64", re.IGNORECASE
)
# Nothing is learnt from a vague type; everything else must at least be a plausible one.
_PLAUSIBLE: Final = re.compile(
    r"image/.+|application/(?:pdf|octet-stream|x-pdf)|text/(?:plain|markdown|csv)|binary/.+",
    re.IGNORECASE,
)
_CHARSET: Final = re.compile(r";\s*charset=\"?([\w.:-]+)", re.IGNORECASE)
# The longer ones first: UTF-32 begins as UTF-16 does.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What texts look like, by their first bytes.
_TEXTS: Final = frozenset({
    "plain text", "an HTML page", "an HTML or XML page", "XML, perhaps an SVG drawing", "something unknown"
})  # fmt: skip
_PREFIX: Final = 256  # a data: prefix is shorter


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
        data = _read_all(file, most)
        if start is not None:
            file.seek(start)  # the same attachment may be resolved again, in another turn
    except InputError:
        raise
    except Exception as error:  # it may be anything that can be read: a response, a bucket's object
        reason = str(error) or type(error).__name__
        raise InputError(f"the open file cannot be read: {reason}") from error
    if not data:
        raise InputError("the open file gave no bytes: it is empty or was read to its end before")
    if len(data) > most:
        raise InputError(f"the file has more than the {most:,} bytes that are allowed")
    return data


def _read_all(file: Any, most: int) -> bytes:
    """Read to the end, or to where it is known to be too long: sockets and pipes give pieces."""
    data = bytearray()
    while len(data) <= most:
        piece = file.read(most + 1 - len(data))
        if piece is not None and not isinstance(piece, bytes):
            raise InputError("the file is open as text; open it with mode 'rb'")
        if not piece:
            break
        data += piece
    return bytes(data)


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
        raise InputError(
            'the API takes https: URLs only; with strategy="base64" it is fetched here'
        )
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
        InputError: it is neither, too large, or in an encoding that nobody has named.

    """
    if is_pdf(data) and not (said or "").startswith("text/"):
        if len(data) > most // 4 * 3:
            raise InputError(f"the PDF has {len(data):,} bytes, and {most // 4 * 3:,} are allowed")
        return base64_source("application/pdf", data)
    text = _decoded(data, said or "")
    if not text.strip():
        raise InputError("the document is empty")
    if len(data) > most:
        raise InputError(f"the text has {len(data):,} bytes, and {most:,} are allowed")
    return TextSource("text/plain", text)


def _decoded(data: bytes, said: str) -> str:
    """Decode a text: as its first bytes say, or else its media type, or else as UTF-8."""
    charset = _CHARSET.search(said)
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    encoding = marked or (charset[1] if charset else "utf-8")
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise InputError(f"there is no encoding of texts called {encoding!r}") from error
    except ValueError:
        text = "\0"
    if "\0" not in text:
        return text
    if b"\0" in data or looks_like(data) not in _TEXTS:
        raise InputError(f"a document is a PDF or UTF-8 text; this looks like {looks_like(data)}")
    raise InputError(
        f"it is no text in {encoding}; say which encoding it has: "
        'Document(…, media_type="text/plain; charset=cp1252")'
    )


def base64_source(media_type: str, data: bytes) -> Base64Source:
    """Make a base64 source.

    Args:
        media_type: of the file.
        data: the file.

    Returns:
        The source.

    """
    return Base64Source(media_type, b64encode(data).decode("ascii"))
