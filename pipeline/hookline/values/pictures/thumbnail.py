"""Small pictures of large ones, for a notebook that stores what it shows."""

from io import BytesIO
from typing import Any, Final

from hookline.values.pictures.pillow import open_image, picture_of
from hookline.values.pictures.pixels import Pixels

__all__ = ["thumbnail"]

_SIZE: Final = (320, 240)
_MOST_PIXELS: Final = 64_000_000
_WHY: Final = "showing an image"
_PLAIN: Final = ("L", "RGB", "RGBA")


def thumbnail(source: Any) -> bytes:
    """Return a small PNG of a picture, the right way up and with nothing of its metadata.

    Args:
        source: the bytes of an image file, a PIL image, or pixels.

    Returns:
        The PNG; nothing where Pillow (for HEIC, pi-heif) is not installed, or the picture is damaged or too
        large.

    """
    try:
        from PIL import ImageOps  # noqa: PLC0415 -- an extra

        picture = _opened(source)
        if picture.width * picture.height > _MOST_PIXELS:
            return b""
        picture.draft(None, _SIZE)
        upright = ImageOps.exif_transpose(picture)
        upright.thumbnail(_SIZE)
        if upright.mode not in _PLAIN:
            upright = upright.convert("RGBA" if "A" in upright.mode else "RGB")
        upright.info = {}  # save() would write what it holds
        out = BytesIO()
        upright.save(out, "PNG")
    except Exception:  # noqa: BLE001 -- a decoder may raise anything; whoever sends the picture is told
        return b""
    return out.getvalue()


def _opened(source: Any) -> Any:
    """Return a picture that is the caller's own, not yet decoded where it is a file."""
    if isinstance(source, Pixels):
        return picture_of(source, _WHY)
    return open_image(source, _WHY) if isinstance(source, bytes) else source.copy()
