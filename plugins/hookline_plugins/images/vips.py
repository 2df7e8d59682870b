"""Decoding and scaling of photographs with libvips, where it is installed: twice as fast as Pillow and more.

Only where both give the same picture: JPEG, the same decoder under both (libjpeg), the same filter in the same
order, no palette, no alpha, eight bits a channel. The filter goes down and then across, with Pillow too (`encoding.resized`):
between the two, both round and cut off at black and white, so that in another order hard edges differ by 25 grey levels. What is
left is that libvips places its filter to 1/64 of a pixel. That makes one grey level, two in less than one of 500 values of a
photograph, and four at the hardest edges. Screenshots, which have nothing else, are left to Pillow.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hookline_plugins.images.encoding import MOST_FACTOR

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["scaled"]

_LEAST_PIXELS: Final = 1_000_000  # below, setting it up takes as long
_BANDS: Final = {"L": 1, "RGB": 3}


def scaled(
    data: bytes, media_type: str, picture: "Picture", full: int, size: tuple[int, int]
) -> "Picture | None":
    """Decode a file and scale it down.

    Args:
        data: the file.
        media_type: what it is.
        picture: the same file, opened with Pillow and not decoded; a JPEG perhaps in a reduced size.
        full: the width that the file itself has.
        size: width and height that are wanted.

    Returns:
        The picture, or None where Pillow has to do it: without libvips, for other formats and modes, and for
        what libvips finds damaged, so that one and the same library says what is wrong.

    """
    vips = _library() if _alike(media_type, picture, full, size) else None
    if vips is None:
        return None
    try:
        decoded = vips.Image.jpegload_buffer(
            data, access="sequential", fail_on="truncated", shrink=round(full / picture.width)
        )
        found = (decoded.width, decoded.height), decoded.bands, decoded.format
        if found != (picture.size, _BANDS[picture.mode], "uchar"):
            return None
        small = decoded.resize(
            size[0] / decoded.width, vscale=size[1] / decoded.height, kernel="lanczos3", gap=0
        )
        pixels = small.write_to_memory()
    except vips.Error:
        return None
    if (small.width, small.height) != size:
        return None
    from PIL import Image  # noqa: PLC0415 -- an extra

    return Image.frombuffer(picture.mode, size, pixels, "raw", picture.mode, 0, 1)


def _alike(media_type: str, picture: "Picture", full: int, size: tuple[int, int]) -> bool:
    """Tell whether both libraries give the same picture, and this one sooner."""
    factor = max(picture.width / size[0], picture.height / size[1])
    return (
        media_type == "image/jpeg"
        and picture.mode in _BANDS
        and full * full * picture.height // picture.width >= _LEAST_PIXELS
        and 1
        < factor
        < MOST_FACTOR  # from there on Pillow averages, which would be another picture
    )


@cache
def _library() -> Any:
    try:
        import pyvips  # type: ignore[import-untyped]  # noqa: PLC0415 -- an extra
    except (ImportError, OSError):  # the second: there is the package, but no library
        return None
    return pyvips
