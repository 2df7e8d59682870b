"""Budgets in words: why an attempt is refused, what is nearly used up."""

from decimal import Decimal

from hookline import PolicyViolation
from hookline_plugins.policy.budget.ledger import Charge, Exceeded
from hookline_plugins.policy.budget.limits import NANO, Account, Unit, ends

__all__ = ["in_words", "refusal", "rule", "warning"]


def in_words(amount: int, unit: Unit) -> str:
    """Return an amount as a person writes it: ``$1.25``, ``1,200 tokens``."""
    if unit == "usd":
        dollars = Decimal(amount) / NANO
        return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:.6f}"
    return f"{amount:,} {unit if amount != 1 else unit[:-1]}"


def rule(by: str, per: str, unit: str) -> str:
    """Return the id of a limit: ``budget-team-month-usd``."""
    return f"budget-{by}-{per}-{unit}"


def refusal(exceeded: Exceeded) -> PolicyViolation:
    """Return the error for an attempt that has no room."""
    charge = exceeded.charge
    account = charge.account
    left = in_words(max(0, charge.limit - exceeded.spent), account.unit)
    again = ends(account.per, account.period)
    return PolicyViolation(
        f"{_whose(account)} has {left} of {in_words(charge.limit, account.unit)} left "
        f"{_when(account)}, and this attempt may take {in_words(charge.amount, account.unit)}; "
        f"ask for less (max_tokens){f', or wait until {again}' if again else ''}",
        rule=rule(account.by, account.per, account.unit),
    )


def warning(charge: Charge, spent: int) -> str:
    """Return what to say of an account that is nearly used up."""
    account = charge.account
    return (
        f"{_whose(account)} has come to {in_words(spent, account.unit)} of "
        f"{in_words(charge.limit, account.unit)} {_when(account)}, what is reserved included"
    )


def _whose(account: Account) -> str:
    if account.by == "everybody":
        return "the budget of everybody"
    return f"the budget of the {account.by} {account.subject or '(nobody)'}"


def _when(account: Account) -> str:
    return "in all" if account.per == "total" else f"for the {account.per} from {account.period}"
