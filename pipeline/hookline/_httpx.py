"""The adapter for httpx and httpx2, which share one interface.

A client may be handed in by the user, of either library. Without one we speak to the library's
``HTTPTransport``, which is what its clients stand on: cookies, redirects, authentication and the
merging of defaults, which they add, are nothing that an API call needs, and a third of what it costs.
"""

import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from hookline._inflate import ACCEPTED, inflated
from hookline._pool_repair import drop_orphans, give_up
from hookline._proxies import proxy_for
from hookline._tuning import Deadline, keep_alive, tls_context, tune
from hookline.errors import ConfigError
from hookline.transport import Answer, Library, Outgoing, choose, failed

__all__ = ["AsyncHTTP", "SyncHTTP", "library", "translated"]

_LIBRARIES: Final = ("httpx2", "httpx")
_MOST_CONNECTIONS: Final = 1000
_MOST_IDLE: Final = 100

# Exception class of the library -> (phase, may sending again help). Most specific first.
_FAILURES: Final = (
    ("PoolTimeout", "pool", True),
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


def library(client: Any = None, wanted: Library = "auto") -> Any:
    """Return the HTTP module to use: the one that ``client`` came from, or the wanted one.

    Raises:
        ConfigError: ``client`` is of neither library.

    """
    if client is None:
        return import_module(choose(wanted, asynchronous=False))
    for name in _LIBRARIES:
        module = sys.modules.get(name)
        if module is not None and isinstance(client, module.Client | module.AsyncClient):
            return module
    raise ConfigError(
        f"client= takes an httpx or httpx2 client, not {type(client).__module__}."
        f"{type(client).__qualname__}"
    )


# A server that breaks the protocol does so again; one that went away, or said that it goes, may not.
_WENT_AWAY: Final = ("disconnected", "closed connection", "ConnectionTerminated", "StreamReset")


class translated:  # noqa: N801 -- used as `with translated(module):`, like the functions of contextlib
    """Turns the library's exceptions into ours, once, here at the edge; the cause is kept."""

    __slots__ = ("_module",)

    def __init__(self, module: Any) -> None:
        self._module = module

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Raise our error in place of the library's."""
        module = self._module
        if error is None or not isinstance(error, (module.HTTPError, module.InvalidURL)):
            return
        for name, phase, retryable in _FAILURES:
            if isinstance(error, getattr(module, name)):
                broken = name == "RemoteProtocolError" and not any(
                    sign in str(error) for sign in _WENT_AWAY
                )
                raise failed(error, phase, retryable=retryable and not broken) from error
        raise failed(error, "protocol", retryable=False) from error


H = TypeVar("H")


class _HTTP(ABC, Generic[H]):
    """What both colours share: the user's client, or a transport of ours and when it is due.

    Args:
        client: a client of the user's, or None.
        simulator: answer in-process with this simulator instead of the network.
        wanted: the library for a transport of our own.
        ca_bundle: PEM file of certificate authorities, instead of the usual ones.

    """

    kind = "Client"
    other = "AsyncPipeline takes an AsyncClient"
    transport = "HTTPTransport"

    def __init__(
        self,
        client: Any = None,
        *,
        simulator: Any = None,
        wanted: Library = "auto",
        ca_bundle: str | None = None,
    ) -> None:
        self._module: Any = library(client) if client is not None else None
        if self._module and not isinstance(client, getattr(self._module, self.kind)):
            raise ConfigError(f"this pipeline's client= takes a {self.kind}; {self.other}")
        self._given = client
        self._simulator = simulator
        self._wanted: Library = wanted
        self._ca_bundle = ca_bundle
        self._own: tuple[H, Any] | None = None
        self._making = threading.Lock()
        self._address: tuple[str, Any] = ("", None)
        self._prepared: tuple[Mapping[str, str], Any] = ({}, None)

    def _sender(self, home: H, url: str) -> Any:
        """Return what sends from this place: sockets survive neither a fork nor another loop."""
        if self._given is not None:
            return self._given
        own = self._own
        if own is None or own[0] != home:
            with self._making:  # threads that begin together share one pool
                own = self._own
                if own is None or own[0] != home:
                    own = self._own = (home, self._new_transport(url))
        return own[1]

    def _new_transport(self, url: str) -> Any:
        if self._module is None:
            self._module = library(wanted=self._wanted)
        module = self._module
        if self._simulator is not None:
            return self._simulated(module)
        proxy = proxy_for(url)
        transport = getattr(module, self.transport)(
            verify=tls_context(module, needed=url.startswith("https:"), ca_bundle=self._ca_bundle),
            limits=module.Limits(
                max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_MOST_IDLE
            ),
            proxy=None if proxy is None else module.Proxy(proxy),
            socket_options=keep_alive(),
        )
        tune(transport, self._deadline())
        return transport

    @abstractmethod
    def _simulated(self, module: Any) -> Any:
        """Return the library's own kind of transport with the simulator behind it."""

    def _deadline(self) -> Deadline | None:
        return None

    def _request(self, outgoing: Outgoing) -> Any:
        times = outgoing.timeouts
        seconds = {
            "connect": times.connect,
            "write": times.write,
            "read": times.read,
            "pool": times.pool,
        }
        if self._given is not None:  # the client's own headers and cookies belong to its user
            return self._given.build_request(
                outgoing.method,
                outgoing.url,
                headers={"accept-encoding": ACCEPTED, **outgoing.headers},
                content=outgoing.content,
                timeout=self._module.Timeout(**seconds),
            )
        # Address and headers are the same as the last time as a rule; each costs as much to read as
        # the whole message to encode.
        address = self._address
        if address[0] != outgoing.url:
            address = self._address = (outgoing.url, self._module.URL(outgoing.url))
        prepared = self._prepared
        if prepared[0] is not outgoing.headers:
            headers = self._module.Headers({"accept-encoding": ACCEPTED, **outgoing.headers})
            prepared = self._prepared = (outgoing.headers, headers)
        return self._module.Request(
            outgoing.method,
            address[1],
            headers=prepared[1],
            content=outgoing.content,
            extensions={"timeout": seconds},
        )

    def _leaky(self) -> bool:
        return self._module is not None and self._module.__name__ == "httpx"


def _headers(response: Any) -> dict[str, str]:
    """Return a response's headers, names in lower case; of repeated ones, the last."""
    # The library's own mapping works out the encoding anew for every header.
    return {
        name.decode("ascii").lower(): value.decode("latin-1")
        for name, value in response.headers.raw
    }


class SyncHTTP(_HTTP[int]):
    """The transport of a ``Pipeline``: blocks, and never suspends; arguments as for its base."""

    def __init__(self, client: Any = None, **options: Any) -> None:
        super().__init__(client, **options)
        self._limit = Deadline()

    async def open(self, outgoing: Outgoing) -> Answer:
        """See ``Transport.open``."""
        sender = self._sender(os.getpid(), outgoing.url)
        if self._leaky():
            for orphan in drop_orphans(sender):
                orphan.close()
        self._limit.at = outgoing.deadline
        with translated(self._module):
            request = self._request(outgoing)
            response = (
                sender.handle_request(request)
                if self._given is None
                else sender.send(request, stream=True, follow_redirects=False)
            )
        return _SyncAnswer(self._module, response, self._limit, outgoing.deadline)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._own is not None:
            (_, transport), self._own = self._own, None
            transport.close()

    def _simulated(self, module: Any) -> Any:
        from hookline.simulator.transport import sync_transport  # noqa: PLC0415 -- only when asked for

        return sync_transport(module, self._simulator)

    def _deadline(self) -> Deadline | None:
        return self._limit


class _SyncAnswer:
    def __init__(self, module: Any, response: Any, limit: Deadline, deadline: float | None) -> None:
        self._module = module
        self._response = response
        self._limit = limit
        self._deadline = deadline
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = _headers(response)

    def chunks(self) -> AsyncGenerator[bytes, None]:
        return inflated(self._raw(), self.headers.get("content-encoding", ""))

    async def _raw(self) -> AsyncGenerator[bytes, None]:
        with translated(self._module):
            # Another turn of this thread may have run since the last chunk.
            self._limit.at = self._deadline
            # Not iter_raw(): a mock transport's response counts as read before anybody read it.
            for chunk in self._response.stream:
                yield chunk
                self._limit.at = self._deadline

    async def aclose(self) -> None:
        with translated(self._module):
            self._response.close()


class AsyncHTTP(_HTTP[tuple[int, object]]):
    """The transport of an ``AsyncPipeline``, for asyncio and trio; arguments as for its base."""

    kind = "AsyncClient"
    other = "Pipeline takes a Client"
    transport = "AsyncHTTPTransport"

    async def open(self, outgoing: Outgoing) -> Answer:
        """See ``Transport.open``."""
        from anyio.lowlevel import current_token  # noqa: PLC0415 -- keeps `import hookline` cheap

        sender = self._sender((os.getpid(), current_token()), outgoing.url)
        await self._drop_orphans(sender)
        try:
            with translated(self._module):
                request = self._request(outgoing)
                response = await (
                    sender.handle_async_request(request)
                    if self._given is None
                    else sender.send(request, stream=True, follow_redirects=False)
                )
        except BaseException:
            await self._drop_orphans(sender)  # a cancellation may just have made one
            raise
        return _AsyncAnswer(self._module, response)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._own is not None:
            (_, transport), self._own = self._own, None
            await transport.aclose()

    async def _drop_orphans(self, sender: Any) -> None:
        if self._leaky():
            for orphan in drop_orphans(sender):
                await orphan.aclose()

    def _simulated(self, module: Any) -> Any:
        from hookline.simulator.transport import async_transport  # noqa: PLC0415 -- only when asked for

        return async_transport(module, self._simulator)


class _AsyncAnswer:
    def __init__(self, module: Any, response: Any) -> None:
        self._module = module
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = _headers(response)

    def chunks(self) -> AsyncGenerator[bytes, None]:
        return inflated(self._raw(), self.headers.get("content-encoding", ""))

    async def _raw(self) -> AsyncGenerator[bytes, None]:
        chunks = aiter(self._response.stream)  # not aiter_raw(), as in _SyncAnswer
        try:
            with translated(self._module):
                async for chunk in chunks:
                    yield chunk
        finally:
            try:
                close = getattr(chunks, "aclose", None)  # a transport's own iterator may have none
                if close is not None:
                    with translated(self._module):
                        await close()
            finally:
                await self._repair()

    async def aclose(self) -> None:
        try:
            with translated(self._module):
                await self._response.aclose()
        finally:
            await self._repair()

    async def _repair(self) -> None:
        if self._module.__name__ == "httpx":
            for orphan in give_up(self._response):
                await orphan.aclose()
