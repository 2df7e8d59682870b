"""The adapter for aiohttp (extra ``fast``): asyncio only, an order of magnitude more calls a second."""

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from hookline._http.inflate import ACCEPTED, inflated
from hookline._http.network import keep_alive
from hookline._http.proxies import proxy_for
from hookline._http.transport import GRACE, Outgoing, RawResponse, bare, drained, failed
from hookline.config import MOST_CONNECTIONS
from hookline.errors import ConfigError

__all__ = ["AiohttpHTTP"]

_Proxy: TypeAlias = tuple[URL | None, dict[str, str] | None]
_PIECE: Final = 64 * 1024  # bytes of a large body; all at once would hold up the event loop


class _Stuck(TimeoutError):
    """A server that takes nothing more."""


# Most specific first: (class, phase, may sending again help).
_FAILURES: Final[tuple[tuple[type[BaseException], str, bool], ...]] = (
    (_Stuck, "write", True),
    (aiohttp.ConnectionTimeoutError, "connect", True),
    (aiohttp.SocketTimeoutError, "read", True),
    (aiohttp.ClientConnectorCertificateError, "tls", False),
    (aiohttp.ClientConnectorSSLError, "tls", False),
    (aiohttp.ClientProxyConnectionError, "proxy", False),
    (aiohttp.ClientHttpProxyError, "proxy", False),
    (aiohttp.ClientConnectorError, "connect", True),
    (aiohttp.ServerDisconnectedError, "protocol", True),
    (aiohttp.ClientPayloadError, "read", True),
    (aiohttp.ClientOSError, "read", True),
    (aiohttp.InvalidURL, "protocol", False),
    (aiohttp.ClientError, "protocol", False),
    (asyncio.TimeoutError, "read", True),
)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (TimeoutError, aiohttp.ClientError) as error:
        for kind, phase, retryable in _FAILURES:
            if isinstance(error, kind):
                late = isinstance(error, TimeoutError)
                raise failed(error, phase, retryable=retryable, late=late) from _bare(error)
        raise


def _bare(error: BaseException) -> BaseException:
    """Return an error without its frames and without the headers of the request that it tells of."""
    if isinstance(error, aiohttp.ClientResponseError):
        text = str(error)
        error.request_info = error.request_info._replace(headers=CIMultiDictProxy(CIMultiDict()))
        error.args = (text,)
    return bare(error)


class AiohttpHTTP:
    """The transport of an ``AsyncPipeline`` with ``http="aiohttp"``.

    Args:
        client: an ``aiohttp.ClientSession`` of the user's, or None.
        ca_bundle: PEM file of certificate authorities, instead of the usual ones.
        max_connections: to one address; further requests wait.

    """

    def __init__(
        self,
        client: Any = None,
        *,
        ca_bundle: str | None = None,
        max_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._most = max_connections
        self._given: aiohttp.ClientSession | None = client
        self._ca_bundle = ca_bundle
        self._own: tuple[tuple[int, object], aiohttp.ClientSession] | None = None
        self._proxies: dict[str, _Proxy] = {}  # one entry for each address, which are few

    @property
    def pooled(self) -> Any:
        """Whatever holds the connections, or None before there are any."""
        return self._given if self._own is None else self._own[1]

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        times = outgoing.timeouts
        body = None if outgoing.content is None else _Body(outgoing.content, times.write)
        proxy, proxy_headers = self._proxy(outgoing.url)
        try:
            with _translated():
                response = await self._session().request(
                    outgoing.method,
                    outgoing.url,
                    headers={"accept-encoding": ACCEPTED, **outgoing.headers},
                    data=body,
                    proxy=proxy,
                    proxy_headers=proxy_headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None,
                        connect=times.pool + times.connect,
                        sock_connect=times.connect,
                        sock_read=times.read,
                    ),
                )
        except BaseException:
            if body is not None:
                body.abort()
            raise
        return _AiohttpAnswer(response, body)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._own is not None:
            (_, session), self._own = self._own, None
            await session.close()

    def _proxy(self, url: str) -> _Proxy:
        """Return the proxy that the environment names; a session handed in knows its own."""
        if self._given is not None:
            return None, None
        base_url = url.partition("/v1/")[0]
        if base_url not in self._proxies:
            self._proxies[base_url] = _proxy_of(base_url)
        return self._proxies[base_url]

    def _session(self) -> aiohttp.ClientSession:
        if self._given is not None:
            return self._given
        home = (os.getpid(), asyncio.get_running_loop())  # sockets survive neither fork nor loop
        if self._own is None or self._own[0] != home:
            context: ssl.SSLContext | bool = True
            if self._ca_bundle:
                context = ssl.create_default_context(cafile=self._ca_bundle)
            connector = aiohttp.TCPConnector(
                limit=self._most, ssl=context, socket_factory=_kept_alive
            )
            self._own = (
                home,
                # trust_env would look for proxies and .netrc in two threads, at every call.
                aiohttp.ClientSession(connector=connector, auto_decompress=False),
            )
        return self._own[1]


def _proxy_of(base_url: str) -> _Proxy:
    named = proxy_for(base_url)
    if named is None:
        return None, None
    proxy = URL(named)
    if proxy.scheme not in ("http", "https"):
        raise ConfigError(
            f"the environment names a {proxy.scheme}: proxy, and aiohttp takes http and https ones; "
            "http='httpx2' takes SOCKS too"
        )
    if proxy.user is None:
        return proxy, None
    # Errors of aiohttp quote the address, so the password travels beside it. aiohttp makes a
    # Proxy-Authorization of this header.
    secret = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
    return proxy.with_user(None), {"Authorization": f"Basic {secret}"}


class _Body(aiohttp.Payload):
    """A body that is sent piece by piece, none of which may take too long; aiohttp has no such limit.

    It knows the transport that carries it. When aiohttp gives a connection up, its transport goes on
    until the rest has been sent, which is never where the server does not read; ``abort`` ends it.
    """

    _value: bytes

    def __init__(self, content: bytes, seconds: float) -> None:
        super().__init__(content)
        self._size = len(content)
        self._seconds = seconds
        self._carrier: asyncio.Transport | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: Any) -> None:
        self._carrier = writer.transport
        try:
            for at in range(0, len(self._value), _PIECE):
                if at:  # what the server may have said already is read before more is written
                    await asyncio.sleep(0)
                async with asyncio.timeout(self._seconds):
                    await writer.write(self._value[at : at + _PIECE])
        except TimeoutError as late:
            raise _Stuck(f"the server took nothing for {self._seconds:g} s") from late
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        if self._carrier is not None:
            self._carrier.abort()


def _kept_alive(address: Any) -> Any:
    import socket  # noqa: PLC0415 -- asyncio has loaded it already

    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    for option in keep_alive():
        made.setsockopt(*option)
    return made


class _AiohttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse, body: _Body | None) -> None:
        self._response = response
        self._body = body
        self.status: int = response.status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }

    def chunks(self) -> AsyncGenerator[bytes, None]:
        return inflated(self._raw(), self.headers.get("content-encoding", ""))

    async def _raw(self) -> AsyncGenerator[bytes, None]:
        with _translated():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def finish(self, chunks: AsyncGenerator[bytes, None]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await drained(chunks)

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()  # the connection goes back to the pool
        else:
            self._response.close()
            if self._body is not None:
                self._body.abort()
