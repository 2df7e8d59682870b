"""The plugin ``cost``: what a turn cost, where the model's prices are known."""

from decimal import Decimal

from attrs import frozen

from hookline import Reply, Turn, Usage, hookimpl
from hookline.plugin import ModelFacts, cost

__all__ = ["Cost"]


@frozen
class Cost:
    """Puts a price on each reply."""

    first = True  # so that those who come later know it
    rewrites_text = False

    @hookimpl
    def post_process(self, turn: Turn, reply: Reply) -> Reply | None:
        """Put a price on the turn so far, where the model's prices are known."""
        total = Decimal(0)
        for response in (*reply.earlier, reply.response):
            if response.headers.get("hookline-cache") == "hit":
                continue  # nobody was asked, nothing is paid
            facts = turn.models.get(response.model)
            price = _price(response.usage, facts) if facts else None
            if price is None:
                return None
            total += price
        return reply.evolve(cost=total)


def _price(usage: Usage, facts: ModelFacts) -> Decimal | None:
    """Return the price of one response, each kind of token at its own rate."""
    written = usage.cache_creation_input_tokens or 0
    hourly = (usage.cache_creation or {}).get("ephemeral_1h_input_tokens") or 0
    return cost(
        facts,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m=max(0, written - hourly),
        cache_write_1h=hourly,
        cache_read=usage.cache_read_input_tokens or 0,
        batch=usage.service_tier == "batch",
        us_only=usage.inference_geo == "us",
    )
