"""`hookline chat`: piped, and at a real terminal (a pty)."""

import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from hookline.cli.transcript import load_messages, save_messages
from hookline.errors import InputError
from hookline.values.blocks import TextBlock
from hookline.values.messages import Message

DRIP = """
[[rule]]
when = "slow"
reply = "one two three four"
chunk = 4
drip = 0.3

[[rule]]
when = "break"
status = 529

[[rule]]
when = "paint"
reply = "\\u001b[31mred\\u001b]0;title\\u0007"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "drip.toml").write_text(DRIP)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "HOOKLINE_"))
    }
    return {**kept, "ANTHROPIC_BASE_URL": "sim:drip.toml", "TERM": "xterm", "NO_COLOR": "1"}


def piped(
    text: str, environment: dict[str, str], directory: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hookline.cli", "chat", *arguments],
        input=text,
        env=environment,
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


# --- piped


def test_piped_lines_are_one_conversation(environment: dict[str, str], tmp_path: Path) -> None:
    done = piped("Hello\n\nAgain\n/save kept.json\n", environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("You said: Hello\n") < done.stdout.index("You said: Again\n")
    saved = json.loads((tmp_path / "kept.json").read_text())
    assert [each["role"] for each in saved] == ["user", "assistant"] * 2
    assert saved[2]["content"] == "Again"


def test_a_saved_conversation_goes_on(environment: dict[str, str], tmp_path: Path) -> None:
    piped("Hello\n/save kept.json\n", environment, tmp_path)
    done = piped("Again\n/save kept.json\n", environment, tmp_path, "--load", "kept.json")
    assert done.returncode == 0, done.stderr
    saved = json.loads((tmp_path / "kept.json").read_text())
    assert [each["content"] for each in saved[::2]] == ["Hello", "Again"]
    assert list(tmp_path.glob(".*")) == []  # no temporary file is left


def test_commands(environment: dict[str, str], tmp_path: Path) -> None:
    lines = [
        "/help",
        "/system Be brief.",
        "/system",
        "/system -",
        "/model claude-haiku-4-5",
        "Hello",
        "Again",
        "/undo",
        "/save kept.json",
        "/quit",
        "never",
    ]
    done = piped("\n".join(lines), environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "/save FILE" in done.stderr
    assert "system prompt: Be brief." in done.stderr
    assert "there is no system prompt" in done.stderr
    assert "model: claude-haiku-4-5" in done.stderr
    assert "never" not in done.stdout
    assert len(json.loads((tmp_path / "kept.json").read_text())) == 2


@pytest.mark.parametrize(
    ("line", "said", "code"),
    [
        ("/frob", "there is no command /frob", 2),
        ("/save", "name of a file", 2),
        ("/save gone/x.json", "cannot be saved", 2),
        ("/save .", "directory", 2),
        ("/image gone.png", "there is no file gone.png", 2),
        ("/image ftp://example.com/x", "ftp", 2),
        ("/undo", "nothing to undo", 2),
        ("break", "529", 1),
    ],
)
def test_a_failure_is_told_and_the_chat_goes_on(
    line: str, said: str, code: int, environment: dict[str, str], tmp_path: Path
) -> None:
    done = piped(f"{line}\nHello\n", environment, tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "You said: Hello" in done.stdout


def test_an_image_goes_with_the_next_message(environment: dict[str, str], tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (7, 5), (200, 10, 10)).save(tmp_path / "a red.png")
    (tmp_path / "no.png").write_text("no image")
    text = "/image 'a red.png'\nWhat?\nAnd now?\n/image no.png\nWhat?\nHello\n/save kept.json\n"
    done = piped(text, environment, tmp_path)
    assert done.returncode == 2
    assert "not an image" in done.stderr
    saved = json.loads((tmp_path / "kept.json").read_text())
    assert [each["type"] for each in saved[0]["content"]] == ["image", "text"]
    assert saved[2]["content"] == "And now?"
    assert saved[4]["content"] == "Hello"  # the failed message left nothing behind


def test_settings_that_are_wrong_end_it(environment: dict[str, str], tmp_path: Path) -> None:
    del environment["ANTHROPIC_BASE_URL"]
    done = piped("Hello\nAgain\n", environment, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("ANTHROPIC_API_KEY") == 1


# --- conversations on disk


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ('{"role": "user"}', "JSON list"),
        ('[{"role": "user", "content": "x"}, 3]', r"messages\[1\]"),
        ('[{"content": "x"}]', r"messages\[0\]"),
    ],
)
def test_a_file_that_is_no_conversation(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        load_messages(str(path))


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    save_messages(str(path), [Message("user", "old")])

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        save_messages(str(path), [Message("user", "new")])
    assert load_messages(str(path)) == [Message("user", "old")]
    assert list(tmp_path.iterdir()) == [path]


def test_any_text_survives(tmp_path: Path) -> None:
    messages = [
        Message("user", 'ünï\ud800\x00\u2028"'),
        Message("assistant", (TextBlock("x"),)),
    ]
    save_messages(str(tmp_path / "x.json"), messages)
    assert load_messages(str(tmp_path / "x.json")) == messages


# --- at a terminal


class Terminal:
    """A chat at a pty; whoever waits reads until the text is there."""

    def __init__(self, environment: dict[str, str], directory: Path, *arguments: str) -> None:
        import pty

        self._seen = ""
        ours, theirs = pty.openpty()
        self._ours = ours
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hookline.cli", "chat", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=directory,
            preexec_fn=_own_terminal,  # noqa: PLW1509 -- ctrl-C reaches only who owns the terminal
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(60)
        os.close(self._ours)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, text: str) -> str:
        """Read on until ``text`` appears; return what stood before it."""
        while text not in self._seen:
            piece = os.read(self._ours, 4096)
            self._seen += piece.decode(errors="replace")
        before, _, self._seen = self._seen.partition(text)
        return before

    def interrupt(self, text: str) -> None:
        """Press ctrl-C until ``text`` appears.

        Python's input() misses a signal that comes between two of its waits for a key, until the
        next one; a person would press again.
        """
        self.type("\x03")
        while text not in self._seen:
            if select.select([self._ours], [], [], 1.0)[0]:
                self._seen += os.read(self._ours, 4096).decode(errors="replace")
            else:
                self.type("\x03")
        self.until(text)

    def code(self) -> int:
        """Return the exit code, once it has left."""
        return self._process.wait(60)


def _own_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    if sys.platform == "win32":
        pytest.skip("needs a pty")
    with Terminal(environment, tmp_path) as chat:
        chat.until("> ")
        yield chat


def test_a_reply_at_a_terminal(terminal: Terminal) -> None:
    terminal.type("Hello\n")
    terminal.until("You said: Hello")
    assert "tokens" in terminal.until("> ")
    terminal.type("\x04")
    assert terminal.code() == 0


def test_ctrl_c_stops_the_reply_and_not_the_program(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("slow\n")
    terminal.until("two")
    terminal.type("\x03")
    assert "incomplete" in terminal.until("> ")
    terminal.type("/save kept.json\n")
    assert "saved 2 messages" in terminal.until("incomplete")
    terminal.until("> ")
    reply = load_messages(str(tmp_path / "kept.json"))[1]
    assert re.match("one two", reply.text)
    assert reply.text != "one two three four"
    terminal.type("Hello\n")
    terminal.until("You said: Hello")
    terminal.until("> ")
    terminal.type("/quit\n")
    assert terminal.code() == 0


def test_ctrl_c_at_the_prompt_clears_the_line(terminal: Terminal) -> None:
    terminal.type("half a thought")
    terminal.until("half a thought")
    terminal.interrupt("> ")
    terminal.type("Hello\n")
    assert "half" not in terminal.until("You said: Hello")


def test_the_arrow_key_brings_a_line_back(terminal: Terminal) -> None:
    terminal.type("Hello\n")
    terminal.until("tokens")
    terminal.until("> ")
    terminal.type("\x1b[A!\n")
    terminal.until("You said: Hello!")


def test_many_ctrl_c_end_nothing(terminal: Terminal) -> None:
    terminal.type("slow\n")
    terminal.until("one")
    terminal.type("\x03" * 20)
    terminal.interrupt("> ")
    terminal.type("Hello\n")
    terminal.until("You said: Hello")


def test_escape_sequences_do_not_reach_the_terminal(terminal: Terminal) -> None:
    terminal.type("paint\n")
    terminal.until("[31mred")
    shown = terminal.until("> ")
    assert "\x1b]0;" not in shown
    assert "]0;title" in shown


def test_ctrl_c_before_a_reply_begins(environment: dict[str, str], tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs a pty")
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, says nothing
        environment["ANTHROPIC_BASE_URL"] = f"http://127.0.0.1:{server.getsockname()[1]}"
        with Terminal(environment, tmp_path) as chat:
            chat.until("> ")
            chat.type("Hello\n")
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1)
                chat.type("\x03")
                assert "forgotten" in chat.until("> ")
            chat.type("/save kept.json\n")
            chat.until("saved 0 messages")
            chat.until("> ")
            chat.type("\x04")
            assert chat.code() == 0
