"""What the pools of httpcore and httpcore2 do wrong, seen and mended from outside.

**Lost slots.** httpcore 1.0.9, the engine of httpx 0.28.1, loses one to a cancelled request. One
that is cancelled between being given a connection and using it leaves the connection in the pool:
not idle, not closed, owned by nobody, and counted for ever (encode/httpcore issue 1093). Ten such
cancellations and a pool of ten is dead. Before each request we drop what nobody owns.

A cancellation that strikes while an answer is being closed does the same in another way: its shield
is anyio's, which ``Task.cancel`` of asyncio goes through, and a second closing does nothing. So the
request is given up for it.

httpcore2 is not affected; ``tests/test_pool_repair.py`` has a canary that fails once httpcore is
mended, and ``drop_orphans`` and ``give_up`` can go then.

**Poisoned connections.** Both keep a connection on which more has arrived than the answer; see
``poisoned``.
"""

from collections.abc import Iterator
from typing import Any

__all__ = ["drop_orphans", "give_up", "poisoned", "pools"]


def drop_orphans(sender: Any) -> list[Any]:
    """Remove connections that no request owns from the pools.

    Args:
        sender: a pool of httpcore, or a client of httpx.

    Returns:
        The connections removed, which the caller closes.

    """
    orphans: list[Any] = []
    for pool in pools(sender):
        with pool._optional_thread_lock:  # noqa: SLF001 -- the pool offers no public way; the canary watches
            orphans.extend(_unowned(pool))
    return orphans


def give_up(stream: Any) -> list[Any]:
    """Take a request out of the pool if the closing of its answer was cut off half-way.

    Args:
        stream: the engine's stream of an answer whose ``aclose`` has been called, and may have
            failed; None where there is none.

    Returns:
        Connections that have left the pool for it, which the caller closes.

    """
    pool, request = getattr(stream, "_pool", None), getattr(stream, "_pool_request", None)
    if pool is None or not getattr(stream, "_closed", False) or request not in pool._requests:  # noqa: SLF001 -- as above
        return []
    with pool._optional_thread_lock:  # noqa: SLF001 -- as above
        pool._requests.remove(request)  # noqa: SLF001 -- as above
        orphans = _unowned(pool)
        # Whoever waits for a connection may have this one's place.
        return [*orphans, *pool._assign_requests_to_connections()]  # noqa: SLF001 -- as above


def poisoned(stream: Any) -> bool:
    """Say whether more has arrived than the answer.

    httpcore keeps such a connection, and takes what lies behind for the answer to the next request,
    perhaps another user's. That is so in httpcore2 as well.

    Args:
        stream: the engine's stream of an answer; None where there is none.

    """
    connection = getattr(getattr(stream, "_stream", None), "_connection", None)
    state = getattr(connection, "_h11_state", None)
    if repr(getattr(state, "their_state", None)) != "DONE":
        return False  # what has arrived belongs to the answer, and the connection will be closed
    left: tuple[bytes, bool] = getattr(state, "trailing_data", (b"", False))
    return bool(left[0])


def _unowned(pool: Any) -> list[Any]:
    """Take the connections that no request owns out of a pool, whose lock is held."""
    owned = {id(request.connection) for request in pool._requests}  # noqa: SLF001 -- as above
    lost = [
        connection
        for connection in pool._connections  # noqa: SLF001 -- as above
        if id(connection) not in owned
        and not connection.is_idle()
        and not connection.is_closed()
        and not connection.is_available()
    ]
    for connection in lost:
        pool._connections.remove(connection)  # noqa: SLF001 -- as above
    return lost


def pools(sender: Any) -> Iterator[Any]:
    """Yield a pool itself, or the pools of a client, those of its proxies included."""
    transports = [getattr(sender, "_transport", None), *getattr(sender, "_mounts", {}).values()]
    for pool in (sender, *(getattr(transport, "_pool", None) for transport in transports)):
        # Another transport (ASGI, a mock, a future httpx) has none of these, and nothing to repair.
        if all(
            hasattr(pool, name) for name in ("_connections", "_requests", "_optional_thread_lock")
        ):
            yield pool
