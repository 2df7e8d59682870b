"""The journeys of batch items: up to the batch on the way out, and from a result line to a reply.

The way out is that of ``send`` up to the sending, and the exchange that creates the batch is every
item's attempt. It ends with a reply that has no content, because the answer is still to come. A
result is a turn of its own: it may be read a day later, by another process. Both have the surface
``"batch"``.
"""

from collections.abc import Mapping

from attrs import frozen

from hookline._journey.engine import Engine
from hookline._journey.failures import tell
from hookline._journey.filtering import settle
from hookline._journey.life import Life
from hookline._journey.sending import attempt_record, outgoing
from hookline._journey.stages import last_word, post_process, prepared
from hookline.endpoints.batch_objects import BatchItem, BatchResult
from hookline.errors import APIError, DecodeError, HooklineError, InputError, TurnLimitExceeded
from hookline.reply import Reply
from hookline.trace import AttemptRecord
from hookline.turn import Ending, Turn
from hookline.values.messages import Request, Response
from hookline.wire import json
from hookline.wire.codec import encode_request, structure_response

__all__ = ["Departure", "arrived", "depart", "encoded", "named", "read_result", "tell_attempts"]


@frozen(eq=False)
class Departure:
    """An item on its way out.

    Attributes:
        item: what the caller wrote.
        life: of its turn.
        turn: its journey.
        request: what belongs into the batch.

    """

    item: BatchItem
    life: Life
    turn: Turn
    request: Request

    def left(self, answered: Response) -> None:
        """Note that the batch was created: the item's turn has the reply that it can have."""
        if self.turn.request is not None:
            self.life.reply = Reply(
                response=answered.evolve(model=self.turn.request.model),
                request=self.turn.request,
                prefill=self.turn.prefill,
                trace=self.turn.trace,
            )


async def depart(engine: Engine, turn: Turn, first: Request) -> Request:
    """Take an item through transforms, onion and policy; return what belongs into the batch.

    Raises:
        HooklineError: an item that is refused.
        InputError: a plugin has sent it elsewhere, or answered it.

    """
    destination = turn.destination
    try:
        leaving = await outgoing(engine, turn, await prepared(engine, turn, first), departs=True)
    except HooklineError as error:
        problem = turn.timed_out(error)
        if problem is not error:
            raise problem from error
        raise
    if leaving is None:
        raise InputError(
            "a plugin's send hook answered it without sending it, as a cache does, so what the "
            "plugins inside it would have made of it is not known; use send() for it"
        )
    request, judged = leaving
    if judged != destination:
        raise InputError(
            "a plugin's send hook gave it another destination, and all items of a batch go to one; use "
            "send() for it, or a pipeline for that destination"
        )
    return request.evolve(stream=None) if request.stream is not None else request


def encoded(departure: Departure) -> bytes:
    """Return an item as the API takes it."""
    name = json.dumps(departure.item.custom_id)
    return b'{"custom_id":' + name + b',"params":' + encode_request(departure.request) + b"}"


def named(error: BaseException, custom_id: str) -> None:
    """Write the item's id into the text of an error, which keeps its type and its attributes."""
    where = f"batch item {custom_id!r}"
    if isinstance(error, HooklineError):
        error.args = (f"{where}: {error}",)
    else:
        error.add_note(where)


async def tell_attempts(
    engine: Engine,
    departures: Mapping[str, Departure],
    *,
    seconds: float,
    answered: Response | None,
    error: BaseException | None,
) -> None:
    """Tell the observers of every item of the exchange that created the batch, or failed to."""
    for departure in departures.values():
        turn = departure.turn
        turn.attempt += 1
        record = _record(
            turn,
            departure.request,
            answered=answered,
            error=error,
            ending=Ending(),
            seconds=seconds,
        )
        turn.trace.attempts.append(record)
        await tell(engine.plugins.of("on_attempt"), turn, departure.request, record)


def _record(
    turn: Turn,
    request: Request,
    *,
    answered: Response | None,
    error: BaseException | None,
    ending: Ending,
    seconds: float = 0.0,
) -> AttemptRecord:
    return attempt_record(
        request,
        number=turn.attempt,
        step=0,
        seconds=seconds,
        latency=seconds,
        upstream=turn.upstream,
        response=answered,
        error=error,
        ending=ending,
        models=turn.models,
    )


def read_result(line: bytes, number: int) -> BatchResult | tuple[str, Response]:
    """Read one line of the results.

    Args:
        line: JSON.
        number: of the line, from 1, for messages of errors.

    Returns:
        The result, or the id and the response of a message that has still to go through the hooks.

    Raises:
        DecodeError: the line does not have the shape that the API promises.

    """
    path = f"line {number}"
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error.msg}", path) from error
    result = data.get("result") if isinstance(data, dict) else None
    kind = result.get("type") if isinstance(result, dict) else None
    custom_id = data.get("custom_id") if isinstance(data, dict) else None
    if not isinstance(custom_id, str) or not isinstance(result, dict) or not isinstance(kind, str):
        raise DecodeError("expected an object with custom_id and result.type", path)
    if kind == "succeeded":
        try:
            return custom_id, structure_response(result["message"])
        except KeyError:
            raise DecodeError("a result that succeeded has no message", path) from None
        except DecodeError as error:
            raise DecodeError(f"in the message: {error}", path) from error
    failed = result.get("error")
    problem = APIError.from_body(failed) if isinstance(failed, dict) else None
    return BatchResult(
        custom_id=custom_id,
        type=kind,
        error=problem,
        request_id=problem.request_id if problem is not None else None,
        extra={key: value for key, value in result.items() if key not in ("type", "error")},
    )


async def arrived(
    engine: Engine, turn: Turn, request: Request, custom_id: str, response: Response
) -> BatchResult:
    """Take an answer through stream filters and ``post_process``.

    Args:
        engine: plugins.
        turn: the result's journey.
        request: what it answers, as far as that is known.
        custom_id: the item's.
        response: the answer.

    Returns:
        The result; what a plugin refuses or fails at is its ``error``, and spares the others.

    """
    turn.request = request
    # Observers were told of the exchange when the batch was made; what it has cost is known now.
    cost = Ending(usage=response.usage, model=response.model)
    turn.attempt += 1
    turn.trace.attempts.append(_record(turn, request, answered=response, error=None, ending=cost))
    try:
        async with Life(engine, turn, request) as life:
            reply = Reply(
                response=await settle(engine.plugins, turn, response),
                request=request,
                prefill=turn.prefill,
                trace=turn.trace,
            )
            reply, following = await post_process(engine, turn, reply)
            reply = await last_word(engine, turn, reply)
            if following is not None:
                raise TurnLimitExceeded(
                    f"plugin {following[0]!r} asked for one more step, and a batch has no second "
                    "step; go on with send(messages=error.following.messages)",
                    reply,
                    following[1],
                )
            life.reply = reply
    except HooklineError as error:
        return BatchResult(custom_id=custom_id, type="succeeded", error=error)
    return BatchResult(custom_id=custom_id, type="succeeded", reply=reply)
