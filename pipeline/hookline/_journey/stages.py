"""The stages on either side of the sending: two folds over the plugins, one step at a time."""

from inspect import isawaitable
from time import perf_counter_ns
from types import CoroutineType
from typing import Any

from hookline._journey.checks import check, sealed
from hookline._journey.engine import Engine
from hookline._journey.failures import (
    absorbed,
    is_failure,
    raise_failure,
    result_error,
    result_of,
)
from hookline._journey.filtering import shown_already
from hookline._journey.plugin_set import Implementation, Role
from hookline.errors import PluginError, TurnLimitExceeded
from hookline.reply import Reply
from hookline.trace import Change
from hookline.turn import Continue, Turn
from hookline.values.messages import Request

__all__ = ["fold", "last_word", "next_step", "post_process", "prepared"]


async def prepared(engine: Engine, turn: Turn, request: Request) -> Request:
    """Take a request through the three transforms."""
    for hook in ("build_history", "inject_prefill", "resolve_images"):
        request = await fold(engine, hook, turn, request)
    turn.request = request
    return request


async def fold(
    engine: Engine, hook: str, turn: Turn, request: Request, *, only: Role | None = None
) -> Request:
    """Run a transform: each implementation gets what the one before returned.

    Args:
        engine: the pipeline's.
        hook: the transform.
        turn: the journey.
        request: as the stage before left it.
        only: the role that takes part; None for all.

    """
    turn.check_deadline(hook)
    for implementation in engine.plugins.of(hook):
        if only is not None and implementation.role != only:
            continue
        began = perf_counter_ns()
        result = await _made(turn, implementation, request, (Request,), "a Request or None")
        if result is not None:
            spent = (perf_counter_ns() - began) / 1000
            turn.trace.changes.append(
                Change(hook, implementation.plugin, request, result, spent, turn.step)
            )
            request = result
    return request


async def post_process(
    engine: Engine, turn: Turn, reply: Reply
) -> tuple[Reply, tuple[str, Request] | None]:
    """Run the last transform; return the reply and, if a plugin asked for it, the next request."""
    following: tuple[str, Request] | None = None
    band = False  # of the enforcers
    for implementation in engine.plugins.of("post_process"):
        turn.check_deadline("post_process")
        if implementation.role == "enforcer" and not band:
            band, reply = True, sealed(reply)
        result = await _made(
            turn, implementation, reply, (Reply, Continue), "a Reply, a Continue or None"
        )
        if isinstance(result, Reply):
            _keep_word(engine, turn, implementation, reply, result)
            reply = result
        elif result is not None and following is None:
            following = (implementation.plugin, result.request)
        elif result is not None and following is not None:
            turn.trace.note(
                implementation.plugin,
                f"asked to continue the turn, as {following[0]} had; it sees the next reply",
            )
    return reply, following


async def last_word(engine: Engine, turn: Turn, reply: Reply) -> Reply:
    """Run ``check_reply``; return the reply that was judged, which is what the caller gets."""
    plugins = engine.plugins
    return await check(plugins.of("check_reply"), turn, reply, seal=plugins.judges_replies)


async def _made(
    turn: Turn,
    implementation: Implementation,
    subject: Any,
    wanted: tuple[type, ...],
    described: str,
) -> Any:
    """Return what an implementation makes of what it gets; None where that is to stay as it is."""
    try:
        if implementation.role == "transformer":
            result = implementation.call(turn, subject)
            if result is None:  # by far the most; isawaitable() costs more than many a plugin
                return None
            if result.__class__ is CoroutineType or isawaitable(result):
                result = await result
        else:
            result = await result_of(implementation, turn, subject)
    except BaseException as error:
        if not is_failure(implementation, error):
            raise
        if absorbed(turn, implementation, error):
            return None
        raise_failure(implementation, error)
    if result is None or result is subject:
        return None
    problem = result_error(implementation, result, wanted, described)
    if absorbed(turn, implementation, problem):
        return None
    if problem is not None:
        raise problem
    return result


def next_step(engine: Engine, turn: Turn, reply: Reply, following: tuple[str, Request]) -> Request:
    """Return the request of the turn's next step, within its bounds."""
    plugin, request = following
    turn.step += 1
    if turn.step >= engine.max_steps:
        raise TurnLimitExceeded(
            f"plugin {plugin!r} asked for step {turn.step + 1} of a turn that may take "
            f"{engine.max_steps}; allow more with Pipeline(max_steps=…)",
            reply,
            request,
        )
    turn.trace.changes.append(
        Change("post_process", plugin, reply.request, request, 0.0, turn.step)
    )
    turn.prefill = None  # it belonged to the first reply
    return request


def _keep_word(
    engine: Engine, turn: Turn, implementation: Implementation, before: Reply, after: Reply
) -> None:
    """Refuse a rewrite of text that the caller of a stream has seen already."""
    seen = turn.stream and not (turn.options.resumed and turn.step == 0)  # that was another's
    if not seen or before.text == after.text:
        return
    if [step.text for step in before.earlier] != [step.text for step in after.earlier]:
        raise PluginError(
            "in a stream the text of earlier steps is with the caller; change that of this step: "
            "reply.rewrite(…)",
            plugin=implementation.plugin,
            hook="post_process",
        )
    why = shown_already(engine.plugins, implementation)
    if why:
        raise PluginError(
            f"{why}, but it changed the text of a stream in post_process, after the caller had it",
            plugin=implementation.plugin,
            hook="post_process",
        )
