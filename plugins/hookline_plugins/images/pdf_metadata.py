"""Taking out of a PDF what says who made it, when and with what; its pages stay as they are."""

from io import BytesIO
from typing import Any, Final

from hookline.errors import InputError, MissingExtra
from hookline_plugins.images.containers import strip

__all__ = ["without_metadata"]

_INFORMATION: Final = "/Info"
# Of any object of the file: XMP, a preview, and what programs keep for themselves.
_PRIVATE: Final = ("/Metadata", "/Thumb", "/PieceInfo", "/LastModified")
_FILTER, _PARAMETERS, _JPEG = "/Filter", "/DecodeParms", "/DCTDecode"


def without_metadata(data: bytes) -> bytes:
    """Write a PDF anew, without document information, XMP, thumbnails and private data of programs.

    Photos in it lose what they tell of their place and camera, and none of their pixels. What was changed or
    deleted earlier and still lay in the file does not come along either.

    Args:
        data: the file.

    Returns:
        The new file.

    Raises:
        InputError: it is damaged or encrypted.
        MissingExtra: the extra ``pdf`` is not installed.

    """
    try:
        import pikepdf  # noqa: PLC0415 -- an extra
    except ImportError:
        raise MissingExtra("pdf", "pikepdf", "taking metadata out of PDFs") from None
    out = BytesIO()
    try:
        with pikepdf.open(BytesIO(data)) as pdf:
            if _INFORMATION in pdf.trailer:
                del pdf.trailer[_INFORMATION]
            for each in pdf.objects:
                if isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
                    for name in _PRIVATE:
                        if name in each:
                            del each[name]
                if isinstance(each, pikepdf.Stream):
                    _strip_photo(each)
            pdf.save(out, fix_metadata_version=False)
    except pikepdf.PasswordError:
        raise InputError("the PDF is encrypted, and the API takes none with a password") from None
    except Exception as error:  # what is fed hostile bytes may raise anything
        raise InputError(f"the PDF is damaged: {error}") from error
    return out.getvalue()


def _strip_photo(stream: Any) -> None:
    """Take metadata out of a photo that lies in a PDF as the camera wrote it."""
    filters = stream.get(_FILTER)
    if filters not in (_JPEG, [_JPEG]):
        return
    photo = strip(stream.read_raw_bytes(), "image/jpeg")
    if photo.whole:
        stream.write(photo.data, filter=filters, decode_parms=stream.get(_PARAMETERS))
