"""Gates in front of tools, what waits for a decision, and turns that go on in another process."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from hookline import ConfigError, InputError, Pipeline, TextBlock, ToolUseBlock
from hookline.simulator import Rule, Scenario, Simulator
from hookline_plugins.tools import Tools

CALLS = [
    {"name": "read", "input": {"path": "a"}},
    {"name": "delete", "input": {"path": "a"}},
    {"name": "delete", "input": {"path": "b"}},
]


class Files:
    """Remembers what was done to them."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    def read(self, path: str) -> str:
        """Read a file."""
        self.done.append(("read", path))
        return f"content of {path}"

    def delete(self, path: str) -> str:
        """Delete a file."""
        self.done.append(("delete", path))
        return f"{path} is gone"

    @property
    def tools(self) -> list[Any]:
        return [self.read, self.delete]


def routed(**routes: Any) -> dict[str, Any]:
    return {"config": {"plugins": {"tools": {"routes": routes}, "disable": ["retry"]}}}


def results(server: Any) -> list[Any]:
    return list(server.bodies[-1]["messages"][-1]["content"])


def test_a_denied_tool_tells_the_model_why_and_never_runs(
    run: Any, sim: Any, streamed: Any
) -> None:
    server, files = sim(Rule(tool_use=CALLS, times=1)), Files()
    line = {"base_url": server, **routed(delete={"deny": "Nothing is deleted here."})}
    run.outcome(streamed, line=line, tools=files.tools)
    assert files.done == [("read", "a")]
    assert [r["content"] for r in results(server)[1:]] == ["Nothing is deleted here."] * 2
    assert [bool(r.get("is_error")) for r in results(server)] == [False, True, True]


def test_a_gate_holds_for_every_name_that_its_glob_fits(run: Any, sim: Any) -> None:
    server, files = sim(Rule(tool_use=CALLS, times=1)), Files()
    run.send(line={"base_url": server, **routed(**{"*": "deny"})}, tools=files.tools)
    assert files.done == []
    assert all(r["is_error"] for r in results(server))


def test_a_denied_tool_that_nobody_runs_is_denied_too(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use=CALLS[1], times=1))
    definition = {"name": "delete", "input_schema": {"type": "object"}}
    reply = run.send(line={"base_url": server, **routed(delete="deny")}, tools=[definition])
    assert reply.pending is None
    assert results(server)[0]["is_error"] is True


@pytest.mark.parametrize(
    ("said", "done", "content"),
    [
        (True, [("delete", "a")], "a is gone"),
        ("approve", [("delete", "a")], "a is gone"),
        (False, [], "did not approve"),
        (None, [], "did not approve"),
        ({"refuse": "Not on a Friday."}, [], "Not on a Friday."),
        ({"edit": {"path": "z"}}, [("delete", "z")], "z is gone"),
        ({"result": "It was gone already."}, [], "It was gone already."),
        ({"edit": "z"}, [], "must be 'approve'"),
        (5, [], "must be 'approve'"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_person_decides_by_a_callback(
    run: Any, sim: Any, said: Any, done: Any, content: str, asynchronous: Any
) -> None:
    asked: list[ToolUseBlock] = []

    def decide(call: ToolUseBlock) -> Any:
        asked.append(call)
        return said

    async def decide_later(call: ToolUseBlock) -> Any:
        return decide(call)

    server, files = sim(Rule(tool_use=CALLS[1], times=1)), Files()
    callback = decide_later if asynchronous else decide
    tools = Tools(routes={"delete": {"human": callback}})
    line = {"base_url": server, "plugins": [tools]}
    run.send(line=line, tools=files.tools)
    assert [call.name for call in asked] == ["delete"]
    assert files.done == done
    assert content in results(server)[0]["content"]


def test_a_callback_that_fails_has_not_approved(run: Any, sim: Any) -> None:
    def decide(call: ToolUseBlock) -> Any:
        raise LookupError("nobody is there")

    server, files = sim(Rule(tool_use=CALLS[1], times=1)), Files()
    tools = Tools(routes={"delete": {"human": decide}})
    reply = run.send(line={"base_url": server, "plugins": [tools]}, tools=files.tools)
    assert files.done == []
    assert "nobody is there" in results(server)[0]["content"]
    assert [error.tool for error in reply.tool_errors] == ["delete"]


def test_what_waits_for_a_person_is_left_over_and_the_rest_has_run(
    run: Any, sim: Any, streamed: Any
) -> None:
    server, files = sim(Rule(tool_use=CALLS)), Files()
    line = {"base_url": server, **routed(delete="human")}
    reply = run.outcome(streamed, line=line, tools=files.tools)
    assert files.done == [("read", "a")]
    assert [call.input["path"] for call in reply.tool_uses] == ["a", "b"]
    assert [result.content for result in reply.tool_results] == ["content of a"]
    pending = json.loads(json.dumps(reply.pending))
    assert pending == reply.pending
    assert [call["name"] for call in pending["calls"]] == ["delete", "delete"]
    assert len(server.bodies) == 1


def test_a_pending_turn_goes_on_and_runs_nothing_twice(run: Any, sim: Any) -> None:
    server, files = sim(Rule(call=1, tool_use=CALLS), Rule(reply="Done.")), Files()
    line = {"base_url": server, **routed(delete="human")}
    reply = run.send(line=line, tools=files.tools, system="Be brief.", temperature=0.5)
    first, second = (call["id"] for call in reply.pending["calls"])
    saved = json.loads(json.dumps(reply.pending))

    async def body(pipeline: Any) -> Any:
        return await pipeline.resume(saved, {first: "approve"}, tools=files.tools)

    resumed = run(body, **line)
    assert resumed.text == "Done."
    assert resumed.pending is None
    assert files.done == [("read", "a"), ("delete", "a")]
    sent = results(server)
    assert [r["tool_use_id"] for r in sent][1:] == [first, second]
    assert [r["content"] for r in sent[:2]] == ["content of a", "a is gone"]
    assert "did not approve" in sent[2]["content"]
    assert server.bodies[1]["system"] == "Be brief."
    assert server.bodies[1]["temperature"] == 0.5
    assert len(server.bodies[1]["messages"]) == 3


def test_a_decision_may_be_the_result_of_a_tool_that_nobody_here_runs(run: Any, sim: Any) -> None:
    server = sim(Rule(call=1, tool_use=CALLS[1]), Rule(reply="Done."))
    definition = {"name": "delete", "input_schema": {"type": "object"}}

    async def body(line: Any) -> None:
        reply = await line.send("Hello", tools=[definition])
        (call,) = reply.pending["calls"]
        with pytest.raises(InputError, match="toolu_other"):
            await line.resume(reply.pending, {"toolu_other": "approve"})
        done = await line.resume(reply.pending, {call["id"]: {"result": "gone"}})
        assert done.text == "Done."
        assert results(server)[0]["content"] == "gone"
        await line.resume(reply.pending, {call["id"]: "approve"})
        assert "nothing here runs delete" in results(server)[0]["content"]

    run(body, base_url=server)


def test_a_deny_holds_though_a_person_approved(run: Any, sim: Any) -> None:
    server, files = sim(Rule(call=1, tool_use=CALLS[1]), Rule(reply="Done.")), Files()
    reply = run.send(line={"base_url": server, **routed(delete="human")}, tools=files.tools)
    (call,) = reply.pending["calls"]

    async def body(line: Any) -> None:
        await line.resume(reply.pending, {call["id"]: "approve"}, tools=files.tools)

    run(body, base_url=server, **routed(delete="deny"))
    assert files.done == []


@pytest.mark.parametrize(
    ("pending", "decisions", "said"),
    [
        (5, {}, "reply.pending"),
        ({}, {}, "version 1"),
        ({"version": 1}, {}, "request"),
        ({"version": 1, "request": {}, "response": {}, "results": []}, {}, "not what"),
        ({"version": 1}, [], "by call id"),
    ],
)
def test_what_cannot_be_resumed_is_refused(pending: Any, decisions: Any, said: str) -> None:
    with Pipeline(base_url="sim:") as line, pytest.raises(InputError, match=said):
        line.resume(pending, decisions)


def test_resuming_takes_nothing_that_was_decided_before() -> None:
    with Pipeline(base_url="sim:") as line, pytest.raises(InputError, match="not model"):
        line.resume({}, {}, model="claude-haiku-4-5")


ANOTHER_PROCESS = """
import json, sys
from hookline import Pipeline
def delete(path: str) -> str:
    "Delete a file."
    return f"{path} is gone"
pending = json.load(sys.stdin)
with Pipeline(base_url="sim:") as line:
    reply = line.resume(pending, {pending["calls"][0]["id"]: "approve"}, tools=[delete])
print([result.content for result in reply.request.messages[-1].blocks])
"""


def test_a_turn_goes_on_in_another_process(sim: Any) -> None:
    server, files = Simulator(Scenario.of(Rule(call=1, tool_use=CALLS[:2]))), Files()
    with Pipeline(base_url=server, model="claude-haiku-4-5", **routed(delete="human")) as line:
        reply = line.send("Hello", tools=files.tools)
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS],
        input=json.dumps(reply.pending),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['content of a', 'a is gone']"


@pytest.mark.parametrize(
    ("typed", "done"),
    [("y\n", [("delete", "a")]), ("no\n", []), ("", [])],
    ids=["yes", "no", "end"],
)
def test_a_person_at_the_terminal_is_asked(
    blocking: Any, sim: Any, monkeypatch: Any, typed: str, done: Any
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    server, files = sim(Rule(tool_use=CALLS[1], times=1)), Files()
    line = {"base_url": server, **routed(delete={"human": "terminal"})}
    blocking.send(line=line, tools=files.tools)
    assert files.done == done


def test_calls_that_come_at_once_are_asked_about_one_after_the_other(
    run: Any, sim: Any, monkeypatch: Any
) -> None:
    asking: list[int] = [0, 0]

    def answers(_question: str) -> str:
        asking[0] += 1
        asking[1] = max(asking)
        time.sleep(0.02)
        asking[0] -= 1
        return "yes"

    monkeypatch.setattr("builtins.input", answers)
    server, files = sim(Rule(tool_use=CALLS, times=1)), Files()
    run.send(line={"base_url": server, **routed(**{"*": {"human": "terminal"}})}, tools=files.tools)
    assert asking == [0, 1]
    assert len(files.done) == 3


def test_human_takes_a_callback_or_the_terminal() -> None:
    with pytest.raises(ConfigError, match="callback or 'terminal'"):
        Tools(routes={"a": {"human": 5}})


def test_a_reply_without_calls_is_not_pending(run: Any) -> None:
    reply = run.send(line={})
    assert reply.pending is None
    assert isinstance(reply.response.content[0], TextBlock)
