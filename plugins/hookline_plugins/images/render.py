"""Making an image fit, with Pillow, the same way every time.

An image that fits never comes here: its pixels are sent as they are. What is re-encoded loses its
metadata (place, camera, thumbnails, profile); the orientation they tell is applied.

A picture is scaled down as early as it can be, in the mode that it was decoded in: turning it, laying
it on white and converting it then cost nothing, and only one copy in full size is ever in memory.
"""

from typing import TYPE_CHECKING, Any, Final

from hookline.values import damage_explained, open_image
from hookline_plugins.images import vips
from hookline_plugins.images.encoding import Check, Rendered, encoded_to_fit, resized
from hookline_plugins.images.orientation import orientation_in
from hookline_plugins.images.plan import Plan

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["WHY", "memory_for", "open_file", "render"]

WHY: Final = "making an image fit the API's limits"

# Modes that have no intermediate values to scale with, and what they become first.
_STIFF: Final = {"1": "L", "PA": "RGBA", "La": "LA"}
# Pillow's modes to the few that all encoders take.
_MODES: Final = {"1": "L", "L": "L", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "La": "RGBA",
                 "PA": "RGBA", "RGBa": "RGBA"}  # fmt: skip
_SIXTEEN_BITS: Final = "I;16"  # which can be scaled as it is
_WIDE: Final = frozenset({"I", "F", "I;16B", "I;16L", "I;16N"})
_BYTE: Final = 255
_WHOLE: Final = 100
_ORIENTATION: Final = 0x0112
_JPEG: Final = "image/jpeg"
# Bytes a pixel: palettes and alpha need a second copy; of a progressive JPEG all coefficients are kept, in its full size.
_PLAIN_BYTES, _COMPLEX_BYTES, _COEFFICIENTS = 4, 8, 6


def memory_for(picture: "Picture", media_type: str, plan: Plan) -> int:
    """Estimate the memory that rendering takes at its peak.

    Args:
        picture: opened, not yet decoded.
        media_type: of the file.
        plan: what is to become of it.

    Returns:
        Bytes.

    """
    pixels = picture.width * picture.height
    if media_type != _JPEG:
        return pixels * _COMPLEX_BYTES
    whole = pixels * _COEFFICIENTS if _progressive(picture) else 0
    return whole + pixels * _PLAIN_BYTES // _reduced(picture.size, plan) ** 2


def _reduced(size: tuple[int, int], plan: Plan) -> int:
    """Return by what the sides of a JPEG are divided when it is decoded."""
    target = plan.size_for(*size)
    fits = (n for n in (8, 4, 2) if size[0] // n >= target[0] and size[1] // n >= target[1])
    return next(fits, 1)


def _progressive(picture: "Picture") -> bool:
    """Tell whether a JPEG has to be read whole before a first line of it is known."""
    return bool(picture.info.get("progressive"))


def open_file(data: bytes, plan: Plan) -> "Picture":
    """Open an image file, without decoding it yet.

    Args:
        data: the file.
        plan: how many pixels may be decoded.

    Returns:
        The picture; of an animation, the first frame.

    Raises:
        MissingExtra: Pillow is not installed.
        InputError: the file is damaged, or has more pixels than may be decoded.

    """
    picture = open_image(data, WHY)  # a GIF's first frame may be larger than its canvas
    smaller = picture.format == "JPEG" and not _progressive(picture)
    plan.check_pixels(picture.size, _reduced(picture.size, plan) if smaller else 1)
    return picture


def render(
    picture: "Picture", media_type: str, plan: Plan, check: Check, *, data: bytes | None = None
) -> Rendered:
    """Decode a picture and encode it so that it fits.

    Args:
        picture: a PIL image, in any mode, decoded or not.
        media_type: the format it comes from; what it becomes depends on it.
        plan: what is to become of it.
        check: called between the steps; raises when there is no time left.
        data: the file that it was opened from, if nobody else has the picture: it may then be decoded
            in a smaller size, and by another library.

    Returns:
        The new file. Equal input gives equal output with one Pillow.

    Raises:
        InputError: the file is damaged, or cannot be made to fit.

    """
    with damage_explained():
        target = plan.size_for(*picture.size)
        full = picture.width
        if data is not None and media_type == _JPEG:
            picture.draft(None, target)
        shrunk = vips.scaled(data, media_type, picture, full, target) if data is not None else None
        if shrunk is None:
            picture.load()
            check()
        orientation = _orientation(picture, of_file=data is not None)
        scaled = target != picture.size
        plain = _plain(shrunk or resized(_supple(picture), target))
        check()
        upright = _turned(plain, orientation)
        if upright is picture and data is None:
            upright = picture.copy()
        upright.info = {}  # save() would write what it holds: comments, profiles, EXIF
        return encoded_to_fit(upright, media_type, plan, check, scaled=scaled)


def _orientation(picture: "Picture", *, of_file: bool) -> int:
    """Read the EXIF orientation of a decoded picture; broken EXIF counts as none.

    Of a file, EXIF counts and nothing else, as for the API and for those files that are not encoded again;
    TIFF, HEIC and AVIF come upright from their decoders, or say so in EXIF too. Of a picture in memory
    counts what its owner sees.
    """
    if of_file:
        return orientation_in(bytes(picture.info.get("exif") or b"").removeprefix(b"Exif\0\0"))
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 -- EXIF is a format of its own, and as hostile as the rest
        return 1


def _turned(picture: "Picture", orientation: int) -> "Picture":
    from PIL.Image import Transpose  # noqa: PLC0415 -- an extra

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def _supple(picture: "Picture") -> "Picture":
    """Bring a picture to a mode that can be scaled."""
    if picture.mode == "P":
        return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode in _STIFF:
        return picture.convert(_STIFF[picture.mode])
    if picture.mode in _WIDE:
        return _narrowed(picture)
    return picture


def _narrowed(picture: "Picture") -> "Picture":
    """Bring numbers of more than 8 bits to 8, since convert() would clip what is above 255 to white.

    Of 16 bits the upper 8 count. Whole numbers of 32 bits count as 8 bits if none is larger, else as 16;
    fractions count from 0 to 1 if none is larger, else as 8 bits.
    """
    if picture.mode not in ("I", "F"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode == "F":
        # Not getextrema(), which is lost with the first pixel that is no number, as measurements have.
        hundredths: Any = picture.point(lambda value: value * 100).convert("L").getextrema()
        return (
            picture.point(lambda value: value * 255).convert("L")
            if hundredths[1] <= _WHOLE
            else picture.convert("L")
        )
    largest: Any = picture.getextrema()[1]
    return (
        picture.point(lambda value: value * (1 / 256)).convert("L")
        if largest > _BYTE
        else picture.convert("L")
    )


def _plain(picture: "Picture") -> "Picture":
    """Bring a picture to one of the modes L, RGB, RGBA; alpha that hides nothing goes."""
    if picture.mode == _SIXTEEN_BITS:
        return _narrowed(picture)
    mode = _MODES.get(picture.mode, "RGB")
    plain = picture if picture.mode == mode else picture.convert(mode)
    if mode == "RGBA" and plain.getchannel("A").getextrema() == (255, 255):
        return plain.convert("RGB")
    return plain
