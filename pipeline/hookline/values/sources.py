"""Where an image or a document comes from.

Source of the field lists: the Messages API, section "content blocks" (facts 3.2).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from hookline.values.brief import base64_size, brief
from hookline.values.content import Block, as_content
from hookline.values.frozen import Model, checked, freeze
from hookline.values.redaction import shown_url

__all__ = [
    "SOURCES",
    "Base64Source",
    "ContentSource",
    "FileSource",
    "Source",
    "TextSource",
    "URLSource",
    "UnknownSource",
]


@frozen(eq=False, repr=False, field_transformer=checked)
class Source(Model):
    """Base of all sources; ``type`` names the kind on the wire."""

    type: ClassVar[str]


@frozen(eq=False, repr=False, field_transformer=checked)
class Base64Source(Source):
    """The bytes themselves, in base64 without a ``data:`` prefix."""

    type: ClassVar[str] = "base64"
    media_type: str
    data: str = field(repr=base64_size)


def _url_repr(url: str) -> str:
    return brief(shown_url(url))


@frozen(eq=False, repr=False, field_transformer=checked)
class URLSource(Source):
    """An ``https:`` address that the API fetches."""

    type: ClassVar[str] = "url"
    url: str = field(repr=_url_repr)


@frozen(eq=False, repr=False, field_transformer=checked)
class FileSource(Source):
    """A file uploaded before."""

    type: ClassVar[str] = "file"
    file_id: str


@frozen(eq=False, repr=False, field_transformer=checked)
class TextSource(Source):
    """A document that is plain text; ``media_type`` is ``text/plain``."""

    type: ClassVar[str] = "text"
    media_type: str
    data: str


@frozen(eq=False, repr=False, field_transformer=checked)
class ContentSource(Source):
    """A document made of blocks: a string, or text and image blocks."""

    type: ClassVar[str] = "content"
    content: str | tuple[Block, ...] = field(converter=as_content)


@frozen(eq=False, repr=False, field_transformer=checked)
class UnknownSource(Source):
    """A source that this version has no class for, kept whole in ``data``."""

    # Every known class has one type, this one has any: an instance field hides the class's.
    type: str  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
    data: Mapping[str, Any] = field(converter=freeze)


SOURCES: Final[Mapping[str, type[Source]]] = {
    cls.type: cls for cls in (Base64Source, URLSource, FileSource, TextSource, ContentSource)
}
