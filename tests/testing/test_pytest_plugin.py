"""The fixtures that ship with Hookline, in test runs of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from hookline import ConfigError, Request, StreamFilter, hookimpl
from hookline.testing import make_reply, make_request, make_turn, run_hook

TESTS = """
import asyncio
import pytest
from hookline import hookimpl, APIError
from hookline.simulator import Rule
from hookline.testing import Reset, json_answer, message

class Polite:
    @hookimpl
    def build_history(self, request):
        return request.with_system("Be polite.")

polite = pytest.mark.hookline(plugins=[Polite()])

@polite
def test_line(line, sim):
    line.send("Hello")
    assert sim.requests[0]["system"] == "Be polite."

def test_scripted(line, sim):
    sim.play(Rule(reply="as told"))
    assert line.send("Hello").text == "as told"

@polite
def test_async(async_line, sim):
    assert asyncio.run(async_line.send("Hello")).text
    assert sim.requests[0]["system"] == "Be polite."

@polite
def test_trace(line, capture_trace):
    line.send("Hello")
    assert [change.plugin for change in capture_trace.latest.changes] == ["Polite"]

def test_time(line, sim, frozen_time):
    sim.play(Rule(status=503, headers={"retry-after": "7"}, times=1))
    line.send("Hello")
    assert 7 <= frozen_time.elapsed < 8

def test_faults(fault_server):
    from hookline import Pipeline
    server = fault_server(json_answer(message("Hello!")))
    with Pipeline(base_url=server.url, api_key="any", config={}) as line:
        assert line.send("Hi").text == "Hello!"
    assert len(server.requests) == 1

def test_alone(run_hook, make_turn, make_reply, make_request):
    assert run_hook(Polite(), "build_history", request=make_request("Hi")).system == "Be polite."
    assert make_turn(surface="stream").surface == "stream"
    assert make_reply("Hi").text == "Hi"
"""

UNRELATED = """
import sys

def test_nothing_of_hookline_was_loaded():
    loaded = [name for name in sys.modules if name.split(".")[0] in ("httpx", "cattrs", "pluggy_")]
    assert not loaded
    assert "hookline.pipeline" not in sys.modules
    assert "hookline.values" not in sys.modules
"""


def run(folder: Path, text: str) -> "subprocess.CompletedProcess[str]":
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    return subprocess.run(
        [*command, "--strict-markers", "test_it.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_fixtures_do_what_they_say(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)
    assert "7 passed" in done.stdout, done.stdout + done.stderr


def test_an_unrelated_run_pays_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, UNRELATED)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


class Everything:
    @hookimpl
    async def send(self, turn, request, call_next):
        await turn.io.sleep(0)
        return await call_next(request.with_system("sent"))

    @hookimpl
    def filter_stream(self):
        return StreamFilter.deltas(str.upper, look_behind=1)

    @hookimpl
    def post_process(self, reply):
        return reply.with_text(reply.text + "!")

    @hookimpl
    def register_tools(self, register):
        register({"name": "a"}, print)

    @hookimpl
    def call_tool(self, call, call_next):
        return call_next(call)

    @hookimpl
    def on_turn_end(self, reply):
        assert reply is None


def test_one_hook_runs_alone() -> None:
    plugin, seen = Everything(), []

    async def call_next(request: Request) -> object:
        seen.append(request.system)
        return make_reply("there").response

    response = run_hook(plugin, "send", call_next=call_next)
    assert (seen, response.text) == (["sent"], "there")
    assert run_hook(plugin, "post_process", reply=make_reply("Hi")).text == "Hi!"
    assert run_hook(plugin, "register_tools") == [({"name": "a"}, print)]
    assert run_hook(plugin, "call_tool").content == "done"
    assert run_hook(plugin, "filter_stream").sees == "deltas"
    run_hook(plugin, "on_turn_end")


def test_a_hook_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="does not implement a hook 'check_reply'"):
        run_hook(Everything(), "check_reply")
    with pytest.raises(ConfigError, match="has no parameter 'rekwest'; turn, reply"):
        run_hook(Everything(), "post_process", rekwest=1)


def test_made_values_take_fields() -> None:
    reply = make_reply([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], cost=None)
    assert reply.text == "ab"
    assert make_reply("", stop_reason="refusal").refusal is not None
    assert make_request([{"type": "text", "text": "x"}], system="s").system == "s"
    assert make_turn(step=3).step == 3
