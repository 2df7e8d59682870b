"""What our own transports of httpx and httpx2 do that plain ones do not.

Both libraries keep the connection pool private; what we reach into is guarded, and
``tests/test_tuning.py`` says when it is no longer there. A client that the user hands in is left
alone, but for the repair of lost pool slots.
"""

import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from time import monotonic
from typing import Any, Final

from hookline._pool_repair import pools

__all__ = ["Deadline", "tls_context", "tune"]

_IDLE, _INTERVAL, _COUNT = 60, 60, 5  # seconds, seconds, probes; those of the official SDK
_LARGE: Final = 64 * 1024  # bytes; what is smaller is gone before anybody could refuse it
_LEAST: Final = 0.001  # a time-out of 0 would mean "do not wait at all" to a socket


class Deadline(threading.local):
    """The moment at which the exchange of the current thread must be over; None for no limit."""

    at: float | None = None

    def within(self, timeout: float | None) -> float | None:
        """Return a time-out for one wait that does not outlast the deadline."""
        if self.at is None:
            return timeout
        remaining = max(_LEAST, self.at - monotonic())
        return remaining if timeout is None else min(timeout, remaining)


def tls_context(module: Any, *, needed: bool, ca_bundle: str | None) -> ssl.SSLContext:
    """Return the TLS settings of a client.

    Args:
        module: ``httpx`` or ``httpx2``.
        needed: False for an ``http:`` base URL. Loading the certificate authorities takes some
            20 ms; a context without them trusts nobody, so a mistake fails closed.
        ca_bundle: a PEM file of authorities to trust instead of the usual ones.

    """
    if not needed:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bundle:
        return ssl.create_default_context(cafile=ca_bundle)
    context: ssl.SSLContext = module.create_ssl_context()
    return context


def tune(transport: Any, deadline: Deadline | None = None) -> None:
    """Bound the waits of blocking code by a total time limit; let async code hear early answers.

    Args:
        transport: one of ours.
        deadline: bounds every single wait of the network; None for async code, which cancels.

    """
    for pool in pools(transport):
        backend = getattr(pool, "_network_backend", None)
        if hasattr(backend, "connect_tcp"):
            tuned = (
                _ListeningBackend(backend)
                if deadline is None
                else _BoundedBackend(backend, deadline)
            )
            pool._network_backend = tuned  # noqa: SLF001 -- no public way


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


class _BoundedBackend:
    """A network backend of httpcore whose waits end with the deadline of the current thread."""

    def __init__(self, backend: Any, deadline: Deadline) -> None:
        self._backend = backend
        self._deadline = deadline

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **kwargs: Any) -> Any:
        limit = self._deadline.within(timeout)
        connect = partial(self._backend.connect_tcp, host, port, timeout=limit, **kwargs)
        numeric = ":" in host or host.rpartition(".")[2].isdigit()
        stream = connect() if numeric or limit is None else self._looked_up(connect, limit)
        return _BoundedStream(stream, self._deadline)

    def _looked_up(self, connect: Callable[[], Any], limit: float) -> Any:
        """Connect in a thread of its own: a look-up of a name knows no time-out.

        A thread whose look-up hangs is left to itself; it closes the connection that comes too late.
        """
        attempt = _Attempt(connect)
        threading.Thread(target=attempt.run, name="hookline-connect", daemon=True).start()
        if attempt.is_over(limit):
            return attempt.result()
        library = import_module(type(self._backend).__module__.partition(".")[0])
        raise library.ConnectTimeout("the look-up of the name, or the connection, took too long")

    def connect_unix_socket(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        stream = self._backend.connect_unix_socket(
            *args, timeout=self._deadline.within(timeout), **kwargs
        )
        return _BoundedStream(stream, self._deadline)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _BoundedStream:
    def __init__(self, stream: Any, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self.close = stream.close
        self.get_extra_info = stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._stream.read(max_bytes, self._deadline.within(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.within(timeout))

    def start_tls(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        stream = self._stream.start_tls(*args, timeout=self._deadline.within(timeout), **kwargs)
        return _BoundedStream(stream, self._deadline)


class _ListeningBackend:
    """An async network backend that hears what a server says while it is being sent a large body.

    A server that refuses a body answers and breaks the connection off. anyio does not read while it
    writes, so on asyncio the answer ("too large") would be lost, and only the break be seen.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return _ListeningStream(await self._backend.connect_tcp(*args, **kwargs))

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> Any:
        return _ListeningStream(await self._backend.connect_unix_socket(*args, **kwargs))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _ListeningStream:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.read = stream.read
        self.aclose = stream.aclose
        self.get_extra_info = stream.get_extra_info

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- the interface of httpcore
        if len(buffer) > _LARGE:
            inner = getattr(self._stream, "_stream", None)
            inner = getattr(inner, "transport_stream", inner)  # below TLS
            listen = getattr(getattr(inner, "_transport", None), "resume_reading", None)
            if listen is not None:  # there is none on trio, which needs none
                listen()
        await self._stream.write(buffer, timeout)

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return _ListeningStream(await self._stream.start_tls(*args, **kwargs))
