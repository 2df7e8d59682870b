"""Making an image fit the limits of the API, with Pillow, the same way every time.

An image within the limits never comes here: its bytes are sent as they are. What is re-encoded
loses its metadata (place, camera, thumbnails); the orientation they tell is applied first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from hookline.errors import InputError, MissingExtra
from hookline_plugins.images.sniff import Header, read_header

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["Limits", "encode", "shrink"]

_FORMATS: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
}

_Encoding: TypeAlias = tuple[str, dict[str, int]]
_PNG: Final[_Encoding] = ("image/png", {})
_JPEG: Final[tuple[_Encoding, ...]] = tuple(("image/jpeg", {"quality": q}) for q in (90, 80))
_WEBP: Final[tuple[_Encoding, ...]] = tuple(
    ("image/webp", {"quality": q, "method": 4}) for q in (90, 80)
)
# What to try in turn, best first: (the original's media type, has it an alpha channel).
_ENCODINGS: Final[dict[tuple[str, bool], tuple[_Encoding, ...]]] = {
    ("image/jpeg", False): _JPEG,
    ("image/jpeg", True): _JPEG,
    ("image/png", False): (_PNG, *_JPEG),
    ("image/png", True): (_PNG, *_WEBP),
    ("image/gif", False): (_PNG, *_JPEG),
    ("image/gif", True): (_PNG, *_WEBP),
    ("image/webp", False): _WEBP,
    ("image/webp", True): _WEBP,
}
_STEP: Final = 0.75  # how much smaller the sides get when no encoding is short enough
_LEAST_SIDE: Final = 16

# Pillow's modes to the few that all encoders take.
_MODES: Final = {"1": "L", "L": "L", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "La": "RGBA",
                 "PA": "RGBA", "RGBa": "RGBA"}  # fmt: skip
_SIXTEEN_BITS: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})


@frozen
class Limits:
    """What an image may measure.

    Attributes:
        side: pixels of the longer side.
        base64: bytes after base64 encoding.
        pixels: width times height that may be decoded at all.

    """

    side: int
    base64: int
    pixels: int

    @property
    def raw(self) -> int:
        """Bytes before base64 encoding."""
        return self.base64 // 4 * 3

    def exceeded_by(self, header: Header, size: int) -> str:
        """Say in words what is too large, or return an empty string."""
        if header.longest > self.side:
            return f"{header.width}x{header.height} pixels, and {self.side} per side are allowed"
        if size > self.raw:
            return f"{size:,} bytes, and {self.raw:,} are allowed"
        return ""


def shrink(data: bytes, limits: Limits) -> tuple[str, bytes]:
    """Re-encode an image file so that it keeps the limits.

    Args:
        data: a JPEG, PNG, GIF or WebP file. Of an animation the first frame is kept.
        limits: what it may measure.

    Returns:
        Media type and bytes of the new file. Equal input gives equal output with one Pillow.

    Raises:
        MissingExtra: Pillow is not installed.
        InputError: the file is damaged, or has more pixels than may be decoded.

    """
    header = read_header(data)
    _check_pixels((header.width, header.height), limits)
    image_module = _pillow()
    with _damage_explained():
        # One format, the sniffed one: no other decoder of Pillow ever sees the bytes.
        picture = image_module.open(BytesIO(data), formats=(_FORMATS[header.media_type],))
        _check_pixels(picture.size, limits)  # a GIF's first frame may be larger than its canvas
        picture.load()
        return _fit(_upright(picture), header.media_type, limits)


def encode(picture: "Picture", limits: Limits) -> tuple[str, bytes]:
    """Encode a picture that is in memory.

    Args:
        picture: a PIL image, in any mode.
        limits: what it may measure.

    Returns:
        Media type and bytes: PNG, which loses nothing, or a smaller format where that is too long.

    Raises:
        InputError: its file is damaged, or it has more pixels than may be decoded.

    """
    _check_pixels(picture.size, limits)
    with _damage_explained():
        return _fit(_upright(picture), "image/png", limits)


def _pillow() -> Any:
    try:
        import PIL.Image  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError:
        raise MissingExtra("images", "pillow", "making an image fit the API's limits") from None
    return PIL.Image


@contextmanager
def _damage_explained() -> Iterator[None]:
    try:
        yield
    except (InputError, MissingExtra):
        raise
    except Exception as error:  # a decoder that is fed hostile bytes may raise anything
        raise InputError(
            f"the image is cut off or damaged and cannot be decoded ({type(error).__name__})"
        ) from error


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise InputError(
            f"the image has {width}x{height} pixels, more than the {limits.pixels:,} that may be "
            "decoded here; make it smaller first"
        )


def _upright(picture: "Picture") -> "Picture":
    """Apply the EXIF orientation once; broken EXIF counts as none."""
    from PIL import ImageOps  # noqa: PLC0415 -- an extra

    picture.load()
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 -- EXIF is a format of its own, and as hostile as the rest
        return picture


def _plain(picture: "Picture") -> "Picture":
    """Bring a picture to one of the modes L, RGB, RGBA."""
    if picture.mode in _SIXTEEN_BITS:  # convert() would clip to white instead of scaling
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode == "P":
        return picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    return picture.convert(_MODES.get(picture.mode, "RGB"))


def _fit(picture: "Picture", media_type: str, limits: Limits) -> tuple[str, bytes]:
    """Find the first size and encoding that keeps the limits."""
    plain = _plain(picture)
    encodings = _ENCODINGS[media_type, plain.mode == "RGBA"]
    side = min(limits.side, max(plain.size))
    while side >= min(_LEAST_SIDE, *plain.size):
        sized = _resized(plain, side)
        for new_type, options in encodings:
            data = _encoded(sized, new_type, options)
            if len(data) <= limits.raw:
                return new_type, data
        side = int(side * _STEP)
    raise InputError(f"the image cannot be made to fit into {limits.base64:,} bytes of base64")


def _resized(picture: "Picture", longest: int) -> "Picture":
    from PIL.Image import Resampling  # noqa: PLC0415 -- an extra

    scale = longest / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Resampling.LANCZOS)


def _encoded(picture: "Picture", media_type: str, options: dict[str, Any]) -> bytes:
    out = BytesIO()
    if media_type == "image/jpeg" and picture.mode == "RGBA":
        picture = picture.convert("RGB")
    # A bare copy: save() would write what `info` still holds (comments, profiles, EXIF).
    bare = picture.copy()
    bare.info = {}
    bare.save(out, _FORMATS[media_type], **options)
    return out.getvalue()
