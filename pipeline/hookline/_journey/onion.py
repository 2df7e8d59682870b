"""The sending: layers of plugins around the attempt, and the last word of policy inside them all."""

from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from time import perf_counter_ns
from typing import Any

from hookline._journey.engine import Engine, Innermost
from hookline._journey.failures import absorbed, failure, raise_failure, result_error, tell, wrong
from hookline._journey.plugin_set import Implementation
from hookline.errors import APIError, PolicyViolation
from hookline.trace import AttemptRecord, Change, Verdict
from hookline.turn import CallNext, Turn
from hookline.values.messages import Request, Response

__all__ = ["attempt", "check", "outgoing", "send", "tell_shielded"]


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
                raise wrong(implementation, changed, "a Request to call_next")
            spent = (perf_counter_ns() - began) / 1000
            turn.trace.changes.append(
                Change("send", implementation.plugin, request, changed, spent, turn.step)
            )
        return await inner(changed)

    try:
        result = implementation.call(turn, request, call_next)
        if isawaitable(result):
            result = await result
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- blame raises
        raise_failure(implementation, error)
    problem = result_error(implementation, result, (Response,), "a Response")
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
            telling = tell(observers, turn, request, record)
            await (tell_shielded(turn, telling) if problem else telling)


async def check(engine: Engine, turn: Turn, request: Request) -> None:
    """Ask every policy about exactly what leaves; any error in one blocks the call."""
    for implementation in engine.plugins.of("check_request"):
        try:
            result = implementation.call(turn, request)
            if result is not None and isawaitable(result):
                result = await result
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- excused or blamed
            if absorbed(turn, implementation, error):
                continue
            refusal = failure(implementation, error)
            if isinstance(refusal, PolicyViolation):
                turn.trace.verdicts.append(
                    Verdict(implementation.plugin, "check_request", "refused", str(refusal))
                )
            raise_failure(implementation, error)
        if result is not None:
            problem = wrong(implementation, result, "None; raise PolicyViolation to refuse")
            if not absorbed(turn, implementation, problem):
                raise problem


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


async def tell_shielded(turn: Turn, telling: Coroutine[Any, Any, None]) -> None:
    """Tell observers of a failure or a cancellation, and let none of them take its place."""
    with suppress(TimeoutError):
        await turn.io.shielded(telling)


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
