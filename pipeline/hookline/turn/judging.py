"""What checks may rely on: a destination that stays while they look at it, and a turn that is as it was made."""

from hookline.errors import PolicyViolation
from hookline.values.destination import Destination

__all__ = ["Judging", "tampered"]


class Judging:
    """One look of checks at a destination; a class, since every attempt enters two.

    Args:
        looks: those under way; while there is one, nobody may set another destination.
        destination: what they judge; the context.

    """

    __slots__ = ("_destination", "_looks")

    def __init__(self, looks: set[object], destination: Destination) -> None:
        self._looks = looks
        self._destination = destination

    def __enter__(self) -> Destination:
        self._looks.add(self)  # a count would not survive two threads
        return self._destination

    def __exit__(self, *error: object) -> None:
        self._looks.discard(self)


def tampered(name: str) -> PolicyViolation:
    """Return the refusal of a turn in which a plugin has changed what is fixed.

    Args:
        name: of what it changed.

    """
    return PolicyViolation(
        f"turn.{name} was changed by a plugin, so no policy can rely on it", rule="turn"
    )
