"""What was mended in a history, and where; and the histories that nobody can mend."""

from attrs import frozen

from hookline import InputError

__all__ = ["Repair", "Unhealable", "told"]

_SHOWN = 20


@frozen
class Repair:
    """One thing that was mended.

    Attributes:
        where: its position in the history as it was: ``messages.3.content.1``.
        what: what was wrong and what was done.

    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Unhealable(InputError):
    """A history that the API would refuse, and that cannot, or shall not, be mended."""


def told(repairs: tuple[Repair, ...]) -> str:
    """Return repairs as one text, the first of them at least."""
    shown = "; ".join(str(repair) for repair in repairs[:_SHOWN])
    more = len(repairs) - _SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown
