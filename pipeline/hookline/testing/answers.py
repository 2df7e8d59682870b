"""Bytes that the Messages API would send, whole or in parts: for scripts of a ``FaultServer``."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "error_answer",
    "http_answer",
    "json_answer",
    "message",
    "stream_answer",
    "stream_events",
    "stream_head",
    "stream_parts",
]


def http_answer(
    status: int = 200,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
) -> bytes:
    """Return an HTTP/1.1 response.

    Args:
        status: of HTTP.
        body: as it goes over the wire.
        headers: in addition to, or instead of, the content length.
        length: what ``content-length`` claims; None tells the truth.

    """
    fields = {"content-length": str(len(body) if length is None else length), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode() + body


def json_answer(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None, **options: Any
) -> bytes:
    """Return an HTTP response with a JSON body; options as for ``http_answer``."""
    content = json.dumps(body).encode()
    fields = {"content-type": "application/json", "request-id": "req_test", **(headers or {})}
    return http_answer(status, content, fields, **options)


def error_answer(
    status: int,
    kind: str = "api_error",
    text: str = "scripted",
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return an error of the API.

    Args:
        status: of HTTP.
        kind: the API's error type, for example ``"overloaded_error"``.
        text: the error's message.
        details: the ``details`` object of the error.
        headers: for example ``{"retry-after": "2"}``.

    """
    error: dict[str, Any] = {"type": kind, "message": text}
    if details is not None:
        error["details"] = dict(details)
    body = {"type": "error", "error": error, "request_id": "req_test"}
    return json_answer(body, status, headers)


def message(text: str = "Hello!", **fields: Any) -> dict[str, Any]:
    """Return a whole reply of the API as JSON values; ``fields`` replace its own."""
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 5},
        **fields,
    }


def stream_events(*pieces: str, end: bool = True) -> list[dict[str, Any]]:
    """Return the events of a streamed text as JSON values.

    Args:
        *pieces: one text delta each.
        end: False leaves out what comes after the last delta.

    """
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message(content=[], stop_reason=None)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in pieces
    ]
    if end:
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        events += [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": delta, "usage": {"output_tokens": len(pieces)}},
            {"type": "message_stop"},
        ]
    return events


def stream_head(headers: Mapping[str, str] | None = None) -> bytes:
    """Return the head of a streamed response whose body ends with the connection."""
    fields = {"content-type": "text/event-stream", "request-id": "req_test", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\n{lines}connection: close\r\n\r\n".encode()


def stream_parts(events: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Return each event as the bytes of one server-sent event."""
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def stream_answer(*pieces: str, chunked: bool = True, end: bool = True) -> bytes:
    """Return a whole streamed response.

    Args:
        *pieces: one text delta each.
        chunked: True leaves the connection open for the next request; False ends the body with the
            connection, so ``Close()`` must follow.
        end: as for ``stream_events``.

    """
    body = b"".join(stream_parts(stream_events(*pieces, end=end)))
    if not chunked:
        return stream_head() + body
    head = stream_head().replace(b"connection: close", b"transfer-encoding: chunked")
    return head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
