"""The plugin ``resume``: a stream that breaks is continued where it broke.

Outside ``fallback`` and ``retry``, so that the continuation is sent as carefully as the first
request. It wraps the events that ``send`` returns; the caller sees one stream.
"""

from collections.abc import AsyncGenerator, Iterator
from typing import Final, Literal

from attrs import field, frozen

from hookline import (
    APIError,
    CallNext,
    ConfigError,
    DecodeError,
    HooklineError,
    Message,
    Request,
    Response,
    TransportError,
    Turn,
    hookimpl,
)
from hookline.plugin import Layer, Relay, checks_options, close, option
from hookline.values import ErrorEvent, Event
from hookline.wire import replayed
from hookline_plugins.prefill.decision import continued, continues
from hookline_plugins.resilience.stream_splice import Splice

__all__ = ["Resume"]

_CHARACTERS_A_TOKEN: Final = 4


@checks_options
@frozen(eq=False, kw_only=True)
class Resume:
    """Continues a broken stream from the text that has arrived.

    Natively (a final assistant message) where the model allows it; else the model is told to go on
    from its words, and what it repeats of them is taken out. A stream is not continued within or
    after a tool call, within a thought, or when the reply must have a given format; it then breaks
    as it would without this plugin. Tokens of the part that broke are counted only as far as the
    API told them before it broke.

    Attributes:
        attempts: how often one reply is continued at most.
        mode: ``"auto"``, or always ``"native"`` or ``"instructed"``.

    """

    name = "resume"
    layer = Layer.RESUME
    attempts: int = field(default=2, metadata=option(harmless=True))
    mode: Literal["auto", "native", "instructed"] = field(
        default="auto", metadata=option(harmless=True)
    )

    def __attrs_post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f"resume: attempts must be 1 or more, not {self.attempts!r}")
        if self.mode not in ("auto", "native", "instructed"):
            raise ConfigError(
                f"resume: mode is 'auto', 'native' or 'instructed', not {self.mode!r}"
            )

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Return the stream, able to go on after a break."""
        response = await call_next(request)
        source = response.events
        if source is None:
            return response
        return response.evolve(
            events=Relay(source, self._resumed(turn, request, response, call_next))
        )

    async def _resumed(
        self, turn: Turn, request: Request, response: Response, call_next: CallNext
    ) -> AsyncGenerator[Event, None]:
        splice = Splice()
        left = self.attempts
        while True:
            source = response.events or replayed(response)
            failure: ErrorEvent | HooklineError | None = None
            try:
                async for event in source:
                    if isinstance(event, ErrorEvent):
                        failure = event
                        break
                    for each in splice.feed(event):
                        yield each
            except (TransportError, DecodeError) as error:
                failure = error
            finally:
                await close(source)
            if splice.stopped:
                return
            following = self._following(turn, request, splice, failure) if left else None
            if following is None:
                break
            left -= 1
            try:
                response = await call_next(following)
            except (APIError, TransportError) as error:
                turn.trace.note("resume", f"no continuation: {type(error).__name__}")
                break
        for each in _broken(splice, failure):
            yield each

    def _following(
        self,
        turn: Turn,
        request: Request,
        splice: Splice,
        failure: ErrorEvent | HooklineError | None,
    ) -> Request | None:
        """Return the request that continues the reply, or None if it cannot be continued."""
        formatted = bool((request.output_config or {}).get("format"))
        if not splice.resumable or formatted or not _worth_it(turn, failure):
            return None
        told = _told(splice, failure)
        text = splice.text
        if not text:
            turn.trace.note("resume", told)
            splice.seam()
            return request
        base, words = _so_far(request, text)
        if base is None:
            return None
        turn.trace.note("resume", told)
        spent = max(len(text) // _CHARACTERS_A_TOKEN, 1)
        base = base.evolve(max_tokens=max(1, base.max_tokens - spent))
        shown = words.rstrip()  # the API refuses white space at the end of a prefill
        native = self.mode == "native" or (self.mode == "auto" and continues(turn, base))
        if native and shown:
            splice.seam(words=words, lost=words[len(shown) :])
            return base.append(Message("assistant", shown))
        splice.seam(words=words, instructed=True)
        return continued(base, words)


def _so_far(request: Request, text: str) -> tuple[Request | None, str]:
    """Return the request without its prefill, and the whole reply so far, the prefill included."""
    if not request.messages or request.messages[-1].role != "assistant":
        return (request if request.messages else None), text
    *earlier, last = request.messages
    if not isinstance(last.content, str):
        return None, text
    return request.evolve(messages=tuple(earlier)), last.content + text


def _worth_it(turn: Turn, failure: ErrorEvent | HooklineError | None) -> bool:
    """Say whether sending again may help, and whether there is time for it."""
    remaining = turn.remaining()
    if remaining is not None and remaining <= 0:
        return False
    if isinstance(failure, ErrorEvent):
        return failure.as_error().retryable
    return failure is None or isinstance(failure, DecodeError) or failure.retryable


def _broken(splice: Splice, failure: ErrorEvent | HooklineError | None) -> Iterator[Event]:
    """End the stream as it would have ended without this plugin.

    With no failure it was cut off silently, which the core notices.
    """
    yield from splice.held()
    if isinstance(failure, ErrorEvent):
        yield failure
    elif failure is not None:
        raise failure


def _told(splice: Splice, failure: ErrorEvent | HooklineError | None) -> str:
    if isinstance(failure, ErrorEvent):
        why = str(failure.error.get("type", "error"))
    else:
        why = "it ended early" if failure is None else type(failure).__name__
    return f"the stream broke after {len(splice.text):,} characters ({why}); continued from there"
