"""Image and Document as they are handed over: nothing is read, nothing private is shown."""

import io
import math
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.errors import InputError, MissingExtra, UnresolvedContent
from hookline.models import ModelFacts, load_models
from hookline.values.attachments import Attachment, Document, Image
from hookline.values.blocks import CacheControl
from hookline.values.messages import Message, Request
from hookline.values.pictures.header import media_type_of
from hookline.values.pictures.pixels import Pixels
from hookline.wire import encode_request


def png(size: tuple[int, int] = (3, 2)) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", size, "red").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("ant.jpg", "path", "Image('ant.jpg')"),
        (Path("a") / "ant.jpg", "path", f"Image({os.path.join('a', 'ant.jpg')!r})"),  # noqa: PTH118
        ("odd:name.png", "path", "Image('odd:name.png')"),
        ("C:\\ant.jpg", "path", "Image('C:\\\\ant.jpg')"),
        ("https://example.com/ant.jpg", "url", "Image('https://example.com/ant.jpg')"),
        ("HTTP://example.com/ant.jpg", "url", "Image('HTTP://example.com/ant.jpg')"),
        ("data:image/png;base64,AAAA", "data", "Image(<data: URL, image/png, 3 bytes>)"),
        (b"x" * 12_000, "bytes", "Image(<12 kB>)"),
        (bytearray(b"abc"), "bytes", "Image(<3 bytes>)"),
        (memoryview(b"abc"), "bytes", "Image(<3 bytes>)"),
        (PIL.Image.new("L", (4, 5)), "picture", "Image(<PIL 4x5 L>)"),
        (io.BytesIO(b"abc"), "file", "Image(<file ''>)"),
    ],
)
def test_kind_and_repr(source: Any, kind: str, text: str) -> None:
    image = Image(source)
    assert image.kind == kind
    assert repr(image) == text
    assert not image.resolved


def test_a_file_id() -> None:
    assert repr(Image(file_id="file_01")) == "Image(file_id='file_01')"
    assert Image(file_id="file_01").kind == "file_id"


def test_nothing_is_read_when_it_is_made(tmp_path: Path) -> None:
    class Refuses(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("read")

    Image(Refuses())
    Image(tmp_path / "missing.png")
    Document(tmp_path)


@pytest.mark.parametrize("options", [{}, {"source": "a", "file_id": "b"}])
def test_either_a_source_or_a_file_id(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="either a source or a file_id"):
        Image(**options)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file:/etc/passwd",
        "ftp://example.com/a",
        "gopher://x/",
        "dict://x",
        "jar:https://example.com/!/a",
        "netdoc:/etc/passwd",
        "phar:x",
        "blob:https://example.com/x",
        "javascript:alert(1)",
        "about:blank",
        "s3://bucket/key",
        "FILE:///etc/passwd",
    ],
)
def test_s42_to_s47_no_other_scheme_is_ever_taken_for_a_path_or_fetched(url: str) -> None:
    """Somebody's plugin may know it; what nobody resolves never leaves."""
    image = Image(url)
    assert image.kind == "uri"
    assert image.scheme == url.partition(":")[0].lower()
    request = Request("m", 1, [Message("user", ["See", image])])
    with pytest.raises(
        UnresolvedContent, match=rf"messages\.0\.content\.1.*scheme {image.scheme}:"
    ):
        encode_request(request)


def test_a_uri_shows_no_secret() -> None:
    shown = [repr(Image(u)) for u in ("s3://me:s3cr3t@bucket/key?sig=s3cr3t", "phar:s3cr3t")]
    assert shown == ["Image('s3://bucket/key?…')", "Image('phar:…')"]


@pytest.mark.parametrize("source", [3, 1.5, ["a"], {"a": 1}, object()])
def test_a_source_of_the_wrong_kind(source: Any) -> None:
    with pytest.raises(InputError, match="path, a URL, bytes"):
        Image(source)


def test_s60_secrets_of_a_url_are_not_shown() -> None:
    url = "https://me:s3cr3t@example.com/ant.jpg?X-Amz-Signature=s3cr3t&sig=s3cr3t#s3cr3t"
    image = Image(url)
    shown = f"{image!r} {image} {image.name} {image._repr_html_()}"
    assert "s3cr3t" not in shown
    assert repr(image) == "Image('https://example.com/ant.jpg?…')"


@given(st.text(min_size=1, max_size=2000))
def test_a_repr_is_short_whatever_the_source(text: str) -> None:
    for source in (text, f"https://{text}", f"data:{text}", text.encode()):
        try:
            image = Image(source)
        except InputError:
            continue
        assert len(repr(image)) < 400


def test_attachments_are_values() -> None:
    one, same = (
        Image("a.png", cache_control=CacheControl()),
        Image("a.png", cache_control=CacheControl()),
    )
    assert one == same
    assert hash(one) == hash(same)
    assert one != Image("b.png")
    assert Image("a.png") != Document("a.png")
    with pytest.raises(AttributeError):
        one.source = "b.png"  # type: ignore[misc]
    assert one.evolve(cache_control=None) == Image("a.png")


def test_a_buffer_is_copied_so_that_nobody_changes_it_later() -> None:
    buffer = bytearray(b"abc")
    image = Image(buffer)
    buffer[0] = 0
    assert image.source == b"abc"


def test_documents() -> None:
    document = Document("a.pdf", title="A", context="c", citations=True)
    assert document.citations == {"enabled": True}
    assert Document("a.pdf", citations={"enabled": False}).citations == {"enabled": False}
    text = Document.from_text("grüß", title="T")
    assert (text.source, text.media_type, text.title) == ("grüß".encode(), "text/plain", "T")
    assert isinstance(document, Attachment)


# --- arrays, and many at once


def test_arrays_are_pixels() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(24, dtype="uint8").reshape(2, 4, 3)
    image = Image(array)
    assert (image.kind, repr(image)) == ("picture", "Image(<pixels 4x2 RGB>)")
    array[0, 0, 0] = 99  # a message does not change after it was made
    assert image.source == Pixels("RGB", (4, 2), bytes(range(24)))
    assert image == Image(numpy.arange(24, dtype="uint8").reshape(2, 4, 3))
    assert hash(image) == hash(Image(image.source))


@pytest.mark.parametrize(
    ("shape", "mode"), [((2, 3), "L"), ((2, 3, 1), "L"), ((2, 3, 2), "LA"), ((2, 3, 4), "RGBA")]
)
def test_shapes_say_what_the_channels_are(shape: tuple[int, ...], mode: str) -> None:
    view = memoryview(bytes(range(24))[: math.prod(shape)]).cast("B", shape)
    assert Image(view).source == Pixels(mode, (3, 2), view.tobytes())


def test_truth_is_white() -> None:
    view = memoryview(b"\0\1\1\0").cast("?", (2, 2))
    assert Image(view).source.data == b"\0\xff\xff\0"


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (memoryview(bytes(24)).cast("B", (2, 3, 2, 2)), "shape"),
        (memoryview(bytes(30)).cast("B", (2, 3, 5)), "shape"),
        (memoryview(bytes(60)).cast("B", (3, 4, 5)), r"channels last: array.transpose\(1, 2, 0\)"),
        (memoryview(bytes(24)).cast("f", (2, 3)), "uint8"),
        (memoryview(bytes(12)).cast("H", (2, 3)), "uint8"),
    ],
)
def test_arrays_of_another_kind_are_refused_where_they_are_written(view: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Image(view)


def test_all_images_of_a_directory_or_a_pattern_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.heic", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "deep").mkdir()
    (tmp_path / "folder.png").mkdir()  # which is no image, whatever it is called
    (tmp_path / "deep" / "d.png").write_bytes(b"")

    def names(images: list[Image]) -> list[str]:
        return [Path(image.source).name for image in images]

    assert names(Image.all(tmp_path)) == ["a.png", "b.JPG", "c.heic"]
    assert names(Image.all(str(tmp_path / "*.[pJ]*"))) == ["a.png", "b.JPG"]
    assert names(Image.all(f"{tmp_path}/**/*.png")) == ["a.png", "d.png"]
    marked = Image.all([tmp_path / "a.png", b"x"], cache_control=CacheControl())
    assert [image.kind for image in marked] == ["path", "bytes"]
    assert marked[1].cache_control == CacheControl()


def test_a_file_whose_name_is_a_pattern_is_meant_itself(tmp_path: Path) -> None:
    (tmp_path / "a[1].png").write_bytes(b"")
    (tmp_path / "a1.png").write_bytes(b"")
    [image] = Image.all(str(tmp_path / "a[1].png"))
    assert image.source == str(tmp_path / "a[1].png")


@pytest.mark.parametrize("address", ["https://example.com/*.png", "data:image/png;base64,AA=="])
def test_an_address_is_no_pattern(address: str) -> None:
    with pytest.raises(InputError, match="an address means one image"):
        Image.all(address)


@pytest.mark.parametrize("source", ["none/*.png", "gone", b"x", io.BytesIO(), 3, "a\0b"])
def test_all_of_nothing_is_refused(source: Any) -> None:
    with pytest.raises(InputError, match=r"means no image|Image\.all takes|cannot be searched"):
        Image.all(source)


# --- what it costs


def test_tokens_are_known_before_anything_is_sent(tmp_path: Path) -> None:
    data = png((1920, 1080))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    url = f"data:image/png;base64,{b64encode(data).decode()}"
    for source in (data, path, url, PIL.Image.new("L", (1920, 1080))):
        assert Image(source).tokens("claude-opus-4-6") == 52 * 30  # facts 5.2: as 1456x819
        assert Image(source).tokens("claude-opus-5-5") == 69 * 39
        assert Image(source).tokens(load_models().require("claude-opus-5-5")) == 69 * 39


@pytest.mark.parametrize(
    ("source", "model", "words"),
    [
        ("https://example.com/a.png", "claude-opus-5-5", "not at hand"),
        ("gone.png", "claude-opus-5-5", "no such file"),
        ("data:image/png;base64,A", "claude-opus-5-5", "malformed"),
        (b"words", "claude-opus-5-5", "plain text"),
        (png(), "claude-opus-9", "not in the table"),
        (png(), ModelFacts(id="blind"), "blind takes no images"),
    ],
)
def test_tokens_that_cannot_be_known(source: Any, model: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Image(source).tokens(model)


@pytest.mark.parametrize("form", ["TIFF", "AVIF"])
def test_tokens_of_what_will_be_converted(form: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    PIL.Image.new("RGB", (1092, 1092)).save(path, form)
    assert Image(path).tokens("claude-opus-4-6") == 1521
    cut = path.read_bytes()[:40]
    with pytest.raises(InputError, match="cut off or damaged"):
        Image(cut).tokens("claude-opus-4-6")


def test_tokens_that_take_a_decoder_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(out, "TIFF")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtra, match=r"hookline\[images\]"):
        Image(out.getvalue()).tokens("claude-opus-4-6")


# --- notebooks


def test_a_small_image_is_shown_inline(tmp_path: Path) -> None:
    path = tmp_path / "<b>.png"
    path.write_bytes(png())
    for image in (Image(png()), Image(path)):
        html = image._repr_html_()
        assert 'src="data:image/png;base64,' in html
        assert "<b>" not in html


def test_a_preview_never_shows_what_is_too_large_missing_or_no_image(tmp_path: Path) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    (tmp_path / "page.png").write_bytes(b"<script>alert(1)</script>")
    sources = [
        tmp_path / "large.png",
        tmp_path / "page.png",
        tmp_path / "missing",
        tmp_path,
        "a\0b",
    ]
    too_many = png()[:16] + (9000).to_bytes(4, "big") * 2 + png()[24:]  # pixels, says its header
    for source in (*sources, too_many + b"x" * 1_000_001, "https://example.com/<script>"):
        html = Image(source)._repr_html_()
        assert "<img" not in html
        assert "<script" not in html


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_s70_a_preview_does_not_block_on_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "<img" not in Image(tmp_path / "pipe")._repr_html_()


# --- media types


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")],
)
def test_media_types_of_real_images(form: str, media_type: str) -> None:
    out = io.BytesIO()
    PIL.Image.new("RGB", (3, 2)).save(out, form)
    assert media_type_of(out.getvalue()) == media_type
    assert media_type_of(out.getvalue()[:12]) == media_type


@pytest.mark.parametrize(
    "data", [b"", b"BM", b"RIFF\0\0\0\0WAVE", b"%PDF-1.7", b"\x89PNG", b"GIF88a"]
)
def test_other_bytes_have_no_media_type(data: bytes) -> None:
    assert media_type_of(data) is None


def test_pil_is_not_imported_by_attachments() -> None:
    code = "import sys, hookline.values.attachments; assert 'PIL' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})


def test_a_notebook_shows_large_pictures_small(tmp_path: Path) -> None:
    from base64 import b64decode
    from io import BytesIO

    import PIL.Image

    noise = PIL.Image.effect_noise((1600, 1200), 99)
    path = tmp_path / "large.png"
    noise.save(path)
    assert path.stat().st_size > 1_000_000
    for image in (Image(path), Image(path.read_bytes()), Image(noise)):
        shown = image._repr_html_()
        assert len(shown) < 300_000
        encoded = shown.partition("base64,")[2].partition('"')[0]
        assert PIL.Image.open(BytesIO(b64decode(encoded))).size == (320, 240)
    damaged = Image(path.read_bytes()[:1_500_000])
    assert "<img" not in damaged._repr_html_()


def shown_in(html: str) -> PIL.Image.Image:
    encoded = html.partition("base64,")[2].partition('"')[0]
    return PIL.Image.open(io.BytesIO(b64decode(encoded)))


def test_a_notebook_shows_photos_upright_and_tells_nothing_of_them() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "CANARY"
    out = io.BytesIO()
    PIL.Image.new("RGB", (40, 20), "red").save(out, "JPEG", exif=exif, comment=b"CANARY")
    shown = shown_in(Image(out.getvalue())._repr_html_())
    assert shown.size == (20, 40)
    assert dict(shown.getexif()) == {}
    assert set(shown.info) <= {"dpi"}


@pytest.mark.parametrize("form", ["TIFF", "AVIF", "GIF", "WEBP"])
def test_a_notebook_shows_what_will_be_converted(form: str) -> None:
    out = io.BytesIO()
    PIL.Image.new("RGB", (40, 20), "red").save(out, form)
    data = b64encode(out.getvalue()).decode()
    for source in (out.getvalue(), f"data:image/{form.lower()};base64,{data}"):
        shown = shown_in(Image(source)._repr_html_())
        assert shown.format == "PNG"
        assert shown.size == (40, 20)


def test_a_notebook_shows_arrays() -> None:
    import numpy as np

    red = np.zeros((20, 40, 3), np.uint8)
    red[..., 0] = 255
    shown = shown_in(Image(red)._repr_html_())
    assert (shown.size, shown.getpixel((3, 3))) == ((40, 20), (255, 0, 0))


def test_a_notebook_says_how_many_pages_a_document_has(tmp_path: Path) -> None:
    path = tmp_path / "a<b>.pdf"
    PIL.Image.new("RGB", (20, 20)).save(
        path, save_all=True, append_images=[PIL.Image.new("L", (9, 9))]
    )
    html = Document(path)._repr_html_()
    assert html.endswith("</code> · 2 pages")
    assert "<b>" not in html
    for source in (b"%PDF-1.7 nothing", b"text", "https://example.com/a.pdf", tmp_path / "gone"):
        assert Document(source)._repr_html_().endswith("</code>")
