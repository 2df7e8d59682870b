"""The command line as a user runs it: `ask`, exit codes, stdin, what goes where."""

import base64
import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hookline.cli import main
from hookline.cli.failures import exit_code, explained
from hookline.cli.output import printable
from hookline.errors import (
    APIError,
    ConfigError,
    DeadlineExceeded,
    DecodeError,
    HooklineError,
    InputError,
    MissingExtra,
    PluginError,
    PolicyViolation,
    StreamInterrupted,
    TransportError,
    UnresolvedContent,
)

ANT = "What is latin for Ant? (A) Apoidea (B) Rhopalocera (C) Formicidae"


@pytest.fixture(autouse=True)
def simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give every test the simulator, an empty directory and no key."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "HOOKLINE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.chdir(tmp_path)


def hookline(*arguments: str, stdin: bytes | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "hookline", *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario file that the simulator plays; a test writes it."""
    path = tmp_path / "scenario.toml"
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"sim:{path}")
    return path


# --- ask


def test_only_the_reply_goes_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Hello, Claude"]) == 0
    out, err = capfd.readouterr()
    assert "You said: Hello, Claude" in out
    assert out.endswith("\n")
    assert not out.endswith("\n\n")
    assert err == ""


def test_streamed_and_plain_print_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Hello", "--stream"]) == 0
    streamed = capfd.readouterr().out
    assert main(["ask", "Hello", "--no-stream"]) == 0
    assert capfd.readouterr().out == streamed


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_json(stream: str, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", "claude-haiku-4-5", "--prefill", "The answer is (", "--max-tokens", "1"]
    assert main(["ask", ANT, *arguments, "--json", stream]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["text"] == "The answer is (" + shown["completion"]
    assert shown["stop_reason"] == "max_tokens"
    assert shown["prefill_mode"] == "native"
    assert shown["model"].startswith("claude-haiku-4-5")
    assert isinstance(shown["cost"], float)
    assert shown["usage"]["output_tokens"] == 1
    assert shown["request_id"] == shown["trace"]["attempts"][0]["request_id"]
    assert shown["response"]["content"][0]["text"] == shown["completion"]


def test_system_image_and_temperature_reach_the_request(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.new("RGB", (7, 5), (200, 10, 10)).save(tmp_path / "red.png")
    options = ["--system", "Be brief.", "--temperature", "0.5", "--model", "claude-haiku-4-5"]
    assert main(["explain", "What?", "--image", "red.png", *options, "--json"]) == 0
    request = json.loads(capfd.readouterr().out)["request"]
    assert request["system"] == "Be brief."
    assert request["temperature"] == 0.5
    assert request["messages"][0]["content"][0]["source"]["media_type"] == "image/png"


def test_an_image_needs_no_text(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (7, 5), (200, 10, 10)).save(tmp_path / "red.png")
    done = hookline("ask", "--image", "red.png")
    assert done.returncode == 0, done.stderr
    assert "7" in done.stdout


def test_context_reaches_plugins_and_a_bad_one_is_refused(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["ask", "Hello", "--context", "user=ada", "--context", "team="]) == 0
    assert main(["ask", "Hello", "--context", "ada"]) == 2
    assert "KEY=VALUE" in capfd.readouterr().err


# --- documents, schemas, tools, a conversation in a file


def request_of(*arguments: str, stdin: bytes | None = None) -> Any:
    done = hookline("explain", *arguments, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["request"]


def test_a_document_stands_before_the_text(tmp_path: Path) -> None:
    (tmp_path / "ants.txt").write_text("Ants are insects.")
    content = request_of("What?", "--document", "ants.txt")["messages"][0]["content"]
    assert [each["type"] for each in content] == ["document", "text"]
    assert content[0]["source"]["data"] == "Ants are insects."
    assert content[1]["text"] == "What?"


def test_an_image_and_a_document_from_stdin(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (7, 5), (200, 10, 10)).save(tmp_path / "red.png")
    png = (tmp_path / "red.png").read_bytes()
    content = request_of("What?", "--image", "-", stdin=png)["messages"][0]["content"]
    assert base64.b64decode(content[0]["source"]["data"]) == png
    assert content[1]["text"] == "What?"
    content = request_of("-d", "-", stdin=b"Ants.")["messages"][0]["content"]
    assert content[0]["source"]["data"] == "Ants."


@pytest.mark.parametrize("streamed", ["--stream", "--no-stream"])
def test_a_schema_gives_one_json_document(
    streamed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    schema = {"type": "object", "properties": {"latin": {"type": "string"}}, "required": ["latin"]}
    (tmp_path / "ant.json").write_text(json.dumps(schema))
    assert main(["ask", "An ant?", "--schema", "ant.json", streamed]) == 0
    assert json.loads(capfd.readouterr().out) == {"latin": "simulated"}
    assert main(["ask", "An ant?", "--schema", "ant.json", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["output"] == {"latin": "simulated"}


def test_a_tool_is_run(scripted: Path, tmp_path: Path) -> None:
    (tmp_path / "ants.py").write_text(
        "def legs(kind: str) -> int:\n"
        '    """Count the legs of an ant."""\n'
        "    print(f'asked about {kind}', flush=True)\n"
        "    return 6\n"
    )
    scripted.write_text(
        '[[rule]]\nwhen = "How many"\ntool_use = {name = "legs", input = {kind = "red"}}\n'
    )
    done = hookline("ask", "How many legs?", "--tool", "ants:legs", "--no-stream")
    assert done.returncode == 0, done.stderr
    assert "asked about red" in done.stdout


def test_usage_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Hello", "--usage"]) == 0
    out, err = capfd.readouterr()
    assert "tokens" not in out
    assert re.fullmatch(r"hookline: note: \d+ → \d+ tokens · \$0\.\d{6}\n", err)


def test_a_conversation_goes_on_in_its_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = ["ask", "Hello", "-c", "ants.json", "-s", "Be brief.", "-m", "claude-haiku-4-5"]
    assert main(first) == 0
    assert main(["ask", "Again", "--continue", "ants.json", "--json"]) == 0
    capfd.readouterr()
    saved = json.loads((tmp_path / "ants.json").read_text())
    assert [each["role"] for each in saved["messages"]] == ["user", "assistant"] * 2
    assert saved["messages"][2]["content"] == "Again"
    assert (saved["system"], saved["model"]) == ("Be brief.", "claude-haiku-4-5")


def test_a_failure_leaves_the_conversation_in_its_file(scripted: Path, tmp_path: Path) -> None:
    scripted.write_text('[[rule]]\nwhen = "break"\nstatus = 400\n')
    assert main(["ask", "Hello", "-c", "ants.json"]) == 0
    before = (tmp_path / "ants.json").read_bytes()
    assert main(["ask", "break", "-c", "ants.json"]) == 1
    assert (tmp_path / "ants.json").read_bytes() == before


# --- stdin


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_text_from_stdin(arguments: list[str]) -> None:
    done = hookline("ask", *arguments, stdin="Grüße\n".encode())
    assert done.returncode == 0
    assert "You said: Grüße\n" in done.stdout


def test_piped_text_follows_the_argument_after_a_blank_line() -> None:
    done = hookline("explain", "Review this:", "--json", stdin=b"a diff\n")
    message = json.loads(done.stdout)["request"]["messages"][0]
    assert message["content"] == "Review this:\n\na diff"


def test_no_text_at_all_is_bad_usage() -> None:
    done = hookline("ask")
    assert done.returncode == 2
    assert done.stderr.startswith("hookline: error: there is no text")
    assert done.stdout == ""


def test_stdin_that_is_no_text() -> None:
    done = hookline("ask", stdin=b"\x89PNG\r\n\xff")
    assert done.returncode == 2
    assert "--image" in done.stderr


# --- bad input: exit code 2, one line, nothing sent


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "Hi", "--image", "gone.png"], "gone.png"),
        (["ask", "Hi", "--image", "."], "not an image"),
        (["ask", "Hi", "--image", "text.png"], "not an image"),
        (["ask", ""], "empty"),
        (["ask", "Hi", "--prefill", "so ", "--model", "claude-haiku-4-5"], "whitespace"),
        (["ask", "Hi", "--model", "claude-haiku-4-6"], "did you mean"),
        (["ask", "Hi", "--max-tokens", "many"], "--max-tokens"),
        (["ask", "Hi", "--max-tokens", "0"], "max_tokens"),
        (["ask", "Hi", "--temperature", "nan"], "nan"),
        (["ask", "Hi", "--timeout", "inf"], "timeout"),
        (["ask", "Hi", "--config", "gone.toml"], "gone.toml"),
        (["ask", "Hi", "--config", "wrong.toml"], "'model'"),
        (["ask", "Hi", "--config", "stranger.toml"], "imagse"),
        (["ask", "Hi", "--base-url", "ftp://example.com"], "base_url"),
        (["ask", "Hi", "--base-url", "sim:gone.toml"], "gone.toml"),
        (["ask", "Hi", "--frob"], "--frob"),
        (["aks", "Hi"], "did you mean 'ask'"),
        (["plugins", "imagse"], "imagse"),
        (["sim", "--scenario", "gone.toml"], "gone.toml"),
        (["sim", "--port", "70000"], "--port"),
        (["chat", "--load", "gone.json"], "gone.json"),
        (["ask", "Hi", "--model", "haiku"], "did you mean 'claude-haiku-5-5'"),
        (["ask", "Hi", "--document", "gone.txt"], "gone.txt"),
        (["ask", "Hi", "--schema", "gone.json"], "gone.json cannot be read"),
        (["ask", "Hi", "--schema", "text.png"], "is not JSON"),
        (["ask", "Hi", "--schema", "list.json"], "must be a JSON object"),
        (["ask", "Hi", "--tool", "legs"], "MODULE:NAME"),
        (["ask", "Hi", "--tool", "gone_module:legs"], "gone_module"),
        (["ask", "Hi", "--tool", "json:gone"], "has no function 'gone'"),
        (["ask", "Hi", "--tool", "broken_module:x"], "RuntimeError: on purpose"),
        (["ask", "Hi", "--tool", "broken_tools.py:x"], "write --tool broken_tools:x"),
        (["ask", "Hi", "--image", "-", "--document", "-"], "only one"),
        (["ask", "-", "--image", "-"], "only one"),
        (["ask", "Hi", "--image", "-"], "it is empty"),
        (["ask", "Hi", "--continue", "list.json"], "list.json"),
        (["models", "--config", "gone.toml"], "gone.toml"),
    ],
)
def test_bad_input(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "list.json").write_text("[5]")
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('on purpose')")
    (tmp_path / "wrong.toml").write_text("modle = 'x'")
    (tmp_path / "stranger.toml").write_text("[plugins.imagse]\nurls = 'fetch'")
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("hookline: error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_missing_key_tells_the_ways_to_give_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    assert main(["ask", "Hi"]) == 2
    err = capfd.readouterr().err
    assert "ANTHROPIC_API_KEY" in err
    assert "--base-url sim:" in err
    assert main(["ask", "Hi", "--base-url", "sim:"]) == 0


# --- failures: exit code 1


def test_an_error_of_the_api(scripted: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scripted.write_text('[[rule]]\nstatus = 529\nmessage = "be\\u001b[2J patient"\n')
    assert main(["ask", "Hi"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "529" in err
    assert "\x1b" not in err


def test_a_connection_that_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert main(["ask", "Hi", "--base-url", f"http://127.0.0.1:{port}"]) == 1
    assert "hookline: error: " in capfd.readouterr().err


def test_a_stream_that_breaks_keeps_what_it_printed(
    scripted: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scripted.write_text('[[rule]]\nreply = "one two three"\nchunk = 4\ncut_after = 5\n')
    assert main(["ask", "Hi", "--stream"]) == 1
    out, err = capfd.readouterr()
    assert out.startswith("one ")
    assert out.endswith("\n")
    assert err.startswith("hookline: error: ")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (APIError("m", status=500, type="api_error"), 1),
        (TransportError("m", phase="connect"), 1),
        (StreamInterrupted("m"), 1),
        (DeadlineExceeded("send", 1.0), 1),
        (PluginError("m", plugin="p", hook="send"), 1),
        (PolicyViolation("m", plugin="acme"), 1),
        (DecodeError("m"), 1),
        (ConfigError("m"), 2),
        (MissingExtra("images", "pillow"), 2),
        (InputError("m"), 2),
        (UnresolvedContent("m"), 2),
    ],
)
def test_exit_codes(problem: HooklineError, code: int) -> None:
    assert exit_code(problem) == code


def test_a_refusal_by_policy_says_so() -> None:
    said = explained(PolicyViolation("ask for another model", plugin="acme"))
    assert said == "refused by policy (acme): ask for another model"


# --- remarks, pipes, missing packages


def test_a_cut_reply_is_remarked_unless_asked_for(
    scripted: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scripted.write_text('[[rule]]\nreply = "half"\nstop_reason = "max_tokens"\n')
    assert main(["ask", "Hi"]) == 0
    assert "--max-tokens" in capfd.readouterr().err
    assert main(["ask", "Hi", "--max-tokens", "9"]) == 0
    assert capfd.readouterr().err == ""


def test_control_characters() -> None:
    assert printable("a\x1b[31m\x9b2J\x07\x00b\tc\r\nd\x7f") == "a[31m2Jb\tc\nd"


def test_a_pipe_gets_the_reply_as_it_is(scripted: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scripted.write_text('[[rule]]\nreply = "\\u001b[31mred"\n')
    assert main(["ask", "Hi"]) == 0
    assert capfd.readouterr().out == "\x1b[31mred\n"


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "hookline", "models"],
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert done.returncode == 141
    assert done.stderr == b""


def in_shell(command: str) -> "subprocess.CompletedProcess[str]":
    """Run ``hookline …`` with redirections."""
    program = f"{shlex.quote(sys.executable)} -m hookline {command}"
    return subprocess.run(
        ["/bin/sh", "-c", program], capture_output=True, encoding="utf-8", check=False, timeout=60
    )


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@FULL
@pytest.mark.parametrize("command", ["ask Hi --stream", "models"])
def test_a_full_disk_is_one_line(command: str) -> None:
    done = in_shell(f"{command} </dev/null >/dev/full")
    assert done.returncode == 1
    assert done.stderr == (
        "hookline: error: the output cannot be written: No space left on device\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_streams_that_are_closed() -> None:
    done = in_shell("ask Hi </dev/null >&-")
    assert done.returncode == 1
    assert done.stderr == "hookline: error: there is no standard output to write to\n"
    assert in_shell("ask '' </dev/null 2>&-").returncode == 2
    done = in_shell("ask Hi --usage <&- 2>&-")
    assert done.returncode == 0
    assert "You said: Hi" in done.stdout


@FULL
def test_a_full_stderr_changes_no_code() -> None:
    assert in_shell("ask --frob 2>/dev/full").returncode == 2
    assert in_shell("ask Hi --usage </dev/null 2>/dev/full").returncode == 0


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_the_extra(package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from hookline.cli import main\nsys.exit(main(['ask', 'Hi']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert b"pip install 'hookline[cli]'" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_version_and_help(capfd: pytest.CaptureFixture[str]) -> None:
    from hookline import __version__

    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"hookline {__version__}\n"
    assert main(["--help"]) == 0
    shown = capfd.readouterr().out
    for command in ("ask", "chat", "explain", "plugins", "models", "sim"):
        assert f"  {command} " in shown
        assert main([command, "--help"]) == 0
        assert "Examples:" in capfd.readouterr().out
    assert main([]) == 2
    assert "Usage: hookline" in capfd.readouterr().err


# --- ctrl-C


class _Silent(BaseHTTPRequestHandler):
    """Takes a request and never answers; says that it came."""

    def do_POST(self) -> None:
        self.server.arrived.set()  # type: ignore[attr-defined]  # set below
        self.server.leave.wait(60)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name in the base class
        pass


@pytest.fixture
def silent() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Silent)
    server.arrived = threading.Event()  # type: ignore[attr-defined]
    server.leave = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.leave.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_ends_with_130(silent: HTTPServer) -> None:
    import signal

    url = f"http://127.0.0.1:{silent.server_port}"
    program = [sys.executable, "-m", "hookline", "ask", "Hi", "--base-url", url]
    process = subprocess.Popen(
        program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert silent.arrived.wait(60)  # type: ignore[attr-defined]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b""
    assert err == b""


@pytest.mark.parametrize("path", ["/dev/zero", "x" * 5_000], ids=["endless", "long"])
@pytest.mark.parametrize("option", ["--schema", "--image", "--document"])
def test_a_file_that_is_none(path: str, option: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Hello", option, path]) == 2
    told = capfd.readouterr().err
    assert told.startswith("hookline: error: ")
    assert "unexpected" not in told


def test_a_conversation_of_a_name_that_no_file_can_have(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Hello", "--continue", "x" * 5_000]) == 2
    assert "the name is too long" in capfd.readouterr().err


def test_a_plugin_file_of_a_name_that_no_file_can_have(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-p", f"./{'x' * 5_000}.py", "ask", "Hello"]) == 2
    assert "there is no plugin file" in capfd.readouterr().err


def test_a_schema_may_come_through_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"type": "object", "properties": {}}')
    os.close(writing)
    try:
        assert main(["ask", "An ant?", "--schema", f"/dev/fd/{reading}"]) == 0
    finally:
        os.close(reading)
    assert json.loads(capfd.readouterr().out) == {}


def test_files_that_begin_with_a_byte_order_mark(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def marked(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        return name

    talk = marked("talk.json", '{"messages": [{"role": "user", "content": "An ant?"}]}')
    rules = marked("sim.toml", '[[rule]]\nreply = "An ant."\n')
    schema = marked("schema.json", '{"type": "object", "properties": {}}')
    for command in (
        ["ask", "Hello", "--continue", talk],
        ["heal", talk],
        ["ask", "Hello", "--base-url", f"sim:{rules}"],
        ["ask", "Hello", "--schema", schema],
    ):
        assert main(command) in (0, 3), command  # 3: something was mended
    told = capfd.readouterr()
    assert "An ant." in told.out
    assert "error" not in told.err


@pytest.mark.parametrize(
    "command",
    [
        ["heal", "/dev/zero"],
        ["heal", "x" * 5_000],
        ["modernize", "/dev/zero"],
        ["modernize", "x" * 5_000],
        ["ask", "Hello", "--continue", "/dev/zero"],
    ],
    ids=lambda command: " ".join(command)[:30],
)
def test_conversations_are_read_by_the_one_door(
    command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(command) in (1, 2)
    told = capfd.readouterr().err
    assert command[-1][:50] in told
    assert "unexpected" not in told
