"""How large a model sees an image, and what it costs there: the API's own formula (facts 5.2)."""

import math
from typing import Final

from attrs import frozen

__all__ = ["Vision"]

_PATCH: Final = 28  # pixels of a side; one patch is one token


@frozen(kw_only=True)
class Vision:
    """How a model sees images.

    Args:
        name: ``high`` or ``standard``.
        max_edge: Longest side in pixels before the API shrinks the image.
        max_tokens: Most 28-pixel patches, and so tokens, that one image may take.

    """

    name: str
    max_edge: int
    max_tokens: int

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """Return the size beyond which the model sees nothing more of an image (facts 5.2).

        The API itself shrinks what is larger to this size: the largest in the same shape whose
        sides, padded to whole patches, stay within ``max_edge`` and whose patches stay within
        ``max_tokens``. It never enlarges.

        Args:
            width: In pixels.
            height: In pixels.

        Returns:
            Width and height before the padding.

        Example:
            >>> Vision(name="standard", max_edge=1568, max_tokens=1568).fit(1920, 1080)
            (1456, 819)

        """
        long, short = max(width, height), min(width, height)
        if self._takes(long, short):
            return width, height
        low, high = 1, min(long, self.max_edge)
        while low < high:  # the largest long edge that fits; the short one follows the shape
            middle = (low + high + 1) // 2
            if self._takes(middle, _short_edge(middle, long, short)):
                low = middle
            else:
                high = middle - 1
        other = _short_edge(low, long, short)
        return (low, other) if width >= height else (other, low)

    def tokens(self, width: int, height: int) -> int:
        """Return the tokens that an image of this size costs: its patches after shrinking.

        Args:
            width: In pixels.
            height: In pixels.

        """
        return _patches(*self.fit(width, height))

    def _takes(self, long: int, short: int) -> bool:
        padded = math.ceil(long / _PATCH) * _PATCH
        return padded <= self.max_edge and _patches(long, short) <= self.max_tokens


def _patches(width: int, height: int) -> int:
    return math.ceil(width / _PATCH) * math.ceil(height / _PATCH)


def _short_edge(new_long: int, long: int, short: int) -> int:
    return max(1, round(short * new_long / long))  # round() is half-to-even, as the API's
