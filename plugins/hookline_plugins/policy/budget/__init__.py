"""The plugin ``budget``: so much may be spent, by whom, in what time, and not one call more.

Read `limits` for what may be limited, `worth` for what an attempt takes, `ledger` for how it is added up.
"""

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import field, frozen
from loguru import logger

from hookline import (
    CallNext,
    ConfigError,
    InputError,
    PolicyViolation,
    Request,
    Response,
    Turn,
    hookimpl,
)
from hookline.plugin import (
    Layer,
    Outcome,
    StreamOutcome,
    TurnState,
    checks_options,
    option,
    watched,
)
from hookline.values import Secret
from hookline_plugins.policy.budget.ledger import Charge, Exceeded, Ledger, SQLiteLedger, new_id
from hookline_plugins.policy.budget.limits import Account, Amounts, Limit, begins
from hookline_plugins.policy.budget.words import refusal, rule, warning
from hookline_plugins.policy.budget.worth import NOTHING, Heard, after_failure, at_most, taken
from hookline_plugins.storage.paths import file_path

if TYPE_CHECKING:
    import click

__all__ = ["Budget", "Limit"]

_GRACE: Final = 60.0  # seconds after a turn's deadline in which its attempts may still be settled
_LONGEST: Final = 3600.0  # seconds that an attempt without a deadline may take
_RESULTS_KEPT: Final = 30 * 86_400.0  # seconds: the API keeps the results of a batch for 29 days
_WARNED: Final = 10_000  # accounts of which is remembered that somebody was warned


@frozen(kw_only=True)
class Reservation:
    """What an attempt has reserved.

    Attributes:
        id: its name in the ledger.
        most: what it may take.
        charges: the accounts.

    """

    id: str
    most: Amounts
    charges: tuple[Charge, ...]


def _secret(given: str | Secret | None) -> Secret | None:
    return Secret(given) if isinstance(given, str) else given


def _asked(request: Request) -> str:
    """Return what a request asks for, as far as it makes the price."""
    fast = " in fast mode" if request.speed == "fast" else ""
    others = " or one of its fallbacks" if request.fallbacks else ""
    return f"{request.model}{others}{fast}"


@checks_options
@frozen(eq=False, kw_only=True)
class Budget:
    """Refuses the attempt that might spend more than a limit leaves.

    Each attempt reserves the most that it may take, retries and hedges included, and is settled by its
    usage: nothing for one that the API refused, what was made until then for a stream that was left, the
    whole reservation where nobody knows. So is that of a process that was killed. A batch reserves
    at its departure at half price, and its results settle that where the process that sent it reads them.

    Attributes:
        limits: all of them hold.
        path: the SQLite file of the spending; its directory must exist.
        redis: a Redis server instead, ``redis://…``, for replicas that share no disk.
        on_store_failure: ``"closed"`` refuses while the spending cannot be looked up, ``"open"`` lets
            pass, and says so in the log and the trace.
        store_timeout: seconds that the store may take for one answer: a server that is silent, or
            a file that somebody keeps locked. Where a turn's deadline is nearer, that holds for what
            is sent; what has been taken is settled after it too.

    """

    name = "budget"
    role = "enforcer"
    layer = Layer.BUDGET

    limits: tuple[Limit, ...] = ()
    path: str = field(default="", converter=file_path)
    redis: Secret | None = field(
        default=None,
        converter=_secret,
        metadata=option(secret=True),
    )
    on_store_failure: Literal["closed", "open"] = "closed"
    store_timeout: float = field(default=2.0, metadata=option(above=0, most=60, unit="seconds"))
    _clock: Callable[[], float] = field(default=time.time, repr=False)
    ledger: Ledger = field(init=False, repr=False)
    _failures: tuple[type[Exception], ...] = field(init=False, repr=False)
    _warned: set[Account] = field(factory=set, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    waiting = TurnState(list[Reservation])
    left = TurnState(bool)

    def __attrs_post_init__(self) -> None:
        if self.path and self.redis is not None:
            raise ConfigError("budget: spending is kept in one place: path or redis, not both")
        failures: tuple[type[Exception], ...] = (sqlite3.Error, OSError, InputError)
        if self.redis is not None:
            from redis import RedisError  # noqa: PLC0415 -- an extra

            from hookline_plugins.policy.budget.redis import RedisLedger  # noqa: PLC0415 -- as above

            object.__setattr__(
                self, "ledger", RedisLedger(self.redis.reveal(), patience=self.store_timeout)
            )
            failures = (RedisError, OSError)
        else:
            object.__setattr__(
                self, "ledger", SQLiteLedger(self.path, self._clock, self.store_timeout)
            )
        object.__setattr__(self, "_failures", failures)

    @hookimpl
    def open(self) -> None:
        """Open the ledger; where failures are let pass, one that cannot be opened is no reason to stop."""
        if not self.limits:
            raise ConfigError("budget: there are no limits; write [[plugins.budget.limits]]")
        if not self.path and self.redis is None:
            raise ConfigError("budget: say where spending is kept: path or redis")
        try:
            self.ledger.open()
        except self._failures as error:
            if self.on_store_failure == "closed":
                raise ConfigError(f"budget: the spending cannot be opened: {error}") from error
            logger.warning("budget: the spending cannot be opened: {}", error)

    @hookimpl
    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Reserve, send, settle."""
        departs = turn.surface == "batch" and not turn.rehearsing
        if not (turn.asks_model or departs):
            return await call_next(request)
        reservation = await self._reserve(turn, request)
        if reservation is None:
            return await call_next(request)
        if departs:
            self.waiting[turn].append(reservation)
            return await call_next(request)
        took = reservation.most
        streaming = False
        try:
            response = await call_next(request)
            if response.events is None:
                took = taken(turn, response.model, response.usage)
            streaming = response.events is not None
        except BaseException as error:
            took = after_failure(error, reservation.most)
            raise
        finally:
            if not streaming:
                await turn.io.shielded(self._settle(turn, reservation, took))
        if not streaming:
            return response
        heard = Heard(request.model)

        async def over(outcome: StreamOutcome) -> None:
            await self._settle(turn, reservation, heard.taken(turn, outcome, reservation.most))

        return watched(response, heard.event, over)

    @hookimpl
    async def conclude(self, turn: Turn, outcome: Outcome) -> None:
        """Settle the items of batches: those that did not leave, and those that came back."""
        waiting = self.waiting[turn]
        if self.left[turn]:  # the turn of a result, which knows what its item's turn knew
            reply = outcome.reply
            for reservation in waiting:
                if reply is not None:
                    took = taken(turn, reply.model, reply.usage)
                    await self._settle(turn, reservation, took)
            return
        for reservation in waiting:
            if outcome.error is not None:
                await self._settle(turn, reservation, NOTHING)
        self.left[turn] = True

    @hookimpl
    def register_commands(self, register: Any) -> None:
        """Offer ``hookline budget``."""
        from hookline_plugins.policy.budget.command import command_of  # noqa: PLC0415 -- click is an extra

        command: click.Command = command_of(self.limits, self.ledger, self._clock)
        register(command)

    async def _reserve(self, turn: Turn, request: Request) -> Reservation | None:
        most = at_most(turn, request)
        charges = self._charges(turn, request, most)
        if not charges:
            return None
        batch = turn.surface == "batch"
        name = new_id()
        remaining = turn.remaining()
        lease = _RESULTS_KEPT if batch else (_LONGEST if remaining is None else remaining) + _GRACE
        reserve = partial(self.ledger.reserve, name, charges, lease)
        try:
            if remaining is None or remaining >= self.store_timeout:
                answer = await turn.io.run_blocking(reserve)
            else:  # what a thread that is left to itself reserves after all stays charged
                answer = await turn.io.outwait(reserve, seconds=remaining)
        except self._failures as error:  # a TimeoutError is an OSError
            if self.on_store_failure == "closed":
                raise PolicyViolation(
                    "the budget cannot be looked up just now, so nothing is sent "
                    f"({type(error).__name__}); try again later",
                    rule="budget-store",
                ) from error
            self._failed(turn, error)
            return None
        if isinstance(answer, Exceeded):
            raise refusal(answer)
        self._warn(turn, charges, answer)
        return Reservation(id=name, most=most, charges=charges)

    def _charges(self, turn: Turn, request: Request, most: Amounts) -> tuple[Charge, ...]:
        """Return what to charge: one account once, with the least of its limits."""
        now = self._clock()
        found: dict[Account, Charge] = {}
        for limit in self.limits:
            subject = limit.subject(turn.principal, request.model, turn.models)
            if subject is None:
                continue
            for unit, allowed in limit.amounts():
                amount = getattr(most, unit)
                if amount is None:
                    raise PolicyViolation(
                        f"nobody knows the price of {_asked(request)}, and a budget limits dollars; "
                        "use a model with a price, or register one (register_models)",
                        rule=rule(limit.by, limit.per, unit),
                    )
                account = Account(limit.by, subject, limit.per, begins(limit.per, now), unit)
                known = found.get(account)
                if known is None or allowed < known.limit:
                    warn_at = math.ceil(allowed * limit.warn_at)
                    found[account] = Charge(account, amount, allowed, warn_at)
        return tuple(found.values())

    async def _settle(self, turn: Turn, reservation: Reservation, took: Amounts) -> None:
        amounts = [getattr(took, charge.account.unit) for charge in reservation.charges]
        # A price that is not known after all: what was reserved stays.
        amounts = [
            charge.amount if amount is None else amount
            for amount, charge in zip(amounts, reservation.charges, strict=True)
        ]
        try:
            await turn.io.run_blocking(self.ledger.settle, reservation.id, amounts)
        except self._failures as error:
            self._failed(turn, error)  # the worst case stays charged

    def _failed(self, turn: Turn, error: Exception) -> None:
        text = f"the spending could not be kept: {type(error).__name__}"
        turn.trace.note(self.name, text)
        logger.warning("budget: {}", text)

    def _warn(self, turn: Turn, charges: Sequence[Charge], totals: Sequence[int]) -> None:
        for charge, total in zip(charges, totals, strict=True):
            if total < charge.warn_at:
                continue
            text = warning(charge, total)
            turn.trace.note(self.name, text)
            with self._lock:
                first = charge.account not in self._warned
                if len(self._warned) >= _WARNED:
                    self._warned.clear()
                self._warned.add(charge.account)
            if first:
                logger.warning("budget: {}", text)
