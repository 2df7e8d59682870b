"""The stages on either side of the sending: two folds over the plugins, one step at a time."""

from inspect import isawaitable
from time import perf_counter_ns

from hookline._journey.delivery import shown_already
from hookline._journey.engine import Engine
from hookline._journey.failures import (
    absorbed,
    is_failure,
    raise_failure,
    result_error,
    result_of,
)
from hookline._journey.plugin_set import Implementation
from hookline.errors import PluginError, TurnLimitExceeded
from hookline.reply import Reply
from hookline.trace import Change
from hookline.turn import Continue, Turn
from hookline.values.messages import Request

__all__ = ["fold", "next_step", "post_process", "prepared"]


async def prepared(engine: Engine, turn: Turn, request: Request) -> Request:
    """Take a request through the three transforms."""
    for hook in ("build_history", "inject_prefill", "resolve_images"):
        request = await fold(engine, hook, turn, request)
    turn.request = request
    return request


async def fold(engine: Engine, hook: str, turn: Turn, request: Request) -> Request:
    """Run a transform: each implementation gets what the one before returned."""
    turn.check_deadline(hook)
    for implementation in engine.plugins.of(hook):
        began = perf_counter_ns()
        try:
            if implementation.role != "transformer":
                result = await result_of(implementation, turn, request)
            else:
                result = implementation.call(turn, request)
                if result is None:  # by far the most; isawaitable() costs more than many a plugin
                    continue
                if isawaitable(result):
                    result = await result
        except BaseException as error:
            if not is_failure(implementation, error):
                raise
            if absorbed(turn, implementation, error):
                continue
            raise_failure(implementation, error)
        if result is None or result is request:
            continue
        problem = result_error(implementation, result, (Request,), "a Request or None")
        if absorbed(turn, implementation, problem):
            continue
        if problem is not None:
            raise problem
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
    for implementation in engine.plugins.of("post_process"):
        turn.check_deadline("post_process")
        try:
            if implementation.role != "transformer":
                result = await result_of(implementation, turn, reply)
            else:
                result = implementation.call(turn, reply)
                if result is not None and isawaitable(result):
                    result = await result
        except BaseException as error:
            if not is_failure(implementation, error):
                raise
            if absorbed(turn, implementation, error):
                continue
            raise_failure(implementation, error)
        if result is None or result is reply:
            continue
        problem = result_error(
            implementation, result, (Reply, Continue), "a Reply, a Continue or None"
        )
        if absorbed(turn, implementation, problem):
            continue
        if problem is not None:
            raise problem
        if isinstance(result, Continue):
            if following is None:
                following = (implementation.plugin, result.request)
            else:
                turn.trace.note(
                    implementation.plugin,
                    f"asked to continue the turn, as {following[0]} had; it sees the next reply",
                )
        else:
            _keep_word(engine, turn, implementation, reply, result)
            reply = result
    return reply, following


def next_step(engine: Engine, turn: Turn, reply: Reply, following: tuple[str, Request]) -> Request:
    """Return the request of the turn's next step, within its bounds."""
    plugin, request = following
    turn.step += 1
    if turn.step >= engine.max_steps:
        raise TurnLimitExceeded(
            f"plugin {plugin!r} asked for step {turn.step + 1} of a turn that may take "
            f"{engine.max_steps}; pass a larger max_steps= to allow more",
            reply,
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
    if not turn.stream or before.text == after.text:
        return
    why = shown_already(engine.plugins, implementation)
    if why:
        raise PluginError(
            f"{why}, but it changed the text of a stream in post_process, after the caller had it",
            plugin=implementation.plugin,
            hook="post_process",
        )
