"""Looking for many patterns at once, in time that grows with the text alone (RE2)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from attrs import frozen

from hookline.errors import ConfigError, MissingExtra
from hookline_plugins.policy.rules.disguises import HIDING, folded, seen_through
from hookline_plugins.policy.rules.keys import Part

__all__ = ["Hit", "Patterns", "longest", "reach_of", "word_pattern"]

_MEMORY: Final = 128 << 20  # bytes for the automaton; RE2 makes its states as it needs them
_SHOWN: Final = 60
_REMEMBERED: Final = 4000  # characters of a part
_MOST_KEPT: Final = 256
_NEW: Final = "reply"  # the part that is never the same twice
_EDGE: Final = r"[^\p{L}\p{N}]"
# What says where a text begins or ends, and not only a line: it is not looked for in several texts at once.
_OF_WHOLE_TEXTS: Final = re.compile(r"\\[AzZ]|\(\?[a-zA-Z]*-")
_GAP: Final = 64  # characters between two words within a phrase that a stream is held back for


@frozen
class Hit:
    """Where a pattern was found, without what stands there.

    Attributes:
        number: of the pattern.
        part: in which it was found.
        start: characters before it.
        length: of what was found.

    """

    number: int
    part: str
    start: int
    length: int

    @property
    def evidence(self) -> str:
        """The place in words."""
        return f"{self.part}, {self.length} characters at {self.start}"


def word_pattern(words: Sequence[str]) -> str:
    """Return the pattern of whole words, in any case of letters.

    A word ends where no letter or digit follows; between the parts of a phrase may stand whatever is
    neither (``project_zephyr``, ``project "Zephyr"``, ``**project** zephyr``). What a word itself is,
    stands in the group ``word``.
    """
    return f"(?i)(?:^|{_EDGE})(?P<word>{'|'.join(map(_word, words))})(?:{_EDGE}|$)"


def _word(word: str) -> str:
    return f"{_EDGE}+".join(re.escape(part) for part in folded(word).split())


def reach_of(words: Sequence[str]) -> int:
    """Return how many characters one of the words has at most, with some room between its parts."""
    return max(len(word) + 2 + _GAP * (len(word.split()) - 1) for word in words)


class Patterns:
    """A set of patterns, each looked for in some parts only.

    All are looked for in one pass, together with what may hide something. Nearly every text holds
    neither, and then that pass, over all parts at once, was all that it took.

    Args:
        wanted: each pattern with the parts it is for; None is all of them.

    Raises:
        ConfigError: a pattern that RE2 does not take.
        MissingExtra: RE2 is not installed.

    """

    def __init__(self, wanted: Sequence[tuple[str, frozenset[str] | None]]) -> None:
        self._parts = [parts for _, parts in wanted]
        self._everywhere = any(parts is None for parts in self._parts)
        self._somewhere: frozenset[str] = frozenset().union(*filter(None, self._parts))
        self._at_once = not any(_OF_WHOLE_TEXTS.search(pattern) for pattern, _ in wanted)
        self._single: list[Any] = []
        self._all: Any = None
        self._kept: dict[tuple[str, ...], tuple[Hit, ...]] = {}
        if not wanted:
            return
        engine = _engine()
        options = engine.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        together = engine.Set.SearchSet(options)
        for pattern, _ in wanted:
            try:
                self._single.append(engine.compile("(?m)" + pattern, options))
                together.Add("(?m)" + pattern)
            except (engine.error, RuntimeError, ValueError) as error:
                said = error.args[0] if error.args else error
                why = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
                raise ConfigError(
                    f"{pattern[:_SHOWN]!r} is no pattern that RE2 takes ({why}); it knows neither "
                    "look-around nor back references"
                ) from error
        for pattern in HIDING:
            together.Add(pattern)
        try:
            together.Compile()
        except engine.error as error:
            raise ConfigError(
                f"the {len(wanted)} patterns together are more than RE2 holds in "
                f"{_MEMORY >> 20} MB; write shorter repetitions"
            ) from error
        self._all = together

    def __bool__(self) -> bool:
        return self._all is not None

    def wants(self, part: str) -> bool:
        """Say whether some pattern is for a part."""
        return self._everywhere or part in self._somewhere

    def search(self, texts: Mapping[Part, Sequence[str]]) -> Iterator[Hit]:
        """Yield where patterns are found, each at most once a part.

        A word may be split over pieces, or end with one: both readings are looked at.

        Args:
            texts: the pieces of each part.

        """
        if self._all is None:
            return
        fresh: dict[Part, tuple[str, ...]] = {}
        for part, pieces in texts.items():
            if not pieces or not self.wants(part):
                continue
            key = (part, *pieces)
            known = self._kept.get(key) if part != _NEW else None
            if known is None:
                fresh[part] = key
            else:
                yield from known
        if fresh and self._at_once:
            readings = [text for key in fresh.values() for text in _readings(key[1:])]
            if not self._found("\n".join(readings)):
                for key in fresh.values():
                    self._keep(key, ())
                return
        for part, key in fresh.items():
            hits = tuple(self._in_part(part, key[1:]))
            self._keep(key, hits)
            yield from hits

    def _keep(self, key: tuple[str, ...], hits: tuple[Hit, ...]) -> None:
        """Remember short parts: tools, metadata, headers are the same, turn after turn."""
        if key[0] != _NEW and sum(map(len, key)) <= _REMEMBERED:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = hits

    def _in_part(self, part: Part, pieces: Sequence[str]) -> Iterator[Hit]:
        known: set[int] = set()
        hiding = False
        for text in _readings(pieces):
            found = self._found(text)
            hiding = hiding or any(number >= self._hidden for number in found)
            yield from self._hits(found, part, text, known)
        if hiding:
            # What is hidden may be split as well; that it ends with a piece, is nothing to it.
            hidden = list(seen_through(pieces))
            if not self._at_once or any(n < self._hidden for n in self._found("\n".join(hidden))):
                for text in hidden:
                    yield from self._hits(self._found(text), part, text, known)

    def _hits(self, found: Iterable[int], part: Part, text: str, known: set[int]) -> Iterator[Hit]:
        for number in found:
            if number in known or number >= self._hidden:
                continue
            parts = self._parts[number]
            if parts is None or part in parts:
                known.add(number)
                yield self._hit(number, part, text)

    @property
    def _hidden(self) -> int:
        """The number of the first pattern that finds no word, but what may hide one."""
        return len(self._single)

    def _found(self, text: str) -> Sequence[int]:
        try:
            return self._all.Match(text) or ()
        except UnicodeEncodeError:  # half a surrogate pair, which is no letter
            return (*(self._all.Match(_whole(text)) or ()), self._hidden)

    def _hit(self, number: int, part: str, text: str) -> Hit:
        single = self._single[number]
        match = single.search(_whole(text))
        start, end = match.span(single.groupindex.get("word", 0)) if match else (0, len(text))
        return Hit(number, part, start, end - start)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _readings(pieces: Sequence[str]) -> Sequence[str]:
    return (pieces[0],) if len(pieces) == 1 else ("\n".join(pieces), "".join(pieces))


def longest(pattern: str) -> int | None:
    """Return how many characters a match has at most, or None where there is no limit to it.

    Python's own parser tells; what it does not take of RE2's syntax counts as without limit.
    """
    parser = import_module("re._parser")
    try:
        _, most = parser.parse(pattern).getwidth()
    except (re.error, RecursionError, OverflowError):
        return None
    return int(most) if most < parser.MAXREPEAT else None


def _engine() -> Any:
    try:
        return import_module("re2")
    except ImportError as error:
        raise MissingExtra("policy", "google-re2", "the patterns of rules") from error
