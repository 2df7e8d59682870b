"""The bash tool: a shell that stays, in a sandbox that the operator names."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError, ToolResultBlock
from hookline.simulator import Rule
from hookline_plugins.tools import Tools

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell is needed")


def routed(root: Path, sandbox: str = "sh", **options: Any) -> Tools:
    return Tools(routes={"bash": {"bash": str(root), "sandbox": sandbox}}, **options)


def said_by(reply: Any) -> list[Any]:
    return [
        block.content
        for message in reply.request.messages
        for block in message.blocks
        if isinstance(block, ToolResultBlock)
    ]


@pytest.fixture
def shell(blocking: Any, sim: Any, tmp_path: Path) -> Any:
    """Run commands, one step after the other; return what they said."""

    def run(*commands: Any, **options: Any) -> list[str]:
        inputs = [c if isinstance(c, dict) else {"command": c} for c in commands]
        rules = [
            Rule(call=place, tool_use={"name": "bash", "input": given})
            for place, given in enumerate(inputs, 1)
        ]
        server = sim(*rules, Rule(reply="Done."))
        line = {"base_url": server, "plugins": [routed(tmp_path, **options)]}
        reply = blocking.send(line=line)
        assert server.bodies[0]["tools"] == [{"type": "bash_20250124", "name": "bash"}]
        return said_by(reply)

    return run


def test_a_shell_stays_from_call_to_call(shell: Any, tmp_path: Path) -> None:
    said = shell("mkdir ants && cd ants && legs=6", "pwd; echo $legs", {"restart": True}, "pwd")
    assert said == [
        "done, and nothing was written",
        f"{tmp_path}/ants\n6",
        "the shell has been restarted",
        str(tmp_path),
    ]


def test_a_failure_shows_its_status_and_what_was_written(shell: Any) -> None:
    said = shell("echo oh >&2; false", "exit 3", "echo again", "printf 'no line end'")
    assert said[0] == "oh\n[exit status 1]"
    assert said[1] == "[the shell has ended with status 3]"
    assert said[2:] == ["again", "no line end"]


def test_what_is_no_whole_command_does_not_hang(shell: Any) -> None:
    broken, read, after = shell("echo 'no end", "cat", "echo still here")
    assert "exit status" in broken or "has ended" in broken
    assert read == "done, and nothing was written"  # there is no input to wait for
    assert after == "still here"


def test_a_command_that_hangs_is_stopped_with_all_that_it_started(
    shell: Any, tmp_path: Path
) -> None:
    began = time.monotonic()
    hung, after = shell("sleep 600 & echo $! > pid; wait", "echo here", timeout=0.5)
    assert "stopped after 0.5 s" in hung
    assert after == "here"
    assert time.monotonic() - began < 10
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " not in stat.read_text()


def test_what_floods_is_cut(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hookline_plugins.tools.local.shell._MOST_BYTES", 1_000)
    flood, after = shell("yes ants | head -c 50000000; echo end", "echo here")
    assert len(flood) < 1_100
    assert "[cut: 49,999,005 bytes more]" in flood
    assert after == "here"


def test_nothing_of_our_environment_is_known_there(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    (said,) = shell("env")
    assert "secret" not in said
    assert "PATH=" in said


def test_calls_that_come_at_once_run_one_after_the_other(
    run: Any, sim: Any, tmp_path: Path
) -> None:
    calls = [{"name": "bash", "input": {"command": f"echo {n} >> log; cat log"}} for n in range(4)]
    server = sim(Rule(call=1, tool_use=calls), Rule(reply="Done."))
    reply = run.send(line={"base_url": server, "plugins": [routed(tmp_path)]})
    assert said_by(reply)[-1] == "0\n1\n2\n3"


def test_each_conversation_has_a_shell_of_its_own(run: Any, sim: Any, tmp_path: Path) -> None:
    def call(place: int, command: str) -> Rule:
        return Rule(call=place, tool_use={"name": "bash", "input": {"command": command}})

    server = sim(call(1, "who=ada"), call(3, "echo $who."), call(5, "echo $who."))

    async def body(line: Any) -> None:
        one, other = line.conversation(), line.conversation()
        await one.send("Begin")
        assert said_by(await other.send("Who?")) == ["."]
        assert said_by(await one.send("Who?"))[-1] == "ada."

    run(body, base_url=server, plugins=[routed(tmp_path)])


def test_the_sandbox_is_the_operators(shell: Any, tmp_path: Path) -> None:
    fence = tmp_path / "fence"
    fence.write_text('#!/bin/sh\necho "in $1" > fenced\nexec sh\n')
    fence.chmod(0o700)
    assert shell("cat fenced", sandbox=f"{fence} $root") == [f"in {tmp_path}"]


@pytest.mark.parametrize("given", [{}, {"command": ""}, {"command": 5}, {"command": "a\0b"}])
def test_no_command_is_told(shell: Any, given: Any) -> None:
    assert shell(given) == ["bash takes a command, or restart"]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"bash": "."}, "in a sandbox only"),
        ({"bash": ".", "sandbox": ""}, "in a sandbox only"),
        ({"bash": ".", "sandbox": "'"}, "no command"),
        ({"bash": ".", "sandbox": "no-such-sandbox sh"}, "no command 'no-such-sandbox'"),
        ({"bash": "nowhere", "sandbox": "sh"}, "a folder that is there"),
    ],
)
def test_without_a_folder_and_a_sandbox_there_is_no_tool(route: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Tools(routes={"bash": route})
