"""Adds up what turns cost, by team and feature."""

import threading
from decimal import Decimal

from attrs import define, field

from hookline import Turn, hookimpl
from hookline.plugin import Book, Outcome


@define
class CostTagger:
    """Charges every attempt of a turn, those that were thrown away included."""

    contract = ">=1,<2"
    _spent: Book[tuple[str, str], list[Decimal]] = field(factory=Book, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    @hookimpl
    def conclude(self, turn: Turn, outcome: Outcome) -> None:
        """Charge the turn before the caller has the reply."""
        if outcome.cost:
            key = (turn.principal.team or "", str(turn.context.get("feature", "")))
            with self._lock:
                self._spent.get(key, lambda: [Decimal(0)])[0] += outcome.cost

    def spent(self, team: str = "", feature: str = "") -> Decimal:
        """Return the dollars that a team has spent on a feature."""
        with self._lock:
            return self._spent.get((team, feature), lambda: [Decimal(0)])[0]
