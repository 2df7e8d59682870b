"""The own connections of an ``AsyncPipeline``, by the name that ``http=`` gives them.

``"auto"`` is aiohttp under asyncio and httpcore2 under trio: which loop will run is not known when a
pipeline is built, and may differ from call to call.
"""

import asyncio
from typing import Any

from hookline._http.homes import MOST_POOLS
from hookline._http.own_pool import AsyncPool
from hookline._http.proxies import proxy_for
from hookline._http.transport import Outgoing, RawResponse, Transport, require_open

__all__ = ["Fastest", "connections"]


def connections(engine: str, **options: Any) -> Transport:
    """Return a transport with connections of our own.

    Args:
        engine: as ``hookline._http.transport.choose`` returns it.
        **options: those of ``AsyncPool`` and ``AiohttpHTTP`` alike.

    """
    if engine == "auto":
        return Fastest(**options)
    if engine == "httpcore2":
        return AsyncPool(**options)
    from hookline._http.aiohttp import AiohttpHTTP  # noqa: PLC0415 -- an extra

    return AiohttpHTTP(**options)


class Fastest:
    """The transport that is fastest in the event loop in which it is used.

    Args:
        **options: those of ``AsyncPool`` and ``AiohttpHTTP`` alike.

    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._made: dict[str, Transport] = {}
        self._spoken: dict[str, bool] = {}
        self._closed = False

    @property
    def in_use(self) -> int:
        """See ``Transport.in_use``."""
        return sum(each.in_use for each in self._made.values())

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        require_open(closed=self._closed)
        engine = "aiohttp" if _on_asyncio() and self._speaks(outgoing.url) else "httpcore2"
        transport = self._made.get(engine)
        if transport is None:
            transport = self._made.setdefault(engine, connections(engine, **self._options))
        return await transport.open(outgoing)

    def _speaks(self, url: str) -> bool:
        """Say whether aiohttp knows the way to an address: it speaks no SOCKS."""
        base_url = url.partition("/v1/")[0]
        known = self._spoken.get(base_url)
        if known is None:
            if len(self._spoken) >= MOST_POOLS:
                self._spoken.clear()
            proxy = proxy_for(url)
            known = proxy is None or proxy.scheme in ("http", "https")
            self._spoken[base_url] = known
        return known

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        self._closed = True
        for transport in self._made.values():
            await transport.aclose()


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
