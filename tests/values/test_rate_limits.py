"""Rate limits as values: whatever the headers hold."""

import datetime as dt
from typing import Any

import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from hookline import RateLimit, RateLimits
from hookline.values.rate_limits import read_rate_limits

NAMES = {
    "requests": "anthropic-ratelimit-requests",
    "tokens": "anthropic-ratelimit-tokens",
    "input_tokens": "anthropic-ratelimit-input-tokens",
    "output_tokens": "anthropic-ratelimit-output-tokens",
    "priority_input_tokens": "anthropic-priority-input-tokens",
    "priority_output_tokens": "anthropic-priority-output-tokens",
    "fast_input_tokens": "anthropic-fast-input-tokens",
    "fast_output_tokens": "anthropic-fast-output-tokens",
}
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def test_every_limit_has_a_header() -> None:
    assert [a.name for a in fields(RateLimits)] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_read_from_its_own_headers(name: str) -> None:
    header = NAMES[name]
    found = read_rate_limits(
        {
            f"{header}-limit": "4000",
            f"{header}-remaining": "3999",
            f"{header}-reset": "2026-11-23T12:00:00Z",
        }
    )
    assert found == RateLimits(**{name: RateLimit(4000, 3999, NOON)})


def test_without_headers_nothing_is_known() -> None:
    assert read_rate_limits({}) == RateLimits()


def test_a_limit_may_be_told_in_part() -> None:
    found = read_rate_limits({"anthropic-ratelimit-tokens-remaining": "7"})
    assert found.tokens == RateLimit(None, 7, None)


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "1_000", "٣", "9" * 5000, " "])
def test_a_number_that_makes_no_sense_is_none(text: str) -> None:
    found = read_rate_limits({"anthropic-ratelimit-requests-limit": text})
    assert found.requests == RateLimit()


def test_a_moment_without_a_zone_is_utc() -> None:
    found = read_rate_limits({"anthropic-ratelimit-requests-reset": "2026-11-23T12:00:00"})
    assert found.requests == RateLimit(reset=NOON)


@given(st.text(), st.text())
def test_nonsense_never_raises(number: str, moment: str) -> None:
    header = NAMES["fast_input_tokens"]
    found = read_rate_limits({f"{header}-limit": number, f"{header}-reset": moment})
    limit = found.fast_input_tokens
    assert limit is None or limit.limit is None or limit.limit >= 0
    assert limit is None or limit.reset is None or limit.reset.tzinfo is not None


def test_replies_and_responses_have_them(run: Any) -> None:
    reply = run.send(line={})
    assert reply.rate_limits == reply.response.rate_limits
    assert reply.rate_limits.requests.limit == 4000
    assert reply.rate_limits.requests.reset.tzinfo is not None
    assert reply.rate_limits.fast_input_tokens is None


def test_a_reset_without_a_zone_is_utc() -> None:
    """In every zone that the machine may be in."""
    name = "anthropic-ratelimit-tokens-reset"
    now = dt.datetime(2026, 11, 26, 10, 0, tzinfo=dt.UTC)
    for text, left in (
        ("2026-11-26T10:00:30", 30.0),
        ("2026-11-26T10:00:30Z", 30.0),
        ("2026-11-26T12:00:30+02:00", 30.0),
        ("2026-11-26T09:00:00Z", 0.0),
        ("soon", None),
    ):
        tokens = read_rate_limits({name: text}).tokens
        assert tokens is not None
        assert tokens.seconds_left(now) == left
