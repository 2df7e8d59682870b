"""The Messages API at one base URL: headers, bodies, errors; JSON or server-sent events."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final

from attrs import field, frozen

from hookline import _json
from hookline._delivery import api_error
from hookline.address import Address
from hookline.assembler import Assembler
from hookline.errors import APIError, DecodeError, HooklineError, TransportError
from hookline.events import ErrorEvent, Event, MessageStart, Ping
from hookline.messages import Request, Response
from hookline.sse import SSEDecoder
from hookline.transport import Answer, Outgoing, Timeouts, Transport
from hookline.turn import IO, Turn
from hookline.wire import encode_request, structure_event, structure_response

__all__ = ["FIRST_PARTY", "Upstream", "read_body", "read_json"]

FIRST_PARTY: Final = "https://api.anthropic.com"

_MOST_BODY: Final = 64 * 1024 * 1024
_MOST_ERROR_BODY: Final = 64 * 1024
_SHOWN: Final = 200  # characters of a body that is not JSON, in an error's text
_SECONDS_A_TOKEN: Final = 3600 / 128_000  # of output; a rule of thumb of the official SDK
_LONGEST_SILENCE: Final = 600.0  # seconds
_REDIRECTS: Final = range(300, 400)
_OK: Final = range(200, 300)


@frozen
class Upstream:
    """Where requests go, and as whom.

    Attributes:
        address: the credentials and the API's version.
        base_url: where its requests really go (the simulator's address is none).
        transport: how bytes get there.
        headers: further headers for every request.
        timeouts: for one exchange, further bounded by the turn's deadline.

    """

    address: Address
    base_url: str
    transport: Transport = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeouts: Timeouts = field(factory=Timeouts)

    async def create_message(self, turn: Turn, request: Request) -> Response:
        """Send a request once.

        Args:
            turn: says whether to stream, and how much time is left. A plain call that asks for so
                many tokens that the connection might be cut while it is silent is streamed too,
                which only the bytes on the wire show.
            request: what to send.

        Returns:
            The response; in a stream, as soon as the first event has arrived, with the rest in
            ``response.events``.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.
            DecodeError: the answer is no message.

        """
        stream = turn.stream or _too_long_to_wait(request)
        if stream != bool(request.stream):
            request = request.evolve(stream=stream or None)
        answer = await self.call(
            "POST",
            "/v1/messages",
            io=turn.io,
            remaining=turn.remaining(),
            content=encode_request(request),
            accept="text/event-stream" if stream else "application/json",
            betas=request.betas,
        )
        try:
            if not stream or "event-stream" not in answer.headers.get("content-type", ""):
                return await _whole(answer)
            return await (_begun(turn, answer) if turn.stream else _assembled(turn, answer))
        except BaseException:
            await _abandon(turn.io, answer)
            raise

    async def call(
        self,
        method: str,
        path: str,
        *,
        io: IO,
        remaining: float | None,
        whole: bool = True,
        content: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        betas: Sequence[str] = (),
    ) -> Answer:
        """Send one HTTP request to any endpoint, as the same caller and with the same errors.

        Args:
            method: of HTTP.
            path: with ``/v1``, and the query if there is one.
            io: for cleaning up.
            remaining: the seconds that are left, or None for no limit beyond ``timeouts``.
            whole: whether they bound the reading of the body too.
            content: the body.
            content_type: of the body.
            accept: what the answer may be.
            betas: names for the ``anthropic-beta`` header.

        Returns:
            An answer with a status of success, whose body is still to be read and closed.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.

        """
        headers = self._headers(accept, betas)
        if content is not None:
            headers["content-type"] = content_type
        answer = await self.transport.open(
            Outgoing(
                method,
                f"{self.base_url}{path}",
                headers,
                content,
                self.timeouts.within(remaining),
                None if remaining is None or not whole else io.now() + remaining,
            )
        )
        try:
            if answer.status not in _OK:
                raise await _problem(answer)  # noqa: TRY301 -- the answer is closed like for any error
        except BaseException:
            await _abandon(io, answer)
            raise
        return answer

    def _headers(self, accept: str, betas: Sequence[str]) -> dict[str, str]:
        headers = {
            "accept": accept,
            "anthropic-version": self.address.api_version,
            "user-agent": _user_agent(),
        }
        if self.address.api_key is not None:
            headers["x-api-key"] = self.address.api_key.reveal()
        elif self.address.auth_token is not None:
            headers["authorization"] = f"Bearer {self.address.auth_token.reveal()}"
        if betas:
            headers["anthropic-beta"] = ",".join(betas)
        headers.update({name.lower(): value for name, value in self.headers.items()})
        return headers


async def _abandon(io: IO, answer: Answer) -> None:
    """Close an answer because of an error, which no trouble in closing must replace."""
    with suppress(HooklineError, TimeoutError):
        await io.shielded(answer.aclose())


async def _whole(answer: Answer) -> Response:
    data = await read_json(answer)
    return structure_response(data, status=answer.status, headers=answer.headers)


async def read_json(answer: Answer) -> Any:
    """Read the body of an answer to its end, close it, and return the JSON that it holds.

    Raises:
        APIError: it is no JSON, or an error in spite of its status.
        DecodeError: it is too large.
        TransportError: it broke off.

    """
    body = await read_body(answer, _MOST_BODY)
    await answer.aclose()
    try:
        data = _json.loads(body)
    except _json.JSONDecodeError as error:
        raise _not_json(answer, body) from error
    if isinstance(data, dict) and data.get("type") == "error":
        raise _from_body(answer, data)
    return data


def _too_long_to_wait(request: Request) -> bool:
    """Say whether a plain call risks a connection that is silent for too long (facts 13.1)."""
    return _SECONDS_A_TOKEN * request.max_tokens > _LONGEST_SILENCE


async def _assembled(turn: Turn, answer: Answer) -> Response:
    """Read a stream that the caller did not ask for to its end: a whole response, or an error.

    The caller has seen nothing of it, so whatever breaks it is what it would be for a plain call.
    """
    assembler = Assembler()
    async with aclosing(_events(turn, answer)) as events:
        async for event in events:
            if isinstance(event, ErrorEvent):
                raise api_error(event, answer.headers)
            if isinstance(event, Event):
                assembler.feed(event)
    if not assembler.complete:
        raise TransportError("the answer ended before its last event", phase="read")
    return assembler.response.evolve(status=answer.status, headers=dict(answer.headers))


async def _begun(turn: Turn, answer: Answer) -> Response:
    """Wait for the first event that says something, so that an early failure is an ordinary one."""
    events = _events(turn, answer, peek=True)
    waiting = await anext(events, None)
    if not isinstance(waiting, list):
        raise TransportError("the stream ended before its first event", phase="protocol")
    turn.live.append(events)
    first = waiting[-1]
    if isinstance(first, ErrorEvent):
        await events.aclose()
        raise api_error(first, answer.headers)
    begun = first.message if isinstance(first, MessageStart) else Response()
    begun = begun.evolve(status=answer.status, headers=dict(answer.headers))
    if isinstance(first, MessageStart):  # filters may ask who answers, as in a whole response
        waiting[-1] = first.evolve(message=begun)
    return begun.evolve(events=events)


async def _events(
    turn: Turn, answer: Answer, *, peek: bool = False
) -> AsyncGenerator[Event | list[Event], None]:
    """Yield the events of an answer.

    With ``peek``, what is yielded first is the list of the events up to the first that says
    something; they come again then, each by itself. (One generator does both, because every layer
    of generators is paid for with every event.)
    """
    decoder = SSEDecoder()
    chunks = answer.chunks()
    held: list[Event] | None = [] if peek else None
    try:
        async for chunk in chunks:
            turn.check_deadline("the stream")
            for payload in decoder.payloads(chunk):
                event = _event(payload)
                if held is None:
                    yield event
                    continue
                held.append(event)
                if not isinstance(event, Ping):
                    yield held
                    for early in held:
                        yield early
                    held = None
        for sse in decoder.flush():
            yield _event(sse.data.encode())
    finally:
        try:
            await chunks.aclose()
        finally:  # a cancellation may strike in the middle of it
            await answer.aclose()


def _event(payload: bytes) -> Event:
    try:
        return structure_event(_json.loads(payload))
    except _json.JSONDecodeError:
        text = payload.decode("utf-8", "replace")  # what is no UTF-8 is damage, not the end
    try:
        return structure_event(_json.loads(text))
    except _json.JSONDecodeError as error:
        raise DecodeError(f"an event's data is not JSON: {error.msg}") from error


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
    body = await read_body(answer, _MOST_ERROR_BODY, cut=True)
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


async def read_body(answer: Answer, limit: int, *, cut: bool = False) -> bytes:
    """Read the body of an answer, ``limit`` bytes at most; more is cut off or a ``DecodeError``."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(answer.chunks()) as chunks:
        async for chunk in chunks:
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
