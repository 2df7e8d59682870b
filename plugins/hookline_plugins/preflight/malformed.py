"""What cannot be what it says it is: blocks without their fields, half characters, names of betas."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import NOTHING, fields, has

from hookline import Block, InputError
from hookline.values import BLOCKS, UnknownBlock
from hookline_plugins.preflight.digest import Digest
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check", "look", "note_unwritable"]

# facts 3.1
BLOCK: Final = Rule("block-fields", "3.1", "Give the block its fields, or leave it out")
# facts 16.2
SURROGATE: Final = Rule(
    "lone-surrogate", "16.2", "Cut text between characters, not within them", shared=True
)
# facts 16.1: what is well-formed may be newer than this version, so the API judges it.
BETA: Final = Rule("beta-name", "16.1", "Write words and a date: `words-2026-11-26`")

RULES: Final = (BLOCK, SURROGATE, BETA)

_BETA: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-(?:\d{4}-\d{2}-\d{2}|\d{8})")

_REQUIRED: Final[Mapping[str, tuple[tuple[str, bool], ...]]] = {
    name: tuple(
        (attribute.name.rstrip("_"), attribute.type is str)
        for attribute in fields(cls)
        if attribute.init and attribute.default is NOTHING
    )
    for name, cls in BLOCKS.items()
}
"""Of each block type its required fields, and whether they are text."""


def look(block: Block, place: str, digest: Digest) -> None:
    """Note a block of a known type that has not what this type is made of.

    Such blocks come from proxies and from other clients' histories: text that is null or missing.
    """
    if not isinstance(block, UnknownBlock):
        return
    for name, is_text in _REQUIRED.get(block.type, ()):
        value = block.data.get(name)
        if value is None or (is_text and not isinstance(value, str)):
            found = "is missing" if name not in block.data else f"is {value!r}"[:80]
            text = f"`{name}` of this {block.type} block {found}"
            digest.problems += (BLOCK.broken(place, text),)
            return


def note_unwritable(error: InputError, digest: Digest) -> None:
    """Note what the encoder refused: half characters, numbers of thousands of digits."""
    digest.plain = False
    digest.problems += (SURROGATE.broken(error.position, error.reason),)


def check(given: "Given") -> Iterator[Problem]:
    """Check the texts outside of messages, and the names of betas."""
    for index, name in enumerate(given.betas):
        if not _BETA.fullmatch(name):
            yield BETA.broken(f"betas.{index}", f"{name[:80]!r} is no name of a beta")
    request = given.request
    for name, value in (("system", request.system), ("stop_sequences", request.stop_sequences)):
        for place in _halves(value, name) if value else ():
            yield SURROGATE.broken(place, "half a surrogate pair is no character")


def _halves(value: Any, place: str) -> Iterator[str]:
    """Yield where text holds half of a surrogate pair."""
    if isinstance(value, str):
        if not value.isascii() and _is_broken(value):
            yield place
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _halves(key, place)
            yield from _halves(item, f"{place}.{key}")
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from _halves(item, f"{place}.{index}")
    elif has(type(value)):
        for attribute in fields(type(value)):
            name = attribute.name.rstrip("_")
            yield from _halves(getattr(value, attribute.name), f"{place}.{name}")


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
