"""What the API says about its rate limits, in the headers of every answer (facts 1.3)."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

from attrs import fields, frozen

__all__ = ["RateLimit", "RateLimits", "read_rate_limits"]

_NUMBER: Final = re.compile(r"[0-9]{1,18}")  # no signs, no 4,000 digits


@frozen
class RateLimit:
    """One limit. What the server did not say, or said in a form that makes no sense, is None.

    Attributes:
        limit: how much fits into one period.
        remaining: what is left of it; the API rounds tokens to thousands.
        reset: when it is whole again, with a time zone.

    """

    limit: int | None = None
    remaining: int | None = None
    reset: dt.datetime | None = None

    def seconds_left(self, now: dt.datetime | None = None) -> float | None:
        """Return the seconds until it is whole again, 0 for a moment in the past, None if not told.

        Args:
            now: the current time, aware; None is the clock's.

        """
        if self.reset is None:
            return None
        return max(0.0, (self.reset - (now or dt.datetime.now(dt.UTC))).total_seconds())


@frozen(kw_only=True)
class RateLimits:
    """The limits that an answer told of; None for those that it did not mention.

    Attributes:
        requests: requests a minute.
        tokens: the most restrictive token limit in force.
        input_tokens: uncached input tokens a minute.
        output_tokens: output tokens a minute.
        priority_input_tokens: of the Priority Tier.
        priority_output_tokens: of the Priority Tier.
        fast_input_tokens: of fast mode.
        fast_output_tokens: of fast mode.

    """

    requests: RateLimit | None = None
    tokens: RateLimit | None = None
    input_tokens: RateLimit | None = None
    output_tokens: RateLimit | None = None
    priority_input_tokens: RateLimit | None = None
    priority_output_tokens: RateLimit | None = None
    fast_input_tokens: RateLimit | None = None
    fast_output_tokens: RateLimit | None = None


def read_rate_limits(headers: Mapping[str, str]) -> RateLimits:
    """Read the limits from the headers of an answer. Never raises.

    Args:
        headers: names in lower case.

    Returns:
        What they tell; all None for servers that have no such headers.

    """
    return RateLimits(**{a.name: _limit(headers, a.name) for a in fields(RateLimits)})


def _limit(headers: Mapping[str, str], name: str) -> RateLimit | None:
    # "requests" is anthropic-ratelimit-requests-…, "fast_input_tokens" anthropic-fast-input-tokens-…
    name = name.replace("_", "-")
    family = "" if name.startswith(("priority-", "fast-")) else "ratelimit-"
    said = {
        part: headers.get(f"anthropic-{family}{name}-{part}")
        for part in ("limit", "remaining", "reset")
    }
    if not any(said.values()):
        return None
    return RateLimit(_number(said["limit"]), _number(said["remaining"]), _moment(said["reset"]))


def _number(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None


def _moment(text: str | None) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
