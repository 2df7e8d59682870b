"""A moving picture as one that stands still: several of its frames side by side.

The model sees the first frame of an animation and no other. A sheet shows it what happens: at most nine
frames, evenly spaced, from left to right and from top to bottom, on white.
"""

import math
from typing import TYPE_CHECKING, Final

from hookline_plugins.images.containers import behind_blocks, behind_colours
from hookline_plugins.images.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image as Picture

__all__ = ["frames_of", "sheet"]

_SHOWN: Final = 9
_GAP: Final = 8  # pixels between frames
# A frame needs those before it, so that much is decoded at most; the rest of a long one is not seen.
_MOST_FRAMES: Final = 300
_ANIMATED: Final = 0x02  # flag in the header of an extended WebP
_EXTENSION, _IMAGE = 0x21, 0x2C


def frames_of(data: bytes, media_type: str) -> int:
    """Count the frames of an image file, up to as many as are looked at, without decoding one.

    Args:
        data: the file.
        media_type: what it is.

    Returns:
        1 for a picture that does not move.

    """
    count = _COUNTS[media_type](data) if media_type in _COUNTS else 1
    return max(1, min(count, _MOST_FRAMES))


def sheet(picture: "Picture", frames: int, plan: Plan, check: "Callable[[], None]") -> "Picture":
    """Lay frames of an animation out in a grid.

    Args:
        picture: the animation, opened.
        frames: how many it has; more than one.
        plan: how large the whole may be.
        check: called between the frames; raises when there is no time left.

    Returns:
        A new picture in RGB.

    """
    from PIL import Image  # noqa: PLC0415 -- an extra

    shown = min(frames, _SHOWN)
    columns = math.ceil(math.sqrt(shown))
    rows = math.ceil(shown / columns)
    width, height = picture.size
    whole = plan.size_for(columns * width + (columns - 1) * _GAP, rows * height + (rows - 1) * _GAP)
    cell = (
        max(1, (whole[0] - (columns - 1) * _GAP) // columns),
        max(1, (whole[1] - (rows - 1) * _GAP) // rows),
    )
    drawn = Image.new(
        "RGB",
        (columns * (cell[0] + _GAP) - _GAP, rows * (cell[1] + _GAP) - _GAP),
        "white",
    )
    for number in range(shown):
        check()
        picture.seek(number * (frames - 1) // (shown - 1))
        frame = picture.convert("RGBA").resize(cell, Image.Resampling.LANCZOS)
        row, column = divmod(number, columns)
        drawn.paste(frame, (column * (cell[0] + _GAP), row * (cell[1] + _GAP)), frame)
    return drawn


def _gif(data: bytes) -> int:
    view = memoryview(data)
    at, count = 13 + behind_colours(view, 10), 0
    while at + 2 <= len(view) and count < _MOST_FRAMES:
        if view[at] == _EXTENSION:
            at = behind_blocks(view, at + 2)
        elif view[at] == _IMAGE:
            count += 1
            at = behind_blocks(view, at + 11 + behind_colours(view, at + 9))
        else:
            break
    return count


def _png(data: bytes) -> int:
    at = data.find(b"acTL", 0, 1024 * 1024)
    return int.from_bytes(data[at + 4 : at + 8], "big") if 0 < at < data.find(b"IDAT") else 1


def _webp(data: bytes) -> int:
    moves = data[12:16] == b"VP8X" and len(data) > 20 and data[20] & _ANIMATED  # noqa: PLR2004 -- its flags
    return data.count(b"ANMF") if moves else 1


_COUNTS: Final = {"image/gif": _gif, "image/png": _png, "image/webp": _webp}
