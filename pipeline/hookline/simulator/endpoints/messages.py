"""POST /v1/messages, count_tokens, and the items of a batch."""

import threading
from collections.abc import Callable
from typing import Any, Final

from hookline.models import ModelTable
from hookline.simulator import json
from hookline.simulator.answers.cache import PromptCache
from hookline.simulator.answers.cut import Draft
from hookline.simulator.answers.diagnosis import Diagnoses
from hookline.simulator.answers.reply import draft, last_user_text
from hookline.simulator.answers.signatures import check_signatures
from hookline.simulator.answers.stream import stream_of
from hookline.simulator.answers.usage import usage_of
from hookline.simulator.endpoints.threads import Threads
from hookline.simulator.errors import DEFAULT_MESSAGE, TYPE_OF, ApiError, invalid
from hookline.simulator.exchange import JSON, SSE, Answer, Cut, Headers, Part, Pause, json_answer
from hookline.simulator.identity import Identity
from hookline.simulator.incoming import Incoming
from hookline.simulator.limits import RateLimits
from hookline.simulator.measures.tokens import request_parts, request_tokens
from hookline.simulator.rules.media import Shelf
from hookline.simulator.rules.request import Checked, validate
from hookline.simulator.scenario import Rule, Scenario

_NO_RULE: Final = Rule()


class Messages:
    """Answers requests for messages; keeps which rules were used and what is cached.

    Args:
        scenario: Scripted replies and faults.
        clock: Seconds since 1970.
        models: The models there are.
        shelf: Files and URLs.
        lock: Guards what changes.

    """

    def __init__(
        self,
        scenario: Scenario,
        clock: Callable[[], float],
        models: ModelTable,
        shelf: Shelf,
        lock: threading.RLock,
    ) -> None:
        self._scenario = scenario
        self._models = models
        self._shelf = shelf
        self._lock = lock
        self._calls = 0
        self._used = [0] * len(scenario.rules)
        self._cache = PromptCache(clock)
        self._diagnoses = Diagnoses()
        self._limits = RateLimits(clock)
        self._threads = Threads()

    def create(self, incoming: Incoming) -> Answer:
        """Answer POST /v1/messages, as JSON or as a stream."""
        body = incoming.json()
        with self._lock:
            body = self._threads.whole(body, incoming.betas)
        checked = validate(
            body,
            version=incoming.version,
            betas=incoming.betas,
            models=self._models,
            shelf=self._shelf,
        )
        dropped = check_signatures(checked)
        number, rule = self._pick(checked)
        extra = tuple((name.lower(), value) for name, value in rule.headers.items())
        stream = checked.body.get("stream", False)
        if rule.raw is not None:
            kind = () if "content-type" in dict(extra) else (("content-type", "text/html"),)
            return Answer(rule.status or 200, (*kind, *extra), (rule.raw.encode(),), rule.delay)
        failure = _failure(rule, stream=stream)
        if failure is not None:
            text = failure.body(incoming.identity.make("req"))
            return Answer(failure.status, (JSON, *extra), (text,), rule.delay)
        message = self._message(checked, rule, number, dropped)
        usage = message["usage"]
        fresh = usage["input_tokens"] + (usage["cache_creation_input_tokens"] or 0)
        with self._lock:
            self._threads.keep(checked.body, message)
            limits = self._limits.spend(fresh, usage["output_tokens"])
        headers: Headers = (*limits, *extra)
        if stream:
            parts = tuple(stream_of(message, rule, incoming.betas))
            return Answer(200, (SSE, *headers), parts, rule.delay)
        return Answer(200, (JSON, *headers), _plain(message, rule), rule.delay)

    def count(self, incoming: Incoming) -> Answer:
        """Answer POST /v1/messages/count_tokens."""
        checked = validate(
            incoming.json(),
            version=incoming.version,
            betas=incoming.betas,
            models=self._models,
            shelf=self._shelf,
            endpoint="count",
        )
        total = request_tokens(tuple(request_parts(checked.body, checked.pictures)), checked.body)
        result: dict[str, Any] = {"input_tokens": total}
        if checked.body.get("context_management"):
            result["context_management"] = {"original_input_tokens": total}
        with self._lock:
            limits = self._limits.spend()
        return json_answer(result, limits)

    def run_item(self, params: Any, version: str, betas: frozenset[str]) -> dict[str, Any]:
        """Run one batch item.

        Args:
            params: The request, unchecked.
            version: The batch's ``anthropic-version``.
            betas: The batch's beta headers.

        Returns:
            The message.

        Raises:
            ApiError: Where the API would report an errored item.

        """
        checked = validate(
            params,
            version=version,
            betas=betas,
            models=self._models,
            shelf=self._shelf,
            endpoint="batch",
        )
        if checked.body.get("speed") == "fast":  # wording approximate
            raise invalid("speed: fast mode is not supported in the Message Batches API")
        dropped = check_signatures(checked)
        number, rule = self._pick(checked)
        failure = _failure(rule, stream=False)
        if failure is not None:
            raise failure
        return self._message(checked, rule, number, dropped, tier="batch")

    def _pick(self, checked: Checked) -> tuple[int, Rule]:
        """Count the call, and take the first rule that matches and is not used up."""
        body = checked.body
        text = last_user_text(body)
        with self._lock:
            self._calls += 1
            for place, rule in enumerate(self._scenario.rules):
                left = rule.times is None or self._used[place] < rule.times
                if left and rule.matches(
                    text=text,
                    model=body["model"],
                    call=self._calls,
                    stream=body.get("stream", False),
                ):
                    self._used[place] += 1
                    return self._calls, rule
            return self._calls, _NO_RULE

    def _message(
        self,
        checked: Checked,
        rule: Rule,
        number: int,
        dropped: tuple[dict[str, Any], ...],
        *,
        tier: str = "standard",
    ) -> dict[str, Any]:
        body = checked.body
        # A streamed request and a plain one get the same message, ids included.
        same = {key: value for key, value in body.items() if key != "stream"}
        identity = Identity.of(number, json.dumps(same))
        parts = tuple(request_parts(body, checked.pictures))
        total = request_tokens(parts, body)
        if total > checked.facts.context:
            raise invalid(f"prompt is too long: {total} tokens > {checked.facts.context} maximum")
        made = draft(checked, rule, identity, total)
        with self._lock:
            cached = self._cache.account(parts, checked, total)
        message: dict[str, Any] = {
            "id": identity.make("msg"),
            "type": "message",
            "role": "assistant",
            "model": _served_by(made, checked.facts.id),
            "content": list(made.blocks),
            "stop_reason": made.stop_reason,
            "stop_sequence": made.stop_sequence,
            "stop_details": _stop_details(made.stop_reason, rule),
            "usage": {**usage_of(checked, made, total, cached, tier), **(rule.usage or {})},
        }
        if body.get("diagnostics") is not None:
            with self._lock:
                message["diagnostics"] = self._diagnoses.of(body, message["id"], total)
        if body.get("context_management"):
            message["context_management"] = {"applied_edits": []}
        if dropped:
            message["input_transformations"] = list(dropped)
        return message


def _served_by(made: Draft, asked: str) -> str:
    """Return who wrote the reply: after a server-side fallback the last model that took over."""
    hops = [block["to"]["model"] for block in made.blocks if block["type"] == "fallback"]
    return hops[-1] if hops else asked


def _plain(message: dict[str, Any], rule: Rule) -> tuple[Part, ...]:
    body = json.dumps(message)
    half = len(body) // 2
    if rule.cut_after is not None:
        return (body[:half], Cut())
    if rule.drip:
        return (body[:half], Pause(rule.drip), body[half:])
    return (body,)


def _failure(rule: Rule, *, stream: bool) -> ApiError | None:
    """Return the error that a rule wants as the whole answer, if it does."""
    if rule.status is not None and rule.status >= 400:  # noqa: PLR2004 - HTTP's own line
        kind = rule.error_type or TYPE_OF.get(rule.status, "api_error")
        text = rule.message or DEFAULT_MESSAGE.get(kind, "Simulated error")
        return ApiError(kind, text, status=rule.status, details=rule.details)
    if rule.error_event is not None and not stream:
        return ApiError(rule.error_event["type"], rule.error_event["message"])
    return None


def _stop_details(reason: str, rule: Rule) -> dict[str, Any] | None:
    if reason != "refusal":
        return None
    return {"type": "refusal", "category": None, "explanation": None, **(rule.stop_details or {})}
