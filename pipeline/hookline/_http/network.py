"""What our own connections do that the engine's do not: where the network is really touched.

Network backends of httpcore, around those that it ships. In blocking code every single wait ends
with the turn's deadline. In async code an early answer is heard while a large body is being sent.
In both, the head of a request leaves together with its body.
"""

import socket
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final

__all__ = ["BoundedBackend", "Deadline", "ListeningBackend", "keep_alive"]

_IDLE, _INTERVAL, _COUNT = 60, 60, 5  # seconds, seconds, probes; those of the official SDK
_LARGE: Final = 64 * 1024  # bytes; what is smaller is gone before anybody could refuse it
_HEAD_END: Final = b"\r\n\r\n"
_LEAST: Final = 0.001  # a time-out of 0 would mean "do not wait at all" to a socket


class _Until:
    """Sets a deadline and takes it back; a class, since every call enters one."""

    __slots__ = ("_deadline", "_moment")

    def __init__(self, deadline: "Deadline", moment: float | None) -> None:
        self._deadline = deadline
        self._moment = moment

    def __enter__(self) -> None:
        self._deadline.at = self._moment

    def __exit__(self, *error: object) -> None:
        self._deadline.at = None


class Deadline(threading.local):
    """The moment at which the exchange of the current thread must be over; None for no limit."""

    at: float | None = None

    def within(self, timeout: float | None) -> float | None:
        """Return a time-out for one wait that does not outlast the deadline."""
        if self.at is None:
            return timeout
        remaining = max(_LEAST, self.at - monotonic())
        return remaining if timeout is None else min(timeout, remaining)

    def until(self, moment: float | None) -> "_Until":
        """Let this moment be the deadline within a ``with`` block, and nothing after it."""
        return _Until(self, moment)

    @property
    def over(self) -> bool:
        """Whether the moment has come: where something lies ready all the time, no wait tells."""
        return self.at is not None and monotonic() >= self.at


def keep_alive() -> list[tuple[int, int, int]]:
    """Return the socket options that notice a peer which vanished; what a platform lacks is left out."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE),
        ("TCP_KEEPINTVL", _INTERVAL),
        ("TCP_KEEPCNT", _COUNT),
    ):
        option = getattr(socket, name, None)  # macOS and Windows name them otherwise
        if option is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options


class _Attempt:
    """A connection that is made in another thread, unless everybody has gone home by then."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._abandoned = False
        self._stream: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._stream = self._connect()
        except BaseException as error:  # noqa: BLE001 -- raised where the connection is waited for
            self._error = error
        with self._lock:
            self._done.set()
            if self._abandoned and self._stream is not None:
                self._stream.close()

    def is_over(self, seconds: float) -> bool:
        over = False
        try:
            over = self._done.wait(seconds)
        finally:  # after a ctrl-C, too, somebody must close the connection
            with self._lock:
                self._abandoned = not over
                if self._abandoned and self._stream is not None:
                    self._stream.close()
        return over

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._stream


class BoundedBackend:
    """A blocking network backend whose waits end with the deadline of the current thread.

    Args:
        core: the engine.
        deadline: of whatever the thread is doing.
        backend: what really connects; None for the engine's own.

    """

    def __init__(self, core: Any, deadline: Deadline, backend: Any = None) -> None:
        self.deadline = deadline
        self._core = core
        self._backend = core.SyncBackend() if backend is None else backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **kwargs: Any) -> Any:
        limit = self.deadline.within(timeout)
        connect = partial(self._backend.connect_tcp, host, port, timeout=limit, **kwargs)
        numeric = ":" in host or host.rpartition(".")[2].isdigit()
        stream = connect() if numeric or limit is None else self._looked_up(connect, limit)
        return _BoundedStream(self._core, stream, self.deadline)

    def _looked_up(self, connect: Callable[[], Any], limit: float) -> Any:
        """Connect in a thread of its own: a look-up of a name knows no time-out.

        A thread whose look-up hangs is left to itself; it closes the connection that comes too late.
        """
        attempt = _Attempt(connect)
        threading.Thread(target=attempt.run, name="hookline-connect", daemon=True).start()
        if attempt.is_over(limit):
            return attempt.result()
        raise self._core.ConnectTimeout("the look-up of the name, or the connection, took too long")

    def connect_unix_socket(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        stream = self._backend.connect_unix_socket(
            *args, timeout=self.deadline.within(timeout), **kwargs
        )
        return _BoundedStream(self._core, stream, self.deadline)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _Gathering:
    """Holds the head of a request back until its body comes, so that both leave in one packet.

    httpcore writes them one after the other: two system calls here, two packets on the way, and two
    wake-ups of the server, the first of them in vain.
    """

    def __init__(self) -> None:
        self._head = b""

    def _due(self, buffer: bytes) -> tuple[bytes, ...]:
        """Return what is to be written now; nothing for a head, whose body follows at once."""
        head, self._head = self._head, b""
        small = len(buffer) <= _LARGE
        if head:
            return (head + buffer,) if small else (head, buffer)
        if small and buffer.endswith(_HEAD_END):
            self._head = buffer
            return ()
        return (buffer,)


class _BoundedStream(_Gathering):
    def __init__(self, core: Any, stream: Any, deadline: Deadline) -> None:
        super().__init__()
        self._core = core
        self._stream = stream
        self._deadline = deadline
        self.close = stream.close
        self.get_extra_info = stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._head:  # no body came
            self.write(b"", timeout)
        if self._deadline.over:
            raise self._core.ReadTimeout("the time is up, though there is more to read")
        data: bytes = self._stream.read(max_bytes, self._deadline.within(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for due in self._due(buffer):
            # Piece by piece, since the engine gives each bit that a slow reader takes the same time.
            for at in range(0, len(due), _LARGE):
                if self._deadline.over:
                    raise self._core.WriteTimeout("the time is up, though there is more to write")
                piece = due[at : at + _LARGE] if len(due) > _LARGE else due
                self._stream.write(piece, self._deadline.within(timeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> Any:
        limit = self._deadline.within(timeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, limit)
        return _BoundedStream(self._core, stream, self._deadline)


class ListeningBackend:
    """An async network backend that hears what a server says while it is being sent a large body.

    A server that refuses a body answers and breaks the connection off. anyio does not read while it
    writes, so on asyncio the answer ("too large") would be lost, and only the break be seen.

    Args:
        backend: what really connects.

    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return _ListeningStream(await self._backend.connect_tcp(*args, **kwargs))

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> Any:
        return _ListeningStream(await self._backend.connect_unix_socket(*args, **kwargs))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _ListeningStream(_Gathering):
    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self.aclose = stream.aclose
        self.get_extra_info = stream.get_extra_info

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- the interface of httpcore
        if self._head:  # no body came
            await self.write(b"", timeout)
        data: bytes = await self._stream.read(max_bytes, timeout)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- as above
        if len(buffer) > _LARGE:
            inner = getattr(self._stream, "_stream", None)
            inner = getattr(inner, "transport_stream", inner)  # below TLS
            listen = getattr(getattr(inner, "_transport", None), "resume_reading", None)
            if listen is not None:  # there is none on trio, which needs none
                listen()
        for due in self._due(buffer):
            await self._stream.write(due, timeout)

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return _ListeningStream(await self._stream.start_tls(*args, **kwargs))
