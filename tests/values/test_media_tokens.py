"""What images and documents cost, before they are sent: PDFs of many producers, and the API's formula."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import fpdf
import pikepdf
import PIL.Image
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]

from hookline import InputError, Pipeline
from hookline.models import load_models
from hookline.plugin import estimate
from hookline.values import (
    Base64Source,
    Document,
    DocumentBlock,
    FileSource,
    Image,
    ImageBlock,
    Message,
    Request,
    TextSource,
    TokenRange,
    ToolResultBlock,
    surveyed,
    total_tokens,
)
from hookline.values.pictures.pdf import pages_of

HIGH, STANDARD = "claude-opus-5-5", "claude-opus-4-6"


def reportlab(pages: int) -> bytes:
    out = BytesIO()
    drawn = canvas.Canvas(out)
    for number in range(pages):
        drawn.drawString(100, 100, f"<< /Type /Pages {number} >>")
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def fpdf2(pages: int) -> bytes:
    drawn = fpdf.FPDF()
    drawn.set_font("helvetica")
    for number in range(pages):
        drawn.add_page()
        drawn.cell(text=str(number))
    return bytes(drawn.output())


def pillow(pages: int) -> bytes:
    out = BytesIO()
    first, *others = [PIL.Image.new("RGB", (20, 20))] * pages
    first.save(out, "PDF", save_all=True, append_images=others)
    return out.getvalue()


def pypdf_written(pages: int) -> bytes:
    out = BytesIO()
    pypdf.PdfWriter(clone_from=BytesIO(reportlab(pages))).write(out)
    return out.getvalue()


def qpdf(pages: int, **options: Any) -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(reportlab(pages))) as file:
        file.save(out, **options)
    return out.getvalue()


def qpdf_compressed(pages: int) -> bytes:
    return qpdf(pages, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def qpdf_linear(pages: int) -> bytes:
    return qpdf(pages, linearize=True)


def pages_taken_out(pages: int) -> bytes:
    """A file of more pages that was changed afterwards: the old page tree still lies in it."""
    out = BytesIO()
    writer = pypdf.PdfWriter(BytesIO(reportlab(pages + 5)), incremental=True)
    for _ in range(5):
        writer.remove_page(0)
    writer.write(out)
    return out.getvalue()


PRODUCERS = [
    reportlab, fpdf2, pillow, pypdf_written, qpdf_compressed, qpdf_linear, pages_taken_out,
]  # fmt: skip


@pytest.mark.parametrize("pages", [1, 130])
@pytest.mark.parametrize("producer", PRODUCERS)
def test_the_pages_of_many_producers(producer: Callable[[int], bytes], pages: int) -> None:
    assert pages_of(producer(pages)) == pages


def test_pages_that_nobody_may_read() -> None:
    locked = qpdf(
        2,
        encryption=pikepdf.Encryption(owner="a", user="b"),
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
    )
    with pytest.raises(InputError, match="encrypted"):
        pages_of(locked)
    with pytest.raises(InputError, match="no page tree"):
        pages_of(b"%PDF-1.7\n%%EOF")


def test_a_bomb_is_not_inflated_whole() -> None:
    import zlib

    bomb = b"%PDF-1.7\n<< /Type /ObjStm >>\nstream\n" + zlib.compress(bytes(200_000_000), 9)
    with pytest.raises(InputError, match="no page tree"):
        pages_of(bomb * 3)


@settings(max_examples=50)
@given(st.integers(0, 4000), st.binary(max_size=20))
def test_damage_is_told_and_no_python_error(at: int, noise: bytes) -> None:
    whole = qpdf_compressed(3)
    with suppress(InputError):
        assert pages_of(whole[:at] + noise + whole[at + 30 :]) >= 0


@pytest.mark.parametrize(
    ("size", "high", "standard"),
    [
        ((200, 200), 64, 64),
        ((1000, 1000), 1296, 1296),
        ((1092, 1092), 1521, 1521),
        ((1920, 1080), 2691, 1560),  # 1456x819 on the standard class, says the API's own error
        ((2000, 1500), 3888, 1564),
        ((3840, 2160), 4784, 1560),
    ],
)
def test_images_cost_what_the_facts_say(
    size: tuple[int, int], high: int, standard: int, tmp_path: Path
) -> None:
    """Facts 5.2."""
    path = tmp_path / "a.png"
    PIL.Image.new("L", size).save(path)
    assert Image(path).tokens(HIGH) == high
    assert Image(path).tokens(STANDARD) == standard
    with Pipeline(base_url="sim:", model=STANDARD) as line:
        explained = line.explain([Image(path), "?"])
        assert explained.media_tokens == TokenRange(standard, standard)
        counted = line.count_tokens([Image(path), "?"])
        assert counted.media == explained.media
        assert counted.input_tokens > standard


def test_a_document_costs_by_its_pages() -> None:
    assert Document(reportlab(7)).tokens(HIGH) == TokenRange(10_500, 21_000)
    assert str(Document(reportlab(1)).tokens(STANDARD)) == "1,500 to 3,000"
    few = Document.from_text("word " * 100).tokens(HIGH)
    assert few.least <= 125 <= few.most
    with pytest.raises(InputError, match=r"Document\(<.* the pages of the PDF cannot be counted"):
        Document(b"%PDF-1.4 nothing").tokens(HIGH)
    with pytest.raises(InputError, match="not at hand"):
        Document("https://example.com/a.pdf").tokens(HIGH)


def encoded(data: bytes, media_type: str) -> Base64Source:
    return Base64Source(media_type, b64encode(data).decode())


def test_the_survey_names_every_place() -> None:
    picture = BytesIO()
    PIL.Image.new("RGB", (560, 280)).save(picture, "JPEG")
    image = ImageBlock(encoded(picture.getvalue(), "image/jpeg"))
    request = Request(
        HIGH,
        10,
        [
            Message(
                "user", [ToolResultBlock("toolu_1", [image]), ImageBlock(FileSource("file_1"))]
            ),
            Message("user", [DocumentBlock(encoded(fpdf2(2), "application/pdf"))]),
            Message("user", [DocumentBlock(TextSource("text/plain", "Ant. " * 20))]),
            Message("user", [ImageBlock(encoded(b"nothing", "image/png"))]),
        ],
    )
    media = surveyed(request, load_models().require(HIGH))
    assert [(each.place, each.extent, each.source) for each in media] == [
        ("messages.0.content.0.content.0", "560x280", "base64"),
        ("messages.0.content.1", "", "file"),
        ("messages.1.content.0", "2 pages", "base64"),
        ("messages.2.content.0", "", "text"),
        ("messages.3.content.0", "", "base64"),
    ]
    assert [each.size for each in media] == [
        len(picture.getvalue()), None, len(fpdf2(2)), 100, len(b"nothing"),
    ]  # fmt: skip
    assert [each.tokens for each in media] == [
        TokenRange(200, 200), None, TokenRange(3000, 6000), TokenRange(20, 40), None,
    ]  # fmt: skip
    assert total_tokens(media) == TokenRange(3220, 6240)
    assert all(each.tokens is None for each in surveyed(request, None) if each.source == "base64")


def test_an_estimate_looks_at_images_and_pages_wherever_they_lie() -> None:
    picture = BytesIO()
    PIL.Image.effect_noise((1092, 1092), 90).save(picture, "PNG")
    image = ImageBlock(encoded(picture.getvalue(), "image/png"))
    facts = load_models().require(HIGH)
    for block in (image, ToolResultBlock("toolu_1", [image])):
        request = Request(HIGH, 10, [Message("user", [block])])
        assert 1521 <= estimate(request, facts) < 1600
    pages = DocumentBlock(encoded(reportlab(10), "application/pdf"))
    assert estimate(Request(HIGH, 10, [Message("user", [pages])]), facts) == 22_500
