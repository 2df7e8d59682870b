"""Structured output where no server holds a model to a schema: by a tool, or else in words."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from attrs import frozen

from hookline import APIError, CallNext, OutputError, Request, Response, hookimpl
from hookline.plugin import Layer
from hookline.simulator import Rule
from hookline.values import ContentBlockStart, MessageDelta, ToolUseBlock

Sim = Callable[..., Any]
NAME = "structured_output"
BY_TOOL = {"plugins": {"output": {"mode": "tool"}, "disable": ["retry"]}}
SAID = {"latin": "Lasius niger", "legs": 6}


@frozen
class Ant:
    """One kind of ant."""

    latin: str
    legs: int


ANT = Ant("Lasius niger", 6)
CALLED = {"name": NAME, "input": SAID}


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def notes(reply: Any) -> list[str]:
    return [text for plugin, text in reply.trace.notes if plugin == "output"]


def test_the_answer_is_the_input_of_a_tool_that_must_be_called(
    run: Any, sim: Sim, streamed: bool
) -> None:
    server = sim(Rule(tool_use=CALLED))
    reply = run.outcome(streamed, line={"base_url": server, "config": BY_TOOL}, output=Ant)
    assert reply.output == ANT
    assert json.loads(reply.text) == SAID
    assert reply.stop_reason == "end_turn"
    assert reply.tool_uses == ()
    assert reply.pending is None
    assert notes(reply) == ["tool for claude-haiku-4-5"]
    (body,) = server.bodies
    assert body["tool_choice"] == {"type": "tool", "name": NAME}
    (tool,) = body["tools"]
    assert tool["input_schema"]["properties"].keys() == SAID.keys()
    assert "output_config" not in body
    assert NAME not in json.dumps(body["messages"])  # which needs no words


def test_a_server_that_knows_no_schema_is_asked_so_by_itself(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    block = {"type": "tool_use", "id": "call_1", "name": NAME, "input": SAID}
    answer = message("", content=[block], stop_reason="tool_use", model="ants-7b")
    server = loopback(lambda _: http(200, answer))
    assert run.send(line={**server.line, "model": "ants-7b"}, output=Ant).output == ANT
    assert server.requests[0].json["tool_choice"]["name"] == NAME


def test_what_leaves_is_all_that_knows_of_the_tool(run: Any, sim: Sim) -> None:
    server = sim(Rule(call=1, tool_use=CALLED), Rule(reply="Six."))

    async def body(line: Any) -> Any:
        chat = line.conversation()
        await chat.send("An ant?", output=Ant)
        await chat.send("How many legs?")
        return chat.messages

    messages = run(body, base_url=server, config=BY_TOOL)
    assert [json.loads(messages[1].blocks[0].text), messages[3].blocks[0].text] == [SAID, "Six."]
    assert "tools" not in server.bodies[1]


def test_it_works_beside_tools_that_are_called_first(run: Any, sim: Sim, streamed: bool) -> None:
    looks = {"name": "weather", "input": {"city": "Bern"}}
    server = sim(Rule(call=1, tool_use=looks), Rule(tool_use=CALLED))
    line = {"base_url": server, "config": BY_TOOL}
    reply = run.outcome(streamed, line=line, output=Ant, tools=[weather])
    assert reply.output == ANT
    for body in server.bodies:
        assert "tool_choice" not in body
        assert [tool["name"] for tool in body["tools"]] == ["weather", NAME]
        assert NAME in body["messages"][-1]["content"][-1]["text"]
    assert server.bodies[1]["messages"][-1]["content"][0]["content"] == "sunny in Bern"


def test_an_answer_beside_other_calls_is_not_the_last_word(
    run: Any, sim: Sim, streamed: bool
) -> None:
    looks = {"name": "weather", "input": {"city": "Bern"}}
    early = {"name": NAME, "input": {"latin": "Formica", "legs": 5}}
    server = sim(Rule(call=1, tool_use=[early, looks]), Rule(tool_use=CALLED))
    line = {"base_url": server, "config": BY_TOOL}
    assert run.outcome(streamed, line=line, output=Ant, tools=[weather]).output == ANT
    first, second = server.bodies[1]["messages"][1]["content"]
    assert (first["type"], second["name"]) == ("text", "weather")


def test_a_stream_shows_the_answer_as_text_that_grows(run: Any, sim: Sim) -> None:
    server = sim(Rule(reply="Here:", tool_use=CALLED, chunk=4))

    async def body(line: Any) -> Any:
        async with line.stream("An ant?", output=Ant) as stream:
            events = [event async for event in stream.events]
        async with line.stream("An ant?", output=Ant) as stream:
            growing = [value async for value in stream.output]
            return events, growing, await stream.reply

    events, growing, reply = run(body, base_url=server, config=BY_TOOL)
    assert not any(
        isinstance(e, ContentBlockStart) and isinstance(e.content_block, ToolUseBlock)
        for e in events
    )
    assert [e.delta.stop_reason for e in events if isinstance(e, MessageDelta)] == ["end_turn"]
    assert len(growing) > 2
    assert all(before != after for before, after in pairwise(growing))
    assert growing[-1] == SAID
    assert reply.output == ANT


def test_a_server_that_takes_no_tools_is_told_in_words_and_not_asked_again(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    def answer(request: Any) -> Any:
        if "tools" in request.json:
            error = {"type": "error", "error": {"type": "x", "message": "tools need --jinja"}}
            return http(500, error)
        return http(200, message(f"Here: {json.dumps(SAID)}", model="ants-7b"))

    server = loopback(answer)

    async def body(line: Any) -> Any:
        return [await line.send("An ant?", output=Ant) for _ in range(2)]

    first, second = run(body, **{**server.line, "model": "ants-7b"})
    assert (first.output, second.output) == (ANT, ANT)
    assert notes(first) == ["tool for ants-7b", "instructed for ants-7b"]
    assert notes(second) == ["instructed for ants-7b"]
    assert ["tools" in request.json for request in server.requests] == [True, False, False]


@pytest.mark.parametrize(("status", "said"), [(400, "max_tokens is too large"), (401, "tools?")])
def test_other_refusals_are_the_callers(
    blocking: Any, loopback: Any, http: Any, status: int, said: str
) -> None:
    error = {"type": "error", "error": {"type": "x", "message": said}}
    server = loopback(lambda _: http(status, error))
    with pytest.raises(APIError):
        blocking.send(line={**server.line, "model": "ants-7b"}, output=Ant)
    assert len(server.requests) == 1


def test_words_before_the_call_are_not_the_answer(run: Any, sim: Sim, streamed: bool) -> None:
    server = sim(Rule(reply='I thought of {"latin": "Formica", "legs": 5}.', tool_use=CALLED))
    line = {"base_url": server, "config": BY_TOOL}
    assert run.outcome(streamed, line=line, output=Ant).output == ANT


def test_a_model_that_cannot_be_forced_is_told_to_call(blocking: Any, sim: Sim) -> None:
    server = sim(Rule(tool_use=CALLED))
    line = {"base_url": server, "config": BY_TOOL, "model": "claude-opus-5-5"}
    assert blocking.send(line=line, output=Ant).output == ANT
    assert "tool_choice" not in server.bodies[0]
    assert NAME in server.bodies[0]["messages"][-1]["content"][-1]["text"]


def test_a_model_that_writes_instead_of_calling_is_read_too(blocking: Any, sim: Sim) -> None:
    server = sim(Rule(reply=f"```json\n{json.dumps(SAID)}\n```"))
    line = {"base_url": server, "config": BY_TOOL}
    assert blocking.send(line=line, output=Ant, tools=[weather]).output == ANT


def test_the_tool_gives_way_to_another_of_its_name(blocking: Any, sim: Sim) -> None:
    def structured_output() -> str:
        """Tell something else."""
        return "nothing"

    server = sim(
        Rule(call=1, tool_use={"name": NAME, "input": {}}),
        Rule(tool_use={"name": NAME + "_", "input": SAID}),
    )
    line = {"base_url": server, "config": BY_TOOL}
    reply = blocking.send(line=line, output=Ant, tools=[structured_output])
    assert reply.output == ANT
    assert len(reply.earlier) == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"tool_use": {"name": NAME, "input": {"latin": 4}}}, "mismatch"),
        ({"reply": "No."}, "not_json"),
    ],
)
def test_what_does_not_fit_is_told(
    run: Any, sim: Sim, streamed: bool, given: Any, reason: str
) -> None:
    with pytest.raises(OutputError) as caught:
        line = {"base_url": sim(Rule(**given)), "config": BY_TOOL}
        run.outcome(streamed, line=line, output=Ant, tools=[weather])
    assert caught.value.reason == reason


def test_a_choice_of_no_tool_is_kept(blocking: Any, sim: Sim) -> None:
    server = sim(Rule(reply=json.dumps(SAID)))
    line = {"base_url": server, "config": BY_TOOL}
    reply = blocking.send(line=line, output=Ant, tools=[weather], tool_choice={"type": "none"})
    assert reply.output == ANT
    assert notes(reply) == ["instructed for claude-haiku-4-5"]


def test_a_count_counts_what_would_be_sent(blocking: Any, sim: Sim) -> None:
    server = sim()
    blocking(lambda line: line.count_tokens("Hi", output=Ant), base_url=server, config=BY_TOOL)
    assert server.bodies[0]["tools"][0]["name"] == NAME


def test_the_trace_says_that_a_schema_was_sent(blocking: Any, sim: Sim) -> None:
    server = sim(Rule(reply=json.dumps(SAID)))
    reply = blocking.send(line={"base_url": server}, output=Ant)
    assert notes(reply) == ["native for claude-haiku-4-5"]
    assert server.bodies[0]["output_config"]["format"]["type"] == "json_schema"


class Elsewhere:
    """Lets another model answer, as a fallback does."""

    layer = Layer.FALLBACK

    @hookimpl
    async def send(self, request: Request, call_next: CallNext) -> Response:
        return await call_next(request.evolve(model="ants-7b"))


def test_whoever_answers_in_the_end_is_asked_in_its_way(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    block = {"type": "tool_use", "id": "call_1", "name": NAME, "input": SAID}
    answer = message("", content=[block], stop_reason="tool_use", model="ants-7b")
    server = loopback(lambda _: http(200, answer))
    reply = run.send(line={**server.line, "plugins": [Elsewhere()]}, output=Ant)
    assert reply.output == ANT
    assert reply.request.model == "claude-haiku-4-5"
    assert "output_config" not in server.requests[0].json
