"""One connection of a ``FaultServer``: receives requests and plays the actions of a script."""

import socket
import ssl
import struct
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from time import monotonic
from typing import Final

from hookline.testing.actions import (
    Action,
    AtOnce,
    Bandwidth,
    Close,
    Delay,
    Drip,
    HalfClose,
    NeverRead,
    Reset,
    Send,
    Slice,
    Stall,
)

__all__ = ["Gone", "Player"]

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_PIECE: Final = 65536  # bytes read at once
_TICK: Final = 0.01  # seconds between two pieces of a limited bandwidth


class Gone(Exception):
    """The connection is over."""


class Player:
    """Plays actions on one connection.

    Args:
        connection: newly accepted.
        over: set when the server is stopped.

    """

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._plain = connection
        self._socket = connection
        self._over = over
        self._buffer = bytearray()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands as the server."""
        # Stopping shuts the plain socket down, so it must stay the one that is known.
        self._socket = context.wrap_socket(
            self._plain.dup(), server_side=True, suppress_ragged_eofs=False
        )

    def cut_handshake(self, context: ssl.SSLContext | None) -> None:
        """Send half of what a TLS server says first, and close."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = (context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)).wrap_bio(
            incoming, outgoing, server_side=True
        )
        incoming.write(self._plain.recv(_PIECE))
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        flight = outgoing.read()
        self._plain.sendall(flight[: len(flight) // 2])
        raise Gone

    def await_first_byte(self) -> None:
        """Wait for the client to say something."""
        if not self._buffer:
            self._read(None)

    def receive(self, *, body: bool) -> tuple[str, str, Mapping[str, str], bytes]:
        """Receive one request: method, target, headers, body."""
        while b"\r\n\r\n" not in self._buffer:
            self._read(None)
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ", 2)
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0")) if body else 0
        self._buffer = bytearray(rest)
        while len(self._buffer) < length:
            self._read(None)
        content = bytes(self._buffer[:length])
        del self._buffer[:length]
        return method, target, headers, content

    def play(self, action: Action) -> None:  # noqa: C901 -- one branch an action
        """Do one thing.

        Raises:
            Gone: the action ended the connection, or the client did.

        """
        match action:
            case Send(data):
                self._send(data)
            case Slice(data, sizes, pause):
                self._send_slowly(data, sizes, pause)
            case Drip(data, seconds):
                self._send_slowly(data, (1,), seconds)
            case Bandwidth(data, rate):
                size = max(1, int(rate * _TICK))
                self._send_slowly(data, (size,), size / rate)
            case Delay(seconds):
                self._wait(seconds)
            case Stall():
                self._wait(None)
            case NeverRead():
                self._over.wait()
            case HalfClose():
                self._socket.shutdown(socket.SHUT_WR)
                self._wait(None)
            case Close():
                self._say_goodbye()
                raise Gone
            case Reset():
                self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                raise Gone
            case AtOnce():
                pass  # it has had its effect: the script has begun
            case _:
                raise TypeError(f"a FaultServer cannot play {action!r}")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not self._plain:
            self._socket.close()
        self._plain.close()

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(None)
        self._socket.sendall(data)

    def _send_slowly(self, data: bytes, sizes: Sequence[int], pause: float) -> None:
        at, lengths = 0, cycle(sizes)
        while at < len(data):
            size = next(lengths)
            self._send(data[at : at + size])
            at += size
            self._wait(pause)

    def _wait(self, seconds: float | None) -> None:
        """Wait some seconds, or for ever; end early if the client goes or the server is stopped."""
        end = None if seconds is None else monotonic() + seconds
        while (left := None if end is None else end - monotonic()) is None or left > 0:
            with suppress(TimeoutError):
                self._read(left)

    def _read(self, seconds: float | None) -> None:
        self._socket.settimeout(seconds)
        data = self._socket.recv(_PIECE)
        if not data:
            raise Gone
        self._buffer += data

    def _say_goodbye(self) -> None:
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(1.0)
            with suppress(OSError, ValueError):  # the client may have left without a word
                self._socket.unwrap()
