"""One image on its way to the wire: looked at once, and rendered if that is needed.

Looking is cheap and needs no Pillow: the header is read, metadata taken out. What must be decoded
comes back as a `Job`, which knows how much memory it takes, so that its caller can wait for that.
"""

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from hookline.errors import InputError
from hookline.values import (
    Base64Source,
    Header,
    Pixels,
    convertible,
    damage_explained,
    has_pillow,
    picture_of,
    read_header,
)
from hookline_plugins.images.animation import frames_of, sheet
from hookline_plugins.images.containers import strip
from hookline_plugins.images.encoding import Check, Rendered
from hookline_plugins.images.plan import Plan
from hookline_plugins.images.render import WHY, memory_for, open_file, render
from hookline_plugins.images.sources import base64_source, decode_base64, decode_data_url

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["Job", "Sent", "look", "look_at_base64", "look_at_picture"]


@frozen
class Sent:
    """An image as it is sent.

    Attributes:
        source: for the block.
        header: what it is.

    """

    source: Base64Source
    header: Header


@frozen(eq=False)
class Job:
    """An image that has to be decoded and encoded again.

    Attributes:
        picture: opened, not yet decoded.
        media_type: of the file it comes from.
        plan: what is to become of it.
        data: the file; None for a picture in memory, which somebody else has too.
        frames: how many frames of it are shown; 1 for a picture that stands still.
        digest: of the file, and of what is to become of it; None for a picture in memory.

    """

    picture: "Picture"
    media_type: str
    plan: Plan
    data: bytes | None
    digest: bytes | None
    frames: int = 1

    @property
    def memory(self) -> int:
        """Bytes that it takes at its peak."""
        return memory_for(self.picture, self.media_type, self.plan)

    def run(self, check: Check) -> Sent:
        """Decode, scale and encode. Blocks.

        Args:
            check: called between the steps; raises when there is no time left.

        Raises:
            InputError: it is damaged, or cannot be made to fit.

        """
        check()
        try:
            if self.frames > 1:
                with damage_explained():
                    drawn = sheet(self.picture, self.frames, self.plan, check)
                return _sent(render(drawn, "image/png", self.plan, check))
            return _sent(render(self.picture, self.media_type, self.plan, check, data=self.data))
        finally:
            if self.data is not None:  # its pixels are gone before the next one's come
                self.picture.close()


Looked: TypeAlias = Sent | Job


def look(data: bytes, plan: Plan) -> Looked:
    """Look at an image file.

    Args:
        data: the file.
        plan: what is to become of it.

    Returns:
        What is sent, or what has to be done before.

    Raises:
        InputError: no image the API accepts, damaged, or too large and not to be shrunk.
        MissingExtra: it has to be decoded and Pillow is not installed.

    """
    found = _found(data, plan)
    return found if isinstance(found, Job) else _sent(found)


def look_at_base64(source: Base64Source, plan: Plan, *, most: int) -> Looked:
    """Look at a base64 source that somebody else made.

    Args:
        source: may have a ``data:`` prefix, the wrong media type, or be too large.
        plan: what is to become of it.
        most: the largest image that is looked at, in bytes.

    Returns:
        What is sent, with ``source`` itself if nothing is wrong with it; or what has to be done.

    Raises:
        InputError: it is not base64, or not an image the API accepts.
        MissingExtra: it has to be decoded and Pillow is not installed.

    """
    prefixed = source.data[:5].lower() == "data:"
    data = (decode_data_url if prefixed else decode_base64)(source.data, most=most)
    found = _found(data, plan)
    if isinstance(found, Job):
        return found
    if found.data is not data or prefixed:
        return _sent(found)
    media_type = found.header.media_type
    if media_type != source.media_type:
        source = Base64Source(media_type, source.data)
    return Sent(source, found.header)


def look_at_picture(picture: Any, plan: Plan) -> Job:
    """Take a picture in memory: it is always encoded, as PNG where that is short enough.

    Args:
        picture: a PIL image, or pixels.
        plan: what is to become of it.

    Raises:
        InputError: it has more pixels than may be decoded.

    """
    plan.check_pixels(picture.size)
    if isinstance(picture, Pixels):
        picture = picture_of(picture, WHY)
    return Job(picture, "image/png", plan, data=None, digest=None)


def _found(data: bytes, plan: Plan) -> Rendered | Job:
    foreign = convertible(data) if plan.shrinks else None
    if foreign is not None:
        return _job(data, foreign, plan)
    header = read_header(data)
    if plan.sheet and plan.shrinks and (frames := frames_of(data, header.media_type)) > 1:
        plan.check_pixels((header.width, header.height))
        return _job(data, header.media_type, plan, frames)
    scaled = plan.shrinks and not plan.keeps(header)
    doubtful = False
    if not scaled:  # what is encoded again has no metadata anyway, and is judged by its decoder
        stripped = strip(data, header.media_type)
        data = stripped.data if plan.strip else data
        doubtful = not stripped.whole
    excess = plan.excess(header, len(data))
    if scaled or (plan.shrinks and (excess or (doubtful and has_pillow()))):
        if header.media_type != "image/jpeg":  # which may be decoded in a smaller size
            plan.check_pixels((header.width, header.height))
        return _job(data, header.media_type, plan)
    if excess and plan.fit == "error":
        raise InputError(f'the image is too large: {excess}; fit = "best" makes it fit')
    return Rendered(header, data)


def _job(data: bytes, media_type: str, plan: Plan, frames: int = 1) -> Job:
    digest = hashlib.sha256(repr(plan).encode())
    digest.update(data)
    picture = open_file(data, plan)
    return Job(picture, media_type, plan, data=data, digest=digest.digest(), frames=frames)


def _sent(rendered: Rendered) -> Sent:
    return Sent(base64_source(rendered.header.media_type, rendered.data), rendered.header)
