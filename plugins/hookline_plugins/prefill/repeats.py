"""Text that begins by repeating what it should continue: found while it arrives, and taken out.

Does no I/O. A server that repeats a prefill repeats it to the letter. A model that was told to go on
from some words may write them again with other white space or quotes, in quotes or a code fence of its own,
or after a sentence about what it is going to do.
"""

import re
from typing import Final, Literal

from attrs import define, frozen

__all__ = ["Cut", "Repeat", "Taken"]

Taken = Literal["repeat", "quoted", "fenced", "preamble"]

_LEADING: Final = 400  # characters within which a preamble must end
_SURE: Final = 8  # characters; shorter words may stand at the head of a line by chance
# Curly and German quotation marks, as escapes: they look too much like the plain ones.
_QUOTES: Final = {
    **dict.fromkeys("\u201c\u201d\u201e", '"'),
    **dict.fromkeys("\u2018\u2019", "'"),
}
_OPENED: Final = {
    pair[0]: pair[1] for pair in ('""', "''", "``", "\u201c\u201d", "\u201e\u201c", "\u2018\u2019")
}
_FENCE: Final = re.compile(r"(`{3,}|~{3,})[\w+-]*[ \t]*\n")
_HALF_FENCE: Final = re.compile(r"(?:`{1,}|~{1,})[\w+-]*[ \t]*")
# The end of a preamble: of a line that is a sentence, or what announces something within one.
_LEAD: Final = re.compile(r"[:.!…][ \t*_]*\n\s*|[:!][ \t*_]*[ \t]")


@frozen
class _Found:
    """Where a repeat ends, what it was, and what must then be taken from the end of the text."""

    end: int
    kind: Taken
    closing: str = ""


_NONE: Final = "none"
_WAIT: Final = "wait"


@define
class Repeat:
    """Takes the words out of the beginning of a text that arrives in pieces.

    Holds back no more than what may still be a repeat.

    Args:
        words: what the text should continue.
        loose: whether a model was told to, and so may repeat them in its own way; else only an
            exact repeat counts.
        known: whether the words will be repeated: then a text that ends within them is a repeat, cut.

    Attributes:
        taken: what was taken out, or None.
        decided: whether that is clear.
        short: whether the text ended before it was clear: it proves nothing.
        began: whether there was a text at all.

    """

    words: str
    loose: bool = False
    known: bool = False
    taken: Taken | None = None
    decided: bool = False
    short: bool = False
    began: bool = False
    _held: str = ""
    _closing: str = ""
    _going_on: bool = False  # something has been handed on, so what is held begins in mid-line

    def feed(self, text: str) -> str:
        """Take in the next piece; return what may go on."""
        self._held += text
        self.began = self.began or bool(text)
        if not self.decided:
            self._look(final=False)
        return self._released() if self.decided else ""

    def end(self) -> str:
        """Return what is left when the text has ended."""
        if not self.decided:
            self._look(final=True)
            self.short = self.taken is None
        held, self._held = self._released() + self._held, ""
        if self._closing and held.strip() == self._closing:
            return ""
        return held

    def _look(self, *, final: bool) -> None:
        look = _loose if self.loose else _exact
        found = look(self._held, self.words, final=final)
        if found == _WAIT and not final:
            return
        self.decided = True
        if found == _WAIT and self.known and self._held:
            found = _Found(len(self._held), "repeat")
        if isinstance(found, _Found):
            self.taken = found.kind
            self._held = self._held[found.end :]
            self._closing = found.closing

    def _released(self) -> str:
        """Return all that cannot be the closing mark of the fence or quotation that the repeat began."""
        if len(self._closing) > 1:  # a fence: the first line that is nothing else closes it
            return self._unfenced()
        held = self._held
        tail = len(held)
        while (
            self._closing and tail and (held[tail - 1].isspace() or held[tail - 1] in self._closing)
        ):
            tail -= 1
        self._held = held[tail:]
        return held[:tail]

    def _unfenced(self) -> str:
        held, mark = self._held, re.escape(self._closing[0])
        least = len(self._closing)
        line = r"\n" if self._going_on else r"(?:^|\n)"
        closed = re.search(rf"{line}[ \t]*{mark}{{{least},}}[ \t]*\n", held)
        if closed is not None:
            self._closing = self._held = ""
            return held[: closed.start()] + "\n" + held[closed.end() :]
        open_line = re.search(rf"{line}[ \t]*{mark}*[ \t]*$", held)
        tail = len(held) if open_line is None else open_line.start()
        self._held = held[tail:]
        self._going_on = self._going_on or tail > 0
        return held[:tail]


def _exact(text: str, words: str, *, final: bool) -> _Found | str:  # noqa: ARG001 -- as _loose
    if text.startswith(words):
        return _Found(len(words), "repeat")
    return _WAIT if words.startswith(text) else _NONE


def _loose(text: str, words: str, *, final: bool) -> _Found | str:
    """Look for the words at the beginning of a text, and then after a preamble."""
    found = _begun(text, 0, words, final=final)
    if found != _NONE:
        return found
    if len(words.strip()) < _SURE and words.strip()[:1] not in ("{", "[", "<"):
        return _NONE
    first = len(text) - len(text.lstrip())
    end_of_line = text.find("\n", first)
    for lead in _LEAD.finditer(text, first, first + _LEADING):
        if -1 < end_of_line < lead.start():
            break
        found = _begun(text, lead.end(), words, final=final)
        if isinstance(found, _Found):
            return _Found(found.end, "preamble", found.closing)
        if found == _WAIT:
            return found
    return _WAIT if end_of_line == -1 and len(text) < first + _LEADING else _NONE


def _begun(text: str, at: int, words: str, *, final: bool) -> _Found | str:
    """Look for the words at a place, plain, in a code fence or in quotes."""
    while at < len(text) and text[at].isspace():
        at += 1
    if at == len(text):
        return _WAIT
    end = _matched(text, at, words, final=final)
    if isinstance(end, int):
        return _Found(end, "repeat")
    if end == _WAIT:
        return _WAIT
    fenced = _fenced(text, at, words, final=final)
    return fenced or _quoted(text, at, words, final=final) or _NONE


def _fenced(text: str, at: int, words: str, *, final: bool) -> _Found | str | None:
    fence = _FENCE.match(text, at)
    if fence is None:
        return _WAIT if _HALF_FENCE.fullmatch(text, at) else None
    end = _matched(text, fence.end(), words, final=final)
    return _Found(end, "fenced", fence[1]) if isinstance(end, int) else end


def _quoted(text: str, at: int, words: str, *, final: bool) -> _Found | str | None:
    closing = _OPENED.get(text[at])
    if closing is None:
        return None
    end = _matched(text, at + 1, words, final=final)
    if not isinstance(end, int):
        return end
    if end == len(text) and not final:
        return _WAIT  # the next character tells what the quotation holds
    if text[end : end + 1] == closing:
        return _Found(end + 1, "quoted")
    return _Found(end, "quoted", closing)


def _matched(text: str, at: int, words: str, *, final: bool) -> int | str:
    """Compare, white space and the shape of quotes aside; return where the words end.

    White space at the end of the words stands for what the text has there.
    """
    place = 0
    while place < len(words):
        if words[place].isspace():
            place += 1
        elif at == len(text):
            return _WAIT
        elif text[at].isspace():
            at += 1
        elif _QUOTES.get(text[at], text[at]) != _QUOTES.get(words[place], words[place]):
            return _NONE
        else:
            at += 1
            place += 1
    if words[-1:].isspace():
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text) and not final:
            return _WAIT
    return at


_PIECE: Final = re.compile(r"\s*(?:[^\W\d_]+|\d+|[^\w\s]|_)")


@define
class Cut:
    """Ends a text after so many tokens, counted roughly: words, numbers and single signs.

    Args:
        limit: how many.

    Attributes:
        over: whether so many have come: there the API would have stopped.

    """

    limit: int
    over: bool = False
    _text: str = ""
    _given: int = 0
    _shut: bool = False

    def feed(self, text: str) -> str:
        """Take in the next piece; return what is within the limit."""
        if self._shut:
            return ""
        self._text += text
        ends = [piece.end() for piece in _PIECE.finditer(self._text)]
        self.over = len(ends) >= self.limit
        self._shut = len(ends) > self.limit
        allowed = ends[self.limit - 1] if len(ends) >= self.limit else len(self._text)
        rest, self._given = self._text[self._given : allowed], max(self._given, allowed)
        return rest
