"""Where the network is really touched, in blocking code; and what both colours do alike.

A network backend for httpcore2. Every single wait ends with the turn's deadline. The head of a request leaves together with its body. A kept connection that ends before
the first byte of an answer says so.
"""

import select
import socket
import ssl
import threading
from time import monotonic
from typing import Any, Final

import httpcore2

from hookline._http.connecting import Remaining, connect_first, look_up, numeric
from hookline._http.tls_in_tls import TLSInTLS

__all__ = ["BoundedBackend", "BoundedStream", "Deadline", "Exchanges", "Stale", "keep_alive"]

_IDLE, _INTERVAL, _COUNT = 60, 60, 5  # seconds, seconds, probes; those of the official SDK
_LARGE: Final = 64 * 1024  # bytes; what is smaller is gone before anybody could refuse it
_HEAD_END: Final = b"\r\n\r\n"
_LEAST: Final = 0.001  # a time-out of 0 would mean "do not wait at all" to a socket


class Stale(httpcore2.ReadError):
    """A kept connection ended before the first byte of an answer."""


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


class Exchanges:
    """The requests and answers of one connection, as far as its bytes show them.

    Holds the head of a request back until its body comes, so that both leave in one packet.
    httpcore writes them one after the other: two system calls here, two packets on the way, and two
    wake-ups of the server, the first of them in vain.

    Attributes:
        deadline: the monotonic second at which the reading of the present answer must be over.

    """

    def __init__(self) -> None:
        self._head = b""
        self._asked = 0
        self._answered = False
        self.deadline: float | None = None

    def _due(self, buffer: bytes) -> tuple[bytes, ...]:
        """Return what is to be written now; nothing for a head, whose body follows at once."""
        head, self._head = self._head, b""
        small = len(buffer) <= _LARGE
        if head:
            return (head + buffer,) if small else (head, buffer)
        if small and buffer.endswith(_HEAD_END):
            self._head = buffer
            self._asked += 1
            self._answered = False
            self.deadline = None
            return ()
        return (buffer,)

    def _heard(self, data: bytes) -> bytes:
        """Return what has been read, unless it is the end of a kept connection."""
        if data:
            self._answered = True
        elif self._stale:
            raise Stale("the kept connection was closed before the answer began")
        return data

    @property
    def _stale(self) -> bool:
        """Whether an end of the connection, now, would be that of one that was kept too long."""
        return self._asked > 1 and not self._answered


class BoundedBackend(httpcore2.NetworkBackend):
    """A blocking network backend whose waits end with the deadline of the current thread.

    Args:
        deadline: of whatever the thread is doing.
        address: where every connection goes, whatever the name of the host; None to look it up.

    """

    def __init__(self, deadline: Deadline, address: str | None = None) -> None:
        self._deadline = deadline
        self._address = address

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> "BoundedStream":
        """Connect to the address of the host that answers first."""
        remaining = Remaining(self._deadline.within(timeout))
        host = self._address or host
        try:
            addresses = (host,) if numeric(host) else look_up(host, port, remaining())
            made = connect_first(addresses, port, local_address, remaining())
            for option in socket_options or ():
                made.setsockopt(*option)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError as error:
            late = "the look-up of the name, or the connection, took too long"
            raise httpcore2.ConnectTimeout(late) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        return BoundedStream(made, self._deadline)


class BoundedStream(Exchanges, httpcore2.NetworkStream):
    """A connection whose waits end with the deadline of the current thread.

    Args:
        made: a connected socket, or what has its methods.
        deadline: of whatever the thread is doing.

    """

    def __init__(self, made: Any, deadline: Deadline) -> None:
        super().__init__()
        self._socket = made
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has arrived, or wait for it."""
        if self._head:  # no body came
            self.write(b"", timeout)
        if self._deadline.over:
            raise httpcore2.ReadTimeout("the time is up, though there is more to read")
        try:
            self._socket.settimeout(self._deadline.within(timeout))
            data: bytes = self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            ended = Stale if self._stale else httpcore2.ReadError
            raise ended(str(error)) from error
        return self._heard(data)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it, each piece within the time-out."""
        for due in self._due(buffer):
            view = memoryview(due)
            while view:
                if self._deadline.over:
                    raise httpcore2.WriteTimeout("the time is up, though there is more to write")
                try:
                    self._socket.settimeout(self._deadline.within(timeout))
                    view = view[self._socket.send(view[:_LARGE]) :]
                except TimeoutError as error:
                    raise httpcore2.WriteTimeout(str(error)) from error
                except OSError as error:
                    raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> "BoundedStream":
        """Shake hands, and return the stream that is encrypted from now on."""
        made = self._socket
        try:
            made.settimeout(self._deadline.within(timeout))
            if isinstance(made, ssl.SSLSocket):  # to an HTTPS proxy
                secured: Any = TLSInTLS(made, ssl_context, server_hostname)
            else:
                secured = ssl_context.wrap_socket(made, server_hostname=server_hostname)
        except TimeoutError as error:
            made.close()
            raise httpcore2.ConnectTimeout("the TLS handshake took too long") from error
        except OSError as error:
            made.close()
            raise httpcore2.ConnectError(str(error)) from error
        except BaseException:
            made.close()
            raise
        return BoundedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks a stream for."""
        if info == "is_readable":  # of a connection that is kept: the server has ended it
            return _readable(self._socket.fileno())
        if info == "ssl_object":
            return self._socket if hasattr(self._socket, "selected_alpn_protocol") else None
        return self._socket if info == "socket" else None


def _readable(descriptor: int) -> bool:
    """Say whether a read would return at once, as it does at the end of a connection."""
    if descriptor < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
