"""The time limit on a whole exchange of a blocking client that somebody handed in.

Its time-outs bound one read each, so a server that sends a byte now and then is never late, and its
network is not ours to replace. The head of an answer is waited for while another thread exchanges
it; the body is read here, and a connection on which that takes too long is shut down.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Self, TypeVar

from hookline._http.transport import GRACE, failed
from hookline._io.threads import Errand
from hookline.errors import TransportError

__all__ = ["Cutoff", "abort", "exchanged_within", "shut"]

R = TypeVar("R")


def exchanged_within(deadline: float | None, send: Callable[[], R], cut: Callable[[], object]) -> R:
    """Return the response whose head has arrived by the deadline.

    Args:
        deadline: a monotonic second, or None.
        send: sends the request; what it returns too late is closed.
        cut: ends, as far as that can be done, what ``send`` is still waiting for.

    Raises:
        TransportError: none had.

    """
    if deadline is None:
        return send()
    errand: Errand[R] = Errand(send, discard=_close).start()
    try:
        if errand.wait(max(0.0, deadline - monotonic())):
            return errand.result()
        cut()
        errand.wait(GRACE)
    except BaseException:
        errand.abandon()
        raise
    errand.abandon()
    raise _too_late("the head of the answer took too long")


def _close(response: Any) -> None:
    response.close()


def shut(made: Any) -> None:
    """Shut a connection down, so that whoever waits for it in another thread is told at once.

    Args:
        made: a socket.

    """
    with suppress(OSError):
        # The plain method: that of a TLS socket takes the TLS layer away under the reader.
        socket.socket.shutdown(made, socket.SHUT_RDWR)


def abort(stream: Any) -> None:
    """Let a network stream of an engine end at once, for whoever waits for it.

    Args:
        stream: one of ours knows how; of another one the socket is shut down.

    """
    own = getattr(stream, "abort", None)
    if own is not None:
        own()
    elif (made := stream.get_extra_info("socket")) is not None:
        shut(made)


class Cutoff:
    """Ends the reading of one body at a moment.

    Args:
        response: of httpx or httpx2; what has no connection (a mock) cannot be late.

    """

    def __init__(self, response: Any) -> None:
        stream = response.extensions.get("network_stream")
        self._socket: Any = None if stream is None else stream.get_extra_info("socket")
        # With a length each arrival is a chunk, and between two of them is time to look at the clock.
        self.guarded = "content-length" not in response.headers
        self._changed = threading.Condition()
        self._moment: float | None = None
        self._watched = False
        self._over = False
        self._late = False

    def until(self, moment: float | None) -> Self:
        """Let this be the moment within a ``with`` block, and until it is said again."""
        if moment != self._moment:
            with self._changed:
                self._moment = moment
                self._changed.notify()
        return self

    def end(self) -> None:
        """Watch no longer."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def __enter__(self) -> None:
        if self._moment is None:
            return
        if monotonic() >= self._moment:
            raise _too_late()
        if self.guarded and not self._watched and self._socket is not None:
            self._watched = True
            Errand(self._watch).start()

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if self._late and kind is None:
            # A body without a length ends with the connection: what was cut off looks complete.
            raise _too_late()

    def _watch(self) -> None:
        with self._changed:
            while not self._over:
                left = None if self._moment is None else self._moment - monotonic()
                if left is not None and left <= 0:
                    self._late = True
                    break
                self._changed.wait(left)
        if self._late:
            shut(self._socket)


def _too_late(what: str = "the body took too long") -> TransportError:
    return failed(TimeoutError(what), "read", retryable=True)
