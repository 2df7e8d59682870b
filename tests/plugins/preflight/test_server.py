"""What a kind of server cannot do is told before it is sent there, and mended where it can be."""

import base64
from io import BytesIO
from typing import Any

import pytest
from PIL import Image as Pictures

from hookline import Image, InputError
from hookline_plugins.preflight import PreflightError


def picture(kind: str, side: int = 8) -> bytes:
    out = BytesIO()
    Pictures.new("RGBA", (side, side), (200, 30, 30, 90)).save(out, kind)
    return out.getvalue()


def sent_as(data: bytes, media_type: str) -> dict[str, Any]:
    text = base64.b64encode(data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": text}}


LINK = {"type": "image", "source": {"type": "url", "url": "https://example.com/ant.png"}}
PAPER = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "An ant."},
}
WEBP = sent_as(picture("WEBP"), "image/webp")
HUGE = sent_as(picture("PNG") + b"\0" * 5_000_000, "image/png")
CASES = [
    ("llama.cpp", PAPER, "server-documents", "messages.0.content.0"),
    ("llama.cpp", WEBP, "server-image-type", "messages.0.content.0.source"),
    ("vertex", LINK, "server-links", "messages.0.content.0.source.url"),
    ("bedrock", LINK, "server-links", "messages.0.content.0.source.url"),
    ("vertex", HUGE, "server-image-size", "messages.0.content.0.source.data"),
    ("bedrock", {"type": "text", "text": "ant " * 6_000_000}, "server-body-size", ""),
]  # fmt: skip


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(("server", "block", "rule", "place"), CASES)
def test_it_is_refused_with_its_position(
    blocking: Any, loopback: Any, http: Any, message: Any,
    server: str, block: Any, rule: str, place: str, inside: bool,
) -> None:  # fmt: skip
    there = loopback(lambda request: http(200, message("Fine.")))
    line = {
        **there.line,
        "server": server,
        "config": {"plugins": {"disable": ["images", "documents"]}},
    }
    history: list[Any] = []
    if inside:
        call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
        history = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
    with pytest.raises(PreflightError) as refused:
        if inside:
            blocking.send(None, line=line, messages=history)
        else:
            blocking.send([block], line=line)
    assert refused.value.rule == rule
    assert refused.value.position == (
        place.replace("messages.0.content", "messages.2.content.0.content")
        if inside and place
        else place
    )
    assert there.requests == []


@pytest.mark.parametrize("block", [PAPER, WEBP, LINK])
def test_where_nothing_is_known_it_is_sent(
    blocking: Any, loopback: Any, http: Any, message: Any, block: Any
) -> None:
    there = loopback(lambda request: http(200, message("Fine.")))
    line = {**there.line, "model": "ants-7b", "config": {"plugins": {"disable": ["images"]}}}
    assert blocking.send([block], line=line).text == "Fine."


def test_the_rule_can_be_switched_off(
    blocking: Any, loopback: Any, http: Any, message: Any
) -> None:
    there = loopback(lambda request: http(200, message("Fine.")))
    config = {
        "plugins": {"preflight": {"rules_off": ["server-documents"]}, "disable": ["documents"]}
    }
    line = {**there.line, "server": "llama.cpp", "config": config}
    assert blocking.send([PAPER], line=line).text == "Fine."


@pytest.mark.parametrize("given", [picture("WEBP"), WEBP])
def test_the_plugin_images_sends_what_the_server_reads(
    run: Any, loopback: Any, http: Any, message: Any, given: Any
) -> None:
    there = loopback(lambda request: http(200, message("Fine.")))
    line = {**there.line, "server": "llama.cpp", "model": "ants-7b"}
    run.send([Image(given) if isinstance(given, bytes) else given, "What is it?"], line=line)
    (block,) = [b for b in there.requests[0].json["messages"][0]["content"] if b["type"] == "image"]
    assert block["source"]["media_type"] == "image/png"  # it has transparency
    shown = Pictures.open(BytesIO(base64.b64decode(block["source"]["data"])))
    assert (shown.format, shown.size) == ("PNG", (8, 8))


def test_an_image_that_must_stay_as_it_is_is_refused(
    blocking: Any, loopback: Any, http: Any, message: Any
) -> None:
    there = loopback(lambda request: http(200, message("Fine.")))
    config = {"plugins": {"images": {"fit": "error"}}}
    line = {**there.line, "server": "llama.cpp", "config": config}
    with pytest.raises(InputError, match="image/webp, and this server reads image/jpeg"):
        blocking.send([Image(picture("WEBP"))], line=line)


@pytest.mark.parametrize(("server", "fetched"), [("vertex", True), ("", False)])
def test_where_links_are_not_taken_they_are_fetched_here(
    run: Any, loopback: Any, http: Any, message: Any, server: str, fetched: bool
) -> None:
    there = loopback(lambda request: http(200, message("Fine.")))
    line = {**there.line, "server": server, "config": {}}
    link = {"type": "image", "source": {"type": "url", "url": "https://ants.invalid/ant.png"}}
    if fetched:
        with pytest.raises(InputError, match=r"ants\.invalid"):
            run.send([link], line=line)
    else:
        run.send([link], line=line)
    assert len(there.requests) == (not fetched)
