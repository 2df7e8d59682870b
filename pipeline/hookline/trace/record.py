"""What happened in a turn: who changed the request, every attempt, every verdict.

Requests are frozen values, so recording a change costs two references and a number; the difference
is worked out only when somebody looks.
"""

import html
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import Factory, define, field, frozen

from hookline.trace.difference import Show, as_it_is, difference
from hookline.values.messages import Request
from hookline.values.usage import Usage

if TYPE_CHECKING:
    from hookline.models import ModelFacts

__all__ = [
    "AttemptOutcome",
    "AttemptRecord",
    "Change",
    "ToolError",
    "Trace",
    "Verdict",
]

_MILLI: Final = 1000
_STYLE: Final = (
    "body{font:14px system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "details{border-left:3px solid #888;margin:.4em 0;padding:.1em .8em}summary{cursor:pointer}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.4em 0}"
    ".add{color:#16794c}.del{color:#b3261e}.bad{border-color:#b3261e}"
)


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

    def diff(self, shown: Show = as_it_is) -> str:
        """Return what differs between the two bodies, as lines of indented JSON.

        Long texts are shown around the place where they differ, media abridged, secrets as a constant.

        Args:
            shown: what may be shown of JSON: ``trace.shown`` hides what is not for every eye.

        """
        return "\n".join(difference(self.before, self.after, shown))

    def to_dict(self, shown: Show = as_it_is) -> dict[str, Any]:
        """Return the change as JSON-ready values.

        Args:
            shown: see ``diff``.

        """
        return {
            "stage": self.stage,
            "plugin": self.plugin,
            "step": self.step,
            "microseconds": round(self.microseconds, 1),
            "diff": self.diff(shown).splitlines(),
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
        facts: what is known of the model that answered, its prices among it.

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
    facts: "ModelFacts | None" = field(default=None, repr=False, eq=False)

    @property
    def cost(self) -> Decimal | None:
        """US dollars, as far as the API has told of tokens; None if the price is not known."""
        if self.usage is None:
            return Decimal(0)
        if self.facts is None:
            return None
        from hookline.models import price  # noqa: PLC0415 -- only where somebody asks what it cost

        return price(self.usage, self.facts)

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
            "cost": _in_json(self.cost) if usage is not None else None,
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


class _Kept(list[Any]):
    """A list that also writes each thing down in the order in which all of them happened."""

    def __init__(self, items: Any, told: list[Any]) -> None:
        super().__init__(items)
        told.extend(self)
        self._told = told

    def append(self, item: Any) -> None:
        super().append(item)
        self._told.append(item)


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
    _told: list[Any] = field(factory=list, init=False, repr=False)
    _veils: list[Show] = field(factory=list, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for name in ("changes", "attempts", "verdicts", "notes", "tool_errors"):
            setattr(self, name, _Kept(getattr(self, name), self._told))

    def __reduce__(self) -> Any:
        return _restored, (self.timeline,)

    @property
    def cost(self) -> Decimal | None:
        """US dollars of all attempts, or None if a price is not known."""
        costs = [each.cost for each in self.attempts]
        told = [each for each in costs if each is not None]
        return sum(told, Decimal(0)) if len(told) == len(costs) else None

    @property
    def timeline(self) -> tuple[Any, ...]:
        """Changes, attempts, verdicts, notes and failed tools, in the order in which they happened."""
        return tuple(self._told)

    def note(self, plugin: str, text: str) -> None:
        """Add a remark that ``hookline explain`` and logs show."""
        self.notes.append((plugin, text))

    def veil(self, show: Show) -> None:
        """Let requests be shown as a function leaves their JSON, wherever this trace is drawn.

        Args:
            show: gets JSON and returns what may be shown of it.

        """
        if show not in self._veils:
            self._veils.append(show)

    def shown(self, value: Any) -> Any:
        """Return what may be shown of the JSON of a request."""
        for veil in self._veils:
            value = veil(value)
        return value

    def render(self) -> str:
        """Return the whole trace as text for a person."""
        return "\n".join(self._lines())

    def to_dict(self) -> dict[str, Any]:
        """Return the whole trace as JSON-ready values; ``timeline`` has a line for each thing, in order."""
        return {
            "changes": [change.to_dict(self.shown) for change in self.changes],
            "attempts": [attempt.to_dict() for attempt in self.attempts],
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "notes": [{"plugin": plugin, "text": text} for plugin, text in self.notes],
            "tool_errors": [error.to_dict() for error in self.tool_errors],
            "timeline": [_headline(each) for each in self.timeline],
            "cost": _in_json(self.cost),
        }

    def to_html(self, title: str = "Hookline trace") -> str:
        """Return the whole trace as one page that needs nothing besides itself."""
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
            f"<h1>{html.escape(title)}</h1>{self._body()}</html>"
        )

    def _repr_html_(self) -> str:
        return self._body()

    def _body(self) -> str:
        return (
            "".join(_drawn(each, self.shown) for each in self.timeline)
            or "<p>Nothing happened.</p>"
        )

    def _lines(self) -> Iterator[str]:
        for each in self.timeline:
            yield _headline(each)
            if isinstance(each, Change):
                yield from ("    " + line for line in each.diff(self.shown).splitlines())


def _restored(timeline: tuple[Any, ...]) -> Trace:
    """Return the trace of which a timeline is left, for copies and pickles."""
    trace = Trace()
    lists: dict[type, list[Any]] = {
        Change: trace.changes,
        AttemptRecord: trace.attempts,
        Verdict: trace.verdicts,
        ToolError: trace.tool_errors,
    }
    for each in timeline:
        lists.get(type(each), trace.notes).append(each)
    return trace


def _in_json(cost: Decimal | None) -> float | None:
    return None if cost is None else float(cost)


def _headline(each: Any) -> str:
    """Return what happened in one line."""
    if isinstance(each, Change):
        step = f" (step {each.step})" if each.step else ""
        return f"{each.stage} · {each.plugin}{step} · {_time(each.microseconds / 1e6)}"
    if isinstance(each, AttemptRecord):
        outcome = each.error or f"status {each.status}"
        if each.outcome == "interrupted":
            outcome = f"interrupted, {outcome}"
        paid = f" · ${each.cost:.6f}" if each.usage is not None and each.cost is not None else ""
        return f"attempt {each.number} · {each.model} · {_time(each.seconds)} · {outcome}{paid}"
    if isinstance(each, Verdict):
        return f"{each.hook} · {each.plugin} · {each.decision}: {each.reason}"
    if isinstance(each, ToolError):
        return f"tool {each.tool} · {each.tool_use_id} · {each.error}"
    plugin, text = each
    return f"note · {plugin} · {text}"


def _time(seconds: float) -> str:
    """Return a time in the unit that reads well."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds * _MILLI >= 1:
        return f"{seconds * _MILLI:.0f} ms"
    return f"{seconds * _MILLI * _MILLI:.0f} µs"


def _drawn(each: Any, shown: Show) -> str:
    head = html.escape(_headline(each))
    if isinstance(each, Change):
        lines = (
            f'<span class="{_CLASSES.get(line[:1], "")}">{html.escape(line)}</span>'
            for line in each.diff(shown).splitlines()
        )
        return f"<details open><summary>{head}</summary><pre>{chr(10).join(lines)}</pre></details>"
    failed = isinstance(each, Verdict | ToolError) or (
        isinstance(each, AttemptRecord) and each.outcome != "answered"
    )
    return f'<details class="{"bad" if failed else ""}"><summary>{head}</summary></details>'


_CLASSES: Final = {"+": "add", "-": "del"}
