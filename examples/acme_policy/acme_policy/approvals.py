"""Tools that move money run only once somebody has approved the very call."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from hookline import PolicyViolation, ToolUseBlock, Turn, hookimpl
from hookline.plugin import option

__all__ = ["Approvals"]


def _mapping(value: Mapping[str, Any]) -> Mapping[str, float]:
    return {tool: float(limit) for tool, limit in value.items()}


@frozen
class Approvals:
    """Refuses calls above a limit that nobody has approved.

    Whoever calls says in ``context`` what was approved: ``{"approved": ["toolu_…"]}``. The ids are the
    model's, so an approval is for one call and not for the next.

    Attributes:
        limits: per tool, the amount up to which it runs by itself.
        amount: the field of the tool's input that holds the amount.

    """

    role = "enforcer"
    inline = True

    limits: Mapping[str, float] = field(factory=dict, converter=_mapping)
    amount: str = field(default="amount", metadata=option())

    @hookimpl
    def check_tool(self, turn: Turn, call: ToolUseBlock) -> None:
        """Refuse what is too much, or no amount at all."""
        limit = self.limits.get(call.name)
        if limit is None or call.id in turn.context.get("approved", ()):
            return
        amount = call.input.get(self.amount)
        if (
            isinstance(amount, bool)
            or not isinstance(amount, int | float)
            or not 0 <= amount <= limit
        ):
            raise PolicyViolation(
                f"{call.name} beyond {limit:g} needs an approval of call {call.id}", rule="approval"
            )
