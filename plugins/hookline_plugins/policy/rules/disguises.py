"""What a text may hide: the same words in other letters, in escapes, in base64.

Whoever reads a text (a model does) sees through all of these, so a rule has to as well. It cannot see
through everything: not through ciphers, pictures, or a language that the pattern does not know.
"""

import html
import re
import unicodedata
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from attrs import frozen

__all__ = ["HIDING", "folded", "seen_through"]

_ROUNDS: Final = 2  # base64 within escapes, escapes within base64
_LONG: Final = 2000  # characters; in longer texts only longer words are taken for base64
_ALIGNMENTS: Final = 4
_SHIFTED: Final = 400  # characters; longer words are read from their beginning only
_SHORT: Final = 4000  # characters; longer texts are not remembered in such numbers
_SPACE: Final = re.compile(r"\s")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([ntr\"\\/]))")
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r"}
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_LONG_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_ORDINARY: Final = re.compile(r"[A-Za-z]?[a-z]*(?:[-_/+][A-Za-z]?[a-z]*)*")
_STANDARD: Final = str.maketrans("-_", "+/")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")


def _runs(length: int) -> str:
    """Return the pattern of words of a length that ordinary writing has not: a digit or a capital within."""
    one = r"[A-Za-z0-9+/_-]"
    places = [f"{one}{{{n}}}[0-9]{one}{{{length - 1 - n}}}" for n in range(length)]
    places += [f"{one}{{{n}}}[A-Za-z][A-Z]{one}{{{length - 2 - n}}}" for n in range(length - 1)]
    return "|".join(places)


HIDING: Final = (_runs(8), r"[^\x00-\x7f]|[\\&%]")
"""Patterns (RE2) of what may hide something. Where none is found, `seen_through` yields nothing."""

# Letters of other alphabets that look like Latin ones.
_LOOKALIKES: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυχɡɩ",
    "ABESIJKMHOPCTYXaesijopcyxhdqwabcdeghijklmnoprtuvwyzABEZHIKMNOPTYXaiknopuxgi",
)


class _Letters(dict[int, int | None]):
    """What stands for a letter, found out once for each: itself, or nothing if it cannot be seen."""

    def __missing__(self, letter: int) -> int | None:
        character = chr(letter)
        unseen = unicodedata.category(character) in _UNSEEN or character in _BLANK
        self[letter] = plain = None if unseen else letter
        return plain


_UNSEEN: Final = ("Cf", "Mn", "Me")
_BLANK: Final = "\u115f\u1160\u3164\uffa0"  # letters without a shape
_PLAIN: Final = _Letters(_LOOKALIKES)


def folded(text: str) -> str:
    """Return a text in the plainest letters: what cannot be seen left out, what looks alike made one."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).translate(_PLAIN)


def seen_through(pieces: Sequence[str]) -> Iterator[str]:
    """Yield what the pieces of a text hide, each for itself and all of them together.

    Args:
        pieces: as they are.

    """
    seen = [_seen(piece) for piece in pieces]
    known = [list(pieces)]
    for form in zip(*[each.forms for each in seen], strict=True):
        written = list(form)
        if written not in known:
            known.append(written)
            yield "\n".join(written)
            if len(written) > 1:
                yield "".join(written)
    # A word that is split may be written otherwise where it is cut; then the whole text is looked at.
    seams = [(seam, _seen(seam)) for seam in _seams(pieces)]
    if any(form != seam for seam, each in seams for form in each.forms):
        yield from _look("".join(pieces)).forms
    for _, each in seams:
        yield from each.decoded
    for each in seen:
        yield from each.decoded


@frozen
class _Seen:
    """What one text hides.

    Attributes:
        forms: the text with plain letters, without escapes, and both.
        decoded: what its words stand for.

    """

    forms: tuple[str, ...]
    decoded: tuple[str, ...]


def _seen(text: str) -> _Seen:
    return _seen_short(text) if len(text) <= _SHORT else _seen_long(text)


def _look(text: str) -> _Seen:
    bare = _without_escapes(text)
    barest = folded(_without_escapes(bare))
    known = {text, bare, barest}
    decoded: list[str] = []
    words = [word for each in known for word in _coded_words(each)]
    for _ in range(_ROUNDS):
        fresh: list[str] = []
        for each in (hidden for word in words for hidden in _decoded(word)):
            plain = folded(_without_escapes(each))
            fresh += [new for new in dict.fromkeys((each, plain)) if new and new not in known]
            known.update(fresh)
        decoded += fresh
        words = [word for each in fresh for word in _coded_words(each)]
    return _Seen((folded(text), bare, barest), tuple(decoded))


# A conversation brings the same texts along, turn after turn.
_seen_short: Final = lru_cache(maxsize=512)(_look)
_seen_long: Final = lru_cache(maxsize=16)(_look)


def _seams(pieces: Sequence[str]) -> Iterator[str]:
    """Yield the words that stand in more than one piece, if the pieces are read as one text."""
    begun, joined = "", False
    for piece in pieces:
        first = _SPACE.search(piece)
        if first is None:
            begun, joined = begun + piece, bool(begun)
            continue
        if begun and first.start():
            yield begun + piece[: first.start()]
        elif joined:
            yield begun
        begun, joined = "" if piece[-1].isspace() else piece.rsplit(None, 1)[-1], False
    if joined:
        yield begun


def _without_escapes(text: str) -> str:
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    if "&" in text:
        text = html.unescape(text)
    return unquote(text) if "%" in text else text


def _coded_words(text: str) -> Sequence[str]:
    """Return the words of a text that may be code."""
    words = (_LONG_CODED if len(text) > _LONG else _CODED).findall(text)
    return [word for word in words if not _ORDINARY.fullmatch(word)]


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _SIMPLE.get(match[3], match[3])


def _decoded(word: str) -> tuple[str, ...]:
    found = [_text(bytes.fromhex(word))] if _HEX.fullmatch(word) else []
    word = word.rstrip("=").translate(_STANDARD)
    # Something may stand in front of it; the alignment is then not that of its first letter.
    for start in range(_ALIGNMENTS if len(word) <= _SHIFTED else 1):
        part = word[start:]
        part = part[: len(part) - (len(part) % _ALIGNMENTS == 1)]
        try:
            found.append(_text(b64decode(part + "=" * (-len(part) % _ALIGNMENTS))))
        except (Base64Error, ValueError):
            continue
    return tuple(found)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "ignore").replace("\0", "")
