"""What a text may hide: the same words in other letters, in escapes, in base64.

Whoever reads a text (a model does) sees through all of these, so a rule has to as well. It cannot see
through everything: not through ciphers, pictures, or a language that the pattern does not know.
"""

import html
import re
import unicodedata
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

__all__ = ["HIDING", "folded", "seen_through"]

_ROUNDS: Final = 2  # base64 within escapes, escapes within base64
_LONG: Final = 2000  # characters; in longer texts only longer words are taken for base64
_ALIGNMENTS: Final = 4
_SHIFTED: Final = 400  # characters; longer words are read from their beginning only
_REMEMBERED: Final = 8000  # characters; of longer texts nothing is kept
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


HIDING: Final = (_runs(8), r"[^\x00-\x7f]|[\\&]", "%")
"""Patterns (RE2) of what may hide something, the last in addresses alone. Where none is found,
`seen_through` yields nothing."""

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


def seen_through(pieces: Sequence[str], *, urls: bool = False) -> Iterator[str]:
    """Yield what the pieces of a text hide, each for itself and all of them together.

    Args:
        pieces: as they are.
        urls: whether they are addresses, which write letters in another way still.

    """
    wholes = [pieces[0]] if len(pieces) == 1 else ["\n".join(pieces), "".join(pieces)]
    known = set(wholes)
    words = [word for piece in (*pieces, *_seams(pieces)) for word in _coded_words(piece)]
    fresh: list[str] = []
    for _ in range(_ROUNDS):
        found: list[str] = []
        for hidden in (*_written_otherwise(fresh or wholes, urls=urls), *_read(words)):
            if hidden and hidden not in known:
                known.add(hidden)
                found.append(hidden)
        if not found:
            return
        yield from found
        fresh, words = found, [word for text in found for word in _coded_words(text)]


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


def _written_otherwise(texts: Iterable[str], *, urls: bool) -> Iterator[str]:
    for text in texts:
        if not text.isascii():
            yield folded(text)
        if "\\" in text:
            yield _ESCAPE.sub(_unescaped, text)
        if "&" in text:
            yield html.unescape(text)
        if urls and "%" in text:
            yield unquote(text)


def _read(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        yield from _decoded(word)


def _coded_words(text: str) -> Sequence[str]:
    """Return the words of a text that may be code."""
    return _coded_of_short(text) if len(text) <= _REMEMBERED else _coded(text)


def _coded(text: str) -> tuple[str, ...]:
    words = (_LONG_CODED if len(text) > _LONG else _CODED).findall(text)
    return tuple([word for word in words if not _ORDINARY.fullmatch(word)])


# A conversation brings the same texts along, turn after turn.
_coded_of_short: Final = lru_cache(maxsize=1024)(_coded)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _SIMPLE.get(match[3], match[3])


@lru_cache(maxsize=1024)
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
