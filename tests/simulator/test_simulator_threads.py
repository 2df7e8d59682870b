"""Threads: the server keeps the conversation."""

from typing import Any

import pytest

from hookline.simulator import Answer, Call, Simulator
from hookline.wire import json

BETA = ("anthropic-beta", "message-threads-2026-08-12")
HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))


def post(simulator: Simulator, text: str, *, beta: bool = True, **body: Any) -> Answer:
    body = {
        "model": "claude-opus-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
        **body,
    }
    headers = (*HEADERS, BETA) if beta else HEADERS
    return simulator.handle(Call("POST", "/v1/messages", headers, json.dumps(body)))


def message(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.content
    found: dict[str, Any] = json.loads(answer.content)
    return found


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.content)["error"]["details"]["error_code"]


def after(first: dict[str, Any]) -> dict[str, Any]:
    return {"type": "continue", "previous_message_id": first["id"]}


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


def test_a_thread_counts_and_remembers_its_past(simulator: Simulator) -> None:
    first = message(post(simulator, "One", thread={"type": "create"}, system="Be brief."))
    second = message(post(simulator, "Two", thread=after(first)))
    whole = message(
        post(
            simulator,
            "",
            system="Be brief.",
            messages=[
                {"role": "user", "content": "One"},
                {"role": "assistant", "content": first["content"]},
                {"role": "user", "content": "Two"},
            ],
        )
    )
    assert second["usage"]["input_tokens"] == whole["usage"]["input_tokens"]
    assert message(post(simulator, "Three", thread=after(second)))


def test_a_tool_loop_in_a_thread(simulator: Simulator) -> None:
    tools = [{"name": "add", "input_schema": {"type": "object"}}]
    model: dict[str, Any] = {"model": "claude-haiku-4-5"}
    first = message(
        post(
            simulator,
            "2+2",
            **model,
            tools=tools,
            tool_choice={"type": "any"},
            thread={"type": "create"},
        )
    )
    use = first["content"][0]
    results = [{"type": "tool_result", "tool_use_id": use["id"], "content": "4"}]
    turn = [{"role": "user", "content": results}]
    second = message(post(simulator, "", **model, messages=turn, thread=after(first)))
    assert second["stop_reason"] == "end_turn"


def test_each_reply_is_continued_once(simulator: Simulator) -> None:
    first = message(post(simulator, "One", thread={"type": "create"}))
    assert post(simulator, "", thread=after(first)).status == 400  # invalid: it does not count
    assert post(simulator, "Two", thread=after(first)).status == 200
    assert code(post(simulator, "Two", thread=after(first))) == (400, "thread_already_continued")


def test_what_a_thread_refuses(simulator: Simulator) -> None:
    plain = message(post(simulator, "One"))
    assert code(post(simulator, "Two", thread=after(plain))) == (404, "thread_not_found")
    first = message(post(simulator, "One", thread={"type": "create"}))
    other = post(simulator, "Two", thread=after(first), system="Changed.")
    assert code(other) == (400, "thread_fingerprint_mismatch")
    text = json.loads(post(simulator, "x", beta=False, thread={"type": "create"}).content)
    assert text["error"]["message"] == "thread: Extra inputs are not permitted"
