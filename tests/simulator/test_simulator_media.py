"""Images and documents: judged, measured and described by the simulator's own eyes."""

import base64
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hookline.models import Vision
from hookline.simulator import Answer, Call, Scenario, Simulator
from hookline.simulator.measures.vision import look, measure, sniff
from hookline.wire import json

HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))
HIGH = Vision(name="high", max_edge=2576, max_tokens=4784)
STANDARD = Vision(name="standard", max_edge=1568, max_tokens=1568)
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")


def picture(
    width: int = 40, height: int = 30, colour: Any = (255, 0, 0), kind: str = "PNG", **save: Any
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, kind, **save)
    return out.getvalue()


def image(data: bytes, media_type: str = "image/png", **more: Any) -> dict[str, Any]:
    text = base64.b64encode(data).decode()
    source = {"type": "base64", "media_type": media_type, "data": text}
    return {"type": "image", "source": source, **more}


def post(
    *blocks: Any, simulator: Simulator | None = None, model: str = "claude-haiku-4-5"
) -> Answer:
    body = {
        "model": model,
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": list(blocks)}],
    }
    call = Call("POST", "/v1/messages", HEADERS, json.dumps(body))
    return (simulator or Simulator()).handle(call)


def said(*blocks: Any, **more: Any) -> str:
    answer = post(*blocks, **more)
    assert answer.status == 200, answer.content
    return str(json.loads(answer.content)["content"][0]["text"])


def refused(*blocks: Any, **more: Any) -> dict[str, Any]:
    answer = post(*blocks, **more)
    assert answer.status == 400, answer.content
    found: dict[str, Any] = json.loads(answer.content)["error"]
    return found


@pytest.mark.parametrize("kind", FORMATS)
def test_format_size_and_colour_are_told(kind: str) -> None:
    data = picture(40, 30, (0, 128, 255), kind, **({"lossless": True} if kind == "WEBP" else {}))
    text = said(image(data, f"image/{kind.lower()}"))
    assert "40 x 30 pixels" in text
    assert kind.lower() in text.lower()
    colour = text.rsplit("#", 1)[1][:6]
    found = [int(colour[place : place + 2], 16) for place in (0, 2, 4)]
    assert all(abs(a - b) <= 4 for a, b in zip(found, (0, 128, 255), strict=True))


@pytest.mark.parametrize("save", [{}, {"lossless": True}, {"exif": b"Exif\x00\x00II*\x00"}])
def test_all_kinds_of_webp_are_measured(save: dict[str, Any]) -> None:
    assert measure(picture(41, 29, kind="WEBP", **save), "image/webp") == (41, 29)


def test_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    seen = look(picture(40, 20, kind="JPEG", exif=exif), HIGH)
    assert (seen.width, seen.height) == (20, 40)


def test_the_first_frame_counts() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("blue", "red")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert look(out.getvalue(), HIGH).colour == "#0000ff"


def test_without_pillow_the_size_is_known_and_the_extra_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = image(picture(40, 30))
    monkeypatch.setitem(sys.modules, "PIL", None)
    text = said(block)
    assert "40 x 30 pixels" in text
    assert "pip install 'hookline[images]'" in text


def test_images_are_numbered_wherever_they_stand() -> None:
    inner = {
        "type": "document",
        "source": {"type": "content", "content": [image(picture(5, 6))]},
    }
    text = said(image(picture(1, 2)), inner, image(picture(3, 4)))
    assert [line[:8] for line in text.splitlines() if line.startswith("Image")] == [
        "Image 1:",
        "Image 2:",
        "Image 3:",
    ]
    assert "Image 2: PNG, 5 x 6 pixels" in text


# --- refusals


def test_the_declared_type_must_be_the_real_one() -> None:
    error = refused(image(picture(), "image/jpeg"))
    assert error["message"] == "Image does not match the provided media type image/jpeg"


@pytest.mark.parametrize("data", [b"hello", b"\x89PNG\r\n\x1a\n", picture()[:60], picture()[:30]])
def test_broken_images(data: bytes) -> None:
    assert refused(image(data))["message"] == "Could not process image"


def test_empty_and_unencoded_data() -> None:
    where = "messages.0.content.0.image.source.base64"
    assert refused(image(b""))["message"] == f"{where}: image cannot be empty"
    block = image(picture())
    block["source"]["data"] = "data:image/png;base64," + block["source"]["data"]
    assert refused(block)["message"].startswith(f"{where}.data: ")


def test_ten_megabytes_is_the_most() -> None:
    padded = picture().ljust(7_864_320, b"\0")  # 10,485,760 characters of base64: these are counted
    assert post(image(padded)).status == 200
    assert refused({"type": "text", "text": "x"}, image(padded + b"\0"))["message"] == (
        "messages.0.content.1.image.source.base64: image exceeds 10 MB maximum: "
        "10485764 bytes > 10485760 bytes"
    )


def test_8000_pixels_is_the_most() -> None:
    assert post(image(picture(8000, 1))).status == 200
    error = refused(image(picture(1, 8001)))
    assert error["message"] == (
        "messages.0.content.0.image.source.base64.data: At least one of the image dimensions "
        "exceed max allowed size: 8000 pixels"
    )
    assert error["details"] == {
        "error_code": "image_dimensions_too_large",
        "max_side_length_pixels": 8000,
        "paths": ["messages.0.content.0"],
    }


def test_2000_pixels_is_the_most_among_many() -> None:
    small, large = image(picture(1, 1)), image(picture(2001, 1))
    assert post(*[small] * 19, large).status == 200
    error = refused(*[small] * 20, large)
    assert error["message"].endswith("exceed max allowed size for many-image requests: 2000 pixels")
    assert error["details"]["paths"] == ["messages.0.content.20"]


def test_how_many_images() -> None:
    small = image(picture(1, 1))
    assert post(*[small] * 100).status == 200
    assert "A maximum of 100 images" in refused(*[small] * 101)["message"]
    assert post(*[small] * 101, model="claude-haiku-5-5").status == 200


def test_oversized_images_are_refused_on_request() -> None:
    block = image(picture(1920, 1080), transformations={"oversized_image": "error"})
    assert refused(block)["message"] == (
        "messages.0.content.0: image dimensions 1920x1080 exceed the maximum image size of a model "
        "named on this request and would be downsized to 1456x819; scale the image to at most "
        '1456x819 or set the image\'s oversized_image setting to "downsize"'
    )
    assert post(block, model="claude-opus-5-5").status == 200


def test_screenshots_are_never_resized() -> None:
    use = {"type": "tool_use", "id": "t", "name": "screenshot", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image(picture(2600, 10))]}

    def answer(**toolset: Any) -> Answer:
        body = {
            "model": "claude-opus-5-5",
            "max_tokens": 9,
            "tools": [{"type": "computer_toolset_20260801"}],
            "messages": [
                {"role": "user", "content": "Look"},
                {"role": "assistant", "content": [{**use, **toolset}]},
                {"role": "user", "content": [{**result, **toolset}]},
            ],
        }
        return Simulator().handle(Call("POST", "/v1/messages", HEADERS, json.dumps(body)))

    assert answer().status == 200
    assert b"exceed the maximum image size" in answer(toolset_name="computer").content


# --- sources


def url_image(url: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "url", "url": url}}


def test_urls_are_never_fetched() -> None:
    text = said(url_image("https://example.com/ant.png"))
    assert "https://example.com/ant.png, which the simulator does not fetch" in text
    error = refused(url_image("http://example.com/ant.png"))
    assert error["message"] == "Only HTTPS URLs are supported."


def test_a_scenario_puts_files_behind_urls(tmp_path: Path) -> None:
    url = "https://example.com/ant.png"
    file = tmp_path / "ant.png"
    file.write_bytes(picture(7, 9))
    simulator = Simulator(Scenario.of(urls={url: file}))
    assert "PNG, 7 x 9 pixels" in said(url_image(url), simulator=simulator)
    file.unlink()
    error = refused(url_image(url), simulator=simulator)
    assert error["message"].startswith("Unable to download the file.")


def test_unknown_files_are_not_found() -> None:
    answer = post({"type": "image", "source": {"type": "file", "file_id": "file_nope"}})
    assert answer.status == 404


def pdf(data: bytes) -> dict[str, Any]:
    text = base64.b64encode(data).decode()
    source = {"type": "base64", "media_type": "application/pdf", "data": text}
    return {"type": "document", "source": source}


def test_pdfs() -> None:
    assert post(pdf(b"%PDF-1.7 /Type /Page")).status == 200
    assert "PDF" in refused(pdf(b"hello"))["message"]
    long = pdf(b"%PDF-1.7 /Type /Pages " + b"/Type /Page " * 101)
    assert refused(long)["message"] == "A maximum of 100 PDF pages may be provided."
    assert post(long, model="claude-opus-5-5").status == 200
    half = pdf(b"%PDF-1.7 " + b"/Type /Page " * 51)
    assert post(half).status == 200
    assert "100 PDF pages" in refused(half, half)["message"]  # in the whole request


# --- cost


@pytest.mark.parametrize(
    ("width", "height", "vision", "tokens"),
    [
        (1, 1, HIGH, 1),
        (28, 28, HIGH, 1),
        (29, 28, HIGH, 2),
        (1000, 1000, STANDARD, 36 * 36),
        (1920, 1080, STANDARD, 52 * 30),
        (1920, 1080, HIGH, 69 * 39),
    ],
)
def test_tokens_are_patches(width: int, height: int, vision: Vision, tokens: int) -> None:
    assert vision.tokens(width, height) == tokens


def test_images_count_as_input() -> None:
    plain = json.loads(post({"type": "text", "text": "x"}).content)["usage"]["input_tokens"]
    with_image = post({"type": "text", "text": "x"}, image(picture(280, 280)))
    assert json.loads(with_image.content)["usage"]["input_tokens"] == plain + 100


@given(
    width=st.integers(1, 8000),
    height=st.integers(1, 8000),
    vision=st.sampled_from([HIGH, STANDARD]),
)
def test_shrinking_keeps_the_limits_and_the_shape(width: int, height: int, vision: Vision) -> None:
    new_width, new_height = vision.fit(width, height)
    assert 1 <= new_width <= width
    assert 1 <= new_height <= height
    assert max(new_width, new_height) <= vision.max_edge
    assert vision.tokens(width, height) <= vision.max_tokens
    if (new_width, new_height) != (width, height):
        assert (width >= height) == (new_width >= new_height)
        expected = min(width, height) * max(new_width, new_height) / max(width, height)
        assert abs(min(new_width, new_height) - max(1, expected)) <= 0.5 + 1e-9


@given(
    data=st.binary(max_size=64),
    kind=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF1234WEBP"]),
)
def test_any_bytes_get_an_answer(data: bytes, kind: bytes) -> None:
    media_type = sniff(kind + data)
    assert media_type is not None
    assert post(image(kind + data, media_type)).status in (200, 400)
