"""From pixels to a file that is short enough: formats, qualities, and smaller sizes where nothing else helps."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from hookline.errors import InputError
from hookline.values import Header
from hookline_plugins.images.plan import Plan

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["MOST_FACTOR", "Check", "Rendered", "encoded_to_fit", "resized"]

Check: TypeAlias = Callable[[], None]

_Encoding: TypeAlias = tuple[str, Mapping[str, int]]
_PNG: Final[_Encoding] = ("image/png", {})
_JPEG: Final[tuple[_Encoding, ...]] = tuple(("image/jpeg", {"quality": q}) for q in (90, 80))
_WEBP: Final[tuple[_Encoding, ...]] = tuple(
    ("image/webp", {"quality": q, "method": 4}) for q in (90, 80)
)
# Formats that lose nothing: they stay so where that is shorter.
_LOSSLESS: Final = frozenset({"image/png", "image/gif", "image/tiff"})
_STEP: Final = 0.75  # how much smaller the sides get when no encoding is short enough
_LEAST_SIDE: Final = 16
_WRITERS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_REDUCING_GAP: Final = 3.0  # reduce by whole factors first, as far as nobody can see it
MOST_FACTOR: Final = 6
"""From here on that reduces: whole blocks are averaged before the filter."""
_OPAQUE: Final = frozenset({"L", "RGB"})


@frozen
class Rendered:
    """An image file that was made here.

    Attributes:
        header: what it is.
        data: the file.

    """

    header: Header
    data: bytes


def encoded_to_fit(
    picture: "Picture", media_type: str, plan: Plan, check: Check, *, scaled: bool
) -> Rendered:
    """Find the first size and encoding that is short enough.

    Args:
        picture: in L, RGB or RGBA.
        media_type: of the file that it comes from.
        plan: how long its base64 may be, and which formats are read.
        check: called between the steps; raises when there is no time left.
        scaled: whether it was made smaller; then it may lose something anyway.

    Raises:
        InputError: nothing is short enough.

    """
    lossy: tuple[_Encoding, ...] = _JPEG
    if picture.mode == "RGBA" or media_type == "image/webp":
        lossy = _WEBP
    if not plan.reads("image/webp") and lossy is _WEBP:
        lossy = () if picture.mode == "RGBA" else _JPEG
    lossless = media_type in _LOSSLESS or not lossy
    size, least = picture.size, min(_LEAST_SIDE, *picture.size)
    while max(size) >= least:
        sized = resized(picture, size)
        best = None
        for encoding in (_PNG, *lossy) if lossless else lossy:
            if best is not None and (encoding not in lossy[:1] or not scaled):
                break  # good enough; only the first lossy one competes, with what was scaled
            data = _encoded(sized, *encoding)
            check()
            if len(data) <= plan.raw and (best is None or len(data) < len(best.data)):
                best = Rendered(Header(encoding[0], *sized.size), data)
        if best is not None:
            return best
        size = max(1, int(size[0] * _STEP)), max(1, int(size[1] * _STEP))
    raise InputError(f"the image cannot be made to fit into {plan.base64:,} bytes of base64")


def resized(picture: "Picture", size: tuple[int, int]) -> "Picture":
    """Scale a picture; the same object if it has the size already."""
    from PIL.Image import Resampling  # noqa: PLC0415 -- an extra

    if picture.size == size:
        return picture
    factor = max(picture.width / size[0], picture.height / size[1])
    if picture.mode in _OPAQUE and factor < MOST_FACTOR and picture.height != size[1]:
        # As libvips does it: whichever of the two scales, the picture is the same.
        picture = picture.resize((picture.width, size[1]), Resampling.LANCZOS)
        if picture.size == size:
            return picture
    gap = None if picture.mode == "I;16" else _REDUCING_GAP  # which Pillow cannot reduce
    return picture.resize(size, Resampling.LANCZOS, reducing_gap=gap)


def _encoded(picture: "Picture", media_type: str, options: Mapping[str, Any]) -> bytes:
    out = BytesIO()
    picture.save(out, _WRITERS[media_type], **options)
    return out.getvalue()
