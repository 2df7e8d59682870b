"""The plugin ``preflight``: the API's own rules, applied before a request costs anything.

Innermost, on exactly what leaves, before every attempt. All broken rules are told at once, each with
its name, its position (``messages.3.content.1``) and what to do.

Which rules apply where (``scope``):

- Anthropic's own hosts and the simulator: all of them.
- Any other host (a local server, a gateway, a cloud): those that every server shares, because
  others are laxer or differ (facts 14.2), and what its profile says that it cannot do. ``strict = true``
  applies all of them there too.
- A model that the table does not know, or that a plugin registered as a foreign one: the rules that
  do not depend on the model.
- Blocks, fields and values that this version does not know always pass.
- What is unconfirmed about a model is noted in the trace and passes.

The rules are functions and small tables, one module for each topic; ``RULES`` lists them.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Final, TypeAlias

from attrs import Attribute, field, frozen, validators
from loguru import logger

from hookline import ConfigError, Request, Turn, hookimpl
from hookline.models import ModelFacts
from hookline.plugin import checks_options, option
from hookline_plugins.preflight import (
    betas,
    cache,
    limits,
    malformed,
    media,
    retirement,
    sampling_and_thinking,
    server,
    tools,
    turns,
)
from hookline_plugins.preflight.given import Given
from hookline_plugins.preflight.memory import Memory
from hookline_plugins.preflight.rules import PreflightError, Problem, Rule
from hookline_plugins.preflight.scope import Scope

__all__ = ["RULES", "Preflight", "PreflightError", "Problem", "Rule"]

_TOPICS: Final = (
    malformed, limits, sampling_and_thinking, turns, tools, cache, media, betas, server
)  # fmt: skip

RULES: Final[dict[str, Rule]] = {
    rule.name: rule for topic in (retirement, *_TOPICS) for rule in topic.RULES
}
"""Every rule by its name, in the order in which they are told."""

_Check: TypeAlias = Callable[[Given], Iterator[Problem]]
_CHECKS: Final[tuple[_Check, ...]] = tuple(topic.check for topic in _TOPICS)
_ORDINARY_CHECKS: Final[tuple[_Check, ...]] = (
    malformed.check, limits.check, turns.check, server.check
)  # fmt: skip


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _going(turn: Turn, request: Request) -> int:
    from hookline_plugins.images.strategy import shown_but_going  # noqa: PLC0415 -- hardly ever asked

    return shown_but_going(turn, request)


def _known(_instance: object, _attribute: "Attribute[Any]", names: tuple[str, ...]) -> None:
    for name in names:
        if name not in RULES:
            from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

            near = get_close_matches(name, RULES, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"rules are: {', '.join(RULES)}"
            raise ConfigError(f"plugins.preflight.rules_off: there is no rule {name!r}; {hint}")


@checks_options
@frozen(kw_only=True, eq=False)
class Preflight:
    """Refuses what the API would refuse.

    Attributes:
        rules_off: names of rules that are not applied, for the day on which the API drops one
            before Hookline does.
        warn_days: a model that retires within so many days is warned about, once.
        strict: whether all rules apply: None for "at Anthropic's hosts and in the simulator".

    Example:
        In ``hookline.toml``::

            [plugins.preflight]
            rules_off = ["beta-header"]

    """

    role: ClassVar[str] = "transformer"

    rules_off: tuple[str, ...] = field(default=(), converter=_names, validator=_known)
    warn_days: int = field(
        default=60, metadata=option(harmless=True, least=0), validator=validators.ge(0)
    )
    strict: bool | None = None

    _memory: Memory = field(init=False, factory=Memory, repr=False)
    _warned: set[str] = field(init=False, factory=set, repr=False)
    _today: Callable[[], dt.date] = field(init=False, default=dt.date.today, repr=False)

    @hookimpl
    def check_request(self, turn: Turn, request: Request) -> None:
        """Raise ``PreflightError`` if the request breaks a rule."""
        scope = Scope.of(turn, request.model, strict=self.strict, rules_off=self.rules_off)
        found: list[Problem] = []
        if scope.facts is not None:
            today = self._today()
            found += retirement.check(scope.facts, today, simulated=scope.simulated)
            if not found:
                self._warn(turn, scope.facts, today)
        history = self._memory.history(request.messages)
        given = Given(
            request=request,
            history=history,
            facts=scope.claude,
            limits=scope.facts,
            version=turn.api_version,
            betas=(*request.betas, *turn.betas),
            surface=turn.surface,
            profile=turn.profile,
            going=int if turn.asks_model else partial(_going, turn, request),
        )
        found += history.problems
        checks = _ORDINARY_CHECKS if given.ordinary else _CHECKS
        found += chain.from_iterable([check(given) for check in checks])
        if found:
            broken, doubtful = scope.sorted(found)
            if broken:
                raise PreflightError(broken)
            for problem in doubtful if turn.attempt == 0 else ():
                turn.trace.note("preflight", f"the API may refuse this: {problem}")

    def _warn(self, turn: Turn, facts: ModelFacts, today: dt.date) -> None:
        """Warn of a model's end: in the trace of every turn, in the log once."""
        text = retirement.warning(facts, today, self.warn_days)
        if not text:
            return
        if turn.attempt == 0:
            turn.trace.note("preflight", text)
        if facts.id not in self._warned:
            self._warned.add(facts.id)
            logger.bind(model=facts.id).warning("{}", text)
