"""What the server at hand cannot do, whatever Anthropic's API allows: by its profile (facts 14, 16.3)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hookline import Block, ToolResultBlock
from hookline.profiles import Profile
from hookline.values import Base64Source, DocumentBlock, ImageBlock, URLSource
from hookline_plugins.preflight.limits import measured
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check"]

DOCUMENTS: Final = Rule(
    "server-documents", "16.3", "Send the text itself, or the pages as images", shared=True
)
LINKS: Final = Rule(
    "server-links", "14.1", "Send the bytes; the plugin `images` fetches them", shared=True
)
IMAGE_TYPE: Final = Rule(
    "server-image-type",
    "16.3",
    "Send JPEG or PNG; the plugin `images` does so by itself",
    shared=True,
)
IMAGE_SIZE: Final = Rule(
    "server-image-size",
    "5.1",
    "Make it smaller; the plugin `images` does so by itself",
    shared=True,
)
BODY_SIZE: Final = Rule("server-body-size", "14.1", "Drop old images and documents", shared=True)

RULES: Final = (DOCUMENTS, LINKS, IMAGE_TYPE, IMAGE_SIZE, BODY_SIZE)


def check(given: "Given") -> Iterator[Problem]:
    """Check what a server other than Anthropic's takes; theirs has the rules of the other topics."""
    profile = given.profile
    if profile is None or profile.all_rules:
        return
    if given.history.media:
        for index, message in enumerate(given.request.messages):
            for block, place in _placed(message.blocks, f"messages.{index}.content"):
                yield from _looked_at(block, place, profile)
    most = profile.max_body
    if most and not given.batch and (size := measured(given, most)) > most:
        text = f"the body has {size:,} bytes, a server of the kind {profile.name} takes {most:,}"
        yield BODY_SIZE.broken("", text)


def _placed(blocks: tuple[Block, ...], place: str) -> Iterator[tuple[Block, str]]:
    for index, block in enumerate(blocks):
        at = f"{place}.{index}"
        yield block, at
        if isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
            yield from _placed(block.content, f"{at}.content")


def _looked_at(block: Block, place: str, profile: Profile) -> Iterator[Problem]:
    if not isinstance(block, ImageBlock | DocumentBlock):
        return
    kind, source = f"a server of the kind {profile.name}", block.source
    if isinstance(block, DocumentBlock) and not profile.documents:
        yield DOCUMENTS.broken(place, f"{kind} drops documents without a word")
    elif isinstance(source, URLSource) and not profile.url_sources:
        yield LINKS.broken(f"{place}.source.url", f"{kind} takes no links")
    elif isinstance(block, ImageBlock) and isinstance(source, Base64Source):
        size, most = len(source.data), profile.max_image
        if source.media_type not in profile.image_types:
            yield IMAGE_TYPE.broken(f"{place}.source", f"{kind} reads no {source.media_type}")
        if most and size > most:
            text = f"the image has {size:,} characters of base64, {kind} takes {most:,}"
            yield IMAGE_SIZE.broken(f"{place}.source.data", text)
