"""In which size and format an image is sent: the smallest in which the model sees all of it."""

import binascii
import sys
import threading
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import PIL.Image
import PIL.JpegImagePlugin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline import AsyncPipeline, MissingExtra
from hookline._io import drive
from hookline.models import Vision, load_models
from hookline.trace import Trace
from hookline.values import Base64Source, Image, ImageBlock, Message, Request
from hookline_plugins.images import Images

HIGH = Vision(name="high", max_edge=2576, max_tokens=4784)
STANDARD = Vision(name="standard", max_edge=1568, max_tokens=1568)
OLD_MODEL = "claude-opus-4-6"


def test_the_formula_of_the_api() -> None:
    assert load_models().require(OLD_MODEL).vision == STANDARD
    assert STANDARD.fit(1920, 1080) == (1456, 819)  # facts 5.2, from the API's own error
    assert STANDARD.tokens(1920, 1080) == 52 * 30
    assert HIGH.fit(1920, 1080) == (1920, 1080)
    assert HIGH.tokens(200, 200) == 64


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([HIGH, STANDARD]))
def test_what_fits_is_never_larger_and_fits_again(width: int, height: int, vision: Vision) -> None:
    new = vision.fit(width, height)
    assert new[0] <= width
    assert new[1] <= height
    assert vision.fit(*new) == new
    assert vision.tokens(width, height) <= vision.max_tokens
    assert max(new) <= vision.max_edge


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_the_best_size_depends_on_the_model(
    form: str, made: Any, resolve: Any, opened: Any
) -> None:
    data = made(form, (2700, 300))
    assert opened(resolve(Image(data))[0]).size == HIGH.fit(2700, 300)
    assert opened(resolve(Image(data), model=OLD_MODEL)[0]).size == STANDARD.fit(2700, 300)
    assert opened(resolve(Image(data), fit="limits")[0]).size == (2700, 300)
    assert opened(resolve(Image(data), model="local-llava")[0]).size == (2700, 300)


def test_what_the_model_sees_whole_is_sent_as_it_is(made: Any, resolve: Any, bytes_of: Any) -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF"):
        data = made(form, (800, 600))
        assert bytes_of(resolve(Image(data))[0]) == data


def test_a_screenshot_stays_png_and_a_photo_does_not(photo: Any, resolve: Any, opened: Any) -> None:
    screen = PIL.Image.new("RGB", (1800, 600), "white")
    for row in range(0, 600, 40):
        screen.paste("black", (100, row, 1700, row + 2))
    noise = PIL.Image.effect_noise((1800, 600), 60).convert("RGB")
    for picture, form in ((screen, "PNG"), (noise, "JPEG")):
        out = BytesIO()
        picture.save(out, "PNG", compress_level=1)
        assert opened(resolve(Image(out.getvalue()), model=OLD_MODEL)[0]).format == form


def test_alpha_is_kept_where_it_hides_something(resolve: Any, opened: Any) -> None:
    clear = PIL.Image.new("RGBA", (1800, 600), (200, 30, 40, 255))
    for left, mode in ((0, {"RGB"}), (900, {"RGBA"})):
        clear.paste((0, 0, 0, 0), (0, 0, left, 600))
        out = BytesIO()
        clear.save(out, "PNG")
        assert opened(resolve(Image(out.getvalue()), model=OLD_MODEL)[0]).mode in mode


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_come_out_the_same_way_up(
    orientation: int, photo: Any, resolve: Any, opened: Any
) -> None:
    upright = PIL.Image.new("RGB", (1800, 900), "white")
    upright.paste("red", (0, 0, 900, 450))
    upright.paste("blue", (900, 450, 1800, 900))
    turn = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
            6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}.get(orientation)  # fmt: skip
    stored = upright.transpose(PIL.Image.Transpose[turn]) if turn else upright
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    for form in ("JPEG", "PNG", "TIFF", "WEBP"):
        out = BytesIO()
        stored.save(out, form, exif=exif)
        shown = opened(resolve(Image(out.getvalue()), model=OLD_MODEL)[0]).convert("RGB")
        assert shown.size == STANDARD.fit(1800, 900)
        width, height = shown.size
        red = shown.getpixel((width // 4, height // 4))
        blue = shown.getpixel((width * 3 // 4, height * 3 // 4))
        white = shown.getpixel((width * 3 // 4, height // 4))
        assert (red[0] > 230, red[2] < 60) == (True, True), form
        assert (blue[2] > 230, blue[0] < 60) == (True, True), form
        assert min(white) > 230, form


@pytest.mark.parametrize("form", ["TIFF", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_formats_that_the_api_does_not_take_are_converted(
    form: str, mode: str, made: Any, resolve: Any, opened: Any, photo: Any
) -> None:
    [block] = resolve(Image(made(form, (120, 90), mode)))
    shown = opened(block)
    assert shown.format in {"PNG", "JPEG"}  # what hides nothing needs no alpha
    assert shown.size == (120, 90)
    reference = photo((120, 90)).convert("L").resize((4, 3))
    difference = [
        abs(a - b)
        for a, b in zip(
            shown.convert("L").resize((4, 3)).tobytes(), reference.tobytes(), strict=True
        )
    ]
    assert max(difference) < 12


def test_heic_is_converted_and_upright(
    heic: bytes, resolve: Any, opened: Any, bytes_of: Any
) -> None:
    pytest.importorskip("pi_heif")
    [block] = resolve(Image(heic))
    assert opened(block).format == "JPEG"
    assert opened(block).size == (30, 40)
    assert b"CANARY" not in bytes_of(block)


def test_without_its_library_heic_names_the_extra(
    heic: bytes, resolve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(MissingExtra, match=r"hookline\[images\]"):
        resolve(Image(heic))


def test_the_limit_is_one_of_base64_characters(made: Any, resolve: Any) -> None:
    data = made("PNG", (300, 200))
    characters = len(b64encode(data))
    [block] = resolve(Image(data), max_bytes=characters)
    assert len(block.source.data) == characters
    [block] = resolve(Image(data), max_bytes=characters - 4)
    assert len(block.source.data) <= characters - 4


def test_metadata_is_taken_out_of_everything_that_leaves(
    made: Any, resolve: Any, bytes_of: Any, tmp_path: Path
) -> None:
    data = made("JPEG", comment=b"CANARY")
    (tmp_path / "a.jpg").write_bytes(data)
    theirs = ImageBlock(Base64Source("image/jpeg", b64encode(data).decode()))
    for content in (Image(data), Image(tmp_path / "a.jpg"), theirs):
        assert b"CANARY" not in bytes_of(resolve(content)[0])
        assert bytes_of(resolve(content, metadata="keep")[0]) == data


def test_a_request_that_would_be_too_large_loses_in_its_oldest_images(
    made: Any, turn: Any, opened: Any
) -> None:
    def noise(seed: int) -> bytes:
        out = BytesIO()
        ramp = PIL.Image.effect_noise((600, 400), 20 + seed)
        ramp.convert("RGB").save(out, "JPEG", quality=98)
        return out.getvalue()

    files = [noise(seed) for seed in range(3)]
    sizes = [len(b64encode(file)) for file in files]
    most = sum(sizes) - sizes[0] // 2
    messages = [Message("user", [Image(file)]) for file in files]
    request = Request("claude-opus-5-5", 10, messages)
    trace = Trace()
    plugin = Images(max_total_bytes=most)
    new = drive(plugin.resolve_images(turn(trace=trace), request))
    assert new is not None
    blocks = [message.blocks[0] for message in new.messages]
    sent = [len(block.source.data) for block in blocks]  # type: ignore[attr-defined]  # base64
    assert sum(sent) <= most
    assert sent[0] < sizes[0]
    assert sent[1:] == sizes[1:]
    assert any("1 images, the oldest, were made smaller" in text for _, text in trace.notes)
    assert drive(plugin.resolve_images(turn(), new)) is None  # and stays so


def test_an_image_is_looked_at_once(
    made: Any, resolve: Any, turn: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classified once, its header read once, its bytes encoded once and never decoded again."""
    from hookline.values import attachments
    from hookline.values.pictures import header as image_header
    from hookline_plugins.images import prepare, sources

    counts: dict[str, int] = {}

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counted(*given: Any, **options: Any) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return real(*given, **options)

        monkeypatch.setattr(module, name, counted)

    count(attachments, "_kind")
    count(prepare, "read_header")
    count(image_header, "media_type_of")
    count(sources, "b64encode")
    count(binascii, "a2b_base64")
    path = tmp_path / "a.jpg"
    path.write_bytes(made())
    plugin = Images()
    image = Image(path)
    request = Request("claude-opus-5-5", 10, [Message("user", [image, repr(image)])])
    resolved = drive(plugin.resolve_images(turn(), request))
    assert resolved is not None
    once = {"_kind": 1, "read_header": 1, "media_type_of": 1, "b64encode": 1}
    assert counts == once
    assert drive(plugin.resolve_images(turn(), resolved)) is None
    assert counts == once

    theirs = ImageBlock(Base64Source("image/jpeg", b64encode(path.read_bytes()).decode()))
    resolve(theirs, plugin=Images())
    assert counts == {"_kind": 1, "read_header": 2, "media_type_of": 2, "b64encode": 1,
                      "a2b_base64": 1}  # fmt: skip


def test_the_trace_says_what_was_not_sent_as_given(made: Any, resolve: Any) -> None:
    def notes(*content: Any, **options: Any) -> list[str]:
        trace = Trace()
        resolve(*content, trace=trace, **options)
        return [text for _, text in trace.notes if "scaled" in text]

    small, large = Image(made(size=(40, 30))), Image(made(size=(2400, 100)))
    assert notes(small) == []
    assert notes(small, large) == []
    assert notes(small, large, model=OLD_MODEL) == ["1 scaled down or converted"]
    many = [Image(made(size=(2400, 100 + number))) for number in range(21)]
    assert notes(*many) == [
        "21 scaled down or converted; a request of more than 20 may have 2,000 pixels a side"
    ]


def test_the_trace_says_what_is_about_to_be_paid(made: Any, resolve: Any) -> None:
    trace = Trace()
    resolve(Image(made(size=(280, 280))), Image(made(size=(560, 280))), trace=trace)
    assert ("images", "2 of 2 images and documents: 300 tokens") in trace.notes


@pytest.mark.parametrize("colour", ["asyncio", "trio"])
def test_no_picture_is_read_or_decoded_on_the_event_loop(
    colour: str, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread of its own each, so that other tasks go on meanwhile."""
    from hookline_plugins.images import kept, one, prepare

    threads: set[int] = set()

    def note(module: Any, name: str) -> None:
        real = getattr(module, name)

        def noted(*given: Any, **options: Any) -> Any:
            threads.add(threading.get_ident())
            return real(*given, **options)

        monkeypatch.setattr(module, name, noted)

    for module, name in ((one, "read_file"), (prepare, "read_header"), (prepare, "render"),
                         (prepare, "strip"), (prepare, "base64_source")):  # fmt: skip
        note(module, name)
    monkeypatch.setattr(one, "KEPT", kept.Kept(0))
    (tmp_path / "large.jpg").write_bytes(made(size=(3000, 2000)))
    (tmp_path / "small.png").write_bytes(made("PNG"))

    async def main() -> int:
        async with AsyncPipeline(base_url="sim:") as line:
            await line.send([*Image.all(tmp_path), "?"])
        return threading.get_ident()

    loop_thread = anyio.run(main, backend=colour)
    assert threads
    assert loop_thread not in threads


def test_a_jpeg_is_decoded_no_larger_than_needed(
    made: Any, resolve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hookline_plugins.images import vips

    decoded: list[tuple[int, int]] = []
    real = PIL.JpegImagePlugin.JpegImageFile.load_end

    def noted(self: Any) -> None:
        decoded.append(self.size)
        real(self)

    monkeypatch.setattr(vips, "scaled", lambda *_: None)
    monkeypatch.setattr(PIL.JpegImagePlugin.JpegImageFile, "load_end", noted)
    resolve(Image(made(size=(8000, 400))), model=OLD_MODEL)
    assert decoded == [(2000, 100)]  # a quarter, of which 1568 pixels are sent
