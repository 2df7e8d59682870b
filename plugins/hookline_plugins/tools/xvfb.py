"""A screen of its own for computer use: Xvfb, which needs no monitor and shows nobody else's windows."""

import io
import os
import shutil
import subprocess
import threading
import time
from types import TracebackType
from typing import Any, Final, Self

from hookline import ConfigError, InputError, MissingExtra

__all__ = ["XvfbScreen"]

_BUTTONS: Final = {"left": 1, "middle": 2, "right": 3}
_SCROLL: Final = {(0, -1): 4, (0, 1): 5, (-1, 0): 6, (1, 0): 7}
_BETWEEN: Final = 0.02  # seconds that programs need between two events
_NAMES: Final = {
    "ctrl": "Control_L",
    "control": "Control_L",
    "alt": "Alt_L",
    "shift": "Shift_L",
    "super": "Super_L",
    "enter": "Return",
    "esc": "Escape",
    "backspace": "BackSpace",
    "space": "space",
    "tab": "Tab",
    "delete": "Delete",
}
_UNICODE: Final = 0x01000000  # where keysyms of characters beyond Latin-1 begin
_LATIN: Final = 0x100


class XvfbScreen:
    """A virtual screen; a context manager, which ends it.

    Programs are shown on it that are started with ``DISPLAY`` set to ``display``.

    Args:
        width: in pixels.
        height: in pixels.

    Attributes:
        size: width and height.
        display: the name of the display, for example ``":99"``.

    Raises:
        ConfigError: Xvfb is not installed, or does not start.
        MissingExtra: python-xlib or Pillow is not.

    Example:
        >>> with XvfbScreen(1024, 768) as screen:  # doctest: +SKIP
        ...     line = Pipeline(plugins=[Tools(routes={"computer": screen})])

    """

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        program = shutil.which("Xvfb")
        if program is None:
            raise ConfigError("there is no Xvfb here; install it, for example: apt install xvfb")
        try:
            from PIL import Image  # noqa: PLC0415 -- an extra
            from Xlib import XK, X, display  # noqa: PLC0415 -- as above
            from Xlib.ext import xtest  # noqa: PLC0415 -- as above
        except ImportError as error:
            raise MissingExtra("computer", "python-xlib", "XvfbScreen") from error
        self._pictures, self._keys, self._x, self._xtest = Image, XK, X, xtest
        self.size = (width, height)
        self._lock = threading.Lock()
        reading, writing = os.pipe()
        self._server = subprocess.Popen(  # noqa: S603 -- a program of this machine, with numbers
            [
                program,
                "-displayfd",
                str(writing),
                "-screen",
                "0",
                f"{width}x{height}x24",
                "-nolisten",
                "tcp",
            ],
            pass_fds=(writing,),
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        if not number:
            self._server.wait()
            raise ConfigError("Xvfb did not start")
        self.display = f":{number}"
        self._display: Any = display.Display(self.display)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the screen, and with it the connection of every program on it."""
        if self._server.poll() is None:
            self._display.close()
            self._server.terminate()
            self._server.wait(10)

    def screenshot(self) -> bytes:
        """Return the whole screen as a PNG."""
        return self.zoom((0, 0, *self.size))

    def zoom(self, region: tuple[int, int, int, int]) -> bytes:
        """Return a part of the screen as a PNG."""
        x0, y0, x1, y1 = region
        size = (x1 - x0, y1 - y0)
        with self._lock:
            root = self._display.screen().root
            raw = root.get_image(x0, y0, *size, self._x.ZPixmap, 0xFFFFFFFF)
        picture = self._pictures.frombytes("RGB", size, raw.data, "raw", "BGRX")
        out = io.BytesIO()
        picture.save(out, "PNG")
        return out.getvalue()

    def move(self, x: int, y: int) -> None:
        """Move the pointer."""
        self._send(self._x.MotionNotify, x=x, y=y)

    def click(self, x: int, y: int, button: str, count: int) -> None:
        """Click."""
        self.move(x, y)
        for _ in range(count):
            self._press(_BUTTONS[button])

    def drag(self, x0: int, y0: int, x1: int, y1: int) -> None:
        """Press the left button at one place and let it go at another."""
        self.move(x0, y0)
        self.mouse_down()
        self.move((x0 + x1) // 2, (y0 + y1) // 2)  # programs take a drag for one only on the way
        self.move(x1, y1)
        self.mouse_up()

    def mouse_down(self) -> None:
        """Press the left button."""
        self._send(self._x.ButtonPress, 1)

    def mouse_up(self) -> None:
        """Let the left button go."""
        self._send(self._x.ButtonRelease, 1)

    def position(self) -> tuple[int, int]:
        """Return where the pointer is."""
        with self._lock:
            found = self._display.screen().root.query_pointer()
        return found.root_x, found.root_y

    def scroll(self, x: int, y: int, dx: int, dy: int) -> None:
        """Scroll by steps."""
        self.move(x, y)
        for steps, along in ((dx, lambda sign: (sign, 0)), (dy, lambda sign: (0, sign))):
            for _ in range(abs(steps)):
                self._press(_SCROLL[along(1 if steps > 0 else -1)])

    def type(self, text: str) -> None:
        """Type a text."""
        for character in text:
            self._stroke([self._keysym("Return" if character == "\n" else character)])

    def key(self, keys: str) -> None:
        """Press keys together."""
        self._stroke([self._keysym(each) for each in keys.split("+")])

    def hold_key(self, keys: str, seconds: float) -> None:
        """Hold keys down."""
        self._stroke([self._keysym(each) for each in keys.split("+")], seconds)

    def wait(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def _send(self, kind: int, detail: int = 0, **more: Any) -> None:
        with self._lock:
            self._xtest.fake_input(self._display, kind, detail, **more)
            self._display.sync()
        time.sleep(_BETWEEN)

    def _press(self, button: int) -> None:
        self._send(self._x.ButtonPress, button)
        self._send(self._x.ButtonRelease, button)

    def _keysym(self, name: str) -> int:
        keysym: int = self._keys.string_to_keysym(_NAMES.get(name.lower(), name))
        if keysym == 0 and len(name) == 1:
            keysym = ord(name) if ord(name) < _LATIN else _UNICODE + ord(name)
        if keysym == 0:
            raise InputError(f"there is no key {name!r}")
        return keysym

    def _stroke(self, keysyms: list[int], seconds: float = 0.0) -> None:
        codes: list[int] = []
        for keysym in keysyms:
            codes += self._codes(keysym)
        for code in codes:
            self._send(self._x.KeyPress, code)
        time.sleep(seconds)
        for code in reversed(codes):
            self._send(self._x.KeyRelease, code)

    def _codes(self, keysym: int) -> list[int]:
        """Return the keys to press for a keysym; one that the keyboard lacks is put on a free key."""
        with self._lock:
            found = sorted(self._display.keysym_to_keycodes(keysym), key=lambda place: place[1])
            if found and found[0][1] <= 1:
                code, shifted = found[0]
                shift = self._display.keysym_to_keycode(self._keys.XK_Shift_L)
                return [shift, code] if shifted else [code]
            spare: int = self._display.display.info.max_keycode
            self._display.change_keyboard_mapping(spare, [[keysym] * 4])
            self._display.sync()
            return [spare]
