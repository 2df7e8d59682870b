"""The plugin ``redact``: personal data and secrets stay here, and placeholders go out in their place.

Read `kinds` for what is known, `recognise` for how it is found, `placeholders` for what stands in its place.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

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
from hookline.plugin import Layer, Principal, StreamFilter, TurnState
from hookline.values import CitationsDelta, ContentBlockDelta, Event
from hookline_plugins.policy.redact.leftovers import leftovers
from hookline_plugins.policy.redact.placeholders import Found, Placeholders

if TYPE_CHECKING:
    from hookline_plugins.policy.redact.recognise import Recognition

__all__ = ["Redact"]

_EVERYBODY: Final = "*"
_WHO: Final = ("user", "team", "tenant")
_EXTRA: Final = {
    "re2": "google-re2",
    "phonenumbers": "phonenumbers",
    "stdnum": "python-stdnum",
}


@frozen(eq=False, kw_only=True)
class Redact:
    """Keeps personal data and secrets from leaving, in every part of every attempt.

    The conversation keeps the original. What cannot be rewritten (an address, the result of one of the
    API's own tools) and holds something is refused. How many finds there were is noted in the
    trace, what they were never is.

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
    _known: "Recognition | MissingExtra" = field(init=False, repr=False)
    _sent = TurnState(Placeholders)
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
        object.__setattr__(self, "_known", self._recognition())

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
        if isinstance(self._known, MissingExtra):
            raise self._known
        return self._known

    @hookimpl
    def open(self) -> None:
        """Look whether what is needed is installed."""
        self.recognition  # noqa: B018 -- raises

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Let the request go on without what must not leave."""
        changed, placeholders = self._redacted(request)
        if placeholders.counts:
            self._note(turn, placeholders.counts)
        self._sent[turn] = placeholders
        return await call_next(changed)

    @hookimpl
    def check_request(self, request: Request) -> None:
        """Refuse what holds something where nothing can be put in its place."""
        for path, text in leftovers(request):
            found = self.recognition.find(text)
            if found:
                raise PolicyViolation(
                    f"{path} holds {_counted(Counter(each.kind for each in found))}, where no "
                    "placeholder can stand; take it out",
                    rule=found[0].kind,
                )

    @hookimpl
    def filter_stream(self, turn: Turn) -> StreamFilter | None:
        """Put the values back in the place of their placeholders."""
        if self.action != "replace" or not self._may_see(turn.principal):
            return None
        placeholders: Placeholders = self._sent[turn]
        return _Restoring(placeholders) if placeholders else None

    def masked(self, text: str) -> str:
        """Return a text with the name of its kind in the place of each find."""
        return self._with_labels(text, self.recognition.find(text))

    def _with_labels(self, text: str, found: tuple[Found, ...]) -> str:
        for each in reversed(found):
            text = f"{text[: each.start]}[{self.recognition.labels[each.kind]}]{text[each.end :]}"
        return text

    def _redacted(self, request: Request) -> tuple[Request, Placeholders]:
        placeholders = Placeholders()

        def say(text: str) -> str:
            found = self.recognition.find(text)
            if self.action == "replace":
                return placeholders.replaced(text, found, self.recognition.labels)
            if not found:
                return text
            placeholders.counts.update(each.kind for each in found)
            return self._with_labels(text, found)

        # What stays the same from turn to turn first, so that it keeps its numbers.
        changed = request.map_text(say, where="tools").map_text(say, where="system")
        changed = _other_texts(changed, say).map_text(
            say, where=("messages", "tool_results", "documents", "tool_inputs")
        )
        if self.action == "block" and placeholders.counts:
            kinds = placeholders.counts
            raise PolicyViolation(
                f"the request holds {_counted(kinds)}, which may not leave; take it out",
                rule=next(iter(kinds)),
            )
        return changed, placeholders

    def _note(self, turn: Turn, counts: Counter[str]) -> None:
        text = f"{_counted(counts)} {'masked' if self.action == 'mask' else 'replaced'}"
        noted: set[str] = self._noted[turn]
        if text not in noted:  # every attempt comes by
            noted.add(text)
            turn.trace.note(self.name, text)

    def _may_see(self, principal: Principal) -> bool:
        return any(_is(principal, who) for who in self.restore_for)


class _Restoring(StreamFilter):
    """Restores values in text, in the input of tools, and in what citations quote."""

    sees = "deltas"

    def __init__(self, placeholders: Placeholders) -> None:
        self._restored = placeholders.restored
        self._texts = StreamFilter.deltas(
            placeholders.restored,
            look_behind=placeholders.longest,
            kinds=("text", "input_json"),
        )

    def begin(self, prefill: str, *, whole: bool) -> None:
        self._texts.begin(prefill, whole=whole)

    def feed(self, event: Event) -> Any:
        if isinstance(event, ContentBlockDelta) and isinstance(event.delta, CitationsDelta):
            citation = event.delta.citation
            quoted = getattr(citation, "cited_text", None)
            if isinstance(quoted, str) and (said := self._restored(quoted)) != quoted:
                cited = event.delta.evolve(citation=citation.evolve(cited_text=said))
                return (event.evolve(delta=cited),)
        return self._texts.feed(event)


def _other_texts(request: Request, say: Any) -> Request:
    """Rewrite the texts that are the caller's own and no part of the conversation."""
    changes: dict[str, Any] = {}
    if request.metadata:
        metadata = {
            key: say(value) if isinstance(value, str) else value
            for key, value in request.metadata.items()
        }
        if metadata != request.metadata:
            changes["metadata"] = metadata
    if request.stop_sequences:
        sequences = tuple(map(say, request.stop_sequences))
        if sequences != request.stop_sequences:
            changes["stop_sequences"] = sequences
    return request.evolve(**changes) if changes else request


def _is(principal: Principal, who: str) -> bool:
    if who == _EVERYBODY:
        return True
    group, _, name = who.partition(":")
    if group == "tag":
        key, _, value = name.partition("=")
        return str(principal.tags.get(key)) == value
    return bool(getattr(principal, group) == name)


def _counted(counts: Mapping[str, int]) -> str:
    """Return counts in words: ``2 mail, 1 card``."""
    return ", ".join(f"{count} {kind}" for kind, count in _items(counts))


def _items(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
