r"""The texts in the JSON of a tool's input, while it arrives: rules see what is meant, not the escapes.

A word may be written in JSON in a thousand ways (``"\u0073ecret"``), and cut anywhere. So each string
that is a value is read, goes through the rule by itself, and is written anew; everything around it,
keys and numbers included, goes on as it is.
"""

import json
import re
from collections.abc import Callable
from typing import Final

from hookline.filters.asking import Asks
from hookline.filters.running_text import RunningText
from hookline.wire.partial_json import read_escape

__all__ = ["JSONStrings"]

_PLAIN: Final = re.compile(r'[^"\\]*')
_AROUND: Final = re.compile(r"[{}\[\],:\s]*")
_WORD: Final = re.compile(r'[^"{}\[\],:\s]*')
_HALF: Final = re.compile("[\ud800-\udfff]")


class JSONStrings:
    """The JSON text of one tool's input.

    Text that turns out to be no JSON is one running text from there on: nothing passes unseen.

    Args:
        begin: makes the running text of one string.

    """

    def __init__(self, begin: Callable[[], RunningText]) -> None:
        self._begin = begin
        self._open: list[str] = []  # the brackets
        self._key_follows = False
        self._in_key = False
        self._string: RunningText | None = None
        self._loose: RunningText | None = None  # what is no JSON
        self._word = ""  # a number or literal that has begun
        self._rest = ""  # the beginning of an escape

    def feed(self, text: str) -> Asks[str]:
        """Take in more; return what may go on."""
        text, self._rest = self._rest + text, ""
        out: list[str] = []
        position = 0
        while position < len(text):
            if self._loose is not None:
                lost, self._word = self._word + text[position:], ""
                out.append((yield from self._loose.feed(lost)))
                break
            if self._string is not None:
                position = yield from self._value(self._string, text, position, out)
            elif self._in_key:
                position = self._key(text, position, out)
            else:
                position = self._structure(text, position, out)
        return "".join(out)

    def end(self) -> Asks[str]:
        """Return what becomes of what is still held."""
        out: list[str] = []
        if self._string is not None:
            out.append(_written((yield from self._string.end())))
        if self._word and not _is_scalar(self._word):
            self._loose = self._loose or self._begin()
        if self._loose is None:
            out.append(self._word)
        else:
            out.append((yield from self._loose.feed(self._word)))
            out.append((yield from self._loose.end()))
        return "".join([*out, self._rest])

    def _structure(self, text: str, position: int, out: list[str]) -> int:
        word = _WORD.match(text, position)
        end = word.end() if word else position
        self._word += text[position:end]
        if end == len(text):
            return end
        if self._word:
            if not _is_scalar(self._word):
                self._loose = self._begin()
                return end
            out.append(self._word)
            self._word = ""
        if text[end] == '"':
            out.append('"')
            if self._key_follows:
                self._in_key = True
            else:
                self._string = self._begin()
            return end + 1
        around = _AROUND.match(text, end)
        after = around.end() if around else end
        for mark in text[end:after]:
            self._take(mark)
        out.append(text[end:after])
        return after

    def _take(self, mark: str) -> None:
        if mark in "{[":
            self._open.append(mark)
        elif mark in "}]" and self._open:
            self._open.pop()
        if mark in "{[,":
            self._key_follows = bool(self._open) and self._open[-1] == "{"
        elif mark == ":":
            self._key_follows = False

    def _key(self, text: str, position: int, out: list[str]) -> int:
        plain = _PLAIN.match(text, position)
        end = plain.end() if plain else position
        if text[end : end + 1] == '"':
            self._in_key = False
            end += 1
        elif text[end : end + 1] == "\\":
            if end + 1 == len(text):
                self._rest = "\\"
            else:
                end += 2
        out.append(text[position:end])
        return end + len(self._rest)

    def _value(self, string: RunningText, text: str, position: int, out: list[str]) -> Asks[int]:
        pieces: list[str] = []
        while True:
            plain = _PLAIN.match(text, position)
            end = plain.end() if plain else position
            pieces.append(text[position:end])
            if text[end : end + 1] != "\\":
                break
            try:
                escape = read_escape(text, end)
            except ValueError:
                self._loose = self._begin()
                break
            if escape is None:
                self._rest = text[end:]
                break
            character, position = escape
            pieces.append(character)
        out.append(_written((yield from string.feed("".join(pieces)))))
        if self._rest:
            return len(text)
        if end < len(text):  # its closing quote, or what is no escape
            out.append(_written((yield from string.end())))
            self._string = None
            if self._loose is None:
                out.append('"')
                end += 1
        return end


def _is_scalar(word: str) -> bool:
    try:
        return not isinstance(json.loads(word), str)
    except ValueError:
        return False


def _written(text: str) -> str:
    """Return a text as it stands between the quotes of a JSON string."""
    inner = json.dumps(text, ensure_ascii=False)[1:-1]
    return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", inner)
