"""Rate-limit headers: plausible figures that go down with each call and refill every minute."""

import datetime as dt
from typing import Final

from hookline.simulator.exchange import Headers

_LIMITS: Final = (
    ("requests", 4_000, 1),
    ("tokens", 480_000, 1_000),
    ("input-tokens", 400_000, 1_000),
    ("output-tokens", 80_000, 1_000),
)
_WINDOW: Final = 60


def rate_limit_headers(now: float, number: int) -> Headers:
    """Return the twelve headers of one answer.

    Args:
        now: Seconds since 1970.
        number: The number of the call.

    Returns:
        Limit, remaining and reset for requests and tokens.

    """
    end = (int(now) // _WINDOW + 1) * _WINDOW
    reset = rfc3339(end)
    headers: list[tuple[str, str]] = []
    for name, limit, step in _LIMITS:
        left = max(0, limit - (number % limit) * step)
        headers += (
            (f"anthropic-ratelimit-{name}-limit", str(limit)),
            (f"anthropic-ratelimit-{name}-remaining", str(left)),
            (f"anthropic-ratelimit-{name}-reset", reset),
        )
    return tuple(headers)


def rfc3339(seconds: float) -> str:
    """Write a moment as the API does: UTC, with a Z."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat().replace("+00:00", "Z")
