"""Images as the simulator sees them: sniffed, measured and decoded here, whatever the client said.

Format and size are read from the header without any library; the mean colour needs Pillow (extra
``images``), and the reply says so where it is missing.
"""

import io
import struct
from typing import Final

from attrs import frozen

from hookline.models import Vision

_FORMATS: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WebP",
}


@frozen
class Picture:
    """One image of a request.

    Args:
        media_type: From the bytes.
        width: In pixels, as it is displayed (EXIF orientation applied).
        height: In pixels, likewise.
        tokens: What it costs after the API's own shrinking.
        colour: Mean colour as ``#rrggbb``; None where Pillow is missing.

    """

    media_type: str
    width: int
    height: int
    tokens: int
    colour: str | None

    def describe(self) -> str:
        """Return one sentence about it."""
        said = f"{_FORMATS[self.media_type]}, {self.width} x {self.height} pixels"
        if self.colour is None:
            return f"{said}, mean colour unknown (pip install 'hookline[images]')"
        return f"{said}, mean colour {self.colour}"


class Undecodable(Exception):
    """The bytes are no image that can be read."""


def sniff(data: bytes) -> str | None:
    """Return the media type that the bytes say, or None."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def measure(data: bytes, media_type: str) -> tuple[int, int]:
    """Return width and height as the header gives them, in pixels.

    Args:
        data: The file.
        media_type: What ``sniff`` said.

    Returns:
        Width and height, both positive.

    Raises:
        Undecodable: The header is broken or too short.

    """
    try:
        width, height = _MEASURES[media_type](data)
    except (struct.error, IndexError, KeyError) as error:
        raise Undecodable(str(error)) from error
    if width < 1 or height < 1:
        raise Undecodable("no pixels")
    return width, height


def look(data: bytes, vision: Vision) -> Picture:
    """Decode an image.

    Args:
        data: The file.
        vision: The class of the model, for the cost.

    Returns:
        What it is.

    Raises:
        Undecodable: It is no image, or it is broken.

    """
    media_type = sniff(data)
    if media_type is None:
        raise Undecodable("no known format")
    width, height = measure(data, media_type)
    try:
        width, height, colour = _decode(data)
    except ImportError:
        colour = None
    return Picture(media_type, width, height, vision.tokens(width, height), colour)


def _decode(data: bytes) -> tuple[int, int, str]:
    from PIL import Image, ImageOps  # noqa: PLC0415 - an extra, and slow to import

    try:
        with Image.open(io.BytesIO(data)) as opened:
            upright = ImageOps.exif_transpose(opened)  # loads the first frame
            mean = upright.convert("RGB").resize((1, 1), Image.Resampling.BOX).tobytes()
    except Exception as error:  # a broken file raises nearly anything in Pillow
        raise Undecodable(str(error)) from error
    return upright.width, upright.height, f"#{mean.hex()}"


def _png(data: bytes) -> tuple[int, int]:
    return struct.unpack(">II", data[16:24])


def _gif(data: bytes) -> tuple[int, int]:
    return struct.unpack("<HH", data[6:10])


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(data[24:27], "little"),
            1 + int.from_bytes(data[27:30], "little"),
        )
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(data: bytes) -> tuple[int, int]:
    position = 2
    while True:
        if data[position] != 0xFF:  # noqa: PLR2004 - every JPEG marker begins with this byte
            raise KeyError(position)
        marker = data[position + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fill byte
            position += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # noqa: PLR2004 - a frame
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 2 + int(struct.unpack(">H", data[position + 2 : position + 4])[0])


_MEASURES: Final = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
}
