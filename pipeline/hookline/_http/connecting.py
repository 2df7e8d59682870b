"""From the name of a host to a connection: look it up, and try the addresses side by side.

As RFC 8305 ("happy eyeballs") says: the kinds of addresses alternate, and where one of them hangs
for a moment the next is tried while it goes on. The first connection wins, the others are closed.
"""

import queue
import socket
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, Final, TypeVar

from hookline._io.threads import Errand, Remaining, call_elsewhere, call_within

__all__ = [
    "STAGGER",
    "addresses_of",
    "connect_first",
    "connect_first_async",
    "look_up",
    "look_up_async",
    "numeric",
]

T = TypeVar("T")

STAGGER: Final = 0.25  # seconds; the "connection attempt delay" that RFC 8305 recommends


def numeric(host: str) -> bool:
    """Say whether this is an address already, which nobody need look up."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, best first, the kinds in turn; this may hang.

    Raises:
        OSError: there are none.

    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    kinds: dict[Any, dict[str, None]] = {}  # in the system's order of preference, doubles dropped
    for family, _, _, _, where in found:
        kinds.setdefault(family, {})[str(where[0])] = None
    in_turn = chain.from_iterable(zip_longest(*kinds.values()))
    return tuple(address for address in in_turn if address is not None)


def look_up(host: str, port: int, seconds: float | None) -> tuple[str, ...]:
    """Return the addresses of a host, in blocking code.

    Raises:
        OSError: there are none, or (a ``TimeoutError``) it took longer than ``seconds``.

    """
    return call_within(seconds, lambda: addresses_of(host, port))


async def look_up_async(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, in async code, whose own threads a look-up must not fill."""
    return await call_elsewhere(lambda: addresses_of(host, port))


def connect_first(
    addresses: Sequence[str],
    connect: Callable[[str, float | None], T],
    close: Callable[[T], object],
    seconds: float | None,
) -> T:
    """Connect to the address that takes a connection first, in blocking code.

    Args:
        addresses: best first.
        connect: connects to one address, within so many seconds.
        close: closes a connection that came too late.
        seconds: for all of them together; None for no limit.

    Raises:
        TimeoutError: none did in time.
        Exception: none did; what the last one had to say.

    """
    remaining = Remaining(seconds)
    if len(addresses) == 1:  # which needs no thread
        return connect(addresses[0], seconds)
    ended: queue.SimpleQueue[Errand[T]] = queue.SimpleQueue()
    waiting = list(reversed(addresses))
    running: list[Errand[T]] = []
    failure: Exception = TimeoutError("no address took a connection in time")
    try:
        while waiting or running:
            if waiting:
                running.append(_attempt(waiting.pop(), connect, close, remaining, ended))
            left = remaining()
            patience = left if not waiting else STAGGER if left is None else min(STAGGER, left)
            try:
                errand = ended.get(timeout=patience)
            except queue.Empty:
                if left is not None and left <= STAGGER and remaining() == 0:
                    break
                continue  # it hangs: the next one is tried at its side
            running.remove(errand)
            try:
                return errand.result()
            except Exception as error:  # noqa: BLE001 -- raised below if no address is left
                failure = error
    finally:
        for each in running:
            each.abandon()
    raise failure


def _attempt(
    address: str,
    connect: Callable[[str, float | None], T],
    close: Callable[[T], object],
    remaining: Remaining,
    ended: "queue.SimpleQueue[Errand[T]]",
) -> Errand[T]:
    errand: Errand[T] = Errand(
        lambda: connect(address, remaining()), close, lambda: ended.put(errand)
    )
    return errand.start()


async def connect_first_async(
    addresses: Sequence[str],
    connect: Callable[[str], Awaitable[T]],
    close: Callable[[T], Awaitable[object]],
) -> T:
    """Connect to the address that takes a connection first, in async code.

    Args:
        addresses: best first.
        connect: connects to one address.
        close: closes a connection that came too late.

    Raises:
        Exception: none did; what the last one had to say.

    """
    if len(addresses) == 1:
        return await connect(addresses[0])
    import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

    won: list[T] = []
    failures: list[Exception] = []

    async def attempt(address: str, ended: anyio.Event) -> None:
        try:
            made = await connect(address)
        except Exception as error:  # noqa: BLE001 -- raised below if no address is left
            failures.append(error)
        else:
            won.append(made)
            group.cancel_scope.cancel()
        finally:
            ended.set()

    async def too_late(made: Sequence[T]) -> None:
        with anyio.CancelScope(shield=True):
            for each in made:
                await close(each)

    try:
        async with anyio.create_task_group() as group:
            for address in addresses:
                ended = anyio.Event()
                group.start_soon(attempt, address, ended)
                with anyio.move_on_after(STAGGER):
                    await ended.wait()
    except BaseException:  # cancelled in the moment of winning
        await too_late(won)
        raise
    await too_late(won[1:])
    if won:
        return won[0]
    raise failures[-1]
