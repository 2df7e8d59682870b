"""The simulator in the place of a pool of connections: requests take the wire's road, without a wire.

What the HTTP engine does with sockets is left out; headers, bodies and server-sent events are the
bytes that a socket would carry, so what works here works over HTTP. Requests and responses have the
shape of those of httpcore2.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from hookline.errors import TransportError
from hookline.simulator.exchange import Answer, Call, Cut, Pause

__all__ = ["AsyncSimulatorPool", "SimulatorPool"]


class _Response:
    """A response in the shape of the engine's."""

    extensions: Mapping[str, Any] = {}

    def __init__(self, answer: Answer, stream: Any) -> None:
        self.status = answer.status
        self.headers = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in answer.headers
        ]
        self.stream = stream

    def close(self) -> None:
        """There is no connection to give back."""

    async def aclose(self) -> None:
        """There is no connection to give back."""


def _call(request: Any, body: bytes) -> Call:
    return Call(
        method=request.method.decode("ascii"),
        path=request.url.target.decode("ascii"),
        headers=tuple(
            (name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers
        ),
        body=body,
    )


def _cut() -> TransportError:
    return TransportError(
        "read failed: the simulator cut the connection, as its scenario says.", phase="read"
    )


class SimulatorPool:
    """Stands in for a ``httpcore2.ConnectionPool``.

    Args:
        handle: answers a call.

    """

    def __init__(self, handle: Callable[[Call], Answer]) -> None:
        self._handle = handle

    def handle_request(self, request: Any) -> Any:
        """Answer a request of the engine."""
        answer = self._handle(_call(request, b"".join(request.stream)))
        if answer.delay:
            time.sleep(answer.delay)
        return _Response(answer, _played(answer))


def _played(answer: Answer) -> Iterator[bytes]:
    for part in answer.body:
        if isinstance(part, bytes):
            yield part
        elif isinstance(part, Pause):
            time.sleep(part.seconds)
        elif isinstance(part, Cut):
            raise _cut()


class AsyncSimulatorPool:
    """Stands in for a ``httpcore2.AsyncConnectionPool``; arguments as for the other."""

    def __init__(self, handle: Callable[[Call], Answer]) -> None:
        self._handle = handle

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request of the engine."""
        import anyio  # noqa: PLC0415 -- only async code needs it

        body = b"".join([part async for part in request.stream])
        answer = self._handle(_call(request, body))
        if answer.delay:
            await anyio.sleep(answer.delay)
        return _Response(answer, _played_async(answer))


async def _played_async(answer: Answer) -> AsyncIterator[bytes]:
    import anyio  # noqa: PLC0415 -- only async code needs it

    for part in answer.body:
        if isinstance(part, bytes):
            yield part
        elif isinstance(part, Pause):
            await anyio.sleep(part.seconds)
        elif isinstance(part, Cut):
            raise _cut()
