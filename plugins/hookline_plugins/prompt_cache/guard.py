"""What an edit before a cache breakpoint costs, and whose it is (facts 7.3, 12.2)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from attrs import evolve, frozen

from hookline import Block, Message, Request
from hookline.models import ModelFacts
from hookline.trace import Change
from hookline_plugins.prompt_cache.breakpoints import HOURLY, Spot, given_spots, tokens_to

__all__ = ["Kept", "Spoiled", "reads", "spoiled", "worth"]

_MILLION: Final = 1_000_000
_SYSTEM, _MESSAGES = 1, 2  # sections of the prompt
_LIVES: Final[Mapping[str | None, float]] = {HOURLY: 3600.0}
_LIFE: Final = 300.0
# A change of these spoils what is kept of the messages, and of speed that of the system prompt too.
_OF_MESSAGES: Final = ("tool_choice", "thinking")


@frozen
class Kept:
    """What the API keeps of the last request.

    Attributes:
        request: as it left.
        own: as the three transforms had left it.
        tokens: up to its last breakpoint, by the API's own count.
        until: the second of the turn's clock up to which it is kept.

    """

    request: Request
    own: Request
    tokens: int
    until: float

    @classmethod
    def of(cls, request: Request, own: Request, tokens: int, now: float) -> "Kept":
        """Return what is kept of a request that has just been answered."""
        ttl = given_spots(request)[-1:]
        return cls(request, own, tokens, now + _LIVES.get(ttl[0].ttl if ttl else None, _LIFE))


@frozen
class Spoiled:
    """An edit before the last breakpoint.

    Attributes:
        where: what was edited: ``tools``, ``system``, ``messages.3``, ``model`` …
        tokens: about how many tokens are written anew that would have been read.
        by: the plugin that did it; empty for a ``send`` hook, None for the caller.

    """

    where: str
    tokens: int
    by: str | None = None

    @property
    def edits(self) -> bool:
        """Whether the prompt itself is another one."""
        return self.where != "model"

    def __str__(self) -> str:
        by = {None: "the call", "": "a `send` hook"}.get(self.by, f"the plugin {self.by!r}")
        return f"{self.where} was changed by {by} before the cache breakpoint"


def reads(kept: Kept, request: Request, now: float) -> bool:
    """Say whether a request begins with what is kept, so that it is read and not written."""
    return now < kept.until and _edited(kept.request, request) is None


def spoiled(
    kept: Kept,
    request: Request,
    own: Request,
    *,
    now: float,
    facts: ModelFacts | None,
    changes: Sequence[Change],
) -> Spoiled | None:
    """Return the edit that makes the API forget, or None where there is none, or nothing was kept.

    Args:
        kept: of the last request.
        request: about to leave.
        own: the same as the three transforms left it.
        now: the turn's clock.
        facts: its model.
        changes: of this turn so far.

    """
    if now >= kept.until or not kept.tokens:
        return None
    where = _edited(kept.request, request)
    if where is None:
        return None
    tokens = _written_anew(kept, request, where, facts)
    return Spoiled(where, tokens, _culprit(kept.own, own, changes))


def _written_anew(kept: Kept, request: Request, where: str, facts: ModelFacts | None) -> int:
    """Return about how many tokens stand where they stood and are written again."""
    spots = given_spots(kept.request)
    whole = tokens_to(kept.request, spots[-1], facts)
    still = max(
        (tokens_to(kept.request, spot, facts) for spot in spots if _before(spot, where)),
        default=0.0,
    )
    last = evolve(spots[-1], index=min(spots[-1].index, len(request.messages) - 1))
    now = tokens_to(request, last if last.section == _MESSAGES else spots[-1], facts)
    share = (min(whole, now) - still) / whole if whole else 0.0
    return round(kept.tokens * max(0.0, share))


def worth(facts: ModelFacts | None, *, read: float, written: float, hourly: bool) -> Decimal | None:
    """Return how many US dollars less it costs to read and to write so many tokens than to send them."""
    if facts is None or facts.prices is None:
        return None
    prices = facts.prices.for_prompt(round(read + written))
    write = prices.cache_write_1h if hourly else prices.cache_write_5m
    saved = Decimal(round(read)) * (prices.input - prices.cache_read)
    return (saved - Decimal(round(written)) * (write - prices.input)) / _MILLION


def _edited(before: Request, after: Request) -> str | None:
    """Return the first thing that differs up to the last breakpoint of the earlier request."""
    spots = given_spots(before)
    if not spots:
        return None
    last = max(spots, key=lambda spot: (spot.section, spot.index, spot.block))
    messages = last.index + 1 if last.section == _MESSAGES else 0
    if before.model != after.model:
        return "model"
    if messages or last.section:
        return _difference(before, after, messages)
    return None if _same(before.tools, after.tools) else "tools"


def _difference(before: Request, after: Request, messages: int) -> str | None:
    """Return the first of tools, system prompt, and so many messages that differs."""
    if not _same(before.tools, after.tools):
        return "tools"
    if not _same_system(before, after):
        return "system"
    names: Sequence[str] = ("speed", *_OF_MESSAGES) if messages else ("speed",)
    for name in names:
        if getattr(before, name) != getattr(after, name):
            return name
    for index, message in enumerate(before.messages[:messages]):
        if index >= len(after.messages) or not _same_message(message, after.messages[index]):
            return f"messages.{index}"
    return None


def _before(spot: Spot, where: str) -> bool:
    """Say whether a breakpoint stands before what was edited, and still helps."""
    name, _, index = where.partition(".")
    if name in ("model", "tools"):
        return False
    if name in ("system", "speed"):
        return spot.section < _SYSTEM
    return spot.section < _MESSAGES or (bool(index) and spot.index < int(index))


def _same(one: Sequence[Any] | None, other: Sequence[Any] | None) -> bool:
    one, other = one or (), other or ()
    return one is other or (len(one) == len(other) and all(map(_same_thing, one, other)))


def _same_thing(one: Any, other: Any) -> bool:
    """Compare tools or blocks; where breakpoints stand is no difference."""
    return one is other or _bare(one) == _bare(other)


def _bare(value: Any) -> Any:
    if getattr(value, "cache_control", None) is not None:
        value = value.evolve(cache_control=None)
    content = getattr(value, "content", None)
    if isinstance(value, Block) and isinstance(content, tuple):
        bare = tuple(map(_bare, content))
        if any(one is not other for one, other in zip(bare, content, strict=True)):
            return value.evolve(content=bare)
    return value


def _same_system(one: Request, other: Request) -> bool:
    return one.system == other.system or _same(_blocks(one.system), _blocks(other.system))


def _blocks(system: Any) -> tuple[Block, ...]:
    return Message("system", system).blocks if system else ()


def _same_message(one: Message, other: Message) -> bool:
    if one is other or one == other:
        return True
    return one.role == other.role and _same(one.blocks, other.blocks)


def _culprit(before: Request, own: Request, changes: Sequence[Change]) -> str | None:
    """Return the plugin after which what was edited is no longer what it was.

    Where the transforms left all of it as it was, that was a ``send`` hook. Where it never was what it
    was, the caller has brought something else.
    """
    count = len(before.messages)
    while count and before.messages[count - 1].role == "assistant":  # a prefill, which has grown
        count -= 1
    where = "model" if before.model != own.model else _difference(before, own, count)
    if where is None:
        return ""
    culprit: str | None = None
    for change in changes:
        if _part_is_same(before, change.before, where):
            culprit = None if _part_is_same(before, change.after, where) else change.plugin
    return culprit


def _part_is_same(before: Request, request: Request, where: str) -> bool:
    name, _, index = where.partition(".")
    if name == "messages":
        place = int(index)
        if place >= len(request.messages) or place >= len(before.messages):
            return False
        return _same_message(before.messages[place], request.messages[place])
    if name == "tools":
        return _same(before.tools, request.tools)
    if name == "system":
        return _same_system(before, request)
    return bool(getattr(before, name) == getattr(request, name))
