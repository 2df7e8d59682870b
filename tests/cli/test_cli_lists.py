"""`hookline explain`, `plugins`, `models`, `sim`, and the commands that plugins add."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from hookline._journey.plugin_set import HOOKS
from hookline.cli import main
from hookline.models import load_models
from hookline.testing import FaultServer, json_answer

PLUGINS = """
import click
from hookline import ModelFacts, Request, hookimpl

class Greeting:
    '''Says hello.'''
    @hookimpl
    def build_history(self, request):
        return request.evolve(system="hello")
    @hookimpl
    def register_models(self, register):
        register(ModelFacts(id="llama-9", prefill=True))
    @hookimpl
    def register_commands(self, register):
        register(click.Command("greet", callback=lambda: click.echo("greetings")))
        register(click.Command("ask", callback=lambda: click.echo("stolen")))
        register("no command")

class Quiet(Greeting):
    pass

class Shapeless:
    pass

class Bursting:
    def __init__(self):
        raise RuntimeError("burst")
"""


@pytest.fixture(autouse=True)
def simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give every test the simulator, an empty directory and no key."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "HOOKLINE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.chdir(tmp_path)


def distribution(directory: Path, **points: str) -> None:
    """Lay out an installed distribution ``acme`` that offers plugins."""
    (directory / "acme.py").write_text(PLUGINS)
    info = directory / "acme-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.2\n")
    lines = ["[hookline.plugins]"]
    lines += [f"{name} = {target}" for name, target in points.items() if name != "quiet"]
    lines += ["[hookline.plugins.optional]", f"quiet = {points.get('quiet', 'acme:Quiet')}", ""]
    (info / "entry_points.txt").write_text("\n".join(lines))


def hookline(*arguments: str, path: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line where the distributions of ``path`` are installed."""
    search = os.pathsep.join([str(path), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "hookline", *arguments],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": search, **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


# --- explain


def test_explain_shows_who_changed_what(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["Hello", "--prefill", "Yes,", "--model", "claude-haiku-4-5"]
    assert main(["explain", *arguments]) == 0
    out = capfd.readouterr().out
    positions = [
        out.index(f"\n{stage}\n") for stage in ("inject_prefill", "resolve_images", "send")
    ]
    assert positions == sorted(positions)
    changed = out[out.index("inject_prefill") : out.index("resolve_images")]
    assert "  prefill · " in changed
    assert '+      "content": "Yes,"' in changed
    assert "left alone by images" in out
    assert '"content": "Yes,"' in out[out.index("would be sent") :]
    assert "\x1b" not in out


def test_explain_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["Hello", "--prefill", "Yes,", "--model", "claude-haiku-4-5", "--max-tokens", "7"]
    assert main(["explain", *arguments, "--stream", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["request"]["max_tokens"] == 7
    assert [each["plugin"] for each in shown["trace"]["changes"]] == ["prefill"]
    assert shown["trace"]["attempts"] == []


# --- plugins


def test_the_standard_plugins(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    plugins = {each["name"]: each for each in shown["plugins"]}
    for name in ("history", "prefill", "images", "logging", "tools", "echo", "cost"):
        assert plugins[name]["enabled"]
        assert plugins[name]["distribution"] == "hookline"
        assert plugins[name]["hooks"]
    assert plugins["logging"]["role"] == "observer"
    assert list(shown["order"]) == list(HOOKS)
    assert shown["order"]["build_history"][0] == "history"
    assert main(["plugins"]) == 0
    out = capfd.readouterr().out
    assert f"history → {shown['order']['build_history'][1]}" in out
    for each in shown["plugins"]:  # described by its docstring, on and off alike
        assert len(each["about"].split()) > 2
        assert each["about"] in out
        assert " ".join(each["hooks"]) in out


def test_one_plugin(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "images"]) == 0
    out = capfd.readouterr().out
    assert "hook resolve_images: images" in out
    assert "option strategy = " in out
    assert main(["plugins", "images", "--json"]) == 0
    assert "strategy" in json.loads(capfd.readouterr().out)["options"]


def test_options_are_shown_with_their_defaults(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "mine.toml"
    settings.write_text("[plugins.retry]\nattempts = 7\n")
    assert main(["plugins", "show", "retry", "--config", str(settings)]) == 0
    out = capfd.readouterr().out
    assert re.search(r"option attempts = 7 \(default \d\)", out)
    assert re.search(r"option quota = .* \(the default\)", out)
    assert main(["plugins", "show", "retry", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["defaults"]["attempts"] == shown["options"]["attempts"]


def test_plugins_that_are_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOOKLINE_DISABLE", "logging")
    assert main(["plugins"]) == 0
    assert "logging: switched off by plugins.disable" in capfd.readouterr().out
    monkeypatch.delenv("HOOKLINE_DISABLE")
    monkeypatch.setenv("HOOKLINE_ENABLE", "history")
    assert main(["plugins", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert [each["name"] for each in shown["plugins"] if each["enabled"]] == ["history"]


def test_broken_plugins_are_listed_and_break_nothing(tmp_path: Path) -> None:
    distribution(
        tmp_path,
        greeting="acme:Greeting",
        quiet="acme:Quiet",
        gone="acme:Gone",
        shapeless="acme:Shapeless",
        bursting="acme:Bursting",
        leaving="acme_leaving:Leaving",
    )
    (tmp_path / "acme_leaving.py").write_text("raise SystemExit(3)")
    done = hookline("plugins", "--json", path=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    plugins = {each["name"]: each for each in shown["plugins"]}
    assert plugins["greeting"]["enabled"]
    assert plugins["greeting"]["version"] == "1.2"
    assert not plugins["quiet"]["broken"]
    assert "optional" in plugins["quiet"]["reason"]
    assert "build_history" in plugins["quiet"]["hooks"]
    reasons = {name: each["reason"] for name, each in plugins.items() if each["broken"]}
    assert set(reasons) == {"gone", "shapeless", "bursting", "leaving"}
    assert "Gone" in reasons["gone"]
    assert "no hook" in reasons["shapeless"]
    assert "burst" in reasons["bursting"]
    order = shown["order"]["build_history"]
    assert order[0] == "history"
    assert "greeting" in order
    assert not set(order) & {"quiet", *reasons}
    told = hookline("plugins", path=tmp_path)
    assert told.returncode == 0
    assert "shapeless: plugin 'shapeless' implements no hook" in told.stdout


# --- commands of plugins


def test_commands_of_plugins(tmp_path: Path) -> None:
    distribution(tmp_path, greeting="acme:Greeting", gone="acme:Gone")
    listed = hookline("--help", path=tmp_path)
    assert listed.returncode == 0
    assert "  greet" in listed.stdout
    assert "gone" in listed.stderr
    assert "Traceback" not in listed.stderr
    run = hookline("greet", path=tmp_path)
    assert run.returncode == 0
    assert run.stdout == "greetings\n"
    assert "stolen" not in hookline("ask", "--help", path=tmp_path).stdout


def test_settings_that_are_wrong_do_not_break_the_help(tmp_path: Path) -> None:
    (tmp_path / "hookline.toml").write_text("modle = 1")
    done = hookline("--help", path=tmp_path)
    assert done.returncode == 0
    assert "  ask " in done.stdout
    assert "modle" in done.stderr


# --- models


def test_models(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    shown = {each["id"]: each for each in json.loads(capfd.readouterr().out)}
    assert set(shown) == {facts.id for facts in load_models()}
    for facts in load_models():
        assert shown[facts.id]["retired"] is facts.retired
        assert shown[facts.id]["context"] == facts.context
    assert main(["models"]) == 0
    rows = {line.split()[0]: line for line in capfd.readouterr().out.splitlines() if line.strip()}
    for facts in load_models():
        assert ("RETIRED" in rows[facts.id]) is facts.retired


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
@pytest.mark.parametrize("columns", [24, 60, 100])
def test_a_narrow_terminal_cuts_nothing(columns: int) -> None:
    shown = shown_at_terminal("models", columns=columns)
    for facts in load_models():
        assert facts.id in shown
        if facts.prices:
            assert f" {facts.prices.input:f}" in shown
            assert f" {facts.prices.output:f}" in shown
        assert str(facts.retires or "") in shown


def shown_at_terminal(*arguments: str, columns: int) -> str:
    """Return what a command shows at a terminal of so many columns."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "hookline", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the terminal is gone when its last user is
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return re.sub("\x1b\\[[0-9;]*m", "", shown.decode())


def test_models_that_a_server_tells_of(capfd: pytest.CaptureFixture[str]) -> None:
    told = {"data": [{"id": "ants-7b", "meta": {"n_ctx": 8192}}]}
    with FaultServer(json_answer(told)) as server:
        assert main(["models", "--learn", "--base-url", server.url]) == 0
        line = capfd.readouterr().out.splitlines()[-1]
        assert line.split()[:2] == ["ants-7b", "8192"]  # and no output, of which it says nothing
        assert main(["models", "--learn", "--base-url", server.url, "--json"]) == 0
    ants = json.loads(capfd.readouterr().out)[-1]
    assert (ants["id"], ants["context"], ants["max_output"]) == ("ants-7b", 8192, None)


def test_models_of_plugins(tmp_path: Path) -> None:
    distribution(tmp_path, greeting="acme:Greeting")
    done = hookline("models", path=tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("llama-9")]
    assert "yes" in row


# --- sim


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_sim_serves_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
    (tmp_path / "s.toml").write_text('[[rule]]\nwhen = "Hello"\nreply = "scripted"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "hookline", "sim", "--port", "0", "--scenario", "s.toml"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("  export ")):
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended before it was ready"
        url = lines[-1].split("ANTHROPIC_BASE_URL=")[1].split()[0]
        assert f"curl {url}/v1/messages" in "".join(lines)
        assert main(["ask", "Hello", "--base-url", url]) == 0
        with urllib.request.urlopen(  # noqa: S310 -- our own simulator
            urllib.request.Request(  # noqa: S310 -- our own simulator
                f"{url}/v1/messages",
                json.dumps(_curl_body("".join(lines))).encode(),
                {
                    "content-type": "application/json",
                    "anthropic-version": "2023-06-01",
                    "x-api-key": "any",
                },
            )
        ) as answer:
            assert json.load(answer)["content"][0]["text"] == "scripted"
        taken = subprocess.run(
            [sys.executable, "-m", "hookline", "sim", "--port", url.rsplit(":", 1)[1]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )
        assert taken.returncode == 2
        assert taken.stderr.startswith("hookline: error: ")
        assert taken.stderr.count("\n") == 1
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0
    assert err == ""


def _curl_body(shown: str) -> object:
    """Return the body of the example that ``sim`` prints."""
    return json.loads(shown.split("-d '", 1)[1].split("'", 1)[0])
