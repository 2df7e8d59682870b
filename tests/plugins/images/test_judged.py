"""The promises of the images plugin, measured against other programs: exiftool, Pillow, libvips by hand."""

import subprocess
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.PngImagePlugin
import pytest

from hookline.values import Image

WIDE = (48, 32)


def told(path: Path) -> str:
    exiftool = which("exiftool")
    if exiftool is None:
        pytest.skip("exiftool is not installed: make test-deps")
    command = [exiftool, "-a", "-u", "-U", "-G1", "-ee3", str(path)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def phone(form: str, size: tuple[int, int] = WIDE, orientation: int = 1) -> bytes:
    """A picture that tells where, with what and by whom it was taken, each with the word CANARY."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    for tag in (0x010E, 0x010F, 0x0110, 0x013B, 0x8298):
        exif[tag] = "CANARY"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    exif.get_ifd(0x8769).update({0xA431: "CANARY", 0x9286: b"ASCII\0\0\0CANARY"})
    ramp = np.linspace(0, 255, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
    picture = PIL.Image.fromarray(ramp.astype(np.uint8))
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>CANARY</x:xmpmeta>"
    options: dict[str, Any] = {"exif": exif, "icc_profile": b"CANARY" * 40}
    if form in ("JPEG", "WEBP"):
        options["xmp"] = xmp
    if form == "JPEG":
        options["comment"] = b"CANARY"
    if form == "PNG":
        options["pnginfo"] = info = PIL.PngImagePlugin.PngInfo()
        info.add_text("Author", "CANARY")
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    out = BytesIO()
    picture.save(out, form, **options)
    return out.getvalue() + b"CANARY behind the end"


# What a picture has without having been taken by anybody.
OF_THE_PICTURE = (
    "[ExifTool]", "[System]", "[File]", "[Composite]", "[JFIF]", "[PNG]", "[RIFF]", "[IFD0]",
)  # fmt: skip


@pytest.mark.parametrize("size", [WIDE, (3000, 2000)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exiftool_finds_nothing_left(
    form: str, size: tuple[int, int], resolve: Any, bytes_of: Any, tmp_path: Path
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    data = phone(form, size, orientation=6)
    before.write_bytes(data)
    assert told(before).count("CANARY") >= 4
    assert "GPS" in told(before)
    after.write_bytes(bytes_of(resolve(Image(data), model="claude-opus-4-6")[0]))
    found = told(after)
    for word in ("CANARY", "GPS", "XMP", "Profile", "Comment", "Author", "Warning"):
        assert word not in found, found
    assert all(line.startswith(OF_THE_PICTURE) for line in found.splitlines()), found
    assert {line.partition(":")[0].split("]")[1].strip() for line in found.splitlines()
            if line.startswith("[IFD0]")} <= {"Orientation"}  # fmt: skip


def foreign(form: str) -> bytes:
    """The same in the formats that are turned into others, and an animation with a comment."""
    exif = PIL.Image.Exif()
    exif[0x010F] = exif[0x013B] = "CANARY"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    options: dict[str, Any] = {"exif": exif}
    if form == "TIFF":
        options["tiffinfo"] = {270: "CANARY", 305: "CANARY", 700: b"<x:xmpmeta>CANARY</x:xmpmeta>"}
    if form == "AVIF":
        options["xmp"] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>CANARY</x:xmpmeta>"
    if form == "GIF":
        options = {"comment": b"CANARY", "save_all": True, "duration": 40,
                   "append_images": [PIL.Image.new("RGB", WIDE, "red")]}  # fmt: skip
    out = BytesIO()
    PIL.Image.linear_gradient("L").resize(WIDE).convert("RGB").save(out, form, **options)
    return out.getvalue() + b"CANARY behind the end"


@pytest.mark.parametrize("form", ["GIF", "TIFF", "HEIC", "AVIF"])
def test_exiftool_finds_nothing_left_of_other_formats(
    form: str, heic: bytes, resolve: Any, bytes_of: Any, tmp_path: Path
) -> None:
    if form == "HEIC":
        pytest.importorskip("pi_heif")
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_bytes(heic if form == "HEIC" else foreign(form))
    assert "CANARY" in told(before)
    after.write_bytes(bytes_of(resolve(Image(before))[0]))
    assert b"CANARY" not in after.read_bytes()
    found = told(after)
    for word in (
        "CANARY",
        "GPS",
        "XMP",
        "Profile",
        "Comment",
        "Software",
        "Warning",
        "Frame Count",
    ):
        assert word not in found, found
    allowed = (*OF_THE_PICTURE, "[GIF]")
    assert all(line.startswith(allowed) for line in found.splitlines()), found


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_pixel_by_pixel(
    form: str, orientation: int, resolve: Any, opened: Any
) -> None:
    data = phone(form, (420, 280), orientation)
    original = PIL.ImageOps.exif_transpose(PIL.Image.open(BytesIO(data)))
    # Not encoded again: the pixels are those of the file, and its orientation tells how they lie.
    as_it_is = PIL.ImageOps.exif_transpose(opened(resolve(Image(data))[0]))
    assert np.array_equal(np.asarray(as_it_is), np.asarray(original))
    # Encoded again: turned, and nothing left to turn.
    large = Image(phone(form, (1800, 1200), orientation))
    turned = opened(resolve(large, model="claude-opus-4-6")[0])
    assert max(turned.size) < 1800
    assert turned.getexif().get(0x0112, 1) == 1
    assert (turned.width > turned.height) == (original.width > original.height)
    wanted = original_of(large).resize(turned.size, PIL.Image.Resampling.LANCZOS)
    difference = np.abs(np.asarray(turned.convert("RGB")).astype(int) - np.asarray(wanted))
    assert difference.mean() < 1.5  # what JPEG and WebP lose; a wrong turn differs by more than 40


def original_of(image: Image) -> PIL.Image.Image:
    """The picture of a file, upright, as Pillow sees it."""
    return PIL.ImageOps.exif_transpose(PIL.Image.open(BytesIO(image.source))).convert("RGB")


@pytest.mark.slow
def test_twelve_megapixels_as_quick_as_by_hand(tmp_path: Path) -> None:
    """At most 1.2 times the quicker of Pillow with draft and libvips, for the same work.

    In the processor's time: what else runs on the machine does not count.
    """
    import time
    from base64 import b64encode

    import pyvips  # type: ignore[import-untyped]

    from hookline import Pipeline
    from hookline_plugins.images import kept

    noise = np.random.default_rng(2).integers(0, 256, (75, 100, 3), np.uint8)
    path = tmp_path / "photo.jpg"
    PIL.Image.fromarray(np.kron(noise, np.ones((40, 40, 1), np.uint8))).save(path, quality=92)

    def pillow(size: tuple[int, int]) -> bytes:
        picture = PIL.Image.open(path)
        picture.draft(None, size)
        out = BytesIO()
        resized = picture.resize(size, PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
        resized.save(out, "JPEG", quality=90)
        return b64encode(out.getvalue())

    def libvips(size: tuple[int, int]) -> bytes:
        small = pyvips.Image.thumbnail(str(path), size[0], height=size[1])
        return b64encode(small.jpegsave_buffer(Q=90))

    def ours(line: Pipeline) -> None:
        kept.KEPT._images.clear()
        kept.KEPT._size = 0
        line.explain([Image(path)])

    def seconds(work: Any, *given: Any) -> float:
        began = time.process_time()
        work(*given)
        return time.process_time() - began

    for model, size in (("claude-opus-5-5", (2212, 1659)), ("claude-opus-4-6", (1270, 952))):
        with Pipeline(base_url="sim:", model=model) as line:
            rounds = [
                (seconds(ours, line), min(seconds(pillow, size), seconds(libvips, size)))
                for _ in range(9)
            ]
        assert min(one for one, _ in rounds) <= 1.2 * min(other for _, other in rounds)


@pytest.mark.slow
def test_fifty_photos_take_less_than_four_hundred_megabytes(tmp_path: Path) -> None:
    import sys

    picture = np.random.default_rng(3).integers(0, 256, (75, 100, 3), np.uint8)
    big = np.kron(picture, np.ones((40, 40, 1), np.uint8))
    for number in range(50):
        big[0, 0, 0] = number
        PIL.Image.fromarray(big).save(tmp_path / f"{number:02}.jpg", quality=92 - number % 3)
    program = """
import asyncio, resource, sys
from hookline import AsyncPipeline, Image

async def main():
    async with AsyncPipeline(base_url="sim:", model="claude-opus-5-5") as line:
        await line.explain("warm")
        import PIL.Image, pyvips
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        explained = await line.explain([*Image.all(sys.argv[1]), "?"])
        assert len(explained.media) == 50
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, check=True, text=True
    )
    assert int(done.stdout) / 1024 < 400


def test_the_wire_has_what_was_resolved(resolve: Any) -> None:
    data = phone("JPEG")
    (block,) = resolve(Image(data))
    assert b"CANARY" not in b64decode(block.source.data)
