"""What is taken out of an image file, and that the picture stays the same, pixel for pixel."""

import struct
import zlib
from io import BytesIO
from typing import Any

import PIL.Image
import PIL.PngImagePlugin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.values import read_header
from hookline_plugins.images.containers import strip
from hookline_plugins.images.orientation import minimal_exif, orientation_in

CANARY = b"CANARY"
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}


def pixels(data: bytes) -> tuple[str, tuple[int, int], bytes]:
    with PIL.Image.open(BytesIO(data)) as image:
        image.load()
        return image.mode, image.size, image.tobytes()


def exif_of(orientation: int) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "CANARY"
    exif.get_ifd(0x8825)[1] = "CANARY"  # GPS
    return exif


def dirty(form: str, photo: Any, orientation: int = 6) -> bytes:
    """A file with everything in it that a phone, a screenshot tool or an attacker puts there."""
    out = BytesIO()
    options: dict[str, Any] = {"exif": exif_of(orientation), "icc_profile": CANARY * 50}
    if form == "PNG":
        text = PIL.PngImagePlugin.PngInfo()
        text.add_text("Author", "CANARY")
        text.add_itxt("XML:com.adobe.xmp", "CANARY")
        text.add_text("Long", "CANARY", zip=True)
        options["pnginfo"] = text
    elif form == "JPEG":
        options |= {"comment": CANARY, "xmp": CANARY}
    elif form == "WEBP":
        options["xmp"] = CANARY
    else:
        options = {"comment": CANARY}
    photo().save(out, form, **options)
    return out.getvalue() + b"<script>CANARY</script>"


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_only_the_picture_and_its_orientation_stay(form: str, photo: Any) -> None:
    data = dirty(form, photo)
    assert CANARY in data
    stripped = strip(data, MEDIA_TYPES[form])
    assert CANARY not in stripped.data
    assert zlib.compress(CANARY) not in stripped.data
    assert pixels(stripped.data) == pixels(data)
    assert read_header(stripped.data) == read_header(data)
    with PIL.Image.open(BytesIO(stripped.data)) as image:
        assert dict(image.getexif()) == ({} if form == "GIF" else {0x0112: 6})
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "exif", "dpi",
                                   "version", "background", "loop", "duration", "adobe",
                                   "adobe_transform", "timestamp"}  # fmt: skip
    assert stripped.orientation == (1 if form == "GIF" else 6)


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_stripping_twice_changes_nothing_and_copies_nothing(form: str, photo: Any) -> None:
    once = strip(dirty(form, photo), MEDIA_TYPES[form]).data
    assert strip(once, MEDIA_TYPES[form]).data is once


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_kept_and_alone(form: str, orientation: int, photo: Any) -> None:
    stripped = strip(dirty(form, photo, orientation), MEDIA_TYPES[form])
    assert stripped.orientation == orientation
    with PIL.Image.open(BytesIO(stripped.data)) as image:
        assert dict(image.getexif()) == ({} if orientation == 1 else {0x0112: orientation})


@pytest.mark.parametrize(
    "options",
    [
        {"form": "JPEG", "progressive": True},
        {"form": "JPEG", "mode": "CMYK"},
        {"form": "JPEG", "mode": "L"},
        {"form": "JPEG", "restart_marker_rows": 1},
        {"form": "WEBP", "lossless": True},
        {"form": "WEBP", "mode": "RGBA"},
        {"form": "PNG", "mode": "P"},
        {"form": "PNG", "mode": "RGBA"},
        {"form": "PNG", "mode": "1"},
        {"form": "GIF", "mode": "L"},
    ],
    ids=str,
)
def test_pixels_stay_in_every_kind_of_file(options: dict[str, Any], made: Any) -> None:
    form = options["form"]
    data = made(**options) + CANARY
    stripped = strip(data, MEDIA_TYPES[form]).data
    assert CANARY not in stripped
    assert pixels(stripped) == pixels(data)


def test_a_transparent_colour_stays(photo: Any) -> None:
    out = BytesIO()
    photo(mode="P").save(out, "PNG", transparency=3)
    stripped = strip(out.getvalue(), "image/png").data
    with PIL.Image.open(BytesIO(stripped)) as image:
        assert image.info["transparency"] == 3


@pytest.mark.parametrize("form", ["GIF", "PNG"])
def test_of_an_animation_the_first_frame_stays(form: str) -> None:
    frames = [PIL.Image.new("RGB", (20, 10), color) for color in ("red", "green", "blue")]
    out = BytesIO()
    frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=50)
    stripped = strip(out.getvalue(), MEDIA_TYPES[form]).data
    assert len(stripped) < len(out.getvalue())
    with PIL.Image.open(BytesIO(stripped)) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert image.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_an_animated_webp_plays_on() -> None:
    frames = [PIL.Image.new("RGB", (20, 10), color) for color in ("red", "green")]
    out = BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], exif=exif_of(1))
    stripped = strip(out.getvalue(), "image/webp").data
    assert CANARY not in stripped
    with PIL.Image.open(BytesIO(stripped)) as image:
        assert image.n_frames == 2  # type: ignore[attr-defined]  # of this plugin of Pillow


def test_thumbnails_go(made: Any) -> None:
    data = made("JPEG")
    assert data[2:4] == b"\xff\xe0"
    thumbnail = b"\xff\xe0" + struct.pack(">H", 16 + 12) + data[6:18] + b"\x02\x02" + CANARY * 2
    with_thumbnail = data[:2] + thumbnail + data[20:]
    extension = b"\xff\xe0" + struct.pack(">H", 14) + b"JFXX\0\x10" + CANARY
    with_both = with_thumbnail[: 2 + len(thumbnail)] + extension + with_thumbnail[32:]
    for file in (with_thumbnail, with_both):
        assert CANARY in file
        assert strip(file, "image/jpeg").data == data


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(MEDIA_TYPES)), st.data())
def test_damaged_files_neither_crash_nor_grow(form: str, data: st.DataObject) -> None:
    original = BytesIO()
    PIL.Image.linear_gradient("L").resize((20, 10)).save(original, form)
    file = original.getvalue()
    cut = file[: data.draw(st.integers(12, len(file)))]
    at = data.draw(st.integers(4, len(cut) - 1))
    spoilt = cut[:at] + data.draw(st.binary(max_size=4)) + cut[at + 4 :]
    for each in (cut, spoilt):
        assert len(strip(each, MEDIA_TYPES[form]).data) <= len(each) + 64


@given(st.binary(max_size=200))
def test_an_orientation_is_one_of_eight_whatever_the_bytes(data: bytes) -> None:
    for exif in (data, b"II*\0" + data, b"MM\0*\0\0\0\x08" + data):
        assert 1 <= orientation_in(exif) <= 8


def test_a_minimal_exif_says_what_it_was_given() -> None:
    assert [orientation_in(minimal_exif(number)) for number in range(1, 9)] == list(range(1, 9))
