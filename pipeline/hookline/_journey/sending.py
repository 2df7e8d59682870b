"""The sending: layers of plugins around the attempt, and the last word of policy inside them all."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from hookline._journey.checks import check
from hookline._journey.engine import Engine
from hookline._journey.failures import tell
from hookline._journey.onion import Innermost, Onion, Passed, StoppedShort
from hookline._said import LONGEST_NAME, shown_text
from hookline.errors import APIError, DecodeError, TransportError
from hookline.trace import AttemptOutcome, AttemptRecord
from hookline.turn import Ending, Turn
from hookline.values.destination import Destination
from hookline.values.messages import Request, Response

if TYPE_CHECKING:
    from hookline.models import ModelTable

__all__ = ["attempt_record", "outgoing", "send"]


async def send(engine: Engine, turn: Turn, request: Request) -> Response:
    """Run the onion around the attempt."""
    turn.check_deadline("send")
    return await _onion(engine, turn, partial(_attempt, engine, turn)).run(request)


async def outgoing(
    engine: Engine, turn: Turn, request: Request, *, departs: bool = False
) -> tuple[Request, Destination] | None:
    """Return what would leave, changed by the onion and checked, and where to; nothing is sent.

    Args:
        engine: the pipeline's.
        turn: the journey.
        request: as it enters the onion.
        departs: whether it leaves afterwards, in a batch.

    Returns:
        None if a layer of the onion answered by itself, as a cache does: what the layers inside it
        would have done is not known then.

    """
    turn.check_deadline("send")
    try:
        innermost = partial(_stop_short, engine, turn, departs=departs)
        await _onion(engine, turn, innermost).run(request)
    except StoppedShort as stopped:
        found: tuple[Request, Destination] = stopped.subject
        return found
    return None


def _onion(
    engine: Engine, turn: Turn, innermost: Innermost[Request, Response]
) -> Onion[Request, Response]:
    layers = engine.plugins.of("send")
    judged = bool(layers) and bool(engine.plugins.of("check_request"))
    vet = partial(_stop_short, engine, turn) if judged else None
    return Onion(turn, layers, innermost=innermost, vet=vet, takes=Request, gives=Response)


async def _stop_short(
    engine: Engine, turn: Turn, request: Request, passed: Passed, *, departs: bool = False
) -> NoReturn:
    if departs:
        turn.check_departs()
    judged = await _judged(engine, turn, request)
    passed.append(True)
    raise StoppedShort(judged)


async def _judged(engine: Engine, turn: Turn, request: Request) -> tuple[Request, Destination]:
    """Return what the checks have looked at, and where it goes: whatever they do, this is used."""
    checks = engine.plugins.of("check_request")
    destination = turn.destination
    if checks and checks[-1].role == "enforcer":
        destination = destination.apart()
    return await check(checks, turn, request, destination=destination), destination


async def _attempt(engine: Engine, turn: Turn, request: Request, passed: Passed) -> Response:
    """Check the request one last time, send it once, and tell the observers when that has ended."""
    turn.check_departs()  # before anything is waited for: a plugin might take it back meanwhile
    request, destination = await _judged(engine, turn, request)
    passed.append(True)
    turn.check_deadline("send")
    turn.attempt += 1
    exchange = _Exchange(engine, turn, request, destination)
    try:
        response = await engine.transport(turn, request, destination, exchange.ending)
    except BaseException as error:
        await exchange.over(error)
        raise
    exchange.answered(response)
    if response.events is None:
        await exchange.over(None)
    return response


class _Exchange:
    """One attempt, from its beginning to its real end: in a stream, after its last event."""

    def __init__(
        self, engine: Engine, turn: Turn, request: Request, destination: Destination
    ) -> None:
        self._engine = engine
        self._turn = turn
        self._request = request
        self._destination = destination
        self._number, self._step = turn.attempt, turn.step
        self._began = turn.io.now()
        self._latency: float | None = None
        self._response: Response | None = None
        self.ending = Ending(told=self._stream_ended)
        self._is_over = False

    def answered(self, response: Response) -> None:
        """Note that the answer has come, or has begun to come."""
        self._latency = self._turn.io.now() - self._began
        self._response = response
        self._listen(response.headers)
        if response.events is None:
            self.ending.usage, self.ending.model = response.usage, response.model

    async def _stream_ended(self, error: BaseException | None) -> None:
        if self._response is not None:  # before that, it is the attempt that fails
            await self.over(error)

    def _listen(self, headers: Mapping[str, str]) -> None:
        """Hear whether the server names itself."""
        lesson = self._turn.servers.listen(self._destination, headers)
        if lesson is not None:
            self._turn.trace.note("server", str(lesson))

    async def over(self, error: BaseException | None) -> None:
        """Put the record into the trace and tell the observers, once."""
        if self._is_over:
            return
        self._is_over = True
        self.ending.told = None  # else each would keep the other, and with them all that was sent
        turn = self._turn
        if isinstance(error, APIError):
            self._listen(error.headers)
        seconds = turn.io.now() - self._began
        record = attempt_record(
            self._request,
            number=self._number,
            step=self._step,
            seconds=seconds,
            latency=seconds if self._latency is None else self._latency,
            upstream=self._destination.base_url,
            response=self._response,
            error=error,
            ending=self.ending,
            models=turn.models,
        )
        turn.trace.attempts.append(record)
        observers = self._engine.plugins.of("on_attempt")
        if observers:
            await tell(observers, turn, self._request, record)


def attempt_record(
    request: Request,
    *,
    response: Response | None,
    error: BaseException | None,
    ending: Ending,
    models: "ModelTable",
    **known: Any,
) -> AttemptRecord:
    """Return the record of an exchange that is over.

    Args:
        request: what was sent.
        response: the answer, if one began.
        error: what ended it, or None.
        ending: usage and model, as far as they were told.
        models: facts about models.
        **known: further fields of the record.

    """
    status = request_id = None
    if response is not None:
        status, request_id = response.status, response.request_id
    elif isinstance(error, APIError):
        status, request_id = error.status, error.request_id
    return AttemptRecord(
        model=request.model,
        outcome=_outcome(response, error),
        status=status,
        request_id=request_id,
        error=f"{type(error).__name__}: {error}".rstrip(": ") if error is not None else None,
        usage=ending.usage,
        answered_by=None if ending.model is None else shown_text(ending.model, LONGEST_NAME),
        facts=models.get(ending.model) if ending.model else None,
        **known,
    )


def _outcome(response: Response | None, error: BaseException | None) -> AttemptOutcome:
    if error is None:
        return "answered"
    if response is not None or not isinstance(error, APIError | TransportError | DecodeError):
        return "interrupted"
    return "refused" if isinstance(error, APIError) else "failed"
