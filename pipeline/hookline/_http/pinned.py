"""One HTTP exchange with a chosen address: what the guarded fetch is carried out by.

A connection of our own, which serves this exchange alone: no credentials, no cookies, no proxies
from the environment. The socket goes to the address that was checked, while the Host header and the
TLS server name stay the host's. What is sent are the parts of the URL; nothing parses it again.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from hookline._fetch.fetch import Exchange, Lookup, fetch
from hookline._fetch.url_grammar import FetchRefused
from hookline._http.certificates import Certificates
from hookline._io.threads import call_elsewhere, call_within
from hookline.turn import IO, Fetched

if TYPE_CHECKING:
    from hookline._http.transport import RawResponse

__all__ = ["AsyncPinned", "GuardedFetch", "SyncPinned", "async_fetch", "look_up", "sync_fetch"]

_Answered = tuple[int, dict[str, str], bytes]


class GuardedFetch:
    """The guarded fetch, as an IO is handed it; see ``hookline._fetch.fetch.fetch``.

    Args:
        exchange: of the IO's colour.
        look_up: of the same.

    """

    def __init__(self, exchange: Exchange, look_up: Lookup) -> None:
        self._exchange = exchange
        self._look_up = look_up

    async def __call__(self, url: str, *, io: IO, **options: Any) -> Fetched:
        """Fetch an untrusted URL."""
        options = {"exchange": self._exchange, "look_up": self._look_up, **options}
        return await fetch(url, io=io, **options)


def sync_fetch(ca_bundle: str | None = None) -> GuardedFetch:
    """Return the guarded fetch of a ``Pipeline``.

    Args:
        ca_bundle: a PEM file of authorities to trust instead of the usual ones.

    """
    return GuardedFetch(SyncPinned(Certificates(ca_bundle)), look_up)


def async_fetch(ca_bundle: str | None = None) -> GuardedFetch:
    """Return the guarded fetch of an ``AsyncPipeline``; see ``sync_fetch``."""
    return GuardedFetch(AsyncPinned(Certificates(ca_bundle)), _look_up_async)


async def look_up(resolve: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """Ask a resolver in blocking code; see ``hookline._fetch.fetch.Lookup``."""
    return call_within(seconds, resolve)


async def _look_up_async(resolve: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    import anyio  # noqa: PLC0415 -- only async code needs it

    with anyio.fail_after(seconds):
        return await call_elsewhere(resolve)


def _request(wanted: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the origin, and the request as the engine wants it."""
    import httpcore2  # noqa: PLC0415 -- most turns never fetch

    scheme, host, port = wanted["scheme"], wanted["host"], wanted["port"]
    named = f"[{host}]" if ":" in host else host
    if port != {"http": 80, "https": 443}[scheme]:
        named += f":{port}"
    content = wanted["content"]
    headers = {"host": named, "accept-encoding": "identity", **wanted["headers"]}
    if content is not None:
        headers["content-length"] = str(len(content))
    url = httpcore2.URL(scheme=scheme, host=host, port=port, target=wanted["target"])
    times = dict.fromkeys(("connect", "read", "write", "pool"), wanted["timeout"])
    return f"{scheme}://{named}", httpcore2.Request(
        wanted["method"],
        url,
        headers=[(name, value.encode("latin-1")) for name, value in headers.items()],
        content=content,
        extensions={"timeout": times},
    )


async def _answered(answer: "RawResponse", host: str, max_bytes: int) -> _Answered:
    """Return status, headers and body of an answer, of which no more than the limit is read."""
    parts: list[bytes] = []
    size = 0
    chunks = answer.chunks()
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise FetchRefused(f"{host} sent more than {max_bytes:,} bytes", host)
            parts.append(chunk)
    finally:
        try:
            await chunks.aclose()
        finally:
            await answer.aclose()
    return answer.status, dict(answer.headers), b"".join(parts)


class SyncPinned:
    """The exchange of a ``Pipeline``.

    Args:
        certificates: whom TLS connections trust.

    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    async def __call__(self, **wanted: Any) -> _Answered:
        """Send one request; see ``hookline._fetch.fetch.Exchange``."""
        from hookline._http.own_pool import SyncPool  # noqa: PLC0415 -- most turns never fetch

        pool = SyncPool(certificates=self._certificates, address=wanted["address"])
        try:
            answer = await pool.send(*_request(wanted), deadline=monotonic() + wanted["timeout"])
            return await _answered(answer, wanted["host"], wanted["max_bytes"])
        finally:
            await pool.aclose()


class AsyncPinned:
    """The exchange of an ``AsyncPipeline``; arguments as for the other."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    async def __call__(self, **wanted: Any) -> _Answered:
        """Send one request; see ``hookline._fetch.fetch.Exchange``."""
        import anyio  # noqa: PLC0415 -- only async code needs it

        from hookline._http.own_pool import AsyncPool  # noqa: PLC0415 -- most turns never fetch

        pool = AsyncPool(certificates=self._certificates, address=wanted["address"])
        try:
            with anyio.fail_after(wanted["timeout"]):
                answer = await pool.send(*_request(wanted))
                return await _answered(answer, wanted["host"], wanted["max_bytes"])
        finally:
            with anyio.CancelScope(shield=True):
                await pool.aclose()
