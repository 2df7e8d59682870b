"""Requests drawn for a person, and exactly where two of them differ.

Both are abridged: an image is megabytes of base64, and a document pages of text. A difference must not get
lost in that, so two texts that differ are cut around the place where they do.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from hookline.values.blocks import Block, ToolResultBlock, UnknownBlock
from hookline.values.messages import Request
from hookline.values.redaction import redacted

__all__ = ["Show", "as_it_is", "difference", "pretty"]

_SHOWN: Final = 120  # characters of one string
_AROUND: Final = (
    40  # characters that two texts have in common and that are shown beside a difference
)


Show: TypeAlias = Callable[[Any], Any]
"""Gets the JSON of a request and returns what may be shown of it."""


def as_it_is(value: Any) -> Any:
    """Show JSON as it is."""
    return value


def pretty(request: Request, shown: Show = as_it_is) -> list[str]:
    """Return a request as lines of indented JSON, long texts cut, secrets as a constant."""
    return _lines(_shorten(shown(_body(request))))


def difference(before: Request, after: Request, shown: Show = as_it_is) -> list[str]:
    """Return a unified diff of two requests without its head, two lines of context around each part."""
    one, other = _abridged(shown(_body(before)), shown(_body(after)))
    import difflib  # noqa: PLC0415 -- only who looks at a difference

    lines = list(difflib.unified_diff(_lines(one), _lines(other), lineterm="", n=2))
    return [line for line in lines[2:] if not line.startswith("@@")]


def _body(request: Request) -> Any:
    from hookline.wire.codec import unstructure  # noqa: PLC0415 -- drawing a trace is rare; building one must not load cattrs

    messages = [message.evolve(content=_described(message.content)) for message in request.messages]
    body = unstructure(request.evolve(messages=messages))
    if request.betas:  # they leave as a header, and are part of what a plugin may have changed
        body["betas"] = list(request.betas)
    return redacted(body)


def _lines(body: Any) -> list[str]:
    return json.dumps(body, indent=2, ensure_ascii=False, default=str).splitlines()


def _abridged(one: Any, other: Any) -> tuple[Any, Any]:
    """Return two JSON values shortened so that what differs still does."""
    if isinstance(one, str) and isinstance(other, str):
        return _cut(one, other) if one != other else (_shorten(one), _shorten(other))
    if isinstance(one, dict) and isinstance(other, dict):
        both = {key: _abridged(one[key], other[key]) for key in one if key in other}
        return (
            {key: both[key][0] if key in both else _shorten(value) for key, value in one.items()},
            {key: both[key][1] if key in both else _shorten(value) for key, value in other.items()},
        )
    if isinstance(one, list) and isinstance(other, list):
        return _paired(one, other)
    return _shorten(one), _shorten(other)


def _paired(one: list[Any], other: list[Any]) -> tuple[list[Any], list[Any]]:
    """Abridge two lists: their common ends alike, and what lies between by its place."""
    head, tail = _common_ends(one, other)
    first, second = one[head : len(one) - tail], other[head : len(other) - tail]
    pairs = [_abridged(a, b) for a, b in zip(first, second, strict=False)]
    before = [_shorten(each) for each in one[:head]]
    behind = [_shorten(each) for each in one[len(one) - tail :]]
    return (
        [*before, *(a for a, _ in pairs), *map(_shorten, first[len(pairs) :]), *behind],
        [*before, *(b for _, b in pairs), *map(_shorten, second[len(pairs) :]), *behind],
    )


def _cut(one: str, other: str) -> tuple[str, str]:
    """Cut two texts that differ around the place where they do."""
    if max(len(one), len(other)) <= _SHOWN:
        return one, other
    head, tail = _common_ends(one, other)
    return _window(one, head, tail), _window(other, head, tail)


def _common_ends(one: Sequence[Any], other: Sequence[Any]) -> tuple[int, int]:
    """Return how much two sequences have in common at their beginning, and then at their end."""
    least = min(len(one), len(other))
    head = next((i for i in range(least) if one[i] != other[i]), least)
    rest = least - head
    return head, next((i for i in range(rest) if one[-1 - i] != other[-1 - i]), rest)


def _window(text: str, head: int, tail: int) -> str:
    """Return the part of a text that is not common, with some of what is around it."""
    begin, end = max(0, head - _AROUND), min(len(text), len(text) - tail + _AROUND)
    shown = text[begin:end]
    if len(shown) > 2 * _SHOWN:
        shown = f"{shown[:_SHOWN]}…{shown[-_SHOWN:]}"
    before, behind = "…" if begin else "", "…" if end < len(text) else ""
    return f"{before}{shown}{behind} ({len(text):,} characters)"


def _shorten(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) <= _SHOWN:
            return value
        return f"{value[:_SHOWN]}… ({len(value):,} characters)"
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shorten(item) for item in value]
    return value


def _described(content: Any) -> Any:
    """Return content with attachments that nobody has resolved yet as blocks that say so."""
    if not isinstance(content, tuple):
        return content
    described: list[Block] = []
    for block in content:
        if not block.resolved:
            described.append(
                UnknownBlock(block.type, {"type": block.type, "as given": repr(block)})
            )
        elif isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
            described.append(block.evolve(content=_described(block.content)))
        else:
            described.append(block)
    return tuple(described)
