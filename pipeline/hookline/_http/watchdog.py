"""A time limit on a whole blocking HTTP exchange, which the HTTP libraries do not have.

Their time-outs bound one read each, so a server that sends a byte now and then is never late. Async
code cancels; blocking code has nobody to cancel it, so a timer shuts the socket down, and the read
that waits on it fails at once.
"""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Self

__all__ = ["Watchdog"]

_OPENED: Final = ("connect_tcp.complete", "start_tls.complete")


class Watchdog:
    """Shuts down the socket of one exchange when its time is up.

    Hand ``trace`` over as the request extension of that name; httpcore and httpcore2 call it with
    every step, and so it learns of the socket as soon as there is one.

    Args:
        seconds: how long the exchange may take.

    Raises:
        TimeoutError: on leaving the ``with`` block, if the time was up and nothing else was raised.

    Example:
        >>> with httpx.Client() as client, Watchdog(10.0) as watchdog:
        ...     client.get(url, extensions={"trace": watchdog.trace})

    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._expired = False
        self._timer = threading.Timer(max(seconds, 0.0), self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        self._timer.cancel()
        if self._expired and kind is None:
            # A body without a length ends with the connection: what was cut off looks complete.
            raise TimeoutError("the exchange took too long")

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of the socket when a connection has been made."""
        if event.endswith(_OPENED):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                expired = self._expired
            if expired:
                self._shut()

    def _expire(self) -> None:
        with self._lock:
            self._expired = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # The plain method: that of a TLS socket takes the TLS layer away under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
