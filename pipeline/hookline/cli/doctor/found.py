"""One thing that was looked at."""

from typing import Literal, TypeAlias

from attrs import frozen

__all__ = ["Found", "State"]

State: TypeAlias = Literal["good", "note", "finding"]


@frozen
class Found:
    """One thing that was looked at.

    Attributes:
        about: what it is about.
        state: ``"good"``, a ``"note"``, or a ``"finding"``, which is to be mended.
        what: is so.
        fix: what to do.

    """

    about: str
    state: State
    what: str
    fix: str = ""

    def to_dict(self) -> dict[str, str | None]:
        """Return it as JSON-ready values."""
        return {
            "about": self.about,
            "state": self.state,
            "what": self.what,
            "fix": self.fix or None,
        }
