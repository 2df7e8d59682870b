"""One HTTP exchange with a chosen address: what the guarded fetch is carried out by.

The socket goes to the address that was checked, while the Host header and the TLS server name stay
the host's. A client of its own: no credentials, no cookies, no proxies from the environment.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from hookline._fetch.url_grammar import FetchRefused
from hookline._http.errors import translated
from hookline._http.handed_in import library
from hookline._http.watchdog import Watchdog

__all__ = ["AsyncPinned", "SyncPinned"]

Fetched = tuple[int, dict[str, str], bytes]


def _request(module: Any, client: Any, wanted: Mapping[str, Any], **more: Any) -> Any:
    address = f"[{wanted['address']}]" if ":" in wanted["address"] else wanted["address"]
    default_port = {"http": 80, "https": 443}[wanted["scheme"]]
    host = f"[{wanted['host']}]" if ":" in wanted["host"] else wanted["host"]
    named = host if wanted["port"] == default_port else f"{host}:{wanted['port']}"
    return client.build_request(
        wanted["method"],
        f"{wanted['scheme']}://{address}:{wanted['port']}{wanted['target']}",
        headers={"accept-encoding": "identity", **wanted["headers"], "host": named},
        content=wanted["content"],
        timeout=module.Timeout(wanted["timeout"]),
        extensions={"sni_hostname": wanted["host"], "timeout": _seconds(wanted["timeout"]), **more},
    )


def _seconds(timeout: float) -> dict[str, float]:
    return dict.fromkeys(("connect", "read", "write", "pool"), timeout)


class _Body:
    """Collects a body and stops at its limit."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self._host: str = wanted["host"]
        self._limit: int = wanted["max_bytes"]
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise FetchRefused(f"{self._host} sent more than {self._limit:,} bytes", self._host)
        self._parts.append(chunk)

    def whole(self) -> bytes:
        return b"".join(self._parts)


class SyncPinned:
    """The exchange of a ``Pipeline``."""

    async def __call__(self, **wanted: Any) -> Fetched:
        """Send one request; see ``hookline._io.Exchange``."""
        module = library()
        body = _Body(wanted)
        with (
            translated(),
            module.Client(trust_env=False) as client,
            Watchdog(wanted["timeout"]) as watchdog,
        ):
            request = _request(module, client, wanted, trace=watchdog.trace)
            response = client.send(request, stream=True, follow_redirects=False)
            try:
                chunks: Iterator[bytes] = response.iter_raw()
                for chunk in chunks:
                    body.add(chunk)
            finally:
                response.close()
        return response.status_code, dict(response.headers), body.whole()


class AsyncPinned:
    """The exchange of an ``AsyncPipeline``."""

    async def __call__(self, **wanted: Any) -> Fetched:
        """Send one request; see ``hookline._io.Exchange``."""
        module = library()
        body = _Body(wanted)
        import anyio  # noqa: PLC0415 -- only async code needs it

        with translated(), anyio.fail_after(wanted["timeout"]):
            async with module.AsyncClient(trust_env=False) as client:
                request = _request(module, client, wanted)
                response = await client.send(request, stream=True, follow_redirects=False)
                try:
                    chunks: AsyncIterator[bytes] = response.aiter_raw()
                    async for chunk in chunks:
                        body.add(chunk)
                finally:
                    await response.aclose()
        return response.status_code, dict(response.headers), body.whole()
