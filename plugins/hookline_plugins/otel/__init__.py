"""The plugin ``otel``: what happens as spans and metrics of OpenTelemetry, and as text for Prometheus.

It needs OpenTelemetry's API alone (extra ``otel``); where spans go is the application's business, which
sets up an SDK. Without one, nothing is kept but the metrics for Prometheus.
"""

import time
from typing import Any, Final

from attrs import field, frozen

from hookline import (
    MissingExtra,
    Reply,
    Request,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    hookimpl,
)
from hookline.plugin import TurnState, checks_options
from hookline.trace import AttemptRecord
from hookline_plugins.otel.conventions import (
    ATTEMPT,
    METRICS,
    REPLY,
    REQUEST,
    TOOL,
    attributes,
    content_of_reply,
    content_of_request,
    content_of_tool,
    operation,
    outcome_of,
)
from hookline_plugins.otel.prometheus import Registry, metrics_app

__all__ = ["Otel"]

_SCOPE: Final = "hookline"
_NANO: Final = 1_000_000_000


@checks_options
@frozen(eq=False, kw_only=True)
class Otel:
    """Tells OpenTelemetry of every turn: a span over all its attempts, one for each of them and each tool.

    The caller's span, if there is one, is the parent; requests carry ``traceparent``. ``/metrics`` is offered to
    a server that embeds the pipeline, and `registry` renders the same text.

    Attributes:
        content: whether spans hold what was said. Off by default: they leave for elsewhere.
        tracer_provider: from code; the application's global one by default.
        meter_provider: the same.
        registry: the metrics for Prometheus.

    """

    name = "otel"
    role = "observer"

    content: bool = False
    tracer_provider: Any = field(default=None, repr=False)
    meter_provider: Any = field(default=None, repr=False)
    registry: Registry = field(factory=Registry, init=False, repr=False)
    # OpenTelemetry's own module, or what is said of it where it is missing.
    _api: Any = field(init=False, repr=False)
    _tracer: Any = field(default=None, init=False, repr=False)
    _instruments: dict[str, Any] = field(factory=dict, init=False, repr=False)
    spans = TurnState(list[Any])
    began = TurnState(float)

    def __attrs_post_init__(self) -> None:
        try:
            from opentelemetry import metrics, trace  # noqa: PLC0415 -- an extra
        except ModuleNotFoundError:
            missing = MissingExtra("otel", "opentelemetry-api", "the plugin otel")
            object.__setattr__(self, "_api", missing)
            return
        object.__setattr__(self, "_api", trace)
        meter = metrics.get_meter(_SCOPE, meter_provider=self.meter_provider)
        instruments: dict[str, Any] = {
            name: meter.create_histogram(
                name,
                unit=metric.unit,
                description=metric.what,
                explicit_bucket_boundaries_advisory=metric.buckets,
            )
            if metric.buckets
            else meter.create_counter(name, unit=metric.unit, description=metric.what)
            for name, metric in METRICS.items()
        }
        object.__setattr__(self, "_instruments", instruments)
        tracer = trace.get_tracer(_SCOPE, tracer_provider=self.tracer_provider)
        object.__setattr__(self, "_tracer", tracer)

    @hookimpl
    def open(self) -> None:
        """Look whether what is needed is installed."""
        if isinstance(self._api, MissingExtra):
            raise self._api

    @hookimpl
    def on_turn_start(self, turn: Turn, request: Request) -> None:
        """Begin the turn's span, and let requests say which it is."""
        span = self._tracer.start_span(
            f"{operation(turn)} {request.model}",
            kind=self._api.SpanKind.CLIENT,
            attributes=attributes(REQUEST, turn, request),
        )
        self.spans[turn].append(span)
        self.began[turn] = turn.io.now()
        context = span.get_span_context()
        if context.is_valid:
            turn.traceparent = (
                f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
            )

    @hookimpl
    def on_attempt(self, turn: Turn, attempt: AttemptRecord) -> None:
        """Tell of an attempt that is over."""
        span = self._past(
            turn, f"attempt {attempt.number}", attempt.seconds, self._api.SpanKind.CLIENT
        )
        span.set_attributes(attributes(ATTEMPT, attempt))
        if attempt.error is not None:
            span.set_status(self._api.StatusCode.ERROR)
        span.end()
        told = outcome_of(attempt)
        self._measure("hookline.attempts", 1, told)
        if attempt.error is None:
            self._measure(
                "gen_ai.client.operation.time_to_first_chunk", attempt.latency, _who(turn, attempt)
            )
        if attempt.usage is not None:
            for kind, tokens in (
                ("input", attempt.usage.total_input),
                ("output", attempt.usage.output_tokens),
            ):
                labels = {**_who(turn, attempt), "gen_ai.token.type": kind}
                self._measure("gen_ai.client.token.usage", tokens, labels)

    @hookimpl
    def on_tool(
        self, turn: Turn, call: ToolUseBlock, result: ToolResultBlock, seconds: float
    ) -> None:
        """Tell of a tool call that was answered."""
        span = self._past(turn, f"execute_tool {call.name}", seconds, self._api.SpanKind.INTERNAL)
        span.set_attributes(attributes(TOOL, call, result))
        if self.content:
            span.set_attributes(dict(content_of_tool(call, result)))
        if result.is_error:
            span.set_status(self._api.StatusCode.ERROR)
        span.end()
        self._measure("hookline.tool.calls", 1, {"hookline.tool.error": bool(result.is_error)})

    @hookimpl
    def on_turn_end(self, turn: Turn, reply: Reply | None, error: BaseException | None) -> None:
        """End the turn's span."""
        spans = self.spans[turn]
        while spans:  # the turn of a batch's result knows what its item's knew, which is over
            span = spans.pop()
            if self.content and turn.request is not None:
                span.set_attributes(dict(content_of_request(turn.request)))
            if reply is not None:
                span.set_attributes(attributes(REPLY, reply))
                if self.content:
                    span.set_attributes(dict(content_of_reply(reply)))
            if error is not None:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(self._api.StatusCode.ERROR)
            span.end()
        labels: dict[str, Any] = {"gen_ai.operation.name": operation(turn)}
        if turn.request is not None:
            labels["gen_ai.request.model"] = turn.request.model
        if turn.cost:
            self._measure("hookline.cost", float(turn.cost), labels)
        if error is not None:
            labels["error.type"] = type(error).__name__
        seconds = turn.io.now() - self.began[turn]
        self._measure("gen_ai.client.operation.duration", seconds, labels)

    @hookimpl
    def register_routes(self, register: Any) -> None:
        """Offer ``/metrics``."""
        register("/metrics", metrics_app(self.registry))

    def _past(self, turn: Turn, name: str, seconds: float, kind: Any) -> Any:
        """Return the span of something that is over, inside of the turn's."""
        parents = self.spans[turn]
        context = self._api.set_span_in_context(parents[0]) if parents else None
        began = time.time_ns() - int(seconds * _NANO)
        return self._tracer.start_span(name, context, kind=kind, start_time=began)

    def _measure(self, name: str, amount: float, labels: dict[str, Any]) -> None:
        instrument = self._instruments[name]
        if METRICS[name].buckets:
            instrument.record(amount, labels)
        else:
            instrument.add(amount, labels)
        self.registry.add(name, amount, labels)


def _who(turn: Turn, attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": operation(turn),
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": attempt.model,
        "gen_ai.response.model": attempt.answered_by or attempt.model,
    }
