"""The life of a turn, from ``on_turn_start`` to ``on_turn_end``: once, for every surface."""

from collections.abc import Awaitable
from contextlib import suppress
from inspect import isawaitable
from types import TracebackType
from typing import Protocol, Self

from hookline._journey.checks import sealed
from hookline._journey.engine import Engine
from hookline._journey.failures import (
    failure,
    is_cancellation,
    is_failure,
    note_failure,
    result_of,
    tell,
)
from hookline._journey.plugin_set import Implementation
from hookline.errors import DeadlineExceeded, HooklineError
from hookline.reply import Outcome, Reply
from hookline.turn import Turn
from hookline.values.messages import Request

__all__ = ["Life"]


class Delivers(Protocol):
    """What knows how much of a stream the caller has got."""

    def partial(self) -> Reply:
        """Return a reply made of that."""
        ...


class Life:
    """A turn's life as an async context: what begins it runs on entry, what ends it on exit.

    On the way out the answers that nobody read to their end are closed, ``conclude`` runs, and then
    ``on_turn_end``: exactly once, whatever happened, and before the caller has the reply.

    Args:
        engine: the pipeline's.
        turn: the journey.
        request: as the caller made it.

    Attributes:
        reply: what the caller will get; set it when it stands.
        delivery: the delivery of the stream that is under way, for the partial reply.

    Raises:
        HooklineError: on exit, what the turn really died of, in place of how that looked.

    """

    def __init__(self, engine: Engine, turn: Turn, request: Request) -> None:
        self._engine = engine
        self._plugins = engine.plugins
        self._turn = turn
        self._request = request
        self.reply: Reply | None = None
        self.delivery: Delivers | None = None

    async def __aenter__(self) -> Self:
        await self._engine.ready()
        try:
            await tell(self._plugins.of("on_turn_start"), self._turn, self._request)
        except BaseException as error:
            await self._end(error)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        problem = await self._end(error)
        # A cancellation stays one, whoever caused it.
        if problem is not None and problem is not error and not _stops(error):
            raise problem from (error or problem.__cause__)

    async def _end(self, error: BaseException | None) -> BaseException | None:
        turn = self._turn
        problem = None if error is None else self._cause(error)
        await hang_up(turn)
        told = self.reply
        if told is not None and self._plugins.judges_replies and self._tells():
            told = sealed(told)  # the caller's own is nobody else's
        problem = await self._conclude(None if problem else told, problem)
        reply = None if problem else told
        await tell(self._plugins.of("on_turn_end"), turn, reply, problem)
        return problem

    def _tells(self) -> bool:
        return bool(self._plugins.of("conclude") or self._plugins.of("on_turn_end"))

    def _cause(self, error: BaseException) -> BaseException:
        """Note what a turn had delivered when it ended early; return what it really died of."""
        turn = self._turn
        turn.partial = self.delivery.partial() if self.delivery is not None else None
        problem = turn.timed_out(error)
        if isinstance(problem, DeadlineExceeded):
            problem.partial = turn.partial
        if isinstance(problem, HooklineError):
            problem.attempts = tuple(turn.trace.attempts)
            problem.unfinished = turn.unfinished
        return problem

    async def _conclude(
        self, reply: Reply | None, problem: BaseException | None
    ) -> BaseException | None:
        """Run ``conclude``, all of them; return what the turn ends with after that."""
        turn = self._turn
        for implementation in self._plugins.of("conclude"):
            outcome = Outcome(
                reply=None if problem else reply,
                error=problem,
                attempts=tuple(turn.trace.attempts),
                models=turn.models,
            )
            try:
                await self._told(implementation, outcome)
            except BaseException as error:
                if is_cancellation(error):  # the others must still hear, and of this
                    problem = error
                elif not is_failure(implementation, error):
                    raise
                elif problem is None:
                    problem = failure(implementation, error)
                    problem.__cause__ = None if problem is error else error
                else:
                    note_failure(turn, implementation, error)
        return problem

    async def _told(self, implementation: Implementation, outcome: Outcome) -> None:
        """Run one ``conclude`` to its end, whatever the caller's task is told meanwhile."""
        turn = self._turn
        if implementation.role == "enforcer":
            await turn.io.shielded(result_of(implementation, turn, outcome), apart=True)
            return
        result = implementation.call(turn, outcome)
        if isawaitable(result):  # a task is only for what waits
            await turn.io.shielded(_awaited(result), apart=True)


async def _awaited(result: Awaitable[object]) -> None:
    await result


def _stops(error: BaseException | None) -> bool:
    return error is not None and not isinstance(error, Exception)


async def hang_up(turn: Turn) -> None:
    """Close the answers that nobody read to their end, whoever abandoned them."""
    for events in turn.open_streams:
        # One that is running is being closed by somebody else: the loser of a race, in its thread.
        with suppress(HooklineError, TimeoutError, RuntimeError):
            await turn.io.shielded(events.aclose())
