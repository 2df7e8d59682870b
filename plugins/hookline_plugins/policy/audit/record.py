"""What the record of a turn says."""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from hookline import APIError, HooklineError, PolicyViolation, Reply, Request, Turn
from hookline.plugin import Outcome
from hookline.trace import AttemptRecord
from hookline.values import redacted
from hookline.wire import dumps, encode_request, loads, unstructure

__all__ = ["Shown", "record_of"]

Shown = Callable[[Any], Any] | None
"""How JSON, and texts, are shown in a record: as a function leaves them, or, for None, not at all."""

_TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
)


def record_of(
    turn: Turn, outcome: Outcome, now: float, shown: Shown, digest: Callable[[bytes], str]
) -> bytes:
    """Return the record of a turn that is over, as JSON.

    Args:
        turn: the journey.
        outcome: how it ended.
        now: seconds of the Unix epoch.
        shown: how texts are shown.
        digest: what stands for a content.

    """
    who, request, reply = turn.principal, turn.request, outcome.reply
    cost = outcome.cost
    body = _body(request)
    usage = outcome.usage if any(each.usage for each in outcome.attempts) else None
    record: dict[str, Any] = {
        "time": dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="milliseconds"),
        "turn": turn.id,
        "surface": turn.surface,
        "stream": turn.stream,
        "name": _text(turn.name, shown),
        "user": who.user,
        "team": who.team,
        "tenant": who.tenant,
        "tags": redacted(who.tags),
        "outcome": _outcome(outcome),
        "error": _error(outcome.error, shown),
        "destination": turn.upstream,
        "model": request.model if request is not None else None,
        "answered_by": reply.model if reply is not None else None,
        "stop_reason": reply.stop_reason if reply is not None else None,
        "usage": {name: getattr(usage, name) for name in _TOKENS} if usage is not None else None,
        "cost": None if cost is None else f"{cost:f}",
        "attempts": [_attempt(each, shown) for each in outcome.attempts],
        "verdicts": [each.to_dict() for each in turn.trace.verdicts],
        "notes": [f"{plugin}: {text}" for plugin, text in turn.trace.notes],
        "plugins": turn.plugins,
        "policies": turn.policies,
        "digests": {
            "request": digest(body) if body is not None else None,
            "reply": digest(_reply_bytes(reply)) if reply is not None else None,
        },
    }
    if shown is not None:
        record["content"] = {
            "request": _shown(loads(body), shown) if body is not None else None,
            "reply": reply.text and shown(reply.text) if reply is not None else None,
            "tool_uses": _shown([unstructure(each) for each in reply.tool_uses], shown)
            if reply is not None
            else None,
        }
    return dumps(record)


def _body(request: Request | None) -> bytes | None:
    if request is None:
        return None
    try:
        return encode_request(request)
    except HooklineError:  # a turn that was refused before its attachments were read
        return None


def _reply_bytes(reply: Reply) -> bytes:
    return dumps([unstructure(block) for block in reply.response.content])


def _outcome(outcome: Outcome) -> str:
    error = outcome.error
    if error is None:
        return "answered"
    if isinstance(error, PolicyViolation):
        return "refused"
    # Whoever left, or was cancelled, left by something that is no Exception.
    return "failed" if isinstance(error, Exception) else "abandoned"


def _error(error: BaseException | None, shown: Shown) -> dict[str, Any] | None:
    if error is None:
        return None
    told: dict[str, Any] = {"type": type(error).__name__}
    if isinstance(error, PolicyViolation):
        told |= {"plugin": error.plugin, "rule": error.rule, "text": str(error)}
    else:  # it may quote what was sent
        told["text"] = _text(str(error), shown)
    if isinstance(error, APIError):
        told |= {"status": error.status, "request_id": error.request_id}
    return told


def _attempt(attempt: AttemptRecord, shown: Shown) -> dict[str, Any]:
    told = attempt.to_dict() | {"answered_by": attempt.answered_by}
    if attempt.error is not None and shown is None:
        told["error"] = attempt.error.partition(":")[0]
    return told


def _text(text: str, shown: Shown) -> str | None:
    return shown(text) if shown is not None else None


def _shown(value: Any, shown: Callable[[Any], Any]) -> Any:
    """Return JSON with its texts as they are shown, without credentials and without media."""

    def each(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("type") == "base64" and isinstance(value.get("data"), str):
                return value | {"data": f"({len(value['data'])} characters)"}
            return {key: each(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [each(item) for item in value]
        return value

    return shown(each(redacted(value)))
