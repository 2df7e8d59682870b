"""Limits on values, from ``Annotated``: the classes of ``annotated_types``, and those of pydantic.

They are told by their attributes, so neither package needs to be there. A schema that the API compiles
cannot hold limits; there they are said in words, and held when the value is read.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["limits_of", "spoken"]

# The attribute of a note, the keyword for numbers, strings, arrays and objects, and the words.
_LIMITS: Final[Mapping[str, tuple[Mapping[str, str], str]]] = {
    "ge": ({"number": "minimum", "integer": "minimum"}, "at least {}"),
    "gt": ({"number": "exclusiveMinimum", "integer": "exclusiveMinimum"}, "more than {}"),
    "le": ({"number": "maximum", "integer": "maximum"}, "at most {}"),
    "lt": ({"number": "exclusiveMaximum", "integer": "exclusiveMaximum"}, "less than {}"),
    "multiple_of": ({"number": "multipleOf", "integer": "multipleOf"}, "a multiple of {}"),
    "min_length": (
        {"string": "minLength", "array": "minItems", "object": "minProperties"},
        "length at least {}",
    ),
    "max_length": (
        {"string": "maxLength", "array": "maxItems", "object": "maxProperties"},
        "length at most {}",
    ),
    "pattern": ({"string": "pattern"}, "of the form {}"),
}
_WORDS: Final[Mapping[str, str]] = {
    keyword: words for keywords, words in _LIMITS.values() for keyword in keywords.values()
}


def limits_of(notes: Iterable[Any], kind: Any) -> dict[str, Any]:
    """Return the keywords of a schema that ``Annotated`` asks for.

    Args:
        notes: what stands after the type.
        kind: the schema's ``type``; limits that it cannot have are left out.

    """
    found: dict[str, Any] = {}
    flat = [each for note in notes for each in (note, *(getattr(note, "metadata", None) or ()))]
    for note in flat:  # pydantic's Field holds its limits in a list
        for name, (keywords, _) in _LIMITS.items():
            value = getattr(note, name, None)
            if isinstance(value, int | float | str) and kind in keywords:
                found[keywords[kind]] = value
    return found


def spoken(limits: Mapping[str, Any]) -> str:
    """Return limits in words."""
    return ", ".join(_WORDS[keyword].format(value) for keyword, value in limits.items())
