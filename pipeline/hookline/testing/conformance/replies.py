"""Checks of what a plugin makes of replies: in streams as in plain turns, with prefills and without."""

from collections.abc import Iterator
from typing import Final

from hookline.simulator import Answer, Rule
from hookline.simulator import Call as HttpCall
from hookline.testing.answers import stream_events, stream_parts
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import INSTRUCTED, NATIVE, sentence
from hookline.testing.conformance.subject import Call
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator

__all__ = ["prefills", "second_block", "splits"]

_ON_REPLIES: Final = frozenset(
    {"filter_stream", "post_process", "send", "check_reply", "conclude", "on_event"}
)
_LONGEST: Final = 100  # characters of a reply that is split at every offset
_REMEDY: Final = "rewrite text in filter_stream, which serves streams and plain replies alike"


class _Split(RecordingSimulator):
    """Answers streams with one text in pieces, and everything else as ever."""

    def __init__(self, reply: str, *cuts: int) -> None:
        super().__init__(Rule(reply=reply))
        edges = (0, *cuts, len(reply))
        self._pieces = [reply[a:b] for a, b in zip(edges, edges[1:], strict=False)]

    def handle(self, call: HttpCall) -> Answer:
        """Answer in pieces."""
        answer = super().handle(call)
        if not answer.streamed:
            return answer
        return Answer(200, answer.headers, tuple(stream_parts(stream_events(*self._pieces))))


def splits(trying: Trying) -> Iterator[Finding]:
    """Wherever a stream is cut, its text is that of the plain reply, and what was shown is what is kept."""
    if not trying.subject.hooks & _ON_REPLIES:
        trying.nothing("it takes no part in replies")
        return
    deterministic = trying.subject.deterministic
    for sample in trying.subject.samples:
        reply = sentence(sample) if len(sentence(sample)) <= _LONGEST else sample[:_LONGEST]
        plain = trying.take(Call(rules=(Rule(reply=reply),)))
        if plain.blames:
            yield Finding(f"with the reply {reply!r} it failed: {plain.error}", _REMEDY)
            continue
        cuts = [(each,) for each in range(1, len(reply))]
        for cut in (*cuts, tuple(range(1, len(reply)))):
            call = Call(surface="stream", simulator=lambda cut=cut, reply=reply: _Split(reply, *cut))
            stream = trying.take(call)
            where = f"cut at {cut[0]}" if len(cut) == 1 else "one character at a time"
            if stream.blames:
                yield Finding(f"the stream of {reply!r}, {where}, failed: {stream.error}", _REMEDY)
                break
            if stream.refused != plain.refused:
                yield Finding(
                    f"{reply!r} is refused in {'a stream' if stream.refused else 'a plain reply'} only",
                    _REMEDY,
                )
                break
            if stream.shown != stream.text and not stream.refused:
                yield Finding(
                    f"the stream of {reply!r} showed {stream.shown!r}, and the reply is {stream.text!r}",
                    _REMEDY,
                )
                break
            if deterministic and stream.text != plain.text:
                yield Finding(
                    f"{reply!r}, {where}, became {stream.text!r}, and {plain.text!r} as a plain reply",
                    "let look_behind be as long as the longest match",
                )
                break


def second_block(trying: Trying) -> Iterator[Finding]:
    """A rule on text holds for each text block of a reply."""
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
    """A reply begins with its prefill exactly once, in either mode, plain and streamed."""
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
