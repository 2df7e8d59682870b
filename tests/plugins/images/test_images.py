"""The images plugin. S-numbers are rows of the catalogue of attacks."""

import binascii
import errno
import math
import os
import random
import socket
import struct
import sys
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import anyio
import attrs
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline._fetch.url_grammar import FetchRefused
from hookline._io import AsyncIO, SyncIO, drive
from hookline.errors import ConfigError, DeadlineExceeded, InputError, MissingExtra
from hookline.models import load_models
from hookline.turn import Fetched, Turn
from hookline.values import Truncated, read_header
from hookline.values.attachments import Document, Image
from hookline.values.blocks import (
    Block,
    CacheControl,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ToolResultBlock,
)
from hookline.values.destination import Destination
from hookline.values.messages import Message, Request
from hookline.values.sources import Base64Source, FileSource, TextSource, URLSource
from hookline_plugins.images import Images
from hookline_plugins.images.plan import Plan
from hookline_plugins.images.prepare import Job, look

T = TypeVar("T")
Args = TypeVarTuple("Args")

FORMATS = ["PNG", "JPEG", "GIF", "WEBP"]


def picture(size: tuple[int, int] = (40, 30), mode: str = "RGB") -> PIL.Image.Image:
    """A picture with a gradient, so that turning and scaling show."""
    ramp = PIL.Image.linear_gradient("L").resize(size)
    return PIL.Image.merge("RGB", (ramp, ramp.rotate(90).resize(size), ramp)).convert(mode)


def made(
    form: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **save: Any
) -> bytes:
    out = BytesIO()
    picture(size, mode).save(out, form, **save)
    return out.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    """A PNG that no compression makes shorter."""
    out = BytesIO()
    pixels = random.Random(1).randbytes(size[0] * size[1] * 3)  # noqa: S311 -- not a secret
    PIL.Image.frombytes("RGB", size, pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


def png_header(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that claims a size, with next to nothing behind it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


class FakeIO(SyncIO):
    """The synchronous io, with a network made of a table."""

    def __init__(self, answers: Mapping[str, bytes | Fetched | Exception] | None = None) -> None:
        self.answers = answers or {}
        self.fetched: list[tuple[str, dict[str, Any]]] = []
        self.blocking = 0

    async def fetch(self, url: str, **options: Any) -> Fetched:
        self.fetched.append((url, options))
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Fetched):
            return answer
        return Fetched(200, {}, answer, "https://example.com")

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        self.blocking += 1
        return function(*args)


def turn_with(io: Any, **fields: Any) -> Turn:
    return Turn(id="t", io=io, models=load_models(), **fields)


def resolve(
    *content: Any, io: FakeIO | None = None, plugin: Images | None = None, **options: Any
) -> tuple[Block, ...]:
    """Send one message through the plugin and return its blocks."""
    request = Request("claude-opus-5-5", 10, [Message("user", list(content))])
    plugin = plugin or Images(**options)
    new = drive(plugin.resolve_images(turn_with(io or FakeIO()), request))
    return (new or request).messages[0].blocks


def refuses(*content: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        resolve(*content, **options)
    return str(caught.value)


def bytes_of(block: Block) -> bytes:
    assert isinstance(block, ImageBlock | DocumentBlock)
    assert isinstance(block.source, Base64Source)
    return binascii.a2b_base64(block.source.data, strict_mode=True)


def opened(block: Block) -> PIL.Image.Image:
    image = PIL.Image.open(BytesIO(bytes_of(block)))
    image.load()
    return image


# --- every kind of source


@pytest.mark.parametrize("form", FORMATS)
def test_the_original_bytes_are_sent_whatever_the_name(form: str, tmp_path: Path) -> None:
    data = made(form)
    path = tmp_path / "picture.txt"
    path.write_bytes(data)
    media_type = f"image/{form.lower()}"
    url = f"data:image/x-odd;base64,{b64encode(data).decode()}"
    for source in (data, path, str(path), os.fspath(path), BytesIO(data), url):
        [block] = resolve(Image(source, media_type="image/bmp"))
        assert isinstance(block, ImageBlock)
        assert block == ImageBlock(Base64Source(media_type, b64encode(data).decode()))


def test_no_pillow_is_needed_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made()
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    [block] = resolve(Image(data))
    assert bytes_of(block) == data


def test_without_pillow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(size=(8001, 1))
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtra, match=r"hookline\[images\]"):
        resolve(Image(data))


def test_a_file_id_and_a_url_are_passed_on() -> None:
    io = FakeIO()
    blocks = resolve(Image(file_id="file_1"), Image("https://example.com/a.png?sig=1"), io=io)
    assert blocks == (
        ImageBlock(FileSource("file_1")),
        ImageBlock(URLSource("https://example.com/a.png?sig=1")),
    )
    assert io.fetched == []


def test_pil_images_are_encoded_without_loss() -> None:
    original = picture()
    [block] = resolve(Image(original))
    assert isinstance(block, ImageBlock)
    assert block.source.media_type == "image/png"  # type: ignore[attr-defined]
    assert opened(block).tobytes() == original.tobytes()


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 2), (30, 40, 3), (30, 40, 4)])
def test_arrays_are_encoded_without_loss(shape: tuple[int, ...]) -> None:
    numpy = pytest.importorskip("numpy")
    array = (numpy.arange(numpy.prod(shape)) % 251).astype("uint8").reshape(shape)
    [block] = resolve(Image(array))
    shown = opened(block)
    if shape[-1] == 2:  # grey with alpha becomes colour with alpha
        array = array[..., [0, 0, 0, 1]]
    assert (numpy.asarray(shown) == array).all()
    assert "use Image" in refuses(Document(array))


def test_an_open_file_is_read_from_where_it_stands_and_put_back() -> None:
    data = made()
    file = BytesIO(b"junk" + data)
    file.seek(4)
    for _ in range(2):
        [block] = resolve(Image(file))
        assert bytes_of(block) == data
        assert file.tell() == 4


def test_open_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(made())
    with (tmp_path / "a").open("r", encoding="latin-1") as text:
        assert "mode 'rb'" in refuses(Image(text))
    closed = BytesIO(made())
    closed.close()
    assert "cannot be read" in refuses(Image(closed))
    assert "no bytes" in refuses(Image(BytesIO()))


class Pieces:
    """Gives a few bytes at a time, as a socket does, and cannot go back."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        self.data, self.error = data, error

    def read(self, size: int) -> bytes | None:
        if not self.data and self.error:
            raise self.error
        piece, self.data = self.data[: min(size, 50)], self.data[50:]
        return piece


def test_what_comes_in_pieces_is_read_to_its_end() -> None:
    assert resolve(Image(Pieces(made()))) == (b64block(made()),)
    assert "more than" in refuses(Image(Pieces(made())), max_input_bytes=100)
    lost = Pieces(made(), RuntimeError("the peer is gone"))
    assert "cannot be read: the peer is gone" in refuses(Image(lost))
    assert "cannot be read: RuntimeError" in refuses(Image(Pieces(b"", RuntimeError())))


def test_options_of_the_attachment_are_kept() -> None:
    [block] = resolve(Image(made(), cache_control=CacheControl("1h"), extra={"new": 1}))
    assert isinstance(block, ImageBlock)
    assert block.cache_control == CacheControl("1h")
    assert block.extra == {"new": 1}


# --- documents


def test_documents(tmp_path: Path) -> None:
    pdf = b"%PDF-1.7\n\xff\xfe"
    (tmp_path / "a.txt").write_bytes("\ufeffgrüß".encode())
    blocks = resolve(
        Document(pdf, title="T", context="C", citations=True, cache_control=CacheControl()),
        Document(tmp_path / "a.txt"),
        Document.from_text("%PDF-1.7 is how a PDF begins"),
        Document("https://example.com/a.pdf"),
        Document(file_id="file_1"),
    )
    assert blocks == (
        DocumentBlock(
            Base64Source("application/pdf", b64encode(pdf).decode()),
            title="T",
            context="C",
            citations={"enabled": True},
            cache_control=CacheControl(),
        ),
        DocumentBlock(TextSource("text/plain", "grüß")),
        DocumentBlock(TextSource("text/plain", "%PDF-1.7 is how a PDF begins")),
        DocumentBlock(URLSource("https://example.com/a.pdf")),
        DocumentBlock(FileSource("file_1")),
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "# Ants\n\n- *Lasius*\n"),
        ("a.html", "<!doctype html><p>Ants"),
        ("a.csv", "name,legs\nant,6\n"),
        ("a.txt", "%PDF-1.7 is how a PDF begins"),
    ],
)
def test_all_text_is_text_and_goes_as_it_is_written(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, newline="")
    kind = "text/markdown" if name == "a.md" else "text/x-any"
    [block] = resolve(Document(tmp_path / name, media_type=kind))
    assert block == DocumentBlock(TextSource("text/plain", text))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (made(), "image/png: use Image"),
        (b"h\0i\0", "something unknown"),
        (b"\xff\xfeh", "no text in utf-16"),
        ("Fourmis déjà vues".encode("cp1252"), "charset=cp1252"),
        ("<p>déjà vu".encode("cp1252"), "charset=cp1252"),
        (b"PK\x03\x04\0\0", "ZIP"),
        (b"a\0b", "something unknown"),
        (b" \n ", "empty"),
    ],
)
def test_documents_that_are_neither_pdf_nor_text(data: bytes, words: str) -> None:
    assert words in refuses(Document(data))


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
def test_a_text_with_a_mark_is_read_by_it(encoding: str) -> None:
    text = "name;legs\r\nAmeise 蟻;6\r\n"
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    [block] = resolve(Document((mark + text).encode(encoding)))
    assert block == DocumentBlock(TextSource("text/plain", text))


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("cp1252", "text/csv; charset=cp1252"),
        ("latin-1", 'text/plain;charset="ISO-8859-1"'),
        ("shift_jis", "text/plain; header=present; charset=Shift_JIS"),
        ("utf-8-sig", "text/plain; charset=utf-8"),
        ("utf-16-le", "text/plain; charset=utf-16le"),
    ],
)
def test_a_text_is_read_as_its_media_type_says(encoding: str, said: str) -> None:
    text = "蟻" if encoding == "shift_jis" else "déjà vu"
    [block] = resolve(Document(text.encode(encoding), media_type=said))
    assert block == DocumentBlock(TextSource("text/plain", text))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("text/plain; charset=klingon", "no encoding of texts called 'klingon'"),
        ("text/plain; charset=zip", "no encoding of texts called 'zip'"),
        ("text/plain; charset=ascii", "no text in ascii"),
    ],
)
def test_an_encoding_that_is_none(said: str, words: str) -> None:
    assert words in refuses(Document("déjà".encode(), media_type=said))


def test_documents_that_are_too_large() -> None:
    assert "allowed" in refuses(Document(b"%PDF-1.7" + b"x" * 100), max_document_bytes=100)
    assert "allowed" in refuses(Document(b"x" * 101), max_document_bytes=100)
    resolve(Document(b"x" * 100), max_document_bytes=100)


def test_a_picture_is_no_document() -> None:
    assert "use Image" in refuses(Document(picture()))


# --- where images may stand, and what stays as it is


def test_images_inside_tool_results() -> None:
    result = ToolResultBlock("toolu_1", [TextBlock("see"), Image(made())])
    [block] = resolve(result)
    assert isinstance(block, ToolResultBlock)
    assert isinstance(block.content, tuple)
    assert isinstance(block.content[1], ImageBlock)
    assert block.content[0] is result.content[0]  # type: ignore[index]


def test_a_second_pass_changes_nothing_and_does_nothing() -> None:
    plugin, io = Images(), FakeIO()
    request = Request(
        "m",
        1,
        [Message("user", [Image(made()), Image(picture()), "hi"]), Message("assistant", "x")],
    )
    turn = turn_with(io)
    resolved = drive(plugin.resolve_images(turn, request))
    assert resolved is not None
    assert resolved.messages[1] is request.messages[1]
    io.blocking = 0
    longer = resolved.append(Message("user", "more"))
    assert drive(plugin.resolve_images(turn, longer)) is None
    assert io.blocking == 0


def test_untouched_messages_are_the_same_objects() -> None:
    plugin = Images()
    first = Message(
        "user", [ImageBlock(Base64Source("image/png", b64encode(made()).decode())), "a"]
    )
    request = Request(
        "m", 1, [first, Message("assistant", "x"), Message("user", [Image(made("GIF"))])]
    )
    new = drive(plugin.resolve_images(turn_with(FakeIO()), request))
    assert new is not None
    assert new.messages[0] is first
    assert new.messages[1] is request.messages[1]


def test_text_only_requests_cost_nothing() -> None:
    io = FakeIO()
    request = Request("m", 1, [Message("user", "hi"), Message("user", ["a", "b"])])
    assert drive(Images().resolve_images(turn_with(io), request)) is None
    assert io.blocking == 0


def test_s86_the_same_image_many_times_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(made())
    io = FakeIO({"https://example.com/a.png": made()})
    attachments = [Image(tmp_path / "a.png"), Image("https://example.com/a.png", strategy="base64")]
    blocks = resolve(*(attachments * 300), io=io)
    assert len(blocks) == 600
    assert len(io.fetched) == 1
    assert io.blocking == 2  # one look at each
    assert len(set(map(id, (block.source for block in blocks)))) == 2  # type: ignore[attr-defined]


# --- base64 that somebody else made


def b64block(data: bytes, media_type: str = "image/png", prefix: str = "") -> ImageBlock:
    return ImageBlock(Base64Source(media_type, prefix + b64encode(data).decode()))


def test_the_real_bytes_decide_the_media_type() -> None:
    [block] = resolve(b64block(made("JPEG"), "image/png"))
    assert block == b64block(made("JPEG"), "image/jpeg")
    [block] = resolve(b64block(made(), "image/jpg"))
    assert block == b64block(made(), "image/png")


def test_a_data_prefix_is_removed() -> None:
    [block] = resolve(b64block(made("GIF"), "image/png", "data:image/png;base64,"))
    assert block == b64block(made("GIF"), "image/gif")


def test_a_data_url_in_the_place_of_an_address() -> None:
    url = f"data:image/png;base64,{b64encode(made()).decode()}"
    [block] = resolve(ImageBlock(URLSource(url)))
    assert block == b64block(made())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:40] + "\n" + text[40:],
        lambda text: text[:40] + "!" + text[41:],
        lambda text: text.rstrip("=")[:-1],
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text + "====",
        lambda text: "",
        lambda text: text + "ä",
        lambda text: " " + text,
    ],
    ids=["newline", "alphabet", "padding", "url-safe", "excess", "empty", "non-ascii", "space"],
)
def test_s85_and_s46_malformed_base64_is_refused(spoil: Callable[[str], str]) -> None:
    text = b64encode(made("JPEG") + b"\xfb\xff\xfe").decode()
    spoilt = spoil(text)
    assert spoilt != text
    block = ImageBlock(Base64Source("image/jpeg", spoilt))
    assert refuses(block).startswith("the image block of a message:")
    refuses(Image(f"data:image/jpeg;base64,{spoilt}"))


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png,AAAA",
        "data:image/png;base64",
        "data:,hello",
        "data:text/html;base64,PGgxPg==",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/png;base64;base64,AAAA",
        "data:image/png;base64,%41%41",
        "data:" + "x" * 1000 + ";base64,AAAA",
        "data://example.com/a.png",
    ],
)
def test_s46_malformed_data_urls_are_refused(url: str) -> None:
    message = refuses(Image(url))
    assert len(message) < 500


def test_s46_a_data_url_is_measured_before_it_is_decoded() -> None:
    assert "allowed" in refuses(Image("data:image/png;base64," + "!" * 200), max_input_bytes=100)


def test_s46_a_data_url_that_names_the_wrong_type_is_corrected() -> None:
    [block] = resolve(Image(f"data:image/png;base64,{b64encode(made('JPEG')).decode()}"))
    assert block == b64block(made("JPEG"), "image/jpeg")


# --- what is no image


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),  # S75
        (b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///'>]>", "SVG"),
        (b"\xef\xbb\xbf <!DOCTYPE html><p>", "HTML"),
        (b"%PDF-1.7 ", "PDF"),
        (b"BMabcd", "BMP"),
        (b"\0\0\1\0\1\0", "ICO"),
        (b"8BPS\0\1", "Photoshop"),
        (b"SIMPLE  =   T", "FITS"),
        (b"%!PS-Adobe", "PostScript"),
        (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
        (b"version https://git-lfs.github.com/spec/v1", "LFS"),
        (b"just words", "plain text"),
        (b"\x01\x02\x03", "something unknown"),
        (b"   ", "empty"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    for source in (data, path):
        message = refuses(Image(source))
        assert "not an image the API accepts" in message
        assert words in message
        assert message.startswith("Image(")


@pytest.mark.parametrize("fit", ["leave", "error"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"II*\0abcd", "TIFF"),
        (b"MM\0*abcd", "TIFF"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x1cftypheic", "HEIC"),
    ],
)
def test_what_could_be_converted_is_named_where_nothing_may_be(
    data: bytes, words: str, fit: str
) -> None:
    assert words in refuses(Image(data), fit=fit)


@pytest.mark.parametrize("form", ["BMP", "ICO", "PPM", "TGA"])
def test_s82_no_decoder_of_another_format_is_reached(form: str) -> None:
    assert "not an image" in refuses(Image(made(form)))


@pytest.mark.parametrize(
    "data", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP"]
)
def test_s65_only_magic_bytes(data: bytes) -> None:
    assert "cut off or damaged" in refuses(Image(data))


def test_s65_no_bytes() -> None:
    refuses(Image(b""))


def test_no_pixels() -> None:
    assert "0x5" in refuses(Image(png_header(0, 5)))


# --- headers


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=15, deadline=None)
@given(width=st.integers(1, 700), height=st.integers(1, 700))
def test_headers_say_what_pillow_says(form: str, width: int, height: int) -> None:
    header = read_header(made(form, (width, height)))
    assert (header.width, header.height) == (width, height)


@pytest.mark.parametrize(
    "data",
    [
        made("WEBP", lossless=True),
        made("WEBP", mode="RGBA"),
        made("WEBP", mode="RGBA", lossless=True),
        made("JPEG", progressive=True),
        made("JPEG", exif=b"Exif\0\0" + b"x" * 60_000),
        made("JPEG", mode="CMYK"),
        made("GIF", mode="P"),
        made("PNG", mode="1"),
    ],
)
def test_headers_of_odd_files(data: bytes) -> None:
    header = read_header(data)
    assert (header.width, header.height) == (40, 30)
    resolve(Image(data))


@given(st.sampled_from(FORMATS), st.data())
def test_a_header_that_was_tampered_with_never_crashes(form: str, data: st.DataObject) -> None:
    original = made(form)
    cut = original[: data.draw(st.integers(0, len(original)))]
    at = data.draw(st.integers(0, max(0, len(cut) - 1)))
    spoilt = cut[:at] + data.draw(st.binary(max_size=4)) + cut[at + 4 :]
    for file in (cut, spoilt):
        try:
            header = read_header(file)
        except InputError:
            continue
        assert header.width > 0
        assert header.height > 0


def test_a_jpeg_whose_segment_lies_about_its_length_ends() -> None:
    with pytest.raises(Truncated):
        read_header(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 5000)


# --- limits


def test_s72_a_pixel_bomb_is_refused_by_its_header() -> None:
    for size in ((10_000, 10_000), (65_535, 65_535)):
        message = refuses(Image(png_header(*size)))
        assert "more than the 64,000,000" in message


def test_a_photo_of_more_pixels_is_decoded_in_a_smaller_size() -> None:
    """As phones of 108 megapixels make them; not where the file has to be read whole before."""
    photo = made("JPEG", (8000, 400))  # a half of each side is all that is decoded
    [block] = resolve(Image(photo), max_pixels=1_000_000)
    assert opened(block).size == (2576, 129)
    assert "more than the 1,000,000" in refuses(
        Image(made("JPEG", (8000, 400), progressive=True)), max_pixels=1_000_000
    )
    assert "more than" in refuses(Image(photo), max_pixels=700_000)
    assert "more than" in refuses(Image(made("PNG", (8000, 400))), max_pixels=1_000_000)
    assert "more than" in refuses(
        Image(made("JPEG", (8100, 400))), max_pixels=1_000_000, fit="limits"
    )
    # However small it is decoded, four times as many are the most that are read.
    assert "more than" in refuses(Image(made("JPEG", (8000, 800))), max_pixels=1_500_000)


def test_what_has_to_be_read_whole_takes_its_memory() -> None:
    vision = load_models().require("claude-opus-5-5").vision
    plan = Plan(fit="best", side=8000, base64=10_000_000, pixels=64_000_000, vision=vision)
    memory = {}
    for progressive in (False, True):
        job = look(made("JPEG", (6000, 4000), progressive=progressive), plan)
        assert isinstance(job, Job)
        memory[progressive] = job.memory
    assert memory[False] == 6000 * 4000 * 4 // 4
    assert memory[True] == memory[False] + 6000 * 4000 * 6  # three channels of 16 bits


def test_s72_a_gif_whose_frame_is_larger_than_its_canvas() -> None:
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x44\x01\x00\x3b"
    plan = Plan(fit="limits", side=8000, base64=8, pixels=64_000_000)
    with pytest.raises(InputError, match=r"more than|damaged"):
        found = look(head + frame, plan)
        assert isinstance(found, Job)
        found.run(lambda: None)


def test_s73_more_than_8000_pixels_are_scaled_down() -> None:
    [block] = resolve(Image(made(size=(8001, 100))), fit="limits")
    assert opened(block).size == (8000, 100)
    [block] = resolve(Image(made(size=(10, 8002))), fit="limits")
    assert opened(block).size == (10, 8000)
    [block] = resolve(Image(made(size=(8000, 1))), fit="limits")
    assert opened(block).size == (8000, 1)


def test_s73_or_refused() -> None:
    message = refuses(Image(made(size=(8001, 100))), fit="error")
    assert "8001x100" in message
    assert "8000" in message
    assert 'fit = "best"' in message


def test_more_than_twenty_images_may_have_2000_pixels() -> None:
    large, small = made(size=(2001, 10)), made()
    twenty = resolve(Image(large), *[Image(small)] * 19)
    assert opened(twenty[0]).size == (2001, 10)
    more = resolve(Image(large), *[Image(small)] * 20)
    assert opened(more[0]).size == (2000, 10)


def test_history_and_tool_results_count_and_are_mended() -> None:
    plugin = Images()
    old = Message("user", [b64block(made(size=(2001, 10)))])
    seen = Request("m", 1, [old, Message("user", "x")])
    assert drive(plugin.resolve_images(turn_with(FakeIO()), seen)) is None
    nested = ToolResultBlock(
        "t", [ImageBlock(FileSource("f")), ImageBlock(URLSource("https://x.org/"))]
    )
    request = Request("m", 1, [old, Message("user", [nested, *[ImageBlock(FileSource("f"))] * 18])])
    new = drive(plugin.resolve_images(turn_with(FakeIO()), request))
    assert new is not None
    assert opened(new.messages[0].blocks[0]).size == (2000, 10)
    assert new.messages[1] is request.messages[1]
    again = drive(plugin.resolve_images(turn_with(FakeIO()), new))
    assert again is None


def test_base64_and_not_file_size_is_limited() -> None:
    data = noise((100, 100))
    limit = len(b64encode(data))
    [block] = resolve(Image(data), max_bytes=limit)
    assert bytes_of(block) == data
    [block] = resolve(Image(data), max_bytes=limit - 4)
    assert len(b64encode(bytes_of(block))) <= limit - 4
    assert opened(block).size == (100, 100)
    assert "allowed" in refuses(Image(data), max_bytes=limit - 4, fit="error")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_image_that_no_encoding_fits_is_made_smaller(form: str, mode: str) -> None:
    data = made(form, (400, 300), mode)
    [block] = resolve(Image(data), max_bytes=1200)
    assert len(b64encode(bytes_of(block))) <= 1200
    width, height = opened(block).size
    assert abs(width / height - 4 / 3) < 0.1
    assert resolve(Image(data), max_bytes=1200) == (block,)


def test_an_image_that_cannot_fit_is_refused() -> None:
    assert "cannot be made to fit" in refuses(Image(made(size=(400, 300))), max_bytes=100)


def test_transparency_survives() -> None:
    clear = PIL.Image.new("RGBA", (8001, 20), (255, 0, 0, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 4000, 20))
    for form in ("PNG", "WEBP", "GIF"):
        out = BytesIO()
        clear.save(out, form)
        [block] = resolve(Image(out.getvalue()), fit="limits")
        shrunk = opened(block)
        assert shrunk.mode == "RGBA"
        assert shrunk.size == (8000, 20)


@pytest.mark.parametrize("form", FORMATS)
def test_s74_a_truncated_file_is_refused_when_it_is_decoded(form: str) -> None:
    whole = made(form, (8100, 200))
    message = refuses(Image(whole[: len(whole) // 2]))
    assert "cut off or damaged" in message


def test_s76_trailing_data_goes_when_it_is_encoded_again() -> None:
    [block] = resolve(Image(made(size=(8001, 10)) + b"<script>alert(1)</script>"))
    assert b"script" not in bytes_of(block)


def test_s78_only_the_first_frame_is_kept() -> None:
    frames = [PIL.Image.new("RGB", (8001, 2), color) for color in ("red", "green", "blue")]
    for form in ("GIF", "WEBP", "PNG"):
        out = BytesIO()
        frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=0)
        [block] = resolve(Image(out.getvalue()))
        shrunk = opened(block)
        assert getattr(shrunk, "n_frames", 1) == 1
        red, green, blue = shrunk.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
        assert red > 200
        assert max(green, blue) < 60


@pytest.mark.parametrize("orientation", range(1, 9))
def test_s79_orientation_is_applied_once_and_metadata_goes(orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "CANARY"
    data = made("JPEG", (8100, 50), exif=exif, comment=b"CANARY", icc_profile=b"CANARY" * 1000)
    [block] = resolve(Image(data), fit="limits")
    shrunk = opened(block)
    assert b"CANARY" not in bytes_of(block)
    assert 0x0112 not in shrunk.getexif()
    assert (shrunk.size[0] < shrunk.size[1]) == (orientation >= 5)
    assert max(shrunk.size) == 8000


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow says so, and goes on
def test_s79_broken_exif_is_ignored() -> None:
    data = made("JPEG", (8100, 50), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 50)
    [block] = resolve(Image(data), fit="limits")
    assert opened(block).size[0] == 8000


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "La", "I", "F",
     "I;16", "I;16B"],
)  # fmt: skip
def test_s80_every_mode_of_a_picture_has_a_defined_result(mode: str) -> None:
    [block] = resolve(Image(PIL.Image.new(mode, (20, 10))))
    assert opened(block).mode in {"L", "RGB", "RGBA"}


def test_s80_sixteen_bits_are_scaled_and_not_clipped() -> None:
    out = BytesIO()
    PIL.Image.new("I;16", (8001, 2), 32768).save(out, "PNG")
    [block] = resolve(Image(out.getvalue()))
    assert opened(block).getpixel((5, 0)) == 128


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("I;16B", (0, 0x80FF, 0xFFFF), (0, 0x80, 0xFF)),  # of 16 bits the upper 8
        ("I", (0, 128, 255), (0, 128, 255)),  # 32 bits that hold 8
        ("I", (0, 0x8000, 0xFFFF), (0, 128, 255)),  # 32 bits that hold 16
        ("I", (-5, 300, 70_000), (0, 1, 255)),
        ("F", (0.0, 0.5, 1.0), (0, 127, 255)),
        ("F", (0.0, 99.7, 300.0), (0, 99, 255)),
        ("F", (math.nan, 0.5, 1.0), (0, 127, 255)),  # where nothing was measured
        ("F", (1.0, 0.5, math.nan), (255, 127, 0)),
    ],
)
def test_s80_numbers_of_more_than_8_bits_keep_what_they_show(
    mode: str, values: tuple[Any, ...], expected: tuple[int, ...]
) -> None:
    picture = PIL.Image.new(mode, (3, 1))
    for x, value in enumerate(values):
        picture.putpixel((x, 0), value)
    [block] = resolve(Image(picture))
    shown = opened(block)
    assert shown.mode == "L"
    assert tuple(shown.tobytes()) == expected


def test_s80_cmyk_keeps_its_colours() -> None:
    out = BytesIO()
    PIL.Image.new("RGB", (8001, 8), (200, 30, 40)).convert("CMYK").save(out, "JPEG")
    [block] = resolve(Image(out.getvalue()), fit="limits")
    red, green, blue = opened(block).convert("RGB").getpixel((5, 4))  # type: ignore[misc]
    assert red > 150
    assert max(green, blue) < 90


# --- files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "data-evil").mkdir()
    for path in (
        root / "a.png",
        root / "sub" / "b.png",
        tmp_path / "out.png",
        tmp_path / "data-evil/c.png",
    ):
        path.write_bytes(made())
    return root


def test_files_below_a_root_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(Image(root / "a.png"), Image(root / "sub/../sub/b.png"), roots=[str(root)])
    monkeypatch.chdir(root)
    resolve(Image("a.png"), roots=[str(root)])
    resolve(Image("a.png"), roots=["."])
    resolve(Image(root / "a.png"), roots=["/nonexistent", str(root)])


@pytest.mark.parametrize(
    "path",
    [
        "../out.png",  # S68
        "sub/../../out.png",
        "....//out.png",
        "%2e%2e/out.png",
        "..\\out.png",
        "~/out.png",
        "~root/out.png",
        "../data-evil/c.png",
        "/etc/passwd",
        "a\0.png",
        "",
        ".",
        "sub",
    ],
)
def test_s68_paths_that_lead_out_of_the_root(
    path: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    refuses(Image(path), roots=[str(root)])


def test_no_roots_no_files(root: Path) -> None:
    assert "roots" in refuses(Image(root / "a.png"), roots=[])


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights on Windows")
def test_s69_links_below_a_root_are_not_followed(root: Path, tmp_path: Path) -> None:
    (root / "link.png").symlink_to(tmp_path / "out.png")
    (root / "folder").symlink_to(tmp_path)
    (root / "inside.png").symlink_to(root / "a.png")
    (root / "hard.png").hardlink_to(tmp_path / "out.png")
    for name in ("link.png", "folder/out.png", "inside.png", "hard.png"):
        assert "link" in refuses(Image(root / name), roots=[str(root)])
        if name != "folder/out.png":
            resolve(Image(root / name))  # without roots the application's path is taken as it is


def test_a_root_may_itself_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    resolve(
        Image(tmp_path / "alias/a.png"), Image(root / "sub/b.png"), roots=[str(tmp_path / "alias")]
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_s70_only_regular_files_are_read_and_nothing_blocks(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        for path in (root / "pipe", root / "socket", root / "sub", "/dev/zero", "/dev/random"):
            for roots in (None, [str(root)]):
                message = refuses(Image(path), roots=roots)
                assert message.startswith("Image(")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="Linux only")
def test_s70_proc_files_are_refused() -> None:
    for path in ("/proc/self/environ", "/proc/self/mem", "/proc/self/cmdline"):
        refuses(Image(path))
        refuses(Document(path))


def test_s71_a_sparse_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(5 * 1024**3)
    assert "allowed" in refuses(Image(tmp_path / "huge.png"))


def test_s71_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(made())
    real = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        info = real(descriptor)
        with path.open("ab") as file:
            file.write(b"more")
        return info

    monkeypatch.setattr(os, "fstat", growing)
    assert "changed" in refuses(Image(path))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.png", "no such file"),
        ("folder", "directory"),
        ("empty.png", "empty"),
        ("a.png/b", "cannot be read"),
    ],
)
def test_clear_errors_for_files(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "a.png").write_bytes(made())
    message = refuses(Image(tmp_path / name))
    assert words in message
    assert "Image(" in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_s71_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(made())
    path.chmod(0)
    assert "permission" in refuses(Image(path))


def test_s71_permission_denied_whoever_runs_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert "permission denied" in refuses(Image(tmp_path / "a.png"))


def test_a_tilde_is_explained() -> None:
    assert "~ is not expanded" in refuses(Image("~/missing/ant.jpg"))


# --- fetching


URL = "https://example.com/a.png?sig=s3cr3t"


def test_urls_are_fetched_where_the_operator_or_the_image_says_so() -> None:
    io = FakeIO({URL: made("JPEG")})
    [block] = resolve(
        Image(URL),
        io=io,
        strategy="base64",
        allow_hosts=["h:1"],
        fetch_redirects=2,
        fetch_timeout=5,
    )
    assert block == b64block(made("JPEG"), "image/jpeg")
    [(_, asked)] = io.fetched
    assert (asked["allow_hosts"], asked["redirects"], asked["timeout"]) == (("h:1",), 2, 5)
    assert resolve(Image(URL, strategy="base64"), io=io) == (block,)
    [block] = resolve(Image(URL, strategy="url"), io=FakeIO(), strategy="base64")
    assert block == ImageBlock(URLSource(URL))


@pytest.mark.parametrize("block", [Image(URL), ImageBlock(URLSource(URL))])
@pytest.mark.parametrize(
    ("host", "options", "kind"),
    [
        ("api.anthropic.com", {}, "url"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", {}, "base64"),
        ("aiplatform.googleapis.com", {}, "base64"),
        ("aiplatform.googleapis.com", {"strategy": "url"}, "url"),
        ("api.anthropic.com", {"strategy": "base64"}, "base64"),
    ],
)
def test_a_link_is_fetched_here_where_the_server_takes_none(
    host: str, options: dict[str, Any], kind: str, block: Block
) -> None:
    io = FakeIO({URL: made()})
    turn = turn_with(io, destination=Destination(base_url=f"https://{host}"))
    request = Request("claude-opus-5-5", 10, [Message("user", [block])])
    resolved = drive(Images(**options).resolve_images(turn, request)) or request
    [sent] = resolved.messages[0].blocks
    assert isinstance(sent, ImageBlock)
    assert sent.source.type == kind
    assert len(io.fetched) == (kind == "base64")


def test_url_blocks_of_others_are_fetched_too() -> None:
    io = FakeIO({URL: made(), "http://h/a.png": made(), "https://h/a.pdf": b"%PDF-1.7"})
    blocks = resolve(
        ImageBlock(URLSource(URL)),
        DocumentBlock(URLSource("https://h/a.pdf"), title="T"),
        io=io,
        strategy="base64",
    )
    assert blocks[0] == b64block(made())
    assert blocks[1] == DocumentBlock(
        Base64Source("application/pdf", b64encode(b"%PDF-1.7").decode()), title="T"
    )
    [block] = resolve(ImageBlock(URLSource("http://h/a.png")), io=io)
    assert block == b64block(made())


def test_http_is_fetched_here_or_not_at_all() -> None:
    io = FakeIO({"http://h/a.png": made()})
    [block] = resolve(Image("http://h/a.png"), io=io)
    assert block == b64block(made())
    assert "https: URLs only" in refuses(Image("http://h/a.png"), strategy="url")
    with pytest.raises(InputError, match="https: URLs only"):
        Image("http://h/a.png", strategy="url")


def test_s64_the_body_decides_and_not_the_content_type() -> None:
    page = Fetched(200, {"content-type": "image/png"}, b"<html>", "https://example.com")
    assert "HTML" in refuses(Image(URL), io=FakeIO({URL: page}), strategy="base64")
    lie = Fetched(200, {"content-type": "text/html"}, made(), "https://example.com")
    [block] = resolve(Image(URL), io=FakeIO({URL: lie}), strategy="base64")
    assert block == b64block(made())


def test_s60_fetch_errors_name_the_host_and_not_the_query() -> None:
    for answer in (
        Fetched(404, {}, b"", "https://example.com"),
        Fetched(200, {}, b"", "https://example.com"),
        FetchRefused("refused: example.com", "example.com"),
    ):
        message = refuses(Image(URL), io=FakeIO({URL: answer}), strategy="base64")
        assert "example.com" in message
        assert "s3cr3t" not in message


def test_too_many_fetches_are_refused_before_the_first() -> None:
    io = FakeIO()
    images = [Image(f"https://example.com/{n}.png") for n in range(6)]
    assert "max_fetches allows 5" in refuses(*images, io=io, strategy="base64", max_fetches=5)
    assert io.fetched == []


def test_a_fetch_keeps_the_deadline_of_the_turn() -> None:
    io = FakeIO({URL: made()})
    request = Request("m", 1, [Message("user", [Image(URL, strategy="base64")])])
    turn = turn_with(io, deadline=io.now() + 300, timeout=300.0)
    drive(Images(fetch_timeout=1000).resolve_images(turn, request))
    assert 0 < io.fetched[0][1]["timeout"] <= 300
    late = turn_with(io, deadline=io.now() - 1, timeout=3.0)
    with pytest.raises(DeadlineExceeded, match="resolve_images"):
        drive(Images().resolve_images(late, request))


@pytest.mark.parametrize("url", ["https://exa mple.com/", "https://example.com/ü", "https://a/\n"])
def test_urls_that_cannot_be_passed_on(url: str) -> None:
    assert "percent-encoded" in refuses(Image(url))


# --- as a plugin


def test_it_runs_under_asyncio_and_trio() -> None:
    plugin = Images()
    request = Request(
        "m", 1, [Message("user", [Image(made()), Image(made("GIF")), Image(picture())])]
    )

    async def fetch(url: str, **_: Any) -> Any:
        raise AssertionError("no network")

    async def main() -> Request | None:
        return await plugin.resolve_images(turn_with(AsyncIO(fetch)), request)

    expected = drive(plugin.resolve_images(turn_with(SyncIO(fetch)), request))
    for backend in ("asyncio", "trio"):
        assert anyio.run(main, backend=backend) == expected


def test_an_error_in_one_of_several_is_one_error() -> None:
    request = Request("m", 1, [Message("user", [Image(made()), Image(b"x"), Image(b"y")])])

    async def fetch(url: str, **_: Any) -> Any:
        raise AssertionError("no network")

    async def main() -> Request | None:
        return await Images().resolve_images(turn_with(AsyncIO(fetch)), request)

    with pytest.raises(InputError, match="plain text"):
        anyio.run(main)


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "always"},
        {"fit": "crop"},
        {"metadata": "some"},
        {"on_error": "weep"},
        {"max_total_bytes": 0},
        {"max_bytes": 0},
        {"max_pixels": 10**9},
        {"fetch_timeout": -1},
        {"max_fetches": -1},
        {"fetch_redirects": -1},
    ],
)
def test_bad_options_are_refused_when_the_plugin_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Images(**options)


def test_a_bad_host_is_refused_when_the_plugin_is_made() -> None:
    with pytest.raises(ConfigError, match="allow_hosts"):
        Images(allow_hosts=["https://example.com/"])


def test_one_string_is_one_name() -> None:
    assert Images(allow_hosts="h", roots="/data").roots == ("/data",)


def test_every_option_is_documented_and_has_a_default() -> None:
    assert Images()
    for option in attrs.fields(Images):
        if option.init:
            assert f"{option.name}: " in (Images.__doc__ or "")
