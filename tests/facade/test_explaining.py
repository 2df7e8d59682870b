"""What a turn tells of itself: in time order, as text, JSON and one page; what it has cost so far."""

import copy
import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from hookline import Pipeline, StreamInterrupted, hookimpl
from hookline.cli import main
from hookline.simulator import Rule
from hookline.testing import RecordingSimulator


class Notes:
    @hookimpl
    def build_history(self, turn: Any, request: Any) -> Any:
        turn.trace.note("Notes", "before")
        return request.with_system("<b>told</b>")

    @hookimpl
    def post_process(self, turn: Any) -> None:
        turn.trace.note("Notes", f"so far {turn.cost}")


@pytest.fixture
def reply() -> Any:
    busy = RecordingSimulator(Rule(status=529, headers={"retry-after": "0"}, times=1))
    with Pipeline(base_url=busy, config={}, plugins=[Notes()]) as line:
        return line.send("Hello")


def test_json_tells_the_order_too(reply: Any) -> None:
    shown = reply.trace.to_dict()["timeline"]
    assert shown == [line for line in reply.trace.render().splitlines() if not line.startswith(" ")]
    assert reply.to_dict()["trace"]["timeline"] == shown


def test_the_timeline_is_in_the_order_of_what_happened(reply: Any) -> None:
    lines = [line for line in reply.trace.render().splitlines() if not line.startswith("    ")]
    lines = [line for line in lines if not line.startswith("note · retry")]
    assert lines[0] == "note · Notes · before"
    assert lines[1].startswith("build_history · Notes · ")
    assert "attempt 1" in lines[2]
    assert "529" in lines[2]
    assert "attempt 2" in lines[3]
    assert lines[3].endswith(f"status 200 · ${reply.cost:.6f}")


def test_a_copied_trace_tells_the_same(reply: Any) -> None:
    for trace in (copy.deepcopy(reply.trace), pickle.loads(pickle.dumps(reply.trace))):  # noqa: S301 -- our own
        assert trace.render() == reply.trace.render()
        trace.note("later", "x")
        assert trace.timeline[-1] == ("later", "x")
        assert reply.trace.timeline[-1] != ("later", "x")


def test_the_page_needs_nothing_and_trusts_nothing(
    reply: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reply.trace.to_html()
    assert "&lt;b&gt;told" in page
    assert "<b>told" not in page
    assert "src=" not in page
    assert "href=" not in page
    assert page.index("attempt 1") < page.index("attempt 2")
    assert reply.trace._repr_html_() in page
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    assert main(["explain", "Hello <i>", "--prefill", "Yes", "--html", "page.html"]) == 0
    written = (tmp_path / "page.html").read_text()
    assert "would be sent" in written
    assert "Hello &lt;i&gt;" in written


def test_a_turn_knows_what_it_has_cost_so_far(reply: Any) -> None:
    (told,) = [text for _, text in reply.trace.notes if text.startswith("so far")]
    assert Decimal(told.removeprefix("so far ")) == reply.cost > 0


def test_so_does_what_a_broken_stream_leaves() -> None:
    broken = RecordingSimulator(Rule(reply="one two three four", chunk=2, cut_after=6))
    with (
        Pipeline(base_url=broken, config={}) as line,
        pytest.raises(StreamInterrupted) as caught,
        line.stream("Count") as stream,
    ):
        "".join(stream.text)
    partial = caught.value.partial
    assert partial is not None
    assert partial.cost


def test_a_reply_is_json(reply: Any) -> None:
    told = json.loads(json.dumps(reply.to_dict()))
    assert told["text"] == reply.text
    assert told["cost"] == told["total_cost"] == float(reply.cost)
    assert [each["outcome"] for each in told["trace"]["attempts"]] == ["refused", "answered"]


def test_so_is_one_with_a_structured_output() -> None:
    @frozen
    class Ant:
        name: str

    said = RecordingSimulator(Rule(reply=json.dumps({"name": "Formica"})))
    with Pipeline(base_url=said, config={}) as line:
        reply = line.send("Name one", output=Ant)
    assert reply.output == Ant("Formica")
    assert json.loads(json.dumps(reply.to_dict()))["output"] == {"name": "Formica"}
