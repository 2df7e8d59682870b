"""Models that are gone, and models that will be (facts 9.1)."""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from hookline.models import ModelFacts
from hookline_plugins.preflight.rules import Problem, Rule

__all__ = ["RULES", "check", "warning"]

# facts 2.1, 9.1
RETIRED: Final = Rule("retired-model", "9.1", "Use a newer model; `hookline models` lists them")

RULES: Final = (RETIRED,)


def check(facts: ModelFacts, today: dt.date, *, simulated: bool) -> Iterator[Problem]:
    """Refuse a model that the API answers with 404.

    The simulator goes by the table alone, and not by the calendar: it keeps serving a model whose
    day has come, so that tests and tutorials written for it go on working.
    """
    # On the day itself the model may still answer.
    if facts.retired or (facts.retires is not None and facts.retires < today and not simulated):
        when = f" on {facts.retires:%d %B %Y}" if facts.retires else ""
        yield RETIRED.broken("model", f"{facts.id} was retired{when}", _remedy(facts))


def _remedy(facts: ModelFacts) -> str:
    """Name the successor, or nothing where the table has none: then the rule's own remedy holds."""
    return f"Use {facts.successor}, or another of `hookline models`" if facts.successor else ""


def warning(facts: ModelFacts, today: dt.date, warn_days: int) -> str:
    """Return what to say about a model that still works but not for long, or ""."""
    move = f"move to {facts.successor or 'a newer model'}"
    if facts.retires is None:
        return f"{facts.id} is deprecated; {move}" if facts.status == "deprecated" else ""
    left = (facts.retires - today).days
    if left > warn_days:
        return ""
    day = f"{facts.retires:%d %B %Y}"
    if left < 0:
        return f"{facts.id} was retired on {day}: only the simulator still answers; {move}"
    return f"{facts.id} retires on {day}, in {left} days; {move}"
