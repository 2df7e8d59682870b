"""How much of a running text must be held back, so that a rule gives what it gives on the whole.

The rule is any function from text to text that decides each replacement within ``look_behind``
characters. What lies further back than that is settled, unless a replacement straddles the cut; then
the cut moves back. The work is linear in the text: a window is a few times ``look_behind`` long, and is
looked at once a quarter of ``look_behind`` has come anew.
"""

from collections.abc import Iterator
from typing import Final

from hookline.filters.asking import Asks

__all__ = ["RunningText"]

_SHORT: Final = 8  # characters; so few ends can all be tried
_SLICE: Final = 4096  # characters of a long piece that are taken in at once


class RunningText:
    """One text that arrives in pieces and goes on rewritten.

    Args:
        look_behind: how many characters decide one replacement, at most.
        before: text that stands in front of it and stays as it is, but counts for what matches: the
            prefill.
        whole: take all in before the rule is asked, because nobody waits for pieces.

    """

    def __init__(self, look_behind: int, before: str = "", *, whole: bool = False) -> None:
        self._look_behind = look_behind
        self._whole = whole
        # Raw text already released and what became of it, in the pieces in which it was released:
        # what a \b or a look-behind may look at, and how the replacements fall in line.
        self._pieces: list[tuple[str, str]] = []
        self._held = before  # raw text not yet released
        self._before = len(before)  # characters at its beginning that are not to be released
        self._step = max(1, look_behind // 4)
        self._rest = 0  # characters to let pass, besides, before the rule is asked again
        self._due = self._step  # characters that must have come for it
        self._waiting: list[str] = []

    def feed(self, text: str) -> Asks[str]:
        """Take in more; return what may go on."""
        if self._whole:
            self._waiting.append(text)
            return ""
        size = max(_SLICE, 4 * self._look_behind)
        settled: list[str] = []
        for start in range(0, len(text), size):
            self._held += text[start : start + size]
            settled.append((yield from self._settle()))
        return "".join(settled)

    def end(self) -> Asks[str]:
        """Return what becomes of the text that is still held."""
        self._held += "".join(self._waiting)
        if self._before:
            yield from self._step_over()
        context, emitted = self._context()
        if not context and not self._held:
            return ""
        whole = yield context + self._held
        return whole[len(emitted) :] if whole.startswith(emitted) else (yield self._held)

    def _settle(self) -> Asks[str]:
        """Release what no later text can touch, and return what becomes of it."""
        if len(self._held) - self._before - self._look_behind < self._due:
            return ""
        if self._before:
            yield from self._step_over()
        latest = len(self._held) - self._look_behind
        context, emitted = self._context()
        window = context + self._held
        whole = yield window
        if whole == window == emitted + self._held:
            return (yield from self._release(latest, self._held[:latest]))
        cuts = _backwards(latest, max(1, latest - self._look_behind))
        found = yield from self._cut(window, whole, len(context), emitted, cuts)
        if found is None:
            self._due = latest + max(self._step, self._rest)
            return ""
        at, head = found
        return (yield from self._release(at - len(context), head[len(emitted) :]))

    def _step_over(self) -> Asks[None]:
        """Settle what became of the text in front: it stands already, whatever the rule says.

        Of a replacement that straddles its end the rest is ours: what the rule makes of all of it
        follows, so that the rest of the words in the text does not.
        """
        window = self._held[: self._before + 2 * self._look_behind]
        whole = yield window
        at, head = self._before, window[: self._before]
        if not whole.startswith(head):
            for at in range(self._before, max(0, self._before - self._look_behind) - 1, -1):
                head = yield window[:at]
                stays = yield from self._stays(window, head)
                if stays:
                    break
        self._pieces = [(self._held[:at], head)]
        self._held, self._before = self._held[at:], 0

    def _stays(self, window: str, head: str) -> Asks[bool]:
        """Say whether an outcome stands at the beginning wherever the text ends."""
        for end in range(len(window), self._before - 1, -1):
            whole = yield window[:end]
            if not whole.startswith(head):
                return False
        return True

    def _cut(
        self, window: str, whole: str, start: int, emitted: str, cuts: Iterator[int]
    ) -> Asks[tuple[int, str] | None]:
        """Return the first place that no replacement straddles, and what becomes of all before it."""
        for cut in cuts:
            at = start + cut
            head = yield window[:at]
            if head.startswith(emitted):
                parts = yield from self._parts(window, whole, at, head)
                if parts:
                    return at, head
        return None

    def _parts(self, window: str, whole: str, at: int, head: str) -> Asks[bool]:
        """Say whether no replacement straddles a place: wherever the text might end, too.

        One end alone could agree by chance, where the text or what becomes of it repeats itself:
        halving "aaa" gives "aa" with a cut after any letter. There all ends are tried.
        """
        tail = yield window[at:]
        if whole != head + tail:
            return False
        for end in self._ends(window, at, tail):
            longer = yield window[:end]
            rest = yield window[at:end]
            if longer != head + rest:
                return False
        return True

    def _ends(self, window: str, at: int, tail: str) -> Iterator[int]:
        """Yield the other ends that must agree too, last ones first."""
        last = len(window) - 1
        if self._look_behind > _SHORT:
            raw, out = _period(window[at:]), _period(tail)
            if not raw and (not out or _survives(window[at:], tail)):
                return
            if raw > _SHORT and not 0 < out <= _SHORT:  # out of step by whole periods, or by little
                yield from range(last, max(at, last - _SHORT), -1)
                yield from range(last + 1 - raw, at, -raw)
                return
            self._rest = self._look_behind  # so many ends are not tried for every few letters
        yield from range(last, at, -1)

    def _release(self, count: int, text: str) -> Asks[str]:
        self._pieces.append((self._held[:count], text))
        self._held = self._held[count:]
        self._due, self._rest = max(self._step, self._rest), 0
        if sum(len(raw) for raw, _ in self._pieces) > 2 * self._look_behind:
            yield from self._forget()
        return text

    def _forget(self) -> Asks[None]:
        """Drop what no rule looks back at, but only as far as the replacements stay in line."""
        for first in range(len(self._pieces), 0, -1):
            context, emitted = self._context(first)
            if len(context) >= self._look_behind:
                again = yield context + self._held
                if again.startswith(emitted):
                    del self._pieces[:first]
                    return

    def _context(self, first: int = 0) -> tuple[str, str]:
        pieces = self._pieces[first:]
        return "".join(raw for raw, _ in pieces), "".join(text for _, text in pieces)


def _backwards(latest: int, lowest: int) -> Iterator[int]:
    """Yield places to cut at, first in growing strides: most replacements are shorter than allowed."""
    strides = [1 << power for power in range((latest - lowest).bit_length()) if power]
    first = [latest, latest - 1, *(latest - stride for stride in strides)]
    first = [cut for cut in first if cut >= lowest]
    yield from first
    yield from (cut for cut in range(latest, lowest - 1, -1) if cut not in first)


def _period(text: str) -> int:
    """Return the length of the piece that a text is made of over and over, or 0."""
    sizes = range(1, len(text) // 2 + 1)
    return next((size for size in sizes if text[size:] == text[:-size]), 0)


def _survives(raw: str, out: str) -> bool:
    """Say whether a stretch of a text went through as it was: there no replacement is out of step."""
    return any(raw[at : at + _SHORT + 1] in out for at in range(0, len(raw) - _SHORT, 4))
