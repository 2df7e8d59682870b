"""A hand-written keep-alive HTTP server in a process of its own: the floor that costs nothing.

It answers every request with the same bytes: a small message, or a stream of text deltas when it is
asked for one, in chunks of one event where the header ``x-chunked`` says so. asyncio protocols, no HTTP library, so that a client's cost is what is measured.
"""

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MESSAGE = json.dumps(
    {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": "Hello! How can I help you today?"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 10},
    }
).encode()


def _head(kind: bytes, length: int) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nrequest-id: req_01\r\ncontent-length: %d\r\n\r\n"
        % (kind, length)
    )


def _stream(deltas: int) -> bytes:
    def frame(event: dict[str, Any]) -> bytes:
        return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()

    start = json.loads(_MESSAGE) | {"content": [], "stop_reason": None}
    frames = [
        frame({"type": "message_start", "message": start}),
        frame(
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            }
        ),
        *[
            frame(
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": f"word{number} "},
                }
            )
            for number in range(deltas)
        ],
        frame({"type": "content_block_stop", "index": 0}),
        frame(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": deltas},
            }
        ),
        frame({"type": "message_stop"}),
    ]
    return b"".join(frames)


class _Stub(asyncio.Protocol):
    def __init__(self, plain: bytes, streamed: bytes, chunked: bytes) -> None:
        self._plain = plain
        self._streamed = streamed
        self._chunked = chunked
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            streamed = b"text/event-stream" in head
            chunked = b"x-chunked:" in head
            del self._buffer[: end + 4 + length]
            self._transport.write(
                self._chunked if chunked else self._streamed if streamed else self._plain
            )


def _chunked(events: bytes) -> bytes:
    """Return an answer in which each event is a chunk, as a server sends what it has just written."""
    frames = [b"%s\n\n" % frame for frame in events.split(b"\n\n") if frame]
    return b"".join(
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            *(b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames),
            b"0\r\n\r\n",
        )
    )


def _serve(port: Any, deltas: int) -> None:
    async def main() -> None:
        events = _stream(deltas)
        plain = _head(b"application/json", len(_MESSAGE)) + _MESSAGE
        streamed = _head(b"text/event-stream", len(events)) + events
        chunked = _chunked(events)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Stub(plain, streamed, chunked), "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def stub_server(deltas: int = 5000) -> Iterator[str]:
    """Run the server and yield its base URL.

    Args:
        deltas: text deltas in a stream.

    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, deltas), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()
