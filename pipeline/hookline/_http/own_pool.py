"""The adapter for our own connections: httpcore and httpcore2, the engines of httpx and httpx2.

httpx is a client: cookies, redirects, authentication, the merging of defaults, and models of its
own around those of its engine. An API call needs none of it, and it is 40 % of the CPU of a small
call and most of the time of a cold start. The engine below is public too, and takes the network
backend and the socket options that we would otherwise have to push in from behind.
"""

import os
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, unquote, urlsplit

from hookline._http.errors import translated
from hookline._http.inflate import ACCEPTED
from hookline._http.network import BoundedBackend, Deadline, ListeningBackend, keep_alive
from hookline._http.pool_repair import drop_orphans
from hookline._http.proxies import proxy_for
from hookline._http.responses import AsyncRawResponse, SyncRawResponse
from hookline._http.transport import Outgoing, RawResponse, choose
from hookline.config import MOST_CONNECTIONS, Library
from hookline.errors import ConfigError, InputError, MissingExtra
from hookline.values.secret import HiddenBytes, HiddenText

__all__ = ["AsyncPool", "SyncPool", "engine", "tls_context"]

_ENGINES: Final = {"httpx": "httpcore", "httpx2": "httpcore2"}
# Connections kept for later. The bookkeeping of httpcore grows with the square of their number: with
# 64 calls in flight 100 of them make a call cost four times as much as 20, the default of httpx.
_MOST_IDLE: Final = {"httpcore": 20, "httpcore2": 100}
_IDLE_SECONDS: Final = 5.0  # as httpx: a server may drop an idle connection without a word
_IN_A_TARGET: Final = "/?:@!$&'()*+,;=%-._~"

H = TypeVar("H")


def engine(wanted: Library) -> Any:
    """Return the module httpcore or httpcore2, whichever belongs to the wanted library."""
    return import_module(_ENGINES[choose(wanted, asynchronous=False)])


def tls_context(core: Any, *, needed: bool, ca_bundle: str | None) -> ssl.SSLContext:
    """Return the TLS settings of our connections.

    Args:
        core: ``httpcore`` or ``httpcore2``.
        needed: False for an ``http:`` base URL. Loading the certificate authorities takes some
            20 ms; a context without them trusts nobody, so a mistake fails closed.
        ca_bundle: a PEM file of authorities to trust instead of the usual ones. Without it, those
            of ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``, without these the library's.

    """
    if not needed:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    cafile = ca_bundle or os.environ.get("SSL_CERT_FILE")
    capath = None if cafile else os.environ.get("SSL_CERT_DIR")
    if cafile or capath:
        return ssl.create_default_context(cafile=cafile, capath=capath)
    context: ssl.SSLContext = core.default_ssl_context()
    return context


class _Pool(ABC, Generic[H]):
    """What both colours share: one pool for each place, and how a request is written.

    Args:
        wanted: the library whose engine is used.
        ca_bundle: PEM file of certificate authorities, instead of the usual ones.
        max_connections: to one address; further requests wait.

    """

    colour = ""  # before the names of the engine's classes

    def __init__(
        self,
        *,
        wanted: Library = "auto",
        ca_bundle: str | None = None,
        max_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._wanted: Library = wanted
        self._ca_bundle = ca_bundle
        self._most = max_connections
        self._core: Any = None
        self._own: tuple[H, Any] | None = None
        self._making = threading.Lock()
        self._address: tuple[str, Any, bytes] = ("", None, b"")
        self._prepared: tuple[Mapping[str, str], list[tuple[bytes, bytes]]] = ({}, [])

    @property
    def pooled(self) -> Any:
        """Whatever holds the connections, or None before there are any."""
        return None if self._own is None else self._own[1]

    def _pool(self, home: H, url: str) -> Any:
        """Return the pool of this place: sockets survive neither a fork nor another loop."""
        own = self._own
        if own is None or own[0] != home:
            with self._making:  # threads that begin together share one pool
                own = self._own
                if own is None or own[0] != home:
                    own = self._own = (home, self._new_pool(url))
        return own[1]

    def _new_pool(self, url: str) -> Any:
        if self._core is None:
            self._core = engine(self._wanted)
        core = self._core
        options: dict[str, Any] = {
            "ssl_context": tls_context(
                core, needed=url.startswith("https:"), ca_bundle=self._ca_bundle
            ),
            "max_connections": self._most,
            "max_keepalive_connections": _MOST_IDLE[core.__name__],
            "keepalive_expiry": _IDLE_SECONDS,
            "network_backend": self._backend(core),
        }
        proxy = proxy_for(url)
        if proxy is None:
            pool = getattr(core, f"{self.colour}ConnectionPool")
            return pool(socket_options=keep_alive(), **options)
        parts = urlsplit(proxy)
        options["proxy_url"] = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if parts.username is not None:
            options["proxy_auth"] = (unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme in ("http", "https"):
            if parts.scheme == "https":  # spoken to the proxy itself, whatever lies behind it
                options["proxy_ssl_context"] = tls_context(
                    core, needed=True, ca_bundle=self._ca_bundle
                )
            return getattr(core, f"{self.colour}HTTPProxy")(socket_options=keep_alive(), **options)
        if parts.scheme not in ("socks5", "socks5h"):
            raise ConfigError(
                f"the environment names a {parts.scheme}: proxy; http, https and socks5 work"
            )
        if find_spec("socksio") is None:
            raise MissingExtra("socks", "socksio", "a SOCKS proxy")
        return getattr(core, f"{self.colour}SOCKSProxy")(**options)

    @abstractmethod
    def _backend(self, core: Any) -> Any:
        """Return the network backend of the pool."""

    def _request(self, outgoing: Outgoing) -> Any:
        # Address and headers are the same as the last time as a rule.
        address = self._address
        if address[0] != outgoing.url:
            address = self._address = (outgoing.url, *self._parsed(outgoing.url))
        prepared = self._prepared
        if prepared[0] is not outgoing.headers:
            prepared = self._prepared = (outgoing.headers, _written(outgoing.headers))
        headers = [(b"host", address[2]), *prepared[1]]
        if outgoing.content is not None:
            headers.append((b"content-length", b"%d" % len(outgoing.content)))
        times = outgoing.timeouts
        return self._core.Request(
            outgoing.method,
            address[1],
            headers=headers,
            content=outgoing.content,
            extensions={
                "timeout": {
                    "connect": times.connect,
                    "write": times.write,
                    "read": times.read,
                    "pool": times.pool,
                }
            },
        )

    def _parsed(self, url: str) -> tuple[Any, bytes]:
        """Return an address as the engine wants it, and the ``Host`` header."""
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna" if not url.isascii() else "ascii")
        named = b"[%s]" % host if b":" in host else host
        if parts.port is not None:
            named += b":%d" % parts.port
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        parsed = self._core.URL(
            scheme=parts.scheme.encode(),
            host=host,
            port=parts.port,
            target=quote(target, safe=_IN_A_TARGET).encode(),
        )
        return parsed, named

    @property
    def _leaky(self) -> bool:
        return self._core is not None and self._core.__name__ == "httpcore"


def _written(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    written = [(b"accept-encoding", ACCEPTED.encode())]
    for name, value in headers.items():
        try:
            raw = value.encode("ascii")
            hidden = isinstance(value, HiddenText)
            written.append((name.encode("ascii"), HiddenBytes(raw) if hidden else raw))
        except UnicodeEncodeError as error:
            raise InputError(
                f"the header {name!r} holds characters that are not ASCII, which HTTP has no form for"
            ) from error
    return written


def _parts(response: Any) -> tuple[Any, int, Any, Any]:
    """Return what an answer is made of."""
    return response, response.status, response.headers, response.stream


class SyncPool(_Pool[int]):
    """The transport of a ``Pipeline``: blocks, and never suspends; arguments as for its base."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._limit = Deadline()

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        pool = self._pool(os.getpid(), outgoing.url)
        if self._leaky:
            for orphan in drop_orphans(pool):
                orphan.close()
        with translated(), self._limit.until(outgoing.deadline):
            response = pool.handle_request(self._request(outgoing))
        return SyncRawResponse(*_parts(response), limit=self._limit, deadline=outgoing.deadline)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._own is not None:
            (_, pool), self._own = self._own, None
            pool.close()

    def _backend(self, core: Any) -> Any:
        return BoundedBackend(core, self._limit)


class AsyncPool(_Pool[tuple[int, object]]):
    """The transport of an ``AsyncPipeline``, for asyncio and trio; arguments as for its base."""

    colour = "Async"

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        from anyio.lowlevel import current_token  # noqa: PLC0415 -- keeps `import hookline` cheap

        pool = self._pool((os.getpid(), current_token()), outgoing.url)
        await self._drop_orphans(pool)
        try:
            with translated():
                response = await pool.handle_async_request(self._request(outgoing))
        except BaseException:
            await self._drop_orphans(pool)  # a cancellation may just have made one
            raise
        return AsyncRawResponse(*_parts(response), leaky=self._leaky)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._own is not None:
            (_, pool), self._own = self._own, None
            await pool.aclose()

    async def _drop_orphans(self, pool: Any) -> None:
        if self._leaky:
            for orphan in drop_orphans(pool):
                await orphan.aclose()

    def _backend(self, core: Any) -> Any:
        return ListeningBackend(core.AnyIOBackend())
