"""The simulator itself: routes a call, checks it, answers it. No I/O, no threads of its own."""

import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from attrs import frozen

from hookline import _json
from hookline.models import ModelTable, load_models
from hookline.simulator.batches import Batches
from hookline.simulator.betas import read_betas
from hookline.simulator.cache import PromptCache
from hookline.simulator.catalogue import get_model, list_models
from hookline.simulator.errors import TYPE_OF, ApiError, DEFAULT_MESSAGE, invalid, not_found
from hookline.simulator.exchange import Answer, Call, Cut, Headers, Part, Pause
from hookline.simulator.files import Files
from hookline.simulator.identity import Identity
from hookline.simulator.limits import rate_limit_headers
from hookline.simulator.reply import draft, last_user_text
from hookline.simulator.scenario import Rule, Scenario
from hookline.simulator.signatures import check_signatures
from hookline.simulator.stream import stream_of
from hookline.simulator.tokens import request_parts, request_tokens
from hookline.simulator.usage import usage_of
from hookline.simulator.validate import VERSIONS, Checked, validate

_MAX_BODY: Final = 32 * 1024 * 1024
_MAX_BATCH_BODY: Final = 256 * 1024 * 1024
_MAX_FILE_BODY: Final = 500 * 1024 * 1024 + 64 * 1024
_ORGANIZATION: Final = "00000000-0000-4000-8000-00000000051a"
_WORKSPACE: Final = "wrkspc_01simulator"
_JSON: Final = ("content-type", "application/json")
_SSE: Final = ("content-type", "text/event-stream; charset=utf-8")


@frozen
class _Known:
    """What the headers of a call say.

    Args:
        call: The call.
        version: Its ``anthropic-version``.
        betas: Its beta headers.
        number: The number of the call, from 1.
        identity: Where its ids come from.

    """

    call: Call
    version: str
    betas: frozenset[str]
    number: int
    identity: Identity


_Handler = Callable[["Simulator", _Known, str], Answer]


class Simulator:
    """A strict, deterministic, local Messages API.

    One simulator may be used from many threads.

    Args:
        scenario: Scripted replies and faults.
        clock: Gives the time in seconds since 1970; batches and headers go by it.
        models: The models there are; those that ship with Hookline by default.
        api_keys: The keys that are accepted; any non-empty key by default.
        batch_seconds: How long a batch takes; more than a day lets it expire.
        base_url: What links to batch results begin with; the call's own host by default.

    Example:
        >>> simulator = Simulator(Scenario.of(Rule(reply="Hello!")))
        >>> simulator.handle(Call("POST", "/v1/messages", headers, body)).status
        200

    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        clock: Callable[[], float] = time.time,
        models: ModelTable | None = None,
        api_keys: Collection[str] | None = None,
        batch_seconds: float = 0.0,
        base_url: str | None = None,
    ) -> None:
        self._scenario = Scenario() if scenario is None else scenario
        self._clock = clock
        self._models = load_models() if models is None else models
        self._api_keys = None if api_keys is None else frozenset(api_keys)
        self._base_url = base_url
        self._lock = threading.RLock()
        self._calls = 0
        self._message_calls = 0
        self._used = [0] * len(self._scenario.rules)
        self._cache = PromptCache(clock)
        self._files = Files(clock, self._scenario.urls)
        self._batches = Batches(clock, batch_seconds, self._run_item)

    @property
    def models(self) -> ModelTable:
        """The models that it serves."""
        return self._models

    def handle(self, call: Call) -> Answer:
        """Answer one HTTP request.

        Args:
            call: The request.

        Returns:
            The answer; errors are answers too, nothing is raised for bad input.

        """
        with self._lock:
            self._calls += 1
            number = self._calls
        identity = Identity.of(number, call.method.encode(), call.path.encode(), call.body)
        request_id = identity.make("req")
        try:
            answer = self._route(call, number, identity)
        except ApiError as error:
            answer = Answer(
                error.status, (_JSON, *error.headers), (error.body(request_id),)
            )
        return Answer(
            answer.status,
            (*answer.headers, *self._common_headers(request_id)),
            answer.body,
            answer.delay,
        )

    def _common_headers(self, request_id: str) -> Headers:
        return (
            ("request-id", request_id),
            ("anthropic-organization-id", _ORGANIZATION),
            ("anthropic-workspace-id", _WORKSPACE),
        )

    def _route(self, call: Call, number: int, identity: Identity) -> Answer:
        path = call.route.rstrip("/")
        allowed = [(method, match, handler) for method, pattern, handler in _ROUTES
                   if (match := pattern.fullmatch(path))]
        if not allowed:
            raise not_found("Not found")
        for method, match, handler in allowed:
            if method == call.method.upper():
                known = self._read_headers(call, number, identity)
                return handler(self, known, match.groupdict().get("id") or "")
        raise ApiError("invalid_request_error", "Method Not Allowed", status=405)

    def _read_headers(self, call: Call, number: int, identity: Identity) -> _Known:
        self._authenticate(call)
        version = call.header("anthropic-version")
        if not version:
            raise invalid("anthropic-version: header is required")
        if version not in VERSIONS:
            raise invalid(f"anthropic-version: \"{version}\" is not a valid version")
        betas = read_betas(call.header_values("anthropic-beta"))
        return _Known(call, version, betas, number, identity)

    def _authenticate(self, call: Call) -> None:
        key = call.header("x-api-key")
        bearer = call.header("authorization") or ""
        scheme, _, token = bearer.partition(" ")
        if key is None and scheme.lower() == "bearer":
            key = token.strip()
        if key is None:
            raise ApiError("authentication_error", "x-api-key header is required")
        if not key or (self._api_keys is not None and key not in self._api_keys):
            raise ApiError("authentication_error", "API key is invalid.")

    def _json(self, known: _Known, limit: int = _MAX_BODY) -> Any:
        call = known.call
        if len(call.body) > limit:
            raise ApiError(
                "request_too_large", "Request exceeds the maximum size", status=413
            )
        return _json.loads(_decoded(call, limit))

    def _checked(self, known: _Known, endpoint: str) -> Checked:
        try:
            body = self._json(known)
        except _json.JSONDecodeError as error:
            raise invalid(f"The request body is not valid JSON: {error}") from error
        return validate(
            body,
            version=known.version,
            betas=known.betas,
            models=self._models,
            shelf=self._files,
            endpoint="count" if endpoint == "count" else "create",
        )

    def _create(self, known: _Known, _: str) -> Answer:
        checked = self._checked(known, "create")
        dropped = check_signatures(checked)
        rule = self._pick(checked)
        return self._answer(checked, rule, known, dropped)

    def _answer(
        self,
        checked: Checked,
        rule: Rule | None,
        known: _Known,
        dropped: tuple[dict[str, Any], ...],
    ) -> Answer:
        rule = Rule() if rule is None else rule
        extra = tuple((name.lower(), value) for name, value in rule.headers.items())
        stream = checked.body.get("stream", False)
        if rule.raw is not None:
            kind = () if "content-type" in dict(extra) else (("content-type", "text/html"),)
            return Answer(
                rule.status or 200, (*kind, *extra), (rule.raw.encode(),), rule.delay
            )
        failure = _failure(rule, stream=stream)
        if failure is not None:
            body = failure.body(known.identity.make("req"))
            return Answer(failure.status, (_JSON, *extra), (body,), rule.delay)
        message = self._message(checked, rule, dropped)
        limits = rate_limit_headers(self._clock(), known.number)
        if stream:
            return Answer(200, (_SSE, *limits, *extra), tuple(stream_of(message, rule)), rule.delay)
        return Answer(200, (_JSON, *limits, *extra), _plain(message, rule), rule.delay)

    def _message(
        self,
        checked: Checked,
        rule: Rule,
        dropped: tuple[dict[str, Any], ...] = (),
        *,
        tier: str = "standard",
    ) -> dict[str, Any]:
        with self._lock:
            number = self._message_calls
        identity = Identity.of(
            number, _json.dumps({k: v for k, v in checked.body.items() if k != "stream"})
        )
        made = draft(checked, rule, identity)
        parts = tuple(request_parts(checked.body, checked.pictures))
        total = request_tokens(parts, checked.body)
        with self._lock:
            cached = self._cache.account(parts, checked, total)
        usage = usage_of(checked, made, total, cached, tier)
        message: dict[str, Any] = {
            "id": identity.make("msg"),
            "type": "message",
            "role": "assistant",
            "model": checked.facts.id,
            "content": list(made.blocks),
            "stop_reason": made.stop_reason,
            "stop_sequence": made.stop_sequence,
            "stop_details": _stop_details(made.stop_reason, rule),
            "container": None,
            "usage": {**usage, **(rule.usage or {})},
        }
        if "diagnostics" in checked.body:
            message["diagnostics"] = None
        if checked.body.get("context_management"):
            message["context_management"] = {"applied_edits": []}
        if dropped:
            message["input_transformations"] = list(dropped)
        return message

    def _pick(self, checked: Checked) -> Rule | None:
        """Take the first rule that matches and is not used up; count the call."""
        body = checked.body
        text = last_user_text(body)
        with self._lock:
            self._message_calls += 1
            for place, rule in enumerate(self._scenario.rules):
                left = rule.times is None or self._used[place] < rule.times
                if left and rule.matches(
                    text=text,
                    model=body["model"],
                    call=self._message_calls,
                    stream=body.get("stream", False),
                ):
                    self._used[place] += 1
                    return rule
        return None

    def _count(self, known: _Known, _: str) -> Answer:
        checked = self._checked(known, "count")
        total = request_tokens(
            tuple(request_parts(checked.body, checked.pictures)), checked.body
        )
        result: dict[str, Any] = {"input_tokens": total}
        if checked.body.get("context_management"):
            result["context_management"] = {"original_input_tokens": total}
        return _ok(result, rate_limit_headers(self._clock(), known.number))

    def _run_item(self, params: Any, version: str, betas: frozenset[str]) -> dict[str, Any]:
        """Run one batch item; raises ApiError where the API would report an errored item."""
        checked = validate(
            params,
            version=version,
            betas=betas,
            models=self._models,
            shelf=self._files,
            endpoint="batch",
        )
        dropped = check_signatures(checked)
        if checked.body.get("speed") == "fast":
            raise invalid("speed: fast mode is not supported in the Message Batches API")
        rule = self._pick(checked) or Rule()
        failure = _failure(rule, stream=False)
        if failure is not None:
            raise failure
        return self._message(checked, rule, dropped, tier="batch")

    def _models_list(self, known: _Known, _: str) -> Answer:
        return _ok(list_models(self._models, known.call.query))

    def _models_get(self, known: _Known, name: str) -> Answer:
        return _ok(get_model(self._models, name))

    def _batch_create(self, known: _Known, _: str) -> Answer:
        try:
            body = self._json(known, _MAX_BATCH_BODY)
        except _json.JSONDecodeError as error:
            raise invalid(f"The request body is not valid JSON: {error}") from error
        host = known.call.header("host")
        base_url = self._base_url or (f"http://{host}" if host else "https://api.anthropic.com")
        with self._lock:
            made = self._batches.create(
                body, known.identity.make("msgbatch"), known.version, known.betas, base_url
            )
        return _ok(made)

    def _batch_get(self, known: _Known, batch_id: str) -> Answer:
        with self._lock:
            found = self._batches.get(batch_id)
        waiting = found["processing_status"] != "ended"
        return _ok(found, (("retry-after", "10"),) if waiting else ())

    def _batch_list(self, known: _Known, _: str) -> Answer:
        with self._lock:
            return _ok(self._batches.list_page(known.call.query))

    def _batch_results(self, known: _Known, batch_id: str) -> Answer:
        with self._lock:
            lines = self._batches.results(batch_id)
        body = b"".join(_json.dumps(line) + b"\n" for line in lines)
        return Answer(200, (("content-type", "application/x-jsonl"),), (body,))

    def _batch_cancel(self, known: _Known, batch_id: str) -> Answer:
        with self._lock:
            return _ok(self._batches.cancel(batch_id))

    def _batch_delete(self, known: _Known, batch_id: str) -> Answer:
        with self._lock:
            return _ok(self._batches.delete(batch_id))

    def _file_upload(self, known: _Known, _: str) -> Answer:
        call = known.call
        if len(call.body) > _MAX_FILE_BODY:
            raise ApiError("request_too_large", "File exceeds the maximum size of 500 MB")
        with self._lock:
            return _ok(
                self._files.upload(
                    call.header("content-type") or "", call.body, known.identity.make("file")
                )
            )

    def _file_list(self, known: _Known, _: str) -> Answer:
        with self._lock:
            return _ok(self._files.list_page(known.call.query))

    def _file_get(self, known: _Known, file_id: str) -> Answer:
        with self._lock:
            return _ok(self._files.get(file_id))

    def _file_content(self, known: _Known, file_id: str) -> Answer:
        with self._lock:
            kind, data = self._files.download(file_id)
        return Answer(200, (("content-type", kind),), (data,))

    def _file_delete(self, known: _Known, file_id: str) -> Answer:
        with self._lock:
            return _ok(self._files.delete(file_id))


def _ok(value: Mapping[str, Any], headers: Headers = ()) -> Answer:
    return Answer(200, (_JSON, *headers), (_json.dumps(value),))


def _plain(message: Mapping[str, Any], rule: Rule) -> tuple[Part, ...]:
    body = _json.dumps(message)
    half = len(body) // 2
    if rule.cut_after is not None:
        return (body[:half], Cut())
    if rule.drip:
        return (body[:half], Pause(rule.drip), body[half:])
    return (body,)


def _failure(rule: Rule, *, stream: bool) -> ApiError | None:
    if rule.status is not None and rule.status >= 400:  # noqa: PLR2004 - HTTP's own limit
        kind = rule.error_type or TYPE_OF.get(rule.status, "api_error")
        text = rule.message or DEFAULT_MESSAGE.get(kind, "Simulated error")
        return ApiError(kind, text, status=rule.status, details=rule.details)
    if rule.error_event is not None and not stream:
        error = {"type": "overloaded_error", "message": "Overloaded", **rule.error_event}
        return ApiError(error["type"], error["message"])
    return None


def _stop_details(reason: str, rule: Rule) -> dict[str, Any] | None:
    if reason != "refusal":
        return None
    given = rule.stop_details or {}
    return {"type": "refusal", "category": None, "explanation": None, **given}


def _decoded(call: Call, limit: int) -> bytes:
    """Undo ``content-encoding`` under the same size limit."""
    encoding = (call.header("content-encoding") or "identity").lower()
    if encoding == "identity":
        return call.body
    if encoding not in ("gzip", "deflate"):
        raise invalid(
            f"Unsupported content-encoding: {encoding}",
            details={"error_code": "request_body_encoding_unsupported"},
        )
    import zlib  # noqa: PLC0415 - rarely needed

    inflate = zlib.decompressobj(wbits=47 if encoding == "gzip" else 15)
    try:
        body = inflate.decompress(call.body, limit + 1)
    except zlib.error as error:
        raise invalid(
            "The request body does not match its content-encoding",
            details={"error_code": "request_body_encoding_invalid"},
        ) from error
    if len(body) > limit:
        raise ApiError(
            "request_too_large",
            "Request exceeds the maximum size after decoding",
            details={"error_code": "request_body_too_large_after_decoding"},
        )
    return body


def _routes(*routes: tuple[str, str, _Handler]) -> tuple[tuple[str, re.Pattern[str], _Handler], ...]:
    return tuple((method, re.compile(pattern), handler) for method, pattern, handler in routes)


_BATCH: Final = "/v1/messages/batches"
_ROUTES: Final = _routes(
    ("POST", "/v1/messages", Simulator._create),
    ("POST", "/v1/messages/count_tokens", Simulator._count),
    ("POST", _BATCH, Simulator._batch_create),
    ("GET", _BATCH, Simulator._batch_list),
    ("GET", f"{_BATCH}/(?P<id>[^/]+)", Simulator._batch_get),
    ("DELETE", f"{_BATCH}/(?P<id>[^/]+)", Simulator._batch_delete),
    ("GET", f"{_BATCH}/(?P<id>[^/]+)/results", Simulator._batch_results),
    ("POST", f"{_BATCH}/(?P<id>[^/]+)/cancel", Simulator._batch_cancel),
    ("GET", "/v1/models", Simulator._models_list),
    ("GET", "/v1/models/(?P<id>[^/]+)", Simulator._models_get),
    ("POST", "/v1/files", Simulator._file_upload),
    ("GET", "/v1/files", Simulator._file_list),
    ("GET", "/v1/files/(?P<id>[^/]+)", Simulator._file_get),
    ("GET", "/v1/files/(?P<id>[^/]+)/content", Simulator._file_content),
    ("DELETE", "/v1/files/(?P<id>[^/]+)", Simulator._file_delete),
)
