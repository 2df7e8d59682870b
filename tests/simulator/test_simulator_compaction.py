"""``compaction`` and ``diagnostics``: what is said of a conversation as a whole."""

from typing import Any

import pytest

from hookline.simulator import Call, Simulator
from hookline.wire import json

HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))
BETA = ("anthropic-beta", "compact-2026-09-04, context-management-2025-06-27")
HELLO = {"role": "user", "content": "Hello"}
TALK = [HELLO, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "And now?"}]


def post(simulator: Simulator | None = None, **body: Any) -> dict[str, Any]:
    body = {"model": "claude-opus-5-5", "max_tokens": 1000, "messages": [HELLO], **body}
    call = Call("POST", "/v1/messages", (*HEADERS, BETA), json.dumps(body))
    answer: dict[str, Any] = json.loads((simulator or Simulator()).handle(call).content)
    return answer


def summary(**more: Any) -> dict[str, Any]:
    answer = post(messages=TALK, compaction={"type": "summarize", **more})
    assert answer["stop_reason"] == "compaction"
    assert [block["type"] for block in answer["content"]] == ["compaction"]
    block: dict[str, Any] = answer["content"][0]
    return block


def test_the_answer_is_a_signed_block_and_nothing_else() -> None:
    block = summary(instructions="Keep the names.")
    assert "3 messages" in block["content"]
    assert "And now?" in block["content"]
    assert "Keep the names." in block["content"]
    assert summary(instructions=" ")["content"].endswith("And now?")


def test_the_block_stands_for_what_came_before() -> None:
    said = {"role": "assistant", "content": [summary()]}
    answer = post(messages=[said, {"role": "user", "content": "Go on"}])
    assert "You said: Go on" in answer["content"][0]["text"]


def test_the_block_comes_back_as_it_was() -> None:
    said = {"role": "assistant", "content": [{**summary(), "content": "Something else."}]}
    error = post(messages=[said, HELLO])["error"]
    assert error["message"] == "messages.0.content.0: Invalid `signature` in `compaction` block"
    assert error["details"] == {"error_code": "compaction_signature_invalid"}
    unsigned = {"type": "compaction", "content": None}
    assert "content" in post(messages=[{"role": "assistant", "content": [unsigned]}, HELLO])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"compaction": {"type": "squeeze"}}, "compaction: Input tag 'squeeze' found using 'type'"),
        (
            {"compaction": {"type": "summarize"}, "context_management": {"edits": []}},
            "compaction: cannot be used together with `context_management`",
        ),
    ],
)
def test_what_does_not_go(body: dict[str, Any], words: str) -> None:
    assert post(**body)["error"]["message"].startswith(words)


SYSTEM = "You are brief."
TOOL = {"name": "look", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"messages": [*TALK, {"role": "user", "content": "More"}]}, None),
        (
            {"system": [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]},
            "system_changed",
        ),
        ({"model": "claude-sonnet-5-5"}, "model_changed"),
        ({"system": "Else."}, "system_changed"),
        ({"tools": [TOOL]}, "tools_changed"),
        ({"messages": [{"role": "user", "content": "Else"}]}, "messages_changed"),
        ({"thinking": {"type": "adaptive"}}, "unavailable"),
        ({"model": "claude-sonnet-5-5", "tools": [TOOL]}, "model_changed"),
    ],
)
def test_diagnostics_name_the_first_change(changes: dict[str, Any], reason: str | None) -> None:
    simulator = Simulator()
    asked = {"diagnostics": {"previous_message_id": None}, "messages": TALK, "system": SYSTEM}
    first = post(simulator, **asked)
    assert first["diagnostics"] is None
    named = {"diagnostics": {"previous_message_id": first["id"]}}
    told = post(simulator, **asked | changes | named)["diagnostics"]
    if reason is None:
        assert told is None
    else:
        assert told["cache_miss_reason"]["type"] == reason
        tokens = told["cache_miss_reason"].get("cache_missed_input_tokens")
        assert tokens == (None if reason == "unavailable" else first["usage"]["input_tokens"])


def test_an_answer_that_nobody_gave() -> None:
    told = post(diagnostics={"previous_message_id": "msg_01nope"})["diagnostics"]
    assert told == {"cache_miss_reason": {"type": "previous_message_not_found"}}
