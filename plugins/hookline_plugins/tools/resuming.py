"""Turns that go on after somebody's decision: where they have come to, and what of them has run already."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from loguru import logger

from hookline import InputError, Reply, ToolResultBlock, ToolUseBlock, Turn
from hookline.plugin import Book

if TYPE_CHECKING:
    from hookline_plugins.tools.ledger import Ledger

__all__ = ["Record", "Resuming", "Waiting"]

_REMEMBERED: Final = 100  # turns that are being resumed
_RUNS_NOTHING: Final = ("refuse", "result")


@frozen(eq=False)
class Record:
    """Where the calls of one reply are written down.

    Attributes:
        turn: the journey.
        ledger: what keeps it.
        pending: the ``pending_id`` of the reply.

    """

    turn: Turn
    ledger: "Ledger"
    pending: str

    async def begin(self, call: ToolUseBlock, *, again: bool) -> ToolResultBlock | None:
        """Write down that a call begins; return its result where somebody else has run it meanwhile.

        Raises:
            InputError: it is not to be run: it may have run before, or this cannot be written down.

        """
        begin = partial(self.ledger.begin, self.pending, call, again=again)
        return await self.turn.io.run_blocking(begin)

    async def done(self, call: ToolUseBlock, result: ToolResultBlock) -> None:
        """Write down the result of a call; where that fails the turn goes on, since the call has run."""
        try:
            await self.turn.io.run_blocking(self.ledger.done, self.pending, call.id, result)
        except InputError as error:
            _say(self.turn, str(error))

    async def broken_off(self, calls: Sequence[ToolUseBlock]) -> None:
        """Write down calls that were begun, and of which no result will come."""
        for call in calls:
            try:
                await self.begin(call, again=True)
            except InputError as error:
                _say(self.turn, str(error))


@frozen(eq=False)
class Waiting:
    """A turn as it goes on.

    Attributes:
        reply: what it has come to.
        ran: results of calls that have run, by call id.
        waited: whether its calls waited for decisions.
        record: where what runs now is written down.

    """

    reply: Reply
    ran: Mapping[str, ToolResultBlock]
    waited: bool
    record: Record


@frozen(eq=False)
class Resuming:
    """The turns of a pipeline that are resumed.

    Attributes:
        where: the option ``ledger``.

    """

    where: bool | str
    _locks: Book[str, Any] = field(init=False, factory=partial(Book, _REMEMBERED))
    _lock: Any = field(init=False, factory=threading.Lock)
    _ledgers: "list[Ledger]" = field(init=False, factory=list)

    @contextmanager
    def alone(self, reply: Reply) -> Iterator[None]:
        """Let nobody else in this process resume the same turn meanwhile.

        Raises:
            InputError: somebody does.

        """
        lock = self._locks.get(reply.pending_id, threading.Lock)
        if not lock.acquire(blocking=False):
            raise InputError(
                "this turn is being resumed already; wait for that, or for its failure"
            )
        try:
            yield
        finally:
            lock.release()

    async def record(self, turn: Turn, reply: Reply) -> Record:
        """Return where the calls of a reply are written down.

        Raises:
            ConfigError: the ledger that was asked for cannot be used.

        """
        ledger = await turn.io.run_blocking(self._opened, turn)
        return Record(turn, ledger, reply.pending_id)

    async def begun(self, turn: Turn, reply: Reply, decisions: Mapping[str, Any]) -> Waiting:
        """Return where a turn that is resumed goes on.

        Args:
            turn: the journey.
            reply: what was pending.
            decisions: what was decided, by call id.

        Raises:
            InputError: a call may have run or not, and it was not decided what is to be done with it; or a
                decision is on no call of the turn.
            ConfigError: as for ``record``.

        """
        from hookline_plugins.tools.ledger import may_have_run  # noqa: PLC0415 -- few turns are resumed

        first = reply
        record = await self.record(turn, reply)
        calls = {call.id for call in _calls(reply)}
        while (later := await turn.io.run_blocking(record.ledger.next, reply)) is not None:
            reply = later
            calls |= {call.id for call in _calls(reply)}
        unknown = decisions.keys() - calls
        if unknown:
            raise InputError(
                f"no call {', '.join(sorted(unknown))} is pending; open are "
                f"{', '.join(call.id for call in reply.tool_uses) or 'none'}"
            )
        if reply is not first:
            turn.trace.note("tools", "the turn had gone on since; it goes on from there")
        record = Record(turn, record.ledger, reply.pending_id)
        known = await turn.io.run_blocking(record.ledger.known, reply.pending_id)
        for call in reply.tool_uses:
            if call.id in known.begun and _would_run(decisions.get(call.id)):
                raise may_have_run(call, known.begun[call.id])
        if known.results:
            turn.trace.note("tools", f"{len(known.results)} calls had run; they are not run again")
        return Waiting(reply, known.results, reply is first, record)

    async def went_on(self, turn: Turn, before: Reply, reply: Reply) -> Waiting:
        """Write down that a turn that was resumed has come to its next calls; return how it goes on.

        Raises:
            InputError: somebody else has gone on with it, or this cannot be written down.

        """
        record = await self.record(turn, reply)
        await turn.io.run_blocking(record.ledger.went_on, before, reply)
        return Waiting(reply, {}, waited=False, record=record)

    def close(self) -> None:
        """Let go of the ledger."""
        with self._lock:
            while self._ledgers:
                self._ledgers.pop().close()

    def _opened(self, turn: Turn) -> "Ledger":
        from hookline_plugins.tools.ledger import opened  # noqa: PLC0415 -- few turns are resumed

        with self._lock:
            if not self._ledgers:
                ledger, said = opened(self.where)
                self._ledgers.append(ledger)
                if said:
                    _say(turn, said)
            return self._ledgers[0]


def _calls(reply: Reply) -> Iterator[ToolUseBlock]:
    return (block for block in reply.response.content if isinstance(block, ToolUseBlock))


def _would_run(said: Any) -> bool:
    """Say whether a decision lets a call run that may have run before."""
    if isinstance(said, Mapping):
        return not any(verb in said for verb in _RUNS_NOTHING)
    return said not in ("again", "refuse", False)


def _say(turn: Turn, text: str) -> None:
    turn.trace.note("tools", text)
    logger.bind(plugin="tools", turn=turn.id).warning("{}", text)
