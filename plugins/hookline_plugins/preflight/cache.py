"""Where ``cache_control`` may stand, how often, and in which order (facts 3.5, 12.2)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from hookline import Block, TextBlock
from hookline_plugins.preflight.digest import Digest, Mark
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check", "look"]

MOST: Final = 4

# facts 12.2
COUNT: Final = Rule("cache-count", "12.2", f"Keep the last {MOST} breakpoints and drop the others")
ORDER: Final = Rule(
    "cache-ttl-order", "12.2", "Give earlier breakpoints a ttl at least as long as later ones"
)
# facts 3.5, 10.1
PLACE: Final = Rule("cache-place", "3.5", "Move the breakpoint to another block")

RULES: Final = (COUNT, ORDER, PLACE)

_NEVER: Final = frozenset({"thinking", "redacted_thinking"})


def look(block: Block, place: str, digest: Digest) -> None:
    """Note a block's breakpoint."""
    control = getattr(block, "cache_control", None)
    if control is not None:
        digest.marks += (Mark(place, control.ttl),)
        if isinstance(block, TextBlock) and not block.text:
            text = "an empty text block cannot be a cache breakpoint"
            digest.problems += (PLACE.broken(f"{place}.cache_control", text),)
    elif block.type in _NEVER and block.extra.get("cache_control"):
        text = f"a {block.type} block cannot be a cache breakpoint"
        digest.problems += (PLACE.broken(f"{place}.cache_control", text),)


def check(given: "Given") -> Iterator[Problem]:
    """Check the breakpoints of the whole request, in the order of the prompt."""
    request = given.request
    marks = [*_of_tools(request.tools or ()), *_of_system(request.system), *given.history.marks]
    for index, tool in enumerate(request.tools or ()):
        if getattr(tool, "defer_loading", None) and getattr(tool, "cache_control", None):
            text = "cache_control and defer_loading exclude each other"
            yield PLACE.broken(f"tools.{index}", text)
    found = len(marks) + (request.cache_control is not None)
    if found > MOST:
        where = ", ".join(mark.place for mark in marks)
        yield COUNT.broken("", f"{found} cache breakpoints ({where}), {MOST} are possible")
    short: str | None = None
    for mark in marks:
        if mark.ttl in (None, "5m"):
            short = mark.place
        elif mark.ttl == "1h" and short is not None:
            yield ORDER.broken(f"{mark.place}.cache_control.ttl", f"1h after the 5m of {short}")
            return


def _of_tools(tools: tuple[Any, ...]) -> Iterator[Mark]:
    for index, tool in enumerate(tools):
        control = getattr(tool, "cache_control", None)
        if control is not None:
            yield Mark(f"tools.{index}", control.ttl)


def _of_system(system: Any) -> Iterator[Mark]:
    for index, block in enumerate(system if isinstance(system, tuple) else ()):
        control = getattr(block, "cache_control", None)
        if control is not None:
            yield Mark(f"system.{index}", control.ttl)
