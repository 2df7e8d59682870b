"""The running of Python functions as tools: blocking, async, or generators that report progress."""

import inspect
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any, cast

from attrs import field, frozen

from hookline import ToolUseBlock, Turn
from hookline.values.tools.events import ToolProgress

__all__ = ["Function", "Job", "called", "is_async", "stops_the_turn", "within"]


@frozen(kw_only=True)
class Job:
    """One tool call on its way.

    Attributes:
        turn: the journey.
        call: as layers and checks left it.
        timeout: seconds that it may take, or None.

    """

    turn: Turn
    call: ToolUseBlock
    timeout: float | None

    def progress(self, value: Any) -> None:
        """Show the reader of a stream how far it is."""
        self.turn.tell(ToolProgress(call=self.call, value=value))

    @property
    def seconds(self) -> float | None:
        """What is left of its time and of the turn's, whichever is shorter."""
        bounds = [each for each in (self.timeout, self.turn.remaining()) if each is not None]
        return min(bounds, default=None)


async def within(job: Job, awaitable: Any) -> Any:
    """Await a tool within its time.

    Raises:
        TimeoutError: the time was up.

    """
    seconds = job.seconds
    return await (awaitable if seconds is None else job.turn.io.bounded(awaitable, seconds))


async def called(job: Job, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Call what may be ``def`` or ``async def`` within a tool's time; a ``def`` runs in a thread.

    Raises:
        TimeoutError: the time was up.

    """
    if is_async(function):
        return await within(job, function(*given, **named))
    result = await job.turn.io.outwait(partial(function, *given, **named), seconds=job.seconds)
    return await within(job, result) if inspect.isawaitable(result) else result


@frozen
class Function:
    """A tool that is a Python function."""

    function: Callable[..., Any] = field()

    def __str__(self) -> str:
        target = _target(self.function)
        name = getattr(target, "__qualname__", type(self.function).__qualname__)
        module = getattr(target, "__module__", None) or type(self.function).__module__
        return f"{module}:{name}"

    async def run(self, job: Job) -> Any:
        """Call the function with the input; return what it returns.

        Raises:
            DecodeError: the input does not fit its parameters.
            TimeoutError: it took too long.
            Exception: whatever it raises.

        """
        from hookline.schema import fitted_arguments  # noqa: PLC0415 -- few turns run tools

        function = partial(self.function, **fitted_arguments(self.function, job.call.input))
        if is_async(self.function):
            result = function()
        else:
            result = await self._blocking(function, job)
        if inspect.isasyncgen(result):
            return await within(job, _last(cast("AsyncGenerator[Any, None]", result), job))
        return await within(job, result) if inspect.isawaitable(result) else result

    async def _blocking(self, function: Callable[[], Any], job: Job) -> Any:
        left = threading.Event()
        try:
            if job.timeout is None:
                return await job.turn.io.run_blocking(_drained, function, job, left)
            return await job.turn.io.outwait(_drained, function, job, left, seconds=job.seconds)
        finally:
            left.set()  # a generator whose time is up is not asked for more


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether calling it only makes something to be awaited."""
    target = _target(function)
    return inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target)


def stops_the_turn(error: BaseException) -> bool:
    """Say whether what came out of a tool is meant for whoever runs it: an interruption, a cancellation.

    All else is the tool's own, a panic of Rust code and a ``CancelledError`` that nobody has asked for
    among it.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(map(stops_the_turn, error.exceptions))
    if isinstance(error, Exception | SystemExit):
        return False
    library = type(error).__module__.partition(".")[0]
    if library == "asyncio":
        try:
            task = sys.modules["asyncio"].current_task()
        except RuntimeError:  # no loop runs, so nobody can cancel
            return False
        return task is None or task.cancelling() > 0
    return library == "trio" or isinstance(error, KeyboardInterrupt | GeneratorExit)


def _target(function: Any) -> Any:
    """Return what is behind partials, wrappers and callable objects."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isroutine(function) or inspect.isclass(function) or hasattr(function, "__wrapped__"):
        return function
    return type(function).__call__


def _drained(function: Callable[[], Any], job: Job, left: threading.Event) -> Any:
    """Call a blocking function; of a generator, report what it yields and return its result."""
    try:
        result = function()
        if inspect.isgenerator(result):
            return _returned(cast("Generator[Any, Any, Any]", result), job, left)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # a tool ends neither the program nor the turn
        raise RuntimeError(f"the tool raised {type(error).__name__}: {error}") from error
    return result


def _returned(steps: "Generator[Any, Any, Any]", job: Job, left: threading.Event) -> Any:
    while not left.is_set():
        try:
            job.progress(next(steps))
        except StopIteration as done:
            return done.value
    steps.close()
    return None


async def _last(steps: AsyncGenerator[Any, None], job: Job) -> Any:
    """Report what an async generator yields; its last is its result, since it cannot return one."""
    last: list[Any] = []
    try:
        async for step in steps:
            if last:
                job.progress(last.pop())
            last.append(step)
    finally:
        await steps.aclose()
    return last.pop() if last else None
