"""What changes: the recorded exchange beside what another configuration makes of it."""

import difflib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from attrs import frozen

from hookline.cli.replay.recorded import Recorded
from hookline.cli.replay.rehearsal import Outcome
from hookline.errors import PolicyViolation
from hookline.models import ModelTable
from hookline.plugin.estimate import estimate
from hookline.trace.difference import difference
from hookline.values.blocks import ToolUseBlock
from hookline.values.frozen import thaw
from hookline.values.messages import Response
from hookline.values.usage import total

__all__ = ["Comparison", "Spent", "compared"]

Decision: TypeAlias = Literal["allow", "refuse", "fail"]


@frozen
class Spent:
    """What an exchange took.

    Attributes:
        input_tokens: of every kind.
        output_tokens: None where no response is known.
        cost: US dollars, or None where a price is not known.
        about: whether the input is estimated.

    """

    input_tokens: int
    output_tokens: int | None
    cost: Decimal | None
    about: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": None if self.cost is None else float(self.cost),
            "estimated": self.about,
        }


@frozen
class Comparison:
    """One exchange, before and after.

    Attributes:
        where: file and line.
        decision: ``allow``; ``refuse`` by a policy; ``fail`` for any other error.
        error: why.
        by: the plugin or the rule that refused.
        plugins: those that changed the request, in their order.
        request_diff: lines of the difference in what leaves.
        reply_diff: lines of the difference in the reply's text and structure.
        notes: remarks: what shadows said, which tools were not run.
        was: what it took when it was recorded.
        now: what it takes.

    """

    where: str
    decision: Decision
    error: str
    by: str
    plugins: tuple[str, ...]
    request_diff: tuple[str, ...]
    reply_diff: tuple[str, ...]
    notes: tuple[str, ...]
    was: Spent
    now: Spent

    @property
    def changed(self) -> bool:
        """Whether anything is other than it was."""
        return self.decision != "allow" or bool(self.request_diff or self.reply_diff)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "request": self.where,
            "changed": self.changed,
            "decision": self.decision,
            "by": self.by or None,
            "reason": self.error or None,
            "plugins": list(self.plugins),
            "request_diff": list(self.request_diff),
            "reply_diff": list(self.reply_diff),
            "notes": list(self.notes),
            "was": self.was.to_dict(),
            "now": self.now.to_dict(),
        }


def compared(given: Recorded, outcome: Outcome, models: ModelTable, *, sent: bool) -> Comparison:
    """Compare an exchange with what has become of it.

    Args:
        given: as it was recorded, under its own model.
        outcome: as it would be, or is.
        models: facts about models, for tokens and prices.
        sent: whether it was really sent, so that tokens are known.

    """
    error = outcome.error
    return Comparison(
        where=given.where,
        decision=_decision(error),
        error=str(error) if error is not None else "",
        by=_by(error),
        plugins=tuple(dict.fromkeys(each.plugin for each in outcome.trace.changes)),
        request_diff=tuple(difference(given.request.evolve(stream=None), outcome.request)),
        reply_diff=tuple(_reply_diff(given, outcome)),
        notes=tuple(_notes(given, outcome)),
        was=_spent_then(given, models),
        now=_spent_really(outcome) if sent else _spent_perhaps(given, outcome, models),
    )


def _decision(error: BaseException | None) -> Decision:
    if error is None:
        return "allow"
    return "refuse" if isinstance(error, PolicyViolation) else "fail"


def _by(error: BaseException | None) -> str:
    if isinstance(error, PolicyViolation):
        return error.rule or error.plugin or ""
    return getattr(error, "plugin", None) or (type(error).__name__ if error is not None else "")


def _notes(given: Recorded, outcome: Outcome) -> Iterator[str]:
    if given.hashed:
        yield "only the hash of an image or document was kept; the smallest of its kind stood for it"
    for verdict in outcome.trace.verdicts:
        if verdict.decision != "refused":
            yield f"in shadow, {verdict.rule or verdict.plugin} {verdict.decision}: {verdict.reason}"
    for plugin, text in outcome.trace.notes:
        yield f"{plugin}: {text}"
    if outcome.following:
        yield f"{outcome.following} would go on with another step"


def _reply_diff(given: Recorded, outcome: Outcome) -> Iterator[str]:
    """Yield how the reply's text differs; whoever refused has given none."""
    if given.response is None or outcome.reply is None:
        return
    before, after = given.response.text, outcome.reply.text
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    yield from (line for line in list(lines)[2:] if not line.startswith("@@"))
    calls = [
        [f"{call.name}({json.dumps(thaw(call.input), ensure_ascii=False)})" for call in content]
        for content in (_calls(given.response), _calls(outcome.reply.response))
    ]
    if calls[0] != calls[1]:
        yield from (f"-{call}" for call in calls[0])
        yield from (f"+{call}" for call in calls[1])


def _calls(response: Response) -> list[ToolUseBlock]:
    return [block for block in response.content if isinstance(block, ToolUseBlock)]


def _spent_then(given: Recorded, models: ModelTable) -> Spent:
    if given.response is None:
        about = round(estimate(given.request, models.get(given.request.model)))
        return Spent(about, None, None, about=True)
    usage = given.response.usage
    cost = models.price([(given.response.model, usage)])
    return Spent(usage.total_input, usage.output_tokens, cost)


def _spent_really(outcome: Outcome) -> Spent:
    attempts = [each for each in outcome.trace.attempts if each.usage is not None]
    usage = total([each.usage for each in attempts if each.usage is not None])
    return Spent(usage.total_input, usage.output_tokens, outcome.cost)


def _spent_perhaps(given: Recorded, outcome: Outcome, models: ModelTable) -> Spent:
    """Return what the request would take: as it did, but for what has been edited and the model."""
    if not outcome.left:  # refused before it could cost anything
        return Spent(0, 0, Decimal(0))
    asked, now = given.request, outcome.request
    facts = models.get(now.model)
    more = round(estimate(now, facts) - estimate(asked, models.get(asked.model)))
    if given.response is None:
        then = _spent_then(given, models)
        return Spent(max(0, then.input_tokens + more), None, None, about=True)
    usage = given.response.usage
    usage = usage.evolve(input_tokens=max(0, usage.input_tokens + more))
    answering = given.response.model if now.model == asked.model else now.model
    cost = models.price([(answering, usage)])
    about = bool(more) or answering != given.response.model
    return Spent(usage.total_input, usage.output_tokens, cost, about=about)
