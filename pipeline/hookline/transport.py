"""HTTP: the one module that imports an HTTP client.

It is written against the interface that httpx and httpx2 share, prefers httpx2 where it is
installed, and accepts a client handed in by the user. Everything above this module sees bytes,
statuses and Hookline's own errors.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

from attrs import frozen

from hookline.errors import ConfigError, PoolTimeout, TransportError

__all__ = ["Answer", "AsyncHTTP", "SyncHTTP", "Timeouts", "Transport", "library", "translated"]


@frozen
class Timeouts:
    """Seconds that the phases of one exchange may take.

    Attributes:
        connect: until the connection stands, TLS included.
        write: between two pieces of the request that the network takes.
        read: between two pieces of the answer; a stream's pings count.
        pool: until one of our own connections is free.

    """

    connect: float = 5.0
    write: float = 30.0
    read: float = 60.0
    pool: float = 60.0

    def within(self, remaining: float | None) -> "Timeouts":
        """Return the same, none of them longer than the seconds that remain."""
        if remaining is None:
            return self
        return Timeouts(
            *(min(each, remaining) for each in (self.connect, self.write, self.read, self.pool))
        )


class Answer(Protocol):
    """An HTTP response whose body is still to be read."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body as it arrives."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        ...


class Transport(Protocol):
    """Sends one HTTP request and returns when the response's headers are there."""

    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        timeouts: Timeouts,
    ) -> Answer:
        """Send the request.

        Raises:
            TransportError: no answer came.

        """
        ...

    async def aclose(self) -> None:
        """Close the connections that this object opened; never a client that was handed in."""
        ...


_LIBRARIES: Final = ("httpx2", "httpx")

# Exception class of the library -> (phase, may sending again help). Most specific first.
_FAILURES: Final = (
    ("ConnectTimeout", "connect", True),
    ("ReadTimeout", "read", True),
    ("WriteTimeout", "write", True),
    ("ProxyError", "proxy", False),
    ("ConnectError", "connect", True),
    ("ReadError", "read", True),
    ("WriteError", "write", True),
    ("CloseError", "read", True),
    ("RemoteProtocolError", "protocol", True),
    ("LocalProtocolError", "protocol", False),
    ("UnsupportedProtocol", "protocol", False),
    ("DecodingError", "protocol", False),
    ("InvalidURL", "protocol", False),
)


def library(client: Any = None) -> Any:
    """Return the HTTP module to use: the one that ``client`` came from, or the preferred one.

    Raises:
        ConfigError: ``client`` is of neither library.

    """
    if client is None:
        name = next(name for name in _LIBRARIES if find_spec(name))
        return import_module(name)
    for name in _LIBRARIES:
        module = sys.modules.get(name)
        if module is not None and isinstance(client, module.Client | module.AsyncClient):
            return module
    raise ConfigError(
        f"client= takes an httpx or httpx2 client, not {type(client).__module__}."
        f"{type(client).__qualname__}"
    )


@contextmanager
def translated(module: Any) -> Iterator[None]:
    """Turn the library's exceptions into ours, once, here at the edge; the cause is kept."""
    try:
        yield
    except module.PoolTimeout as error:
        raise PoolTimeout(
            "no connection became free in time; allow more with a client= of your own "
            "(limits=…), or send fewer requests at once"
        ) from error
    except (module.HTTPError, module.InvalidURL) as error:
        for name, phase, retryable in _FAILURES:
            if isinstance(error, getattr(module, name)):
                raise _failed(error, phase, retryable=retryable) from error
        raise _failed(error, "protocol", retryable=False) from error


def _failed(error: Exception, phase: str, *, retryable: bool) -> TransportError:
    text = str(error) or type(error).__name__
    certificate = "CERTIFICATE" in text.upper() or "[SSL" in text
    if certificate:
        phase, retryable = "tls", "EOF" in text.upper()
    hint = " Is the server running, and is base_url right?" if phase == "connect" else ""
    return TransportError(f"{phase} failed: {text}.{hint}", phase=phase, retryable=retryable)


def _options(module: Any, timeouts: Timeouts) -> Any:
    return module.Timeout(
        connect=timeouts.connect, write=timeouts.write, read=timeouts.read, pool=timeouts.pool
    )


class SyncHTTP:
    """The transport of a ``Pipeline``: blocks, and never suspends.

    Args:
        client: an ``httpx.Client`` or ``httpx2.Client`` of the user's, or None.
        simulator: answer in-process with this simulator instead of the network.

    """

    def __init__(self, client: Any = None, simulator: Any = None) -> None:
        self._module = library(client) if client is not None else None
        if self._module and not isinstance(client, self._module.Client):
            raise ConfigError("a Pipeline takes a Client; AsyncPipeline takes an AsyncClient")
        self._given = client
        self._simulator = simulator
        self._own: tuple[int, Any] | None = None

    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        timeouts: Timeouts,
    ) -> Answer:
        """See ``Transport.open``."""
        client = self._client()
        module = self._module
        with translated(module):
            request = client.build_request(
                method, url, headers=headers, content=content, timeout=_options(module, timeouts)
            )
            response = client.send(request, stream=True, follow_redirects=False)
        return _SyncAnswer(module, response)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._own is not None:
            (_, client), self._own = self._own, None
            client.close()

    def _client(self) -> Any:
        if self._given is not None:
            return self._given
        if self._own is None or self._own[0] != os.getpid():  # sockets do not survive a fork
            if self._module is None:
                self._module = library()
            transport = None
            if self._simulator is not None:
                from hookline.simulator.transport import sync_transport  # noqa: PLC0415 -- only here

                transport = sync_transport(self._module, self._simulator)
            self._own = (os.getpid(), self._module.Client(transport=transport))
        return self._own[1]


class _SyncAnswer:
    def __init__(self, module: Any, response: Any) -> None:
        self._module = module
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        with translated(self._module):
            for chunk in self._response.iter_bytes():
                yield chunk

    async def aclose(self) -> None:
        with translated(self._module):
            self._response.close()


class AsyncHTTP:
    """The transport of an ``AsyncPipeline``, for asyncio and trio.

    Args:
        client: an ``httpx.AsyncClient`` or ``httpx2.AsyncClient`` of the user's, or None.
        simulator: answer in-process with this simulator instead of the network.

    """

    def __init__(self, client: Any = None, simulator: Any = None) -> None:
        self._module = library(client) if client is not None else None
        if self._module and not isinstance(client, self._module.AsyncClient):
            raise ConfigError("an AsyncPipeline takes an AsyncClient; Pipeline takes a Client")
        self._given = client
        self._simulator = simulator
        self._own: tuple[object, Any] | None = None

    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        timeouts: Timeouts,
    ) -> Answer:
        """See ``Transport.open``."""
        client = self._client()
        module = self._module
        with translated(module):
            request = client.build_request(
                method, url, headers=headers, content=content, timeout=_options(module, timeouts)
            )
            response = await client.send(request, stream=True, follow_redirects=False)
        return _AsyncAnswer(module, response)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._own is not None:
            (_, client), self._own = self._own, None
            await client.aclose()

    def _client(self) -> Any:
        if self._given is not None:
            return self._given
        from anyio.lowlevel import current_token  # noqa: PLC0415 -- keeps `import hookline` cheap

        home = (os.getpid(), current_token())  # sockets survive neither a fork nor another loop
        if self._own is None or self._own[0] != home:
            if self._module is None:
                self._module = library()
            transport = None
            if self._simulator is not None:
                from hookline.simulator.transport import async_transport  # noqa: PLC0415 -- only here

                transport = async_transport(self._module, self._simulator)
            self._own = (home, self._module.AsyncClient(transport=transport))
        return self._own[1]


class _AsyncAnswer:
    def __init__(self, module: Any, response: Any) -> None:
        self._module = module
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        with translated(self._module):
            async for chunk in self._response.aiter_bytes():
                yield chunk

    async def aclose(self) -> None:
        with translated(self._module):
            await self._response.aclose()
