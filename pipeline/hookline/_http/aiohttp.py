"""The adapter for aiohttp (extra ``fast``): asyncio only, an order of magnitude more calls a second."""

import asyncio
import base64
import socket
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from hookline._http.certificates import Certificates
from hookline._http.connecting import look_up_async
from hookline._http.homes import MOST_POOLS, Home, Pools, elsewhere, home_of_loop
from hookline._http.inflate import ACCEPTED, inflated
from hookline._http.network import keep_alive
from hookline._http.proxies import proxy_for
from hookline._http.transport import (
    GRACE,
    Outgoing,
    RawResponse,
    bare,
    drained,
    failed,
    require_open,
)
from hookline.config import MOST_CONNECTIONS
from hookline.errors import ConfigError
from hookline.values.secret import HiddenText

__all__ = ["AiohttpHTTP"]

_Proxy: TypeAlias = tuple[URL | None, dict[str, str] | None]
_ANEW: Final = " anew"  # behind an address: the session that keeps no connections
_PIECE: Final = 64 * 1024  # bytes of a large body; all at once would hold up the event loop
_SMALL: Final = 32 * 1024  # bytes that any connection takes without a wait that had to be bounded


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


class _translated:  # noqa: N801 -- as in `hookline._http.errors`, and a class for the same reason
    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if not isinstance(error, TimeoutError | aiohttp.ClientError):
            return
        for each, phase, retryable in _FAILURES:
            if isinstance(error, each):
                late = isinstance(error, TimeoutError)
                raise failed(error, phase, retryable=retryable, late=late) from _bare(error)


def _bare(error: BaseException) -> BaseException:
    """Return an error without its frames and without the headers of the request that it tells of."""
    if isinstance(error, aiohttp.ClientResponseError):
        text = str(error)
        sent = error.request_info
        without = CIMultiDictProxy(CIMultiDict[str]())
        error.request_info = aiohttp.RequestInfo(sent.url, sent.method, without, sent.real_url)
        error.args = (text,)
    return bare(error)


class AiohttpHTTP:
    """The transport of an ``AsyncPipeline`` under asyncio.

    Args:
        client: an ``aiohttp.ClientSession`` of the user's, or None.
        certificates: whom TLS connections trust.
        max_connections: to one address; further requests wait.

    """

    def __init__(
        self,
        client: Any = None,
        *,
        certificates: Certificates | None = None,
        max_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._most = max_connections
        self._given: aiohttp.ClientSession | None = client
        self._given_home: Home | None = None
        self._certificates = certificates or Certificates()
        self._own: Pools[aiohttp.ClientSession] = Pools(self._in_use_of)
        self._closed = False
        self._proxies: dict[str, _Proxy] = {}
        self._kept: WeakSet[Any] = WeakSet()  # transports that have carried a request of ours
        # Until they are closed, and by which session they came.
        self._answers: dict[aiohttp.ClientResponse, aiohttp.ClientSession] = {}

    @property
    def in_use(self) -> int:
        """See ``Transport.in_use``."""
        return sum(answer.connection is not None for answer in [*self._answers])

    def _in_use_of(self, session: aiohttp.ClientSession) -> int:
        return sum(each is session for each in [*self._answers.values()])

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        require_open(closed=self._closed)
        session = await self._session(outgoing.url)
        body = self._body(outgoing)
        with _translated():
            try:
                response = await self._sent(session, outgoing, body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if body is None or not body.met_stale(error):
                    raise  # without a body, aiohttp sees to it by itself
                body = self._body(outgoing)
                session = await self._session(outgoing.url, keep=False)
                response = await self._sent(session, outgoing, body)
        self._answers[response] = session
        return _AiohttpAnswer(response, body, lambda answer: self._answers.pop(answer, None))

    def _body(self, outgoing: Outgoing) -> "_Body | None":
        if outgoing.content is None:
            return None
        return _Body(outgoing.content, outgoing.timeouts.write, self._kept)

    async def _sent(
        self, session: aiohttp.ClientSession, outgoing: Outgoing, body: "_Body | None"
    ) -> aiohttp.ClientResponse:
        times = outgoing.timeouts
        own: dict[str, Any] = {}
        if self._given is None:  # a session that was handed in has its own
            own["proxy"], own["proxy_headers"] = self._proxy(outgoing.url)
            if outgoing.url.startswith("https:") or own["proxy"] is not None:
                own["ssl"] = self._certificates.context()
        try:
            return await session.request(
                outgoing.method,
                outgoing.url,
                headers={"accept-encoding": ACCEPTED, **outgoing.headers},
                data=body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=times.pool + times.connect,
                    sock_connect=times.connect,
                    sock_read=times.read,
                ),
                **own,
            )
        except BaseException:
            if body is not None:
                body.abort()
            raise

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        self._closed = True
        here = home_of_loop()
        for home, session in self._own.take_all():
            if home == here:
                await session.close()
            else:
                await elsewhere(home[1], session.close)

    def _proxy(self, url: str) -> _Proxy:
        """Return the proxy that the environment names, if it does."""
        base_url = url.partition("/v1/")[0]
        known = self._proxies.get(base_url)
        if known is None:
            if len(self._proxies) >= MOST_POOLS:
                self._proxies.clear()
            known = self._proxies[base_url] = _proxy_of(base_url)
        return known

    async def _session(self, url: str, *, keep: bool = True) -> aiohttp.ClientSession:
        """Return the session of this event loop and address.

        Where one kept connection has gone stale others have too: one that does not ``keep`` them opens
        a new one each time. A session that was handed in has what it has.

        One for all addresses would do, but aiohttp's limit for each of them costs a tenth of a call.
        """
        if self._given is not None:
            return self._own_of_loop(self._given)
        session, surplus = self._own.get(
            home_of_loop(),
            url.partition("/v1/")[0] + ("" if keep else _ANEW),
            partial(self._new_session, keep=keep),
        )
        for each in surplus:
            await each.close()
        return session

    def _own_of_loop(self, given: aiohttp.ClientSession) -> aiohttp.ClientSession:
        """Return the session that was handed in, in the loop in which it has been used first."""
        here = home_of_loop()
        if self._given_home is None:
            self._given_home = here
        elif self._given_home != here:
            raise ConfigError(
                "the aiohttp session that was handed in as client= belongs to another event loop; "
                "without client= each loop gets one of its own"
            )
        return given

    def _new_session(self, *, keep: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._most,
            socket_factory=_kept_alive,
            resolver=_Resolver(),
            force_close=not keep,
        )
        # trust_env would look for proxies and .netrc in two threads, at every call.
        return aiohttp.ClientSession(connector=connector, auto_decompress=False)


class _Resolver(AbstractResolver):
    """Looks names up in threads of our own: those of the loop are few, and a look-up may hang."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await look_up_async(host, port)
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in found
            if family in (socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET)
        ]

    async def close(self) -> None:
        """Nothing is kept."""


def _proxy_of(base_url: str) -> _Proxy:
    named = proxy_for(base_url)
    if named is None:
        return None, None
    if named.scheme not in ("http", "https"):
        raise ConfigError(
            f"the environment names a {named.scheme}: proxy, and aiohttp takes http and https ones; "
            "http='httpcore2' takes SOCKS too"
        )
    if named.credentials is None:
        return URL(named.url), None
    # Errors of aiohttp quote the address, so the password travels beside it. aiohttp makes a
    # Proxy-Authorization of this header.
    told = base64.b64encode(":".join(named.credentials).encode()).decode()
    return URL(named.url), {"Authorization": HiddenText(f"Basic {told}")}


class _Body(aiohttp.Payload):
    """A body that is sent piece by piece, none of which may take too long; aiohttp has no such limit.

    It knows the transport that carries it. When aiohttp gives a connection up, its transport goes on
    until the rest has been sent, which is never where the server does not read; ``abort`` ends it.
    """

    _value: bytes

    def __init__(self, content: bytes, seconds: float, kept: "WeakSet[Any]") -> None:
        super().__init__(content)
        self._size = len(content)
        self._seconds = seconds
        self._kept = kept
        self._carrier: asyncio.Transport | None = None
        self._reused = False

    def met_stale(self, error: Exception) -> bool:
        """Say whether the error means that a kept connection ended before the answer began.

        Only a connection that this transport has used before counts as kept.
        """
        begun = isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(
            error.message, str
        )  # then it is what had arrived of a head
        return self._reused and not begun and not isinstance(error, TimeoutError)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: Any) -> None:
        self._carrier = carrier = writer.transport
        if carrier is not None:
            self._reused = carrier in self._kept
            if not self._reused:
                with suppress(TypeError):  # a loop whose transports take no weak reference
                    self._kept.add(carrier)
        if len(self._value) <= _SMALL:
            await writer.write(self._value, drain=False)
            return
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
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    for option in keep_alive():
        made.setsockopt(*option)
    return made


class _AiohttpAnswer:
    bounded = False

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        body: _Body | None,
        closed: Callable[[aiohttp.ClientResponse], object],
    ) -> None:
        self._closed = closed
        self._response = response
        self._body = body
        self.status: int = response.status
        self.hidden: Collection[str] = ()
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

    def abort(self) -> None:
        """See ``RawResponse.abort``: what waits for it is cancelled, being bounded by nothing else."""

    async def aclose(self) -> None:
        self._closed(self._response)
        if self._response.content.at_eof():
            self._response.release()  # the connection goes back to the pool
        else:
            self._response.close()
            if self._body is not None:
                self._body.abort()
