"""HTTP: the seam through which everything leaves, and the errors that come back.

Behind it stand our own connections on httpcore2 or on aiohttp (extra ``fast``, for async work at
scale), and the clients of httpx and httpx2 that somebody hands in. Each has one small adapter; they
are the only modules that import an HTTP library. Everything above sees bytes, statuses and
Hookline's own errors. One transport serves any number of base URLs and credentials.
"""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import Final, Protocol, get_args

from attrs import field, frozen

from hookline._said import shown_text, told_by
from hookline.config import Library
from hookline.errors import (
    ConfigError,
    InputError,
    MissingExtra,
    PoolTimeout,
    ReadTimeout,
    TransportError,
)
from hookline.values.brief import brief

__all__ = [
    "Outgoing",
    "RawResponse",
    "Timeouts",
    "Transport",
    "choose",
    "failed",
    "require_open",
]

PATIENCE: Final = 600.0  # seconds of silence before a plain answer, where nothing else bounds it
GRACE: Final = 0.1  # seconds in which the end of an answer may follow the end of its message
_MOST_DRAINED: Final = 64 * 1024  # bytes
_SHOWN: Final = 500  # characters of what a library says


@frozen
class Timeouts:
    """Seconds that the phases of one exchange may take.

    Attributes:
        connect: until the connection stands, TLS included.
        write: between two pieces of the request that the network takes.
        read: between two pieces of a stream, whose pings count.
        pool: until one of our own connections is free.

    """

    connect: float = 5.0
    write: float = 30.0
    read: float = 60.0
    pool: float = 60.0

    def within(self, remaining: float | None, *, patient: bool = False) -> "Timeouts":
        """Return the same, none of them longer than the seconds that remain.

        Args:
            remaining: for everything; None for no limit.
            patient: the answer is silent until it is complete, so it may take all that remains.

        """
        if patient:
            most = PATIENCE if remaining is None else remaining
            return Timeouts(
                min(self.connect, most), min(self.write, most), most, min(self.pool, most)
            )
        if remaining is None or remaining >= max(self.connect, self.write, self.read, self.pool):
            return self
        return Timeouts(
            *(min(each, remaining) for each in (self.connect, self.write, self.read, self.pool))
        )


@frozen
class Outgoing:
    """One HTTP request, ready to leave.

    Attributes:
        method: ``"POST"`` and so on.
        url: absolute.
        headers: names in lower case.
        content: the body, if any.
        timeouts: of the phases.
        deadline: the monotonic second at which all must be over, or None.

    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    deadline: float | None = None


class RawResponse(Protocol):
    """An HTTP response whose body is still to be read."""

    status: int
    headers: Mapping[str, str]
    bounded: bool
    """Whether the waits for its chunks end with the exchange's deadline, without a cancellation."""
    hidden: Collection[str]
    """Our own credentials, which the server may echo, and which are not to be shown."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives, without its content encoding, in pieces of bounded size."""
        ...

    async def finish(self, chunks: AsyncGenerator[bytes, None]) -> None:
        """Read what little may follow the end of a message, so that the connection can be kept.

        For a moment only: some servers leave a stream open after its last event.

        Args:
            chunks: the body, as far as it is still to be read.

        """
        ...

    def abort(self) -> None:
        """End the wait of whoever reads it, in any thread or task; after ``aclose`` nothing happens."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        ...


class Transport(Protocol):
    """Sends HTTP requests; follows no redirect."""

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """Send the request and return when the response's headers are there.

        Raises:
            TransportError: no answer came.

        """
        ...

    async def aclose(self) -> None:
        """Close the connections that this object opened; never a client that was handed in."""
        ...

    @property
    def in_use(self) -> int:
        """How many connections are in use, or lost to use, at this moment."""
        ...


def require_open(*, closed: bool) -> None:
    """Say that a transport has been closed, if it is used nevertheless.

    Raises:
        InputError: it has.

    """
    if closed:
        raise InputError("this pipeline is closed; make another one")


def choose(wanted: Library, *, asynchronous: bool) -> str:
    """Return what our own connections are to stand on.

    Args:
        wanted: what the settings say. ``"httpx"`` and ``"httpx2"`` mean the engine below them.
        asynchronous: for an ``AsyncPipeline``.

    Returns:
        ``"httpcore2"``, ``"aiohttp"``, or ``"auto"`` where the event loop decides.

    Raises:
        ConfigError: it is not installed, or cannot serve this kind of pipeline.

    """
    if wanted not in get_args(Library):
        raise ConfigError(f"http must be 'auto', 'httpcore2' or 'aiohttp', not {brief(wanted)}")
    if wanted == "aiohttp":
        if not asynchronous:
            raise ConfigError(
                "http='aiohttp' works in AsyncPipeline only; a Pipeline takes httpcore2"
            )
        if not find_spec("aiohttp"):
            raise MissingExtra("fast", "aiohttp", "http='aiohttp'")
        return wanted
    return "auto" if wanted == "auto" and asynchronous and find_spec("aiohttp") else "httpcore2"


async def drained(chunks: AsyncGenerator[bytes, None]) -> None:
    """Read the end of a body whose rest nobody wants; give up when it is more than a little."""
    size = 0
    with suppress(TransportError):
        async for chunk in chunks:
            size += len(chunk)
            if size > _MOST_DRAINED:
                return


_HINTS: Final = {
    "connect": " Is the server running, and is base_url right?",
    "pool": (
        " No connection became free in time; allow more (the setting max_connections, or the limits"
        " of a client= of your own), or send fewer requests at once."
    ),
}


def failed(
    error: BaseException, phase: str, *, retryable: bool, late: bool = False
) -> TransportError:
    """Return our error for a library's, to be raised ``from`` it.

    Args:
        error: what the library raised.
        phase: what was going on.
        retryable: whether sending again may help, as far as the library's class tells.
        late: whether it is a time-out, which a setting of ours ended.

    """
    told = list(told_by(error))
    # It may quote what the server said.
    text = shown_text(next(filter(None, map(str, told)), type(error).__name__), _SHOWN).rstrip(".")
    if phase == "pool":
        return PoolTimeout(f"pool time-out: {text}.{_HINTS['pool']}")
    hint = f" The limit is the setting {phase}_timeout." if late else ""
    if late and phase == "read":
        return ReadTimeout(f"read failed: {text}.{hint}")
    if phase in ("connect", "tls"):
        phase, retryable, text = _while_connecting(told, phase, text, retryable=retryable)
    return TransportError(
        f"{phase} failed: {text}.{hint}{_HINTS.get(phase, '')}", phase=phase, retryable=retryable
    )


def bare(error: BaseException) -> BaseException:
    """Return a library's error without its frames.

    Whoever records the local variables of a traceback would find the headers of the request in them.
    """
    for each in told_by(error):
        each.__traceback__ = None
    return error


def _while_connecting(
    told: list[BaseException], phase: str, text: str, *, retryable: bool
) -> tuple[str, bool, str]:
    """Return phase, retryable and text, corrected by what the resolver or TLS had to say."""
    import socket  # noqa: PLC0415 -- the HTTP library has loaded them by now; we must not before
    import ssl  # noqa: PLC0415 -- as above

    for cause in told:
        if isinstance(cause, socket.gaierror):
            no_such_name = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
            return phase, retryable and cause.errno not in no_such_name, text
        if isinstance(cause, ssl.SSLError) and not isinstance(
            cause, ssl.SSLWantReadError | ssl.SSLWantWriteError
        ):
            # A handshake that was cut off may work the next time; a wrong certificate never does.
            cut_off = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
            return "tls", cut_off or "EOF" in str(cause), (str(cause) or text).rstrip(".")
    return phase, retryable, text
