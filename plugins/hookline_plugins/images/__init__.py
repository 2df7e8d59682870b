"""The ``images`` plugin: every image and document made into what the API accepts.

Attachments are untrusted. A URL goes through the one guarded door (``turn.io.fetch``), a path through
the other (``hookline.plugin.read_file``), size and pixels are read from headers before anything is
decoded, and the real bytes decide what it is, whatever name or type came with it.

Read ``walk`` first (where images stand), then ``one`` (one of them), ``sources`` (from what was handed over to bytes),
``prepare`` (one image on its way), ``plan`` (how large), ``containers`` (what is taken out),
``render`` (with Pillow) and ``in_flight`` (how much at once).
"""

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from weakref import WeakKeyDictionary

from attrs import Attribute, evolve, field, frozen, validators
from attrs.converters import optional

from hookline import CallNext, InputError, Progress, Request, Response, Turn, hookimpl
from hookline.plugin import Profile, TurnState, checks_options, option
from hookline.values import (
    Attachment,
    Base64Source,
    Block,
    Header,
    Image,
    ImageBlock,
    Source,
    Strategy,
)
from hookline_plugins.images.plan import Fit, Plan, side_for
from hookline_plugins.images.strategy import (
    CHOSEN,
    STRATEGIES,
    by_id,
    check_possible,
    takes_ids,
    url_to_fetch,
)
from hookline_plugins.images.told import NOTHING, note_made, note_tokens, refusal, words
from hookline_plugins.images.walk import (
    Placed,
    data_url_of,
    find,
    key_of,
    replace,
    source_of,
    with_source,
)

if TYPE_CHECKING:
    from hookline_plugins.images.one import Resolver

__all__ = ["Images"]

_AT_ONCE: Final = 4  # images of one turn that are worked on at a time
_REST: Final = 2_500_000  # bytes of a request that are not its images
_LEAST_SHARE: Final = 64 * 1024  # characters that an image keeps, however large the request

# Above this Pillow warns of a decompression bomb by itself; below it, only we decide.
_MOST_PIXELS: Final = 89_000_000
_WHAT: Final = "images and documents"


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _hosts(_instance: object, _attribute: "Attribute[Any]", hosts: tuple[str, ...]) -> None:
    """Refuse a malformed entry when the plugin is made, and not at the first fetch."""
    if hosts:
        from hookline.plugin import check_url  # noqa: PLC0415 -- most pipelines fetch nothing

        check_url("https://example.com/", allow_hosts=hosts)


@checks_options
@frozen(kw_only=True, eq=False)
class Images:
    """Resolve images and documents, in messages and in tool results.

    Args:
        strategy: how they go. ``"url"``: links as links, which the API fetches, and the rest as bytes.
            ``"base64"``: all as bytes; links are fetched here, and nothing is uploaded. ``"file"``: all are
            uploaded once, and go by id. ``"auto"``: links as links where the server takes them (Bedrock and
            Google Cloud do not), ``http:`` fetched here; where it keeps files, what has a megabyte or more goes
            by id in its third turn, and so do the largest of a request that is too full; the rest as bytes.
            ``Image(…, strategy=…)`` says it for one. The plugin `uploads` uploads.
        allow_hosts: ``"host"`` or ``"host:port"`` entries that may be fetched from although they are
            not public, not ``https`` or on another port.
        roots: directories below which local files must lie; None for anywhere, since it is the
            application that names the path. Symbolic links below a root are not followed.
        fit: ``"best"`` makes images as small as the model sees them, so that neither bytes nor
            tokens are paid for nothing, and turns HEIC, AVIF and TIFF into what the API takes;
            ``"limits"`` makes smaller only what the API would refuse; ``"error"`` refuses that;
            ``"leave"`` sends images as they are. Decoding needs the extra ``images``.
        metadata: ``"strip"`` takes out place, camera, thumbnails, comments, profiles, bytes behind
            the end and all frames but those that are sent; ``"keep"`` leaves them in what is not re-encoded.
        pdf_metadata: ``"strip"`` takes document information, XMP, thumbnails and private data of
            programs out of PDFs; needs the extra ``pdf``. A signature of the document does not
            survive that, so the default is ``"keep"``.
        animation: ``"first"`` sends the first frame, which is all that the model would see;
            ``"sheet"`` sends up to nine frames side by side in one picture.
        on_error: what a bad image does to a message: ``"raise"`` refuses the message and names all
            bad ones, ``"skip"`` leaves the image out, ``"describe"`` puts words in its place.
        max_bytes: the largest image, in characters of base64; less where the server is known to take
            less, as Bedrock and Google Cloud do.
        max_total_bytes: all images and documents of a request together, in characters of base64 (less
            where the server is known to take less); where they have more, images are made smaller, the
            oldest first.
        max_document_bytes: the largest PDF, in bytes after base64 encoding, or text, in bytes.
        max_input_bytes: the largest image file that is read at all, in order to make it smaller.
        max_fetch_bytes: the largest file that is fetched from a URL.
        max_pixels: the largest image that is decoded, width times height; of a JPEG that can be decoded in a
            smaller size, four times as many may be read.
        fetch_timeout: seconds for one fetch, redirects and body included.
        fetch_redirects: how many redirects one fetch may follow.
        max_fetches: how many different URLs one request may have fetched.

    Example:
        In ``hookline.toml``::

            [plugins.images]
            strategy = "base64"
            roots = ["/srv/uploads"]

    """

    name: ClassVar[str] = "images"

    strategy: Strategy = field(default="auto", validator=validators.in_(STRATEGIES))
    allow_hosts: tuple[str, ...] = field(default=(), converter=_names, validator=_hosts)
    roots: tuple[str, ...] | None = field(default=None, converter=optional(_names))
    fit: Fit = field(default="best", validator=validators.in_(("best", "limits", "leave", "error")))
    metadata: Literal["strip", "keep"] = field(
        default="strip", validator=validators.in_(("strip", "keep"))
    )
    pdf_metadata: Literal["strip", "keep"] = field(
        default="keep", validator=validators.in_(("strip", "keep"))
    )
    animation: Literal["first", "sheet"] = field(
        default="first", validator=validators.in_(("first", "sheet"))
    )
    on_error: Literal["raise", "skip", "describe"] = field(
        default="raise", validator=validators.in_(("raise", "skip", "describe"))
    )
    max_bytes: int = field(default=10 * 1024 * 1024, validator=validators.gt(0))
    max_total_bytes: int = field(default=28 * 1024 * 1024, validator=validators.gt(0))
    max_document_bytes: int = field(default=32 * 1024 * 1024, validator=validators.gt(0))
    max_input_bytes: int = field(default=64 * 1024 * 1024, validator=validators.gt(0))
    max_fetch_bytes: int = field(default=10 * 1024 * 1024, validator=validators.gt(0))
    max_pixels: int = field(
        default=64_000_000, validator=[validators.gt(0), validators.le(_MOST_PIXELS)]
    )
    fetch_timeout: float = field(
        default=10.0, validator=validators.gt(0), metadata=option(harmless=True, above=0)
    )
    fetch_redirects: int = field(default=0, validator=validators.ge(0))
    max_fetches: int = field(default=100, validator=validators.ge(0))

    # Headers of the images that were sent, so that a long history costs nothing. An entry lives as
    # long as the source it is about.
    _sent: WeakKeyDictionary[Base64Source, Header] = field(
        init=False, factory=WeakKeyDictionary, repr=False
    )

    # What the server was taken for that the images of a turn's request were made for.
    _made_for = TurnState[list[Profile]](list)

    @hookimpl
    async def resolve_images(self, turn: Turn, request: Request) -> Request | None:
        """Resolve what is not resolved, and mend what the API would refuse."""
        media = find(request.messages)
        CHOSEN.setting[turn] = self.strategy
        if not media:
            return None
        check_possible(turn, (each.block for each in media))
        from hookline_plugins.images.one import Resolver  # noqa: PLC0415 -- most turns have no image

        self._made_for[turn][:] = [turn.profile]
        plan = self._plan(turn, request, media)
        todo = {
            key_of(each.block): each
            for each in reversed(media)  # of several that are the same, the first is named
            if self._needs_work(turn, each.block, plan)
        }
        work = list(reversed(todo.items()))
        fetched = sum(1 for _, each in work if url_to_fetch(turn, each.block, links=plan.links))
        if fetched > self.max_fetches:
            raise InputError(
                f"the request has {fetched} URLs to fetch, and max_fetches allows {self.max_fetches}"
            )
        resolver = Resolver(self, turn, plan, self._sent)
        results: dict[Hashable, Source | InputError] = {}
        for start in range(0, len(work), _AT_ONCE):
            turn.check_deadline("resolve_images")
            turn.report(Progress(self.name, start, len(work), _WHAT))
            batch = work[start : start + _AT_ONCE]
            done = await resolver.results(each.block for _, each in batch)
            results |= {key: result for (key, _), result in zip(batch, done, strict=True)}
        if work:
            turn.report(Progress(self.name, len(work), len(work), _WHAT))
        note_made(turn, len(resolver.made), plan.side)
        bad = [
            (each, result) for key, each in work if isinstance(result := results[key], InputError)
        ]
        if bad and self.on_error == "raise":
            raise refusal(bad) from bad[0][1]
        for each, error in bad:
            turn.trace.note("images", f"{each.label}, {each.place}, was not sent: {error}")
        described = self.on_error == "describe"

        def new(block: Block) -> Block | None:
            result = results.get(key_of(block))
            if isinstance(result, InputError):
                return words(block, result) if described else None
            return block if result is None else with_source(block, result)

        resolved = replace(request, new, NOTHING)
        lighter = await self._lightened(resolved, resolver)
        if lighter:
            resolved = replace(resolved, lambda block: _exchanged(block, lighter), NOTHING)
        note_tokens(turn, resolved)
        return None if resolved is request else resolved

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Make the images once more for another server, one of `fallback`: it may read less."""
        if turn in self._made_for and self._made_for[turn] != [turn.profile]:
            request = await self.resolve_images(turn, request) or request
        return await call_next(request)

    def _plan(self, turn: Turn, request: Request, media: list[Placed]) -> Plan:
        images = sum(1 for each in media if isinstance(each.block, Image | ImageBlock))
        facts, profile = turn.models.get(request.model), turn.profile
        return Plan(
            fit=self.fit,
            side=side_for(images),
            base64=min(self.max_bytes, profile.max_image or self.max_bytes),
            pixels=self.max_pixels,
            vision=facts.vision if facts is not None else None,
            strip=self.metadata == "strip",
            sheet=self.animation == "sheet",
            types=profile.image_types,
            links=profile.url_sources,
        )

    def _needs_work(self, turn: Turn, block: Block, plan: Plan) -> bool:
        if isinstance(block, Attachment):
            return block.kind != "uri"  # whoever knows the scheme resolves it, or the wire refuses
        source = source_of(block)
        if isinstance(source, Base64Source) and isinstance(block, ImageBlock):
            header = self._sent.get(source)
            too_long = plan.shrinks and len(source.data) > plan.base64
            return header is None or too_long or not plan.keeps(header)
        return bool(url_to_fetch(turn, block, links=plan.links)) or data_url_of(block) is not None

    async def _lightened(
        self, request: Request, resolver: "Resolver"
    ) -> dict[Source, Base64Source]:
        """Make images smaller, the oldest first, until all fit into one request that do not go by id."""
        media, turn = find(request.messages), resolver.turn
        bodies = [
            source for each in media if isinstance(source := source_of(each.block), Base64Source)
        ]
        body = turn.profile.max_body
        most = min(self.max_total_bytes, body - _REST if body else self.max_total_bytes)
        sizes = [len(source.data) for source in bodies]
        lighter: dict[Source, Base64Source] = {}
        if not resolver.plan.shrinks or sum(sizes) <= most:
            return lighter
        uploaded = set(by_id(turn, request)) if takes_ids(turn) else set()
        sizes = [len(source.data) for source in bodies if source not in uploaded]
        excess = sum(sizes) - most
        for each in media if excess > 0 else ():
            source = source_of(each.block)
            if not isinstance(each.block, ImageBlock) or not isinstance(source, Base64Source):
                continue
            if source in uploaded:
                continue
            size = len(source.data)
            if excess > 0 and source not in lighter and size > _LEAST_SHARE:
                plan = evolve(resolver.plan, base64=max(_LEAST_SHARE, size - excess))
                lighter[source] = await evolve(resolver, plan=plan).smaller(source)
                CHOSEN.say(turn, lighter[source], CHOSEN.own(turn, each.block))
            excess -= size - len(lighter[source].data) if source in lighter else 0
        if lighter:
            turn.trace.note(
                "images",
                f"{len(lighter)} images, the oldest, were made smaller: the request would have "
                f"{sum(sizes):,} bytes of them, and {most:,} are possible",
            )
        return lighter


def _exchanged(block: Block, lighter: dict[Source, Base64Source]) -> Block:
    source = source_of(block)
    if source is None or not isinstance(block, ImageBlock):
        return block
    return with_source(block, lighter.get(source, source))
