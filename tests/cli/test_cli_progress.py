"""The bar on stderr: at a terminal only, only after a moment, and gone before anything else is said."""

import io
import sys
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from hookline import Progress
from hookline.cli import main
from hookline.cli.progress import ProgressBar


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give every test the simulator, a terminal's name and eight images."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.chdir(tmp_path)
    for name in "abcdefgh":
        PIL.Image.new("RGB", (8, 8), (ord(name), 0, 0)).save(tmp_path / f"{name}.png")


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Take the place of stderr; pytest puts its own there when a test begins."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


class AtOnce:
    """A timer that does not wait."""

    def __init__(self, _seconds: float, function: Any) -> None:
        self._function = function

    def start(self) -> None:
        self._function()

    def cancel(self) -> None: ...


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hookline.cli.progress.threading.Timer", AtOnce)


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("command", [["ask", "?"], ["explain", "?"], ["images"]])
def test_many_images_show_a_bar(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    given = [*command, "*.png"] if command == ["images"] else [*command, "--image", "*.png"]
    assert main(given) == 0
    shown = terminal.getvalue()
    assert "images and documents" in shown
    assert "/8" in shown


@pytest.mark.usefixtures("no_wait")
def test_the_bar_is_gone_before_an_error_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    terminal = on_terminal(monkeypatch)
    (tmp_path / "c.png").write_bytes(b"nothing")
    assert main(["ask", "?", "--image", "*.png"]) == 2
    shown = terminal.getvalue()
    assert shown.rindex("error") > shown.rindex("/8")


def test_what_is_done_at_once_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    assert main(["ask", "?", "--image", "a.png"]) == 0
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("no_wait")
def test_no_terminal_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    for stderr in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stderr)
        with ProgressBar() as bar:
            bar(Progress("images", 1, 3, "images"))
        assert stderr is None or stderr.getvalue() == ""


@pytest.mark.usefixtures("no_wait")
def test_a_chat_shows_it_for_each_message(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b"/image .\nWhat are these?\nAnd now?\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    terminal = on_terminal(monkeypatch)
    assert main(["chat"]) == 0
    assert "0/8" in terminal.getvalue()


@pytest.mark.usefixtures("no_wait")
def test_a_bar_that_never_ends_is_gone_at_the_end_of_its_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The turn was stopped, and nobody told it so."""
    terminal = on_terminal(monkeypatch)
    with ProgressBar() as bar:
        bar(Progress("images", 1, 3, "images"))
    shown = terminal.getvalue()
    assert "1/3" in shown
    bar.close()
    assert terminal.getvalue() == shown


@pytest.mark.usefixtures("no_wait")
def test_what_a_plugin_says_cannot_command_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with ProgressBar() as bar:
        bar(Progress("evil", 1, 3, "\x1b]0;title\x07[red]words"))
        bar(Progress("evil", 2, 3, "\x1b]0;title\x07[red]words"))
    assert "]0;title[red]words" in terminal.getvalue()
    assert "\x1b]0" not in terminal.getvalue()
    assert "\x07" not in terminal.getvalue()
