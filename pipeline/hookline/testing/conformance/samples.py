"""What is tried: texts, and the places of a request in which each of them is put."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

__all__ = ["FORMS", "NATIVE", "PLACES", "TEXTS", "Place", "sentence", "words"]

NATIVE: Final = "claude-haiku-4-5"
INSTRUCTED: Final = "claude-haiku-5-5"

TEXTS: Final[tuple[str, ...]] = (
    "ada@example.com",
    "+44 20 7946 0958",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "Ada Lovelace",
    "Wo wohnen die größten Ameisen?",
    "アリはどこに住んでいますか",
    "أين يعيش النمل؟",
    "👩\u200d🔬 looks at 🐜🐜",
    "{name} <b>&amp;</b> \\d+ %s $HOME",
    "ant " * 2000,
)
"""Personal data, languages, emoji, what looks like a template, and a long one."""


def sentence(text: str) -> str:
    """Return a text as part of something that a person would write."""
    return f"Please note: {text} -- thank you."


@frozen
class Place:
    """A place in a request.

    Attributes:
        name: in words.
        kind: what ``Request.map_text`` calls it.
        put: makes the message and the options that hold a text there.

    """

    name: str
    kind: str
    put: Callable[[str], tuple[Any, dict[str, Any]]]


_TOOL: Final = {"name": "look_up", "input_schema": {"type": "object"}}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _earlier(text: str) -> tuple[Any, dict[str, Any]]:
    past = [{"role": "user", "content": text}, {"role": "assistant", "content": "Noted."}]
    return "Go on.", {"messages": past}


def _tool_result(content: Any) -> tuple[Any, dict[str, Any]]:
    use = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
    past = [
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": [use]},
    ]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content}
    return [result], {"messages": past, "tools": [_TOOL]}


def _document(source: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    return [{"type": "document", "source": dict(source)}, _text("Read it.")], {}


PLACES: Final[tuple[Place, ...]] = (
    Place("a message that is a string", "messages", lambda text: (text, {})),
    Place("a text block of a message", "messages", lambda text: ([_text(text)], {})),
    Place("the second text block", "messages", lambda text: ([_text("Hello."), _text(text)], {})),
    Place("an earlier message", "messages", _earlier),
    Place("a system prompt that is a string", "system", lambda text: ("Hello", {"system": text})),
    Place("a system prompt of blocks", "system", lambda text: ("Hello", {"system": [_text(text)]})),
    Place("a tool result that is a string", "tool_results", _tool_result),
    Place("a tool result of blocks", "tool_results", lambda text: _tool_result([_text(text)])),
    Place(
        "a text document",
        "documents",
        lambda text: _document({"type": "text", "media_type": "text/plain", "data": text}),
    ),
    Place(
        "a document of blocks",
        "documents",
        lambda text: _document({"type": "content", "content": [_text(text)]}),
    ),
)

FORMS: Final[tuple[tuple[str, str], ...]] = (
    ("a message that is a string", "a text block of a message"),
    ("a system prompt that is a string", "a system prompt of blocks"),
    ("a tool result that is a string", "a tool result of blocks"),
    ("a text document", "a document of blocks"),
)
"""Pairs of places that mean the same."""

_HOLD_TEXT: Final = frozenset({"text", "system", "content", "data"})


def words(body: Any) -> str:
    """Return all text of a request's body, white space collapsed: what a model reads of it."""
    return " ".join(" ".join(_texts(body, holds=False)).split())


def _texts(value: Any, *, holds: bool) -> Iterator[str]:
    if isinstance(value, str):
        if holds:
            yield value
    elif isinstance(value, Mapping):
        for name in sorted(value, key=lambda name: name != "system"):
            yield from _texts(value[name], holds=name in _HOLD_TEXT)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, holds=holds)
