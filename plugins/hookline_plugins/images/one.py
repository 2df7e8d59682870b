"""One image or document: from the block that stands in a message to the source that is sent."""

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from attrs import field, frozen

from hookline import InputError, Turn
from hookline.plugin import read_file
from hookline.values import (
    Attachment,
    Base64Source,
    Block,
    Document,
    DocumentBlock,
    FileSource,
    Header,
    ImageBlock,
    Source,
    is_pdf,
    remember_header,
    remember_pages,
)
from hookline_plugins.images.in_flight import BUDGET
from hookline_plugins.images.kept import KEPT
from hookline_plugins.images.pdf_metadata import without_metadata
from hookline_plugins.images.plan import Plan
from hookline_plugins.images.prepare import (
    Job,
    Looked,
    Sent,
    look,
    look_at_base64,
    look_at_picture,
)
from hookline_plugins.images.sources import (
    decode_data_url,
    document_source,
    passed_on,
    read_stream,
)
from hookline_plugins.images.strategy import CHOSEN, url_to_fetch
from hookline_plugins.images.walk import data_url_of

if TYPE_CHECKING:
    from hookline_plugins.images import Images

__all__ = ["Resolver"]

_OK: Final = 200
_LARGE: Final = 128 * 1024 * 1024  # bytes of a picture that is decoded by itself
_WHO: Final = ("tenant", "user")  # keys of ``context=`` that keep callers apart


@frozen(eq=False)
class Resolver:
    """What holds for every block of one request.

    Attributes:
        options: the plugin.
        turn: whose io and deadline are used.
        plan: what is to become of an image.
        sent: headers of the images that were sent; new ones are added.
        made: those that were not sent as they were given; new ones are added.

    """

    options: "Images"
    turn: Turn
    plan: Plan
    sent: WeakKeyDictionary[Base64Source, Header]
    made: set[Base64Source] = field(factory=set)

    async def results(self, blocks: Iterable[Block]) -> list[Source | InputError]:
        """Make the sources of several blocks side by side, or say why there is none.

        Large pictures come one after the other when the rest is done: not only would they wait for
        each other's memory, each thread that decodes one also keeps a good part of it for itself.
        """
        blocks = list(blocks)
        found = await self.turn.io.gather(*[self._result(block) for block in blocks])
        found.reverse()
        results: list[Source | InputError] = []
        for block in blocks:
            each = found.pop()  # and with the next one it goes, and its pixels with it
            result = await self._caught(self._rendered(each)) if isinstance(each, Job) else each
            if isinstance(result, Source):
                CHOSEN.say(self.turn, result, CHOSEN.own(self.turn, block))
            results.append(result)
        return results

    async def _result(self, block: Block) -> Source | InputError | Job:
        """Make the source of one block, or return why there is none, or what waits its turn."""
        try:
            if isinstance(block, Attachment):
                if block.file_id is not None:
                    return FileSource(block.file_id)
                if block.kind == "url" and not self._to_fetch(block):
                    return passed_on(block.source)
            if isinstance(block, Document | DocumentBlock):
                return await self._document(block)
            found = await self._look(block)
            if isinstance(found, Job):
                return found if found.memory > _LARGE else await self._rendered(found)
            return self._noted(found)
        except InputError as error:
            return error

    async def _caught(self, making: Awaitable[Source]) -> Source | InputError:
        try:
            return await making
        except InputError as error:
            return error

    async def _document(self, block: Document | DocumentBlock) -> Source:
        url = self._to_fetch(block)
        said = block.media_type if isinstance(block, Document) else None
        fetched = await self._fetched(url) if url else None

        def made() -> Source:
            data = self._read(block) if fetched is None else fetched
            if self.options.pdf_metadata == "strip" and is_pdf(data):
                data = without_metadata(data)
            source = document_source(data, said=said, most=self.options.max_document_bytes)
            if isinstance(source, Base64Source):
                remember_pages(source, data)
            return source

        return await self.turn.io.run_blocking(made)

    async def _look(self, block: Block) -> Looked:
        url = self._to_fetch(block)
        fetched = await self._fetched(url) if url else None

        def looked() -> Looked:
            source = getattr(block, "source", None)
            if isinstance(block, Attachment) and block.kind == "picture":
                return look_at_picture(source, self.plan)
            if isinstance(block, ImageBlock) and isinstance(source, Base64Source):
                return look_at_base64(source, self.plan, most=self.options.max_input_bytes)
            return look(self._read(block) if fetched is None else fetched, self.plan)

        return await self.turn.io.run_blocking(looked)

    async def _rendered(self, job: Job) -> Base64Source:
        """Decode and encode, unless these very bytes were rendered before for whoever asks."""
        turn = self.turn
        who = [repr(turn.context.get(name)) for name in _WHO]
        key = (job.digest, turn.account, repr(turn.principal), *who)

        async def made() -> Sent:
            return await BUDGET.run(turn, job.memory, job.run, self._check)

        sent = await (KEPT.once(turn, key, made) if job.digest else made())
        self.made.add(sent.source)
        return self._noted(sent)

    async def smaller(self, source: Base64Source) -> Base64Source:
        """Make an image that was resolved before as small as the plan says."""
        most = self.options.max_input_bytes
        found = await self.turn.io.run_blocking(
            lambda: look_at_base64(source, self.plan, most=most)
        )
        return await self._rendered(found) if isinstance(found, Job) else self._noted(found)

    def _noted(self, sent: Sent) -> Base64Source:
        self.sent[sent.source] = sent.header
        remember_header(sent.source, sent.header)
        return sent.source

    def _check(self) -> None:
        self.turn.check_deadline("resolve_images")

    def _to_fetch(self, block: Block) -> str | None:
        return url_to_fetch(self.turn, block, links=self.plan.links)

    async def _fetched(self, url: str) -> bytes:
        options, remaining = self.options, self.turn.remaining()
        answer = await self.turn.io.fetch(
            url,
            allow_hosts=options.allow_hosts,
            max_bytes=options.max_fetch_bytes,
            timeout=options.fetch_timeout
            if remaining is None
            else min(options.fetch_timeout, remaining),
            redirects=options.fetch_redirects,
        )
        if answer.status != _OK:
            raise InputError(f"{answer.url} answered with status {answer.status}")
        if not answer.body:
            raise InputError(f"{answer.url} answered with nothing")
        return answer.body

    def _read(self, block: Block) -> bytes:
        """Get the bytes of a block without the network. Blocks."""
        most = self.options.max_input_bytes
        url = data_url_of(block)
        if url is not None:
            return decode_data_url(url, most=most)
        source = getattr(block, "source", None)
        kind = block.kind if isinstance(block, Attachment) else ""
        if kind == "path":
            return read_file(source, roots=self.options.roots, most=most, check=self._check)
        if kind == "file":
            return read_stream(source, most=most)
        if not isinstance(source, bytes):
            raise InputError("a picture in memory is no document; use Image for it")
        if not 0 < len(source) <= most:
            raise InputError(f"it has {len(source):,} bytes, and 1 to {most:,} are allowed")
        return source
