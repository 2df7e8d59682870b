"""Reading a JSON document while it is written: a value for every beginning of it.

A `PartialJSON` is fed pieces of text, cut anywhere, and tells at any time what they mean so far.
Strings, arrays and objects count as far as they have come; a number, a literal, an escape or a key
counts when it is whole, because half of one may mean something else. So each value is a prefix of
the next.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from hookline.wire import json

__all__ = ["NOTHING", "PartialJSON", "read_escape"]


class _Nothing:
    """The type of `NOTHING`."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()
"""No value yet, which is not null."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = re.compile(r'[^"\\]*')
_SCALAR: Final = re.compile(r"[-+.0-9A-Za-z]*")
_ESCAPES: Final[Mapping[str, str]] = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}  # fmt: skip -- a table of pairs
_UNIT: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_UNIT_LENGTH: Final = 6
_HIGH: Final = range(0xD800, 0xDC00)
_LOW: Final = range(0xDC00, 0xE000)


class _Level:
    """An array or object that is open, and the key whose value it waits for."""

    def __init__(self, container: list[Any] | dict[str, Any]) -> None:
        self.container = container
        self.key = ""

    def add(self, value: Any) -> None:
        if isinstance(self.container, dict):
            self.container[self.key] = value
        else:
            self.container.append(value)

    def with_value(self, value: Any) -> list[Any] | dict[str, Any]:
        """Return a copy, with a value that is not finished put in."""
        if value is NOTHING:
            return self.container.copy()
        if isinstance(self.container, dict):
            return {**self.container, self.key: value}
        return [*self.container, value]


class PartialJSON:
    """A JSON document as far as it has come; reading it is linear in its length.

    Attributes:
        broken: whether the text turned out to be no JSON; the value stays what it was until then.

    Example:
        >>> reader = PartialJSON()
        >>> reader.feed('{"genus": "Messor", "species": "barb')
        >>> reader.value
        {'genus': 'Messor', 'species': 'barb'}

    """

    def __init__(self) -> None:
        self.broken = False
        self._open: list[_Level] = []
        self._root: Any = NOTHING
        self._pieces: list[str] = []  # of the string, key or scalar that has begun
        self._in_text = False  # whether they are those of a string that is a value
        self._rest = ""  # the beginning of an escape
        self._read: Callable[[str, int], int] = self._value

    def feed(self, text: str) -> None:
        """Take in the next piece. Text that is no JSON is not an error but sets ``broken``.

        Args:
            text: any piece, cut anywhere.

        """
        if self.broken:
            return
        text, self._rest = self._rest + text, ""
        position = 0
        try:
            while position < len(text):
                position = self._read(text, position)
        except ValueError:  # no JSON, or a number of more digits than Python reads
            self.broken = True

    @property
    def value(self) -> Any:
        """What has come so far, or `NOTHING`.

        A new object each time, as far as it still grows; its finished parts are shared with earlier
        values, so copy before you change one.
        """
        if self._root is not NOTHING:
            return self._root
        value: Any = NOTHING
        if self._in_text:
            value = "".join(self._pieces)
            self._pieces[:] = [value]  # the next time there are few to join
        for level in reversed(self._open):
            value = level.with_value(value)
        return value

    # Each method below reads one thing from ``text`` at ``position``, says in ``self._read`` what
    # comes next, and returns where it stopped.

    def _value(self, text: str, position: int) -> int:
        position = _after_space(text, position)
        opening = text[position : position + 1]
        if opening == '"':
            self._in_text, self._read = True, self._string
        elif opening == "{":
            self._open.append(_Level({}))
            self._read = self._key_or_end
        elif opening == "[":
            self._open.append(_Level([]))
            self._read = self._item_or_end
        elif opening:
            self._read = self._scalar
            return position
        return position + len(opening)

    def _item_or_end(self, text: str, position: int) -> int:
        position = _after_space(text, position)
        if text.startswith("]", position):
            return self._close(position)
        if position < len(text):
            self._read = self._value
        return position

    def _key_or_end(self, text: str, position: int) -> int:
        position = _after_space(text, position)
        return (
            self._close(position) if text.startswith("}", position) else self._key(text, position)
        )

    def _key(self, text: str, position: int) -> int:
        return self._expect('"', self._string, text, position)

    def _colon(self, text: str, position: int) -> int:
        return self._expect(":", self._value, text, position)

    def _expect(
        self, wanted: str, then: Callable[[str, int], int], text: str, position: int
    ) -> int:
        position = _after_space(text, position)
        found = text[position : position + 1]
        if found and found != wanted:
            raise _no_json(text, position)
        if found:
            self._read = then
        return position + len(found)

    def _comma_or_end(self, text: str, position: int) -> int:
        position = _after_space(text, position)
        found = text[position : position + 1]
        if not found:
            return position
        if not self._open:
            raise _no_json(text, position)
        in_object = isinstance(self._open[-1].container, dict)
        if found == ",":
            self._read = self._key if in_object else self._value
            return position + 1
        if found != ("}" if in_object else "]"):
            raise _no_json(text, position)
        return self._close(position)

    def _string(self, text: str, position: int) -> int:
        run = _PLAIN.match(text, position)
        end = run.end() if run else position
        self._pieces.append(text[position:end])
        if end == len(text):
            return end
        if text[end] == "\\":
            return self._escape(text, end)
        whole = "".join(self._pieces)
        self._pieces.clear()
        if self._in_text:
            self._finished(whole)
        else:
            self._open[-1].key = whole
            self._read = self._colon
        return end + 1

    def _escape(self, text: str, position: int) -> int:
        found = read_escape(text, position)
        if found is None:
            return self._wait(text, position)
        character, end = found
        self._pieces.append(character)
        return end

    def _wait(self, text: str, position: int) -> int:
        self._rest = text[position:]
        return len(text)

    def _scalar(self, text: str, position: int) -> int:
        run = _SCALAR.match(text, position)
        end = run.end() if run else position
        self._pieces.append(text[position:end])
        if end < len(text):
            token = "".join(self._pieces)
            self._pieces.clear()
            self._finished(json.loads(token))
        return end

    def _close(self, position: int) -> int:
        self._finished(self._open.pop().container)
        return position + 1

    def _finished(self, value: Any) -> None:
        self._in_text = False
        if self._open:
            self._open[-1].add(value)
        else:
            self._root = value
        self._read = self._comma_or_end


def _after_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def read_escape(text: str, position: int) -> tuple[str, int] | None:
    """Read the escape of a JSON string that begins at a place, which may be cut.

    Args:
        text: what has come.
        position: that of the backslash.

    Returns:
        The character that it stands for, and where it ends; None if more must come to tell.

    Raises:
        JSONDecodeError: it is none.

    """
    kind = text[position + 1 : position + 2]
    if kind in _ESCAPES:
        return _ESCAPES[kind], position + 2
    if len(text) < position + _UNIT_LENGTH and kind in ("", "u"):
        return None
    code, end = _code(text, position), position + _UNIT_LENGTH
    if code is None:
        raise _no_json(text, position)
    if code in _HIGH:  # the first half of a character beyond 16 bits, or a half left alone
        second = _code(text, end)
        following = text[end : end + _UNIT_LENGTH]
        if len(following) < _UNIT_LENGTH and following[:2] == "\\u"[: len(following)]:
            return None
        if second in _LOW:
            pair = code.to_bytes(2, "big") + (second or 0).to_bytes(2, "big")
            return pair.decode("utf-16-be"), end + _UNIT_LENGTH
    return chr(code), end


def _code(text: str, position: int) -> int | None:
    """Return the number of the four-digit escape that stands here, or None."""
    unit = _UNIT.match(text, position)
    return int(unit[1], 16) if unit else None


def _no_json(text: str, position: int) -> json.JSONDecodeError:
    return json.JSONDecodeError("unexpected character", text, position)
