r"""The filter over a reply that is still being written: nothing forbidden is delivered, not even its beginning.

An event goes on once no pattern can reach it any more: what is held back is about twice the length of the
longest match. A pattern without such a length (``\s+``) holds back the whole reply.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from hookline.plugin import StreamFilter
from hookline.values import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    MessageStart,
    MessageStop,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from hookline_plugins.policy.rules.json_texts import input_texts, strings

__all__ = ["ReplyFilter"]

_MARGIN: Final = 16
_CODED: Final = re.compile(r"[A-Za-z0-9+/=_-]")
_PLAIN: Final[Mapping[type, str]] = {TextDelta: "text", ThinkingDelta: "thinking"}


class ReplyFilter(StreamFilter):
    """Holds events back until what they say has been judged with what follows.

    Args:
        judge: gets pieces of text, and raises if they are not to be told.
        reach: characters that a match has at most; None for no limit.

    """

    sees = "deltas"

    def __init__(self, judge: Callable[[list[str]], None], reach: int | None) -> None:
        self._judge = judge
        self._reach = None if reach is None else 2 * reach + _MARGIN
        self._texts: dict[type, str] = {}  # what is being said, by kind: windows that still matter
        self._unjudged: dict[type, list[str]] = {}  # the same, where all of it matters to the end
        self._said = 0  # characters of text so far
        self._held: list[tuple[int, Event]] = []
        self._input: list[str] = []  # a tool's input as it comes

    def begin(self, prefill: str, *, whole: bool) -> None:
        """Take in the prefill, with which a match may begin."""
        del whole
        self._texts[TextDelta] = prefill

    def feed(self, event: Event) -> Iterable[Event]:
        """Take the next event; return those that no pattern can reach any more."""
        kind = type(event)
        if kind is Ping:
            return (event,)
        delta: Any = event.delta if isinstance(event, ContentBlockDelta) else None
        if type(delta) in _PLAIN:
            self._say(type(delta), getattr(delta, _PLAIN[type(delta)]))
        elif isinstance(event, ContentBlockDelta):
            self._other_delta(delta)
        elif kind is ContentBlockStop:
            self._whole_input()
        elif isinstance(event, ContentBlockStart):
            self._start(event)
        else:
            self._judge_other(event)
        self._held.append((self._said, event))
        if isinstance(event, MessageStop):
            return self._release(self._said)
        if self._reach is None or self._input:
            return ()
        return self._release(self._said - self._reach)

    def _judge_other(self, event: Event) -> None:
        """Judge what is no content; of a message's start what it holds already, for its ids tell nothing."""
        if isinstance(event, MessageStart):
            message = event.message
            beginning = (message.content, message.stop_details, message.container, message.extra)
            self._judge(strings((beginning, event.extra)))
        else:
            self._judge(strings(event))

    def _say(self, kind: type, text: str) -> None:
        """Judge more of what is said, with what was said before it as far as that can matter."""
        self._said += len(text)
        if self._reach is None:
            self._unjudged.setdefault(kind, []).append(text)
            return
        window = self._texts.get(kind, "") + text
        self._judge([window])
        # A window may not begin in the middle of a coded word, which would read as another one.
        self._texts[kind] = window[_before_code(window, len(window) - 2 * self._reach) :]

    def _other_delta(self, delta: Any) -> None:
        text = getattr(delta, "partial_json", None)
        if text is not None:
            self._input.append(text)
        elif not isinstance(delta, SignatureDelta):
            self._judge(strings(delta))

    def _start(self, event: ContentBlockStart) -> None:
        """Judge what a block brings along; its text belongs to what is being said."""
        block: Any = event.content_block
        for kind, name in _PLAIN.items():
            if block.type == name:
                self._say(kind, getattr(block, name))
        self._judge(strings(block))

    def _whole_input(self) -> None:
        """Judge a tool's input, once it is whole: before that, escapes may be cut anywhere."""
        if self._input:
            text = "".join(self._input)
            self._input = []
            try:
                read = json.loads(text)
            except (ValueError, RecursionError):  # cut off, or never JSON
                read = None
            self._judge([text, *input_texts(read)])

    def _release(self, settled: int) -> tuple[Event, ...]:
        if self._held and isinstance(self._held[-1][1], MessageStop):
            for kind, pieces in self._unjudged.items():
                self._judge([self._texts.get(kind, "") + "".join(pieces)])
            events = tuple(event for _, event in self._held)
            self._held = []
            return events
        count = 0
        for said, _ in self._held:
            if said > settled:
                break
            count += 1
        events = tuple(event for _, event in self._held[:count])
        del self._held[:count]
        return events


def _before_code(text: str, start: int) -> int:
    start = max(0, start)
    lowest = max(0, start - 400)
    while start > lowest and _CODED.match(text, start - 1):
        start -= 1
    return start
