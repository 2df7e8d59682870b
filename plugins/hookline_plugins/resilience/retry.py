"""The plugin ``retry``: send again what may succeed the second time, and nothing else.

Sources: facts/messages-api sections 1.3, 8.1, 13.1 for what is retryable; the retry quota follows
the standard mode of the AWS SDKs: an outage must not be answered with a multiple of the load.
"""

import random
import threading
from collections.abc import Callable
from itertools import count

from attrs import field, frozen

from hookline import (
    APIError,
    CallNext,
    ConfigError,
    HooklineError,
    ReadTimeout,
    Request,
    Response,
    Turn,
    hookimpl,
)
from hookline.plugin import Book, Layer, checks_options, option, retry_after

__all__ = ["Retry", "RetryBudget"]

_SERVER_ERROR = 500


@checks_options
@frozen(eq=False, kw_only=True)
class Retry:
    """Retries transient failures with full jitter, within the turn's deadline and a shared budget.

    What the API asks for (``retry-after``, ``x-should-retry``) is obeyed. A wait that would outlast
    the deadline is not begun: the error comes at once. After the first event of a stream has
    arrived nothing is sent again. Nor is it when a server took the request and then said nothing:
    it may still be at work.

    Attributes:
        attempts: how often one step is sent at most; 1 turns retries off.
        base: seconds; the first wait after a transient failure is up to this, then it doubles.
        throttle_base: the same after a 429 or 529.
        cap: seconds that one wait takes at most, if the API did not ask for more.
        after_read_timeout: whether a generation is sent again after a ``ReadTimeout``, though it may
            then be done, and billed, twice.
        quota: tokens in the budget of one upstream; a retry takes ``transient_cost`` or
            ``throttle_cost`` of them, a success gives one back.
        transient_cost: see ``quota``.
        throttle_cost: see ``quota``.

    """

    layer = Layer.RETRY
    attempts: int = field(default=3, metadata=option(harmless=True))
    base: float = field(default=0.5, metadata=option(harmless=True))
    throttle_base: float = field(default=1.0, metadata=option(harmless=True))
    cap: float = field(default=20.0, metadata=option(harmless=True))
    after_read_timeout: bool = False
    quota: int = 500
    transient_cost: int = 14
    throttle_cost: int = 5
    _random: Callable[[], float] = field(default=random.random, repr=False)
    _budgets: Book[str, "RetryBudget"] = field(factory=Book, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for name in ("attempts", "base", "throttle_base", "cap", "transient_cost", "throttle_cost"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(
                    f"retry: {name} must be above 0 and finite, not {getattr(self, name)!r}"
                )
        if self.quota < 0:
            raise ConfigError(f"retry: quota must not be negative, not {self.quota!r}")

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send until it works or retrying is no longer allowed."""
        budget = self._budgets.get(turn.upstream, lambda: RetryBudget(self.quota))
        for number in count(1):
            try:
                response = await call_next(request)
            except HooklineError as error:
                wait = self._wait(turn, error, number, budget)
                if wait is None:
                    raise
                turn.trace.note("retry", f"{type(error).__name__}: again in {wait:.2f} s")
                await turn.io.sleep(wait)
            else:
                budget.give_back(1)
                return response
        raise AssertionError  # count() never ends

    def _wait(
        self, turn: Turn, error: HooklineError, number: int, budget: "RetryBudget"
    ) -> float | None:
        """Return the seconds to wait before sending again, or None to give up."""
        if isinstance(error, ReadTimeout) and turn.asks_model and not self.after_read_timeout:
            turn.trace.note("retry", "no: the server may still be at work (after_read_timeout)")
            return None
        if (
            isinstance(error, APIError)
            and error.status == _SERVER_ERROR
            and not turn.profile.retries_500
        ):
            turn.trace.note("retry", f"no: {turn.profile.name} answers bad input with a 500")
            return None
        unusual = error.should_retry and not error.retryable  # a server's wish is tried once
        if not error.should_retry or number >= self.attempts or (unusual and number > 1):
            return None
        throttled = isinstance(error, APIError) and error.throttled
        # The API's own wish, or that of a plugin of ours which holds calls back.
        asked: float | None = (
            retry_after(error.headers)
            if isinstance(error, APIError)
            else getattr(error, "retry_after", None)
        )
        ceiling = min(
            self.cap, (self.throttle_base if throttled else self.base) * 2 ** (number - 1)
        )
        wait: float = self._random() * ceiling
        if asked is not None:
            wait += asked  # never earlier than asked, and not all callers at once
        remaining = turn.remaining()
        if remaining is not None and wait >= remaining:
            turn.trace.note("retry", f"no: the wait of {wait:.2f} s outlasts the deadline")
            return None
        if not budget.take(self.throttle_cost if throttled else self.transient_cost):
            turn.trace.note("retry", "no: the retry budget of this upstream is used up")
            return None
        return wait


class RetryBudget:
    """Tokens that all turns to one upstream share.

    Args:
        size: tokens when full.

    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """The tokens left."""
        return self._left

    def take(self, tokens: int) -> bool:
        """Take tokens, if that many are left."""
        with self._lock:
            if self._left < tokens:
                return False
            self._left -= tokens
            return True

    def give_back(self, tokens: int) -> None:
        """Put tokens back, up to the full size."""
        with self._lock:
            self._left = min(self._size, self._left + tokens)
