"""`hookline images`, and `--image` with directories, patterns and stdin."""

import io
import json
import shutil
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
    assert heading.split() == ["FILE", "SIZE", "SENT", "AS", "SENT", "EXTENT", "TOKENS", "$"]
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
