"""TLS inside TLS, for a server behind a proxy that is itself spoken to by TLS, in blocking code.

``SSLContext.wrap_socket`` works on the descriptor of a socket, and so below an encryption that the
socket has already.
"""

import ssl
from collections.abc import Callable
from typing import Any, Final

__all__ = ["TLSInTLS"]

_RECORD: Final = 16 * 1024  # bytes of a TLS record


class TLSInTLS:
    """What of a socket a connection uses, encrypted once more.

    Args:
        outer: the encrypted connection to the proxy; its time-out is that of the handshake, too.
        context: of the inner encryption.
        server_hostname: whose certificate the server must have.

    """

    def __init__(
        self, outer: ssl.SSLSocket, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        self._outer = outer
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inner = context.wrap_bio(
            self._arrived, self._leaving, server_hostname=server_hostname
        )
        self.settimeout = outer.settimeout
        self.close = outer.close
        self.fileno = outer.fileno
        self.selected_alpn_protocol = self._inner.selected_alpn_protocol
        self._carry(self._inner.do_handshake)

    def recv(self, size: int) -> bytes:
        """Return what has arrived, or wait for it; nothing at the end."""
        try:
            data: bytes = self._carry(lambda: self._inner.read(size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        return data

    def send(self, data: Any) -> int:
        """Write some of the data, and return how much."""
        written: int = self._carry(lambda: self._inner.write(data))
        return written

    def _carry(self, step: Callable[[], Any]) -> Any:
        """Take a step, carrying bytes between the two encryptions until it is done."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._outer.recv(_RECORD)
                if data:
                    self._arrived.write(data)
                else:
                    self._arrived.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._leaving.pending:
            self._outer.sendall(self._leaving.read())
