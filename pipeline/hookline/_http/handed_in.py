"""The adapter for a client of httpx or httpx2 that somebody handed in; both share one interface.

It is used with whatever it brings along (a proxy, mounts, a mock, an ASGI application), and is
afterwards as it was before: all that we want differently is said with each request. Without a
client, ``hookline._http.own_pool`` does the work.
"""

import sys
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any, Final

from hookline._http.cutoff import Cutoff, exchanged_within, shut
from hookline._http.errors import translated
from hookline._http.inflate import ACCEPTED
from hookline._http.pool_repair import Repair, engine_stream, pool_of
from hookline._http.responses import AsyncRawResponse, SyncRawResponse
from hookline._http.transport import Outgoing, RawResponse
from hookline.errors import ConfigError, TransportError

__all__ = ["AsyncHTTP", "SyncHTTP"]

_LIBRARIES: Final = ("httpx2", "httpx")
_LEAST: Final = 0.001  # seconds; a time-out of 0 would mean "do not wait at all"


def _library(client: Any) -> Any:
    """Return the module that a client came from.

    Raises:
        ConfigError: it is of neither library.

    """
    for name in _LIBRARIES:
        module = sys.modules.get(name)
        if module is not None and isinstance(client, module.Client | module.AsyncClient):
            return module
    raise ConfigError(
        f"client= takes an httpx or httpx2 client, not {type(client).__module__}."
        f"{type(client).__qualname__}"
    )


class _Steps:
    """What a request went through, as the libraries tell it to the extension ``trace``.

    A mock or an ASGI application tells nothing, and has no connection that could have been kept.
    """

    __slots__ = ("_answered", "_asked", "_connected", "_cut", "_stream")

    def __init__(self) -> None:
        self._connected = self._asked = self._answered = self._cut = False
        self._stream: Any = None

    def note(self, step: str, info: Any) -> None:
        """Take note of a step."""
        path, _, state = step.rpartition(".")
        name = path.rpartition(".")[2]
        if name in ("connect_tcp", "connect_unix_socket", "start_tls"):
            self._connected = True
            if state == "complete":
                self._stream = info["return_value"]
                if self._cut:
                    self.cut()
        elif name == "send_request_headers":
            self._asked = True
        elif name == "receive_response_headers" and state == "complete":
            self._answered = True

    def cut(self) -> None:
        """Shut the connection down that was made for the request; also one that is made later."""
        self._cut = True
        if self._stream is not None:
            shut(self._stream.get_extra_info("socket"))

    async def anote(self, step: str, info: Any) -> None:
        """Take note of a step, in async code."""
        self.note(step, info)

    def show_stale(self, error: TransportError) -> bool:
        """Say whether the error means that a kept connection ended before the answer began."""
        cause = error.__cause__
        ended = type(cause).__name__ in ("ReadError", "WriteError") or (
            type(cause).__name__ == "RemoteProtocolError" and "disconnected" in str(cause)
        )
        return ended and self._asked and not (self._connected or self._answered)


class _HTTP:
    """What both colours share.

    Args:
        client: the user's.

    """

    kind = "Client"
    other = "AsyncPipeline takes an AsyncClient"

    def __init__(self, client: Any) -> None:
        self._module = _library(client)
        if not isinstance(client, getattr(self._module, self.kind)):
            raise ConfigError(f"this pipeline's client= takes a {self.kind}; {self.other}")
        self._client = client
        self._last_url = ""

    @property
    def in_use(self) -> int:
        """See ``Transport.in_use``."""
        pool = pool_of(self._client, self._module.URL(self._last_url)) if self._last_url else None
        connections = () if pool is None else pool.connections
        return sum(not (each.is_idle() or each.is_closed()) for each in connections)

    def _request(self, outgoing: Outgoing, trace: Any) -> Any:
        if self._client.is_closed:
            raise ConfigError("the client that was handed in as client= has been closed")
        self._last_url = outgoing.url
        times = outgoing.timeouts
        if outgoing.deadline is not None:
            times = times.within(max(_LEAST, outgoing.deadline - monotonic()))
        return self._client.build_request(  # its own headers and cookies belong to its user
            outgoing.method,
            outgoing.url,
            headers={"accept-encoding": ACCEPTED, **outgoing.headers},
            content=outgoing.content,
            timeout=self._module.Timeout(
                connect=times.connect, write=times.write, read=times.read, pool=times.pool
            ),
            extensions={"trace": trace},
        )


def _parts(response: Any) -> tuple[Any, int, Any, Any]:
    """Return what an answer is made of."""
    return response, response.status_code, response.headers.raw, engine_stream(response)


class _CutOffResponse(SyncRawResponse):
    """An answer whose reading ends with the deadline though its connection knows of none."""

    def __init__(self, response: Any, deadline: float | None) -> None:
        self._cutoff = Cutoff(response)
        super().__init__(*_parts(response), limit=self._cutoff, deadline=deadline)

    async def finish(self, chunks: AsyncGenerator[bytes, None]) -> None:
        self._cutoff.guarded = True  # what does not come at once would be waited for
        await super().finish(chunks)

    async def aclose(self) -> None:
        self._cutoff.end()
        await super().aclose()


class SyncHTTP(_HTTP):
    """The transport of a ``Pipeline``: blocks, and never suspends; arguments as for its base."""

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        steps = _Steps()
        try:
            response = self._sent(outgoing, steps)
        except TransportError as error:
            if not steps.show_stale(error):
                raise
            response = self._sent(outgoing, _Steps())
        return _CutOffResponse(response, outgoing.deadline)

    def _sent(self, outgoing: Outgoing, steps: _Steps) -> Any:
        with translated():
            request = self._request(outgoing, steps.note)
            return exchanged_within(
                outgoing.deadline,
                lambda: self._client.send(request, stream=True, follow_redirects=False),
                steps.cut,
            )

    async def aclose(self) -> None:
        """See ``Transport.aclose``: the client stays open."""


class AsyncHTTP(_HTTP):
    """The transport of an ``AsyncPipeline``, for asyncio and trio; arguments as for its base."""

    kind = "AsyncClient"
    other = "Pipeline takes a Client"

    async def open(self, outgoing: Outgoing) -> RawResponse:
        """See ``Transport.open``."""
        steps = _Steps()
        try:
            return await self._sent(outgoing, steps)
        except TransportError as error:
            if not steps.show_stale(error):
                raise
        return await self._sent(outgoing, _Steps())

    async def _sent(self, outgoing: Outgoing, steps: _Steps) -> RawResponse:
        with translated():
            request = self._request(outgoing, steps.anote)
        repair = None
        if self._module.__name__ == "httpx":
            repair = Repair(pool_of(self._client, request.url))
            await repair.drop_orphans()
        try:
            with translated():
                response = await self._client.send(request, stream=True, follow_redirects=False)
        except BaseException:
            if repair is not None:
                await repair.drop_orphans()  # a cancellation may just have made one
            raise
        return AsyncRawResponse(*_parts(response), repair=repair)

    async def aclose(self) -> None:
        """See ``Transport.aclose``: the client stays open."""
