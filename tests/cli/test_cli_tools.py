"""``hookline tools``, ``tools call``, ``tools approvals`` and ``ask --mcp``, as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[1] / "plugins" / "tools" / "mcp_server.py"
COMMAND = f"{sys.executable} {SERVER}"


@pytest.fixture(autouse=True)
def simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "HOOKLINE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text(
        "[plugins.tools.routes]\n"
        f'"x_*" = {{ mcp = "{COMMAND}", prefix = "x_", allow = ["add", "fail"] }}\n'
        '"x_fail" = { deny = "Not here." }\n'
        '"get_*" = "client"\n'
    )


def hookline(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hookline", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_table_is_printed_with_route_origin_and_policy() -> None:
    done = hookline("tools", "--config", "own.toml", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["x_add"]["route"] == f"mcp {COMMAND}"
    assert rows["x_fail"]["policy"] == "deny (Not here.)"
    assert rows["get_*"]["route"] == "client"
    assert rows["x_add"]["from"] == "routes= of Tools"
    text = hookline("tools", "--config", "own.toml").stdout
    assert text.splitlines()[0].split() == ["name", "route", "from", "policy"]
    assert "x_add" in text


def test_without_tools_it_says_how_to_get_some() -> None:
    done = hookline("tools")
    assert done.stdout == ""
    assert "[plugins.tools.routes]" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["x_add", '{"a": 1, "b": 2}'], 0, "3"),
        (["x_add", '{"a": "one", "b": 2}'], 1, "parameter a"),
        (["x_fail", '{"a": 1}'], 1, "Not here."),
        (["nothing"], 1, "nothing here handles 'nothing'"),
        (["get_ant"], 1, "waits for a person"),
        (["x_add", "{"], 2, "not JSON"),
        (["x_add", "[]"], 2, "JSON object"),
    ],
)
def test_one_call_is_tried(arguments: list[str], code: int, said: str) -> None:
    done = hookline("tools", "call", *arguments, "--config", "own.toml")
    assert done.returncode == code, done.stderr
    assert said in (done.stdout if code == 0 else done.stderr)


def test_approvals_are_listed_and_forgotten() -> None:
    hookline("tools", "--config", "own.toml")
    assert f"{COMMAND}  2 tools" in hookline("tools", "approvals").stdout
    assert list(json.loads(hookline("tools", "approvals", "--json").stdout)) == [COMMAND]
    assert hookline("tools", "approvals", "--forget", COMMAND).stdout == ""
    assert hookline("tools", "approvals", "--forget", COMMAND).returncode == 1


def test_ask_offers_the_tools_of_an_mcp_server() -> None:
    done = hookline("ask", "--mcp", COMMAND, "--json", "Hello")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"]
    broken = hookline("ask", "--mcp", f"{COMMAND} --broken", "Hello")
    assert broken.returncode != 0
    assert "does not start" in broken.stderr


def test_a_table_in_the_folder_is_for_those_who_hand_it_over(tmp_path: Path) -> None:
    (tmp_path / "hookline.toml").write_text(
        '[plugins.tools.routes]\n"delete_*" = "deny"\n', encoding="utf-8"
    )
    shown = hookline("tools", "--config", "hookline.toml")
    assert shown.returncode == 0
    assert "delete_*" in shown.stdout
    refused = hookline("tools")
    assert refused.returncode == 2
    assert "Hand the file over on purpose" in refused.stderr


OFFICE = '''
from hookline import hookimpl

def send_mail(to: str) -> str:
    """Send a mail."""
    return f"sent to {to}"

def count_letters(text: str) -> int:
    """Count."""
    return len(text)

class Office:
    @hookimpl
    def register_tools(self, register):
        register(count_letters)
        register(send_mail)
        register("send_mail", "human")
'''


def test_the_tools_of_this_runs_plugins_are_there(tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(OFFICE)
    rows = json.loads(hookline("-p", "./office.py", "tools", "--json").stdout)
    assert {row["name"]: row["policy"] for row in rows} == {
        "count_letters": "",
        "send_mail": "human (deferred)",
    }
    called = hookline("-p", "./office.py", "tools", "call", "count_letters", '{"text": "ant"}')
    assert called.stdout == "3\n", called.stderr
    waits = hookline("-p", "./office.py", "tools", "call", "send_mail", '{"to": "ada"}')
    assert "it waits for a person" in waits.stderr
    assert hookline("tools").stderr.endswith("or a plugin with tools: -p FILE\n")
