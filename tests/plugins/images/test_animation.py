"""Animations: one frame, or a sheet of several."""

from io import BytesIO
from typing import Any

import PIL.Image
import pytest

from hookline import InputError
from hookline.values import Image
from hookline_plugins.images.animation import frames_of

COLOURS = [(25 * number, 255 - 25 * number, 90) for number in range(10)]


def moving(form: str, frames: int = 10, size: tuple[int, int] = (60, 40)) -> bytes:
    pictures = [PIL.Image.new("RGB", size, COLOURS[number % 10]) for number in range(frames)]
    out = BytesIO()
    options = {"lossless": True} if form == "WEBP" else {}
    pictures[0].save(out, form, save_all=True, append_images=pictures[1:], duration=50, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_a_sheet_shows_the_first_frame_the_last_and_those_between(
    form: str, resolve: Any, opened: Any
) -> None:
    sheet = opened(resolve(Image(moving(form)), animation="sheet")[0]).convert("RGB")
    assert sheet.size == (3 * 60 + 2 * 8, 3 * 40 + 2 * 8)
    for number, frame in enumerate((0, 1, 2, 3, 4, 5, 6, 7, 9)):
        row, column = divmod(number, 3)
        found = sheet.getpixel((column * 68 + 30, row * 48 + 20))
        assert max(abs(a - b) for a, b in zip(found, COLOURS[frame], strict=True)) <= 12, number
    assert min(sheet.getpixel((64, 20))) > 240  # white between them


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_without_a_wish_the_first_frame_goes(form: str, resolve: Any, opened: Any) -> None:
    first = opened(resolve(Image(moving(form)))[0])
    assert first.size == (60, 40)


def test_what_stands_still_is_no_sheet(made: Any, resolve: Any, bytes_of: Any) -> None:
    for form in ("GIF", "PNG", "WEBP", "JPEG"):
        data = made(form)
        assert bytes_of(resolve(Image(data), animation="sheet")[0]) == data


def test_two_frames_stand_side_by_side(resolve: Any, opened: Any) -> None:
    assert opened(resolve(Image(moving("GIF", 2)), animation="sheet")[0]).size == (128, 40)


def test_a_sheet_is_no_larger_than_the_model_sees(resolve: Any, opened: Any) -> None:
    data = moving("GIF", 9, (900, 700))
    for model, most in (("claude-opus-4-6", 1568), ("claude-opus-5-5", 2576)):
        sheet = opened(resolve(Image(data), animation="sheet", model=model)[0])
        assert most * 0.4 < max(sheet.size) <= most


def test_ten_thousand_frames_cost_no_more_than_three_hundred() -> None:
    one = moving("GIF", 2, (2, 2))
    begin = one.index(b"\x21\xf9")
    frame = one[begin : one.index(b"\x21\xf9", begin + 1)]
    data = one[:begin] + frame * 10_000 + b";"
    assert frames_of(data, "image/gif") == 300
    assert frames_of(one, "image/gif") == 2


def test_a_damaged_animation_is_refused(resolve: Any) -> None:
    data = moving("WEBP")
    with pytest.raises(InputError, match="damaged"):
        resolve(Image(data[: len(data) // 2]), animation="sheet")
