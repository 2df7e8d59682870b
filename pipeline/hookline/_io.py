"""The two ways to do I/O, and the driver that runs a coroutine without an event loop.

The core is written once, as coroutines. Everything that may wait goes through ``turn.io``. Under
``AsyncPipeline`` that is :class:`AsyncIO`, which waits on asyncio or trio through anyio. Under
``Pipeline`` it is :class:`SyncIO`, whose coroutines do the blocking thing and return: they never
suspend, so one ``send(None)`` runs a whole turn to its end. No loop, no thread, and it works inside
a loop that is already running (a notebook).

Generated twin classes were the alternative; they drift, and plugins would have to be written twice.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, TypeVarTuple

from hookline.errors import DeadlineExceeded, NeedsEventLoop

if TYPE_CHECKING:
    from hookline.fetch import Fetched
    from hookline.turn import Turn

__all__ = ["AsyncIO", "SyncIO", "drive", "within_deadline"]

T = TypeVar("T")
Args = TypeVarTuple("Args")

_MOST_THREADS: Final = 8
_CLEAN_UP_SECONDS: Final = 5.0
_MOST_REFUSALS: Final = 16


class Exchange(Protocol):
    """One pinned HTTP exchange; ``hookline.fetch`` says what each argument is."""

    async def __call__(
        self,
        *,
        method: str,
        scheme: str,
        host: str,
        port: int,
        target: str,
        address: str,
        headers: dict[str, str],
        content: bytes | None,
        timeout: float,  # noqa: ASYNC109 -- handed on to the HTTP library
        max_bytes: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request to ``address`` and return status, headers and body."""
        ...


def drive(awaitable: Awaitable[T]) -> T:
    """Run a coroutine that never suspends, and return its result.

    Args:
        awaitable: a coroutine, or an async generator's ``__anext__()``.

    Returns:
        What it returns.

    Raises:
        NeedsEventLoop: it waited for an event loop. The error is thrown in at the place that
            waited, so that whoever called can say which plugin it was.

    """
    steps = awaitable.__await__()
    try:
        next(steps)
        # Code that swallows the refusal gets it again at its next wait, but not for ever.
        for _ in range(_MOST_REFUSALS):
            steps.throw(NeedsEventLoop())
    except StopIteration as done:
        result: T = done.value
        return result
    raise NeedsEventLoop


async def within_deadline(turn: "Turn", awaitable: Awaitable[T]) -> T:
    """Await something under the turn's deadline, wherever inside it the time is spent.

    For async code only; blocking code bounds each wait of the network instead.

    Raises:
        DeadlineExceeded: the time was up; what was awaited has been cancelled.

    """
    remaining = turn.remaining()
    if remaining is None:
        return await awaitable
    import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

    with anyio.move_on_after(remaining):
        return await awaitable
    error = DeadlineExceeded(turn.phase, turn.timeout)
    error.partial = turn.partial
    error.attempts = tuple(turn.trace.attempts)
    raise error


class _Door:
    """The part that both kinds share: the guarded fetch."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def now(self) -> float:
        """See ``hookline.turn.IO.now``."""
        return time.monotonic()

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        allow_hosts: Collection[str] = (),
        max_bytes: int = 10 * 1024 * 1024,
        timeout: float = 10.0,  # noqa: ASYNC109 -- the door shares it out over lookups and hops
        redirects: int = 0,
    ) -> "Fetched":
        """See ``hookline.fetch.fetch``."""
        from hookline.fetch import fetch  # noqa: PLC0415 -- most turns never fetch

        return await fetch(
            url,
            io=self,  # type: ignore[arg-type]  # both subclasses are an IO
            exchange=self._exchange,
            method=method,
            content=content,
            headers=headers,
            allow_hosts=allow_hosts,
            max_bytes=max_bytes,
            timeout=timeout,
            redirects=redirects,
        )


class SyncIO(_Door):
    """I/O that blocks the calling thread and never suspends."""

    __slots__ = ()

    async def sleep(self, seconds: float) -> None:
        """Block for ``seconds``."""
        time.sleep(max(0.0, seconds))  # noqa: ASYNC251 -- blocking is what this class is for

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Call the function here."""
        return function(*args)

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        """Run the coroutines in a few threads; results in order, the first failure raised."""
        if len(coroutines) < 2:  # noqa: PLR2004 -- nothing to run side by side
            return [await coroutine for coroutine in coroutines]
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- only when used

        with ThreadPoolExecutor(min(len(coroutines), _MOST_THREADS), "hookline") as pool:
            running = [pool.submit(drive, coroutine) for coroutine in coroutines]
            return [each.result() for each in running]

    async def race(
        self,
        *factories: Callable[[], Coroutine[Any, Any, T]],
        delay: float,
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[int, T]:
        """See ``hookline.turn.IO.race``; each runs in a thread of its own."""
        from hookline._race import ThreadRace  # noqa: PLC0415 -- only who hedges needs it

        return ThreadRace(discard, drive).run(factories, delay)

    async def shielded(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Just run it: nothing cancels a thread."""
        return await coroutine


class AsyncIO(_Door):
    """I/O that waits on the running event loop, asyncio's or trio's."""

    __slots__ = ()

    async def sleep(self, seconds: float) -> None:
        """Suspend for ``seconds``."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        await anyio.sleep(max(0.0, seconds))

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Call the function in a worker thread; a cancelled turn does not wait for it."""
        from anyio import to_thread  # noqa: PLC0415 -- keeps `import hookline` cheap

        return await to_thread.run_sync(function, *args, abandon_on_cancel=True)

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        """Run the coroutines in a task group; results in order, the first failure raised alone.

        One that is cancelled by itself, and not with the others, counts as a failure.
        """
        if len(coroutines) < 2:  # noqa: PLR2004 -- nothing to run side by side
            return [await coroutine for coroutine in coroutines]
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        results: dict[int, T] = {}
        cancelled: list[BaseException] = []

        async def collect(index: int, coroutine: Coroutine[Any, Any, T]) -> None:
            try:
                results[index] = await coroutine
            except anyio.get_cancelled_exc_class() as error:
                # A task group takes this for its own doing, and would say nothing of it.
                cancelled.append(error)
                group.cancel_scope.cancel()
                raise

        try:
            async with anyio.create_task_group() as group:
                for index, coroutine in enumerate(coroutines):
                    group.start_soon(collect, index, coroutine)
        except BaseExceptionGroup as several:
            # A caller of gather wrote one await and expects one error, as from a plain call.
            raise _first(several) from None
        if cancelled:
            raise cancelled[0]
        return [results[index] for index in range(len(coroutines))]

    async def race(
        self,
        *factories: Callable[[], Coroutine[Any, Any, T]],
        delay: float,
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[int, T]:
        """See ``hookline.turn.IO.race``; the losers are cancelled and waited for."""
        from hookline._race import TaskRace  # noqa: PLC0415 -- only who hedges needs it

        return await TaskRace(discard, self.shielded).run(factories, delay)

    async def shielded(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run clean-up to its end even in a cancelled scope, for a few seconds at most."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        with anyio.fail_after(_CLEAN_UP_SECONDS, shield=True):
            return await coroutine


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
