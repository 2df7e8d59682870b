"""On whose behalf a turn is taken."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from hookline.values.frozen import EMPTY, freeze

__all__ = ["NOBODY", "Principal"]


@frozen(kw_only=True)
class Principal:
    """Who a turn is for, as whoever authenticated the caller says.

    Attributes:
        user: the person, or empty.
        team: the person's team, or empty.
        tenant: the customer whose data it is, or empty.
        tags: further facts to tell turns apart by (a cost centre, a feature).

    """

    user: str = ""
    team: str = ""
    tenant: str = ""
    tags: Mapping[str, Any] = field(default=EMPTY, converter=freeze)

    def apart(self) -> "Principal":
        """Return an equal principal that nobody else holds, of exactly this class."""
        return Principal(user=self.user, team=self.team, tenant=self.tenant, tags=self.tags)


NOBODY: Final = Principal()
"""Whose turn it is where nobody has said."""
