"""Turns that go on after somebody's decision: in conversations and streams, and once more after a failure."""

import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import frozen

from hookline import (
    APIError,
    HooklineError,
    InputError,
    OutputError,
    Pipeline,
    PolicyViolation,
    hookimpl,
)
from hookline.simulator import Rule
from hookline.values import ToolDone, ToolProgress, ToolStart

HUMAN: Any = {
    "config": {"plugins": {"tools": {"routes": {"delete": "human"}}, "disable": ["retry"]}}
}
CALLS = [{"name": "delete", "input": {"path": name}} for name in "ab"]
OVERLOADED: Any = {"status": 500, "message": "not now"}


class Files:
    """Remembers what was deleted."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    def delete(self, path: str) -> str:
        """Delete a file."""
        self.gone.append(path)
        return f"{path} is gone"


@frozen
class Count:
    """How many are left."""

    left: int


@pytest.fixture
def files() -> Files:
    return Files()


def approving(pending: Any) -> dict[str, Any]:
    return {call["id"]: "approve" for call in pending["calls"]}


def saved(pending: Any) -> Any:
    """Return what another process would read."""
    return json.loads(json.dumps(pending))


def test_a_conversation_goes_on_with_its_pending_turn(run: Any, sim: Any, files: Files) -> None:
    server = sim(Rule(call=1, tool_use=CALLS), Rule(call=2, reply="Done."), Rule(reply="Bye."))

    async def body(line: Any) -> Any:
        chat = line.conversation(tools=[files.delete], system="Be brief.")
        pending = (await chat.send("Tidy up.")).pending
        reply = await chat.resume(saved(pending), approving(pending))
        assert reply.text == "Done."
        assert chat.messages == reply.messages
        await chat.send("Thanks.")
        return chat.messages

    messages = run(body, base_url=server, **HUMAN)
    assert sorted(files.gone) == ["a", "b"]
    assert [m.role for m in messages] == ["user", "assistant"] * 3
    assert server.bodies[-1]["system"] == "Be brief."


def test_it_does_so_in_a_stream_and_shows_the_tools(run: Any, sim: Any, files: Files) -> None:
    server = sim(Rule(call=1, tool_use=CALLS), Rule(reply="Done."))

    async def body(line: Any) -> Any:
        chat = line.conversation(tools=[files.delete])
        pending = (await chat.send("Tidy up.")).pending
        async with chat.resume_stream(pending, approving(pending)) as stream:
            events = [event async for event in stream.events]
            reply = await stream.reply
        assert chat.messages == reply.messages
        return events, reply

    events, reply = run(body, base_url=server, **HUMAN)
    assert reply.text == "Done."
    kinds = [type(event) for event in events if isinstance(event, ToolStart | ToolDone)]
    assert sorted(kinds, key=str) == [ToolDone, ToolDone, ToolStart, ToolStart]
    assert sorted(files.gone) == ["a", "b"]


def test_progress_is_shown_in_a_turn_that_goes_on(run: Any, sim: Any) -> None:
    def delete(path: str) -> Any:
        """Delete a file."""
        yield "half"
        return f"{path} is gone"

    server = sim(Rule(call=1, tool_use=CALLS[0]), Rule(reply="Done."))

    async def body(line: Any) -> Any:
        pending = (await line.send("Tidy up.", tools=[delete])).pending
        async with line.resume_stream(pending, approving(pending), tools=[delete]) as stream:
            events = [event async for event in stream.events]
            return events, await stream.reply

    events, reply = run(body, base_url=server, **HUMAN)
    assert [event.value for event in events if isinstance(event, ToolProgress)] == ["half"]
    assert reply.text == "Done."


def test_a_stream_may_be_pending_again(run: Any, sim: Any, files: Files) -> None:
    server = sim(Rule(call=1, tool_use=CALLS[0]), Rule(call=2, tool_use=CALLS[1]), Rule(reply="!"))

    async def body(line: Any) -> None:
        pending = (await line.send("Tidy up.", tools=[files.delete])).pending
        async with line.resume_stream(pending, approving(pending), tools=[files.delete]) as stream:
            again = (await stream.reply).pending
        assert again["calls"][0]["input"] == {"path": "b"}
        async with line.resume_stream(again, {}, tools=[files.delete]) as stream:
            assert "".join([text async for text in stream.text]) == "!"

    run(body, base_url=server, **HUMAN)
    assert files.gone == ["a"]


def test_an_empty_conversation_takes_over_what_is_pending(run: Any, sim: Any, files: Files) -> None:
    server = sim(Rule(call=1, tool_use=CALLS[0]), Rule(reply="Done."))

    async def body(line: Any) -> None:
        pending = saved((await line.send("Tidy up.", tools=[files.delete])).pending)
        chat = line.conversation(tools=[files.delete])
        await chat.resume(pending, approving(pending))
        assert [m.role for m in chat.messages] == ["user", "assistant", "user", "assistant"]

    run(body, base_url=server, **HUMAN)


def test_a_conversation_refuses_what_is_not_its_own(run: Any, sim: Any, files: Files) -> None:
    server = sim(Rule(call=1, tool_use=CALLS[0]), Rule(reply="Done."))

    async def body(line: Any) -> None:
        pending = (await line.send("Tidy up.", tools=[files.delete])).pending
        other = line.conversation()
        await other.send("Hello")
        with pytest.raises(InputError, match="not the last turn of this conversation"):
            await other.resume(pending, {})
        with pytest.raises(InputError, match="not the last turn of this conversation"):
            other.resume_stream(pending, {})
        await other.send("Still there?")  # and it is free again

    run(body, base_url=server, **HUMAN)
    assert files.gone == []


def test_a_turn_that_goes_on_has_an_output_too(run: Any, sim: Any, files: Files) -> None:
    server = sim(Rule(call=1, tool_use=CALLS[0]), Rule(reply='{"left": 1}'))

    async def body(line: Any) -> Any:
        reply = await line.send("Tidy up.", tools=[files.delete], output=Count)
        assert reply.output is None
        pending = reply.pending
        return await line.resume(pending, approving(pending), tools=[files.delete], output=Count)

    assert run(body, base_url=server, **HUMAN).output == Count(left=1)
    assert server.bodies[1]["output_config"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("again", "other_process"),
    [
        ("what the error says", False),
        ("what the error says", True),
        ("what was pending first", False),  # what a process did not tell, another cannot know
    ],
)
def test_what_has_run_is_not_run_again_after_a_failure(
    run: Any, sim: Any, files: Files, again: str, other_process: bool
) -> None:
    server = sim(
        Rule(call=1, tool_use=CALLS), Rule(call=2, **OVERLOADED), Rule(call=3, reply="Done.")
    )
    line = {"base_url": server, **HUMAN}

    async def fails(pipeline: Any) -> Any:
        pending = saved((await pipeline.send("Tidy up.", tools=[files.delete])).pending)
        decisions = approving(pending)
        with pytest.raises(APIError) as caught:
            await pipeline.resume(pending, decisions, tools=[files.delete])
        assert sorted(files.gone) == ["a", "b"]
        left = saved(caught.value.pending if again.startswith("what the") else pending)
        assert other_process or await goes_on(pipeline, left, decisions)
        return left, decisions

    async def goes_on(pipeline: Any, left: Any, decisions: Any) -> Any:
        reply = await pipeline.resume(left, decisions, tools=[files.delete])
        assert reply.text == "Done."
        return reply

    left, decisions = run(fails, **line)
    if other_process:
        run(lambda pipeline: goes_on(pipeline, left, decisions), **line)
    assert sorted(files.gone) == ["a", "b"]
    sent = server.bodies[-1]["messages"][-1]["content"]
    assert [result["content"] for result in sent] == ["a is gone", "b is gone"]


def test_a_plain_turn_that_fails_after_its_tools_can_be_resumed(
    run: Any, sim: Any, files: Files, streamed: bool
) -> None:
    server = sim(
        Rule(call=1, tool_use=CALLS), Rule(call=2, **OVERLOADED), Rule(call=3, reply="Done.")
    )

    async def body(line: Any) -> Any:
        chat = line.conversation(tools=[files.delete])
        with pytest.raises(APIError) as caught:
            if streamed:
                async with chat.stream("Tidy up.") as stream:
                    await stream.reply
            else:
                await chat.send("Tidy up.")
        pending = saved(caught.value.pending)
        assert pending["calls"] == []
        assert len(chat) == int(streamed)  # a turn that fails leaves it as it was
        return await chat.resume(pending, {})

    assert run(body, base_url=server).text == "Done."
    assert sorted(files.gone) == ["a", "b"]


def test_calls_that_ran_before_another_was_refused_are_kept(
    run: Any, sim: Any, files: Files
) -> None:
    class OnlyA:
        role = "enforcer"
        inline = True

        @hookimpl
        def check_tool(self, call: Any) -> None:
            if call.input["path"] == "b":
                raise PolicyViolation("not b")

    server = sim(Rule(call=1, tool_use=CALLS), Rule(reply="Done."))
    tools = {"tools": {"parallel": 1}, "disable": ["retry"]}
    line = {"base_url": server, "policy": OnlyA(), "config": {"plugins": tools}}

    async def body(pipeline: Any) -> Any:
        with pytest.raises(PolicyViolation) as caught:
            await pipeline.send("Tidy up.", tools=[files.delete])
        pending = saved(caught.value.pending)
        assert [call["input"]["path"] for call in pending["calls"]] == ["b"]
        return await pipeline.resume(pending, {}, tools=[files.delete])

    assert run(body, **line).text == "Done."
    assert files.gone == ["a"]
    kept, refused = server.bodies[-1]["messages"][-1]["content"]
    assert kept["content"] == "a is gone"
    assert "did not approve" in refused["content"]


def test_an_error_before_any_tool_ran_has_nothing_pending(run: Any, sim: Any) -> None:
    with pytest.raises(APIError) as caught:
        run.send(line={"base_url": sim(Rule(**OVERLOADED))})
    assert caught.value.pending is None
    assert HooklineError("anything").pending is None


def test_an_error_that_was_copied_still_goes_on(blocking: Any, sim: Any, files: Files) -> None:
    server = sim(Rule(call=1, tool_use=CALLS), Rule(reply="no JSON"))
    with pytest.raises(OutputError) as caught:
        blocking.send(line={"base_url": server}, tools=[files.delete], output=Count)
    assert copy.deepcopy(caught.value).pending == caught.value.pending


def test_a_turn_is_resumed_by_one_at_a_time(sim: Any) -> None:
    server = sim(Rule(call=1, tool_use=CALLS[0]), Rule(reply="Done."))
    runs: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def delete(path: str) -> str:
        """Delete a file."""
        runs.append(path)
        inside.set()
        assert go_on.wait(20)
        return "gone"

    with Pipeline(base_url=server, model="claude-haiku-4-5", **HUMAN) as line:
        pending = line.send("Tidy up.", tools=[delete]).pending
        assert pending is not None
        decisions = approving(pending)
        with ThreadPoolExecutor() as pool:
            first: Any = pool.submit(line.resume, pending, decisions, tools=[delete])
            assert inside.wait(20)
            with pytest.raises(InputError, match="being resumed already"):
                line.resume(pending, decisions, tools=[delete])
            go_on.set()
            assert first.result().text == "Done."
        assert line.resume(pending, decisions, tools=[delete]).text == "Done."
    assert runs == ["a"]
