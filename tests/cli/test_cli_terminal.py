"""`hookline chat` at a real terminal (a pty): editing, pasting, ctrl-C, completion, history."""

import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from hookline import Conversation, Pipeline
from hookline.cli.chat.transcript import load_conversation


def saved(path: Path) -> Conversation:
    with Pipeline(base_url="sim:") as line:
        return load_conversation(str(path), line, {})


# --- at a terminal


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")

PASTING = "\x1b[?2004h"  # a prompt asks the terminal to mark what is pasted


class Terminal:
    """A chat at a pty; whoever waits reads until the text is there."""

    def __init__(self, environment: dict[str, str], directory: Path, *arguments: str) -> None:
        import fcntl
        import pty
        import termios

        self._seen = ""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._ours = ours
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hookline", "chat", *arguments],
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

    def ready(self) -> str:
        """Read on until the prompt waits for keys; return what stood before it."""
        return self.until(PASTING)

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
    with Terminal(environment, tmp_path) as chat:
        chat.ready()
        yield chat


def test_a_reply_at_a_terminal(terminal: Terminal) -> None:
    terminal.type("Hello\r")
    terminal.until("You said: Hello")
    assert "tokens" in terminal.ready()
    terminal.type("\x04")
    assert terminal.code() == 0


def test_ctrl_c_stops_the_reply_and_not_the_program(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("slow\r")
    terminal.until("two")
    terminal.type("\x03")
    assert "incomplete" in terminal.ready()
    terminal.type("/save kept.json\r")
    assert "saved 2 messages" in terminal.until("incomplete")
    terminal.ready()
    reply = saved(tmp_path / "kept.json").messages[1]
    assert re.match("one two", reply.text)
    assert reply.text != "one two three four"
    terminal.type("Hello\r")
    terminal.until("You said: Hello")
    terminal.ready()
    terminal.type("/quit\r")
    assert terminal.code() == 0


def test_ctrl_c_at_the_prompt_clears_the_line(terminal: Terminal) -> None:
    terminal.type("half a thought")
    terminal.until("half a thought")
    terminal.type("\x03")
    terminal.ready()
    terminal.type("Hello\r")
    assert "half" not in terminal.until("You said: Hello")


def test_the_arrow_key_brings_a_line_back(terminal: Terminal) -> None:
    terminal.type("Hello\r")
    terminal.until("tokens")
    terminal.ready()
    terminal.type("\x1b[A!\r")
    terminal.until("You said: Hello!")


def test_many_ctrl_c_end_nothing(terminal: Terminal) -> None:
    terminal.type("slow\r")
    terminal.until("one")
    terminal.type("\x03" * 20)
    terminal.type("\x03")
    terminal.ready()
    terminal.type("Hello\r")
    terminal.until("You said: Hello")


def test_pasted_text_is_one_message(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("\x1b[200~one\r\n\r\ntwo\x1b[201~")
    terminal.until("two")
    terminal.type("\r")
    terminal.until("tokens")
    terminal.ready()
    terminal.type("/save kept.json\r")
    terminal.until("saved 2 messages")
    assert saved(tmp_path / "kept.json").messages[0].text == "one\n\ntwo"


def test_a_key_and_a_backslash_begin_a_new_line(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("one\x1b\rtwo\\\rthree\r")
    terminal.until("tokens")
    terminal.ready()
    terminal.type("/save kept.json\r")
    terminal.until("saved 2 messages")
    assert saved(tmp_path / "kept.json").messages[0].text == "one\ntwo\nthree"


def test_tab_completes_commands_models_and_files(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("/mo\t")
    terminal.until("/model")
    terminal.type("claude-haiku-4\t")
    terminal.until("-5")
    terminal.type("\r")
    terminal.until("model: claude-haiku-4-5")
    terminal.ready()
    terminal.type("/load dr\t")
    terminal.until("drip.toml")
    terminal.type("\r")
    terminal.until("drip.toml: the conversation is not JSON")


def test_saving_over_a_file_is_asked_about(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("mine")
    terminal.type("Hello\r")
    terminal.until("tokens")
    for answer, said in (("n", "left as it is"), ("\x04", "left as it is"), ("y", "saved 2 mess")):
        terminal.ready()
        terminal.type("/save kept.json\r")
        terminal.until("overwrite kept.json? [y/N]")
        terminal.type(answer if answer == "\x04" else f"{answer}\r")
        terminal.until(said)
    assert len(saved(tmp_path / "kept.json")) == 2


def test_the_next_chat_remembers_what_was_typed(
    terminal: Terminal, environment: dict[str, str], tmp_path: Path
) -> None:
    terminal.type("Hello\r")
    terminal.until("tokens")
    terminal.ready()
    terminal.type("/quit\r")
    assert terminal.code() == 0
    path = tmp_path / "state" / "hookline" / "chat_history"
    assert path.stat().st_mode & 0o777 == 0o600
    with Terminal(environment, tmp_path) as later:
        later.ready()
        later.type("\x1b[A\x1b[A!\r")
        later.until("You said: Hello!")


def test_nothing_is_remembered_where_that_is_not_wanted(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with Terminal(environment, tmp_path, "--no-history") as chat:
        chat.ready()
        chat.type("Hello\r")
        chat.until("You said: Hello")
    assert not (tmp_path / "state").exists()


def test_a_dumb_terminal_has_a_plain_prompt(environment: dict[str, str], tmp_path: Path) -> None:
    with Terminal({**environment, "TERM": "dumb"}, tmp_path) as chat:
        chat.until("> ")
        chat.type("one\\\n")
        chat.until("… ")
        chat.type("two\n")
        chat.until("You said: one two")
        chat.until("> ")
        chat.type("\x04")
        assert chat.code() == 0


def test_escape_sequences_do_not_reach_the_terminal(terminal: Terminal) -> None:
    terminal.type("paint\r")
    terminal.until("[31mred")
    shown = terminal.ready()
    assert "\x1b]0;" not in shown
    assert "]0;title" in shown


def test_ctrl_c_before_a_reply_begins(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, says nothing
        environment["ANTHROPIC_BASE_URL"] = f"http://127.0.0.1:{server.getsockname()[1]}"
        with Terminal(environment, tmp_path) as chat:
            chat.ready()
            chat.type("Hello\r")
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1)
                chat.type("\x03")
                assert "forgotten" in chat.ready()
            chat.type("/save kept.json\r")
            chat.until("saved 0 messages")
            chat.ready()
            chat.type("\x04")
            assert chat.code() == 0
