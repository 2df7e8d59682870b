"""What spans and metrics say: one table each, by OpenTelemetry's conventions for generative AI.

The conventions are still called "in development", and their names change. So they stand here, once.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from hookline import Reply, Request, ToolResultBlock, ToolUseBlock, Turn
from hookline.trace import AttemptRecord
from hookline.wire import dumps, unstructure

__all__ = [
    "ATTEMPT",
    "METRICS",
    "REPLY",
    "REQUEST",
    "TOOL",
    "Metric",
    "attributes",
    "content_of_reply",
    "content_of_request",
    "content_of_tool",
    "operation",
    "outcome_of",
    "server",
]

Table = Mapping[str, Callable[..., Any]]

_OPERATIONS: Final = {"count_tokens": "count_tokens", "upload": "upload"}
_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)  # fmt: skip
_TOKENS: Final = tuple(4**power for power in range(14))


def operation(turn: Turn) -> str:
    """Return what the conventions call what a turn does."""
    return _OPERATIONS.get(turn.surface, "chat")


@lru_cache(maxsize=64)  # a pipeline has few, and every attempt asks
def server(upstream: str) -> tuple[str, int | None]:
    """Return host and port of an upstream."""
    parts = urlsplit(upstream)
    return parts.hostname or upstream, parts.port


REQUEST: Final[Table] = {
    "gen_ai.operation.name": lambda turn, _request: operation(turn),
    "gen_ai.provider.name": lambda _turn, _request: "anthropic",
    "gen_ai.request.model": lambda _turn, request: request.model,
    "gen_ai.request.max_tokens": lambda _turn, request: request.max_tokens,
    "gen_ai.request.stream": lambda turn, _request: turn.stream,
    "gen_ai.request.temperature": lambda _turn, request: request.temperature,
    "gen_ai.request.top_p": lambda _turn, request: request.top_p,
    "gen_ai.request.top_k": lambda _turn, request: request.top_k,
    "server.address": lambda turn, _request: server(turn.upstream)[0],
    "server.port": lambda turn, _request: server(turn.upstream)[1],
    "hookline.turn.id": lambda turn, _request: turn.id,
    "hookline.surface": lambda turn, _request: turn.surface,
}
REPLY: Final[Table] = {
    "gen_ai.response.id": lambda reply: reply.response.id,
    "gen_ai.response.model": lambda reply: reply.model,
    "gen_ai.response.finish_reasons": lambda reply: (
        [reply.stop_reason] if reply.stop_reason else None
    ),
    "gen_ai.usage.input_tokens": lambda reply: reply.usage.total_input,
    "gen_ai.usage.output_tokens": lambda reply: reply.usage.output_tokens,
    "gen_ai.usage.cache_creation.input_tokens": lambda reply: (
        reply.usage.cache_creation_input_tokens
    ),
    "gen_ai.usage.cache_read.input_tokens": lambda reply: reply.usage.cache_read_input_tokens,
    "hookline.cost": lambda reply: None if reply.total_cost is None else float(reply.total_cost),
}
ATTEMPT: Final[Table] = {
    "gen_ai.request.model": lambda attempt: attempt.model,
    "gen_ai.response.model": lambda attempt: attempt.answered_by,
    "gen_ai.usage.input_tokens": lambda attempt: attempt.usage and attempt.usage.total_input,
    "gen_ai.usage.output_tokens": lambda attempt: attempt.usage and attempt.usage.output_tokens,
    "http.response.status_code": lambda attempt: attempt.status,
    "server.address": lambda attempt: server(attempt.upstream)[0],
    "hookline.attempt.number": lambda attempt: attempt.number,
    "hookline.attempt.outcome": lambda attempt: attempt.outcome,
    "hookline.attempt.latency": lambda attempt: attempt.latency,
    "hookline.request_id": lambda attempt: attempt.request_id,
    # The text of an error may quote what was sent.
    "error.type": lambda attempt: attempt.error and attempt.error.partition(":")[0],
}
TOOL: Final[Table] = {
    "gen_ai.operation.name": lambda _call, _result: "execute_tool",
    "gen_ai.tool.name": lambda call, _result: call.name,
    "gen_ai.tool.call.id": lambda call, _result: call.id,
    "gen_ai.tool.type": lambda _call, _result: "function",
    "error.type": lambda _call, result: "tool_error" if result.is_error else None,
}


@frozen(kw_only=True)
class Metric:
    """One metric.

    Attributes:
        unit: as the conventions write it.
        what: in words.
        buckets: upper bounds of a histogram; none for a counter.

    """

    unit: str
    what: str
    buckets: tuple[float, ...] = ()


METRICS: Final[Mapping[str, Metric]] = {
    "gen_ai.client.operation.duration": Metric(
        unit="s", what="Seconds that turns took, all attempts included.", buckets=_SECONDS
    ),
    "gen_ai.client.token.usage": Metric(
        unit="{token}", what="Tokens of attempts, thrown-away ones included.", buckets=_TOKENS
    ),
    "gen_ai.client.operation.time_to_first_chunk": Metric(
        unit="s", what="Seconds until an attempt's first event, or its answer.", buckets=_SECONDS
    ),
    "hookline.attempts": Metric(unit="{attempt}", what="HTTP exchanges, by how they ended."),
    "hookline.tool.calls": Metric(unit="{call}", what="Tool calls that were answered."),
    "hookline.cost": Metric(unit="USD", what="US dollars that turns cost, where prices are known."),
}


def attributes(table: Table, *subject: Any) -> dict[str, Any]:
    """Return the attributes of a subject; what is not known is left out."""
    found = {name: value(*subject) for name, value in table.items()}
    return {name: value for name, value in found.items() if value is not None}


def content_of_request(request: Request) -> Iterator[tuple[str, str]]:
    """Yield what a request says."""
    yield "gen_ai.input.messages", _json([unstructure(each) for each in request.messages])
    if request.system:
        yield "gen_ai.system_instructions", _json(unstructure(request).get("system"))


def content_of_reply(reply: Reply) -> Iterator[tuple[str, str]]:
    """Yield what a reply says."""
    yield "gen_ai.output.messages", _json([unstructure(reply.message)])


def content_of_tool(call: ToolUseBlock, result: ToolResultBlock) -> Iterator[tuple[str, str]]:
    """Yield what a tool was asked, and what it said."""
    yield "gen_ai.tool.call.arguments", _json(unstructure(call)["input"])
    yield "gen_ai.tool.call.result", _json(unstructure(result).get("content"))


def outcome_of(attempt: AttemptRecord) -> dict[str, str]:
    """Return what tells attempts apart in metrics."""
    return {"gen_ai.request.model": attempt.model, "hookline.attempt.outcome": attempt.outcome}


def _json(value: Any) -> str:
    return dumps(value).decode()
