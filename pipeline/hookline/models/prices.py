"""What a call costs: each kind of token at its own rate (facts 9.1)."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hookline.models.facts import ModelFacts

if TYPE_CHECKING:
    from hookline.values.usage import Usage

__all__ = ["cost", "price"]

_MILLION: Final = Decimal(1_000_000)
_BATCH_RATE: Final = Decimal("0.5")
_US_ONLY_RATE: Final = Decimal("1.1")


def cost(
    facts: ModelFacts,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_write_5m: int = 0,
    cache_write_1h: int = 0,
    cache_read: int = 0,
    batch: bool = False,
    us_only: bool = False,
) -> Decimal | None:
    """Price one call.

    Args:
        facts: The model.
        input_tokens: Uncached input tokens.
        output_tokens: Output tokens, thinking included.
        cache_write_5m: Input tokens written to the five-minute cache.
        cache_write_1h: Input tokens written to the one-hour cache.
        cache_read: Input tokens read from the cache.
        batch: Whether it was a batch item (half price).
        us_only: Whether ``inference_geo`` was ``us`` (1.1 times, on 4.6 and later).

    Returns:
        The price in USD, exact; None where the model's prices are not published.

    """
    if facts.prices is None:
        return None
    prompt = input_tokens + cache_write_5m + cache_write_1h + cache_read
    prices = facts.prices.for_prompt(prompt)
    total = input_tokens * prices.input + output_tokens * prices.output
    if prompt != input_tokens:  # most calls use no cache
        total += (
            cache_write_5m * prices.cache_write_5m
            + cache_write_1h * prices.cache_write_1h
            + cache_read * prices.cache_read
        )
    total /= _MILLION
    if batch:
        total *= _BATCH_RATE
    if us_only and not facts.prefill:  # the models that still take a prefill are those before 4.6
        total *= _US_ONLY_RATE
    return total


def price(usage: "Usage", facts: ModelFacts) -> Decimal | None:
    """Return the price of one answer, each kind of token at its own rate.

    Compactions on the way, which the totals leave out, are counted. What the API charges for its tools
    (searches, containers) is not: nobody has told us these prices.

    Args:
        usage: as the API told it.
        facts: of the model that answered.

    Returns:
        US dollars, exact; None where the model's prices are not published, or those of its fast mode.

    """
    if usage.speed == "fast":
        return None
    batch, us_only = usage.service_tier == "batch", usage.inference_geo == "us"
    total = _price_of_counts(usage, facts, batch=batch, us_only=us_only)
    for each in usage.compactions:
        paid = _price_of_counts(each, facts, batch=batch, us_only=us_only)
        total = None if total is None or paid is None else total + paid
    return total


def _price_of_counts(
    usage: "Usage", facts: ModelFacts, *, batch: bool, us_only: bool
) -> Decimal | None:
    apart = usage.cache_creation or {}
    hourly = apart.get("ephemeral_1h_input_tokens") or 0
    brief = apart.get("ephemeral_5m_input_tokens") or 0
    written = max(usage.cache_creation_input_tokens or 0, hourly + brief)
    return cost(
        facts,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m=max(0, written - hourly),
        cache_write_1h=hourly,
        cache_read=usage.cache_read_input_tokens or 0,
        batch=batch,
        us_only=us_only,
    )
