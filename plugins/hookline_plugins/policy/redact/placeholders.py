"""What stands for a value on the wire, and the way back.

Placeholders are numbered in the order in which the values first appear in a request. So nothing has to
be kept: a conversation only grows at its end, and each turn gives each value the number that it had,
after a restart too; and two requests that are equal are redacted alike, so that an answer out of a
cache means the same values. A text that was written like a placeholder before there was a value for it
keeps its number for itself, and is never restored to anything.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import frozen

__all__ = ["Found", "Placeholders"]

_WRITTEN: Final = re.compile(r"\[[A-Z][A-Z0-9_]{0,40}_[0-9]{1,7}\]")


@frozen
class Found:
    """Something in a text.

    Attributes:
        kind: what it is: ``"mail"``, or the name of an own pattern.
        start: its first character.
        end: the one after its last.

    """

    kind: str
    start: int
    end: int


class Placeholders:
    """The placeholders of one request.

    Attributes:
        counts: how many finds there were of each kind.
        longest: characters of the longest placeholder.
        said: texts as they leave.

    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.longest = 0
        self.said: set[str] = set()
        self._of_value: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._burnt: set[str] = set()
        self._next: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._values)

    def replaced(self, text: str, found: Iterable[Found], label_of: Mapping[str, str]) -> str:
        """Return a text with a placeholder for each find.

        Args:
            text: the next one, in the order of the request.
            found: in it.
            label_of: what placeholders of each kind are called.

        """
        pieces: list[str] = []
        position = 0
        for each in found:
            between = text[position : each.start]
            self._burn(between)
            self.counts[each.kind] += 1
            pieces += [between, self._placeholder(label_of[each.kind], text[each.start : each.end])]
            position = each.end
        rest = text[position:]
        self._burn(rest)
        return "".join([*pieces, rest]) if pieces else text

    def restored(self, text: str) -> str:
        """Return a text with the values in the place of their placeholders."""
        if "[" not in text:
            return text
        return _WRITTEN.sub(lambda match: self._values.get(match[0], match[0]), text)

    def _placeholder(self, label: str, value: str) -> str:
        key = (label, value)
        if key not in self._of_value:
            while True:
                self._next[label] += 1
                new = f"[{label}_{self._next[label]}]"
                if new not in self._burnt:
                    break
            self._of_value[key] = new
            self._values[new] = value
            self.longest = max(self.longest, len(new))
        return self._of_value[key]

    def _burn(self, text: str) -> None:
        if "[" in text:
            self._burnt.update(each for each in _WRITTEN.findall(text) if each not in self._values)
