"""Images and documents: how many, how large, and whether they are what they claim (facts 5, 3.4)."""

import binascii
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hookline import Block, InputError
from hookline.models import ModelFacts
from hookline.values import (
    Base64Source,
    ContentSource,
    DocumentBlock,
    ImageBlock,
    SearchResultBlock,
    URLSource,
    pages_in,
    read_base64_header,
)
from hookline_plugins.preflight.digest import Digest
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check", "look"]

_MOST_CHARACTERS: Final = 10_485_760  # of base64: the API counts these, and calls them bytes
_MOST_SIDE: Final = 8000
_MANY: Final = 20
_MOST_SIDE_OF_MANY: Final = 2000

# facts 5.1, 5.3
COUNT: Final = Rule(
    "image-count", "5.1", "Send fewer images; those of the history count too", goes_by="context"
)
# facts 5.4
PAGES: Final = Rule(
    "pdf-pages", "5.4", "Send fewer pages; those of the history count too", goes_by="context"
)
BYTES: Final = Rule("image-bytes", "5.1", "Make it smaller; the plugin `images` does so by itself")
PIXELS: Final = Rule("image-pixels", "5.1", "Scale it down; the plugin `images` does so by itself")
FORMAT: Final = Rule(
    "image-format", "5.3", "Send JPEG, PNG, GIF or WebP, and name the right one as media_type"
)
BASE64: Final = Rule("base64", "3.2", "Give plain base64, without a data: prefix", shared=True)
HTTPS: Final = Rule("https-only", "5.3", "Use an https address, or send the bytes")
VISION: Final = Rule(
    "no-vision",
    "9.2",
    "Use a model that can see, or leave images out",
    shared=True,
    goes_by="vision",
)
# facts 3.4
CITATIONS: Final = Rule(
    "citations", "3.4", "Enable citations on all documents and search results, or on none"
)
FORMAT_CITATIONS: Final = Rule(
    "format-citations", "3.4", "Leave out either citations or `output_config.format`"
)

RULES: Final = (
    COUNT, PAGES, BYTES, PIXELS, FORMAT, BASE64, HTTPS, VISION, CITATIONS, FORMAT_CITATIONS,
)  # fmt: skip


def look(block: Block, place: str, digest: Digest, *, inner: bool = False) -> None:
    """Note what an image, a document or a search result is."""
    if isinstance(block, ImageBlock):
        digest.images += 1
        digest.media = True
        _look_at_image(block, place, digest)
    elif isinstance(block, DocumentBlock):
        digest.media = True
        if not inner:
            _note_citations(block.citations, place, digest)
        _look_at_document(block, place, digest)
    elif isinstance(block, SearchResultBlock) and not inner:
        _note_citations(block.citations, place, digest)


def check(given: "Given") -> Iterator[Problem]:
    """Check what only the whole request shows."""
    history, facts = given.history, given.facts
    if history.images:
        if _blind(given.limits):
            yield VISION.broken("messages", f"{given.request.model} does not take images")
        elif facts is not None and history.images > facts.max_images:
            text = f"{history.images} images, {facts.id} takes {facts.max_images}"
            yield COUNT.broken("messages", text)
        for place in history.large if history.images > _MANY else ():
            text = (
                f"the request has more than {_MANY} images, and this one is larger than "
                f"{_MOST_SIDE_OF_MANY} pixels"
            )
            yield PIXELS.broken(place, text)
    if facts is not None and history.pages > facts.max_pdf_pages:
        text = f"{history.pages} pages of PDFs, {facts.id} takes {facts.max_pdf_pages}"
        yield PAGES.broken("messages", text)
    if len(history.citing) > 1:
        yield CITATIONS.broken(
            history.citing[False], f"no citations here, but {history.citing[True]} has them"
        )
    if True in history.citing and (given.request.output_config or {}).get("format"):
        text = "citations and a structured output exclude each other"
        yield FORMAT_CITATIONS.broken(history.citing[True], text)


def _note_citations(citations: Mapping[str, object] | None, place: str, digest: Digest) -> None:
    digest.citing += ((place, bool((citations or {}).get("enabled"))),)


def _look_at_document(block: DocumentBlock, place: str, digest: Digest) -> None:
    source = block.source
    if isinstance(source, URLSource):
        _look_at_url(source, place, digest)
    elif isinstance(source, Base64Source):
        _look_at_base64(source, place, digest)
        digest.pages += pages_in(source) or 0
    elif isinstance(source, ContentSource) and not isinstance(source.content, str):
        for index, item in enumerate(source.content):
            look(item, f"{place}.source.content.{index}", digest, inner=True)


def _look_at_image(block: ImageBlock, place: str, digest: Digest) -> None:
    source = block.source
    if isinstance(source, URLSource):
        _look_at_url(source, place, digest)
        return
    if not isinstance(source, Base64Source) or not _look_at_base64(source, place, digest):
        return
    size = len(source.data)
    if size > _MOST_CHARACTERS:
        text = f"the image has {size:,} characters of base64, {_MOST_CHARACTERS:,} are possible"
        digest.problems += (BYTES.broken(f"{place}.source.data", text),)
    try:
        header = read_base64_header(source.data)
    except InputError as error:
        digest.problems += (FORMAT.broken(f"{place}.source.data", str(error)),)
        return
    if header.media_type != source.media_type:
        text = f"the image is {header.media_type}, but is called {source.media_type}"
        digest.problems += (FORMAT.broken(f"{place}.source.media_type", text),)
    if header.longest > _MOST_SIDE:
        text = f"{header.width}x{header.height} pixels, a side may have {_MOST_SIDE}"
        digest.problems += (PIXELS.broken(f"{place}.source.data", text),)
    elif header.longest > _MOST_SIDE_OF_MANY:
        digest.large += (f"{place}.source.data",)


def _look_at_url(source: URLSource, place: str, digest: Digest) -> None:
    if not source.url.lower().startswith("https://"):
        text = "only https addresses are fetched"
        digest.problems += (HTTPS.broken(f"{place}.source.url", text),)


def _look_at_base64(source: Base64Source, place: str, digest: Digest) -> bool:
    """Tell whether the data begins like base64; what is broken further in, the API finds."""
    at = f"{place}.source.data"
    if not source.data:
        digest.problems += (BASE64.broken(at, "there is no data"),)
        return False
    try:
        binascii.a2b_base64(source.data[:64], strict_mode=True)
    except (binascii.Error, ValueError):
        digest.problems += (BASE64.broken(at, "the data is not base64"),)
        return False
    return True


def _blind(facts: ModelFacts | None) -> bool:
    """Tell whether a model cannot see; of somebody's own model that must have been told."""
    return (
        facts is not None
        and facts.vision is None
        and (facts.line is not None or facts.confirmed("vision"))
    )
