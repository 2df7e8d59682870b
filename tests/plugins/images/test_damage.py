"""Files that are cut off or damaged: found before they are sent, and named among many."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import InputError, Pipeline
from hookline.errors import APIError
from hookline.values import Image
from hookline_plugins.images.containers import strip

MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}


def picture(form: str, **options: Any) -> bytes:
    out = BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    PIL.Image.fromarray(noise).save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"lossless": True}])
@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_what_is_whole_is_known_to_be_whole(form: str, options: dict[str, Any]) -> None:
    data = picture(form, **options)
    for file in (data, data + b"bytes behind the end"):
        assert strip(file, MEDIA_TYPES[form]).whole


def test_an_animation_is_whole_too() -> None:
    frames = [PIL.Image.new("RGB", (20, 10), colour) for colour in ("red", "green")]
    for form in ("GIF", "WEBP", "PNG"):
        out = BytesIO()
        frames[0].save(out, form, save_all=True, append_images=frames[1:])
        assert strip(out.getvalue(), MEDIA_TYPES[form]).whole


@pytest.mark.parametrize("form", MEDIA_TYPES)
@pytest.mark.parametrize("left", [0.3, 0.6, 0.95])
def test_what_is_cut_off_is_refused_by_name(form: str, left: float, resolve: Any) -> None:
    data = picture(form)
    cut = data[: int(len(data) * left)]
    with pytest.raises(
        InputError, match=r"cut off or damaged.*image 2 of 3, messages\.0\.content\.1"
    ):
        resolve(Image(data), Image(cut), Image(data))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(MEDIA_TYPES)), st.data())
def test_nothing_broken_gets_as_far_as_the_api(form: str, data: st.DataObject) -> None:
    """Refused here, or sent as something that can be decoded; the API never has to find it out."""
    file = picture(form)
    at = data.draw(st.integers(12, len(file) - 1))
    spoilt = file[:at] + data.draw(st.sampled_from([b"", b"\0\0\0\0", file[at + 7 :]]))
    refused = ""
    with Pipeline(base_url="sim:") as line:
        try:
            line.send([Image(spoilt), "?"])
        except InputError:
            return
        except APIError as error:
            refused = str(error)
    # Noise inside of what is coded shows only to who decodes it; what is cut off shows to all.
    assert not refused or strip(spoilt, MEDIA_TYPES[form]).whole, refused


def test_what_a_decoder_can_still_read_is_sent_whole(resolve: Any, bytes_of: Any) -> None:
    """A PNG without its end: all its pixels are there."""
    data = picture("PNG")
    sent = bytes_of(resolve(Image(data[:-12]))[0])
    assert strip(sent, "image/png").whole
    pixels = [PIL.Image.open(BytesIO(each)).convert("RGB").tobytes() for each in (data, sent)]
    assert pixels[0] == pixels[1]


def test_a_checksum_that_is_wrong_is_found(resolve: Any) -> None:
    data = bytearray(picture("PNG"))
    at = data.index(b"IDAT") + 30
    data[at] ^= 0xFF
    with pytest.raises(InputError, match="cut off or damaged"):
        resolve(Image(bytes(data)))


def test_a_png_without_a_picture(resolve: Any) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    chunks = [header, b"IEND"]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each))
        for each in chunks
    )
    with pytest.raises(InputError, match="cut off or damaged"):
        resolve(Image(data))


def test_a_frame_larger_than_its_canvas_is_not_sent_unseen(resolve: Any) -> None:
    """A GIF of 44 bytes that says 1x1 in its header and has a frame of 9000x9000."""
    frame = b"," + struct.pack("<4HB", 0, 0, 9000, 9000, 0) + b"\x02\x02\x4c\x01\0"
    data = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0\0\0\0\xff\xff\xff" + frame + b";"
    with pytest.raises(InputError, match="9000x9000 pixels, more than"):
        resolve(Image(data))


def test_without_pillow_it_is_sent_as_it_is(
    resolve: Any, bytes_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody here can tell; the API can."""
    cut = picture("JPEG")[:-20]
    monkeypatch.setattr("hookline_plugins.images.prepare.has_pillow", lambda: False)
    assert bytes_of(resolve(Image(cut))[0]) == cut


@pytest.mark.parametrize("fit", ["leave", "error"])
def test_where_nothing_may_be_changed_nothing_is(fit: str, resolve: Any, bytes_of: Any) -> None:
    cut = picture("JPEG")[:-20]
    assert bytes_of(resolve(Image(cut), fit=fit)[0]) == cut


def exif_of(orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("size", [(60, 40), (1800, 1200)])
def test_exif_alone_says_which_way_up(size: tuple[int, int], resolve: Any, opened: Any) -> None:
    """The same for what is encoded again and for what is not: EXIF, the first of two; never XMP."""
    ramp = PIL.Image.linear_gradient("L").resize(size).convert("RGB")
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    out = BytesIO()
    ramp.save(out, "JPEG", xmp=xmp)
    shown = opened(resolve(Image(out.getvalue()), model="claude-opus-4-6")[0])
    assert shown.width > shown.height
    out = BytesIO()
    ramp.save(out, "JPEG", exif=exif_of(6))
    data = out.getvalue()
    at = data.index(b"\xff\xdb")  # the tables begin: a second EXIF may stand before them
    second = b"\xff\xe1" + struct.pack(">H", len(exif_of(1)) + 2) + exif_of(1)
    both = data[:at] + second + data[at:]
    shown = opened(resolve(Image(both), model="claude-opus-4-6")[0])
    upright = PIL.Image.open(BytesIO(data)).getexif().get(0x0112)
    assert upright == 6
    if shown.getexif().get(0x0112, 1) == 6:
        shown = shown.transpose(PIL.Image.Transpose.ROTATE_270)
    assert shown.height > shown.width
