"""The last word: policies asked about exactly what leaves, what is run, and what the caller gets."""

from inspect import isawaitable
from typing import Any

from hookline._journey.failures import (
    absorbed,
    failure,
    is_failure,
    result_of,
    verdict_of,
    wrong,
)
from hookline._journey.plugin_set import Implementation
from hookline.errors import HooklineError, PolicyViolation
from hookline.turn import Turn

__all__ = ["check"]


async def check(implementations: tuple[Implementation, ...], turn: Turn, subject: Any) -> None:
    """Ask every policy; any error in one blocks.

    Args:
        implementations: of one check hook, enforcers last.
        turn: the journey; its destination cannot be changed meanwhile.
        subject: a request, a tool call or a reply.

    Raises:
        PolicyViolation: one refused, or could not decide.

    """
    if not implementations:
        return
    with turn.judging() as destination:
        for implementation in implementations:
            await _ask(implementation, turn, subject)
    if turn.destination is not destination:
        raise PolicyViolation(
            "the destination was changed while the checks looked at it; nothing was sent",
            rule="destination",
        )


async def _ask(implementation: Implementation, turn: Turn, subject: Any) -> None:
    try:
        if implementation.isolated:
            result = await result_of(implementation, turn, subject)
        else:
            result = implementation.call(turn, subject)
            if result is not None and isawaitable(result):
                result = await result
    except BaseException as error:
        if not is_failure(implementation, error):
            raise
        if absorbed(turn, implementation, error):
            return
        problem = failure(implementation, error)
        if isinstance(problem, PolicyViolation):
            _refused(turn, implementation, problem)
        if problem is error:
            raise
        raise problem from error
    if result is not None:
        problem = wrong(implementation, result, "None; raise PolicyViolation to refuse")
        if not absorbed(turn, implementation, problem):
            _refused(turn, implementation, problem)
            raise problem


def _refused(turn: Turn, implementation: Implementation, problem: HooklineError) -> None:
    verdict = verdict_of(implementation, "refused", problem)
    turn.trace.verdicts.append(verdict)
