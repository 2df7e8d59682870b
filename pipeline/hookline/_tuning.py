"""What our own httpx and httpx2 clients do that a plain one does not.

Both libraries keep the connection pool private; what we reach into is guarded, and
``tests/test_tuning.py`` says when it is no longer there. A client that the user hands in is left
alone, but for the repair of lost pool slots.
"""

import socket
import ssl
import threading
from time import monotonic
from typing import Any, Final

from hookline._pool_repair import pools

__all__ = ["Deadline", "tls_context", "tune"]

_IDLE, _INTERVAL, _COUNT = 60, 60, 5  # seconds, seconds, probes; those of the official SDK
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


def tune(client: Any, deadline: Deadline | None = None) -> None:
    """Give a client TCP keep-alive and, in blocking code, a total time limit.

    Args:
        client: a client of ours.
        deadline: bounds every single wait of the network; None for async code, which cancels.

    """
    for pool in pools(client):
        if getattr(pool, "_socket_options", 0) is None:
            pool._socket_options = keep_alive()  # noqa: SLF001 -- passing a transport would switch proxies off
        backend = getattr(pool, "_network_backend", None)
        if deadline is not None and hasattr(backend, "connect_tcp"):
            pool._network_backend = _BoundedBackend(backend, deadline)  # noqa: SLF001 -- no public way


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


class _BoundedBackend:
    """A network backend of httpcore whose waits end with the deadline of the current thread."""

    def __init__(self, backend: Any, deadline: Deadline) -> None:
        self._backend = backend
        self._deadline = deadline

    def connect_tcp(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        stream = self._backend.connect_tcp(*args, timeout=self._deadline.within(timeout), **kwargs)
        return _BoundedStream(stream, self._deadline)

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
