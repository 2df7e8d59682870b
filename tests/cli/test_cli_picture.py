"""`explain --show`: what each kind of terminal is told, and what no terminal is."""

import re
import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from hookline.cli import main
from hookline.cli.images.picture import drawn, protocol
from hookline.errors import ConfigError

ANT = Path(__file__).parents[2] / "examples" / "ant.png"


def encoded(form: str, size: tuple[int, int] = (120, 80)) -> str:
    out = BytesIO()
    PIL.Image.linear_gradient("L").resize(size).convert("RGB").save(out, form)
    return b64encode(out.getvalue()).decode()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"HOOKLINE_PICTURES": "sixel", "KITTY_WINDOW_ID": "1"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
    ],
)
def test_which_terminal_speaks_what(
    environ: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert protocol(environ) is None  # no terminal at all
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert protocol(environ) == expected
    with pytest.raises(ConfigError, match="HOOKLINE_PICTURES is"):
        protocol({"HOOKLINE_PICTURES": "ascii"})


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_kitty_gets_a_png_in_pieces(form: str) -> None:
    data = encoded(form, (900, 700))
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", drawn(data, "kitty"))
    assert len(pieces) > 0
    assert pieces[0][0].startswith("a=T,f=100")
    assert [controls[-1] for controls, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    assert all(len(piece) <= 4096 for _, piece in pieces)
    picture = PIL.Image.open(BytesIO(b64decode("".join(piece for _, piece in pieces))))
    assert (picture.format, picture.size) == ("PNG", (900, 700))


def test_iterm_gets_the_file_itself() -> None:
    data = encoded("JPEG")
    assert drawn(data, "iterm").endswith(f":{data}\x07\n")


def test_nothing_in_the_data_commands_the_terminal() -> None:
    data = encoded("PNG")
    assert drawn(f"{data[:40]}\x1b]\x07{data[40:]}", "iterm").count("\x1b") == 1


def test_sixels_say_what_the_picture_shows() -> None:
    """Drawn back by a reader of sixels."""
    text = drawn(encoded("PNG", (60, 40)), "sixel")
    found = re.fullmatch(
        r'\x1bPq"1;1;(\d+);(\d+)((?:#\d+;2;\d+;\d+;\d+)+)(.*)\x1b\\\n', text, re.DOTALL
    )
    assert found is not None
    width, height = int(found[1]), int(found[2])
    colours = {
        int(n): (int(r), int(g), int(b))
        for n, r, g, b in re.findall(r"#(\d+);2;(\d+);(\d+);(\d+)", found[3])
    }
    picture = PIL.Image.new("RGB", (width, height))
    for band, rows in enumerate(found[4].split("-")):
        for colour, line in re.findall(r"#(\d+)([^$]*)\$", rows):
            at = 0
            for count, sign in re.findall(r"(?:!(\d+))?([?-~])", line):
                for x in range(at, at + int(count or 1)):
                    for bit in range(6):
                        if ord(sign) - 63 >> bit & 1:
                            shade = tuple(part * 255 // 100 for part in colours[int(colour)])
                            picture.putpixel((x, band * 6 + bit), shade)
                at += int(count or 1)
    original = PIL.Image.linear_gradient("L").resize((60, 40))
    assert (width, height) == (60, 40)
    for x, y in ((0, 0), (30, 20), (59, 39), (10, 33)):
        shown: Any = picture.convert("L").getpixel((x, y))
        wanted: Any = original.getpixel((x, y))
        assert abs(shown - wanted) < 16


def test_explain_shows_what_is_sent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.setattr("hookline.cli.images.picture.protocol", lambda: "iterm")
    assert main(["explain", "What is it?", "--image", str(ANT), "--show"]) == 0
    out = capfd.readouterr().out
    assert "image at messages.0.content.0 · image/png · 192x128 · 2.46 kB · 35 tokens" in out
    assert "\x1b]1337;File=inline=1" in out
    monkeypatch.undo()


def test_elsewhere_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    assert main(["explain", "What is it?", "--image", str(ANT), "--show"]) == 0
    out, err = capfd.readouterr()
    assert "\x1b" not in out
    assert "not known to show pictures" in err
