"""What has run is not run again by another process, whatever became of the first: real processes, killed."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from hookline import (
    APIError,
    ConfigError,
    Image,
    InputError,
    Pipeline,
    PolicyViolation,
    ToolResultBlock,
    ToolUseBlock,
    hookimpl,
)
from hookline.simulator import Rule
from hookline_plugins.tools import Tools
from hookline_plugins.tools.ledger import in_file, in_memory
from support.runner import Runner

PROCESS = Path(__file__).parent / "resuming_process.py"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

CALL = ToolUseBlock(id="toolu_1", name="delete", input={})


class World:
    """A server whose model asks for calls step by step, and processes that resume a turn of it."""

    def __init__(self, loopback: Any, http: Any, message: Any, tmp_path: Path) -> None:
        self.ran_file = tmp_path / "ran"
        self.ran_file.touch()
        self.state = tmp_path / "state"
        self.ledger: Any = True
        self.bodies: list[Any] = []
        self.steps: list[list[str]] = [["a", "b"], []]

        def answer(request: Any) -> Any:
            body = request.json
            self.bodies.append(body)
            step = sum(each["role"] == "assistant" for each in body["messages"])
            calls = self.steps[min(step, len(self.steps) - 1)]
            content = [
                {
                    "type": "tool_use",
                    "id": f"toolu_{path}",
                    "name": "delete",
                    "input": {"path": path},
                }
                for path in calls
            ]
            if not content:
                return http(200, message("Done."))
            return http(200, message("", content=content, stop_reason="tool_use"))

        self.url = loopback(answer).url

    @property
    def ran(self) -> list[str]:
        return self.ran_file.read_text().split()

    def pending(self) -> Any:
        """Let a turn wait for a person."""
        definition = {"name": "delete", "input_schema": {"type": "object"}}
        with Pipeline(base_url=self.url, api_key="test-key", model="claude-haiku-4-5") as line:
            pending = line.send("Tidy up.", tools=[definition]).pending
        return json.loads(json.dumps(pending))

    @contextmanager
    def process(
        self, pending: Any, decisions: Any, *, colour: str = "sync", hangs: str = ""
    ) -> Iterator[Any]:
        """Start a process that resumes it."""
        environment = {
            **os.environ,
            "RAN": str(self.ran_file),
            "HANGS": hangs,
            "XDG_STATE_HOME": str(self.state),
        }
        given = json.dumps([self.url, colour, pending, decisions, self.ledger])
        with subprocess.Popen(
            [sys.executable, str(PROCESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        ) as process:
            assert process.stdin is not None
            process.stdin.write(given)
            process.stdin.close()
            try:
                yield process
            finally:
                process.kill()

    def killed(self, pending: Any, decisions: Any, *, hangs: str, colour: str = "sync") -> None:
        """Resume in a process that is killed inside of a tool."""
        with self.process(pending, decisions, colour=colour, hangs=hangs) as process:
            assert process.stdout.readline() == "at work\n"
            process.kill()  # which nothing survives

    def resumed(self, pending: Any, decisions: Any, colour: str = "sync") -> Any:
        """Resume in a process that lives."""
        with self.process(pending, decisions, colour=colour) as process:
            return json.loads(process.stdout.read())


@pytest.fixture
def world(loopback: Any, http: Any, message: Any, tmp_path: Path) -> World:
    return World(loopback, http, message, tmp_path)


def approving(pending: Any) -> dict[str, Any]:
    return {call["id"]: "approve" for call in pending["calls"]}


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
def test_another_process_finds_what_has_run_before_the_first_was_killed(
    world: World, colour: str
) -> None:
    pending = world.pending()
    world.killed(pending, approving(pending), hangs="b", colour=colour)
    assert world.ran == ["a", "b"]
    refused = world.resumed(pending, approving(pending), colour)
    assert refused["kind"] == "InputError"
    for said in ("delete (toolu_b) was begun", "'again'", "{'result': text}", "{'refuse': reason}"):
        assert said in refused["error"]
    assert world.ran == ["a", "b"]
    known = world.resumed(
        pending, {"toolu_a": "approve", "toolu_b": {"result": "I saw it go"}}, colour
    )
    assert known["text"] == "Done."
    assert world.ran == ["a", "b"]
    results = world.bodies[-1]["messages"][-1]["content"]
    assert [each["content"] for each in results] == ["a is gone", "I saw it go"]


def test_a_call_that_may_have_run_runs_again_where_somebody_says_so(world: World) -> None:
    pending = world.pending()
    world.killed(pending, approving(pending), hangs="b")
    again = world.resumed(pending, {"toolu_a": "approve", "toolu_b": "again"})
    assert again["text"] == "Done."
    assert world.ran == ["a", "b", "b"]
    once_more = world.resumed(pending, {"toolu_a": "again", "toolu_b": "again"})
    assert once_more["text"] == "Done."  # both are known to have run now
    assert world.ran == ["a", "b", "b"]


def test_a_process_that_has_done_all_leaves_nothing_to_run(world: World) -> None:
    pending = world.pending()
    for _ in range(2):
        assert world.resumed(pending, approving(pending))["text"] == "Done."
    assert world.ran == ["a", "b"]


def test_a_turn_goes_on_where_it_had_come_to(world: World) -> None:
    world.steps = [["a"], ["b"], ["c"], []]
    pending = world.pending()
    second = world.resumed(pending, approving(pending))["pending"]
    world.killed(second, approving(second), hangs="b")
    assert world.ran == ["a", "b"]
    refused = world.resumed(pending, approving(pending))  # the first, and b is known by its own id
    assert "delete (toolu_b) was begun" in refused["error"]
    third = world.resumed(pending, {**approving(pending), "toolu_b": {"result": "gone"}})["pending"]
    assert [call["id"] for call in third["calls"]] == ["toolu_c"]
    assert world.resumed(pending, {})["pending"]["id"] == third["id"]
    assert world.resumed(third, approving(third))["text"] == "Done."
    assert world.ran == ["a", "b", "c"]
    assert len(world.bodies) == 4  # nothing was asked twice


def test_two_turns_of_the_same_words_are_two(world: World) -> None:
    for _ in range(2):
        pending = world.pending()
        assert world.resumed(pending, approving(pending))["text"] == "Done."
    assert world.ran == ["a", "b"] * 2


def test_one_of_two_processes_at_once_is_told_of_the_other(world: World) -> None:
    pending = world.pending()
    with world.process(pending, approving(pending), hangs="a") as first:
        assert first.stdout.readline() == "at work\n"
        refused = world.resumed(pending, approving(pending))
        assert f"by process {first.pid} on " in refused["error"]
        assert "at work still" in refused["error"]
    assert world.ran == ["a"]


def test_a_home_that_cannot_be_written_leaves_it_to_the_process(
    blocking: Any, sim: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(file))
    ran: list[int] = []

    def delete() -> None:
        """Delete."""
        ran.append(1)

    async def body(line: Any) -> Any:
        pending = (await line.send("Tidy up.", tools=[delete])).pending
        await line.resume(pending, approving(pending), tools=[delete])
        return await line.resume(pending, approving(pending), tools=[delete])

    server = sim(Rule(call=1, tool_use={"name": "delete", "input": {}}), Rule(reply="Done."))
    reply = blocking(body, base_url=server, plugins=[Tools(routes={"delete": "human"})])
    assert reply.text == "Done."
    assert ran == [1]
    assert sum("by this process alone" in each["message"] for each in logged) == 1


def test_a_ledger_that_was_asked_for_must_be_there(blocking: Any, sim: Any, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sqlite3"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    for path, said in ((foreign, "choose another path"), (tmp_path, "cannot be used")):
        server = sim(Rule(call=1, tool_use={"name": "delete", "input": {}}), Rule(reply="Done."))
        line = {"base_url": server, "plugins": [Tools(ledger=str(path))]}

        async def body(line: Any, said: str = said) -> Any:
            definition = {"name": "delete", "input_schema": {"type": "object"}}
            pending = (await line.send("Tidy up.", tools=[definition])).pending
            with pytest.raises(ConfigError, match=said):
                await line.resume(pending, approving(pending))

        blocking(body, **line)


def test_a_call_that_the_turn_broke_off_may_have_run(run: Any, sim: Any) -> None:
    ran: list[str] = []

    def quick() -> str:
        """Be quick."""
        ran.append("quick")
        return "quick"

    def slow() -> str:
        """Be slow."""
        ran.append("slow")
        if ran.count("slow") == 1:
            raise PolicyViolation("no more")
        return "slow"

    server = sim(
        Rule(call=1, tool_use=[{"name": n, "input": {}} for n in ("quick", "slow")]),
        Rule(reply="Done."),
    )

    async def body(line: Any) -> Any:
        with pytest.raises(PolicyViolation) as caught:
            await line.send("Go.", tools=[quick, slow])
        pending = json.loads(json.dumps(caught.value.pending))
        (call,) = pending["calls"]
        with pytest.raises(InputError, match=r"was begun .* and no result of it is known"):
            await line.resume(pending, {call["id"]: "approve"}, tools=[quick, slow])
        return await line.resume(pending, {call["id"]: "again"}, tools=[quick, slow])

    assert run(body, base_url=server, plugins=[Tools(parallel=1)]).text == "Done."
    assert ran == ["quick", "slow", "slow"]


def test_a_layer_may_try_a_call_twice_within_a_turn(run: Any, sim: Any) -> None:
    ran: list[int] = []

    def delete() -> str:
        """Delete."""
        ran.append(1)
        return "gone"

    class Twice:
        @hookimpl
        async def call_tool(self, call: Any, call_next: Any) -> Any:
            await call_next(call)
            return await call_next(call)

    async def body(line: Any) -> Any:
        pending = (await line.send("Go.", tools=[delete])).pending
        return await line.resume(pending, approving(pending), tools=[delete])

    server = sim(Rule(call=1, tool_use={"name": "delete", "input": {}}), Rule(reply="Done."))
    plugins = [Tools(routes={"delete": "human"}), Twice()]
    assert run(body, base_url=server, plugins=plugins).text == "Done."
    assert ran == [1, 1]


def test_a_stream_goes_on_where_the_turn_had_come_to(run: Any, sim: Any) -> None:
    ran: list[str] = []

    def delete(path: str) -> str:
        """Delete a file."""
        ran.append(path)
        return "gone"

    calls = [{"name": "delete", "input": {"path": name}} for name in "ab"]
    server = sim(
        Rule(call=1, tool_use=calls[0]),
        Rule(call=2, tool_use=calls[1], reply="Now the other."),
        Rule(reply="Done."),
    )

    async def body(line: Any) -> Any:
        pending = (await line.send("Go.", tools=[delete])).pending
        second = (await line.resume(pending, approving(pending), tools=[delete])).pending
        async with line.resume_stream(pending, {}, tools=[delete]) as stream:
            assert (await stream.reply).pending == second
        async with line.resume_stream(second, approving(second), tools=[delete]) as stream:
            return await stream.reply

    reply = run(body, base_url=server, plugins=[Tools(routes={"delete": "human"})])
    assert reply.text.endswith("Done.")
    assert ran == ["a", "b"]
    assert len(server.calls) == 3


def test_pictures_that_tools_return_wait_and_fail_like_texts(run: Any, sim: Any) -> None:
    def look() -> Any:
        """Look."""
        return ["what I see", Image(GIF)]

    def broken() -> Any:
        """Look at what is no picture."""
        return Image(b"no picture")

    server = sim(
        Rule(call=1, tool_use=[{"name": n, "input": {}} for n in ("look", "broken", "ask")]),
        Rule(call=2, status=401),
        Rule(reply="Done."),
    )

    async def body(line: Any) -> Any:
        given = [look, broken, {"name": "ask", "input_schema": {"type": "object"}}]
        pending = json.loads(json.dumps((await line.send("Go.", tools=given)).pending))
        seen, refused = pending["results"]
        assert seen["content"][1]["source"]["media_type"] == "image/gif"
        assert refused["is_error"] is True
        assert "not an image" in refused["content"]
        (call,) = pending["calls"]
        said = {call["id"]: {"result": "yes"}}
        with pytest.raises(APIError) as caught:
            await line.resume(pending, said, tools=given)
        return await line.resume(caught.value.pending, {}, tools=given)

    assert run(body, base_url=server, plugins=[Tools()], disable=["retry"]).text == "Done."


@pytest.mark.parametrize("colour", ["asyncio", "trio"])
def test_a_call_that_was_cancelled_may_have_run(colour: str, sim: Any) -> None:
    async def quick() -> str:
        """Be quick."""
        return "quick"

    async def body(line: Any) -> Any:
        at_work = anyio.Event()

        async def slow() -> None:
            """Hang."""
            at_work.set()
            await anyio.sleep_forever()

        async def refuses() -> None:
            """Refuse."""
            await at_work.wait()
            raise PolicyViolation("no more")

        given = [quick, slow, refuses]
        with pytest.raises(PolicyViolation) as caught:
            await line.send("Go.", tools=given)
        pending: Any = caught.value.pending
        for call in pending["calls"]:
            said = {each["id"]: {"refuse": "no"} for each in pending["calls"]}
            with pytest.raises(InputError, match=f"{call['name']} .* was begun"):
                await line.resume(pending, {**said, call["id"]: "approve"}, tools=given)
        return await line.resume(pending, said, tools=given)

    server = sim(
        Rule(call=1, tool_use=[{"name": n, "input": {}} for n in ("quick", "slow", "refuses")]),
        Rule(reply="Done."),
    )
    assert Runner(colour)(body, base_url=server).text == "Done."


def test_old_entries_go(tmp_path: Path) -> None:
    day = [0.0]
    for ledger in (in_file(tmp_path / "ledger.sqlite3"), in_memory()):
        day[0] = 0.0
        object.__setattr__(ledger, "clock", partial(day.__getitem__, 0))
        assert ledger.begin("first", CALL) is None
        ledger.done("first", CALL.id, ToolResultBlock(tool_use_id=CALL.id, content="gone"))
        assert ledger.begin("first", CALL) == ledger.known("first").results[CALL.id]
        day[0] = 31 * 86_400.0
        assert ledger.begin("second", CALL) is None
        assert not ledger.known("first").results
        assert CALL.id in ledger.known("second").begun
        ledger.close()


def test_memory_stays_flat() -> None:
    ledger = in_memory()
    for number in range(3_000):
        ledger.begin(f"pending {number}", CALL)
    assert not ledger.known("pending 0").begun
    assert ledger.known("pending 2500").begun


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite3"
    in_file(path).close()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
