"""The simulator behind the HTTP library's own seam: requests take the wire's road, without a wire.

Bodies, headers and server-sent events are the bytes that a socket would carry, so what works here
works over HTTP.
"""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from hookline.simulator.exchange import Answer, Call, Cut, Pause
from hookline.simulator.front.core import Simulator

__all__ = ["async_transport", "sync_transport"]


def sync_transport(module: Any, simulator: Simulator) -> Any:
    """Return a ``module.BaseTransport`` that the simulator answers.

    Args:
        module: ``httpx`` or ``httpx2``.
        simulator: who answers.

    """

    class SimulatorStream(module.SyncByteStream):  # type: ignore[misc]  # the base depends on the library
        def __init__(self, answer: Answer) -> None:
            self._answer = answer

        def __iter__(self) -> Iterator[bytes]:
            for part in self._answer.body:
                if isinstance(part, bytes):
                    yield part
                elif isinstance(part, Pause):
                    time.sleep(part.seconds)
                elif isinstance(part, Cut):
                    raise module.ReadError("the simulator cut the connection, as its scenario says")

    class SimulatorTransport(module.BaseTransport):  # type: ignore[misc]  # as above
        def handle_request(self, request: Any) -> Any:
            answer = simulator.handle(_call(request, request.read()))
            if answer.delay:
                time.sleep(answer.delay)
            return _response(module, answer, SimulatorStream(answer))

    return SimulatorTransport()


def async_transport(module: Any, simulator: Simulator) -> Any:
    """Return a ``module.AsyncBaseTransport`` that the simulator answers; see `sync_transport`."""
    import anyio  # noqa: PLC0415 -- only async code needs it

    class SimulatorStream(module.AsyncByteStream):  # type: ignore[misc]  # the base depends on the library
        def __init__(self, answer: Answer) -> None:
            self._answer = answer

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for part in self._answer.body:
                if isinstance(part, bytes):
                    yield part
                elif isinstance(part, Pause):
                    await anyio.sleep(part.seconds)
                elif isinstance(part, Cut):
                    raise module.ReadError("the simulator cut the connection, as its scenario says")

    class SimulatorTransport(module.AsyncBaseTransport):  # type: ignore[misc]  # as above
        async def handle_async_request(self, request: Any) -> Any:
            answer = simulator.handle(_call(request, await request.aread()))
            if answer.delay:
                await anyio.sleep(answer.delay)
            return _response(module, answer, SimulatorStream(answer))

    return SimulatorTransport()


def _call(request: Any, body: bytes) -> Call:
    return Call(
        method=request.method,
        path=request.url.raw_path.decode("ascii"),
        headers=tuple(request.headers.multi_items()),
        body=body,
    )


def _response(module: Any, answer: Answer, stream: Any) -> Any:
    return module.Response(answer.status, headers=list(answer.headers), stream=stream)
