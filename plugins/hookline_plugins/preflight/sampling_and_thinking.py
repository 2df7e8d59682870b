"""Sampling, thinking, effort: what a model takes under an API version (facts 2.1, 9.2, 9.3)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hookline.models import EFFORTS
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline.models import ModelFacts
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check"]

# facts 1.5, 2.1, 9.2
SAMPLING_VERSION: Final = Rule(
    "sampling-version",
    "1.5",
    "Leave it out, or use api_version 2023-06-01 and a model that takes it",
)
SAMPLING_MODEL: Final = Rule(
    "sampling-model", "9.2", "Leave it out, or use a model up to 4.6", goes_by="sampling"
)
SAMPLING_RANGE: Final = Rule("sampling-range", "2.1", "Use a value in the range")
SAMPLING_BOTH: Final = Rule(
    "sampling-both", "9.2", "Leave out temperature or top_p", goes_by="sampling"
)
SAMPLING_THINKING: Final = Rule("sampling-thinking", "8.3", "Leave it out, or turn thinking off")
# facts 9.2, 9.3
THINKING: Final = Rule(
    "thinking-type", "9.2", "Use a type that the model takes", goes_by="thinking"
)
BUDGET: Final = Rule("thinking-budget", "9.3", "Take 1,024 or more, and less than max_tokens")
EFFORT: Final = Rule("effort", "9.2", "Use a level that the model takes", goes_by="effort")
QUIET: Final = Rule(
    "effort-thinking", "9.2", "Lower the effort, or let the model think", goes_by="quiet_effort"
)

RULES: Final = (
    SAMPLING_VERSION, SAMPLING_MODEL, SAMPLING_RANGE, SAMPLING_BOTH, SAMPLING_THINKING, THINKING,
    BUDGET, EFFORT, QUIET,
)  # fmt: skip

_WITHOUT_SAMPLING: Final = "2026-10-21"
_LEAST_BUDGET: Final = 1024
# An unknown type may be one that is newer than this table: the API judges it.
_TYPES: Final = frozenset({"adaptive", "enabled", "disabled", "between_tools"})
# It lets thinking go on between tool calls, under a budget larger than max_tokens.
_INTERLEAVED: Final = "interleaved-thinking-"


def check(given: "Given") -> Iterator[Problem]:
    """Check sampling parameters, thinking and effort."""
    request = given.request
    given_values = (
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("top_k", request.top_k),
    )
    values = {name: value for name, value in given_values if value is not None}
    if values and not given.counts:
        yield from _sampling(given, values)
    if request.thinking is not None:
        yield from _thinking(given)
    if request.output_config is not None and given.facts is not None:
        yield from _effort(given, given.facts)


def _sampling(given: "Given", values: dict[str, float]) -> Iterator[Problem]:
    facts = given.facts
    if given.version == _WITHOUT_SAMPLING:
        for name in values:
            yield SAMPLING_VERSION.broken(name, f"version {_WITHOUT_SAMPLING} has no {name}")
    elif facts is not None and facts.sampling == "rejected":
        for name, value in values.items():
            if name == "top_k" or value != 1:  # 1 is the default of the other two
                yield SAMPLING_MODEL.broken(name, f"{facts.id} does not take {name}")
    else:
        yield from _sampled(given, values)


def _sampled(given: "Given", values: dict[str, float]) -> Iterator[Problem]:
    """Check the values, where there may be any."""
    facts = given.facts
    for name, value in values.items():
        if value < 0 or (name != "top_k" and value > 1):
            yield SAMPLING_RANGE.broken(name, f"{value} is not {_range(name)}")
    if facts is not None and facts.sampling == "one_of" and {"temperature", "top_p"} <= set(values):
        yield SAMPLING_BOTH.broken("top_p", f"{facts.id} takes temperature or top_p, not both")
    if given.thinking in ("enabled", "adaptive"):
        if values.get("temperature", 1) != 1:
            yield SAMPLING_THINKING.broken("temperature", "with thinking on it can only be 1")
        if "top_k" in values:
            yield SAMPLING_THINKING.broken("top_k", "with thinking on it cannot be set")


def _range(name: str) -> str:
    return "0 or more" if name == "top_k" else "between 0 and 1"


def _thinking(given: "Given") -> Iterator[Problem]:
    request, facts, kind = given.request, given.facts, given.thinking
    if kind not in _TYPES:
        return
    if facts is not None and kind not in facts.thinking:
        accepted = ", ".join(facts.thinking) or "none"
        yield THINKING.broken(
            "thinking.type", f"{facts.id} does not take {kind!r}; it takes {accepted}"
        )
        return
    budget = (request.thinking or {}).get("budget_tokens")
    if kind != "enabled" or not isinstance(budget, int):
        return
    at = "thinking.budget_tokens"
    if budget < _LEAST_BUDGET:
        yield BUDGET.broken(at, f"{budget} tokens are too few")
    elif budget >= request.max_tokens and not given.counts and not given.has_beta(_INTERLEAVED):
        yield BUDGET.broken(at, f"{budget} tokens leave nothing of max_tokens={request.max_tokens}")


def _effort(given: "Given", facts: "ModelFacts") -> Iterator[Problem]:
    effort = (given.request.output_config or {}).get("effort")
    if effort not in EFFORTS:
        return
    at = "output_config.effort"
    if effort not in facts.effort:
        accepted = ", ".join(facts.effort) or "none"
        yield EFFORT.broken(at, f"{facts.id} does not take {effort!r}; it takes {accepted}")
        return
    quiet = facts.quiet_effort
    silent = given.thinking in ("disabled", "between_tools")
    if silent and quiet is not None and EFFORTS.index(effort) > EFFORTS.index(quiet):
        yield QUIET.broken(at, f"without thinking the highest effort of {facts.id} is {quiet!r}")
