"""Checks of what a plugin makes of replies: in streams as in plain turns, with prefills and without."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from hookline.simulator import Answer, Rule
from hookline.simulator import Call as HttpCall
from hookline.testing.answers import stream_events, stream_parts
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import INSTRUCTED, NATIVE, TEXTS, sentence, words
from hookline.testing.conformance.surfaces import Call, Outcome
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator

__all__ = ["prefills", "restored", "second_block", "splits"]

_ON_REPLIES: Final = frozenset(
    {"filter_stream", "post_process", "send", "check_reply", "conclude", "on_event"}
)
_NUMBER: Final = re.compile(r"\d+$")
_LONGEST: Final = 100  # characters of a reply that is split at every offset
_APART: Final = 3  # forms in which a sample stands by itself, though a reply begins or ends with it
_APART_TOO: Final = (
    "a reply may begin with it and end with it: \\b knows both, white space does not"
)
_REMEDY: Final = (
    "rewrite text in filter_stream, which serves streams and plain replies alike, with a look_behind "
    "as long as the longest match"
)


class _Split(RecordingSimulator):
    """Answers each stream with one text, cut at the places that go with the number in its message."""

    def __init__(self, reply: str, cuts: Sequence[Sequence[int]]) -> None:
        super().__init__(Rule(reply=reply))
        self._reply = reply
        self._cuts = cuts

    def handle(self, call: HttpCall) -> Answer:
        """Answer in pieces."""
        answer = super().handle(call)
        if not answer.streamed:
            return answer
        # A plugin may send more than one request for a message.
        number = _NUMBER.search(
            words({"content": json.loads(call.body)["messages"][-1]["content"]})
        )
        cut = self._cuts[min(int(number[0]) if number else 0, len(self._cuts) - 1)]
        edges = (0, *cut, len(self._reply))
        pieces = [self._reply[a:b] for a, b in itertools.pairwise(edges)]
        return Answer(200, answer.headers, tuple(stream_parts(stream_events(*pieces))))


def splits(trying: Trying) -> Iterator[Finding]:
    """Check that wherever a stream is cut, its text is that of the plain reply, and what was shown is kept."""
    if not trying.subject.hooks & _ON_REPLIES:
        trying.nothing("it takes no part in replies")
        return
    trying.note = "no reply was changed; a class says what it reacts to: samples = (…)"
    own = trying.subject.own_samples
    for sample in trying.subject.samples:
        reply = sentence(sample) if len(sentence(sample)) <= _LONGEST else sample[:_LONGEST]
        plain = trying.take(Call(rules=(Rule(reply=reply),)))
        yield from _split(trying, reply, plain)
        if not plain.blames and (sample in own or plain.refused or plain.text != reply):
            for number, form in enumerate(_forms(sample[:_LONGEST])):
                whole = trying.take(Call(rules=(Rule(reply=form),)))
                yield from _split(trying, form, whole)
                reacted = plain.refused or plain.text != reply
                if sample in own and reacted and number < _APART and whole.text == form:
                    yield Finding(f"it reacts to {reply!r}, and not to {form!r}", _APART_TOO)


def _forms(sample: str) -> tuple[str, ...]:
    """Return replies in which a sample begins, ends, repeats itself, or is part of a longer word."""
    return (
        sample,
        f"It was {sample}",
        f"{sample} it was",
        f"{sample} {sample}",
        f"{sample}{sample}.",
        f"un{sample}",
        f"{sample}ed",
        f"{sample.upper()}, {sample.title()}!",
    )


def _split(trying: Trying, reply: str, plain: Outcome) -> Iterator[Finding]:
    """Stream a reply, cut at each of its characters and at all of them."""
    if plain.blames:
        yield Finding(f"with the reply {reply!r} it failed: {plain.error}", _REMEDY)
        return
    if plain.refused or plain.text != reply:
        trying.note = ""
    cuts = [*((each,) for each in range(1, len(reply))), tuple(range(1, len(reply)))]
    for cut, stream in zip(cuts, _streams(trying, reply, cuts), strict=False):
        problem = _differs(trying, reply, plain, stream)
        if problem is not None:
            where = f"cut at {cut[0]}" if len(cut) == 1 else "one character at a time"
            yield Finding(f"the stream of {reply!r}, {where}, {problem}", _REMEDY)
            return


def _streams(trying: Trying, reply: str, cuts: Sequence[Sequence[int]]) -> Iterator[Outcome]:
    trying.calls += len(cuts)
    if trying.subject.asks_loop:
        for cut in cuts:
            call = Call(surface="stream", simulator=partial(_Split, reply, [cut]))
            yield trying.subject.take(call, "asyncio")
    else:
        yield from trying.subject.streamed(_Split(reply, cuts), len(cuts))


def _differs(trying: Trying, reply: str, plain: Outcome, stream: Outcome) -> str | None:
    """Say how a stream differs from the plain reply of the same text, or return None."""
    if stream.blames:
        return f"failed: {stream.error}"
    if stream.refused != plain.refused:
        return "is refused, and the plain reply is not" if stream.refused else "is not refused"
    if stream.refused:
        return None
    if stream.shown != stream.text:
        return f"showed {stream.shown!r}, and the reply is {stream.text!r}"
    if trying.subject.deterministic and stream.text != plain.text and reply:
        return f"became {stream.text!r}, and {plain.text!r} as a plain reply"
    return None


def second_block(trying: Trying) -> Iterator[Finding]:
    """Check that a rule on text holds for each text block of a reply."""
    touched = False
    for sample in trying.subject.samples:
        blocks = [{"type": "text", "text": "First. "}, {"type": "text", "text": sentence(sample)}]
        one = trying.take(Call(rules=(Rule(reply=sentence(sample)),)))
        if one.error is None and sample in (one.text or ""):
            continue
        touched = True
        for surface in ("send", "stream"):
            two = trying.take(Call(surface=surface, rules=(Rule(reply=blocks),)))
            if two.blames or (two.error is None and sample in (two.text or "")):
                yield Finding(
                    f"{sample!r} does not pass as a reply, and does in its second text block ({surface})",
                    "reply.map_text goes through all text blocks, and so does a StreamFilter",
                )
    if not touched:
        trying.nothing("no reply was changed; a class says what it reacts to: samples = (…)")


def prefills(trying: Trying) -> Iterator[Finding]:
    """Check that a reply begins with its prefill exactly once, in either mode, plain and streamed."""
    prefill = "The answer is ("
    for model in (NATIVE, INSTRUCTED):
        for surface in ("send", "stream"):
            call = Call(
                surface=surface,
                message="What is Latin for ant?",
                options={"prefill": prefill, "model": model},
                rules=(Rule(reply="C) Formicidae"),),
            )
            outcome = trying.take(call)
            text = outcome.shown if surface == "stream" else outcome.text
            if outcome.blames:
                yield Finding(
                    f"with a prefill on {model} ({surface}) it failed: {outcome.error}",
                    "a prefill is the last message, or stands in the last user message",
                )
            elif outcome.error is None and (text or "").count(prefill) != 1:
                yield Finding(
                    f"the reply does not hold its prefill once ({model}, {surface}): {text!r}",
                    "leave turn.prefill and the last assistant message as they are",
                )
            elif outcome.error is None and not (text or "").startswith(prefill):
                yield Finding(
                    f"the reply no longer begins with its prefill ({model}, {surface}): {text!r}",
                    "add behind the prefill, not before it",
                )


class _Echo(RecordingSimulator):
    """Repeats the last message as it arrives, however long it is."""

    def __init__(self, chunk: int | None) -> None:
        super().__init__()
        self._chunk = chunk

    def handle(self, call: HttpCall) -> Answer:
        """Answer with what was said."""
        messages = json.loads(call.body)["messages"]
        self.play(Rule(reply=words({"content": messages[-1]["content"]}), chunk=self._chunk))
        return super().handle(call)


def restored(trying: Trying) -> Iterator[Finding]:
    """Check that what is undone on the way back is what was done on the way out, in streams too."""
    if not getattr(trying.subject.object, "mirrored", False):
        trying.nothing("it undoes nothing on the way back: mirrored = True")
        return
    texts = (*trying.subject.own_samples, *TEXTS[:-1])
    many = "; ".join((*texts, *(f"ant{number}@example.com" for number in range(12))))
    for message in (*map(sentence, texts), many):
        for surface, chunk in (("send", None), ("stream", None), ("stream", 1), ("stream", 5)):
            call = Call(surface=surface, message=message, simulator=partial(_Echo, chunk))
            outcome = trying.take(call)
            if outcome.error is None and outcome.text != message:
                piece = f" in pieces of {chunk}" if chunk else ""
                yield Finding(
                    f"{_brief(message)}, repeated by the model ({surface}{piece}), came back as "
                    f"{_brief(outcome.text or '')}",
                    "filter_stream puts back what `send` took out, with a look_behind as long as the "
                    "longest that stands for it",
                )
                break


def _brief(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
