"""What a limit is, whose account a turn charges, and when a period ends."""

import datetime as dt
import math
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Any, Final, Literal

from attrs import field, frozen

from hookline import ConfigError
from hookline.models import ModelTable
from hookline.plugin import Principal, option

__all__ = ["NANO", "UNITS", "Account", "Amounts", "By", "Limit", "Per", "Unit", "begins", "ends"]

By = Literal["everybody", "user", "team", "tenant", "tag", "model"]
Per = Literal["day", "week", "month", "total"]
Unit = Literal["usd", "tokens", "requests"]

UNITS: Final[tuple[Unit, ...]] = ("usd", "tokens", "requests")
_DAY: Final = 86_400  # seconds; UTC as clocks tell it has no others
_EPOCH: Final = dt.date(1970, 1, 1)
NANO: Final = 1_000_000_000
"""Dollars are counted in whole billionths: sums stay exact."""


@frozen(kw_only=True)
class Amounts:
    """What an attempt takes, each in whole numbers.

    Attributes:
        usd: billionths of a US dollar; None if the price is not known.
        tokens: input and output.
        requests: 0 or 1.

    """

    usd: int | None = 0
    tokens: int = 0
    requests: int = 0

    @staticmethod
    def dollars(usd: Decimal | None) -> int | None:
        """Return dollars as they are counted, never less than they are."""
        if usd is None:
            return None
        return int((usd * NANO).to_integral_value(rounding=ROUND_CEILING))


@frozen
class Account:
    """Where spending is added up.

    Attributes:
        by: what sets accounts of a kind apart.
        subject: whose it is: the user's name, the model's id; for tags ``KEY=VALUE``.
        per: how long the period is.
        period: which one: its first day, ``2026-11-01``; empty for ``total``.
        unit: what is added up.

    """

    by: By
    subject: str
    per: Per
    period: str
    unit: Unit


def _amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@frozen(kw_only=True)
class Limit:
    """One limit: so much, by whom, in what time.

    Attributes:
        by: each ``user``, ``team``, ``tenant``, value of a ``tag``, or ``model`` has so much for itself;
            ``everybody`` shares it.
        tag: the key of the principal's tags, for ``by = "tag"``.
        only: names that it holds for; empty for all. What has no name is a name: ``""``.
        per: days, weeks (from Monday) and months are those of UTC.
        usd: US dollars.
        tokens: input and output together.
        requests: attempts that the API took.
        warn_at: the share of it from which on the log and the trace warn.

    """

    by: By
    per: Per
    tag: str = ""
    only: tuple[str, ...] = ()
    usd: float | None = field(default=None, metadata=option(least=0))
    tokens: int | None = field(default=None, metadata=option(least=0))
    requests: int | None = field(default=None, metadata=option(least=0))
    warn_at: float = field(default=0.8, metadata=option(least=0, most=1))
    _amounts: tuple[tuple[Unit, int], ...] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        given = [unit for unit in UNITS if getattr(self, unit) is not None]
        if not given:
            raise ConfigError(f"budget: a limit by {self.by} names no usd, tokens or requests")
        for name in (*given, "warn_at"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"budget: {name} of a limit must be 0 or more and finite")
        if (self.by == "tag") != bool(self.tag):
            raise ConfigError(
                'budget: `tag` names the key of a limit with by = "tag", and no other'
            )
        dollars = None if self.usd is None else Amounts.dollars(Decimal(str(self.usd)))
        amounts: dict[Unit, int | None] = {
            "usd": dollars,
            "tokens": self.tokens,
            "requests": self.requests,
        }
        told = tuple((unit, most) for unit, most in amounts.items() if most is not None)
        object.__setattr__(self, "_amounts", told)

    def amounts(self) -> tuple[tuple[Unit, int], ...]:
        """Return the units that are limited, and how much of each there is."""
        return self._amounts

    def subject(self, principal: Principal, model: str, models: ModelTable) -> str | None:
        """Return whose account a turn charges, or None if the limit does not hold for it.

        A model has one account, whichever of its names it was asked by, a cloud's among them.

        Args:
            principal: on whose behalf it is.
            model: that is asked.
            models: what is known about models.

        """
        if self.by == "everybody":
            return ""
        if self.by == "model":
            return self._held(models.names_of(model).id, models)
        if self.by == "tag":
            name = self._held(str(principal.tags.get(self.tag, "")), models)
            return name if name is None else f"{self.tag}={name}"
        return self._held(str(getattr(principal, self.by)), models)

    def holds(self, account: Account, models: ModelTable) -> bool:
        """Say whether the limit holds for an account."""
        begin = f"{self.tag}=" if self.tag else ""
        name = account.subject.removeprefix(begin)
        return (
            (self.by, self.per) == (account.by, account.per)
            and account.subject.startswith(begin)
            and self._held(name, models) is not None
        )

    def _held(self, name: str, models: ModelTable) -> str | None:
        if not self.only or name in self.only:
            return name
        if self.by != "model":
            return None
        only = {models.names_of(each).id for each in self.only}
        return (
            name
            if any(models.names_of(each).id in only for each in models.names_of(name).perhaps)
            else None
        )


def begins(per: Per, now: float) -> str:
    """Return the first day of the period that a moment lies in; empty for ``total``.

    Args:
        per: how long it is.
        now: seconds of the Unix epoch.

    """
    return _begins(per, math.floor(now / _DAY))


@lru_cache(maxsize=16)
def _begins(per: Per, number: int) -> str:
    day = _EPOCH + dt.timedelta(days=number)
    if per == "week":
        day -= dt.timedelta(days=day.weekday())
    elif per == "month":
        day = day.replace(day=1)
    return "" if per == "total" else day.isoformat()


def ends(per: Per, period: str) -> str:
    """Return the first day after a period; empty for ``total``."""
    if per == "total":
        return ""
    first = dt.date.fromisoformat(period)
    if per == "month":
        return (first + dt.timedelta(days=31)).replace(day=1).isoformat()
    return (first + dt.timedelta(days=7 if per == "week" else 1)).isoformat()
