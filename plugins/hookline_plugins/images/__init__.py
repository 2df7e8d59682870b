"""The ``images`` plugin: every image and document made into what the API accepts.

Attachments are untrusted. A URL goes through the one guarded door (``turn.io.fetch``), a path is
opened without following links where roots are set, size and pixels are read from headers before
anything is decoded, and the real bytes decide what it is, whatever name or type came with it.
"""

from collections.abc import Hashable, Iterable
from typing import Any, ClassVar, Final, Literal
from weakref import WeakKeyDictionary

from attrs import Attribute, field, frozen, validators
from attrs.converters import optional

from hookline import InputError, Request, Turn, hookimpl
from hookline.plugin import read_file
from hookline.values import (
    Attachment,
    Base64Source,
    Block,
    Document,
    DocumentBlock,
    FileSource,
    Image,
    ImageBlock,
    Source,
)
from hookline_plugins.images.shrink import Limits
from hookline_plugins.images.sources import (
    decode_data_url,
    document_source,
    image_source,
    longest_side,
    mended,
    passed_on,
    picture_source,
    read_stream,
)
from hookline_plugins.images.walk import (
    data_url_of,
    find,
    key_of,
    replace,
    source_of,
    url_of,
    with_source,
)

__all__ = ["Images"]

# Source: facts 5.1.
_SIDE: Final = 8000
_SIDE_IN_A_CROWD: Final = 2000
_CROWD: Final = 20
_AT_ONCE: Final = 4  # decoded pictures in memory at a time

# Above this Pillow warns of a decompression bomb by itself; below it, only we decide.
_MOST_PIXELS: Final = 89_000_000
_OK: Final = 200


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _hosts(_instance: object, _attribute: "Attribute[Any]", hosts: tuple[str, ...]) -> None:
    """Refuse a malformed entry when the plugin is made, and not at the first fetch."""
    if hosts:
        from hookline.plugin import check_url  # noqa: PLC0415 -- most pipelines fetch nothing

        check_url("https://example.com/", allow_hosts=hosts)


@frozen(kw_only=True, eq=False)
class Images:
    """Resolve images and documents, in messages and in tool results.

    Args:
        urls: what happens to ``https:`` URLs: ``"pass"`` lets the API fetch them, ``"fetch"``
            fetches them here and sends the bytes. ``http:`` URLs are fetched here or not at all.
        allow_hosts: ``"host"`` or ``"host:port"`` entries that may be fetched from although they are
            not public, not ``https`` or on another port.
        roots: directories below which local files must lie; None for anywhere, since it is the
            application that names the path. Symbolic links below a root are not followed.
        max_bytes: the largest image, in bytes after base64 encoding (the API's own limit; Bedrock
            and Google Cloud take half of it).
        max_document_bytes: the largest PDF, in bytes after base64 encoding, or text, in bytes.
        max_input_bytes: the largest image file that is read at all, in order to make it smaller.
        max_fetch_bytes: the largest file that is fetched from a URL.
        max_pixels: the largest image that is decoded, width times height.
        oversize: ``"shrink"`` makes an image fit (needs the extra ``images``), ``"refuse"`` does not.
        fetch_timeout: seconds for one fetch, redirects and body included.
        fetch_redirects: how many redirects one fetch may follow.
        max_fetches: how many different URLs one request may have fetched.

    Example:
        In ``hookline.toml``::

            [plugins.images]
            urls = "fetch"
            roots = ["/srv/uploads"]

    """

    name: ClassVar[str] = "images"

    urls: Literal["pass", "fetch"] = field(
        default="pass", validator=validators.in_(("pass", "fetch"))
    )
    allow_hosts: tuple[str, ...] = field(default=(), converter=_names, validator=_hosts)
    roots: tuple[str, ...] | None = field(default=None, converter=optional(_names))
    max_bytes: int = field(default=10 * 1024 * 1024, validator=validators.gt(0))
    max_document_bytes: int = field(default=32 * 1024 * 1024, validator=validators.gt(0))
    max_input_bytes: int = field(default=64 * 1024 * 1024, validator=validators.gt(0))
    max_fetch_bytes: int = field(default=10 * 1024 * 1024, validator=validators.gt(0))
    max_pixels: int = field(
        default=64_000_000, validator=[validators.gt(0), validators.le(_MOST_PIXELS)]
    )
    oversize: Literal["shrink", "refuse"] = field(
        default="shrink", validator=validators.in_(("shrink", "refuse"))
    )
    fetch_timeout: float = field(default=10.0, validator=validators.gt(0))
    fetch_redirects: int = field(default=0, validator=validators.ge(0))
    max_fetches: int = field(default=100, validator=validators.ge(0))

    # Longer sides of images that were looked at, so that a long history costs nothing. An entry
    # lives as long as the source it is about, and says nothing but a number.
    _sides: WeakKeyDictionary[Base64Source, int] = field(
        init=False, factory=WeakKeyDictionary, repr=False
    )

    @hookimpl
    async def resolve_images(self, turn: Turn, request: Request) -> Request | None:
        """Resolve what is not resolved, and mend what the API would refuse."""
        media = list(find(request.messages))
        if not media:
            return None
        limits = self._limits(media)
        todo = {key_of(block): block for block in media if self._needs_work(block, limits)}
        if not todo:
            return None
        fetched = sum(1 for block in todo.values() if self._url(block))
        if fetched > self.max_fetches:
            raise InputError(
                f"the request has {fetched} URLs to fetch, and max_fetches allows {self.max_fetches}"
            )
        sources: dict[Hashable, Source] = {}
        work = list(todo.items())
        for start in range(0, len(work), _AT_ONCE):
            turn.check_deadline("resolve_images")
            batch = work[start : start + _AT_ONCE]
            done = await turn.io.gather(*[self._source(turn, block, limits) for _, block in batch])
            sources |= {key: source for (key, _), source in zip(batch, done, strict=True)}
        messages = replace(
            request.messages,
            lambda block: (
                with_source(block, sources[key]) if (key := key_of(block)) in sources else block
            ),
        )
        changed = any(new is not old for new, old in zip(messages, request.messages, strict=True))
        return request.evolve(messages=messages) if changed else None

    def _limits(self, media: list[Block]) -> Limits:
        images = sum(1 for block in media if isinstance(block, Image | ImageBlock))
        side = _SIDE_IN_A_CROWD if images > _CROWD else _SIDE
        return Limits(side=side, base64=self.max_bytes, pixels=self.max_pixels)

    def _needs_work(self, block: Block, limits: Limits) -> bool:
        if isinstance(block, Attachment):
            return True
        source = source_of(block)
        if isinstance(source, Base64Source) and isinstance(block, ImageBlock):
            return self._sides.get(source, limits.side + 1) > limits.side
        return bool(self._url(block)) or data_url_of(block) is not None

    def _url(self, block: Block) -> str | None:
        """Return the URL of this block if it has to be fetched here."""
        url = url_of(block)
        wanted = block.fetch if isinstance(block, Attachment) else None
        if url and wanted is None:
            wanted = self.urls == "fetch" or url[:5].lower() == "http:"
        return url if wanted else None

    async def _source(self, turn: Turn, block: Block, limits: Limits) -> Source:
        """Make the source of one block, and say which block it was if that fails."""
        try:
            source = await self._made(turn, block, limits)
        except InputError as error:
            raise InputError(f"{_what(block)}: {error}") from error
        if isinstance(source, Base64Source) and not isinstance(block, Document | DocumentBlock):
            self._sides[source] = longest_side(source)
        return source

    async def _made(self, turn: Turn, block: Block, limits: Limits) -> Source:
        shrinks = self.oversize == "shrink"
        if isinstance(block, Attachment):
            if block.file_id is not None:
                return FileSource(block.file_id)
            if block.kind == "url" and not self._url(block):
                return passed_on(block.source)
            if block.kind == "picture" and isinstance(block, Image):
                return await turn.io.run_blocking(picture_source, block.source, limits)
        elif isinstance(block, ImageBlock) and isinstance(block.source, Base64Source):
            return await turn.io.run_blocking(
                lambda source: mended(source, limits, shrinks=shrinks, most=self.max_input_bytes),
                block.source,
            )
        url = self._url(block)
        data = await (self._fetched(turn, url) if url else turn.io.run_blocking(self._read, block))
        if isinstance(block, Document | DocumentBlock):
            said = block.media_type if isinstance(block, Document) else None
            return document_source(data, said=said, most=self.max_document_bytes)
        return await turn.io.run_blocking(
            lambda data: image_source(data, limits, shrinks=shrinks), data
        )

    async def _fetched(self, turn: Turn, url: str) -> bytes:
        remaining = turn.remaining()
        answer = await turn.io.fetch(
            url,
            allow_hosts=self.allow_hosts,
            max_bytes=self.max_fetch_bytes,
            timeout=self.fetch_timeout if remaining is None else min(self.fetch_timeout, remaining),
            redirects=self.fetch_redirects,
        )
        if answer.status != _OK:
            raise InputError(f"{answer.url} answered with status {answer.status}")
        if not answer.body:
            raise InputError(f"{answer.url} answered with nothing")
        return answer.body

    def _read(self, block: Block) -> bytes:
        """Get the bytes of a block without the network. Blocks."""
        url = data_url_of(block)
        if url is not None:
            return decode_data_url(url, most=self.max_input_bytes)
        source = getattr(block, "source", None)
        kind = block.kind if isinstance(block, Attachment) else ""
        if kind == "path":
            return read_file(source, roots=self.roots, most=self.max_input_bytes)
        if kind == "file":
            return read_stream(source, most=self.max_input_bytes)
        if not isinstance(source, bytes):
            raise InputError("a picture in memory is no document; use Image for it")
        if not 0 < len(source) <= self.max_input_bytes:
            raise InputError(
                f"it has {len(source):,} bytes, and 1 to {self.max_input_bytes:,} are allowed"
            )
        return source


def _what(block: Block) -> str:
    if isinstance(block, Attachment):
        return repr(block)
    return f"the {block.type} block of a message"
