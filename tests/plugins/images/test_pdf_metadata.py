"""What says who made a PDF goes, its pages stay."""

import subprocess
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import pikepdf
import PIL.Image
import pypdf
import pytest
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]

from hookline import InputError
from hookline.values import Document
from hookline_plugins.images.pdf_metadata import without_metadata


def telling(**save: Any) -> bytes:
    """A PDF with the word CANARY wherever metadata can stand."""
    out = BytesIO()
    drawn = canvas.Canvas(out)
    drawn.setAuthor("CANARY")
    drawn.drawString(50, 50, "What the page says")
    drawn.showPage()
    drawn.save()
    with pikepdf.open(BytesIO(out.getvalue())) as pdf:
        with pdf.open_metadata() as xmp:
            xmp["dc:creator"] = ["CANARY"]
        page = pdf.pages[0].obj
        page.Metadata = pdf.make_stream(b"CANARY")
        page.Thumb = pdf.make_stream(b"CANARY")
        page.PieceInfo = pikepdf.Dictionary(Maker=pikepdf.String("CANARY"))
        changed = BytesIO()
        pdf.save(changed, compress_streams=False, **save)
    return changed.getvalue()


@pytest.mark.parametrize("mode", list(pikepdf.ObjectStreamMode.__members__.values()))
def test_nothing_tells_who_made_it(mode: Any, tmp_path: Path) -> None:
    data = telling(object_stream_mode=mode)
    clean = without_metadata(data)
    with pikepdf.open(BytesIO(clean)) as pdf:
        assert b"CANARY" not in pdf.trailer.unparse(resolved=True)
        assert all(b"CANARY" not in each.unparse(resolved=True) for each in pdf.objects)
    pages = pypdf.PdfReader(BytesIO(clean)).pages
    assert [page.extract_text().strip() for page in pages] == ["What the page says"]
    exiftool = which("exiftool")
    if exiftool is not None:
        path = tmp_path / "clean.pdf"
        path.write_bytes(clean)
        told = subprocess.run([exiftool, "-a", "-u", "-ee", path], capture_output=True, check=True)
        assert b"CANARY" not in told.stdout
        assert b"Producer" not in told.stdout


def test_it_is_done_if_asked_for(resolve: Any) -> None:
    data = telling()
    kept, stripped = (
        resolve(Document(data), pdf_metadata=wish)[0].source.data for wish in ("keep", "strip")
    )
    assert len(stripped) < len(kept)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"%PDF-1.7\nnothing", "damaged"),
        (telling(encryption=pikepdf.Encryption(owner="a", user="b")), "password"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, why: str, resolve: Any) -> None:
    with pytest.raises(InputError, match=why):
        resolve(Document(data), pdf_metadata="strip")


def test_a_page_tree_that_makes_no_sense_is_damage() -> None:
    """Found by mutating files of LibreOffice; the library tells of it in another way than of other damage."""
    data = (
        b"%PDF-1.4\n7 0 obj<<>>\n10 0 obj<<///MediaBox[0 0 4 8]/Kids[0 7 0 R]>>\n"
        b"8 0 obj<</Type/Catalog/Pages 10 0 R>><to"
    )
    with pytest.raises(InputError, match="the PDF is damaged"):
        without_metadata(data)


def with_photo(photo: bytes, filters: Any) -> bytes:
    """A PDF with a JPEG in it as it came from the camera, as programs for scans write them."""
    out = BytesIO()
    with pikepdf.new() as pdf:
        image = pdf.make_stream(photo, Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image,
                                Width=40, Height=30, BitsPerComponent=8,
                                ColorSpace=pikepdf.Name.DeviceRGB)  # fmt: skip
        image.write(photo, filter=filters)
        page = pdf.add_blank_page()
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=image))
        pdf.save(out)
    return out.getvalue()


def photo_in(data: bytes) -> bytes:
    with pikepdf.open(BytesIO(data)) as pdf:
        return bytes(pdf.pages[0].Resources.XObject.Im0.read_raw_bytes())


@pytest.mark.parametrize("listed", [False, True])
def test_a_photo_in_a_pdf_tells_nothing_of_its_place(listed: bool, made: Any) -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "CANARY"
    exif.get_ifd(0x8825)[1] = "CANARY"
    photo = made("JPEG", exif=exif, comment=b"CANARY")
    name = pikepdf.Name.DCTDecode
    data = with_photo(photo, pikepdf.Array([name]) if listed else name)
    assert b"CANARY" in photo_in(data)
    clean = photo_in(without_metadata(data))
    assert b"CANARY" not in clean
    pixels = [PIL.Image.open(BytesIO(each)).tobytes() for each in (photo, clean)]
    assert pixels[0] == pixels[1]


def test_what_is_no_whole_photo_stays_as_it_is(made: Any) -> None:
    for odd in (made("JPEG")[:-40], b"nothing of the kind"):
        assert photo_in(without_metadata(with_photo(odd, pikepdf.Name.DCTDecode))) == odd
