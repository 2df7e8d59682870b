"""The plugin ``hedge``: when an answer takes unusually long, ask a second time, and take the first.

It cuts the slowest answers at the price of some that are paid for twice, so it hedges only a small
share of the calls. Inside ``retry``: both attempts are one attempt to what lies outside.
"""

import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from attrs import define, field, frozen

from hookline import CallNext, ConfigError, Request, Response, Turn, hookimpl
from hookline.plugin import Book, Layer, checks_options, discard

__all__ = ["Hedge", "Latencies"]

_REMEMBERED: Final = 100
_ENOUGH: Final = 20
_SAVED: Final = 10.0  # hedges that quiet times may save up


@checks_options
@frozen(eq=False, kw_only=True)
class Hedge:
    """Sends a second attempt if the first has not answered after a while; the first answer wins.

    In a stream the first event is the answer; the loser's stream is closed. In an
    ``AsyncPipeline`` the loser is cancelled. In a ``Pipeline`` both run in threads, and a thread
    cannot be cancelled: the loser ends by itself, at the latest with its time-outs, and its answer
    is thrown away. An attempt that fails before the second has begun is not hedged.

    Attributes:
        delay: seconds to wait before the second attempt; 0 takes ``percentile`` instead.
        percentile: of the recent latencies of the same upstream and model; nothing is hedged
            before twenty of them are known.
        share: of all calls, how many may be sent twice in the long run; above 0 and up to 1.

    """

    name = "hedge"
    layer = Layer.HEDGE
    delay: float = 0.0
    percentile: float = 95.0
    share: float = 0.1
    _known: Book[tuple[str, str, bool], "Latencies"] = field(factory=Book, init=False, repr=False)
    _purse: "Purse" = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.delay < float("inf"):
            raise ConfigError(f"hedge: delay is seconds of 0 or more, not {self.delay!r}")
        if not 0 < self.percentile < 100:  # noqa: PLR2004 -- per cent
            raise ConfigError(f"hedge: percentile lies between 0 and 100, not {self.percentile!r}")
        if not 0 < self.share <= 1:
            raise ConfigError(
                f"hedge: share is above 0 and up to 1, not {self.share!r}; 0.1 is one in ten"
            )
        object.__setattr__(self, "_purse", Purse(self.share))

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send, and if that takes too long, send again beside it."""
        if not turn.asks_model:
            return await call_next(request)
        key = (turn.upstream, request.model, turn.stream)
        latencies = self._known.get(key, Latencies)
        self._purse.earn()
        delay = self.delay or latencies.percentile(self.percentile)
        remaining = turn.remaining()
        if delay is None or (remaining is not None and delay >= remaining):
            return await _timed(turn, request, call_next, latencies)

        async def first() -> Response:
            return await _timed(turn, request, call_next, latencies)

        async def second() -> Response:
            if not self._purse.spend():
                raise _TooMany
            turn.trace.note("hedge", f"no answer after {delay:.3f} s: asked a second time")
            return await _timed(turn, request, call_next, latencies)

        runners: tuple[Callable[[], Coroutine[Any, Any, Response]], ...] = (first, second)
        place, response = await turn.io.race(*runners, delay=delay, discard=_discarded)
        if place:
            turn.trace.note("hedge", "the second attempt answered first")
        return response


class _TooMany(Exception):
    """The share of hedged calls is used up; the race goes on with the first alone."""


async def _timed(
    turn: Turn, request: Request, call_next: CallNext, latencies: "Latencies"
) -> Response:
    began = turn.io.now()
    response = await call_next(request)
    latencies.add(turn.io.now() - began)
    return response


async def _discarded(response: Response) -> None:
    if response.events is not None:
        await discard(response.events)


class Latencies:
    """The last hundred latencies of one upstream and model; thread-safe."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Remember one."""
        with self._lock:
            self._seconds.append(seconds)

    def percentile(self, percent: float) -> float | None:
        """Return the latency that ``percent`` of them stay below, or None with too few known."""
        with self._lock:
            known = sorted(self._seconds)
        if len(known) < _ENOUGH:
            return None
        return known[min(len(known) - 1, int(len(known) * percent / 100))]


@define(eq=False)
class Purse:
    """Pays for hedges; every call brings a share of one. Thread-safe.

    Args:
        share: what one call brings.

    """

    share: float
    _left: float = field(default=_SAVED, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def earn(self) -> None:
        """Put one call's share in."""
        with self._lock:
            self._left = min(_SAVED, self._left + self.share)

    def spend(self) -> bool:
        """Take the price of one hedge out, if it is there."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
