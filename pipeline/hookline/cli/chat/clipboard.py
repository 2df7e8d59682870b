"""Images out of the clipboard of the desktop that the terminal stands on."""

from typing import Any

from hookline.cli.sources import pictures
from hookline.errors import InputError, MissingExtra
from hookline.values.attachments import Image

__all__ = ["pasted"]


def pasted() -> list[Image]:
    """Return what the clipboard holds: a picture, or the files that were copied.

    Raises:
        InputError: it holds neither, or cannot be reached from here.
        MissingExtra: Pillow is not installed.

    """
    try:
        from PIL import ImageGrab  # noqa: PLC0415 -- an extra
    except ImportError:
        raise MissingExtra("images", "pillow", "reading the clipboard") from None
    try:
        found: Any = ImageGrab.grabclipboard()
    # No display; no tool, for which Pillow has NotImplementedError; a broken picture.
    except (OSError, NotImplementedError, ValueError) as error:
        raise InputError(
            f"the clipboard cannot be read from here: {error}. On Linux that takes wl-paste or xclip"
        ) from error
    if found is None:
        raise InputError("there is no image in the clipboard")
    if isinstance(found, list):
        return [image for name in found for image in pictures(str(name))]
    return [Image(found)]
