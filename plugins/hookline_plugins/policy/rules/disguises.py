"""What a text may hide: the same words in other letters, in escapes, in base64.

Whoever reads a text (a model does) sees through all of these, so a rule has to as well. It cannot see
through everything: not through ciphers, pictures, or a language that the pattern does not know.
"""

import html
import re
import unicodedata
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

__all__ = ["folded", "seen_through"]

_ROUNDS: Final = 2  # base64 within escapes, escapes within base64
_LONG: Final = 2000  # characters; in longer texts only longer words are taken for base64
_ALIGNMENTS: Final = 4
_SHIFTED: Final = 400  # characters; longer words are read from their beginning only
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([ntr\"\\/]))")
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r"}
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_LONG_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_ORDINARY: Final = re.compile(r"[A-Za-z]?[a-z]*(?:[-_/+][A-Za-z]?[a-z]*)*")
_STANDARD: Final = str.maketrans("-_", "+/")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
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


def seen_through(texts: Iterable[str], *, urls: bool = False) -> Iterator[str]:
    """Yield what the texts hide, if they hide something.

    Args:
        texts: as they are.
        urls: whether they are addresses, which write letters in another way still.

    """
    fresh = list(texts)
    known = set(fresh)
    for _ in range(_ROUNDS):
        found = [
            hidden
            for text in fresh
            for hidden in _within(text, urls=urls)
            if hidden and hidden not in known and not known.add(hidden)  # type: ignore[func-returns-value]  # it is noted on the way
        ]
        if not found:
            return
        yield from found
        fresh = found


def _within(text: str, *, urls: bool) -> Iterator[str]:
    if not text.isascii():
        yield folded(text)
    if "\\" in text:
        yield _ESCAPE.sub(_unescaped, text)
    if "&" in text and ";" in text:
        yield html.unescape(text)
    if urls and "%" in text:
        yield unquote(text)
    for word in (_LONG_CODED if len(text) > _LONG else _CODED).findall(text):
        if not _ORDINARY.fullmatch(word):
            yield from _decoded(word)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _SIMPLE.get(match[3], match[3])


def _decoded(word: str) -> Iterator[str]:
    if _HEX.fullmatch(word):
        yield _text(bytes.fromhex(word))
    word = word.rstrip("=").translate(_STANDARD)
    # Something may stand in front of it; the alignment is then not that of its first letter.
    for start in range(_ALIGNMENTS if len(word) <= _SHIFTED else 1):
        part = word[start:]
        part = part[: len(part) - (len(part) % _ALIGNMENTS == 1)]
        try:
            yield _text(b64decode(part + "=" * (-len(part) % _ALIGNMENTS)))
        except (Base64Error, ValueError):
            continue


def _text(data: bytes) -> str:
    return data.decode("utf-8", "ignore").replace("\0", "")
