"""Small pictures of large ones, for a notebook that stores what it shows."""

from io import BytesIO
from typing import Any, Final

from hookline.errors import InputError
from hookline.values.pictures.header import read_header

__all__ = ["thumbnail"]

_SIZE: Final = (320, 240)
_MOST_PIXELS: Final = 64_000_000
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")


def thumbnail(source: Any) -> bytes:
    """Return a small PNG of a picture.

    Args:
        source: the bytes of an image file, or a PIL image.

    Returns:
        The PNG; nothing where Pillow is not installed, or the picture is damaged or too large.

    """
    try:
        from PIL import Image  # noqa: PLC0415 -- an extra
    except ImportError:
        return b""
    try:
        if isinstance(source, bytes):
            if read_header(source).pixels > _MOST_PIXELS:
                return b""
            picture: Image.Image = Image.open(BytesIO(source), formats=_FORMATS)
            picture.draft(None, _SIZE)
        else:
            picture = source.copy()
        picture.thumbnail(_SIZE)
        if picture.mode not in ("L", "RGB", "RGBA"):
            picture = picture.convert("RGB")
        out = BytesIO()
        picture.save(out, "PNG")
    except (InputError, OSError, ValueError, SyntaxError):  # damage; whoever sends it is told
        return b""
    return out.getvalue()
