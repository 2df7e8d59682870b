"""A conversation of a thousand turns, trimmed: seen for the first time, and one turn later."""

from collections.abc import Callable, Iterator
from time import perf_counter

from benchmarks import interleaved, row
from hookline import Message
from hookline.models import load_models
from hookline_plugins.trim.tracking import Tracked

_TURNS = 1000
_WORDS = "what ants do all day, and why they never seem to sleep; " * 4


def _messages() -> tuple[Message, ...]:
    return tuple(
        Message("user" if number % 2 == 0 else "assistant", f"turn {number}: {_WORDS}")
        for number in range(2 * _TURNS)
    )


def _cut(tracked: Tracked, messages: tuple[Message, ...]) -> float:
    facts = load_models().get("claude-haiku-5-5")
    began = perf_counter()
    tracked.look_at(messages, 0.0, facts)
    tracked.cut_by_tokens(50_000, 37_500)
    return perf_counter() - began


def _first() -> float:
    return _cut(Tracked(), _messages())


def _next() -> Callable[[], float]:
    tracked, messages = Tracked(), _messages()
    _cut(tracked, messages)

    def measure() -> float:
        return _cut(tracked, (*messages, Message("user", "And then?")))

    return measure


def report(rounds: int = 15) -> Iterator[str]:
    """Yield the report's lines."""
    found = interleaved({"first": _first, "next": _next()}, rounds)
    yield from row("1,000 turns trimmed at once", found["first"], "20 ms", 0.02, "at most 1")
    yield from row("  the turn after that", found["next"], "20 ms", 0.02, "at most 0.1")
