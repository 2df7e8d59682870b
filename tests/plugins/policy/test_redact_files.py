"""The plugin `redact` and files: metadata of images and PDFs, the text of PDFs, uploads, and what comes in late."""

import json
from base64 import b64decode, b64encode
from io import BytesIO
from typing import Any

import fpdf
import PIL.Image
import PIL.PngImagePlugin
import pytest

from hookline import BatchItem, Document, Image, Message, Pipeline, PolicyViolation, hookimpl
from hookline.plugin import Layer
from hookline.simulator import Rule
from hookline.values import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    TextSource,
    ToolResultBlock,
    ToolUseBlock,
)
from hookline_plugins.policy.redact import Redact, files

MAIL = "ada@example.org"
MODEL = "claude-haiku-4-5"


def line_of(server: Any, *plugins: Any, **redact: Any) -> dict[str, Any]:
    return {
        "base_url": server,
        "model": MODEL,
        "disable": ["images", "preflight"],  # which might take out what is to be found here
        "plugins": [*plugins, Redact(**redact)],
    }


def picture(kind: str) -> bytes:
    out = BytesIO()
    image = PIL.Image.new("RGB", (8, 8), "red")
    exif = PIL.Image.Exif()
    exif[0x010E] = MAIL
    if kind == "PNG":
        text = PIL.PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{MAIL}</x:xmpmeta>")
        image.save(out, "PNG", pnginfo=text, exif=exif)
    else:
        image.save(out, kind, exif=exif)
    return out.getvalue()


def pdf(page: str = "Hello", author: str = "") -> bytes:
    made = fpdf.FPDF()
    made.add_page()
    made.set_font("helvetica")
    made.cell(text=page)
    if author:
        made.set_author(author)
        made.set_xmp_metadata(f"<author>{author}</author>")
    return bytes(made.output())


def encoded(data: bytes, media_type: str) -> Base64Source:
    return Base64Source(media_type, b64encode(data).decode())


def leaving(server: Any) -> list[bytes]:
    """Return what files left."""
    found: list[bytes] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == "base64":
                found.append(b64decode(value["data"]))
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for body in server.bodies:
        walk(body)
    return found


@pytest.mark.parametrize("action", ["replace", "mask", "block"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_metadata_of_images_does_not_leave(run: Any, sim: Any, kind: str, action: Any) -> None:
    server = sim()
    data = picture(kind)
    assert MAIL.encode() in data
    block = ImageBlock(encoded(data, f"image/{kind.lower()}"))
    history = [
        Message("user", [block, "?"]),
        Message("assistant", "A square."),
        Message("user", [ToolResultBlock("toolu_1", [block])]),
    ]

    async def body(line: Any) -> Any:
        chat = line.conversation(messages=history[:2])
        await chat.send([block, "And this?"])
        await chat.send("And?")
        return chat.messages

    kept = run(body, **line_of(server, action=action))
    sent = leaving(server)
    assert len(sent) == 4
    assert all(MAIL.encode() not in each for each in sent)
    assert PIL.Image.open(BytesIO(sent[0])).getpixel((0, 0)) is not None
    assert kept[0].blocks[0] is block  # the conversation keeps the original


def test_what_is_said_in_a_pdf_does_not_leave(blocking: Any, sim: Any) -> None:
    server = sim()
    data = pdf(author=MAIL)
    assert MAIL.encode() in data
    block = DocumentBlock(encoded(data, "application/pdf"))
    blocking.send([block, "?"], line=line_of(server))
    (sent,) = leaving(server)
    assert MAIL.encode() not in sent
    assert b"/Author" not in sent
    said = DocumentBlock(encoded(pdf(f"Write to {MAIL}"), "application/pdf"))
    for action in ("replace", "mask", "block"):
        with pytest.raises(
            PolicyViolation, match=r"a file of the type application/pdf holds 1 mail"
        ):
            blocking.send([said, "?"], line=line_of(server, action=action))
    assert len(server.calls) == 1


def test_a_pdf_that_cannot_be_read_is_refused_by_block_and_noted_by_the_others(
    blocking: Any, sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sim()
    block = DocumentBlock(encoded(b"%PDF-1.7 nothing of the kind", "application/pdf"))
    reply = blocking.send([block, "?"], line=line_of(server))
    assert ("redact", "a file of the type application/pdf was not looked into") in reply.trace.notes
    with pytest.raises(PolicyViolation, match="cannot be looked into, and so may not leave"):
        blocking.send([block, "?"], line=line_of(server, action="block"))
    monkeypatch.setitem(__import__("sys").modules, "pypdf", None)  # without the extra
    good = pdf()
    assert files.look_into(good, "application/pdf") == files.Looked(good, None)


def test_a_file_is_looked_into_once(
    blocking: Any, sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hookline_plugins.policy import redact

    seen: list[str] = []

    def counted(data: bytes, media_type: str) -> files.Looked:
        seen.append(media_type)
        return files.look_into(data, media_type)

    monkeypatch.setattr(redact, "look_into", counted)
    block = ImageBlock(encoded(picture("JPEG"), "image/jpeg"))

    async def body(line: Any) -> None:
        chat = line.conversation()
        await chat.send([block, "?"])
        await chat.send("And?")

    blocking(body, **line_of(sim()))
    assert seen == ["image/jpeg"]


# Uploads, and names


def test_an_uploaded_text_is_masked_for_good(sim: Any) -> None:
    server = sim()
    with Pipeline(**line_of(server)) as line:
        line.files.upload(f"by {MAIL}".encode(), filename="a.txt")
        line.files.upload(picture("JPEG"), filename="a.jpg")
        line.files.upload(b"Hello", filename="b.txt")
    bodies = [call.body for call in server.calls]
    assert b"by [MAIL]" in bodies[0]
    assert not any(MAIL.encode() in body for body in bodies)


@pytest.mark.parametrize("action", ["replace", "mask", "block"])
def test_names_of_files_and_ids_of_batch_items_cannot_be_rewritten(sim: Any, action: Any) -> None:
    server = sim()
    with Pipeline(**line_of(server, action=action)) as line:
        with pytest.raises(PolicyViolation, match="the file's name holds 1 mail"):
            line.files.upload(b"Hello", filename=f"{MAIL}.txt")
        with pytest.raises(PolicyViolation, match="the custom_id holds 1 iban"):
            line.batches.create([BatchItem("DE89370400440532013000", "Hello")])
        with pytest.raises(PolicyViolation, match="application/pdf holds 1 mail"):
            line.files.upload(pdf(f"by {MAIL}"), filename="a.pdf")
    assert server.calls == []


def test_block_lets_no_upload_out_that_holds_something_or_that_nobody_can_read(sim: Any) -> None:
    server = sim()
    with Pipeline(**line_of(server, action="block")) as line:
        for content, name in ((MAIL.encode(), "a.txt"), (b"\xff\xfe\0", "a.bin")):
            with pytest.raises(PolicyViolation):
                line.files.upload(content, filename=name)
    assert server.calls == []


# Split values, and what comes in behind


SPLIT: dict[str, dict[str, Any]] = {
    "message": {"message": [TextBlock("I am ada@exa"), TextBlock("mple.org, yes")]},
    "three": {"message": [TextBlock("I am ada@"), TextBlock("example"), TextBlock(".org, yes")]},
    "all of a block": {"message": [TextBlock("I am ada@"), TextBlock("example.org")]},
    "system": {"system": [TextBlock("For ada@exa"), TextBlock("mple.org")]},
    "tool result": {
        "messages": [
            Message("user", "a"),
            Message("assistant", [ToolUseBlock("t", "n", {})]),
        ],
        "message": [ToolResultBlock("t", [TextBlock("of ada@exa"), TextBlock("mple.org")])],
        "tools": [{"name": "n", "input_schema": {"type": "object"}}],
    },
}


@pytest.mark.parametrize("place", SPLIT)
def test_a_value_that_is_split_over_blocks(run: Any, sim: Any, streamed: bool, place: str) -> None:
    server = sim(Rule(reply="Hello [MAIL_1]", chunk=2))
    given = dict(SPLIT[place])
    message = given.pop("message", "Hello")
    reply = run.outcome(streamed, message, line=line_of(server), **given)
    assert reply.text == f"Hello {MAIL}"
    wire = json.dumps(server.bodies)
    assert "[MAIL_1]" in wire
    assert "example" not in wire
    assert "mple.org" not in wire
    with pytest.raises(PolicyViolation, match="1 mail"):
        run.outcome(streamed, message, line=line_of(server, action="block"), **given)


def test_a_breakpoint_of_the_cache_stays_where_a_block_is_gone(blocking: Any, sim: Any) -> None:
    server = sim()
    last = {"type": "text", "text": "example.org", "cache_control": {"type": "ephemeral"}}
    blocking.send([TextBlock("I am ada@"), last], line=line_of(server))
    assert server.bodies[0]["messages"][0]["content"] == [
        {"type": "text", "text": "I am [MAIL_1]", "cache_control": {"type": "ephemeral"}}
    ]


class Behind:
    """Puts something in behind the redaction."""

    layer = Layer.RECORD

    def __init__(self, change: Any) -> None:
        self.change = change

    @hookimpl
    async def send(self, request: Any, call_next: Any) -> Any:
        return await call_next(self.change(request))


LATE: dict[str, Any] = {
    "system": lambda request: request.with_system(MAIL),
    "message": lambda request: request.append(Message("user", MAIL)),
    "block": lambda request: request.append(Message("user", [TextBlock(MAIL)])),
    "document": lambda request: request.append(
        Message("user", [DocumentBlock(TextSource("text/plain", f"by {MAIL}"))])
    ),
    "metadata": lambda request: request.evolve(metadata={"user_id": MAIL}),
    "a field of tomorrow": lambda request: request.evolve(extra={"novel": [{"deep": MAIL}]}),
    "image": lambda request: request.append(
        Message("user", [ImageBlock(encoded(picture("PNG"), "image/png"))])
    ),
}


@pytest.mark.parametrize("what", LATE)
def test_what_comes_in_behind_is_refused(run: Any, sim: Any, streamed: bool, what: str) -> None:
    server = sim()
    with pytest.raises(PolicyViolation, match=r"holds 1 mail|came in behind"):
        run.outcome(streamed, "Hello", line=line_of(server, Behind(LATE[what])))
    assert server.calls == []


def test_what_images_resolves_is_looked_into_as_well(run: Any, sim: Any) -> None:
    server = sim()
    line = {
        **line_of(server),
        "disable": [],
        "config": {"plugins": {"images": {"metadata": "keep"}}},
    }
    text = Document(f"by {MAIL}".encode(), media_type="text/plain")
    run.outcome(False, [Image(picture("JPEG")), text, "?"], line=line)
    assert all(MAIL.encode() not in each for each in leaving(server))
    assert MAIL not in json.dumps(server.bodies)
