"""Rate-limit headers: token buckets that refill all the time, as the API's do (facts 1.3, 12.7)."""

import datetime as dt
from collections.abc import Callable
from typing import Final

from attrs import define

from hookline.simulator.exchange import Headers

_PER_MINUTE: Final = {
    "requests": 4_000,
    "tokens": 480_000,
    "input-tokens": 400_000,
    "output-tokens": 80_000,
}
_MINUTE: Final = 60.0
_ROUNDED: Final = 1_000  # what is left of tokens is told in thousands


@define
class _Bucket:
    limit: int
    left: float
    at: float

    def spend(self, amount: float, now: float) -> None:
        self.left = min(self.limit, self.left + max(0.0, now - self.at) * self.limit / _MINUTE)
        self.left = max(0.0, self.left - amount)  # nobody is refused
        self.at = now

    @property
    def full_at(self) -> float:
        return self.at + (self.limit - self.left) * _MINUTE / self.limit


class RateLimits:
    """The four limits of one organisation. The caller holds the lock.

    Args:
        clock: Seconds since 1970.

    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        now = clock()
        self._buckets = {name: _Bucket(n, n, now) for name, n in _PER_MINUTE.items()}

    def spend(self, input_tokens: int = 0, output_tokens: int = 0) -> Headers:
        """Take one request out of the buckets.

        Args:
            input_tokens: Those that were not read from the cache, which do not count.
            output_tokens: Those that were written.

        Returns:
            Limit, remaining and reset (the moment when the bucket is full again) of each.

        """
        now = self._clock()
        amounts = (1, input_tokens + output_tokens, input_tokens, output_tokens)
        headers: list[tuple[str, str]] = []
        for (name, bucket), amount in zip(self._buckets.items(), amounts, strict=True):
            bucket.spend(amount, now)
            left = int(bucket.left)
            if name != "requests":
                left = round(left / _ROUNDED) * _ROUNDED
            headers += (
                (f"anthropic-ratelimit-{name}-limit", str(bucket.limit)),
                (f"anthropic-ratelimit-{name}-remaining", str(left)),
                (f"anthropic-ratelimit-{name}-reset", rfc3339(bucket.full_at)),
            )
        return tuple(headers)


def rfc3339(seconds: float) -> str:
    """Write a moment as the API does: UTC, whole seconds, with a Z."""
    moment = dt.datetime.fromtimestamp(round(seconds), dt.UTC)
    return moment.isoformat().replace("+00:00", "Z")
