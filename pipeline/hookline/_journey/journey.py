"""The journey of one turn: read :func:`journey`, the rest prepares its arguments.

Written once, as coroutines, for ``Pipeline`` and ``AsyncPipeline``; does no I/O of its own.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from hookline._journey.delivery import Delivery, settle
from hookline._journey.engine import Engine
from hookline._journey.failures import tell
from hookline._journey.onion import outgoing, send, tell_shielded
from hookline._journey.stages import fold, next_step, post_process, prepared
from hookline.errors import DeadlineExceeded, HooklineError
from hookline.reply import Reply
from hookline.trace import Explanation
from hookline.turn import Turn
from hookline.values.events import Event
from hookline.values.messages import Request, Response

__all__ = ["cut_short", "journey", "rehearse", "the_reply"]


async def journey(
    engine: Engine, turn: Turn, request: Request
) -> AsyncGenerator[Event | Reply, None]:
    """Take one request through the stages.

    Args:
        engine: plugins and transport.
        turn: this journey's own record.
        request: the caller's message and fields.

    Yields:
        In a stream, each event for the caller; last of all, the reply.

    Raises:
        HooklineError: whatever ended the turn. ``on_turn_end`` has run by then.

    """
    reply: Reply | None = None
    finished = False
    delivery: Delivery | None = None
    problem: BaseException | None = None
    earlier: tuple[Response, ...] = ()
    try:
        await tell(engine.plugins.of("on_turn_start"), turn, request)
        request = await fold(engine, "build_history", turn, request)
        request = await fold(engine, "inject_prefill", turn, request)
        while not finished:
            request = await fold(engine, "resolve_images", turn, request)
            turn.request = request
            response = await send(engine, turn, request)
            if turn.stream:
                delivery = Delivery(engine.plugins, turn, request, response, earlier)
                async with aclosing(delivery.events()) as events:
                    async for event in events:
                        yield event
                response = delivery.response
            else:
                response = settle(engine.plugins, turn, response)
            reply = Reply(
                response=response,
                request=request,
                prefill=turn.prefill,
                earlier=earlier,
                trace=turn.trace,
            )
            reply, following = await post_process(engine, turn, reply)
            if delivery is not None:
                async with aclosing(delivery.held_back(reply)) as events:
                    async for event in events:
                        yield event
            finished = following is None
            if following is not None:
                earlier = (*earlier, reply.response)
                request = next_step(engine, turn, reply, following)
    except BaseException as error:
        problem = cut_short(turn, delivery, error)
        if problem is not error and isinstance(error, Exception):
            raise problem from error
        raise  # a cancellation stays one, whoever caused it
    finally:
        await _hang_up(turn)
        end = tell(engine.plugins.of("on_turn_end"), turn, reply if finished else None, problem)
        await (tell_shielded(turn, end) if problem else end)
    if reply is not None:
        yield reply


async def _hang_up(turn: Turn) -> None:
    """Close the answers that nobody read to their end, whoever abandoned them."""
    for answer in turn.open_streams:
        with suppress(HooklineError, TimeoutError):
            await turn.io.shielded(answer.aclose())


def cut_short(turn: Turn, delivery: Delivery | None, error: BaseException) -> BaseException:
    """Note what a turn had delivered when it ended early; return what it really died of."""
    turn.partial = delivery.partial() if delivery is not None else None
    problem = turn.timed_out(error)
    if isinstance(problem, DeadlineExceeded):
        problem.partial = turn.partial
    if isinstance(problem, HooklineError):
        problem.attempts = tuple(turn.trace.attempts)
    return problem


def the_reply(item: Event | Reply) -> Reply:
    """Return what a turn that does not stream yields: its reply, and nothing before it."""
    if not isinstance(item, Reply):
        raise TypeError("a plain turn yielded an event")
    return item


async def rehearse(engine: Engine, turn: Turn, request: Request) -> Explanation:
    """Take a request through every stage up to the sending, and send nothing.

    Observers are not told, since no turn takes place; tools are not run.
    """
    request = await prepared(engine, turn, request)
    return Explanation(await outgoing(engine, turn, request) or request, turn.trace)
