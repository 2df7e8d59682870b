"""The own connections of an ``AsyncPipeline``, by the name that ``http=`` gives them.

``"auto"`` is aiohttp under asyncio and httpcore2 under trio: which loop will run is not known when a
pipeline is built, and may differ from call to call.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

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
        self._closed = False

    @property
    def in_use(self) -> int:
        """See ``Transport.in_use``."""
        return sum(each.in_use for each in self._made.values())

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        require_open(closed=self._closed)
        engine = "aiohttp" if _takes_aiohttp(outgoing.url) else "httpcore2"
        transport = self._made.get(engine)
        if transport is None:
            transport = self._made.setdefault(engine, connections(engine, **self._options))
        return await transport.open(outgoing)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        self._closed = True
        for transport in self._made.values():
            await transport.aclose()


def _takes_aiohttp(url: str) -> bool:
    """Say whether aiohttp can serve here: it knows asyncio alone, and no SOCKS."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    proxy = proxy_for(url)
    return proxy is None or urlsplit(proxy).scheme in ("http", "https")
