"""Images and documents as a person hands them over: a path, a URL, bytes, a picture in memory.

An attachment is a block that nobody has looked at yet. Making one reads nothing and fetches nothing;
the ``resolve_images`` stage turns it into a block that the API accepts, and that is where a missing
file or a wrong format comes to light.
"""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from attrs import field, frozen

from hookline._files import read_file
from hookline.errors import InputError
from hookline.models import ModelFacts, load_models
from hookline.values.blocks import Block, CacheControl
from hookline.values.brief import brief
from hookline.values.frozen import checked, freeze
from hookline.values.pictures.files import image_files
from hookline.values.pictures.header import convertible, media_type_of, read_header
from hookline.values.pictures.naming import name_of
from hookline.values.pictures.pdf import is_pdf, pages_of
from hookline.values.pictures.pillow import open_image
from hookline.values.pictures.pixels import Pixels
from hookline.values.pictures.thumbnail import thumbnail
from hookline.values.pictures.tokens import TokenRange, document_tokens, image_tokens

__all__ = ["Attachment", "Document", "Image", "SourceKind", "Strategy"]

SourceKind: TypeAlias = Literal["path", "url", "uri", "data", "bytes", "file", "picture", "file_id"]
Strategy: TypeAlias = Literal["auto", "url", "base64", "file"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_KNOWN_SCHEMES: Final[Mapping[str, SourceKind]] = {"https": "url", "http": "url", "data": "data"}
# A path may hold a colon, so only these and everything with "//" are taken for URIs: somebody's own
# plugin may know their scheme.
_OTHER_SCHEMES: Final = frozenset({
    "about", "blob", "dict", "file", "ftp", "gopher", "jar", "javascript", "ldap", "netdoc",
    "phar", "tftp",
})  # fmt: skip
_STRATEGIES: Final = ("auto", "url", "base64", "file")
_MOST_BYTES: Final = 64 * 1024 * 1024  # of a file that is opened to see what it costs
_PREVIEW_BYTES: Final = 1_000_000  # a notebook stores what it shows


def _plain(source: Any) -> Any:
    """Freeze what could still change: buffers become bytes. Files and pictures stay as they are."""
    if isinstance(source, memoryview) and source.ndim > 1:
        return Pixels.of(source)
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if hasattr(type(source), "__array_interface__") and not _is_picture(source):
        return Pixels.of(source)
    return source


def _is_picture(source: Any) -> bool:
    """Tell a PIL image by its class: PIL is an extra, and not imported for this."""
    return any(cls.__module__ == "PIL.Image" for cls in type(source).__mro__)


def _kind(source: Any) -> SourceKind:
    """Say how a source is to be read, without reading it."""
    if isinstance(source, str):
        match = _SCHEME.match(source)
        scheme = match[1].lower() if match else ""
        if scheme in _KNOWN_SCHEMES:
            return _KNOWN_SCHEMES[scheme]
        return "uri" if match and (match[2] or scheme in _OTHER_SCHEMES) else "path"
    if isinstance(source, os.PathLike):
        return "path"
    if isinstance(source, bytes):
        return "bytes"
    if isinstance(source, Pixels) or _is_picture(source):
        return "picture"
    if callable(getattr(source, "read", None)):
        return "file"
    raise InputError(
        f"an attachment's source is a path, a URL, bytes, a PIL image, an array or an open binary file, not "
        f"{brief(source)} ({type(source).__name__})"
    )


@frozen(eq=False, repr=False, field_transformer=checked)
class Attachment(Block):
    """What ``Image`` and ``Document`` have in common.

    Attributes:
        source: what was handed over.
        file_id: instead of a source, the id of a file uploaded before.
        media_type: what the caller says it is; the bytes decide.
        strategy: how it goes: as a link, as its bytes, or by the id of a file that it is uploaded to; None
            leaves that to the configuration of the plugin that resolves it.
        cache_control: makes this block a prompt cache breakpoint.

    """

    resolved: ClassVar[bool] = False

    source: Any = field(default=None, converter=_plain)
    file_id: str | None = field(default=None, kw_only=True)
    media_type: str | None = field(default=None, kw_only=True)
    strategy: Strategy | None = field(default=None, kw_only=True)
    cache_control: CacheControl | None = field(default=None, kw_only=True)
    _kind: SourceKind | None = field(default=None, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if (self.source is None) == (self.file_id is None):
            raise InputError(f"{type(self).__name__} takes either a source or a file_id")
        # What can never be read, or never go so, is refused where it is written, and not a stage later.
        if self.strategy is not None:
            _check_strategy(self, self.strategy)
        _ = self.kind

    @property
    def kind(self) -> SourceKind:
        """How the source is to be read; found out once."""
        if self._kind is None:
            kind: SourceKind = "file_id" if self.file_id is not None else _kind(self.source)
            object.__setattr__(self, "_kind", kind)
            return kind
        return self._kind

    @property
    def scheme(self) -> str | None:
        """The scheme of a URI that only a plugin of somebody's own can resolve, else None."""
        return str(self.source).partition(":")[0].lower() if self.kind == "uri" else None

    @property
    def name(self) -> str:
        """The source in a few words that may be shown: never content, never a URL's query."""
        return name_of(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def _repr_html_(self) -> str:
        """Show it in a notebook: an image inline and small, everything else as text. Never fetches."""
        caption = f"<code>{escape(repr(self))}</code>{escape(self._extent())}"
        data = self._preview()
        media_type = media_type_of(data)
        if media_type is None:
            return caption
        encoded = b64encode(data).decode("ascii")
        return (
            f'<figure><img src="data:{media_type};base64,{encoded}" alt="{escape(self.name)}" '
            f'style="max-width:320px;max-height:240px"><figcaption>{caption}</figcaption></figure>'
        )

    def _preview(self) -> bytes:
        """Return a small picture of what is at hand; where none can be made, the bytes, if they are few.

        A notebook is stored and passed on, so that the file itself, with all that it tells, is the last resort.
        """
        if self.kind == "picture":
            return thumbnail(self.source)
        data = self._at_hand()
        return thumbnail(data) or (data if len(data) <= _PREVIEW_BYTES else b"")

    def _at_hand(self) -> bytes:
        """Return the bytes, if nobody else has to be asked for them and they can be read again."""
        try:
            return self._content()
        except InputError:
            return b""

    def _extent(self) -> str:
        """Say how large it is, where a repr does not."""
        return ""

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say in an error which attachment it is about."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{self!r}: {error}") from error

    def _content(self) -> bytes:
        """Return the bytes, of what can be read again later."""
        if self.kind == "bytes":
            data: bytes = self.source
            return data
        if self.kind == "path":
            return read_file(self.source, most=_MOST_BYTES)
        if self.kind == "data":
            try:
                return b64decode(self.source.partition(",")[2], validate=True)
            except ValueError as error:
                raise InputError("its base64 is malformed") from error
        raise InputError("it is not at hand: its tokens are known once it has been read")


@frozen(eq=False, repr=False, field_transformer=checked)
class Image(Attachment):
    """An image for the model, from wherever it is.

    Args:
        source: a path (string or ``PathLike``), an ``https:`` or ``data:`` URL, the bytes of a JPEG,
            PNG, GIF or WebP file (with the extra ``images`` also HEIC, AVIF and TIFF), a PIL image,
            an array of pixels, or an open binary file. A URI of another scheme is for a plugin of
            your own.
        file_id: instead of ``source``, the id of a file uploaded before.
        media_type: what it is said to be; the real bytes decide.
        strategy: how it goes, whatever the plugin's setting: ``"url"`` as a link that the API fetches,
            ``"base64"`` as its bytes, ``"file"`` by the id of a file that it is uploaded to, ``"auto"`` as it is
            best there.
        cache_control: makes this block a prompt cache breakpoint.

    Raises:
        InputError: neither or both of ``source`` and ``file_id``, a source of the wrong kind, or one that
            can never go as ``strategy`` says.

    Example:
        >>> line.send([Image("ant.jpg"), "What is in the above image?"])

    """

    type: ClassVar[str] = "image"

    @classmethod
    def all(cls, source: Any, **options: Any) -> list[Self]:
        """Make an image of each file that a directory or a pattern means, in the order of names.

        Args:
            source: a directory, a pattern such as ``"scans/*.jpg"``, or an iterable of sources.
            **options: for each image.

        Returns:
            The images; none has been read.

        Raises:
            InputError: a directory or a pattern means none.

        Example:
            >>> line.send([*Image.all("scans/*.jpg"), "Which of these show an ant?"])

        """
        return [cls(each, **options) for each in image_files(source)]

    def tokens(self, model: str | ModelFacts) -> int:
        """Tell what the image will cost, in tokens, before it is sent (facts 5.2).

        Only its header is looked at, and nothing is fetched. Of HEIC, AVIF and TIFF the decoder reads it
        (extra ``images``).

        Args:
            model: the id of a model that Hookline knows, or the facts about one.

        Returns:
            Input tokens; the same whether or not the image is made smaller before.

        Raises:
            InputError: it cannot be read here, the model is not known, or cannot see.
            MissingExtra: it takes a decoder that is not installed.

        Example:
            >>> Image("ant.jpg").tokens("claude-haiku-4-5")

        """
        facts = _facts(model)
        if self.kind == "picture":
            width, height = self.source.size
        else:
            with self._named():
                width, height = _size_of(self._content())
        return image_tokens(width, height, facts).most


def _check_strategy(attachment: Attachment, strategy: str) -> None:
    """Refuse a way that this source can never go."""
    if strategy not in _STRATEGIES:
        raise InputError(f"strategy is one of {', '.join(_STRATEGIES)}, not {brief(strategy)}")
    if strategy == "url" and not (attachment.kind == "url" and _is_https(attachment.source)):
        raise InputError(f'{attachment!r}: strategy="url" takes https: URLs only')
    if strategy == "base64" and attachment.kind == "file_id":
        raise InputError(
            f'{attachment!r}: strategy="base64" takes bytes; of a file id there are none here'
        )


def _is_https(url: str) -> bool:
    return url[:6].lower() == "https:"


def _size_of(data: bytes) -> tuple[int, int]:
    """Return the width and the height of an image file."""
    if convertible(data) is None:
        header = read_header(data)
        return header.width, header.height
    return open_image(data, "seeing how large an image is").size


def _facts(model: str | ModelFacts) -> ModelFacts:
    facts = load_models().require(model) if isinstance(model, str) else model
    if not isinstance(facts, ModelFacts):
        raise InputError(f"tokens() takes a model's id or facts, not {brief(model)}")
    return facts


def _citations(value: Any) -> Any:
    return freeze({"enabled": value}) if isinstance(value, bool) else freeze(value)


@frozen(eq=False, repr=False, field_transformer=checked)
class Document(Attachment):
    """A document for the model: a PDF, or text, which goes as it is written.

    Text is whatever is text: Markdown, HTML and CSV too; in UTF-8, in UTF-16 with its mark, or as ``media_type``
    says: ``"text/csv; charset=cp1252"``.

    Args:
        source: as for ``Image``: a path, URL, bytes or open binary file. For text at hand see
            ``Document.from_text``.
        file_id: instead of ``source``, the id of a file uploaded before.
        media_type: what it is said to be; the real bytes decide.
        strategy: how it goes, whatever the plugin's setting: ``"url"`` as a link that the API fetches,
            ``"base64"`` as its bytes, ``"file"`` by the id of a file that it is uploaded to, ``"auto"`` as it is
            best there.
        cache_control: makes this block a prompt cache breakpoint.
        title: shown to the model.
        context: said to the model about the document; not cited.
        citations: True to have the document cited.

    Raises:
        InputError: neither or both of ``source`` and ``file_id``, a source of the wrong kind, or one that
            can never go as ``strategy`` says.

    Example:
        >>> line.send([Document("report.pdf", citations=True), "Summarise this."])

    """

    type: ClassVar[str] = "document"

    title: str | None = field(default=None, kw_only=True)
    context: str | None = field(default=None, kw_only=True)
    citations: Mapping[str, Any] | None = field(default=None, kw_only=True, converter=_citations)

    @classmethod
    def from_text(cls, text: str, **options: Any) -> Self:
        """Make a plain-text document from a string.

        Args:
            text: the whole text.
            **options: ``title``, ``context``, ``citations``, ``cache_control``.

        Returns:
            The document.

        Raises:
            InputError: it is no string, or holds half a character.

        Example:
            >>> Document.from_text("Ants are insects.", title="Ants", citations=True)

        """
        if not isinstance(text, str):
            raise InputError(
                f"from_text() takes a string, not {type(text).__name__}; for a file or its bytes: "
                "Document(source)"
            )
        try:
            content = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"the document's text holds half a surrogate pair at character {error.start}; "
                "a character was cut in two"
            ) from error
        return cls(content, media_type="text/plain", **options)

    def _preview(self) -> bytes:
        """Nothing: to draw a page takes more than is kept here."""
        return b""

    def _extent(self) -> str:
        """Say how many pages a PDF has."""
        data = self._at_hand()
        try:
            pages = pages_of(data) if is_pdf(data) else 0
        except InputError:
            return ""
        return f" · {pages} page{'' if pages == 1 else 's'}" if pages else ""

    def tokens(self, model: str | ModelFacts) -> TokenRange:
        """Tell about what the document will cost, in tokens, before it is sent (facts 5.4).

        A PDF costs by its pages, each its text and an image; a text by its length. Nothing is fetched.

        Args:
            model: the id of a model that Hookline knows, or the facts about one.

        Returns:
            Input tokens, at least and at most.

        Raises:
            InputError: it cannot be read here, its pages cannot be counted, the model is not known,
                or takes no PDFs.

        Example:
            >>> Document("report.pdf").tokens("claude-haiku-4-5").most

        """
        facts = _facts(model)
        with self._named():
            return document_tokens(self._content(), facts)
