"""Formats that the server at hand cannot read are made into those that it can."""

import asyncio
from base64 import b64decode, b64encode
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hookline import AsyncPipeline, Image, InputError, Pipeline
from hookline.testing import FaultServer, json_answer, message
from hookline.values import Base64Source, ImageBlock


def webp(mode: str = "RGB", **save: Any) -> bytes:
    out = BytesIO()
    picture = PIL.Image.linear_gradient("L").resize((40, 30)).convert(mode)
    if mode == "RGBA":
        picture.putalpha(PIL.Image.linear_gradient("L").resize((40, 30)))
    picture.save(out, "WEBP", **save)
    return out.getvalue()


def sent(
    image: Any, *, config: Any = None, server: str = "llama.cpp", model: str = "ants-7b"
) -> dict[str, Any]:
    """Send an image and return the source that left."""
    with (
        FaultServer(json_answer(message("Hi", model=model))) as stub,
        Pipeline(base_url=stub.url, model=model, server=server, config=config or {}) as line,
    ):
        line.send([image, "What is it?"])
        source: dict[str, Any] = stub.requests[0].json["messages"][0]["content"][0]["source"]
    return source


def as_block(data: bytes) -> ImageBlock:
    from hookline_plugins.images.sources import base64_source

    return ImageBlock(base64_source("image/webp", data))


@pytest.mark.parametrize("resolved", [False, True])
def test_llama_cpp_gets_no_webp(resolved: bool) -> None:
    data = webp()
    source = sent(as_block(data) if resolved else Image(data))
    opened = PIL.Image.open(BytesIO(b64decode(source["data"])))
    assert (source["media_type"], opened.format, opened.size) == ("image/jpeg", "JPEG", (40, 30))


def test_alpha_survives_as_png() -> None:
    source = sent(Image(webp("RGBA", lossless=True)))
    opened = PIL.Image.open(BytesIO(b64decode(source["data"])))
    assert (source["media_type"], opened.mode) == ("image/png", "RGBA")


def test_who_reads_webp_gets_it() -> None:
    assert sent(Image(webp()), server="vllm")["media_type"] == "image/webp"


def test_what_must_shrink_does_not_become_webp() -> None:
    """Pictures with alpha, which are made smaller, are otherwise sent as WebP."""
    out = BytesIO()
    noise = PIL.Image.effect_noise((2000, 1500), 90).convert("RGBA")
    noise.putalpha(PIL.Image.linear_gradient("L").resize((2000, 1500)))
    noise.save(out, "PNG")
    config = {"models": {"ants-7b": {"vision": "standard"}}}
    assert sent(Image(out.getvalue()), config=config)["media_type"] == "image/png"


def test_where_nothing_may_be_changed_it_is_refused() -> None:
    config = {"plugins": {"images": {"fit": "error"}}}
    with pytest.raises(
        InputError, match=r"image/webp, and this server reads image/jpeg, image/png"
    ):
        sent(Image(webp()), config=config)
    left: dict[str, Any] = {"plugins": {"images": {"fit": "leave"}}}
    with pytest.raises(InputError, match=r"reads no image/webp.*\(rule server-image-type\)"):
        sent(Image(webp()), config=left)
    left["plugins"]["preflight"] = {"rules_off": ["server-image-type"]}
    assert sent(Image(webp()), config=left)["media_type"] == "image/webp"


def test_a_later_turn_of_a_conversation_stays_readable() -> None:
    async def talk(url: str) -> None:
        async with AsyncPipeline(base_url=url, model="ants-7b", server="llama.cpp") as line:
            chat = line.conversation()
            await chat.send([Image(webp()), "What is it?"])
            await chat.send("And what else?")

    answer = json_answer(message("Hi", model="ants-7b"))
    with FaultServer(answer, answer) as stub:
        asyncio.run(talk(stub.url))
        first, second = (each.json["messages"][0]["content"][0]["source"] for each in stub.requests)
    assert first == second
    assert Base64Source("image/jpeg", first["data"]).media_type == first["media_type"]


def noise(seed: int, size: tuple[int, int] = (1500, 1500)) -> bytes:
    """A PNG of about 7 MB, which the model sees whole."""
    out = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    PIL.Image.fromarray(pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


@pytest.mark.parametrize(("server", "most"), [("anthropic", 10_485_760), ("bedrock", 5_242_880)])
def test_an_image_is_as_long_as_the_server_takes(server: str, most: int) -> None:
    data = noise(1)
    assert 5_242_880 < len(data) * 4 // 3 < 10_485_760
    source = sent(Image(data), server=server, model="claude-opus-5-5")
    assert len(source["data"]) <= most
    assert (len(source["data"]) > 5_242_880) == (server == "anthropic")


def test_a_request_is_as_long_as_the_server_takes() -> None:
    files = [noise(seed, (1100, 1100)) for seed in range(5)]
    config = {"plugins": {"images": {"fit": "limits"}}}
    with (
        FaultServer([json_answer(message("Hi"))] * 2) as stub,
        Pipeline(base_url=stub.url, api_key="k", server="bedrock", config=config) as line,
    ):
        reply = line.send([*map(Image, files), "What are these?"])
        sizes = [
            len(block["source"]["data"])
            for block in stub.requests[0].json["messages"][0]["content"][:-1]
        ]
    assert sum(sizes) <= 17_500_000
    assert sizes[0] < sizes[-1] == len(b64encode(files[-1]))  # the oldest gives way
    assert any("and 17,500,000 are possible" in text for _, text in reply.trace.notes)
