"""What images and documents cost in tokens, before they are sent."""

from typing import Final

from attrs import frozen

from hookline.errors import InputError
from hookline.models import ModelFacts
from hookline.values.pictures.pdf import is_pdf, pages_of

__all__ = ["TokenRange", "document_tokens", "image_tokens", "page_tokens", "text_tokens"]

# Each page costs its text and an image (facts 5.4). The documentation of the API gives both together a
# range; measured in October 2026: 1,600 for a scan, 2,350 for a page of prose, 2,480 for a table.
_PAGE: Final = (1_500, 3_000)
_BYTES_A_TOKEN: Final = (5, 2.5)  # of UTF-8, over languages and tokenizers


@frozen
class TokenRange:
    """How many input tokens something costs.

    Attributes:
        least: at least so many.
        most: at most so many; the same where the number is certain.

    Example:
        >>> str(TokenRange(1_500, 3_000))
        '1,500 to 3,000'

    """

    least: int
    most: int

    def __add__(self, other: "TokenRange") -> "TokenRange":
        return TokenRange(self.least + other.least, self.most + other.most)

    def __str__(self) -> str:
        most = f"{self.most:,}"
        return most if self.least == self.most else f"{self.least:,} to {most}"


def image_tokens(width: int, height: int, facts: ModelFacts) -> TokenRange:
    """Return what an image costs (facts 5.2).

    Args:
        width: pixels.
        height: pixels.
        facts: of the model that is to see it.

    Raises:
        InputError: the model takes no images.

    """
    if facts.vision is None:
        raise InputError(f"{facts.id} takes no images")
    tokens = facts.vision.tokens(width, height)
    return TokenRange(tokens, tokens)


def document_tokens(data: bytes, facts: ModelFacts) -> TokenRange:
    """Return what a document costs: a PDF by its pages (facts 5.4), text by its length.

    Args:
        data: the file.
        facts: of the model that is to read it.

    Raises:
        InputError: the pages cannot be counted, or the model takes no images.

    """
    if not is_pdf(data):
        return text_tokens(len(data))
    if facts.vision is None:
        raise InputError(f"{facts.id} takes no PDFs: it cannot see")
    return page_tokens(pages_of(data))


def page_tokens(pages: int) -> TokenRange:
    """Return what so many pages of a PDF cost."""
    least, most = _PAGE
    return TokenRange(pages * least, pages * most)


def text_tokens(size: int) -> TokenRange:
    """Return about what a text costs.

    Args:
        size: bytes of UTF-8.

    """
    few, many = _BYTES_A_TOKEN
    return TokenRange(round(size / few), round(size / many))
