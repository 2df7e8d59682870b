"""The plugin ``limiter``: send no faster than the upstream allows, in the order of arrival.

Innermost of the layers that decide, so that every attempt of a retry, a fallback or a hedge passes
it. It learns from the rate-limit headers of each answer (facts 1.3, 12.7) and from each 429.
"""

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from hookline import (
    APIError,
    CallNext,
    ConfigError,
    HooklineError,
    Request,
    Response,
    Turn,
    Usage,
    hookimpl,
)
from hookline.errors import LimitExceeded
from hookline.plugin import (
    Book,
    Layer,
    StreamOutcome,
    checks_options,
    estimate,
    retry_after,
    watched,
)
from hookline.values import read_rate_limits
from hookline_plugins.resilience.queue import Bucket, Gate, Ticket

__all__ = ["Limiter"]

_THROTTLED: Final = 429
_MINUTE: Final = 60.0


@checks_options
@frozen(eq=False, kw_only=True)
class Limiter:
    """Limits calls in flight, requests and tokens per minute, for each upstream and model.

    A call that must wait does so within the turn's deadline; where that cannot be, or too many
    wait already, it gets ``LimitExceeded`` at once. A stream counts as in flight until its end.

    Attributes:
        concurrency: calls in flight at most; 0 for any number.
        requests: per minute at most; 0 for no limit but the upstream's.
        tokens: per minute at most, input and output together, estimated before a call and
            corrected after it; 0 for no limit but the upstream's.
        queue: calls that wait at most.
        adaptive: halve rate and concurrency after a 429; they are back after some seconds.
        headers: obey the rate-limit headers of the upstream.

    """

    name = "limiter"
    layer = Layer.LIMITER
    concurrency: int = 64
    requests: float = 0
    tokens: float = 0
    queue: int = 128
    adaptive: bool = True
    headers: bool = True
    _gates: Book[tuple[str, str], Gate] = field(factory=Book, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for name in ("concurrency", "requests", "tokens", "queue"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(
                    f"limiter: {name} must be 0 or more and finite, not {getattr(self, name)!r}"
                )

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Wait for room, send, and settle what the call has really taken."""
        if not turn.asks_model:
            return await call_next(request)
        gate = self._gate(turn, request.model)
        facts = turn.models.get(request.model)
        ticket = Ticket(estimate(request, facts) if "tokens" in gate.buckets else 0)
        await self._enter(turn, gate, ticket, request.model)
        used: float | None = None
        streaming = False
        try:
            response = await call_next(request)
            self._learn(turn, gate, response.headers, ticket)
            used = _total(response.usage)
            streaming = response.events is not None
        except APIError as error:
            used = 0
            self._learn(turn, gate, error.headers, ticket)
            if error.status == _THROTTLED and error.retryable:
                gate.throttled(turn.io.now(), retry_after(error.headers) or 0.0)
            raise
        except HooklineError:
            used = 0
            raise
        finally:
            if not streaming:
                gate.leave(ticket, turn.io.now(), used=used)
        return _counted(turn, gate, ticket, response) if streaming else response

    async def _enter(self, turn: Turn, gate: Gate, ticket: Ticket, model: str) -> None:
        if not gate.arrive(ticket, turn.io.now()):
            raise LimitExceeded(
                f"{self.queue} calls to {model} wait already; send fewer at once, or raise the "
                "limiter's queue",
                retry_after=1.0,
                retryable=True,
            )
        try:
            while wait := gate.ask(ticket, turn.io.now()):
                remaining = turn.remaining()
                if remaining is not None and wait >= remaining:
                    raise LimitExceeded(  # noqa: TRY301 -- leaves the line like any other end
                        f"the limits of {model} leave room in {wait:.1f} s, and this turn has "
                        f"{remaining:.1f} s left; allow it more time, or send fewer at once",
                        retry_after=wait,
                        retryable=False,
                    )
                await turn.io.sleep(wait)
        except BaseException:
            gate.leave(ticket, turn.io.now())
            raise

    def _gate(self, turn: Turn, model: str) -> Gate:
        def made() -> Gate:
            given = {"requests": self.requests, "tokens": self.tokens}
            now = turn.io.now()
            buckets = {name: Bucket(limit, now, limit) for name, limit in given.items() if limit}
            return Gate(self.concurrency or None, self.queue, self.adaptive, buckets)

        return self._gates.get((turn.upstream, model), made)

    def _learn(self, turn: Turn, gate: Gate, headers: Mapping[str, str], ticket: Ticket) -> None:
        """Take in the upstream's own account of its limits."""
        if not self.headers:
            return
        now = turn.io.now()
        told = read_rate_limits(headers)
        requests = told.requests
        if requests and requests.limit and requests.remaining is not None:
            gate.told("requests", requests.limit, requests.remaining, now)
        for tokens in (told.tokens, told.input_tokens, told.output_tokens):
            if tokens and tokens.limit and tokens.remaining == 0:
                # The reset is when all is back; what one call needs is back in proportion.
                share = min(1.0, max(ticket.tokens, 1000.0) / tokens.limit)
                gate.pause(now, share * min(_MINUTE, tokens.seconds_left() or 0.0))


def _counted(turn: Turn, gate: Gate, ticket: Ticket, response: Response) -> Response:
    """Return the stream, to be settled when it is over."""

    def settle(outcome: StreamOutcome) -> None:
        # A stream that broke keeps the estimate: its last word on usage never came.
        known = outcome.usage if outcome.error is None else None
        gate.leave(ticket, turn.io.now(), used=_total(known) if known else None)

    return watched(response, None, settle)


def _total(usage: Usage) -> float:
    return usage.total_input + usage.output_tokens
