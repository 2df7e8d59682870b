"""What of a reply goes into a history: nothing that the API would refuse to take back (facts 16.2)."""

from typing import Any

import pytest

from hookline import Message, Prefill, Reply, Request, Response, TextBlock, ToolUseBlock
from hookline.simulator import Rule
from hookline.values import (
    ServerToolUseBlock,
    ThinkingBlock,
    UnknownBlock,
    WebSearchToolResultBlock,
)
from hookline.values.editing.remembered import remembered

CALL = ToolUseBlock("toolu_1", "get", {})
SEARCH = ServerToolUseBlock("srvtoolu_1", "web_search", {})
FOUND = WebSearchToolResultBlock("srvtoolu_1", [])
THOUGHT = ThinkingBlock("hm", "sig")
CUT = ("max_tokens", "end_turn", "stop_sequence", "model_context_window_exceeded", "newer")
OPEN = ("tool_use", "pause_turn", "compaction")


@pytest.mark.parametrize("blank", ["", " ", "\n\n", "\t", "\u3000"])
def test_blank_text_is_left_out(blank: str) -> None:
    content = (TextBlock(blank), CALL)
    assert remembered(content, stop_reason="tool_use") == (CALL,)
    assert remembered((TextBlock(blank),), stop_reason="end_turn") == ()


def test_blank_text_that_goes_on_with_a_prefill_is_kept() -> None:
    begun = Prefill(text="So", mode="native")
    kept = remembered((TextBlock("\n"),), stop_reason="end_turn", prefill=begun)
    assert kept == (TextBlock("So\n"),)


@pytest.mark.parametrize("stop", CUT)
def test_a_call_that_nobody_may_run_is_left_out(stop: str) -> None:
    content = (TextBlock("Let me see."), CALL, SEARCH)
    assert remembered(content, stop_reason=stop) == (TextBlock("Let me see."),)


@pytest.mark.parametrize("stop", OPEN)
def test_an_open_call_is_kept_where_the_turn_goes_on(stop: str) -> None:
    assert remembered((CALL, SEARCH), stop_reason=stop) == (CALL, SEARCH)


def test_a_servers_call_with_its_result_is_kept() -> None:
    later = UnknownBlock(
        "new_tool_result", {"type": "new_tool_result", "tool_use_id": "srvtoolu_2"}
    )
    other = ServerToolUseBlock("srvtoolu_2", "new", {})
    content = (SEARCH, FOUND, other, later, TextBlock("Found."))
    assert remembered(content, stop_reason="end_turn") == content


@pytest.mark.parametrize("stop", CUT)
def test_a_message_does_not_end_in_a_thought(stop: str) -> None:
    unsigned = UnknownBlock("thinking", {"type": "thinking", "thinking": "hm"})
    content = (THOUGHT, TextBlock("So"), THOUGHT, unsigned, CALL)
    assert remembered(content, stop_reason=stop) == (THOUGHT, TextBlock("So"))
    assert remembered((THOUGHT, CALL), stop_reason=stop) == ()


def test_half_an_answer_keeps_its_words_alone() -> None:
    content = (THOUGHT, TextBlock("\n"), TextBlock("So"), CALL)
    assert remembered(content, stop_reason=None, interrupted=True) == (TextBlock("So"),)


def test_the_response_keeps_what_the_history_leaves_out() -> None:
    response = Response(content=(TextBlock("\n\n"), CALL), stop_reason="max_tokens")
    reply = Reply(response=response, request=Request("m", 9, (Message("user", "Hi"),)))
    assert reply.messages == (Message("user", "Hi"),)
    assert reply.tool_uses == (CALL,)
    assert reply.text == "\n\n"


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


ASKED = {"type": "tool_use", "id": "toolu_01A", "name": "weather", "input": {"city": "Bern"}}
BLANK = {"type": "text", "text": "\n\n"}


def test_a_blank_text_before_a_tool_call(run: Any, sim: Any, streamed: bool) -> None:
    server = sim(Rule(call=1, reply=[BLANK, ASKED]), Rule(reply="Fine."))
    reply = run.outcome(streamed, line={"base_url": server}, tools=[weather])
    assert reply.response.text == "Fine."
    assert [block["type"] for block in server.bodies[1]["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("stop", CUT[:-1])
def test_a_conversation_goes_on_after_a_call_that_was_cut(
    run: Any, sim: Any, streamed: bool, stop: str
) -> None:
    said: list[Any] = [{"type": "text", "text": "Let me see."}, {**ASKED, "input": {}}]
    server = sim(Rule(call=1, reply=said, stop_reason=stop), Rule(reply="Fine."))

    async def body(line: Any) -> None:
        chat = line.conversation(tools=[weather])
        if streamed:
            async with chat.stream("Weather?") as stream:
                await stream.reply
        else:
            await chat.send("Weather?")
        assert (await chat.send("Go on")).text == "Fine."

    run(body, base_url=server)
