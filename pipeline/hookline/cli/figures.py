"""Tokens and dollars, of a reply and of a whole chat, in words."""

from decimal import Decimal

from attrs import define

from hookline.reply import Reply
from hookline.values.usage import Usage, total

__all__ = ["Bill", "figures"]


def figures(reply: Reply) -> str:
    """Return what a reply took: input tokens, output tokens, dollars, and why it ended if unusual.

    Where more was asked than the reply itself, a summary say, the dollars of all of it too.
    """
    parts = [_tokens(reply.usage)]
    if reply.cost is not None:
        parts.append(_dollars(reply.cost))
    if reply.total_cost and reply.total_cost != reply.cost:
        parts.append(f"{_dollars(reply.total_cost)} in all")
    if reply.stop_reason != "end_turn":
        parts.append(str(reply.stop_reason))
    return " · ".join(parts)


@define
class Bill:
    """What a chat has cost so far.

    Attributes:
        replies: how many are counted.
        usage: their tokens.
        cost: the dollars of all that was asked for them, as far as prices are known.
        beside: what of that was for something else than the replies themselves: summaries, second attempts.
        uncounted: replies whose tokens or price are not known.

    """

    replies: int = 0
    usage: Usage | None = None
    cost: Decimal = Decimal(0)
    beside: Decimal = Decimal(0)
    uncounted: int = 0

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.replies += 1
        self.usage = reply.usage if self.usage is None else total((self.usage, reply.usage))
        paid = reply.total_cost
        if paid is None:
            self.uncounted += 1
            return
        self.cost += paid
        if reply.cost is not None:
            self.beside += max(paid - reply.cost, Decimal(0))

    def add_stopped(self) -> None:
        """Count a reply that was stopped: nobody was told what it cost."""
        self.uncounted += 1

    def __str__(self) -> str:
        parts = [f"{self.replies} repl{'y' if self.replies == 1 else 'ies'}"]
        if self.usage is not None:
            parts += [_tokens(self.usage), _dollars(self.cost)]
        if self.beside:
            parts.append(f"{_dollars(self.beside)} of it beside the replies")
        if self.uncounted:
            parts.append(f"the cost of {self.uncounted} is not known")
        return " · ".join(parts)


def _tokens(usage: Usage) -> str:
    return f"{usage.total_input} → {usage.output_tokens} tokens"


def _dollars(cost: Decimal) -> str:
    return f"${cost:.6f}"
