"""What happened in a turn: who changed the request, every attempt, every verdict.

Requests are frozen values, so recording a change costs two references and a number; the difference
is worked out only when somebody looks.
"""

import difflib
import json
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from attrs import Factory, define, field, frozen

from hookline.values.blocks import Block, ToolResultBlock, UnknownBlock
from hookline.values.messages import Request
from hookline.values.pictures.survey import Medium, total_tokens
from hookline.values.pictures.tokens import TokenRange
from hookline.values.redaction import redacted
from hookline.values.usage import Usage

__all__ = [
    "AttemptOutcome",
    "AttemptRecord",
    "Change",
    "Explanation",
    "ToolError",
    "Trace",
    "Verdict",
]

_SHOWN = 120  # characters of one string in a rendered difference; an image is megabytes of base64


@frozen
class Change:
    """One plugin returned another request than it was given.

    Attributes:
        stage: the hook, for example ``"build_history"``.
        plugin: the plugin's name.
        before: the request it was given.
        after: the request it returned.
        microseconds: how long the hook took.
        step: which step of the turn.

    """

    stage: str
    plugin: str
    before: Request
    after: Request
    microseconds: float
    step: int

    def diff(self) -> str:
        """Return a unified diff of the two bodies as indented JSON, long strings shortened."""
        lines = difflib.unified_diff(_pretty(self.before), _pretty(self.after), lineterm="", n=2)
        body = list(lines)[2:]  # the two file-name lines say nothing here
        return "\n".join(line for line in body if not line.startswith("@@"))

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON-ready values."""
        return {
            "stage": self.stage,
            "plugin": self.plugin,
            "step": self.step,
            "microseconds": round(self.microseconds, 1),
            "diff": self.diff().splitlines(),
        }


AttemptOutcome: TypeAlias = Literal["answered", "refused", "failed", "interrupted"]
"""Answered to the end; refused by the API with an error; no answer; an answer that broke off."""


@frozen
class AttemptRecord:
    """One HTTP exchange, from its beginning to its real end.

    Attributes:
        number: 1 for the first of the turn.
        step: which step of the turn it belonged to.
        model: the model asked.
        seconds: until the end of the answer; in a stream, of its last event.
        latency: seconds until the answer, or until the first event of a stream.
        outcome: ``"answered"``, ``"refused"``, ``"failed"`` or ``"interrupted"``.
        status: the HTTP status, or None if there was no answer.
        request_id: the API's id of the exchange, if it gave one.
        error: the class name and text of the failure, or None.
        usage: the tokens it cost, as far as the API has told.
        answered_by: the model that answered, if one did.
        upstream: the base URL it went to.

    """

    number: int
    step: int
    model: str
    seconds: float
    latency: float = 0.0
    outcome: AttemptOutcome = "answered"
    status: int | None = None
    request_id: str | None = None
    error: str | None = None
    usage: Usage | None = None
    answered_by: str | None = None
    upstream: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the attempt as JSON-ready values."""
        usage = self.usage
        return {
            "number": self.number,
            "step": self.step,
            "model": self.model,
            "upstream": self.upstream,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 4),
            "latency": round(self.latency, 4),
            "status": self.status,
            "request_id": self.request_id,
            "error": self.error,
            "input_tokens": usage.total_input if usage is not None else None,
            "output_tokens": usage.output_tokens if usage is not None else None,
        }


@frozen
class Verdict:
    """What a check, or an enforcer in shadow, said.

    Attributes:
        plugin: who judged.
        hook: in which hook.
        decision: ``"refused"``, or ``"would refuse"`` and ``"would change"`` in shadow.
        reason: the text of the violation.
        rule: the short name of the rule, if it has one.
        evidence: where it was broken, without what stands there.

    """

    plugin: str
    hook: str
    decision: Literal["refused", "would refuse", "would change"]
    reason: str
    rule: str = ""
    evidence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-ready values."""
        return {
            "plugin": self.plugin,
            "hook": self.hook,
            "decision": self.decision,
            "reason": self.reason,
            "rule": self.rule,
            "evidence": self.evidence,
        }


@frozen
class ToolError:
    """A tool that failed; the model was told, and its developer should know.

    Attributes:
        tool: the tool's name.
        tool_use_id: the call that failed.
        error: class name and text of what it raised.
        traceback: where it was raised; no values of variables.

    """

    tool: str
    tool_use_id: str
    error: str
    traceback: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as JSON-ready values."""
        return {"tool": self.tool, "tool_use_id": self.tool_use_id, "error": self.error}


@define(eq=False)
class Trace:
    """The record of one turn, in the order in which things happened.

    Attributes:
        changes: every change of the request.
        attempts: every HTTP exchange.
        verdicts: every refusal, and what shadows would have done.
        notes: remarks of plugins for the reader (``plugin``, ``text``).
        tool_errors: every tool that failed.

    """

    changes: list[Change] = field(default=Factory(list))
    attempts: list[AttemptRecord] = field(default=Factory(list))
    verdicts: list[Verdict] = field(default=Factory(list))
    notes: list[tuple[str, str]] = field(default=Factory(list))
    tool_errors: list[ToolError] = field(default=Factory(list))

    def note(self, plugin: str, text: str) -> None:
        """Add a remark that ``hookline explain`` and logs show."""
        self.notes.append((plugin, text))

    def render(self) -> str:
        """Return the whole trace as text for a person."""
        return "\n".join(self._lines())

    def to_dict(self) -> dict[str, Any]:
        """Return the whole trace as JSON-ready values."""
        return {
            "changes": [change.to_dict() for change in self.changes],
            "attempts": [attempt.to_dict() for attempt in self.attempts],
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "notes": [{"plugin": plugin, "text": text} for plugin, text in self.notes],
            "tool_errors": [error.to_dict() for error in self.tool_errors],
        }

    def _lines(self) -> Iterator[str]:
        for change in self.changes:
            step = f" (step {change.step})" if change.step else ""
            yield f"{change.stage} · {change.plugin}{step} · {change.microseconds:.0f} µs"
            yield from ("    " + line for line in change.diff().splitlines())
        for attempt in self.attempts:
            outcome = attempt.error or f"status {attempt.status}"
            if attempt.outcome == "interrupted":
                outcome = f"interrupted, {outcome}"
            yield f"attempt {attempt.number} · {attempt.model} · {attempt.seconds:.3f} s · {outcome}"
        for verdict in self.verdicts:
            yield f"{verdict.hook} · {verdict.plugin} · {verdict.decision}: {verdict.reason}"
        for error in self.tool_errors:
            yield f"tool {error.tool} · {error.tool_use_id} · {error.error}"
        for plugin, text in self.notes:
            yield f"note · {plugin} · {text}"


@frozen
class Explanation:
    """What ``explain`` found: the request that would leave, and how it came about.

    Attributes:
        request: as it would be sent.
        trace: who changed what.
        media: its images and documents, and what they cost.

    """

    request: Request
    trace: Trace
    media: tuple[Medium, ...] = ()

    @property
    def media_tokens(self) -> TokenRange:
        """What the images and documents cost together, as far as it is known before."""
        return total_tokens(self.media)

    def render(self) -> str:
        """Return it as text for a person."""
        body = "\n".join("    " + line for line in _pretty(self.request))
        media = "".join(f"{each}\n" for each in self.media)
        return f"{self.trace.render()}\n{media}would be sent:\n{body}".lstrip("\n")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "trace": self.trace.to_dict(),
            "media": [each.to_dict() for each in self.media],
            "request": json.loads("\n".join(_pretty(self.request))),
        }


def _pretty(request: Request) -> list[str]:
    from hookline.wire.codec import unstructure  # noqa: PLC0415 -- drawing a trace is rare; building one must not load cattrs

    messages = [message.evolve(content=_described(message.content)) for message in request.messages]
    body = _shorten(redacted(unstructure(request.evolve(messages=messages))))
    return json.dumps(body, indent=2, ensure_ascii=False, default=str).splitlines()


def _shorten(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) <= _SHOWN:
            return value
        return f"{value[:_SHOWN]}… ({len(value):,} characters)"
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shorten(item) for item in value]
    return value


def _described(content: Any) -> Any:
    """Return content with attachments that nobody has resolved yet as blocks that say so."""
    if not isinstance(content, tuple):
        return content
    described: list[Block] = []
    for block in content:
        if not block.resolved:
            described.append(
                UnknownBlock(block.type, {"type": block.type, "as given": repr(block)})
            )
        elif isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
            described.append(block.evolve(content=_described(block.content)))
        else:
            described.append(block)
    return tuple(described)
