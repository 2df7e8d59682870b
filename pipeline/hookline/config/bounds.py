"""Bounds that somebody above sets to a number: what is given must keep them, a default is cut to them."""

import math
from typing import Any

from attrs import frozen

from hookline.errors import ConfigError
from hookline.values.brief import brief

__all__ = ["Bound"]


@frozen(kw_only=True)
class Bound:
    """What an option may be, as the organisation's policy says.

    Attributes:
        least: the smallest number allowed, or None.
        most: the largest number allowed, or None.
        by: who says so: file and line.

    """

    least: float | None = None
    most: float | None = None
    by: str = ""

    def holds(self, value: Any) -> bool:
        """Say whether a value keeps the bound; what is no number does not."""
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )

    def check(self, name: str, value: Any) -> None:
        """Refuse a value that somebody gave and that does not keep the bound.

        Raises:
            ConfigError: names the option and who bound it.

        """
        if not self.holds(value):
            raise ConfigError(
                f"{name} must be {self.words} (bound by {self.by}), not {brief(value)}"
            )

    def clamped(self, value: Any) -> Any:
        """Return a default, cut to the bound. None, which stands for no limit, becomes the limit.

        A whole number stays one: the bound 2.5 allows of them 2 at most, or 3 at least.
        """
        if self.holds(value):
            return value
        below = self.least is not None and isinstance(value, int | float) and value < self.least
        up = self.most is None or below
        limit = self.least if up else self.most
        if limit is None or not isinstance(value, int):
            return limit
        return math.ceil(limit) if up else math.floor(limit)

    def joined(self, other: "Bound") -> "Bound":
        """Return the bound that keeps both.

        Raises:
            ConfigError: no number does.

        """
        least = max((each for each in (self.least, other.least) if each is not None), default=None)
        most = min((each for each in (self.most, other.most) if each is not None), default=None)
        by = " and ".join(dict.fromkeys((self.by, other.by)))
        if least is not None and most is not None and least > most:
            raise ConfigError(
                f"{by}: no number is left: it must be at least {least} and at most {most}"
            )
        return Bound(least=least, most=most, by=by)

    @property
    def words(self) -> str:
        """The bound in words: ``at least 1 and at most 8192``."""
        parts = []
        if self.least is not None:
            parts.append(f"at least {self.least:g}")
        if self.most is not None:
            parts.append(f"at most {self.most:g}")
        return " and ".join(parts)
