"""The journey of one turn: read :func:`journey`, the rest prepares its arguments.

Written once, as coroutines, for ``Pipeline`` and ``AsyncPipeline``; does no I/O of its own.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

from hookline._journey.checks import check
from hookline._journey.delivery import Delivery
from hookline._journey.engine import Engine
from hookline._journey.filtering import settle
from hookline._journey.life import Life
from hookline._journey.sending import outgoing, send
from hookline._journey.stages import fold, last_word, next_step, post_process, prepared
from hookline.reply import Reply
from hookline.trace import Explanation
from hookline.turn import Turn
from hookline.values.events import Event, MessageStop
from hookline.values.messages import Request, Response
from hookline.values.pictures.survey import surveyed
from hookline.values.prefill import Prefill

__all__ = ["journey", "rehearse", "rehearse_reply", "the_reply"]


async def journey(  # noqa: C901, PLR0912, PLR0915 -- one function to read is the point of it
    engine: Engine, turn: Turn, request: Request
) -> AsyncGenerator[Event | Reply, None]:
    """Take one request through the stages.

    Args:
        engine: plugins and transport.
        turn: this journey's own record.
        request: the caller's message and fields.

    Yields:
        In a stream, each event for the caller; last of all, the reply. The end of a message is held
        until the turn has concluded: who has seen it has the whole reply.

    Raises:
        HooklineError: whatever ended the turn. ``on_turn_end`` has run by then.

    """
    earlier: tuple[Response, ...] = ()
    waiting = turn.options.resumed
    begun: Prefill | None = None  # how the first reply began, for the steps that follow it
    last: Event | None = None
    async with Life(engine, turn, request) as life:
        if waiting is None:
            request = await fold(engine, "build_history", turn, request)
            request = await fold(engine, "inject_prefill", turn, request)
        while life.reply is None:
            delivery = None
            if waiting is not None:  # all of this has been done; the turn goes on where it waited
                reply = waiting.reply.evolve(trace=turn.trace)
                turn.request = reply.request
            else:
                request = await fold(engine, "resolve_images", turn, request)
                turn.request = request
                response = await send(engine, turn, request)
                if turn.stream:
                    delivery = Delivery(
                        engine.plugins, turn, request, response, earlier, begun=begun
                    )
                    life.delivery = delivery
                    async with aclosing(delivery.events()) as events:
                        async for event in events:
                            if event.__class__ is MessageStop:
                                last = event
                            else:
                                yield event
                    response = delivery.response
                else:
                    response = await settle(engine.plugins, turn, response)
                reply = Reply(
                    response=response,
                    request=request,
                    prefill=begun if earlier else turn.prefill,
                    earlier=earlier,
                    trace=turn.trace,
                )
            if turn.stream and reply.stop_reason == "tool_use":
                working = turn.io.alongside()
                async with aclosing(working.run(partial(_listened, engine, turn, reply))) as told:
                    async for event in told:
                        yield event
                reply, following = working.result
            else:
                reply, following = await post_process(engine, turn, reply)
            reply = await last_word(engine, turn, reply)
            if delivery is not None:
                async with aclosing(delivery.held_back(reply)) as events:
                    async for event in events:
                        if event.__class__ is MessageStop:
                            last = event
                        else:
                            yield event
            if following is None:
                life.reply = reply
            else:
                if last is not None:
                    yield last
                if waiting is None:  # else another turn has counted it
                    earlier, begun = (*reply.earlier, reply.response), reply.prefill
                waiting = None
                request = next_step(engine, turn, reply, following)
    if last is not None:
        yield last
    if life.reply is not None:
        yield life.reply


async def _listened(
    engine: Engine, turn: Turn, reply: Reply, told: Callable[[Event], None]
) -> tuple[Reply, tuple[str, Request] | None]:
    """Run ``post_process`` while what plugins tell meanwhile goes to the stream's reader."""
    turn.told = told
    try:
        return await post_process(engine, turn, reply)
    finally:
        turn.told = None


def the_reply(item: Event | Reply) -> Reply:
    """Return what a turn that does not stream yields: its reply, and nothing before it."""
    if not isinstance(item, Reply):
        raise TypeError("a plain turn yielded an event")
    return item


async def rehearse(engine: Engine, turn: Turn, request: Request) -> Explanation:
    """Take a request through every stage up to the sending, and send nothing.

    Observers are not told, since no turn takes place; tools are not run.
    """
    await engine.ready()
    request = await prepared(engine, turn, request)
    leaving = await outgoing(engine, turn, request)
    last = leaving[0] if leaving else request
    return Explanation(last, turn.trace, surveyed(last, turn.models.get(last.model)))


async def rehearse_reply(
    engine: Engine, turn: Turn, request: Request, response: Response
) -> tuple[Reply, str]:
    """Take a response that came before through filters, ``post_process`` and the checks.

    Nothing is concluded, observers are not told, and tools are not run; ``check_tool`` is asked about
    the calls all the same.

    Args:
        engine: the pipeline's.
        turn: of the rehearsal.
        request: what the response answers.
        response: as it came.

    Returns:
        The reply, and which plugin would go on with another step; empty for none.

    """
    settled = await settle(engine.plugins, turn, response)
    reply = Reply(response=settled, request=request, prefill=turn.prefill, trace=turn.trace)
    reply, following = await post_process(engine, turn, reply)
    for call in reply.tool_uses:
        await check(engine.plugins.of("check_tool"), turn, call)
    return await last_word(engine, turn, reply), following[0] if following else ""
