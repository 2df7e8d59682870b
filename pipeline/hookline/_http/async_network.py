"""Where the network is really touched, in async code.

On asyncio a protocol of our own takes the bytes as the event loop delivers them: the streams of
anyio, on which httpcore2 stands there, cost twice as much for each event of an answer, and do not
read while they write, so that the answer of a server that refuses a large body would be lost. On
trio, which has neither trouble, the stream is that of httpcore2.
"""

import asyncio
from collections import deque
from time import monotonic
from typing import Any, Final

import httpcore2

from hookline._http.connecting import connect_first_async, look_up_async, numeric
from hookline._http.cutoff import abort
from hookline._http.network import Exchanges, Stale

__all__ = ["AsyncBackend", "AsyncStream"]

_MOST_UNREAD: Final = 1024 * 1024  # bytes that may lie here before the server is slowed down


class AsyncBackend(httpcore2.AsyncNetworkBackend):
    """An async network backend for asyncio and trio.

    Args:
        address: where every connection goes, whatever the name of the host; None to look it up.

    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the interface of httpcore
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> "AsyncStream":
        """Connect to the address of the host that answers first."""
        import anyio  # noqa: PLC0415 -- keeps `import hookline` cheap

        connect = _connect_asyncio if _on_asyncio() else _connect_trio

        async def one(address: str) -> Any:
            return await connect(address, port, local_address, socket_options or ())

        host = self._address or host
        try:
            with anyio.fail_after(timeout):
                addresses = (host,) if numeric(host) else await look_up_async(host, port)
                return AsyncStream(await connect_first_async(addresses, one, _close))
        except TimeoutError as error:
            late = "the look-up of the name, or the connection, took too long"
            raise httpcore2.ConnectTimeout(late) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _connect_asyncio(
    address: str, port: int, local_address: str | None, options: Any
) -> "_AsyncioStream":
    loop = asyncio.get_running_loop()
    local = None if local_address is None else (local_address, 0)
    transport, wire = await loop.create_connection(_Wire, address, port, local_addr=local)
    made = transport.get_extra_info("socket")
    for option in options:
        made.setsockopt(*option)
    return _AsyncioStream(transport, wire)


async def _connect_trio(address: str, port: int, local_address: str | None, options: Any) -> Any:
    backend: Any = httpcore2.AnyIOBackend()
    return await backend.connect_tcp(
        address, port, local_address=local_address, socket_options=options
    )


async def _close(stream: Any) -> None:
    await stream.aclose()


class AsyncStream(Exchanges, httpcore2.AsyncNetworkStream):
    """A stream of either loop, as far as its exchanges go."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- the interface of httpcore
        if self._head:  # no body came
            await self.write(b"", timeout)
        if self.deadline is not None:
            left = max(0.0, self.deadline - monotonic())
            timeout = left if timeout is None else min(timeout, left)
        try:
            data: bytes = await self._stream.read(max_bytes, timeout)
        except httpcore2.ReadError as error:
            if self._stale:
                raise Stale(str(error)) from error
            raise
        return self._heard(data)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- as above
        for due in self._due(buffer):
            await self._stream.write(due, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abort(self) -> None:
        """Be of no further use, at once."""
        abort(self._stream)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- as above
    ) -> "AsyncStream":
        return AsyncStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))


class _Wire(asyncio.Protocol):
    """What the event loop has delivered, and whoever waits for more of it."""

    def __init__(self) -> None:
        self.unread: deque[bytes] = deque()
        self.size = 0
        self.ended = False
        self.error: Exception | None = None
        self.waiting: asyncio.Future[None] | None = None
        self.room = asyncio.Event()  # for what is to be written
        self.room.set()
        self._transport: Any = None
        self._slowed = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.unread.append(data)
        self.size += len(data)
        if self.size > _MOST_UNREAD:
            self._slowed = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self.room.set()
        self._wake()

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def take(self) -> bytes:
        """Return all that has been delivered."""
        unread = self.unread
        data = unread.popleft() if len(unread) == 1 else b"".join(unread)
        unread.clear()
        self.size = 0
        if self._slowed:
            self._slowed = False
            self._transport.resume_reading()
        return data

    def end(self) -> None:
        """Be of no further use: nothing is read from here any more."""
        self.ended = True
        self.unread.clear()
        self._wake()

    def _wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


class _AsyncioStream(httpcore2.AsyncNetworkStream):
    """A connection of asyncio."""

    def __init__(self, transport: Any, wire: _Wire) -> None:
        self._transport = transport
        self._wire = wire
        self._loop = asyncio.get_running_loop()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 -- the interface of httpcore, whose parser takes any number
        wire = self._wire
        if not wire.unread:
            if not wire.ended:
                await self._more(timeout)
            if not wire.unread:
                if wire.error is not None:
                    raise httpcore2.ReadError(str(wire.error)) from wire.error
                return b""
        return wire.take()

    async def _more(self, timeout: float | None) -> None:  # noqa: ASYNC109 -- handed on
        """Wait until there is something to read, or nothing more will be."""
        wire, loop = self._wire, self._loop
        wire.waiting = waiting = loop.create_future()
        alarm = None if timeout is None else loop.call_later(timeout, _ring, waiting)
        try:
            await waiting
        finally:
            wire.waiting = None
            if alarm is not None:
                alarm.cancel()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- as above
        if not buffer:
            return
        wire = self._wire
        if wire.ended and (wire.error is not None or self._transport.is_closing()):
            raise httpcore2.WriteError("the connection has been closed")
        self._transport.write(buffer)
        if not wire.room.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await wire.room.wait()
            except TimeoutError as error:
                raise httpcore2.WriteTimeout(
                    f"the server took nothing for {timeout:g} s"
                ) from error
        if wire.error is not None:
            raise httpcore2.WriteError(str(wire.error)) from wire.error

    async def aclose(self) -> None:
        # Without a wait, so that no cancellation can strike in the middle of a closing.
        self.abort()

    def abort(self) -> None:
        # Not close(), which lets go only when all has been written: of a server that does not read,
        # never.
        self._transport.abort()
        self._wire.end()  # at once: the pool asks before the loop has told

    async def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- as above
    ) -> "_AsyncioStream":
        try:
            async with asyncio.timeout(timeout):
                made = await self._loop.start_tls(
                    self._transport, self._wire, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            self._transport.abort()
            raise httpcore2.ConnectTimeout("the TLS handshake took too long") from error
        except OSError as error:
            self._transport.abort()
            raise httpcore2.ConnectError(str(error)) from error
        except BaseException:
            self._transport.abort()
            raise
        self._wire.connection_made(made)
        return _AsyncioStream(made, self._wire)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # also where nothing may come, as between two exchanges
            return bool(self._wire.unread) or self._wire.ended
        name = {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        return self._transport.get_extra_info(name)


def _ring(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_exception(httpcore2.ReadTimeout("the server said nothing in time"))
