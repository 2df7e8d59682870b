"""Which model takes the place of an old one, and what that means for the price (facts 9.1)."""

import datetime as dt
import re
from decimal import Decimal
from typing import Final

from attrs import frozen

from hookline.models import ModelFacts, ModelTable, Prices

__all__ = ["CHOSEN", "Move", "is_gone", "known_as", "move_of", "spelled_elsewhere"]

CHOSEN: Final = "it was chosen"
RETIRED: Final = "it is retired, facts 9.1"
SPELLED: Final = "the API spells it so, facts 9.1"
_HALF: Final = Decimal("0.5")
# Names of 2023, when a version was its own alias; they mean the last of their kind. General knowledge of the time.
_OF_2023: Final = (
    (re.compile(r"claude-instant-(?:v?1(?:\.\d)?(?:-100k)?|latest)"), "claude-instant-1.2"),
    (re.compile(r"claude-(?:v?1(?:\.\d)?(?:-100k)?|2|2\.\d|latest)"), "claude-2.1"),
)


@frozen
class Move:
    """From a model to another one.

    Attributes:
        old: what is known of the old one; None for nothing.
        new: the other one.
        fact: what forces it.

    """

    old: ModelFacts | None
    new: ModelFacts
    fact: str

    @property
    def dear(self) -> bool:
        """Whether a price differs by more than half of the old one, in either direction."""
        old, new = (self.old.prices if self.old else None), self.new.prices
        if old is None or new is None:
            return False
        return any(
            abs(after - before) > _HALF * before
            for before, after in ((old.input, new.input), (old.output, new.output))
        )

    @property
    def prices(self) -> str:
        """Both prices in words; empty where one of them is not known."""
        old, new = (self.old.prices if self.old else None), self.new.prices
        if old is None or new is None:
            return ""
        return f"USD {_pair(old)} per million tokens in and out becomes {_pair(new)}"


def _pair(prices: Prices) -> str:
    return f"{prices.input:f} and {prices.output:f}"


def known_as(model: str, models: ModelTable) -> ModelFacts | None:
    """Return what is known of a model, by the names of 2023 too; None for nothing."""
    known = models.get(model)
    if known is not None:
        return known
    return models.get(_of_2023(model))


def is_gone(facts: ModelFacts, today: dt.date | None) -> bool:
    """Say whether the API does not answer for a model any more.

    Args:
        facts: the model.
        today: None to go by the table alone, as the simulator does.

    """
    over = today is not None and facts.retires is not None and facts.retires < today
    return facts.retired or over


def move_of(
    model: str, models: ModelTable, *, chosen: ModelFacts | None, today: dt.date | None
) -> Move | None:
    """Return where a request has to go.

    Args:
        model: the one that it names.
        models: what is known.
        chosen: the model that somebody chose; None for the successor of what is gone.
        today: see ``is_gone``.

    Returns:
        The move; None where the model can stay.

    """
    old = known_as(model, models)
    if chosen is not None:
        return None if old is chosen else Move(old, chosen, CHOSEN)
    new = old
    while new is not None and is_gone(new, today):
        new = models.get(new.successor or "")
    if old is None or new is None or (new is old and models.exact(model) is old):
        return None
    return Move(old, new, SPELLED if new is old else RETIRED)


def spelled_elsewhere(model: str, models: ModelTable) -> ModelFacts | None:
    """Return the facts of a model by a name that another platform has for it; None for other names."""
    if models.exact(model) is not None or _of_2023(model):
        return None
    return models.get(model)


def _of_2023(model: str) -> str:
    """Return the model that a name of 2023 means; empty for another name."""
    return next((name for pattern, name in _OF_2023 if pattern.fullmatch(model)), "")
