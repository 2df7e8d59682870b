"""The plugin ``redact``: personal data and secrets stay here, and placeholders go out in their place.

Read `kinds` for what is known, `recognise` for how it is found, `placeholders` for what stands in its place,
`rewriting` for where; `seams`, `files` and `leftovers` for what is no text of its own.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal
from weakref import WeakKeyDictionary

from attrs import field, frozen

from hookline import (
    CallNext,
    ConfigError,
    MissingExtra,
    PolicyViolation,
    Request,
    Response,
    Turn,
    hookimpl,
)
from hookline.plugin import Layer, Principal, StreamFilter, TurnState, checks_options
from hookline.values import Base64Source
from hookline_plugins.policy.redact.files import as_base64, from_base64, look_into
from hookline_plugins.policy.redact.leftovers import media, texts
from hookline_plugins.policy.redact.placeholders import Placeholders
from hookline_plugins.policy.redact.restoring import Restoring
from hookline_plugins.policy.redact.rewriting import counted, holds, rewritten
from hookline_plugins.policy.redact.seams import recut
from hookline_plugins.policy.redact.showing import shown

if TYPE_CHECKING:
    from hookline_plugins.policy.redact.recognise import Recognition

__all__ = ["Redact"]

_EVERYBODY: Final = "*"
_UPLOAD: Final = "upload"
_WHO: Final = ("user", "team", "tenant")
_EXTRA: Final = {
    "re2": "google-re2",
    "phonenumbers": "phonenumbers",
    "stdnum": "python-stdnum",
}


@checks_options
@frozen(eq=False, kw_only=True)
class Redact:
    """Keeps personal data and secrets from leaving, in every part of every attempt.

    The conversation keeps the original. What cannot be rewritten (an address, the result of one of the
    API's own tools, a PDF) and holds something is refused; so is the name of an uploaded file or of a
    batch's item, since whoever comes for it later, perhaps in another process, could restore nothing. Metadata of images and PDFs is taken
    out. How many finds there were is noted in the trace, what they were never is.

    Attributes:
        action: ``"replace"`` (placeholders, restored in the reply), ``"mask"`` (the kind's name, for
            good) or ``"block"`` (refuse).
        kinds: which of the built-in kinds; by default all of them.
        countries: ISO codes of the countries whose national ids count, and whose phone numbers are
            recognised without the country's code.
        patterns: further kinds: a name, and a pattern in the syntax of RE2.
        words: words and phrases that count as a kind of their own, ``words``.
        restore_for: who sees the values again, in replies and in the input of tools:
            ``"user:NAME"``, ``"team:NAME"``, ``"tenant:NAME"``, ``"tag:KEY=VALUE"``, ``"*"`` for
            everybody.
        finders: further kinds, from code: a name, and a function that yields where in a text it found
            one (``(start, end)``), such as an analyser of Presidio.

    """

    name = "redact"
    role = "enforcer"
    layer = Layer.REDACT
    mirrored = True
    inline = True
    first = True  # among the enforcers: the others judge what is delivered, the values restored

    action: Literal["replace", "mask", "block"] = "replace"
    kinds: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    patterns: Mapping[str, str] = field(factory=dict)
    words: tuple[str, ...] = ()
    restore_for: tuple[str, ...] = (_EVERYBODY,)
    finders: Mapping[str, Any] = field(factory=dict)
    _recognition_or_missing: "Recognition | MissingExtra" = field(init=False, repr=False)
    # What images and documents are without their metadata; None stands for: as they were.
    _known: WeakKeyDictionary[Base64Source, Base64Source | None] = field(
        factory=WeakKeyDictionary, init=False, repr=False
    )
    _sent = TurnState(Placeholders)
    _media = TurnState(tuple[str, ...])
    _noted = TurnState(set[str])

    def __attrs_post_init__(self) -> None:
        for who in self.restore_for:
            group, colon, name = who.partition(":")
            tag = group == "tag" and "=" in name
            if who != _EVERYBODY and not (colon and name and (group in _WHO or tag)):
                raise ConfigError(
                    f"redact: restore_for holds {who!r}; write user:NAME, team:NAME, tenant:NAME, "
                    "tag:KEY=VALUE, or * for everybody"
                )
        object.__setattr__(self, "_recognition_or_missing", self._recognition())

    def _recognition(self) -> "Recognition | MissingExtra":
        try:
            from hookline_plugins.policy.redact.recognise import recognition  # noqa: PLC0415 -- an extra
        except ModuleNotFoundError as missing:
            if missing.name not in _EXTRA:
                raise
            return MissingExtra("redact", _EXTRA[missing.name], "the plugin redact")
        return recognition(self.kinds, self.countries, self.patterns, self.words, self.finders)

    @property
    def recognition(self) -> "Recognition":
        """What is to be found.

        Raises:
            MissingExtra: a package for that is not installed.

        """
        found = self._recognition_or_missing
        if isinstance(found, MissingExtra):
            raise found
        return found

    @hookimpl
    def open(self) -> None:
        """Look whether what is needed is installed."""
        self.recognition  # noqa: B018 -- raises

    @hookimpl
    def build_history(self, turn: Turn) -> None:
        """Hide in the trace what is hidden on the wire, before anybody may refuse the turn."""
        turn.trace.veil(self.shown)

    @hookimpl
    async def resolve_images(self, turn: Turn, request: Request) -> Request | None:
        """Look into a file before it is uploaded; what is masked in one stays so for good."""
        if turn.surface != _UPLOAD:
            return None
        counts: Counter[str] = Counter()

        async def look(block: Any) -> Any:
            content = await self._looked_into(turn, block.source, block.media_type or "", counts)
            return block if content == block.source else block.evolve(source=content)

        changed = await request.map_media(look, turn.io)
        self._note(turn, counts, "masked")
        return changed

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Let the request go on without what must not leave."""
        placeholders = Placeholders()
        turn.trace.veil(self.shown)  # a turn that is resumed has no beginning
        request = await self._without_metadata(turn, recut(request, self.recognition.find))
        replaces = self.action == "replace"
        changed = rewritten(request, self.recognition, placeholders, replaces=replaces)
        if self.action == "block" and placeholders.counts:
            raise holds("the request", placeholders.counts)
        self._note(turn, placeholders.counts, "masked" if self.action == "mask" else "replaced")
        self._sent[turn] = placeholders
        self._media[turn] = tuple(media(changed))
        return await call_next(changed)

    @hookimpl
    def check_request(self, turn: Turn, request: Request) -> None:
        """Refuse what holds something where nothing can be put in its place, or came in behind `send`."""
        said = self._sent[turn].said
        name = "the file's name" if turn.surface == _UPLOAD else "the custom_id"
        for path, text in ((name, turn.name), *texts(request)):
            if text not in said and (found := self.recognition.find(text)):
                raise PolicyViolation(
                    f"{path} holds {counted(Counter(each.kind for each in found))}, where no "
                    "placeholder can stand; take it out",
                    rule=found[0].kind,
                )
        if turn.surface != _UPLOAD and any(
            data not in self._media[turn] for data in media(request)
        ):
            raise PolicyViolation(
                "an image or document came in behind the plugin redact, which has not looked into it",
                rule="redact",
            )

    @hookimpl
    def filter_stream(self, turn: Turn) -> StreamFilter | None:
        """Put the values back in the place of their placeholders."""
        if self.action != "replace" or not self._may_see(turn.principal):
            return None
        placeholders: Placeholders = self._sent[turn]
        return Restoring(placeholders) if placeholders else None

    def shown(self, value: Any) -> Any:
        """Return JSON, or a text, with the name of its kind in the place of each find."""
        return shown(value, self.recognition)

    async def _without_metadata(self, turn: Turn, request: Request) -> Request:
        """Look into images and documents, each once as long as it lives."""
        counts: Counter[str] = Counter()

        async def look(block: Any) -> Any:
            source = getattr(block, "source", None)
            if not isinstance(source, Base64Source):
                return block
            new = self._known.get(source, source)
            if new is source:
                data = from_base64(source.data)
                if data is None:
                    raise PolicyViolation(
                        "base64 that is none cannot be looked into", rule="redact"
                    )
                content = await self._looked_into(turn, data, source.media_type, counts)
                new = None if content == data else source.evolve(data=as_base64(content))
                self._known[source] = new
            return block if new is None else block.evolve(source=new)

        if all(isinstance(message.content, str) for message in request.messages):
            return request
        return await request.map_media(look, turn.io)

    async def _looked_into(
        self, turn: Turn, data: bytes, media_type: str, counts: Counter[str]
    ) -> bytes:
        """Return a file without metadata, and without what its text must not hold."""
        looked = await turn.io.run_blocking(look_into, data, media_type)
        if looked.text is None:
            if self.action == "block":
                raise PolicyViolation(
                    f"a file of the type {media_type or 'unknown'} cannot be looked into, and so "
                    "may not leave (PDFs want the extra pdf)",
                    rule="redact",
                )
            turn.trace.note(self.name, f"a file of the type {media_type} was not looked into")
            return looked.data
        found = self.recognition.find(looked.text)
        if not found:
            return looked.data
        kinds = Counter(each.kind for each in found)
        if self.action == "block" or not looked.plain:
            raise holds(f"a file of the type {media_type}", kinds)
        counts.update(kinds)
        masked: str = self.shown(looked.text)
        return masked.encode()

    def _note(self, turn: Turn, counts: Counter[str], what: str) -> None:
        text = f"{counted(counts)} {what}"
        noted: set[str] = self._noted[turn]
        if counts and text not in noted:  # every attempt comes by
            noted.add(text)
            turn.trace.note(self.name, text)

    def _may_see(self, principal: Principal) -> bool:
        return any(_is(principal, who) for who in self.restore_for)


def _is(principal: Principal, who: str) -> bool:
    if who == _EVERYBODY:
        return True
    group, _, name = who.partition(":")
    if group == "tag":
        key, _, value = name.partition("=")
        return str(principal.tags.get(key)) == value
    return bool(getattr(principal, group) == name)
