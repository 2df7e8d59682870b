"""What a sentence of a reply rests on (facts 3.4).

Indices are 0-based with an exclusive end, except page numbers, which are 1-based with an exclusive end.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from hookline.values.frozen import Model, checked, freeze

__all__ = [
    "CITATIONS",
    "CharLocation",
    "Citation",
    "ContentBlockLocation",
    "PageLocation",
    "SearchResultLocation",
    "UnknownCitation",
    "WebSearchResultLocation",
]


@frozen(eq=False, repr=False, field_transformer=checked)
class Citation(Model):
    """Base of all citations; ``type`` names the kind on the wire."""

    type: ClassVar[str]


@frozen(eq=False, repr=False, field_transformer=checked)
class CharLocation(Citation):
    """A range of characters of a plain text document."""

    type: ClassVar[str] = "char_location"
    cited_text: str
    document_index: int
    start_char_index: int
    end_char_index: int
    document_title: str | None = None
    file_id: str | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class PageLocation(Citation):
    """A range of pages of a PDF."""

    type: ClassVar[str] = "page_location"
    cited_text: str
    document_index: int
    start_page_number: int
    end_page_number: int
    document_title: str | None = None
    file_id: str | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class ContentBlockLocation(Citation):
    """A range of blocks of a document made of blocks."""

    type: ClassVar[str] = "content_block_location"
    cited_text: str
    document_index: int
    start_block_index: int
    end_block_index: int
    document_title: str | None = None
    file_id: str | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class SearchResultLocation(Citation):
    """A range of blocks of a ``search_result`` block."""

    type: ClassVar[str] = "search_result_location"
    cited_text: str
    search_result_index: int
    source: str
    start_block_index: int
    end_block_index: int
    title: str | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class WebSearchResultLocation(Citation):
    """A page that the web search tool found."""

    type: ClassVar[str] = "web_search_result_location"
    cited_text: str
    url: str
    encrypted_index: str = field(repr=False)
    title: str | None = None


@frozen(eq=False, repr=False, field_transformer=checked)
class UnknownCitation(Citation):
    """A citation that this version has no class for, kept whole in ``data``."""

    # Every known class has one type, this one has any: an instance field hides the class's.
    type: str  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]
    data: Mapping[str, Any] = field(converter=freeze)


CITATIONS: Final[Mapping[str, type[Citation]]] = {
    cls.type: cls
    for cls in (
        CharLocation,
        PageLocation,
        ContentBlockLocation,
        SearchResultLocation,
        WebSearchResultLocation,
    )
}
