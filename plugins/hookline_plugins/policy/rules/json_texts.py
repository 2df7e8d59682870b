"""The texts of JSON, of models, and of what a tool is called with."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import attrs

from hookline.values import FrozenDict

__all__ = ["SEALED", "input_texts", "looks_sealed", "strings"]

# What only the API can read, or what is no text: a word could be in it by chance alone.
SEALED: Final = frozenset(
    {"signature", "encrypted_content", "encrypted_index", "fallback_credit_token"}
)
_LOOKS_SEALED: Final = re.compile(r"[A-Za-z0-9+/=_-]{64,}")


def looks_sealed(value: Any) -> bool:
    """Say whether a value may well be signed or encrypted, and no text."""
    return isinstance(value, str) and _LOOKS_SEALED.fullmatch(value) is not None


def strings(value: Any) -> list[str]:
    """Return every text in a value of JSON or of ours: keys and numbers included.

    Args:
        value: of any depth.

    """
    found: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is str:
            found.append(item)
        elif kind is tuple or kind is list:
            waiting += item[::-1]
        elif kind is FrozenDict or kind is dict:
            for key, inner in reversed(item.items()):
                if key not in SEALED or not looks_sealed(inner):
                    waiting += (inner, key)
        elif kind is int or kind is float:
            found.append(str(item))
        elif item is not None and kind is not bool:
            waiting.append(_plainly(item, kind))
    return found


def _plainly(item: Any, kind: type) -> Any:
    """Return what is none of the plain kinds as one of them: a model as its fields, a subclass as itself."""
    if attrs.has(kind):
        named = [(name, getattr(item, name)) for name in _fields(kind)]
        return [each for name, each in named if name not in SEALED or not looks_sealed(each)]
    if isinstance(item, str):
        return str.__str__(item)
    if isinstance(item, Mapping):
        return {str(key): inner for key, inner in item.items()}
    return list(item) if isinstance(item, list | tuple) else str(item)


@cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple([each.name for each in attrs.fields(kind) if not each.name.startswith("_")])


def input_texts(value: Any) -> Iterator[str]:
    """Yield the texts of a tool's input, and what its values say together: keys may stand between them.

    Args:
        value: the input.

    """
    yield from strings(value)
    together = "".join(_values(value))
    if together:
        yield together


def _values(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting += reversed(tuple(item.values()))
        elif isinstance(item, list | tuple):
            waiting += reversed(item)
