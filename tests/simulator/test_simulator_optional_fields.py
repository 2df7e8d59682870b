"""What the API leaves out, the simulator leaves out: fields that are there but null break clients."""

from typing import Any

import pytest

from hookline.simulator import Call, Rule, Scenario, Simulator
from hookline.wire import json

HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))
HELLO = {"role": "user", "content": "Hello"}
TOOLS = [
    {"name": "look", "input_schema": {"type": "object"}},
    {"name": "find", "input_schema": {"type": "object"}},
]


def post(rule: Rule | None = None, *, beta: str = "", **body: Any) -> bytes:
    body = {"model": "claude-haiku-5-5", "max_tokens": 1000, "messages": [HELLO], **body}
    headers = (*HEADERS, ("anthropic-beta", beta)) if beta else HEADERS
    simulator = Simulator(Scenario.of(*([rule] if rule else [])))
    answer = simulator.handle(Call("POST", "/v1/messages", headers, json.dumps(body)))
    assert answer.status == 200, answer.content
    return answer.content


def events(content: bytes) -> list[dict[str, Any]]:
    return [
        json.loads(line.removeprefix(b"data: "))
        for line in content.splitlines()
        if line.startswith(b"data: ")
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_text_without_citations_and_messages_without_container(stream: bool) -> None:
    content = post(stream=stream)
    assert b"citations" not in content
    assert b"container" not in content
    assert b'"diagnostics"' not in content


def test_calls_say_who_made_them() -> None:
    rule = Rule(tool_use={"name": "look"})
    call = json.loads(post(rule, tools=TOOLS))["content"][0]
    assert list(call) == ["type", "id", "name", "input", "caller"]
    assert call["caller"] == {"type": "direct"}
    started = [e for e in events(post(rule, tools=TOOLS, stream=True)) if "content_block" in e]
    assert started[0]["content_block"]["caller"] == {"type": "direct"}


def test_a_scripted_caller_is_kept() -> None:
    caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
    block = {"type": "tool_use", "name": "look", "input": {}, "caller": caller}
    rule = Rule(reply=[block], stop_reason="tool_use")
    assert json.loads(post(rule, tools=TOOLS))["content"][0]["caller"] == caller


def test_thinking_deltas_estimate_under_the_beta_only() -> None:
    rule = Rule(thinking="Let me think about that for a while.", reply="Yes.")
    thinking = {"type": "adaptive", "display": "summarized"}

    def deltas(beta: str) -> list[dict[str, Any]]:
        told = events(post(rule, beta=beta, thinking=thinking, stream=True))
        found = [event["delta"] for event in told if event["type"] == "content_block_delta"]
        return [delta for delta in found if delta["type"] == "thinking_delta"]

    assert all("estimated_tokens" not in delta for delta in deltas(""))
    estimates = [delta["estimated_tokens"] for delta in deltas("thinking-token-count-2026-05-13")]
    assert len(estimates) > 1
    assert sum(estimates) == 9
