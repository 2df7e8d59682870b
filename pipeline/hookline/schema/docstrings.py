"""What docstrings say about functions, parameters and fields: Google, NumPy and Sphinx styles."""

import inspect
from functools import lru_cache
from typing import Any

import docstring_parser
from attrs import frozen

__all__ = ["Documentation", "documentation"]


@frozen
class Documentation:
    """A docstring, taken apart.

    Attributes:
        text: what it says of the whole, its paragraphs parted by blank lines.
        of: what it says of each parameter or attribute, by name.

    """

    text: str
    of: dict[str, str]


def documentation(thing: Any) -> Documentation:
    """Return what the docstring of a function or class says; nothing if it has none."""
    return _parsed(inspect.cleandoc(thing.__doc__) if isinstance(thing.__doc__, str) else "")


@lru_cache(256)
def _parsed(text: str) -> Documentation:
    try:
        found = docstring_parser.parse(text)
    except docstring_parser.ParseError:  # no style that is known: all of it is prose
        return Documentation(_paragraphs(text), {})
    parts = (found.short_description or "", found.long_description or "")
    gap = "\n\n" if found.blank_after_short_description else "\n"
    named = {
        each.arg_name.lstrip("*"): _paragraphs(each.description or "") for each in found.params
    }
    return Documentation(
        _paragraphs(gap.join(filter(None, parts))),
        {name: said for name, said in named.items() if said},
    )


def _paragraphs(text: str) -> str:
    """Return text with the line breaks inside of paragraphs undone."""
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n")).strip()
