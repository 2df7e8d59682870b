"""Streams: the documented order, the same message as a plain call, and faults on demand."""

import itertools
from typing import Any

import pytest

from hookline.simulator import Answer, Call, Cut, Pause, Rule, Scenario, Simulator
from hookline.wire import json

MODEL = "claude-haiku-4-5"
HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))
TOOLS = [{"name": "look", "input_schema": {"type": "object"}}]


def post(rule: Rule | None = None, *, stream: bool = True, **body: Any) -> Answer:
    body = {
        "model": MODEL,
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": stream,
        **body,
    }
    simulator = Simulator(Scenario.of(*([rule] if rule else [])))
    return simulator.handle(Call("POST", "/v1/messages", HEADERS, json.dumps(body)))


def events_of(answer: Answer) -> list[dict[str, Any]]:
    events = []
    for frame in answer.content.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def assembled(  # noqa: C901 - one case an event, as documented
    events: list[dict[str, Any]],
) -> dict[str, Any]:
    """Put a message together by the documented rules, and check them on the way."""
    message: dict[str, Any] = {}
    partial = ""
    for event in events:
        match event["type"]:
            case "message_start":
                message = event["message"]
                assert message["content"] == []
                assert message["stop_reason"] is None
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
                partial = ""
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                match delta["type"]:
                    case "text_delta":
                        block["text"] += delta["text"]
                    case "thinking_delta":
                        block["thinking"] += delta["thinking"]
                    case "signature_delta":
                        block["signature"] = delta["signature"]
                    case "citations_delta":
                        block["citations"].append(delta["citation"])
                    case "input_json_delta":
                        partial += delta["partial_json"]
            case "content_block_stop":
                if partial:
                    message["content"][event["index"]]["input"] = json.loads(partial)
            case "message_delta":
                message.update(event["delta"])
                usage = {key: value for key, value in event["usage"].items() if value is not None}
                message["usage"].update(usage)
    return message


CITED = {
    "type": "document",
    "citations": {"enabled": True},
    "source": {"type": "text", "media_type": "text/plain", "data": "Ants have six legs."},
}
SERVER = (
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
)


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        (None, {}),
        (Rule(reply="one two three four five six seven", chunk=1), {}),
        (Rule(reply=""), {}),
        (Rule(reply="Grüße, 世界 👋 \u2028 \n\n data: x"), {}),
        (Rule(thinking="Hm.", reply="Yes."), {}),
        (Rule(tool_use={"name": "look"}, reply="Let me look."), {"tools": TOOLS}),
        (
            Rule(tool_use={"name": "look", "input": {"at": ["a", {"b": "ü"}]}}, chunk=3),
            {"tools": TOOLS},
        ),
        (Rule(reply=SERVER, stop_reason="pause_turn"), {}),
        (Rule(stop_reason="refusal", stop_details={"category": "bio"}), {}),
        (Rule(reply="one two three"), {"max_tokens": 2}),
        (Rule(reply="one two three"), {"stop_sequences": ["two"]}),
        (None, {"messages": [{"role": "user", "content": [CITED]}]}),
        (None, {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (None, {"max_tokens": 0}),
        (None, {"model": "claude-opus-5-5", "thinking": {"type": "adaptive"}}),
    ],
)
def test_a_stream_makes_the_message_of_the_plain_call(
    rule: Rule | None, body: dict[str, Any]
) -> None:
    answer = post(rule, **body)
    assert answer.status == 200, answer.content
    plain = json.loads(post(rule, stream=False, **body).content)
    assert assembled(events_of(answer)) == plain


def test_the_order_of_events() -> None:
    names = [event["type"] for event in events_of(post(Rule(reply="one two three four")))]
    assert names == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_the_content_type() -> None:
    assert dict(post().headers)["content-type"] == "text/event-stream; charset=utf-8"
    assert post().streamed
    assert not post(stream=False).streamed


def test_the_first_piece_of_a_tool_input_is_empty() -> None:
    events = events_of(post(Rule(tool_use={"name": "look"}), tools=TOOLS))
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == [{"type": "input_json_delta", "partial_json": ""}]


def test_errors_before_the_stream_are_plain() -> None:
    answer = post(messages=[])
    assert answer.status == 400
    assert not answer.streamed


def test_a_cut() -> None:
    answer = post(Rule(cut_after=4))
    assert len(events_of(answer)) == 4
    assert answer.body[-1] == Cut()
    plain = post(Rule(cut_after=4), stream=False)
    assert plain.body[-1] == Cut()
    with pytest.raises(json.JSONDecodeError):
        json.loads(plain.content)


def test_an_error_in_the_middle() -> None:
    events = events_of(post(Rule(error_event={}, error_after=5)))
    assert len(events) == 6
    assert events[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
    }
    assert post(Rule(error_event={}), stream=False).status == 529


def test_an_unknown_event() -> None:
    events = events_of(post(Rule(unknown_event={"type": "novelty", "value": 1})))
    assert events[2] == {"type": "novelty", "value": 1}


def test_a_drip() -> None:
    body = post(Rule(drip=0.25)).body
    assert body[1::2] == (Pause(0.25),) * (len(body) // 2)
    assert post(Rule(drip=0.25), stream=False).body[1] == Pause(0.25)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
        (503, "api_error"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_faults_by_status(status: int, kind: str, stream: bool) -> None:
    answer = post(Rule(status=status), stream=stream)
    assert answer.status == status
    assert json.loads(answer.content)["error"]["type"] == kind
    assert "retry-after" not in dict(answer.headers)


def test_a_fault_with_everything() -> None:
    rule = Rule(
        status=429,
        error_type="rate_limit_error",
        message="Slow down.",
        details={"error_code": "ramp_limit_exceeded"},
        headers={"Retry-After": "2"},
        delay=1.5,
    )
    answer = post(rule)
    body = json.loads(answer.content)
    headers = dict(answer.headers)
    assert body["error"]["message"] == "Slow down."
    assert body["error"]["details"] == {"error_code": "ramp_limit_exceeded"}
    assert body["request_id"] == headers["request-id"]
    assert headers["retry-after"] == "2"
    assert answer.delay == 1.5


def test_a_page_of_a_proxy() -> None:
    answer = post(Rule(status=413, raw="<html>Too large</html>"))
    assert (answer.status, answer.content) == (413, b"<html>Too large</html>")
    assert dict(answer.headers)["content-type"] == "text/html"


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_event_by_its_name(stream: bool) -> None:
    rule = Rule(error_event="rate_limit_error", error_after=2)
    told = events_of(post(rule))[-1] if stream else json.loads(post(rule, stream=False).content)
    assert told["error"] == {
        "type": "rate_limit_error",
        "message": "This request would exceed your organization's rate limit.",
    }


@pytest.mark.parametrize("stream", [True, False])
def test_a_fallback_on_the_server(stream: bool) -> None:
    models = ("claude-haiku-4-5-20251001", "claude-sonnet-4-6", "claude-opus-4-6")
    hops = [
        {"type": "fallback", "from": {"model": one}, "to": {"model": other}}
        for one, other in itertools.pairwise(models)
    ]
    answer = post(Rule(reply=[*hops, {"type": "text", "text": "Yes."}]), stream=stream)
    if stream:
        assert events_of(answer)[0]["message"]["model"] == models[0]
        assert [block["type"] for block in assembled(events_of(answer))["content"]] == [
            "fallback", "fallback", "text",
        ]  # fmt: skip
    else:
        assert json.loads(answer.content)["model"] == models[-1]
