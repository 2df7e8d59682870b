"""The Messages API at one base URL: headers, bodies, errors; JSON or server-sent events."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final

from attrs import field, fields, frozen

from hookline._api.bodies import error_of, read_json
from hookline._api.event_stream import open_stream, read_whole
from hookline._http.transport import PATIENCE, Outgoing, RawResponse, Timeouts, Transport
from hookline._said import hide
from hookline.errors import DecodeError, HooklineError
from hookline.turn import IO, Ending, Turn
from hookline.values.destination import Destination
from hookline.values.messages import Request, Response
from hookline.values.secret import HiddenText
from hookline.values.usage import Usage
from hookline.wire.codec import encode_body, encode_request, structure_response, unstructure

__all__ = ["Upstream"]

_SECONDS_A_TOKEN: Final = 3600 / 128_000  # of output; a rule of thumb of the official SDK
_OK: Final = range(200, 300)
_MESSAGES: Final = "/v1/messages"
_COUNT: Final = ("input_tokens", "context_management")
# Facts 2.1. Fields that this version has no name for are sent: the caller wrote them on purpose.
_COUNTED: Final = frozenset(
    {
        *("messages", "model", "system", "tools", "tool_choice", "thinking", "output_config"),
        *("cache_control", "context_management", "mcp_servers", "compaction", "speed"),
        "billing_policy",
    }
)
_SHORT: Final = 6  # characters; what is shorter is no credential, and stands in many texts
_MOST_KEPT: Final = 16  # kinds of requests whose headers are kept


@frozen
class Upstream:
    """Where requests go, and as whom.

    Attributes:
        destination: the credentials and the API's version.
        base_url: where its requests really go (the simulator's address is none).
        transport: how bytes get there.
        headers: further headers for every request.
        timeouts: for one exchange, further bounded by the turn's deadline.
        always_stream: whether plain calls are streams on the wire.

    """

    destination: Destination
    base_url: str
    transport: Transport = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeouts: Timeouts = field(factory=Timeouts)
    always_stream: bool = False
    _hidden: set[str] = field(factory=set, init=False, repr=False, eq=False)
    _made: dict[Any, Mapping[str, str]] = field(factory=dict, init=False, repr=False, eq=False)

    async def create_message(self, turn: Turn, request: Request, ending: Ending) -> Response:
        """Send a request once.

        Args:
            turn: says whether to stream, and how much time is left: a plain answer may take all of
                it, a stream must not be silent for longer than ``timeouts.read``. A plain call that
                asks for so many tokens that the connection might be cut while it is silent is
                streamed too, which only the bytes on the wire show.
            request: what to send.
            ending: is told how a stream ends.

        Returns:
            The response; in a stream, as soon as the first event has arrived, with the rest in
            ``response.events``.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.
            DecodeError: the answer is no message.

        """
        stream = bool(turn.stream or self.always_stream or request.stream)
        stream = stream or _too_long_to_wait(request)
        if stream != bool(request.stream):
            request = request.evolve(stream=stream or None)
        answer = await self.call(
            "POST",
            _MESSAGES,
            io=turn.io,
            remaining=turn.remaining(),
            content=encode_request(request),
            accept="text/event-stream" if stream else "application/json",
            betas=request.betas,
            patient=not stream,
            traceparent=turn.traceparent,
        )
        if turn.stream:
            turn.on_leave(answer.abort)
        try:
            # Some servers answer everything with a stream, and some nothing.
            if "event-stream" not in answer.headers.get("content-type", "").lower():
                return await _whole(answer)
            return await (
                open_stream(turn, answer, ending) if turn.stream else read_whole(turn, answer)
            )
        except BaseException as error:
            hide(error, answer.hidden)
            await _abandon(turn.io, answer)
            raise

    async def count_tokens(self, turn: Turn, request: Request) -> Response:
        """Ask how many input tokens a request has (facts 12.1).

        Args:
            turn: says how much time is left.
            request: what to count.

        Returns:
            A response without content, whose usage is the count.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.
            DecodeError: the answer is no count.

        """
        answer = await self.call(
            "POST",
            f"{_MESSAGES}/count_tokens",
            io=turn.io,
            remaining=turn.remaining(),
            content=_encode_counted(request),
            betas=request.betas,
            traceparent=turn.traceparent,
        )
        try:
            data = await read_json(answer)
        except BaseException as error:
            hide(error, answer.hidden)
            await _abandon(turn.io, answer)
            raise
        count = data.get("input_tokens") if isinstance(data, dict) else None
        if not isinstance(count, int) or isinstance(count, bool):
            raise DecodeError("expected the number of tokens", "$.input_tokens")
        edited = data.get("context_management")
        return Response(
            model=request.model,
            usage=Usage(count),
            context_management=edited if isinstance(edited, dict) else None,
            extra={key: each for key, each in data.items() if key not in _COUNT},
            status=answer.status,
            headers=dict(answer.headers),
        )

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
        patient: bool = False,
        traceparent: str = "",
    ) -> RawResponse:
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
            patient: the answer may be silent until it is complete.
            traceparent: for the header of that name; none if it is empty.

        Returns:
            An answer with a status of success, whose body is still to be read and closed.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.

        """
        headers = self._headers(accept, "" if content is None else content_type, tuple(betas))
        if traceparent:
            headers = {**headers, "traceparent": traceparent}
        outgoing = Outgoing(
            method,
            f"{self.base_url}{path}",
            headers,
            content,
            self.timeouts.within(remaining, patient=patient),
            None if remaining is None or not whole else io.now() + remaining,
        )
        # A traceback with its frames' variables would show it: credentials, what was said.
        del content
        try:
            answer = await self.transport.open(outgoing)
        except HooklineError as error:
            hide(error, self._hidden)
            raise
        answer.hidden = self._hidden
        try:
            if answer.status not in _OK:
                raise await error_of(answer)  # noqa: TRY301 -- the answer is closed like for any error
        except BaseException as error:
            hide(error, answer.hidden)
            await _abandon(io, answer)
            raise
        return answer

    def _headers(self, accept: str, content_type: str, betas: tuple[str, ...]) -> Mapping[str, str]:
        """Return the headers of a request; equal ones are the same object, which adapters notice."""
        known = self._made.get((accept, content_type, betas))
        if known is not None:
            return known
        headers = {
            "accept": accept,
            "anthropic-version": self.destination.api_version,
            "user-agent": _user_agent(),
        }
        if self.destination.api_key is not None:
            headers["x-api-key"] = HiddenText(self.destination.api_key.reveal())
        elif self.destination.auth_token is not None:
            headers["authorization"] = HiddenText(f"Bearer {self.destination.auth_token.reveal()}")
        if betas:
            headers["anthropic-beta"] = ",".join(betas)
        # Whoever adds headers adds credentials as a rule: of a proxy, of a gateway.
        headers.update({name.lower(): HiddenText(value) for name, value in self.headers.items()})
        if content_type:
            headers["content-type"] = content_type
        for value in headers.values():
            if isinstance(value, HiddenText):
                self._hidden.update(part for part in value.split() if len(part) >= _SHORT)
        if len(self._made) < _MOST_KEPT:  # content types of uploads are never the same twice
            self._made[accept, content_type, betas] = headers
        return headers


async def _abandon(io: IO, answer: RawResponse) -> None:
    """Close an answer because of an error, which no trouble in closing must replace."""
    with suppress(HooklineError, TimeoutError):
        await io.shielded(answer.aclose())


def _encode_counted(request: Request) -> bytes:
    known = {a.name for a in fields(Request)}
    wanted = unstructure(request).items()
    return encode_body({k: v for k, v in wanted if k in _COUNTED or k not in known})


async def _whole(answer: RawResponse) -> Response:
    data = await read_json(answer)
    try:
        return structure_response(data, status=answer.status, headers=answer.headers)
    except DecodeError as error:
        # The frames below hold what the server said, which may be what it was told: headers, a key.
        raise error.with_traceback(None) from error.__cause__
    finally:
        del data


def _too_long_to_wait(request: Request) -> bool:
    """Say whether a plain call risks a connection that is silent for too long (facts 13.1)."""
    return _SECONDS_A_TOKEN * request.max_tokens > PATIENCE


@cache
def _user_agent() -> str:
    from hookline import __version__  # noqa: PLC0415 -- the package's own name is looked up lazily

    return f"hookline/{__version__}"
