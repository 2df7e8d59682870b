"""What files hold beside what one sees: metadata of images and PDFs, and the text of PDFs and text files."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from io import BytesIO
from typing import Final

from attrs import frozen

from hookline import InputError, MissingExtra
from hookline_plugins.images.containers import strip
from hookline_plugins.images.pdf_metadata import without_metadata

__all__ = ["Looked", "as_base64", "from_base64", "look_into"]

_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"


@frozen
class Looked:
    """What was found in a file.

    Attributes:
        data: the file without metadata.
        text: what can be read in it, or None where nobody can tell.
        plain: whether the file is nothing but this text, which can then be rewritten.

    """

    data: bytes
    text: str | None
    plain: bool = False


def look_into(data: bytes, media_type: str) -> Looked:
    """Take a file's metadata out, and read its text. May take a while.

    Args:
        data: the file.
        media_type: what it is.

    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind in _IMAGES:
        return Looked(strip(data, kind).data, "")
    if kind == _PDF:
        try:
            return Looked(without_metadata(data), _text_of_pdf(data))
        except (MissingExtra, InputError):
            return Looked(data, None)
    wide = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError:
        return Looked(data, None)
    return Looked(data, text, plain=True) if "\0" not in text else Looked(data, None)


def _text_of_pdf(data: bytes) -> str:
    """Return the text of all pages.

    Raises:
        InputError: it cannot be read.
        MissingExtra: the extra ``pdf`` is not installed.

    """
    try:
        from pypdf import PdfReader  # noqa: PLC0415 -- an extra
    except ImportError:
        raise MissingExtra("pdf", "pypdf", "reading the text of PDFs") from None
    try:
        return "\n".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages)
    except Exception as error:  # of whatever kind: the file is somebody's, and so are its faults
        raise InputError(f"the PDF cannot be read: {type(error).__name__}") from error


def from_base64(data: str) -> bytes | None:
    """Return the bytes that base64 stands for, or None if it is none."""
    try:
        return b64decode(data, validate=True)
    except (Base64Error, ValueError):
        return None


def as_base64(data: bytes) -> str:
    """Return bytes as base64."""
    return b64encode(data).decode("ascii")
