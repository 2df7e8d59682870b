"""The plugin ``documents``: a document as text, for servers that would drop it without a word.

llama.cpp leaves ``document`` blocks out and answers as if there were none (facts 16.3). Where the server
at hand is such a one, the text of the document stands in its place; a document whose text cannot be had
is refused, since an answer about something that nobody read is worse than none.
"""

import binascii
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any, Final
from weakref import WeakKeyDictionary

from attrs import field, frozen, validators

from hookline import Block, CallNext, InputError, Request, Response, TextBlock, Turn, hookimpl
from hookline.errors import MissingExtra
from hookline.plugin import checks_options, discard, option
from hookline.values import (
    Base64Source,
    ContentSource,
    DocumentBlock,
    FileSource,
    Source,
    TextSource,
    URLSource,
    media_in,
)

__all__ = ["Documents"]

_PDF: Final = "application/pdf"


@checks_options
@frozen(eq=False)
class Documents:
    """Sends the text of documents where the server would drop them.

    The server's profile says whether it would (``server="llama.cpp"``). One that nobody has named may
    name itself in its answer; a request with documents is then sent once more. Texts, blocks and PDFs
    with text in them are understood; PDFs need the extra ``pdf``. There are no citations of what is
    sent so.

    Attributes:
        most_characters: the longest text that one PDF may have.

    """

    before = ("uploads",)  # which would put ids in the place of what is read here

    most_characters: int = field(
        default=2_000_000, metadata=option(harmless=True, above=0), validator=validators.gt(0)
    )
    _texts: WeakKeyDictionary[Source, str] = field(
        init=False, factory=WeakKeyDictionary, repr=False
    )

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send text in the place of documents, where the server reads none.

        Raises:
            InputError: a document has no text that can be sent.
            MissingExtra: it is a PDF, and what reads it is not installed.

        """
        profile = turn.profile
        if profile.all_rules:  # it reads them
            return await call_next(request)
        found = [
            (block, place)
            for block, place in media_in(request.messages)
            if isinstance(block, DocumentBlock)
        ]
        if not found:
            return await call_next(request)
        if profile.documents:
            response = await call_next(request)
            if turn.profile.documents:  # which its answer may have changed
                return response
            turn.trace.note("documents", f"sent again: {turn.profile.name} drops documents")
            if response.events is not None:
                await discard(response.events)
        turn.trace.note("documents", f"{len(found)} sent as text: the server would drop them")
        return await call_next(await self._as_text(turn, request, found))

    async def _as_text(
        self, turn: Turn, request: Request, found: list[tuple[DocumentBlock, str]]
    ) -> Request:
        for block, place in found:
            source = block.source
            if source in self._texts:  # a long conversation reads each once
                continue
            try:
                if isinstance(source, Base64Source):
                    reading = partial(_text_of, source, self.most_characters, turn)
                    self._texts[source] = await turn.io.run_blocking(reading)
                else:
                    _check_readable(source)
            except InputError as error:
                raise InputError(f"{place}: {error}") from error.__cause__
        return request.map_blocks(
            lambda block: self._replaced(block) if isinstance(block, DocumentBlock) else block
        )

    def _replaced(self, block: DocumentBlock) -> list[Block]:
        """Return the blocks that say what a document says."""
        source = block.source
        inner: list[Block] = []
        if isinstance(source, ContentSource) and not isinstance(source.content, str):
            inner = list(source.content)
        else:
            inner.append(TextBlock(self._text(source)))
        named = f"Document: {block.title}" if block.title else "Document:"
        head = TextBlock("\n".join(filter(None, (named, block.context))))
        if block.cache_control is not None:  # it stood behind the whole document
            inner[-1] = inner[-1].evolve(cache_control=block.cache_control)
        return [head, *inner]

    def _text(self, source: Source) -> str:
        if isinstance(source, TextSource):
            return source.data
        if isinstance(source, ContentSource) and isinstance(source.content, str):
            return source.content
        return self._texts[source]


def _check_readable(source: Source) -> None:
    """Refuse a source that has no text here."""
    if isinstance(source, URLSource):
        raise InputError(
            "this server reads no documents, and this one is a link; fetched here it can be sent as "
            'text: [plugins.images] strategy = "base64", or Document(…, strategy="base64")'
        )
    if isinstance(source, FileSource):
        raise InputError(
            "this server reads no documents, and has not the file of that id; send its bytes"
        )
    texts = source.data.strip() if isinstance(source, TextSource) else None
    if not (texts or (isinstance(source, ContentSource) and source.content)):
        raise InputError("this server reads no documents, and this one has no text to send instead")


def _text_of(source: Base64Source, most: int, turn: Turn) -> str:
    """Return the text of a PDF. Blocks."""
    if source.media_type != _PDF:
        raise InputError(f"a document of type {source.media_type} cannot be sent as text")
    try:
        from pypdf import PdfReader  # noqa: PLC0415 -- an extra
    except ImportError:
        raise MissingExtra(
            "pdf", "pypdf", "sending a PDF as text, to a server that reads no documents"
        ) from None
    try:
        data = binascii.a2b_base64(source.data)
    except binascii.Error as error:
        raise InputError("the document's base64 is malformed") from error
    reader = _guarded(lambda: PdfReader(BytesIO(data)))
    if _guarded(lambda: reader.is_encrypted):
        raise InputError("the PDF is encrypted, and its text cannot be sent")
    texts: list[str] = []
    length = 0
    for page in range(_guarded(lambda: len(reader.pages))):
        turn.check_deadline("documents")
        text = _guarded(partial(_page, reader, page))
        length += len(text)
        if length > most:
            raise InputError(
                f"the text of the PDF is longer than the {most:,} characters that most_characters "
                "allows"
            )
        texts.append(text)
    if not "".join(texts).strip():
        raise InputError(
            "this server reads no documents, and the PDF has no text in it, as scans have none; send "
            "its pages as images"
        )
    return "\n\n".join(text.strip() for text in texts)


def _page(reader: Any, number: int) -> Any:
    return reader.pages[number].extract_text()


def _guarded(read: Callable[[], Any]) -> Any:
    """Make an ``InputError`` of whatever a damaged PDF makes of its reader."""
    try:
        return read()
    except Exception as error:  # a reader that is fed hostile bytes may raise anything
        raise InputError(
            f"the PDF is damaged, and its text cannot be read ({type(error).__name__})"
        ) from error
