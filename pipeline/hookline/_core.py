"""The journey of one turn: read :func:`journey`, the rest prepares its arguments.

Written once, as coroutines, for ``Pipeline`` and ``AsyncPipeline``; does no I/O of its own.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from functools import partial
from inspect import isawaitable
from time import perf_counter_ns
from typing import Any, TypeAlias

from attrs import frozen

from hookline._delivery import Delivery, settle, shown_already
from hookline._guard import blame, failure, told
from hookline.errors import (
    APIError,
    DeadlineExceeded,
    HooklineError,
    PluginError,
    PolicyViolation,
    TurnLimitExceeded,
)
from hookline.events import Event
from hookline.messages import Request, Response
from hookline.plugins import Implementation, PluginSet
from hookline.reply import Reply
from hookline.trace import AttemptRecord, Change, Explanation, Verdict
from hookline.turn import CallNext, Continue, Turn

__all__ = [
    "Engine",
    "cut_short",
    "despite",
    "journey",
    "outgoing",
    "post_process",
    "prepared",
    "rehearse",
    "send",
    "the_reply",
]

Transport: TypeAlias = Callable[[Turn, Request], Awaitable[Response]]
"""Sends a request once; in a stream, returns when the first event has arrived."""

Innermost: TypeAlias = Callable[["Engine", Turn, Request], Awaitable[Response]]
"""What lies inside all layers of the onion."""


@frozen
class Engine:
    """What every turn of a pipeline shares; immutable.

    Attributes:
        plugins: the pipeline's plugins.
        transport: sends one request.
        max_steps: how many steps one turn may take.

    """

    plugins: PluginSet
    transport: Transport
    max_steps: int = 26


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
        await told(engine.plugins.of("on_turn_start"), turn, request)
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
        end = told(engine.plugins.of("on_turn_end"), turn, reply if finished else None, problem)
        await (despite(turn, end) if problem else end)
    if reply is not None:
        yield reply


async def _hang_up(turn: Turn) -> None:
    """Close the answers that nobody read to their end, whoever abandoned them."""
    for answer in turn.live:
        with suppress(HooklineError, TimeoutError):
            await turn.io.shielded(answer.aclose())


def cut_short(turn: Turn, delivery: Delivery | None, error: BaseException) -> BaseException:
    """Note what a turn had delivered when it ended early; return what it really died of."""
    turn.partial = delivery.partial() if delivery is not None else None
    problem = turn.timed_out(error)
    if isinstance(problem, DeadlineExceeded):
        problem.partial = turn.partial
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


async def prepared(engine: Engine, turn: Turn, request: Request) -> Request:
    """Take a request through the three transforms."""
    for hook in ("build_history", "inject_prefill", "resolve_images"):
        request = await fold(engine, hook, turn, request)
    turn.request = request
    return request


async def outgoing(engine: Engine, turn: Turn, request: Request) -> Request | None:
    """Return what would leave, changed by the onion and checked; nothing is sent.

    Returns:
        None if a layer of the onion answered by itself, as a cache does: what the layers inside it
        would have done is not known then.

    """
    try:
        await send(engine, turn, request, _stop_short)
    except _StoppedShort as stopped:
        return stopped.request
    return None


class _StoppedShort(BaseException):
    """Carries a rehearsed request out of the onion; no plugin's ``except Exception`` holds it."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


async def _stop_short(engine: Engine, turn: Turn, request: Request) -> Response:
    await check(engine, turn, request)
    raise _StoppedShort(request)


async def fold(engine: Engine, hook: str, turn: Turn, request: Request) -> Request:
    """Run a transform: each implementation gets what the one before returned."""
    turn.check_deadline(hook)
    for implementation in engine.plugins.of(hook):
        began = perf_counter_ns()
        try:
            result = implementation.call(turn, request)
            if isawaitable(result):
                result = await result
        except Exception as error:  # noqa: BLE001 -- excused or blamed
            if _excused(turn, implementation, error):
                continue
            blame(implementation, error)
        if result is None or result is request:
            continue
        problem = _misfit(implementation, result, (Request,), "a Request or None")
        if _excused(turn, implementation, problem):
            continue
        if problem is not None:
            raise problem
        spent = (perf_counter_ns() - began) / 1000
        turn.trace.changes.append(
            Change(hook, implementation.plugin, request, result, spent, turn.step)
        )
        request = result
    return request


async def send(
    engine: Engine, turn: Turn, request: Request, innermost: Innermost | None = None
) -> Response:
    """Run the onion around the attempt; the first plugin is the outermost layer."""
    turn.check_deadline("send")
    call: CallNext = partial(innermost or attempt, engine, turn)
    for implementation in reversed(engine.plugins.of("send")):
        call = partial(_layer, implementation, turn, call)
    return await call(request)


async def _layer(
    implementation: Implementation, turn: Turn, inner: CallNext, request: Request
) -> Response:
    began = perf_counter_ns()

    async def call_next(changed: Request) -> Response:
        if changed is not request:
            if not isinstance(changed, Request):
                raise _wrong(implementation, changed, "a Request to call_next")
            spent = (perf_counter_ns() - began) / 1000
            turn.trace.changes.append(
                Change("send", implementation.plugin, request, changed, spent, turn.step)
            )
        return await inner(changed)

    try:
        result = implementation.call(turn, request, call_next)
        if isawaitable(result):
            result = await result
    except Exception as error:  # noqa: BLE001 -- blame raises
        blame(implementation, error)
    problem = _misfit(implementation, result, (Response,), "a Response")
    if problem is not None:
        raise problem
    response: Response = result
    return response


async def attempt(engine: Engine, turn: Turn, request: Request) -> Response:
    """Check the request one last time, send it once, and tell the observers."""
    await check(engine, turn, request)
    turn.check_deadline("send")
    turn.attempt += 1
    number = turn.attempt
    began = turn.io.now()
    response: Response | None = None
    problem: BaseException | None = None
    try:
        response = await engine.transport(turn, request)
    except BaseException as error:
        problem = error
        raise
    else:
        return response
    finally:
        seconds = turn.io.now() - began
        record = _record(turn, request, number, seconds, response=response, problem=problem)
        turn.trace.attempts.append(record)
        observers = engine.plugins.of("on_attempt")
        if observers:
            telling = told(observers, turn, request, record)
            await (despite(turn, telling) if problem else telling)


async def despite(turn: Turn, telling: Coroutine[Any, Any, None]) -> None:
    """Tell observers of a failure or a cancellation, and let none of them take its place."""
    with suppress(TimeoutError):
        await turn.io.shielded(telling)


async def check(engine: Engine, turn: Turn, request: Request) -> None:
    """Ask every policy about exactly what leaves; any error in one blocks the call."""
    for implementation in engine.plugins.of("check_request"):
        try:
            result = implementation.call(turn, request)
            if isawaitable(result):
                result = await result
        except Exception as error:  # noqa: BLE001 -- excused or blamed
            if _excused(turn, implementation, error):
                continue
            refusal = failure(implementation, error)
            if isinstance(refusal, PolicyViolation):
                turn.trace.verdicts.append(
                    Verdict(implementation.plugin, "check_request", "refused", str(refusal))
                )
            blame(implementation, error)
        if result is not None:
            problem = _wrong(implementation, result, "None; raise PolicyViolation to refuse")
            if not _excused(turn, implementation, problem):
                raise problem


async def post_process(
    engine: Engine, turn: Turn, reply: Reply
) -> tuple[Reply, tuple[str, Request] | None]:
    """Run the last transform; return the reply and, if a plugin asked for it, the next request."""
    following: tuple[str, Request] | None = None
    for implementation in engine.plugins.of("post_process"):
        turn.check_deadline("post_process")
        try:
            result = implementation.call(turn, reply)
            if isawaitable(result):
                result = await result
        except Exception as error:  # noqa: BLE001 -- excused or blamed
            if _excused(turn, implementation, error):
                continue
            blame(implementation, error)
        if result is None or result is reply:
            continue
        problem = _misfit(implementation, result, (Reply, Continue), "a Reply, a Continue or None")
        if _excused(turn, implementation, problem):
            continue
        if problem is not None:
            raise problem
        if isinstance(result, Continue):
            if following is not None:
                raise PluginError(
                    f"it asks to continue the turn, and so did plugin {following[0]!r}",
                    plugin=implementation.plugin,
                    hook="post_process",
                )
            following = (implementation.plugin, result.request)
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


def _excused(turn: Turn, implementation: Implementation, error: Exception | None) -> bool:
    """Say whether an outcome must not touch the turn: an observer's, or one judged in shadow."""
    if implementation.shadow:
        decision = "would refuse" if error else "would change"
        reason = str(error) if error else "it returned something new"
        turn.trace.verdicts.append(
            Verdict(implementation.plugin, implementation.hook, decision, reason)  # type: ignore[arg-type]  # one of two literals
        )
        return True
    if implementation.role == "observer":
        if error:
            from hookline._log import log_failure  # noqa: PLC0415 -- loguru only when needed

            log_failure(implementation.plugin, implementation.hook, error)
        return True
    return False


def _misfit(
    implementation: Implementation, result: Any, wanted: tuple[type, ...], described: str
) -> HooklineError | None:
    """Return the error of a result of the wrong type, or None if it fits."""
    if isinstance(result, Continue) and not isinstance(result.request, Request):
        return _wrong(implementation, result.request, "a Request in a Continue")
    return None if isinstance(result, wanted) else _wrong(implementation, result, described)


def _wrong(implementation: Implementation, result: object, wanted: str) -> HooklineError:
    problem = TypeError(f"it gave {type(result).__name__!r}, where the hook wants {wanted}")
    return failure(implementation, problem)


def _record(
    turn: Turn,
    request: Request,
    number: int,
    seconds: float,
    *,
    response: Response | None,
    problem: BaseException | None,
) -> AttemptRecord:
    status = request_id = None
    if response is not None:
        status, request_id = response.status, response.request_id
    elif isinstance(problem, APIError):
        status, request_id = problem.status, problem.request_id
    return AttemptRecord(
        number=number,
        step=turn.step,
        model=request.model,
        seconds=seconds,
        status=status,
        request_id=request_id,
        error=f"{type(problem).__name__}: {problem}" if problem is not None else None,
    )
