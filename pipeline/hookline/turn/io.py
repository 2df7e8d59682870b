"""What ``turn.io`` and ``turn.uploads`` offer: the only ways in which plugins touch the world outside."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any, Protocol, TypeVar, TypeVarTuple

from attrs import field, frozen

__all__ = ["IO", "Alongside", "Fetched", "Uploads"]

T = TypeVar("T")
Args = TypeVarTuple("Args")


@frozen
class Fetched:
    """The answer to a fetch.

    Attributes:
        status: HTTP status, never a redirect.
        headers: names in lower case.
        body: at most ``max_bytes`` bytes.
        url: scheme, host and port it came from, after redirects; without path and query.

    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str


class Alongside(Protocol):
    """A coroutine that runs while an async generator yields what it reports.

    Attributes:
        result: what the coroutine returned, once the generator is exhausted.

    """

    result: Any

    def run(
        self, start: Callable[[Callable[[Any], None]], Coroutine[Any, Any, Any]]
    ) -> AsyncGenerator[Any, None]:
        """Yield what is reported until the coroutine has ended; raise what it raised.

        Args:
            start: makes the coroutine, given the function that reports; any thread may call that.

        """
        ...


class IO(Protocol):
    """The only way in which core and plugins touch time, threads and the network.

    A plugin that awaits nothing but these (and ``call_next``) works in ``Pipeline`` and
    ``AsyncPipeline`` alike: in a ``Pipeline`` none of them ever suspends.
    """

    def now(self) -> float:
        """Return monotonic seconds; only differences have a meaning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        ...

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Run a blocking function where it does no harm: here, or in a worker thread."""
        ...

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        """Run coroutines side by side; the first failure cancels or outwaits the others.

        Where several fail, the one that failed first in time is raised, alone.
        """
        ...

    async def race(
        self,
        *factories: Callable[[], Coroutine[Any, Any, T]],
        delay: float,
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[int, T]:
        """Run the first; start the next when ``delay`` seconds have brought no answer; first wins.

        The others are cancelled. In a ``Pipeline`` they run in threads, which nothing can cancel:
        there a loser is left to finish by itself. An answer that comes too late goes to
        ``discard``. A failure counts only once nothing else is running: then that of the earliest
        starter is raised.

        Args:
            *factories: each makes the coroutine of one runner.
            delay: seconds between the starts.
            discard: clears away an answer that came too late.

        Returns:
            The winner's place among ``factories``, and its answer.

        """
        ...

    def alongside(self) -> Alongside:
        """Return what runs one coroutine while a generator yields what it reports."""
        ...

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
    ) -> Fetched:
        """Fetch an untrusted URL through the one guarded door."""
        ...

    async def shielded(self, coroutine: Coroutine[Any, Any, T], *, apart: bool = False) -> T:
        """Finish ``coroutine`` even if the turn has been cancelled; for clean-up of a few seconds.

        Args:
            coroutine: what must be done.
            apart: whether it runs in a task of its own, so that a ``task.cancel()`` of asyncio which
                comes while it runs does not end it either. The cancellation goes on when it has ended.

        """
        ...

    async def bounded(self, awaitable: Awaitable[T], seconds: float, *, shield: bool = False) -> T:
        """Wait for ``awaitable`` for so long and no longer.

        In a ``Pipeline`` what can be ended are its waits on ``turn.io``.

        Args:
            awaitable: what to wait for.
            seconds: how long.
            shield: whether it may go on even if the turn has been cancelled.

        Raises:
            TimeoutError: the time was up.

        """
        ...

    async def outwait(
        self, function: Callable[[*Args], T], *args: *Args, seconds: float | None
    ) -> T:
        """Run a blocking function in a thread that is left to itself when the time is up.

        Raises:
            TimeoutError: the time was up.

        """
        ...


class Uploads(Protocol):
    """What ``turn.uploads`` offers a plugin: the files of the API, at the turn's destination."""

    async def put(
        self, content: bytes, *, media_type: str, filename: str, expires_in_seconds: int | None
    ) -> str:
        """Upload a file; see ``line.files.upload``.

        Returns:
            Its id, for a ``FileSource``.

        """
        ...

    async def delete(self, file_id: str) -> None:
        """Delete a file."""
        ...
