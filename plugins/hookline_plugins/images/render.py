"""Making an image fit, with Pillow, the same way every time.

An image that fits never comes here: its pixels are sent as they are. What is re-encoded loses its
metadata (place, camera, thumbnails, profile); the orientation they tell is applied.

A picture is scaled down as early as it can be, in the mode that it was decoded in: turning it, laying
it on white and converting it then cost nothing, and only one copy in full size is ever in memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from hookline.errors import DeadlineExceeded, InputError, MissingExtra
from hookline.values import Pixels
from hookline_plugins.images import vips
from hookline_plugins.images.encoding import Check, Rendered, encoded_to_fit, resized
from hookline_plugins.images.orientation import orientation_in
from hookline_plugins.images.plan import Plan

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = [
    "damage_explained",
    "from_pixels",
    "has_pillow",
    "memory_for",
    "open_file",
    "render",
]

# The sniffed format alone is named to Pillow: no other decoder ever sees the bytes.
_FORMATS: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
}
_HEIC: Final = "image/heic"

# Modes that have no intermediate values to scale with, and what they become first.
_STIFF: Final = {"1": "L", "PA": "RGBA"}
# Pillow's modes to the few that all encoders take.
_MODES: Final = {"1": "L", "L": "L", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "La": "RGBA",
                 "PA": "RGBA", "RGBa": "RGBA"}  # fmt: skip
_SIXTEEN_BITS: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_ORIENTATION: Final = 0x0112
_PLAIN_BYTES, _COMPLEX_BYTES = 4, 8  # a pixel; palettes and alpha need a second copy


def memory_for(media_type: str, size: tuple[int, int], plan: Plan) -> int:
    """Estimate the memory that rendering takes at its peak.

    Args:
        media_type: of the file.
        size: width and height.
        plan: what is to become of it.

    Returns:
        Bytes.

    """
    width, height = size
    if media_type == "image/jpeg":
        target = plan.size_for(width, height)
        reduced = next(
            (n for n in (8, 4, 2) if width // n >= target[0] and height // n >= target[1]), 1
        )
        return width * height * _PLAIN_BYTES // reduced**2
    return width * height * _COMPLEX_BYTES


def open_file(data: bytes, media_type: str, plan: Plan) -> "Picture":
    """Open an image file, without decoding it yet.

    Args:
        data: the file.
        media_type: what its first bytes say.
        plan: how many pixels may be decoded.

    Returns:
        The picture; of an animation, the first frame.

    Raises:
        MissingExtra: Pillow is not installed.
        InputError: the file is damaged, or has more pixels than may be decoded.

    """
    image_module = _pillow()
    with damage_explained():
        if media_type == _HEIC:
            opened = _heif()(BytesIO(data))
        else:
            opened = image_module.open(BytesIO(data), formats=(_FORMATS[media_type],))
        plan.check_pixels(opened.size)  # a GIF's first frame may be larger than its canvas
        picture: Picture = opened
        return picture


def from_pixels(pixels: Pixels) -> "Picture":
    """Make a PIL image of pixels, without copying them.

    Raises:
        MissingExtra: Pillow is not installed.

    """
    picture: Picture = _pillow().frombuffer(
        pixels.mode, pixels.size, pixels.data, "raw", pixels.mode, 0, 1
    )
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
        InputError: the file is damaged, has more pixels than may be decoded, or cannot be made
            to fit.

    """
    plan.check_pixels(picture.size)
    with damage_explained():
        target = plan.size_for(*picture.size)
        full = picture.width
        if data is not None and media_type == "image/jpeg":
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


def has_pillow() -> bool:
    """Tell whether a file can be decoded here at all."""
    return find_spec("PIL") is not None


def _pillow() -> Any:
    try:
        import PIL.Image  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError:
        raise MissingExtra("images", "pillow", "making an image fit the API's limits") from None
    return PIL.Image


def _heif() -> Any:
    try:
        from pi_heif import (  # type: ignore[import-untyped]  # noqa: PLC0415 -- an extra, untyped
            HeifImageFile,
        )
    except ImportError:
        raise MissingExtra("images", "pi-heif", "converting a HEIC image") from None
    return HeifImageFile


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
    if picture.mode in _SIXTEEN_BITS and picture.mode != "I;16":
        return picture.convert("I")
    return picture


def _plain(picture: "Picture") -> "Picture":
    """Bring a picture to one of the modes L, RGB, RGBA; alpha that hides nothing goes."""
    if picture.mode in _SIXTEEN_BITS:  # convert() would clip to white instead of scaling
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    mode = _MODES.get(picture.mode, "RGB")
    plain = picture if picture.mode == mode else picture.convert(mode)
    if mode == "RGBA" and plain.getchannel("A").getextrema() == (255, 255):
        return plain.convert("RGB")
    return plain
