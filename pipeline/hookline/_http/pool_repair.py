"""What the pools of httpcore and httpcore2 do wrong, seen and mended from outside.

**Lost slots.** httpcore 1.0.9, the engine of httpx 0.28.1, loses one to a cancelled request. One
that is cancelled between being given a connection and using it leaves the connection in the pool:
not idle, not closed, owned by nobody, and counted for ever (encode/httpcore issue 1093). Ten such
cancellations and a pool of ten is dead. Before each request we drop what nobody owns.

A cancellation that strikes while an answer is being closed does the same in another way: its shield
is anyio's, which ``Task.cancel`` of asyncio goes through, and a second closing does nothing. So the
request is given up for it.

Only an ``AsyncClient`` of httpx that somebody hands in needs this: our own connections stand on
httpcore2, which is not affected. A canary in the tests fails once httpcore is mended; then
``Repair`` can go.

**Poisoned connections.** Both keep a connection on which more has arrived than the answer; see
``poisoned``.

This module and no other reads private attributes of HTTP libraries; a test counts them.
"""

from typing import Any

__all__ = ["Repair", "engine_stream", "poisoned", "pool_of"]


def pool_of(client: Any, url: Any) -> Any:
    """Return the pool from which a client would take the connection to a URL, or None."""
    pool = getattr(client._transport_for_url(url), "_pool", None)  # noqa: SLF001 -- httpx has no public way
    # Another transport (ASGI, a mock, a future httpx) has none of these, and nothing to repair.
    whole = all(hasattr(pool, name) for name in ("_connections", "_requests"))
    return pool if whole else None


class Repair:
    """Mends one pool of httpcore 1 in async code.

    Args:
        pool: see ``pool_of``; with None there is nothing to do.

    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def drop_orphans(self) -> None:
        """Remove connections that no request owns, and close them."""
        if self._pool is not None:
            for orphan in self._unowned():
                await orphan.aclose()

    async def give_up(self, stream: Any) -> None:
        """Take a request out of the pool if the closing of its answer was cut off half-way.

        Args:
            stream: the engine's stream of an answer whose ``aclose`` has been called, and may have
                failed; None where there is none.

        """
        request = getattr(stream, "_pool_request", None)
        if self._pool is None or request not in self._pool._requests:  # noqa: SLF001 -- httpcore has no public way
            return
        self._pool._requests.remove(request)  # noqa: SLF001 -- as above
        orphans = self._unowned()
        # Whoever waits for a connection may have this one's place.
        freed = self._pool._assign_requests_to_connections()  # noqa: SLF001 -- as above
        for connection in (*orphans, *freed):
            await connection.aclose()

    def _unowned(self) -> list[Any]:
        pool = self._pool
        owned = {id(request.connection) for request in pool._requests}  # noqa: SLF001 -- as above
        lost = [
            connection
            for connection in pool.connections
            if id(connection) not in owned
            and not connection.is_idle()
            and not connection.is_closed()
            and not connection.is_available()
        ]
        for connection in lost:
            pool._connections.remove(connection)  # noqa: SLF001 -- as above
        return lost


def engine_stream(response: Any) -> Any:
    """Return the engine's own stream of an answer of httpx, or None (a mock, an ASGI application)."""
    return getattr(getattr(response.stream, "_stream", None), "_httpcore_stream", None)


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
