"""The Messages API at one base URL: headers, bodies, errors; JSON or server-sent events."""

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from attrs import field, frozen

from hookline import _json
from hookline._delivery import api_error
from hookline.errors import APIError, DecodeError, TransportError
from hookline.events import ErrorEvent, Event, MessageStart, Ping
from hookline.messages import Request, Response
from hookline.secret import Secret
from hookline.sse import SSEDecoder
from hookline.transport import Answer, Timeouts, Transport
from hookline.turn import Turn
from hookline.wire import encode_request, structure_event, structure_response

__all__ = ["FIRST_PARTY", "Upstream"]

FIRST_PARTY: Final = "https://api.anthropic.com"

_MOST_BODY: Final = 64 * 1024 * 1024
_MOST_ERROR_BODY: Final = 64 * 1024
_SHOWN: Final = 200  # characters of a body that is not JSON, in an error's text
_REDIRECTS: Final = range(300, 400)
_OK: Final = range(200, 300)


@frozen
class Upstream:
    """Where requests go, and as whom.

    Attributes:
        base_url: without ``/v1``.
        transport: how bytes get there.
        api_key: sent as ``x-api-key``.
        auth_token: sent as ``Authorization: Bearer``; the key wins where both are given.
        version: the ``anthropic-version``.
        headers: further headers for every request.
        timeouts: for one exchange, further bounded by the turn's deadline.

    """

    base_url: str
    transport: Transport = field(repr=False)
    api_key: Secret | None = None
    auth_token: Secret | None = None
    version: str = "2023-06-01"
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeouts: Timeouts = field(factory=Timeouts)

    async def create_message(self, turn: Turn, request: Request) -> Response:
        """Send a request once.

        Args:
            turn: says whether to stream, and how much time is left.
            request: what to send.

        Returns:
            The response; in a stream, as soon as the first event has arrived, with the rest in
            ``response.events``.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.
            DecodeError: the answer is no message.

        """
        if turn.stream != bool(request.stream):
            request = request.evolve(stream=turn.stream or None)
        answer = await self.transport.open(
            "POST",
            f"{self.base_url}/v1/messages",
            headers=self._headers(request),
            content=encode_request(request),
            timeouts=self.timeouts.within(turn.remaining()),
        )
        try:
            if answer.status not in _OK:
                raise await _problem(answer)  # noqa: TRY301 -- the answer is closed like for any error
            if not turn.stream or "event-stream" not in answer.headers.get("content-type", ""):
                return await _whole(answer)
            return await _begun(answer)
        except BaseException:
            await turn.io.shielded(answer.aclose())
            raise

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if request.stream else "application/json",
            "anthropic-version": self.version,
            "user-agent": _user_agent(),
        }
        if self.api_key is not None:
            headers["x-api-key"] = self.api_key.reveal()
        elif self.auth_token is not None:
            headers["authorization"] = f"Bearer {self.auth_token.reveal()}"
        if request.betas:
            headers["anthropic-beta"] = ",".join(request.betas)
        headers.update({name.lower(): value for name, value in self.headers.items()})
        return headers


async def _whole(answer: Answer) -> Response:
    body = await _read(answer, _MOST_BODY)
    await answer.aclose()
    try:
        data = _json.loads(body)
    except _json.JSONDecodeError as error:
        raise _not_json(answer, body) from error
    if isinstance(data, dict) and data.get("type") == "error":
        raise _from_body(answer, data)
    return structure_response(data).evolve(status=answer.status, headers=dict(answer.headers))


async def _begun(answer: Answer) -> Response:
    """Wait for the first event that says something, so that an early failure is an ordinary one."""
    events = _events(answer)
    waiting: list[Event] = []
    async for event in events:
        if isinstance(event, ErrorEvent):
            await events.aclose()
            raise api_error(event, answer.headers)
        waiting.append(event)
        if not isinstance(event, Ping):
            break
    else:
        raise TransportError("the stream ended before its first event", phase="protocol")
    first = waiting[-1]
    begun = first.message if isinstance(first, MessageStart) else Response()
    return begun.evolve(
        status=answer.status, headers=dict(answer.headers), events=_rejoined(waiting, events)
    )


async def _rejoined(
    waiting: list[Event], events: AsyncGenerator[Event, None]
) -> AsyncGenerator[Event, None]:
    try:
        for event in waiting:
            yield event
        async for event in events:
            yield event
    finally:
        await events.aclose()


async def _events(answer: Answer) -> AsyncGenerator[Event, None]:
    decoder = SSEDecoder()
    chunks = answer.chunks()
    try:
        async for chunk in chunks:
            for sse in decoder.feed(chunk):
                if sse.data:
                    yield structure_event(_json.loads(sse.data))
        for sse in decoder.flush():
            if sse.data:
                yield structure_event(_json.loads(sse.data))
    except _json.JSONDecodeError as error:
        raise DecodeError(f"an event's data is not JSON: {error.msg}") from error
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]  # both answers' chunks are generators
        await answer.aclose()


async def _problem(answer: Answer) -> APIError | TransportError:
    """Return the error that a status outside 2xx stands for."""
    if answer.status in _REDIRECTS:
        await answer.aclose()  # its body is nobody's business
        return TransportError(
            f"the API host redirected ({answer.status}); redirects are never followed, because "
            "credentials must not leave for another host. Set base_url to the final address",
            phase="protocol",
            retryable=False,
        )
    body = await _read(answer, _MOST_ERROR_BODY, cut=True)
    await answer.aclose()
    try:
        data = _json.loads(body)
    except _json.JSONDecodeError:
        return _not_json(answer, body)
    return _from_body(answer, data) if isinstance(data, dict) else _not_json(answer, body)


def _from_body(answer: Answer, data: Mapping[str, Any]) -> APIError:
    error = data.get("error")
    fields = error if isinstance(error, Mapping) else {"message": str(error or data)}
    details = fields.get("details")
    request_id = data.get("request_id") or answer.headers.get("request-id")
    return APIError(
        str(fields.get("message", "")),
        status=answer.status,
        type=str(fields.get("type") or _type_of(answer.status)),
        request_id=request_id if isinstance(request_id, str) else None,
        details=details if isinstance(details, Mapping) else None,
        headers=answer.headers,
    )


def _not_json(answer: Answer, body: bytes) -> APIError:
    kind = answer.headers.get("content-type", "no content type")
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]*>|[^\x20-\x7e]", " ", body[:1000].decode("latin-1")))
    return APIError(
        f"non-JSON body, {len(body):,} bytes, {kind}: {shown.strip()[:_SHOWN]}",
        status=answer.status,
        type=_type_of(answer.status),
        request_id=answer.headers.get("request-id"),
        headers=answer.headers,
    )


# Source: facts/messages-api section 8.1; for bodies that do not say it themselves.
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _type_of(status: int) -> str:
    return _TYPES.get(
        status, "api_error" if status not in range(400, 500) else "invalid_request_error"
    )


async def _read(answer: Answer, limit: int, *, cut: bool = False) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in answer.chunks():
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            if cut:
                break
            raise DecodeError(f"the response body is larger than {limit:,} bytes", path="")
    return b"".join(parts)[:limit]


def _user_agent() -> str:
    from hookline import __version__  # noqa: PLC0415 -- the package's own name is looked up lazily

    return f"hookline/{__version__}"
