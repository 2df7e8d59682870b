"""Finding what must not leave in a text: all kinds at once, without overlaps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import re2
from attrs import frozen

from hookline import ConfigError
from hookline_plugins.policy.redact.kinds import KINDS, Finder, ascii_digits
from hookline_plugins.policy.redact.national import COUNTRIES
from hookline_plugins.policy.redact.placeholders import Found

__all__ = ["Recogniser", "Recognition", "own_pattern", "recogniser", "recognition", "words_pattern"]

_MEMORY: Final = 64 << 20  # bytes for the automaton of all hints
_REMEMBERED: Final = 2048  # texts: a conversation brings the same ones along, turn after turn
_REMEMBERED_LONG: Final = 16
_LONG: Final = 10_000  # characters


Recogniser = Callable[[str], tuple[Found, ...]]
"""Returns what a text holds, in order, without overlaps."""


@frozen
class Recognition:
    """What is to be found, and what it is called on the wire.

    Attributes:
        find: says what a text holds.
        labels: what placeholders of each kind are called.

    """

    find: Recogniser
    labels: Mapping[str, str]


def recognition(
    kinds: Iterable[str],
    countries: Sequence[str],
    patterns: Mapping[str, str],
    words: Sequence[str],
    finders: Mapping[str, Finder],
) -> Recognition:
    """Return what the options of the plugin ask for; see `Redact`.

    Raises:
        ConfigError: there is no such kind or country, or a pattern or word that cannot be used.

    """
    own = dict(finders)
    own |= {name: own_pattern(name, pattern) for name, pattern in patterns.items()}
    hints = dict(patterns)
    if words:
        hints["words"] = words_pattern(words)
        own["words"] = own_pattern("words", hints["words"])
    labels = {name: kind.label for name, kind in KINDS.items()} | {n: _label(n) for n in own}
    return Recognition(recogniser(kinds or KINDS, countries, own, hints), labels)


def recogniser(
    kinds: Iterable[str],
    countries: Sequence[str] = (),
    own: Mapping[str, Finder] | None = None,
    hints: Mapping[str, str] = MappingProxyType({}),
) -> Recogniser:
    """Return what recognises some kinds, and remembers the texts that it has seen last.

    Args:
        kinds: names of built-in kinds.
        countries: ISO codes, for national ids and phone numbers.
        own: further finders by the name of their kind.
        hints: patterns of which a text holds a match wherever these finders find something; who has
            none is always asked.

    Raises:
        ConfigError: there is no such kind or country.

    """
    codes = tuple(code.upper() for code in countries)
    for given, known, what in ((kinds, KINDS, "kind"), (codes, COUNTRIES, "country")):
        for name in given:
            if name not in known:
                raise ConfigError(f"redact: there is no {what} {name!r}; known: {', '.join(known)}")
    asked = [(name, find, hints.get(name, "")) for name, find in (own or {}).items()]
    asked += [
        (name, _in_ascii(kind.finder(codes)), kind.hint(codes))
        for name, kind in KINDS.items()
        if name in set(kinds)
    ]
    asked = [each for each in asked if each[0] != "national_id" or codes]
    hinted = _hinted([hint for _, _, hint in asked])

    def recognise(text: str) -> tuple[Found, ...]:
        spans = [
            (start, place, end, asked[place][0])
            for place in hinted(text)
            for start, end in asked[place][1](text)
            if start < end
        ]
        return _apart(spans) if spans else ()

    short = lru_cache(maxsize=_REMEMBERED)(recognise)
    long = lru_cache(maxsize=_REMEMBERED_LONG)(recognise)
    return lambda text: short(text) if len(text) <= _LONG else long(text)


def _hinted(hints: Sequence[str]) -> Callable[[str], Sequence[int]]:
    """Return what says, in one pass over a text, which finders may find something there."""
    always = [place for place, hint in enumerate(hints) if not hint]
    places = [place for place, hint in enumerate(hints) if hint]
    if not places:
        return lambda _text: always
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    together = re2.Set.SearchSet(options)
    for place in places:
        together.Add(hints[place])
    try:
        together.Compile()
    except re2.error as error:
        raise ConfigError(
            f"redact: the patterns together are more than RE2 holds in {_MEMORY >> 20} MB"
        ) from error

    def hinted(text: str) -> Sequence[int]:
        try:
            found = together.Match(text)
        except UnicodeEncodeError:  # half a surrogate pair: everybody is asked
            return range(len(hints))
        return sorted((*always, *(places[number] for number in found))) if found else always

    def in_every_script(text: str) -> Sequence[int]:
        folded = ascii_digits(text)
        return hinted(text) if folded == text else sorted({*hinted(text), *hinted(folded)})

    return in_every_script


def _in_ascii(find: Finder) -> Finder:
    return lambda text: find(ascii_digits(text))


def _apart(spans: list[tuple[int, int, int, str]]) -> tuple[Found, ...]:
    """Return spans without overlaps: those that overlap are one, of the kind that stands first."""
    spans.sort()
    apart: list[tuple[int, int, int, str]] = []
    for span in spans:
        if apart and span[0] < apart[-1][2]:
            start, place, end, kind = apart[-1]
            first, name = min((place, kind), (span[1], span[3]))
            apart[-1] = (start, first, max(end, span[2]), name)
        else:
            apart.append(span)
    return tuple(Found(kind, start, end) for start, _, end, kind in apart)


def own_pattern(name: str, pattern: str) -> Finder:
    """Return the finder of a pattern of the user's own, which runs in linear time whatever it says.

    Args:
        name: of the pattern, for messages.
        pattern: in the syntax of RE2.

    Raises:
        ConfigError: it is no pattern, or matches the empty text.

    """
    try:
        compiled: Any = re2.compile(pattern)
    except re2.error as error:
        raise ConfigError(
            f"redact: the pattern {name!r} cannot be used: {_words(error)} (the syntax is RE2's, "
            "without look-around and back-references)"
        ) from error
    if compiled.search(""):
        raise ConfigError(f"redact: the pattern {name!r} matches the empty text, and so everything")
    return lambda text: [match.span() for match in compiled.finditer(text)]


def words_pattern(words: Sequence[str]) -> str:
    """Return the pattern of words and phrases, in upper and lower case alike, with any white space.

    Raises:
        ConfigError: one of them is blank.

    """
    if any(not word.strip() for word in words):
        raise ConfigError("redact: a word is blank")
    phrases = sorted((_phrase(word) for word in words), key=len, reverse=True)
    return f"(?i)(?:{'|'.join(phrases)})"


def _phrase(word: str) -> str:
    inner = r"\s+".join(re2.escape(part) for part in word.split())
    # RE2 knows only the word boundaries of ASCII.
    before, after = (
        r"\b" if end.isascii() and end.isalnum() else "" for end in (word[0], word[-1])
    )
    return f"{before}{inner}{after}"


def _words(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _label(name: str) -> str:
    """Return a name as it stands in a placeholder."""
    label = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.upper()).strip("_")
    return label if label[:1].isalpha() else f"X_{label}".rstrip("_")
