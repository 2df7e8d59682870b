"""The simulator as an ASGI application, to serve or to mount in a test.

It is written against ASGI itself, which takes no more lines than a framework's adapter would and
leaves the simulator usable without the ``sim`` extra.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from hookline.simulator.exchange import Answer, Call, Cut, Pause
from hookline.simulator.front.core import Simulator

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NO_BODY: Final[MutableMapping[str, Any]] = {"type": "http.response.body", "body": b""}


class SimulatorApp:
    """An ASGI 3 application around a simulator.

    Args:
        simulator: A fresh one by default.

    """

    def __init__(self, simulator: Simulator | None = None) -> None:
        self.simulator = Simulator() if simulator is None else simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:
            return
        call = _call(scope, body)
        # Decoding images may take a moment; the event loop goes on meanwhile.
        answer = await anyio.to_thread.run_sync(partial(self.simulator.handle, call))
        await _play(answer, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read(receive: Receive) -> bytes | None:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _call(scope: Scope, body: bytes) -> Call:
    query = scope.get("query_string", b"").decode("latin-1")
    path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
    path = path.partition("?")[0].removeprefix(scope.get("root_path", ""))
    return Call(
        scope["method"],
        f"{path}?{query}" if query else path,
        tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ),
        body,
    )


async def _play(answer: Answer, receive: Receive, send: Send) -> None:
    """Send an answer; stop when the client has gone."""
    if answer.delay:
        await anyio.sleep(answer.delay)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if not answer.streamed:
        size = len(answer.content) + (1 if Cut() in answer.body else 0)
        headers.append((b"content-length", str(size).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, receive, tasks.cancel_scope)
        for part in answer.body:
            match part:
                case Pause(seconds):
                    await anyio.sleep(seconds)
                case Cut():
                    # Returning without the last part makes the server drop the connection.
                    tasks.cancel_scope.cancel()
                    return
                case _:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send(_NO_BODY)
        tasks.cancel_scope.cancel()


async def _watch(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
