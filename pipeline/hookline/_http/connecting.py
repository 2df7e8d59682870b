"""From the name of a host to a connection: look it up, and try the addresses side by side.

As RFC 8305 ("happy eyeballs") says: the kinds of addresses alternate, and where one of them hangs
for a moment the next is tried while it goes on. The first connection wins, the others are closed.
"""

import errno
import os
import selectors
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from itertools import chain, zip_longest
from time import monotonic
from typing import Any, Final, TypeVar, cast

from hookline._io.threads import call_elsewhere, call_within

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
_UNDER_WAY: Final = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class Remaining:
    """The seconds until a moment that is so many seconds away.

    Args:
        seconds: from now; None for never.

    """

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else monotonic() + seconds

    def __call__(self) -> float | None:
        """Return the seconds that are left, never less than none; None for no limit."""
        return None if self._end is None else max(0.0, self._end - monotonic())


def numeric(host: str) -> bool:
    """Say whether this is an address already, which nobody need look up."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, best first, the kinds in turn; this may hang.

    Raises:
        OSError: there are none.

    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # of a proxy, say: what no name server could be asked about
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is no name of a host") from error
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
    addresses: Sequence[str], port: int, local_address: str | None, seconds: float | None
) -> socket.socket:
    """Connect to the address that takes a connection first, in blocking code.

    Args:
        addresses: best first.
        port: of all of them.
        local_address: from where; None for anywhere.
        seconds: for all of them together; None for no limit.

    Raises:
        TimeoutError: none did in time.
        OSError: none did; what the last one had to say.

    """
    remaining = Remaining(seconds)
    waiting = deque(addresses)
    failure: OSError = TimeoutError("no address took a connection in time")
    with ExitStack() as losers, selectors.DefaultSelector() as running:
        while waiting or running.get_map():
            if waiting:
                try:
                    made = _begun(waiting.popleft(), port, local_address)
                except OSError as error:
                    failure = error
                    continue
                losers.callback(made.close)
                running.register(made, selectors.EVENT_WRITE)
            left = remaining()
            if left == 0:
                break
            patience = left if not waiting else STAGGER if left is None else min(STAGGER, left)
            for key, _ in running.select(patience):
                made = cast("socket.socket", key.fileobj)
                running.unregister(made)
                number = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number == 0:
                    return socket.socket(fileno=made.detach())
                failure = OSError(number, os.strerror(number))
    raise failure


def _begun(address: str, port: int, local_address: str | None) -> socket.socket:
    """Return a socket that is being connected."""
    family, kind, protocol, _, where = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.settimeout(0)
        if local_address is not None:
            made.bind((local_address, 0))
        number = made.connect_ex(where)
    except BaseException:
        made.close()
        raise
    if number not in _UNDER_WAY:
        made.close()
        raise OSError(number, os.strerror(number))
    return made


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
