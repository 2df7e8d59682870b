"""Pictures on a terminal that can show them, by the three protocols that there are.

Which one a terminal speaks is told by what it sets in the environment; where nothing tells, nothing is drawn, since what a
terminal does not understand it prints. Sixel needs ``HOOKLINE_PICTURES=sixel``, for no variable announces it.
"""

import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final, Literal, TypeAlias

from hookline.errors import ConfigError, MissingExtra

__all__ = ["Protocol", "drawn", "protocol"]

Protocol: TypeAlias = Literal["kitty", "iterm", "sixel"]

_CHOICE: Final = "HOOKLINE_PICTURES"
_PIECE: Final = 4096  # characters of base64 that kitty takes at a time
_LARGEST: Final = 640  # pixels a side of a sixel picture
_COLOURS: Final = 64
_BAND: Final = 6  # rows of a picture that one row of sixels has
_ITERM: Final = frozenset({"iTerm.app", "WezTerm", "mintty", "vscode"})


def protocol(environ: Mapping[str, str] = os.environ) -> Protocol | None:
    """Tell how this terminal shows pictures; None where it does not, or is no terminal.

    Raises:
        ConfigError: ``HOOKLINE_PICTURES`` names no protocol.

    """
    if not sys.stdout.isatty():
        return None
    choice = environ.get(_CHOICE)
    if choice:
        for known in _DRAWN:
            if choice == known:
                return known
        raise ConfigError(f"{_CHOICE} is kitty, iterm or sixel, not {choice!r}")
    if environ.get("KITTY_WINDOW_ID") or environ.get("TERM") in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    if environ.get("TERM_PROGRAM") in _ITERM or environ.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return None


def drawn(data: str, by: Protocol) -> str:
    """Return what draws an image when it is written to the terminal.

    Args:
        data: the file, in base64.
        by: the terminal's protocol.

    Raises:
        MissingExtra: the picture has to be converted, and Pillow is not installed.

    """
    # Written anew: in a base64 that somebody else made there may stand what commands a terminal.
    return _DRAWN[by](b64encode(b64decode(data)).decode("ascii"))


def _kitty(data: str) -> str:
    # It takes PNG as a file; everything else would have to be raw pixels.
    png = data if data.startswith("iVBORw0KGgo") else _as_png(data)
    pieces = [png[at : at + _PIECE] for at in range(0, len(png), _PIECE)]
    last = len(pieces) - 1
    commands = [
        f"\x1b_G{'a=T,f=100,q=2,' if number == 0 else ''}m={int(number < last)};{piece}\x1b\\"
        for number, piece in enumerate(pieces)
    ]
    return "".join(commands) + "\n"


def _iterm(data: str) -> str:
    return f"\x1b]1337;File=inline=1;preserveAspectRatio=1;width=40%:{data}\x07\n"


def _sixel(data: str) -> str:
    picture = _opened(data).convert("RGB")
    picture.thumbnail((_LARGEST, _LARGEST))
    picture = picture.quantize(_COLOURS)
    width, height = picture.size
    palette: list[int] = picture.getpalette()
    pixels = picture.tobytes()
    parts = [f'\x1bPq"1;1;{width};{height}']
    for colour in range(len(palette) // 3):
        red, green, blue = (part * 100 // 255 for part in palette[3 * colour : 3 * colour + 3])
        parts.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, height, _BAND):
        rows = [pixels[y * width : (y + 1) * width] for y in range(top, min(top + _BAND, height))]
        for colour in sorted(set().union(*rows)):
            line = [
                sum((row[x] == colour) << bit for bit, row in enumerate(rows)) for x in range(width)
            ]
            parts.append(f"#{colour}{_shortened(line)}$")
        parts.append("-")
    return "".join(parts) + "\x1b\\\n"


def _shortened(line: list[int]) -> str:
    """Write a row of sixels, those that repeat as a number."""
    parts: list[str] = []
    at = 0
    while at < len(line):
        end = at
        while end < len(line) and line[end] == line[at]:
            end += 1
        sign = chr(63 + line[at])
        parts.append(f"!{end - at}{sign}" if end - at > 3 else sign * (end - at))  # noqa: PLR2004 -- from there on it is shorter
        at = end
    return "".join(parts)


def _as_png(data: str) -> str:
    out = BytesIO()
    _opened(data).save(out, "PNG")
    return b64encode(out.getvalue()).decode("ascii")


def _opened(data: str) -> Any:
    try:
        import PIL.Image  # noqa: PLC0415 -- an extra
    except ImportError:
        raise MissingExtra("images", "pillow", "showing this picture") from None
    return PIL.Image.open(BytesIO(b64decode(data)))


_DRAWN: Final[Mapping[Protocol, Callable[[str], str]]] = {
    "kitty": _kitty,
    "iterm": _iterm,
    "sixel": _sixel,
}
