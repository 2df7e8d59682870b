"""Canary secrets in every part of a turn, and every place that keeps or shows something: none of them holds one."""

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hookline import Message, Pipeline, PolicyViolation, Principal, TextBlock
from hookline.cli import main
from hookline.endpoints import BatchItem
from hookline.simulator import Rule
from hookline.values import DocumentBlock, TextSource, ToolResultBlock, ToolUseBlock
from hookline_plugins.logging import Logging
from hookline_plugins.otel import Otel
from hookline_plugins.policy.audit import Audit
from hookline_plugins.policy.budget import Budget, Limit
from hookline_plugins.policy.redact import Redact
from hookline_plugins.policy.rules import Rules
from hookline_plugins.storage.cache import Cache
from hookline_plugins.storage.recording import Record

MODEL = "claude-haiku-4-5"
CANARY = "canary"
API_KEY = "sk-ant-api03-canaryCANARYcanaryCANARY-key"
IBAN = "DE89 3704 0044 0532 0130 00"


def mail(place: str) -> str:
    return f"{place}.canary@acme.example"


TOOL = {
    "name": "look_up",
    "description": f"Ask {mail('tool')}.",
    "input_schema": {"type": "object", "properties": {"q": {"description": mail("schema")}}},
}
GIVEN: dict[str, Any] = {
    "system": [TextBlock(f"For {mail('system')} and {IBAN}"), TextBlock("split.can")],
    "prefill": f"Dear {mail('prefill')},",
    "metadata": {"user_id": mail("metadata")},
    "stop_sequences": [mail("stop")],
    "tools": [TOOL],
    "messages": [
        Message("user", f"I am {mail('history')} {'and so on ' * 20} {mail('long')}"),
        Message("assistant", [ToolUseBlock("toolu_1", "look_up", {"q": [mail("input")]})]),
        Message("user", [ToolResultBlock("toolu_1", [TextBlock(f"of {mail('result')}")])]),
        Message("assistant", f"It is {mail('said')}."),
    ],
}
MESSAGE: list[Any] = [
    DocumentBlock(TextSource("text/plain", mail("document")), title=f"{mail('title')}.txt"),
    TextBlock("split.canary@ac"),
    TextBlock("me.example and sk-live-no"),
    f"Whose? {API_KEY}",
]


class Sinks:
    """A pipeline with everything on, and all that it leaves behind."""

    def __init__(self, server: Any, folder: Path, **redact: Any) -> None:
        self.server, self.folder = server, folder
        self.spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.otel = Otel(tracer_provider=provider)
        self.said: list[str] = []
        audit = Audit(path=str(folder / "audit.jsonl"), content="redacted")
        limit = Limit(by="user", per="day", usd=100.0)
        self.line: dict[str, Any] = {
            "base_url": server,
            "model": MODEL,
            "api_key": API_KEY,
            "plugins": [
                Logging(),  # which silences itself where it is imported, and so here before it is heard
                Redact(**redact),
                Budget(path=str(folder / "budget.db"), limits=(limit,)),
                audit,
                self.otel,
                Cache(path=str(folder / "cache.db")),
                Record(path=str(folder / "tape.jsonl")),
            ],
            "policy": Rules(rules=[{"id": "words", "forbid": {"words": ["zephyr"]}}]),
            "principal": Principal(user="ada"),
        }

    def show(self, *things: Any) -> None:
        self.said += [form(thing) for thing in things for form in (repr, str)]

    def everything(self, logged: list[Any], caplog: pytest.LogCaptureFixture) -> dict[str, str]:
        kept = {
            f"file {path.name}": path.read_bytes().decode("latin-1")
            for path in self.folder.iterdir()
            if path.is_file()
        }
        requests = [call.body.decode("latin-1") for call in self.server.calls]
        return {
            **kept,
            "wire": "\n".join(requests),
            "loguru": "\n".join(f"{r['message']} {r['extra']} {r['exception']}" for r in logged),
            "logging": "\n".join(f"{r.getMessage()} {r.exc_text}" for r in caplog.records),
            "spans": "\n".join(span.to_json() for span in self.spans.get_finished_spans()),
            "metrics": self.otel.registry.render(),
            "said": "\n".join(self.said),
        }


def show_turn(sinks: Sinks, reply: Any) -> None:
    trace = reply.trace
    sinks.show(trace.render(), trace.to_dict(), trace.to_html(), trace.notes, trace.verdicts)
    sinks.show(trace._repr_html_(), trace.attempts)


@pytest.mark.parametrize("action", ["replace", "mask", "block"])
def test_no_sink_holds_a_canary(
    sim: Any,
    tmp_path: Path,
    logged: list[Any],
    caplog: pytest.LogCaptureFixture,
    action: Any,
    streamed: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "kept"
    folder.mkdir()
    server = sim(Rule(status=529, times=1), Rule(reply="It is [MAIL_1] and [MAIL_2]."))
    sinks = Sinks(server, folder, action=action, restore_for=())
    with Pipeline(**sinks.line) as line:
        sinks.show(line)
        for _ in range(2):  # the second comes out of the cache
            try:
                if streamed:
                    with line.stream(MESSAGE, **GIVEN) as stream:
                        reply = stream.reply
                else:
                    reply = line.send(MESSAGE, **GIVEN)
            except PolicyViolation as refusal:
                assert action == "block"
                sinks.show(refusal, refusal.admin, refusal.evidence)
                sinks.said += traceback.format_exception_only(refusal)
                continue
            assert action != "block"
            show_turn(sinks, reply)
        if action != "block":
            explained = line.explain(MESSAGE, **GIVEN)
            sinks.show(explained.render(), explained.to_html(), explained.to_dict())
            line.count_tokens(MESSAGE, **GIVEN)
            line.batches.create([BatchItem("a", MESSAGE, **GIVEN)])
            line.files.upload(mail("file").encode(), filename="a.txt")
        with pytest.raises(PolicyViolation) as named:
            line.files.upload(b"Hello", filename=f"{mail('name')}.txt")
        sinks.show(named.value, named.value.admin)
        with pytest.raises(PolicyViolation) as late:
            line.send([{"type": "image", "source": {"type": "url", "url": _url()}}, "?"])
        sinks.show(late.value)
    found = sinks.everything(logged, caplog)
    assert found["loguru"]
    assert len(found) >= 9
    if action != "block":
        assert found["spans"]
        assert len(server.calls) >= 4
    for sink, text in found.items():
        where = text.lower().find(CANARY)
        assert where < 0, f"{sink}: {text[max(0, where - 80) : where + 40]}"
        assert IBAN not in text, sink
        assert IBAN.replace(" ", "") not in text, sink


def _url() -> str:
    return f"https://acme.example/{mail('url')}.png"


def test_the_command_line_shows_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "named.toml"
    named.write_text("[plugins.redact]\n")
    monkeypatch.setenv("HOOKLINE_CONFIG", str(named))
    text = f"I am {mail('line')}"
    for more in ([], ["--json"]):
        assert main(["explain", text, "--base-url", "sim:", *more]) == 0
    out, err = capfd.readouterr()
    assert "[MAIL_1]" in out
    assert CANARY not in out + err


def test_what_a_trace_hides_it_hides_wherever_it_is_cut(sim: Any) -> None:
    """A long text is shortened where it is drawn: not in the middle of what is hidden."""
    text = f"{'x' * 110} {mail('cut')}"
    with Pipeline(base_url=sim(), model=MODEL, plugins=[Redact()]) as line:
        trace = line.send(text).trace
    assert "cut." not in trace.render()
    assert "x" * 110 in trace.render()
