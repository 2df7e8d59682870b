"""The last word: policies asked about exactly what leaves, what is run, and what the caller gets.

Enforcers judge what nobody else holds: a copy of the subject as its own JSON says it is, in a turn as
it was made. That copy is what is used afterwards, so no other plugin, and no thread that one has
started, can change it in between.
"""

from inspect import isawaitable
from typing import Any, TypeVar

from attrs import evolve

from hookline._journey.failures import (
    absorbed,
    failure,
    is_failure,
    result_of,
    verdict_of,
    wrong,
)
from hookline._journey.plugin_set import Implementation
from hookline.errors import DecodeError, HooklineError, PolicyViolation, UnresolvedContent
from hookline.reply import Reply
from hookline.turn import Turn
from hookline.values.blocks import ToolUseBlock
from hookline.values.destination import Destination
from hookline.values.messages import Request
from hookline.wire.sealed import sealed_call, sealed_request, sealed_response

__all__ = ["check", "sealed"]

S = TypeVar("S")


async def check(
    implementations: tuple[Implementation, ...],
    turn: Turn,
    subject: S,
    *,
    destination: Destination | None = None,
    seal: bool = False,
) -> S:
    """Ask every policy; any error in one blocks.

    Args:
        implementations: of one check hook, enforcers last.
        turn: the journey; its destination cannot be changed meanwhile.
        subject: a request, a tool call or a reply.
        destination: where the subject would go, if it is not the turn's own object.
        seal: whether what is returned must be nobody else's even though no enforcer is among these.

    Returns:
        What was judged; use this and not what was handed over.

    Raises:
        PolicyViolation: one refused, or could not decide.
        UnresolvedContent: none refused, but a request that enforcers judge holds an attachment that no
            plugin has resolved.

    """
    enforced = bool(implementations) and implementations[-1].role == "enforcer"
    unresolved: UnresolvedContent | None = None
    try:
        judged = sealed(subject) if enforced or seal else subject
    except UnresolvedContent as error:
        # It can never leave, and so needs no copy. Whoever sends what a rule forbids is to learn of
        # the rule all the same, and not how to mend the request so that the rule is met next.
        unresolved, judged = error, subject
    if not implementations:
        return judged
    with turn.judging() as looked_at:
        apart = turn.apart(destination or looked_at) if enforced else turn
        for implementation in implementations:
            if implementation.role == "enforcer":
                await _ask(implementation, apart, judged)
            else:
                await _ask(implementation, turn, subject)
    if turn.destination is not looked_at:
        raise PolicyViolation(
            "the destination was changed while the checks looked at it; nothing was sent",
            rule="destination",
        )
    if unresolved is not None:  # whatever has become of the subject meanwhile: this was not judged
        raise unresolved
    return judged


def sealed(subject: S) -> S:
    """Return a request, a tool call or a reply that nobody else holds, as its JSON says it is.

    Raises:
        PolicyViolation: nobody can say what it is.
        UnresolvedContent: a request holds an attachment that no plugin has resolved.
        InputError: a request holds something that JSON has no form for.

    """
    given: Any = subject
    made: Any
    try:
        if isinstance(given, Request):
            made = sealed_request(given)
        elif isinstance(given, ToolUseBlock):
            made = sealed_call(given)
        else:
            made = _sealed_reply(given)
    except (DecodeError, UnresolvedContent) as error:
        if isinstance(given, Request) and isinstance(error, UnresolvedContent):
            raise
        raise PolicyViolation(
            f"a plugin has put something into it that cannot be judged: {error}", rule="sealed"
        ) from error
    return made  # type: ignore[no-any-return]  # of the class that was given, or of its base


def _sealed_reply(reply: Reply) -> Reply:
    return Reply(
        response=sealed_response(reply.response),
        request=reply.request,
        prefill=reply.prefill and evolve(reply.prefill),
        output=reply.output,
        cost=reply.cost,
        earlier=tuple([sealed_response(each) for each in reply.earlier]),
        tool_results=reply.tool_results,
        pending_id=reply.pending_id,
        interrupted=reply.interrupted,
        trace=reply.trace,
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
