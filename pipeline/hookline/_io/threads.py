"""Blocking calls on threads of their own, for which nobody has to wait longer than he wants to.

A look-up of a name takes no time-out, and neither does a whole exchange of a client that somebody
handed in. Such a call runs here; whoever gives it up goes on, and what it brings too late is
discarded by the thread that made it. The threads are not those of an event loop or of
``turn.io.run_blocking``: calls that hang must not take the places of calls that would not.
"""

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic, Self, TypeVar

__all__ = ["Errand", "call_elsewhere", "call_within"]

T = TypeVar("T")

_IDLE_SECONDS: Final = (
    0.1  # in which a thread may get another errand; starting one costs five times as much
)


class _Worker:
    """A thread that runs errands until none comes for a moment."""

    def __init__(self) -> None:
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="hookline-errand", daemon=True)

    @classmethod
    def take(cls) -> Self:
        """Return a thread that waits, or a new one."""
        while True:
            try:
                worker = _IDLE.pop()
            except IndexError:
                worker = cls()
                worker._thread.start()
                return worker
            if worker._thread.is_alive():  # none is after a fork
                return worker  # type: ignore[return-value]  # there are no subclasses

    def give(self, errand: Callable[[], None]) -> None:
        self._errands.put(errand)

    def _work(self) -> None:
        while True:
            try:
                errand = self._errands.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                try:
                    _IDLE.remove(self)
                except ValueError:  # somebody has taken us in this very moment
                    errand = self._errands.get()
                else:
                    return
            errand()
            del errand  # what it brought belongs to whoever waited for it
            _IDLE.append(self)


_IDLE: Final[list[_Worker]] = []


class Errand(Generic[T]):
    """One blocking call on another thread.

    Args:
        call: what is called, in a copy of the caller's context.
        discard: clears away what came after the errand had been abandoned.
        ended: told, on that thread, that the call is over.

    """

    def __init__(
        self,
        call: Callable[[], T],
        discard: Callable[[T], object] = lambda _: None,
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        self._call = call
        self._discard = discard
        self._ended = ended
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._abandoned = False
        self._found: list[T] = []
        self._error: BaseException | None = None

    def start(self) -> Self:
        """Begin, and return at once."""
        _Worker.take().give(partial(contextvars.copy_context().run, self._run))
        return self

    def wait(self, seconds: float | None) -> bool:
        """Wait for the end, and say whether it has come."""
        return self._done.wait(seconds)

    def result(self) -> T:
        """Return what the call returned, or raise what it raised; it is over."""
        if self._error is not None:
            raise self._error
        return self._found[0]

    def abandon(self) -> None:
        """Wait no longer; what the call brings, or has brought, is discarded."""
        with self._lock:
            self._abandoned = True
            found, self._found = self._found, []
        for each in found:
            self._discard(each)

    def _run(self) -> None:
        found: list[T] = []
        try:
            found.append(self._call())
        except BaseException as error:  # noqa: BLE001 -- raised where the result is asked for
            self._error = error
        with self._lock:
            if not self._abandoned:
                self._found, found = found, []
        for each in found:
            self._discard(each)
        self._done.set()
        self._ended()


def call_within(
    seconds: float | None, call: Callable[[], T], discard: Callable[[T], object] = lambda _: None
) -> T:
    """Call a blocking function, and give up after a while.

    Args:
        seconds: for which it is waited for; None for no limit.
        call: the function.
        discard: clears away what it returns too late.

    Raises:
        TimeoutError: it took longer.

    """
    errand = Errand(call, discard).start()
    try:
        if errand.wait(None if seconds is None else max(seconds, 0.0)):
            return errand.result()
    except BaseException:  # a ctrl-C, too
        errand.abandon()
        raise
    errand.abandon()
    raise TimeoutError(f"no end within {seconds:g} s")


async def call_elsewhere(
    call: Callable[[], T], discard: Callable[[T], object] = lambda _: None
) -> T:
    """Call a blocking function in async code; whoever is cancelled does not wait for it.

    Args:
        call: the function.
        discard: clears away what it returns after a cancellation.

    """
    import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

    done = anyio.Event()
    errand = Errand(call, discard, _waker(done.set)).start()
    try:
        await done.wait()
    except BaseException:
        errand.abandon()
        raise
    return errand.result()


def _waker(wake: Callable[[], Any]) -> Callable[[], None]:
    """Return what another thread may call to have ``wake`` called by the running event loop."""
    try:
        soon: Callable[[Callable[[], Any]], Any] = asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415 -- it runs, so it has been loaded

        soon = trio.lowlevel.current_trio_token().run_sync_soon

    def tell() -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            soon(wake)

    return tell
