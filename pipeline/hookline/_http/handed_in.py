"""The adapter for clients of httpx and httpx2, which share one interface.

For a client that the user hands in, whatever it brings along (a proxy, mounts, a mock, an ASGI
application), and for the simulator, which takes the place of the library's own transport. Without
either, ``hookline._http.own_pool`` does the work.
"""

import sys
import threading
from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any, Final

from hookline._http.errors import translated
from hookline._http.inflate import ACCEPTED
from hookline._http.network import BoundedBackend, Deadline
from hookline._http.pool_repair import drop_orphans, pools
from hookline._http.responses import AsyncRawResponse, SyncRawResponse
from hookline._http.transport import Outgoing, RawResponse, choose
from hookline.config import Library
from hookline.errors import ConfigError

__all__ = ["AsyncHTTP", "SyncHTTP", "library"]

_LIBRARIES: Final = ("httpx2", "httpx")


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


class _HTTP(ABC):
    """What both colours share: the user's client, or one that the simulator answers.

    Args:
        client: a client of the user's, or None.
        simulator: who answers in-process, if there is no client.
        wanted: the library for the simulator's client.

    """

    kind = "Client"
    other = "AsyncPipeline takes an AsyncClient"

    def __init__(
        self, client: Any = None, *, simulator: Any = None, wanted: Library = "auto"
    ) -> None:
        self._given = client
        self._simulator = simulator
        self._wanted: Library = wanted
        self._making = threading.Lock()
        self._module: Any = None
        self._client: Any = None
        if client is not None:
            self._module = library(client)
            if not isinstance(client, getattr(self._module, self.kind)):
                raise ConfigError(f"this pipeline's client= takes a {self.kind}; {self.other}")
            self._client = client

    @property
    def pooled(self) -> Any:
        """Whatever holds the connections, or None before there are any."""
        return self._client

    def _ready(self) -> Any:
        """Return the client; the simulator's is made when the first request needs it."""
        client = self._client
        if client is None:
            with self._making:  # threads that begin together share one
                client = self._client
                if client is None:
                    self._module = library(wanted=self._wanted)
                    client = self._client = getattr(self._module, self.kind)(
                        transport=self._simulated(self._module)
                    )
        if client.is_closed:
            raise ConfigError("the client that was handed in as client= has been closed")
        return client

    @property
    def _leaky(self) -> bool:
        return self._module is not None and self._module.__name__ == "httpx"

    @abstractmethod
    def _simulated(self, module: Any) -> Any:
        """Return the library's own kind of transport with the simulator behind it."""

    def _request(self, client: Any, outgoing: Outgoing) -> Any:
        times = outgoing.timeouts
        return client.build_request(  # the client's own headers and cookies belong to its user
            outgoing.method,
            outgoing.url,
            headers={"accept-encoding": ACCEPTED, **outgoing.headers},
            content=outgoing.content,
            timeout=self._module.Timeout(
                connect=times.connect, write=times.write, read=times.read, pool=times.pool
            ),
        )


def _parts(response: Any) -> tuple[Any, int, Any, Any]:
    """Return what an answer is made of; the client wraps its transport's stream, and that the engine's."""
    engine = getattr(getattr(response.stream, "_stream", None), "_httpcore_stream", None)
    return response, response.status_code, response.headers.raw, engine


def bounded(client: Any) -> Deadline:
    """Let the waits of a user's client end with the deadline of a turn, while one uses it.

    Reaches into its pools, as the repair of them does; a client without any has no deadline but the
    time-outs of its requests.

    Args:
        client: a blocking client.

    Returns:
        What bounds them; the same for all pipelines that share the client.

    """
    found = list(pools(client))
    known = (getattr(pool, "_network_backend", None) for pool in found)
    limit = next((each.deadline for each in known if isinstance(each, BoundedBackend)), Deadline())
    for pool in found:
        backend = getattr(pool, "_network_backend", None)
        if hasattr(backend, "connect_tcp") and not isinstance(backend, BoundedBackend):
            core = import_module(type(pool).__module__.partition(".")[0])
            pool._network_backend = BoundedBackend(core, limit, backend)  # noqa: SLF001 -- no public way
    return limit


class SyncHTTP(_HTTP):
    """The transport of a ``Pipeline``: blocks, and never suspends; arguments as for its base."""

    def __init__(self, client: Any = None, **options: Any) -> None:
        super().__init__(client, **options)
        self._limit = Deadline() if client is None else bounded(client)

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        client = self._ready()
        if self._leaky:
            for orphan in drop_orphans(client):
                orphan.close()
        with translated(), self._limit.until(outgoing.deadline):
            response = client.send(
                self._request(client, outgoing), stream=True, follow_redirects=False
            )
        return SyncRawResponse(*_parts(response), limit=self._limit, deadline=outgoing.deadline)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._given is None and self._client is not None:
            client, self._client = self._client, None
            client.close()

    def _simulated(self, module: Any) -> Any:
        from hookline.simulator.front.transport import sync_transport  # noqa: PLC0415 -- only when asked for

        return sync_transport(module, self._simulator)


class AsyncHTTP(_HTTP):
    """The transport of an ``AsyncPipeline``, for asyncio and trio; arguments as for its base."""

    kind = "AsyncClient"
    other = "Pipeline takes a Client"

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        client = self._ready()
        await self._drop_orphans(client)
        try:
            with translated():
                response = await client.send(
                    self._request(client, outgoing), stream=True, follow_redirects=False
                )
        except BaseException:
            await self._drop_orphans(client)  # a cancellation may just have made one
            raise
        return AsyncRawResponse(*_parts(response), leaky=self._leaky)

    async def aclose(self) -> None:
        """See ``Transport.aclose``."""
        if self._given is None and self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _drop_orphans(self, client: Any) -> None:
        if self._leaky:
            for orphan in drop_orphans(client):
                await orphan.aclose()

    def _simulated(self, module: Any) -> Any:
        from hookline.simulator.front.transport import async_transport  # noqa: PLC0415 -- only when asked for

        return async_transport(module, self._simulator)
