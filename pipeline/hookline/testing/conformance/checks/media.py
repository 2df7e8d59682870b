"""A check of images of a scheme of the plugin's own: resolved wherever they stand, and nothing else is read."""

import json
import struct
import tempfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.surfaces import COLOURS, Call
from hookline.testing.conformance.trying import Trying
from hookline.values.attachments import Image
from hookline.values.blocks import DocumentBlock, TextBlock, ToolResultBlock, ToolUseBlock
from hookline.values.messages import Message
from hookline.values.sources import ContentSource

__all__ = ["media"]

_TOOL: Final = {"name": "look_up", "input_schema": {"type": "object"}}
_REMEDY: Final = "await request.map_media(f, turn.io) asks f about each image and document, tool results included"


def _after_tool(image: Image) -> tuple[Any, dict[str, Any]]:
    use = ToolUseBlock("toolu_1", "look_up", {})
    past = [Message("user", "Look."), Message("assistant", (use,))]
    return [ToolResultBlock("toolu_1", (image,))], {"messages": past, "tools": [_TOOL]}


def _earlier(image: Image) -> tuple[Any, dict[str, Any]]:
    past = [Message("user", (image,)), Message("assistant", "Noted.")]
    return "Go on.", {"messages": past}


def _in_document(image: Image) -> tuple[Any, dict[str, Any]]:
    return [DocumentBlock(ContentSource((TextBlock("See:"), image))), "Read it."], {}


_PLACES: Final[tuple[tuple[str, Callable[[Image], tuple[Any, dict[str, Any]]]], ...]] = (
    ("a message", lambda image: ([image, "What is this?"], {})),
    ("an earlier message", _earlier),
    ("a tool result", _after_tool),
    ("a document of blocks", _in_document),
)


def media(trying: Trying) -> Iterator[Finding]:
    """Check sources of the plugin's own scheme, such as ``asset://ant.png``."""
    sources = trying.subject.sources
    if "resolve_images" not in trying.subject.hooks:
        trying.nothing("it resolves no images")
        return
    if not sources:
        trying.nothing('a source of its own scheme is a sample: samples = ("asset://ant.png",)')
        return
    for source in sources:
        yield from _resolved(trying, source)
        yield from _gone(trying, source)
        yield from _outside(trying, source)


def _resolved(trying: Trying, source: str) -> Iterator[Finding]:
    """Look at what leaves for an image that there is, in each place and colour."""
    first: str | None = None
    for place, put in _PLACES:
        message, options = put(Image(source))
        for colour in COLOURS:
            if colour == "sync" and trying.subject.asks_loop:
                continue
            outcome = trying.take(Call(message=message, options=options), colour)
            where = f"{source} in {place} ({colour})"
            if outcome.error is not None:
                yield Finding(f"{where} failed: {outcome.error}", _REMEDY)
                break
            sent = _pictures(outcome.bodies)
            if not sent:
                yield Finding(f"{where} is not in what leaves", _REMEDY)
                break
            first = first or sent[0]
            if trying.subject.deterministic and sent[0] != first:
                yield Finding(f"{where} left as another picture", _REMEDY)
                break


def _gone(trying: Trying, source: str) -> Iterator[Finding]:
    """Look at what is said of an image that there is not."""
    scheme = source.partition("://")[0]
    for name in ("no-such-thing-4711.png", "", "a\u0000b", "x" * 5000, "%zz?#"):
        outcome = trying.take(Call(message=[Image(f"{scheme}://{name}"), "What is this?"]))
        if outcome.blames:
            yield Finding(
                f"{scheme}://{name[:40]!r}, which is not there, ended in {outcome.error}",
                "raise InputError, which says what the caller can do",
            )


def _outside(trying: Trying, source: str) -> Iterator[Finding]:
    """Ask for a picture that is none of the plugin's, by paths that lead out of wherever its own are."""
    scheme = source.partition("://")[0]
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder).resolve() / "secret.png"
        picture = _png()
        secret.write_bytes(picture)
        up = "../" * 24
        plain = str(secret)
        for path in (
            plain,
            f"{up}{plain.lstrip('/')}",
            quote(f"{up}{plain.lstrip('/')}", safe=""),
            f"/{plain}",
            f"localhost{plain}",
            f"file://{plain}",
        ):
            outcome = trying.take(Call(message=[Image(f"{scheme}://{path}"), "What is this?"]))
            if b64encode(picture).decode() in json.dumps(outcome.bodies):
                yield Finding(
                    f"{scheme}://{path} sent a file that lies outside of what is the plugin's",
                    "resolve the path, and ask path.is_relative_to(folder) before it is read",
                )
                return


def _pictures(bodies: tuple[Any, ...]) -> list[str]:
    """Return the data of the pictures in what was sent."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == "image":
                source = value.get("source", {})
                found.append(str(source.get("data") or source.get("url") or source.get("file_id")))
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(list(bodies))
    return found


def _png() -> bytes:
    """Return a picture of one pixel, of a colour that nobody's picture has by chance."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00\x47\x11\x08")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
