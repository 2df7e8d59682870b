"""Where Pillow comes in: image files opened by it, none of them decoded yet.

Pillow is an extra, and slow to import: nothing here is imported before it is needed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from hookline.errors import DeadlineExceeded, InputError, MissingExtra
from hookline.values.pictures.header import convertible, media_type_of
from hookline.values.pictures.pixels import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.JpegImagePlugin import JpegImageFile

__all__ = ["damage_explained", "has_pillow", "open_image", "picture_of"]

# The sniffed format alone is named to Pillow: no other decoder ever sees the bytes.
_FORMATS: Final = {
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
}
_JPEG: Final = "image/jpeg"
_HEIC: Final = "image/heic"


def has_pillow() -> bool:
    """Tell whether an image can be decoded here at all."""
    return find_spec("PIL") is not None


def open_image(data: bytes, why: str) -> "Picture":
    """Open an image file, without decoding it yet.

    Args:
        data: the file; its first bytes say what it is.
        why: what for, for the error where the library is missing.

    Returns:
        The picture; of an animation, the first frame.

    Raises:
        MissingExtra: Pillow is not installed, or for a HEIC image pi-heif.
        InputError: it is damaged, or no image that is opened here.

    """
    media_type = media_type_of(data) or convertible(data) or ""
    image_module = _pillow(why)
    with damage_explained():
        if media_type == _HEIC:
            heic: Picture = _heif()(BytesIO(data))
            return heic
        if media_type == _JPEG:
            # Not by open(), which refuses by pixels what may be decoded in a smaller size.
            return _jpeg()(BytesIO(data))
        opened: Picture = image_module.open(BytesIO(data), formats=(_FORMATS[media_type],))
        return opened


def picture_of(pixels: Pixels, why: str) -> "Picture":
    """Make a PIL image of pixels, without copying them.

    Args:
        pixels: what lies in memory.
        why: what for, for the error where the library is missing.

    Raises:
        MissingExtra: Pillow is not installed.

    """
    picture: Picture = _pillow(why).frombuffer(
        pixels.mode, pixels.size, pixels.data, "raw", pixels.mode, 0, 1
    )
    return picture


@contextmanager
def damage_explained() -> Iterator[None]:
    """Make an ``InputError`` of whatever a decoder makes of a damaged file."""
    try:
        yield
    except (InputError, MissingExtra, DeadlineExceeded):
        raise
    except Exception as error:  # a decoder that is fed hostile bytes may raise anything
        raise InputError(
            f"the image is cut off or damaged and cannot be decoded ({type(error).__name__})"
        ) from error


def _pillow(why: str) -> Any:
    try:
        import PIL.Image  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError:
        raise MissingExtra("images", "pillow", why) from None
    return PIL.Image


def _jpeg() -> "type[JpegImageFile]":
    from PIL.JpegImagePlugin import JpegImageFile  # noqa: PLC0415 -- an extra

    return JpegImageFile


def _heif() -> Any:
    try:
        from pi_heif import (  # type: ignore[import-untyped]  # noqa: PLC0415 -- an extra, untyped
            HeifImageFile,
        )
    except ImportError:
        raise MissingExtra("images", "pi-heif", "converting a HEIC image") from None
    return HeifImageFile
