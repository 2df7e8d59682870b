"""Exceptions of httpx, httpx2 and the engines below them, made ours once, at the edge."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final

from hookline._http.transport import bare, failed

__all__ = ["translated"]

_LIBRARIES: Final = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})

# Name of the exception class, which is the same in all of them -> (phase, may sending again help).
_FAILURES: Final[Mapping[str, tuple[str, bool]]] = {
    "PoolTimeout": ("pool", True),
    "ConnectTimeout": ("connect", True),
    "ReadTimeout": ("read", True),
    "WriteTimeout": ("write", True),
    "ProxyError": ("proxy", False),
    "ConnectError": ("connect", True),
    "ReadError": ("read", True),
    "WriteError": ("write", True),
    "CloseError": ("read", True),
    "RemoteProtocolError": ("protocol", True),
    # What else they have, by its bases.
    "NetworkError": ("read", True),
    "TimeoutException": ("read", True),
    "ProtocolError": ("protocol", False),
    "UnsupportedProtocol": ("protocol", False),
    "InvalidURL": ("protocol", False),
    "HTTPError": ("protocol", False),
}

# A server that breaks the protocol does so again; one that went away, or said that it goes, may not.
_WENT_AWAY: Final = ("disconnected", "closed connection", "ConnectionTerminated", "StreamReset")


class translated:  # noqa: N801 -- used as `with translated():`, like the functions of contextlib
    """Raises our error in place of the library's; the cause is kept.

    A class, because a generator's context manager would cost as much as a plugin, at every chunk.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Raise what ``error`` is to us, if it is a library's."""
        if error is None:
            return
        for cls in type(error).__mro__:
            known = _FAILURES.get(cls.__name__)
            if known is not None and cls.__module__.partition(".")[0] in _LIBRARIES:
                phase, retryable = known
                if cls.__name__ == "RemoteProtocolError":
                    retryable = any(sign in str(error) for sign in _WENT_AWAY)
                late = "Timeout" in cls.__name__
                raise failed(error, phase, retryable=retryable, late=late) from bare(error)
