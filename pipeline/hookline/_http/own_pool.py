"""The adapter for our own connections: httpcore2, the engine of httpx2.

httpx is a client: cookies, redirects, authentication, the merging of defaults, and models of its
own around those of its engine. An API call needs none of it, and it is 40 % of the CPU of a small
call and most of the time of a cold start. The engine below is public too, and takes the network
backend and the socket options that we would otherwise have to push in from behind.

The simulator stands in for the engine's pool, so that everything else here is what it exercises.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from time import monotonic
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlsplit

import httpcore2

from hookline._http.async_network import AsyncBackend, AsyncStream
from hookline._http.certificates import Certificates
from hookline._http.errors import translated
from hookline._http.homes import Pools, elsewhere, home_of_loop, home_of_process
from hookline._http.inflate import ACCEPTED
from hookline._http.network import BoundedBackend, Deadline, Stale, keep_alive
from hookline._http.proxies import proxy_for
from hookline._http.responses import AsyncRawResponse, SyncRawResponse
from hookline._http.transport import Outgoing, RawResponse, require_open
from hookline.config import MOST_CONNECTIONS
from hookline.errors import ConfigError, InputError, MissingExtra
from hookline.values.secret import HiddenBytes, HiddenText

__all__ = ["AsyncPool", "SyncPool"]

_MOST_IDLE: Final = 100  # connections kept for later
_IDLE_SECONDS: Final = 5.0  # as httpx: a server may drop an idle connection without a word
_IN_A_TARGET: Final = "/?:@!$&'()*+,;=%-._~"
_MOST_KEPT: Final = 64  # addresses and headers that need not be written anew

P = TypeVar("P")


class _Pool(ABC, Generic[P]):
    """What both colours share: a pool for each address and home, and how a request is written.

    Args:
        certificates: whom TLS connections trust.
        max_connections: to one address; further requests wait.
        address: where connections go, whatever the host's name; then no proxy is asked for.
        stand_in: takes the place of the engine's pools: the simulator.

    """

    def __init__(
        self,
        *,
        certificates: Certificates | None = None,
        max_connections: int = MOST_CONNECTIONS,
        address: str | None = None,
        stand_in: P | None = None,
    ) -> None:
        self._certificates = certificates or Certificates()
        self._most = max_connections
        self._address = address
        self._stand_in = stand_in
        self._pools: Pools[P] = Pools(_in_use)
        self._closed = False
        self._parsed_urls: dict[str, tuple[str, Any, bytes]] = {}
        self._written_headers: dict[int, tuple[Mapping[str, str], list[tuple[bytes, bytes]]]] = {}

    @property
    def in_use(self) -> int:
        """See ``Transport.in_use``."""
        return sum(map(_in_use, self._pools))

    @abstractmethod
    def _made(self, proxy: str | None, options: dict[str, Any]) -> P:
        """Return a pool of the right colour."""

    def _new_pool(self, origin: str) -> P:
        tls = origin.startswith("https:")
        options: dict[str, Any] = {
            "ssl_context": self._certificates.context(needed=tls),
            "max_connections": self._most,
            "max_keepalive_connections": _MOST_IDLE,
            "keepalive_expiry": _IDLE_SECONDS,
            "socket_options": keep_alive(),
        }
        proxy = None if self._address is not None else proxy_for(origin)
        if proxy is None:
            return self._made(None, options)
        options["proxy_url"] = proxy.url
        options["proxy_auth"] = proxy.credentials
        if proxy.scheme == "https":  # spoken to the proxy itself, whatever lies behind it
            options["proxy_ssl_context"] = self._certificates.context()
        elif proxy.scheme in ("socks5", "socks5h"):
            if find_spec("socksio") is None:
                raise MissingExtra("socks", "socksio", "a SOCKS proxy")
            del options["socket_options"]  # which its pools do not take
        elif proxy.scheme != "http":
            raise ConfigError(
                f"the environment names a {proxy.scheme}: proxy; http, https and socks5 work"
            )
        return self._made(proxy.scheme, options)

    def _request(self, outgoing: Outgoing) -> tuple[str, httpcore2.Request]:
        """Return the origin, and the request as the engine wants it."""
        # Addresses and headers are few, and those of an earlier request as a rule.
        parsed = self._parsed_urls.get(outgoing.url)
        if parsed is None:
            parsed = _parsed(outgoing.url)
            _keep(self._parsed_urls, outgoing.url, parsed)
        written = self._written_headers.get(id(outgoing.headers))
        if written is None or written[0] is not outgoing.headers:
            written = (outgoing.headers, _written(outgoing.headers))
            _keep(self._written_headers, id(outgoing.headers), written)
        origin, url, host = parsed
        headers = [(b"host", host), *written[1]]
        if outgoing.content is not None:
            headers.append((b"content-length", b"%d" % len(outgoing.content)))
        times = outgoing.timeouts
        timeout = {
            "connect": times.connect,
            "write": times.write,
            "read": times.read,
            "pool": times.pool,
        }
        request = httpcore2.Request(
            outgoing.method, url, content=outgoing.content, extensions={"timeout": timeout}
        )
        request.headers = (
            headers  # which are bytes; the constructor would look at each of them anew
        )
        return origin, request


K = TypeVar("K")
V = TypeVar("V")


def _keep(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= _MOST_KEPT:
        known.clear()
    known[key] = value


def _in_use(pool: Any) -> int:
    return sum(not (each.is_idle() or each.is_closed()) for each in pool.connections)


def _parsed(url: str) -> tuple[str, httpcore2.URL, bytes]:
    """Return the origin, an address as the engine wants it, and the ``Host`` header."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna" if not url.isascii() else "ascii")
    named = b"[%s]" % host if b":" in host else host
    if parts.port is not None:
        named += b":%d" % parts.port
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    parsed = httpcore2.URL(
        scheme=parts.scheme.encode(),
        host=host,
        port=parts.port,
        target=quote(target, safe=_IN_A_TARGET).encode(),
    )
    return f"{parts.scheme}://{parts.netloc}", parsed, named


def _written(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    written = []
    for name, value in {"accept-encoding": ACCEPTED, **headers}.items():
        try:
            raw = value.encode("ascii")
            hidden = isinstance(value, HiddenText)
            written.append((name.encode("ascii"), HiddenBytes(raw) if hidden else raw))
        except UnicodeEncodeError as error:
            raise InputError(
                f"the header {name!r} holds characters that are not ASCII, which HTTP has no form for"
            ) from error
    return written


class SyncPool(_Pool[Any]):
    """The transport of a ``Pipeline``: blocks, and never suspends; arguments as for its base."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._limit = Deadline()

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        return await self.send(*self._request(outgoing), deadline=outgoing.deadline)

    async def send(
        self, origin: str, request: httpcore2.Request, *, deadline: float | None = None
    ) -> RawResponse:
        """Send a request of the engine's kind; see ``open``."""
        require_open(closed=self._closed)
        pool = self._stand_in
        if pool is None:
            pool, surplus = self._pools.get(
                home_of_process(), origin, lambda: self._new_pool(origin)
            )
            for each in surplus:
                each.close()
        with translated(), self._limit.until(deadline):
            try:
                response = pool.handle_request(request)
            except Stale:  # it has ended; those that were kept beside it are no better
                for connection in pool.connections:
                    if connection.is_idle():
                        connection.close()
                response = pool.handle_request(request)
        return SyncRawResponse(
            response,
            response.status,
            response.headers,
            response.stream,
            limit=self._limit,
            deadline=deadline,
        )

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        self._closed = True
        for _, pool in self._pools.take_all():
            pool.close()

    def _made(self, proxy: str | None, options: dict[str, Any]) -> Any:
        kind: Any = httpcore2.ConnectionPool
        if proxy is not None:
            kind = httpcore2.HTTPProxy if proxy.startswith("http") else httpcore2.SOCKSProxy
        return kind(network_backend=BoundedBackend(self._limit, self._address), **options)


class AsyncPool(_Pool[Any]):
    """The transport of an ``AsyncPipeline``, for asyncio and trio; arguments as for its base."""

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        return await self.send(*self._request(outgoing), deadline=outgoing.deadline)

    async def send(
        self, origin: str, request: httpcore2.Request, *, deadline: float | None = None
    ) -> RawResponse:
        """Send a request of the engine's kind; see ``open``."""
        import anyio  # noqa: PLC0415 -- only async code needs it

        require_open(closed=self._closed)
        pool = self._stand_in
        if pool is None:
            pool, surplus = self._pools.get(home_of_loop(), origin, lambda: self._new_pool(origin))
            for each in surplus:
                await each.aclose()
        with translated():
            if deadline is None:
                response = await self._answered(pool, request)
            else:
                response = None
                with anyio.move_on_after(deadline - monotonic()):
                    response = await self._answered(pool, request)
                if response is None:
                    raise httpcore2.ReadTimeout("the time is up, though no answer has come")
        stream = response.extensions.get("network_stream")
        bounded = isinstance(stream, AsyncStream) and deadline is not None
        if bounded:
            stream.deadline = deadline
        return AsyncRawResponse(
            response, response.status, response.headers, response.stream, bounded=bounded
        )

    async def _answered(self, pool: Any, request: httpcore2.Request) -> Any:
        try:
            return await pool.handle_async_request(request)
        except Stale:  # as above
            for connection in pool.connections:
                if connection.is_idle():
                    await connection.aclose()
            return await pool.handle_async_request(request)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        self._closed = True
        here = home_of_loop()
        for home, pool in self._pools.take_all():
            if home == here:
                await pool.aclose()
            else:
                await elsewhere(home[1], pool.aclose)

    def _made(self, proxy: str | None, options: dict[str, Any]) -> Any:
        kind: Any = httpcore2.AsyncConnectionPool
        if proxy is not None:
            kind = (
                httpcore2.AsyncHTTPProxy if proxy.startswith("http") else httpcore2.AsyncSOCKSProxy
            )
        return kind(network_backend=AsyncBackend(self._address), **options)
