"""The plugin `otel`: spans and metrics of every turn, and nothing of what was said."""

import asyncio
import logging
import re
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hookline import APIError, BatchItem, Pipeline
from hookline.simulator import Rule
from hookline_plugins.otel import Otel
from hookline_plugins.otel.conventions import METRICS
from hookline_plugins.otel.prometheus import Registry, metrics_app
from hookline_plugins.resilience.retry import Retry

CANARY = "canary-51c0"


class Telemetry:
    """An application's SDK, in memory."""

    def __init__(self, **options: Any) -> None:
        self.spans_kept = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans_kept))
        self.reader = InMemoryMetricReader()
        meters = MeterProvider(metric_readers=[self.reader])
        self.plugin = Otel(tracer_provider=self.tracers, meter_provider=meters, **options)

    @property
    def spans(self) -> dict[str, Any]:
        return {span.name: span for span in self.spans_kept.get_finished_spans()}

    @property
    def metrics(self) -> dict[str, Any]:
        data: Any = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def line_of(server: Any, told: Telemetry, *plugins: Any, **options: Any) -> dict[str, Any]:
    return {"base_url": server, "plugins": [*plugins, told.plugin], **options}


def test_a_turn_is_one_span_with_a_child_for_its_attempt(
    run: Any, sim: Any, streamed: bool
) -> None:
    told = Telemetry()
    server = sim(Rule(reply=f"Yes {CANARY}"))
    reply = run.outcome(streamed, f"Say {CANARY}", line=line_of(server, told, "cost"))
    turn, attempt = told.spans["chat claude-haiku-4-5"], told.spans["attempt 1"]
    assert turn.kind is attempt.kind is trace.SpanKind.CLIENT
    assert attempt.parent.span_id == turn.context.span_id
    assert turn.start_time <= attempt.end_time <= turn.end_time
    assert turn.status.is_ok or turn.status.is_unset
    known = dict(turn.attributes)
    assert known["gen_ai.operation.name"] == "chat"
    assert known["gen_ai.provider.name"] == "anthropic"
    assert known["gen_ai.request.model"] == "claude-haiku-4-5"
    assert known["gen_ai.response.model"] == reply.model
    assert known["gen_ai.response.finish_reasons"] == ("end_turn",)
    assert known["gen_ai.usage.input_tokens"] == reply.usage.total_input
    assert known["gen_ai.usage.output_tokens"] == reply.usage.output_tokens
    assert known["hookline.cost"] == float(reply.cost)
    assert attempt.attributes["http.response.status_code"] == 200
    assert CANARY not in "".join(span.to_json() for span in told.spans.values())


def test_requests_say_which_trace_they_belong_to(run: Any, sim: Any, streamed: bool) -> None:
    told = Telemetry()
    server = sim()
    run.outcome(streamed, line=line_of(server, told))
    (call,) = server.calls
    span = told.spans["chat claude-haiku-4-5"]
    expected = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"
    assert dict(call.headers)["traceparent"] == expected


def test_without_an_sdk_no_trace_is_claimed(run: Any, sim: Any) -> None:
    server = sim()
    plugin = Otel(tracer_provider=trace.NoOpTracerProvider())
    run.send(line={"base_url": server, "plugins": [plugin]})
    assert "traceparent" not in dict(server.calls[0].headers)
    assert "gen_ai_client_operation_duration_seconds_count" in plugin.registry.render()


def test_the_callers_span_is_the_parent(run: Any, sim: Any) -> None:
    told = Telemetry()
    tracer = told.tracers.get_tracer("application")

    async def body(line: Any) -> None:
        with tracer.start_as_current_span("mine"):
            await line.send("Hello")

    run(body, **line_of(sim(), told))
    assert told.spans["chat claude-haiku-4-5"].parent.span_id == told.spans["mine"].context.span_id


def test_every_attempt_has_its_span_and_failures_show_without_their_text(
    run: Any, sim: Any
) -> None:
    told = Telemetry()
    server = sim(Rule(status=529, message=CANARY, times=1))
    run.send(line=line_of(server, told, Retry(throttle_base=0.001), config={}))
    spans = told.spans
    assert not spans["attempt 1"].status.is_ok
    assert spans["attempt 1"].attributes["hookline.attempt.outcome"] == "refused"
    assert spans["attempt 2"].attributes["hookline.attempt.outcome"] == "answered"
    assert spans["attempt 1"].parent == spans["attempt 2"].parent
    assert CANARY not in "".join(span.to_json() for span in spans.values())


def test_a_turn_that_fails_ends_its_span_with_the_error(run: Any, sim: Any, streamed: bool) -> None:
    told = Telemetry()
    with pytest.raises(APIError) as caught:
        run.outcome(streamed, line=line_of(sim(Rule(status=400, message=CANARY)), told))
    span = told.spans["chat claude-haiku-4-5"]
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["error.type"] == type(caught.value).__name__
    assert CANARY not in span.to_json()


def test_a_stream_that_is_left_ends_its_span(run: Any, sim: Any) -> None:
    told = Telemetry()

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            async for _ in stream.text:
                break

    run(body, **line_of(sim(Rule(reply="word " * 300, chunk=5)), told))
    assert told.spans["attempt 1"].attributes["hookline.attempt.outcome"] == "interrupted"
    assert told.spans["chat claude-haiku-4-5"].end_time


def test_an_item_of_a_batch_and_its_result_have_a_span_each(
    sim: Any, caplog: pytest.LogCaptureFixture
) -> None:
    told = Telemetry()
    with (
        caplog.at_level(logging.WARNING, "opentelemetry"),
        Pipeline(model="claude-haiku-4-5", **line_of(sim(Rule(reply=CANARY)), told)) as line,
    ):
        batch = line.batches.create([BatchItem("one", CANARY)])
        (result,) = line.batches.results(line.batches.wait(batch))
    assert result.reply is not None
    assert not caplog.records  # the SDK says so where a span is ended twice
    ended = told.spans_kept.get_finished_spans()
    turns = [span for span in ended if span.name == "chat claude-haiku-4-5"]
    assert len(turns) == 2
    assert turns[0].context.span_id != turns[1].context.span_id
    assert (
        dict(turns[1].attributes or {})["gen_ai.usage.output_tokens"]
        == result.reply.usage.output_tokens
    )
    assert not any(CANARY in span.to_json() for span in ended)
    (cost,) = told.metrics["hookline.cost"]
    assert cost.value == pytest.approx(float(result.reply.cost or 0))
    assert cost.value > 0


@pytest.mark.parametrize("content", [False, True])
def test_tools_have_spans_and_content_is_told_only_where_asked_for(
    run: Any, sim: Any, streamed: bool, content: bool
) -> None:
    def look(word: str) -> str:
        """Look a word up."""
        return f"found {word}"

    told = Telemetry(content=content)
    server = sim(
        Rule(tool_use={"name": "look", "input": {"word": CANARY}}, times=1), Rule(reply="done")
    )
    run.outcome(streamed, f"Find {CANARY}", line=line_of(server, told), tools=[look])
    tool = told.spans["execute_tool look"]
    assert tool.parent.span_id == told.spans["chat claude-haiku-4-5"].context.span_id
    assert tool.attributes["gen_ai.tool.name"] == "look"
    said = "".join(span.to_json() for span in told.spans.values())
    assert (CANARY in said) == content
    if content:
        assert CANARY in tool.attributes["gen_ai.tool.call.arguments"]
        known = told.spans["chat claude-haiku-4-5"].attributes
        assert CANARY in known["gen_ai.input.messages"]
        assert "done" in known["gen_ai.output.messages"]


def test_metrics_go_to_opentelemetry_and_to_prometheus(run: Any, sim: Any) -> None:
    told = Telemetry()

    async def body(line: Any) -> list[Any]:
        return [await line.send("Hello") for _ in range(3)]

    replies = run(body, **line_of(sim(), told))
    tokens = sum(reply.usage.output_tokens for reply in replies)
    (output,) = (
        point
        for point in told.metrics["gen_ai.client.token.usage"]
        if point.attributes["gen_ai.token.type"] == "output"
    )
    assert (output.count, output.sum) == (3, tokens)
    (duration,) = told.metrics["gen_ai.client.operation.duration"]
    assert duration.count == 3
    assert sum(point.value for point in told.metrics["hookline.attempts"]) == 3
    text = told.plugin.registry.render()
    assert re.search(
        rf'^gen_ai_client_token_usage_sum{{.*type="output"}} {tokens}$', text, re.MULTILINE
    )
    assert re.search(r"^hookline_attempts_total{.*} 3$", text, re.MULTILINE)
    assert re.search(
        r"^# TYPE gen_ai_client_operation_duration_seconds histogram$", text, re.MULTILINE
    )
    costs = [point.value for point in told.metrics["hookline.cost"]]
    assert 0 < sum(costs) < 0.01


def test_the_text_is_what_prometheus_reads() -> None:
    registry = Registry()
    name = "gen_ai.client.operation.duration"
    for seconds in (0.005, 0.3, 1000.0):
        registry.add(name, seconds, {"gen_ai.request.model": 'a"b\\c\nd'})
    lines = registry.render().splitlines()
    labels = 'gen_ai_request_model="a\\"b\\\\c\\nd"'
    assert f'gen_ai_client_operation_duration_seconds_bucket{{{labels},le="0.01"}} 1' in lines
    assert f'gen_ai_client_operation_duration_seconds_bucket{{{labels},le="0.32"}} 2' in lines
    assert f'gen_ai_client_operation_duration_seconds_bucket{{{labels},le="+Inf"}} 3' in lines
    assert f"gen_ai_client_operation_duration_seconds_count{{{labels}}} 3" in lines


def test_series_are_bounded() -> None:
    registry = Registry()
    for number in range(1500):
        registry.add("hookline.attempts", 1, {"gen_ai.request.model": str(number)})
    text = registry.render()
    assert len(text.splitlines()) < 1010
    assert 'hookline_attempts_total{hookline_overflow="true"} 500' in text


def test_the_pipeline_offers_the_metrics_as_a_route(sim: Any) -> None:
    told = Telemetry()
    with Pipeline(model="claude-haiku-4-5", **line_of(sim(), told)) as line:
        line.send("Hello")
        app = dict(line.registered.routes)["/metrics"]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http"}, None, send))
    assert sent[0]["status"] == 200
    assert b"hookline_attempts_total" in sent[1]["body"]
    asyncio.run(metrics_app(Registry())({"type": "lifespan"}, None, send))
    assert len(sent) == 2


def test_the_table_names_metrics_as_the_conventions_do() -> None:
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

    known = {getattr(gen_ai_metrics, name) for name in dir(gen_ai_metrics) if name.isupper()}
    assert {name for name in METRICS if name.startswith("gen_ai.")} <= known
