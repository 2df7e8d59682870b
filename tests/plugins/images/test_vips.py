"""libvips in the place of Pillow: the same picture, sooner."""

from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import PIL.ImageFont
import pytest

from hookline import InputError
from hookline.values import Image
from hookline_plugins.images import kept, vips
from hookline_plugins.images.encoding import resized


def scene(size: tuple[int, int] = (1600, 1200)) -> PIL.Image.Image:
    """A picture with edges, areas and a little noise, as a camera makes one."""
    noise = np.random.default_rng(14).integers(0, 256, (size[1] // 40, size[0] // 40, 3), np.uint8)
    blocks = np.kron(noise, np.ones((40, 40, 1), np.uint8))
    return PIL.Image.fromarray(blocks).filter(PIL.ImageFilter.GaussianBlur(3))


def file(picture: PIL.Image.Image, form: str, **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def grey(picture: PIL.Image.Image) -> PIL.Image.Image:
    return picture.convert("L")


@pytest.fixture
def both() -> Any:
    """Scale a file with each of the two; None where libvips took no part."""

    def scaled(
        data: bytes, form: str, size: tuple[int, int]
    ) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any] | None"]:
        picture = PIL.Image.open(BytesIO(data))
        full = picture.width
        if form == "JPEG":
            picture.draft(None, size)
        found = vips.scaled(data, f"image/{form.lower()}", picture, full, size)
        picture.load()
        one = np.asarray(resized(picture, size)).astype(int)
        return one, None if found is None else np.asarray(found).astype(int)

    return scaled


def noisy() -> PIL.Image.Image:
    """As a camera sees by night."""
    noise = np.random.default_rng(15).normal(0, 12, (1200, 1600, 3))
    return PIL.Image.fromarray(np.clip(np.asarray(scene()) + noise, 0, 255).astype(np.uint8))


def page() -> PIL.Image.Image:
    """A scan of a text: nothing but hard edges."""
    picture = PIL.Image.new("RGB", (1600, 1200), "white")
    font = PIL.ImageFont.load_default(16)
    for y in range(0, 1200, 20):
        text = f"{y} quick brown ants jump over the lazy dog 0123456789 " * 4
        PIL.ImageDraw.Draw(picture).text((10, y), text, fill="black", font=font)
    return picture


@pytest.mark.parametrize(
    ("of", "most", "others"),
    [(scene, 2, 0.001), (lambda: grey(scene()), 2, 0.001), (noisy, 2, 0.002), (page, 4, 0.04)],
)
@pytest.mark.parametrize("size", [(1270, 952), (700, 525), (613, 460), (1599, 1200), (1600, 1199)])
def test_the_same_picture_within_one_grey_level(
    of: Any, most: int, others: float, size: tuple[int, int], both: Any
) -> None:
    one, other = both(file(of(), "JPEG", quality=90), "JPEG", size)
    assert other is not None
    difference = np.abs(one - other)
    # Both round twice, and libvips places its filter on a grid; what that adds up to is hardly ever more.
    assert (difference > 1).mean() < others
    assert difference.max() <= most


def test_what_would_differ_is_left_to_pillow() -> None:
    whole = scene()
    for data, form in (
        (file(whole.convert("RGBA"), "PNG"), "PNG"),
        (file(whole.convert("P"), "PNG"), "PNG"),
        (file(whole.convert("CMYK"), "JPEG"), "JPEG"),
        (file(whole.convert("I;16"), "PNG"), "PNG"),
        (file(whole.resize((400, 300)), "JPEG"), "JPEG"),
        (file(whole, "WEBP"), "WEBP"),
        (file(whole, "PNG"), "PNG"),
        (file(whole, "JPEG")[:-9000], "JPEG"),
    ):
        picture = PIL.Image.open(BytesIO(data))
        found = vips.scaled(data, f"image/{form.lower()}", picture, picture.width, (300, 225))
        assert found is None, (form, picture.mode)


def test_orientation_and_limits_hold_with_either(
    resolve: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = file(scene((3000, 2400)), "JPEG", exif=exif, quality=92)
    with_vips = opened(resolve(Image(data))[0])
    kept.KEPT._images.clear()
    kept.KEPT._size = 0
    monkeypatch.setattr(vips, "_library", lambda: None)
    with_pillow = opened(resolve(Image(data))[0])
    assert with_vips.size == with_pillow.size
    assert with_vips.height > with_vips.width  # turned
    difference = np.abs(np.asarray(with_vips).astype(int) - np.asarray(with_pillow).astype(int))
    assert difference.mean() < 1


def test_damage_is_told_as_ever(resolve: Any) -> None:
    data = file(scene((3000, 2400)), "JPEG", quality=92)
    with pytest.raises(InputError, match="cut off or damaged"):
        resolve(Image(data[: len(data) // 2]))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-4-6"])
@pytest.mark.parametrize("size", [(1700, 1275), (4000, 3000), (6000, 4000)])
def test_it_takes_part_only_where_it_is_quicker(
    model: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the processor's time, over the whole way from the file to the file that is sent."""
    import time

    from hookline.models import load_models
    from hookline_plugins.images.plan import Plan
    from hookline_plugins.images.prepare import Job, look

    vision = load_models().require(model).vision
    plan = Plan(fit="best", side=8000, base64=10_485_760, pixels=64_000_000, vision=vision)
    data = file(scene(size), "JPEG")

    def seconds() -> float:
        began = time.process_time()
        job = look(data, plan)
        assert isinstance(job, Job)
        job.run(lambda: None)
        return time.process_time() - began

    if plan.size_for(*size) == size:
        return
    took_part: list[bool] = []
    real = vips.scaled

    def watched(*given: Any) -> Any:
        found = real(*given)
        took_part.append(found is not None)
        return found

    monkeypatch.setattr(vips, "scaled", watched)
    with_it = min(seconds() for _ in range(4))
    assert took_part == [True] * 4
    monkeypatch.setattr(vips, "scaled", lambda *_: None)
    assert with_it < min(seconds() for _ in range(4))
