"""Where connections are at home: in one process, in one event loop. They survive neither's end."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, Generic, TypeAlias, TypeVar

__all__ = ["MOST_POOLS", "Home", "Pools", "elsewhere", "home_of_loop", "home_of_process"]

T = TypeVar("T")

MOST_POOLS: Final = 100  # loops times addresses; the oldest that is not in use makes room

Home: TypeAlias = tuple[int, Any]
"""Process and event loop (asyncio's loop, trio's token); without one in blocking code."""


def home_of_process() -> Home:
    """Return the home of blocking code."""
    return os.getpid(), None


def home_of_loop() -> Home:
    """Return the home of async code."""
    try:
        return os.getpid(), asyncio.get_running_loop()
    except RuntimeError:
        from anyio.lowlevel import current_token  # noqa: PLC0415 -- asyncio needs it not

        return os.getpid(), current_token()


async def elsewhere(loop: Any, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Close what is at home in another event loop that runs, in another thread, and wait for it.

    Args:
        loop: asyncio's. (trio has no way to run something in the loop of another thread that would
            end with it; what is at home there is closed with its loop.)
        close: what closes it.

    """
    if isinstance(loop, asyncio.AbstractEventLoop) and loop.is_running():
        from hookline._io.threads import call_elsewhere  # noqa: PLC0415 -- two loops are rare

        await call_elsewhere(asyncio.run_coroutine_threadsafe(close(), loop).result)


class Pools(Generic[T]):
    """What holds connections, by home and address: made on first use, bounded in number.

    Args:
        in_use: how many connections of one are in use.

    """

    def __init__(self, in_use: Callable[[T], int]) -> None:
        self._in_use = in_use
        self._made: dict[tuple[Home, str], T] = {}
        self._making = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        return iter([*self._made.values()])

    def get(self, home: Home, address: str, make: Callable[[], T]) -> tuple[T, list[T]]:
        """Return the one for a place, and those that had to make room, which the caller closes."""
        found = self._made.get((home, address))
        if found is not None:
            return found, []
        with self._making:  # threads that begin together share one
            found = self._made.get((home, address))
            if found is not None:
                return found, []
            surplus = self._make_room(home)
            found = self._made[home, address] = make()
        return found, surplus

    def take_all(self) -> list[tuple[Home, T]]:
        """Return all of them, and forget them."""
        with self._making:
            made, self._made = self._made, {}
        return [(home, pool) for (home, _), pool in made.items() if not _ended(home)]

    def _make_room(self, home: Home) -> list[T]:
        """Forget those whose home has ended, and one of this home where there are too many."""
        for place in [place for place in self._made if _ended(place[0])]:
            del self._made[place]  # nobody can close what has no loop; it is closed when collected
        if len(self._made) < MOST_POOLS:
            return []
        idle = (
            place
            for place, pool in self._made.items()
            if place[0] == home and not self._in_use(pool)
        )
        oldest = next(idle, None)
        return [] if oldest is None else [self._made.pop(oldest)]


def _ended(home: Home) -> bool:
    process, loop = home
    return process != os.getpid() or (hasattr(loop, "is_closed") and loop.is_closed())
