"""Pixels that lie in memory as numbers: what an array of NumPy, or anything like it, becomes."""

from typing import Any, Final, Self

from attrs import field, frozen

from hookline.errors import InputError
from hookline.values.brief import size_text

__all__ = ["Pixels"]

# Channels to Pillow's names of modes.
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PLANE, _STACK = 2, 3  # dimensions


@frozen
class Pixels:
    """A picture as bytes, row by row from the top, each channel one byte.

    A copy, as of every buffer: what the program writes into its array later changes no message.

    Attributes:
        mode: ``"L"``, ``"LA"``, ``"RGB"`` or ``"RGBA"``.
        size: width and height.
        data: the bytes.

    """

    mode: str
    size: tuple[int, int]
    data: bytes = field(repr=lambda data: f"<{size_text(len(data))}>")

    @classmethod
    def of(cls, array: Any) -> Self:
        """Copy an array.

        Args:
            array: unsigned 8-bit numbers (or booleans) of shape (height, width), or
                (height, width, channels) with 1 to 4 channels.

        Raises:
            InputError: it has another type or shape.

        """
        try:
            view = memoryview(array)
        except (TypeError, ValueError, BufferError) as error:
            raise InputError(f"the array cannot be read: {error}") from error
        shape = tuple(view.shape or ())
        channels = shape[2] if len(shape) == _STACK else 1
        if len(shape) not in {_PLANE, _STACK} or channels not in _MODES or 0 in shape:
            first = len(shape) == _STACK and shape[0] in _MODES and 0 not in shape
            hint = "; with its channels last: array.transpose(1, 2, 0)" if first else ""
            raise InputError(
                f"an array for an image has the shape (height, width) or (height, width, 1 to 4), "
                f"not {shape}{hint}"
            )
        data = view.tobytes()
        if view.format == "?":
            data = data.translate(b"\0" + b"\xff" * 255)
        elif view.format != "B":
            raise InputError(
                "an array for an image holds unsigned 8-bit numbers (dtype uint8); convert others, "
                'numbers from 0 to 1 with (array * 255).astype("uint8")'
            )
        height, width, *_ = shape
        return cls(_MODES[channels], (width, height), data)
