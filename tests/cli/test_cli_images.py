"""`hookline images`, and `--image` with directories, patterns and stdin."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from hookline.cli import main
from hookline.cli.sources import pictures
from hookline.errors import InputError
from hookline.values import Image

ANT = Path(__file__).parents[2] / "examples" / "ant.png"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give every test the simulator and a directory with a few files."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.chdir(tmp_path)
    scans = tmp_path / "scans"
    scans.mkdir()
    for name, size in (("b.jpg", (4000, 3000)), ("a.png", (192, 128))):
        PIL.Image.new("RGB", size, "red").save(scans / name)
    (scans / "notes.txt").write_text("no image")
    PIL.Image.new("RGB", (20, 20)).save(tmp_path / "page.pdf")


def run(*arguments: str) -> int:
    return main([*arguments])


def test_a_table_of_what_would_be_sent(capfd: pytest.CaptureFixture[str]) -> None:
    code = run(
        "images", "scans", "page.pdf", "scans/notes.txt", "gone.png", "--model", "claude-opus-4-6"
    )
    out, err = capfd.readouterr()
    heading, *rows = out.splitlines()
    assert heading.split() == [
        "FILE", "TYPE", "SIZE", "SENT", "AS", "SENT", "EXTENT", "TOKENS", "$",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == [
        "scans/a.png", "scans/b.jpg", "page.pdf", "scans/notes.txt",
    ]  # fmt: skip
    assert "192x128" in rows[0]
    assert "35" in rows[0].split()
    assert "1270x952" in rows[1]
    assert "1 page " in rows[2]
    assert "1,500 to 3,000" in rows[2]
    assert "text/plain" in rows[3]
    assert code == 1
    assert "gone.png" in err
    assert "no such file" in err


def test_the_first_bytes_say_the_type(capfd: pytest.CaptureFixture[str]) -> None:
    PIL.Image.new("RGB", (9, 9)).save("photo.jpg", "TIFF")
    assert run("images", "photo.jpg", "page.pdf", "https://example.com/a.png", "--json") == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["type"] for row in rows] == ["image/tiff", "application/pdf", None]
    assert rows[0]["sent"]["media_type"] == "image/png"


def test_a_price_too_small_to_show_is_not_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("images", "scans/a.png", "--model", "claude-haiku-4-5") == 0
    assert "<0.0001" in capfd.readouterr().out


def test_as_json_with_the_price(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("images", "scans/b.jpg", "--model", "claude-opus-4-6", "--json") == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["file"] == "scans/b.jpg"
    assert row["size"] == Path("scans/b.jpg").stat().st_size
    assert row["sent"]["pixels"] == [1270, 952]
    assert row["sent"]["tokens"] == [1564, 1564]
    assert row["dollars"] == [pytest.approx(1564 * 5 / 1e6)] * 2
    assert row["problem"] is None


def sent(out: str) -> list[dict[str, Any]]:
    content = json.loads(out)["request"]["messages"][0]["content"]
    return [block for block in content if block["type"] == "image"]


@pytest.mark.parametrize("source", ["scans", "scans/*.[jp][pn]g"])
def test_a_directory_and_a_pattern_are_several_images(
    source: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("explain", "What are these?", "--image", source, "--json") == 0
    types = [image["source"]["media_type"] for image in sent(capfd.readouterr().out)]
    assert types == ["image/png", "image/jpeg"]  # in the order of their names


def test_stdin_is_one(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ANT.read_bytes())))
    assert run("explain", "What is it?", "--image", "-", "--json") == 0
    assert len(sent(capfd.readouterr().out)) == 1


@pytest.mark.parametrize("command", [("ask", "?", "--image", ""), ("images", "")])
def test_a_variable_that_is_empty_is_not_the_folder_where_one_stands(
    command: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(*command) != 0
    assert "Image(''): it cannot be read: no such file" in capfd.readouterr().err


def test_a_name_with_a_line_break_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy(ANT, "two\nlines\x1b[31m.png")
    assert run("images", "two*.png") == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "two\\nlines\\x1b[31m.png" in lines[1]


def test_of_a_damaged_file_we_alone_speak(tmp_path: Path) -> None:
    """In a process of its own, where nobody catches warnings."""
    damaged = tmp_path / "cut.tif"
    damaged.write_bytes(b"II*\0\x08\0\0\0\x05\0" + bytes(20))
    done = subprocess.run(
        [sys.executable, "-m", "hookline", "images", str(damaged)],
        env={**os.environ, "ANTHROPIC_BASE_URL": "sim:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cut.tif" in done.stderr


def test_what_one_argument_means(tmp_path: Path) -> None:
    shutil.copy(ANT, "odd[1].png")
    assert [image.source for image in pictures("odd[1].png")] == [Path("odd[1].png")]
    assert [image.source for image in pictures("gone.png")] == [Path("gone.png")]
    assert pictures("https://example.com/*.png")[0].kind == "url"
    with pytest.raises(InputError, match="means no image file"):
        pictures("gone/*.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="means no image file"):
        pictures("empty")


def test_the_chat_attaches_a_whole_directory(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = io.TextIOWrapper(io.BytesIO(b"/image scans\nWhat are these?\n/image gone\n"))
    monkeypatch.setattr("sys.stdin", lines)
    assert run("chat") != 0
    out, err = capfd.readouterr()
    assert repr(Image("scans/a.png")) in err
    assert "Image 1: PNG, 192 x 128 pixels" in out
    assert "there is no file gone" in err


@pytest.mark.parametrize("form", ["picture", "files"])
def test_the_clipboard_is_pasted(
    form: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    held = PIL.Image.new("RGB", (31, 17)) if form == "picture" else ["scans/a.png"]
    monkeypatch.setattr("PIL.ImageGrab.grabclipboard", lambda: held)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/paste\nWhat is it?\n")))
    assert run("chat") == 0
    assert ("31 x 17" if form == "picture" else "192 x 128") in capfd.readouterr().out


@pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xclip")), reason="make test-deps installs them"
)
def test_a_real_clipboard_is_pasted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from hookline_plugins.tools.xvfb import XvfbScreen

    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with XvfbScreen(320, 240) as screen:
        monkeypatch.setenv("DISPLAY", screen.display)
        for answer in ("no image in the clipboard", "192 x 128"):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/paste\nWhat is it?\n")))
            run("chat")
            assert answer in "".join(capfd.readouterr())
            copy = ["xclip", "-selection", "clipboard", "-t", "image/png", "-i", str(ANT)]
            subprocess.run(copy, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "trouble", [None, NotImplementedError("no wl-paste"), OSError("no display")]
)
def test_a_clipboard_of_no_use_is_told(
    trouble: Exception | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def grab() -> None:
        if trouble is not None:
            raise trouble

    monkeypatch.setattr("PIL.ImageGrab.grabclipboard", grab)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"/paste\n")))
    assert run("chat") == 2
    assert (str(trouble) if trouble else "no image in the clipboard") in capfd.readouterr().err


VAULT = """
from hookline import Image, hookimpl

class Vault:
    before = ("images",)

    @hookimpl
    async def resolve_images(self, turn, request):
        async def found(block):
            is_ours = isinstance(block, Image) and block.scheme == "vault"
            return block.evolve(source="scans/a.png") if is_ours else block

        return await request.map_media(found, turn.io)
"""


def test_the_plugins_of_this_run_resolve_their_schemes(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "vault.py").write_text(VAULT)
    assert run("-p", "./vault.py", "images", "vault://ant", "--json") == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["file"] == "'vault://ant'"
    assert "192" in str(row["sent"])


def test_a_scheme_that_nobody_resolves_says_what_is_missing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run("ask", "Hi", "--image", "vault://ant") != 0
    said = capfd.readouterr().err
    assert "no plugin of this pipeline resolves the scheme vault:" in said
    assert "-p FILE" in said
    assert "enable it" not in said


def test_a_plugin_that_was_given_as_prefill_is_told_where_it_belongs(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "vault.py").write_text(VAULT)
    assert run("ask", "-p", "vault.py", "Hi") == 0
    assert "a plugin stands before it: hookline -p vault.py …" in capfd.readouterr().err
    assert run("ask", "-p", "other.py", "Hi") == 0  # a prefill like any other
    assert "a plugin stands" not in capfd.readouterr().err
    assert run("-p", "scans", "ask", "Hi") == 2
    assert "A file is given by its path, and ends in .py" in capfd.readouterr().err
