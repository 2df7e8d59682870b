"""The plugin ``pause``: a paused turn goes on by itself, with what it had, and not for ever."""

from collections.abc import Callable
from typing import Any

import pytest

from hookline import ConfigError, Pipeline, TurnLimitExceeded
from hookline.simulator import Rule

MODEL = "claude-haiku-4-5"
Sim = Callable[..., Any]
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CALL = {
    "type": "server_tool_use",
    "id": "srvtoolu_1",
    "name": "web_search",
    "input": {"query": "ants"},
}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "url": "https://example.com/ants",
            "title": "Ants",
            "encrypted_content": "abc",
            "page_age": None,
        }
    ],
}
SAID = {"type": "text", "text": "Let me look."}
PAUSED = Rule(reply=[SAID, CALL, FOUND], stop_reason="pause_turn", times=1)
ANSWER = Rule(reply="Ants are insects.")


def test_a_paused_turn_goes_on_with_its_content_unchanged(
    run: Any,
    sim: Sim,
    streamed: bool,
) -> None:
    simulator = sim(PAUSED, ANSWER)
    reply = run.outcome(streamed, line={"base_url": simulator}, tools=[SEARCH])
    assert reply.text == "Let me look.Ants are insects."
    assert [each.stop_reason for each in reply.earlier] == ["pause_turn"]
    first, second = simulator.bodies
    assert second["messages"] == [
        *first["messages"],
        {"role": "assistant", "content": [SAID, CALL, FOUND]},
    ]
    assert {**second, "messages": None} == {**first, "messages": None}
    assert [message.role for message in reply.messages] == ["user", "assistant", "assistant"]
    assert reply.usage.output_tokens == sum(
        each.usage.output_tokens for each in (*reply.earlier, reply.response)
    )


def test_a_stream_shows_both_parts(run: Any, sim: Sim) -> None:
    text, _ = run.stream(line={"base_url": sim(PAUSED, ANSWER)}, tools=[SEARCH])
    assert text == "Let me look.Ants are insects."


def test_a_conversation_goes_on_after_a_pause(run: Any, sim: Sim) -> None:
    simulator = sim(PAUSED, ANSWER)

    async def body(line: Any) -> None:
        chat = line.conversation(tools=[SEARCH])
        await chat.send("Hello")
        await chat.send("And bees?")

    run(body, base_url=simulator)
    roles = [message["role"] for message in simulator.bodies[-1]["messages"]]
    assert roles == ["user", "assistant", "assistant", "user"]


@pytest.mark.parametrize("limit", [1, 3])
def test_pauses_are_bounded(run: Any, sim: Sim, streamed: bool, limit: int) -> None:
    simulator = sim(Rule(reply=[CALL, FOUND], stop_reason="pause_turn"))
    line = {"base_url": simulator, "config": {"plugins": {"pause": {"limit": limit}}}}
    with pytest.raises(TurnLimitExceeded, match=f"{limit + 1} times") as caught:
        run.outcome(streamed, line=line, tools=[SEARCH])
    assert caught.value.partial is not None
    assert caught.value.partial.stop_reason == "pause_turn"
    assert len(simulator.calls) == limit + 1


def test_a_limit_of_none_leaves_the_turn_to_the_caller(sim: Sim) -> None:
    config = {"plugins": {"pause": {"limit": 0}}}
    with Pipeline(base_url=sim(PAUSED, ANSWER), model=MODEL, config=config) as line:
        reply = line.send("Hello", tools=[SEARCH])
        assert reply.stop_reason == "pause_turn"
        assert line.send(messages=reply.messages, tools=[SEARCH]).text == "Ants are insects."


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="pause"):
        Pipeline(base_url="sim:", config={"plugins": {"pause": {"limit": -1}}})
