"""Answers of httpx and of its engine, which are read alike: in chunks, and closed with care."""

import threading
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from time import monotonic
from typing import Any, Protocol

from hookline._http.cutoff import abort
from hookline._http.errors import translated
from hookline._http.inflate import inflated
from hookline._http.pool_repair import Repair, poisoned
from hookline._http.transport import GRACE, drained

__all__ = ["AsyncRawResponse", "Limit", "SyncRawResponse"]


class Limit(Protocol):
    """Ends the waits of the current thread at a moment."""

    def until(self, moment: float | None) -> Any:
        """Let this monotonic second be the end of all waits within a ``with`` block."""
        ...


class _Answer:
    """What both colours share.

    Args:
        response: of httpx or of the engine; both have a ``stream``, ``extensions`` and a closing.
        status: of HTTP.
        headers: as they came; of repeated ones the last counts.
        engine: the engine's own stream, or None where there is none (a mock, an ASGI application).

    """

    def __init__(
        self, response: Any, status: int, headers: Iterable[tuple[bytes, bytes]], engine: Any
    ) -> None:
        self._response = response
        self._engine = engine
        self._closing = threading.Lock()
        self._over = False
        self.status = status
        self.hidden: Collection[str] = ()
        self.headers: Mapping[str, str] = {
            name.decode("ascii").lower(): value.decode("latin-1") for name, value in headers
        }

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """See ``RawResponse.chunks``."""
        return inflated(self._raw(), self.headers.get("content-encoding", ""))

    def _raw(self) -> AsyncGenerator[bytes, None]:
        raise TypeError("an answer has a colour")

    def abort(self) -> None:
        """See ``RawResponse.abort``."""
        with self._closing:  # from there on the connection may be somebody else's
            stream = None if self._over else self._response.extensions.get("network_stream")
            if stream is not None:  # a mock has none
                abort(stream)

    def _end(self) -> None:
        with self._closing:
            self._over = True


class SyncRawResponse(_Answer):
    """An answer to a ``Pipeline``.

    Args:
        *arguments: see the base.
        limit: bounds the waits of the current thread.
        deadline: the monotonic second at which they must be over, or None.

    """

    bounded = True

    def __init__(self, *arguments: Any, limit: Limit, deadline: float | None) -> None:
        super().__init__(*arguments)
        self._limit = limit
        self._deadline = deadline

    async def _raw(self) -> AsyncGenerator[bytes, None]:
        # Not iter_raw() of httpx: a mock's response counts as read before anybody has read it.
        chunks = iter(self._response.stream)
        with translated():
            while True:
                # For this chunk only: another turn may come between two of them.
                with self._limit.until(self._deadline):
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                yield chunk

    async def finish(self, chunks: AsyncGenerator[bytes, None]) -> None:
        """See ``RawResponse.finish``."""
        soon = monotonic() + GRACE
        self._deadline = soon if self._deadline is None else min(soon, self._deadline)
        await drained(chunks)

    async def aclose(self) -> None:
        """See ``RawResponse.aclose``."""
        self._end()
        with translated():
            try:
                if poisoned(self._engine):
                    self._response.extensions["network_stream"].close()
            finally:
                self._response.close()


class AsyncRawResponse(_Answer):
    """An answer to an ``AsyncPipeline``.

    Args:
        *arguments: see the base.
        bounded: see ``RawResponse``.
        repair: of the pool that it came from, where that needs one.

    """

    def __init__(
        self, *arguments: Any, bounded: bool = False, repair: Repair | None = None
    ) -> None:
        super().__init__(*arguments)
        self.bounded = bounded
        self._repair = repair

    def abort(self) -> None:
        """See ``RawResponse.abort``; where no wait is bounded by itself, each can be cancelled."""
        if self.bounded:
            super().abort()

    async def _raw(self) -> AsyncGenerator[bytes, None]:
        chunks = aiter(self._response.stream)  # not aiter_raw(), as in the other colour
        try:
            with translated():
                async for chunk in chunks:
                    yield chunk
        finally:
            close = getattr(chunks, "aclose", None)  # a transport's own iterator may have none
            if close is not None:
                with translated():
                    await close()

    async def finish(self, chunks: AsyncGenerator[bytes, None]) -> None:
        """See ``RawResponse.finish``."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        with anyio.move_on_after(GRACE):
            await drained(chunks)

    async def aclose(self) -> None:
        """See ``RawResponse.aclose``."""
        self._end()
        try:
            with translated():
                try:
                    if poisoned(self._engine):
                        await self._response.extensions["network_stream"].aclose()
                finally:
                    await self._response.aclose()
        finally:
            if self._repair is not None:
                await self._repair.give_up(self._engine)
