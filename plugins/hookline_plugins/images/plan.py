"""What is to become of an image: how large it may be sent, and how large it is worth sending."""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import frozen

from hookline.errors import InputError
from hookline.models import Vision
from hookline.values import Attachment, Block, Header
from hookline_plugins.images.walk import url_of

if TYPE_CHECKING:
    from hookline_plugins.images import Images

__all__ = ["CROWD", "Fit", "Plan", "side_for", "url_to_fetch"]

Fit: TypeAlias = Literal["best", "limits", "leave", "error"]

# Source: facts 5.1.
CROWD: Final = 20
"""So many images may be as large as one alone; with more, all are smaller."""
_SIDE: Final = 8000
_SIDE_IN_A_CROWD: Final = 2000

_SHRINKS: Final = frozenset({"best", "limits"})


@frozen
class Plan:
    """What holds for every image of one request.

    Attributes:
        fit: ``"best"``, ``"limits"``, ``"leave"`` or ``"error"``; see the plugin's option.
        side: pixels of the longer side that the API takes.
        base64: characters of base64 that the API takes.
        pixels: width times height that may be decoded at all.
        vision: how the model sees, or None where that is not known.
        strip: whether metadata is taken out.
        sheet: whether an animation becomes a sheet of several frames.
        links: whether the server takes links.
        types: media types that the server reads; empty where it reads what the API does.

    """

    fit: Fit
    side: int
    base64: int
    pixels: int
    vision: Vision | None = None
    strip: bool = True
    sheet: bool = False
    links: bool = True
    types: tuple[str, ...] = ()

    @property
    def raw(self) -> int:
        """Bytes before base64 encoding."""
        return self.base64 // 4 * 3

    @property
    def shrinks(self) -> bool:
        """Whether an image may be made smaller, or into another format."""
        return self.fit in _SHRINKS

    def reads(self, media_type: str) -> bool:
        """Tell whether the server reads a format."""
        return not self.types or media_type in self.types

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to send an image in; never larger than it is."""
        if self.fit == "best" and self.vision is not None:
            width, height = self.vision.fit(width, height)
        scale = self.side / max(width, height)
        if scale >= 1:
            return width, height
        return max(1, round(width * scale)), max(1, round(height * scale))

    def excess(self, header: Header, size: int) -> str:
        """Say in words what the server would not take, or return an empty string.

        Args:
            header: of the image.
            size: of its file, in bytes.

        """
        if not self.reads(header.media_type):
            return f"{header.media_type}, and this server reads {', '.join(self.types)}"
        if header.longest > self.side:
            return f"{header.width}x{header.height} pixels, and {self.side} per side are allowed"
        if size > self.raw:
            # Counted as the API does: in characters of base64.
            return f"{(size + 2) // 3 * 4:,} bytes in base64, and {self.base64:,} are allowed"
        return ""

    def check_pixels(self, size: tuple[int, int]) -> None:
        """Refuse to decode what would fill the memory.

        Args:
            size: width and height, as the header has them.

        Raises:
            InputError: there are too many pixels.

        """
        width, height = size
        if width * height > self.pixels:
            raise InputError(
                f"the image has {width}x{height} pixels, more than the {self.pixels:,} that may be "
                "decoded here; make it smaller first"
            )

    def keeps(self, header: Header) -> bool:
        """Tell whether an image like this, sent before, may go again as it is."""
        size = header.width, header.height
        return not self.shrinks or (self.reads(header.media_type) and self.size_for(*size) == size)


def side_for(images: int) -> int:
    """Return the pixels that the longer side of each may have, where a request has so many images."""
    return _SIDE_IN_A_CROWD if images > CROWD else _SIDE


def url_to_fetch(options: "Images", plan: Plan, block: Block) -> str | None:
    """Return the URL of a block if it has to be fetched here.

    Args:
        options: what the operator says.
        plan: knows whether the server takes links.
        block: may say otherwise, for itself.

    """
    url = url_of(block)
    wanted = block.fetch if isinstance(block, Attachment) else None
    if url and wanted is None:
        elsewhere = options.urls == "auto" and not plan.links
        wanted = options.urls == "fetch" or elsewhere or url[:5].lower() == "http:"
    return url if wanted else None
