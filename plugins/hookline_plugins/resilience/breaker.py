"""The plugin ``breaker``: stop asking an upstream that is failing, and ask again carefully.

A circuit for each upstream and model: closed while calls succeed, open once too many fail, half
open when one call at a time is let through to see whether the upstream is back. It stands outside
``retry`` and inside ``fallback``: what counts is how calls end after their retries, and a refusal
here costs no retry and goes on to the next model at once.
"""

import threading
from collections import deque
from typing import Final, Literal

from attrs import define, field, frozen

from hookline import (
    APIError,
    CallNext,
    ConfigError,
    HooklineError,
    Request,
    Response,
    TransportError,
    Turn,
    hookimpl,
)
from hookline.errors import CircuitOpen
from hookline.plugin import Book, Layer, checks_options

__all__ = ["Breaker", "Circuit"]

_LOCAL: Final = frozenset({"pool", "limit", "circuit", "proxy"})
_SERVER_ERROR: Final = 500
_SERVER_TYPES: Final = frozenset({"api_error", "timeout_error", "overloaded_error"})

Outcome = Literal["answered", "failed", "neither"]


@checks_options
@frozen(eq=False, kw_only=True)
class Breaker:
    """Holds calls back from an upstream and model of which too many have failed.

    Only the upstream's own failures count: errors of the server (5xx, overload) and connections
    that fail. Rate limits, wrong requests, policy, a full pool of ours and cancelled turns do not.
    While a circuit is open, calls get ``CircuitOpen`` at once, which says for how long.

    Attributes:
        ratio: the share of failures, above 0 and up to 1, that opens the circuit.
        minimum: how many calls there must have been to judge.
        window: seconds that count.
        cooldown: seconds that the circuit stays open before one call is let through as a probe.

    """

    name = "breaker"
    layer = Layer.BREAKER
    ratio: float = 0.5
    minimum: int = 20
    window: float = 30.0
    cooldown: float = 5.0
    _circuits: Book[tuple[str, str], "Circuit"] = field(factory=Book, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise ConfigError(
                f"breaker: ratio is a share above 0 and up to 1, not {self.ratio!r}; 0.5 is half"
            )
        for name in ("minimum", "window", "cooldown"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(
                    f"breaker: {name} must be above 0 and finite, not {getattr(self, name)!r}"
                )

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Let the call through, or refuse it; learn from how it ends."""
        if not turn.asks_model:
            return await call_next(request)
        circuit = self._circuit(turn.upstream, request.model)
        admitted = circuit.admit(turn.io.now())
        if not isinstance(admitted, Admission):
            turn.trace.note("breaker", f"open for another {admitted:.2f} s")
            raise CircuitOpen(
                f"{request.model} at {turn.upstream} has been failing, so calls are held back for "
                f"another {admitted:.1f} s",
                retry_after=admitted,
            )
        outcome: Outcome = "neither"
        try:
            response = await call_next(request)
        except HooklineError as error:
            outcome = _outcome(error)
            raise
        else:
            outcome = "answered"
            return response
        finally:
            circuit.record(admitted, outcome, turn.io.now())

    def _circuit(self, upstream: str, model: str) -> "Circuit":
        return self._circuits.get(
            (upstream, model),
            lambda: Circuit(self.ratio, self.minimum, self.window, self.cooldown),
        )


def _outcome(error: HooklineError) -> Outcome:
    """Say what an error tells about the health of the upstream."""
    if isinstance(error, APIError):
        broken = error.status >= _SERVER_ERROR or error.type in _SERVER_TYPES
        return "failed" if broken else "answered"
    if isinstance(error, TransportError) and error.retryable and error.phase not in _LOCAL:
        return "failed"
    return "neither"


@frozen
class Admission:
    """Leave for one call.

    Attributes:
        era: how often the circuit had opened or closed; what an earlier era's call brings home
            says nothing about this one.
        probe: whether the circuit waits for this call's outcome.

    """

    era: int
    probe: bool


@define(eq=False)
class Circuit:
    """The state of one upstream and model; thread-safe, knows no clock of its own.

    Args:
        ratio: see ``Breaker``.
        minimum: see ``Breaker``.
        window: see ``Breaker``.
        cooldown: see ``Breaker``.

    """

    ratio: float
    minimum: int
    window: float
    cooldown: float
    _outcomes: deque[tuple[float, bool]] = field(factory=deque, init=False)
    _failures: int = field(default=0, init=False)
    _opened: float | None = field(default=None, init=False)
    _probing: bool = field(default=False, init=False)
    _era: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def admit(self, now: float) -> Admission | float:
        """Return leave for a call, or the seconds to wait before asking again."""
        with self._lock:
            if self._opened is None:
                return Admission(self._era, probe=False)
            left = self._opened + self.cooldown - now
            if left > 0:
                return left
            if self._probing:
                return self.cooldown  # its outcome decides; nobody knows when it comes
            self._probing = True
            return Admission(self._era, probe=True)

    def record(self, admission: Admission, outcome: Outcome, now: float) -> None:
        """Take in how an admitted call ended."""
        with self._lock:
            if admission.era != self._era:
                return
            if admission.probe:
                self._probing = False
                if outcome != "neither":
                    self._turn(now if outcome == "failed" else None)
                return
            if self._opened is None and outcome != "neither":
                self._count(outcome == "failed", now)

    def _count(self, failed: bool, now: float) -> None:  # noqa: FBT001 -- called in one place
        outcomes = self._outcomes
        outcomes.append((now, failed))
        self._failures += failed
        while outcomes[0][0] <= now - self.window:
            self._failures -= outcomes.popleft()[1]
        if len(outcomes) >= self.minimum and self._failures >= self.ratio * len(outcomes):
            self._turn(now)

    def _turn(self, opened: float | None) -> None:
        self._opened = opened
        self._era += 1
        self._probing = False
        self._outcomes.clear()
        self._failures = 0
