"""From a response whose content is still arriving to events for the caller, rules applied.

Order of things for each event that arrives: filters, assembly, observers, caller. So what the
caller sees, what the conversation stores and what observers hear is the same text.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Final

from attrs import evolve

from hookline._journey.failures import absorbed, raise_failure, tell
from hookline._journey.plugin_set import Implementation, PluginSet
from hookline.errors import (
    APIError,
    DecodeError,
    HooklineError,
    StreamInterrupted,
    StreamTruncated,
    TransportError,
)
from hookline.filters import StreamFilter
from hookline.reply import Reply
from hookline.turn import Turn
from hookline.values.events import ErrorEvent, Event, MessageStop, Ping
from hookline.values.messages import Request, Response
from hookline.wire.assembler import Assembler, events_of

__all__ = ["Delivery", "api_error", "settle", "shown_already"]

_PING_SECONDS: Final = 5.0  # clients give a silent stream up after 300 s, proxies after 60 or 30


class Delivery:
    """Delivers one step of a stream.

    Args:
        plugins: the pipeline's plugins.
        turn: the journey.
        request: what was sent, for the partial reply of a stream that breaks.
        response: what ``send`` returned; its ``events`` are still to come. A whole response (from
            a cache, say) is replayed as events.
        earlier: responses of earlier steps.

    """

    def __init__(
        self,
        plugins: PluginSet,
        turn: Turn,
        request: Request,
        response: Response,
        earlier: tuple[Response, ...],
    ) -> None:
        self._turn = turn
        self._request = request
        self._response = response
        self._earlier = earlier
        self._observers = plugins.of("on_event")
        self._filters = _filters(plugins, turn)
        self._prefill = turn.prefill
        self._assembler = Assembler()
        self._spoke = turn.io.now()
        self._holds_all = _rewrites_late(plugins)
        # What the caller has got; text that still waits for a rule must not leave in a partial.
        self._delivered = Assembler() if self._holds_all else self._assembler

    @property
    def response(self) -> Response:
        """The assembled response, once all events have been delivered."""
        return evolve(
            self._assembler.response, status=self._response.status, headers=self._response.headers
        )

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield what the caller gets, as early as the rules allow.

        Raises:
            StreamInterrupted: the stream broke; carries what was delivered.
            HooklineError: a filter refused or failed, or the time was up.

        """
        source = self._response.events or _replayed(self._response)
        unheard = not (self._filters or self._holds_all or self._observers)  # as in most streams
        feed = self._assembler.feed
        try:
            async for arrived in source:
                if isinstance(arrived, ErrorEvent):
                    raise api_error(arrived, self._response.headers)
                if unheard:
                    feed(arrived)
                    yield arrived
                    continue
                for event in self._passed(arrived):
                    if self._observers:
                        self._turn.buffered = 0  # an observer may take its time
                        await tell(self._observers, self._turn, event)
                    yield event
        except (APIError, TransportError, DecodeError) as error:
            self._judge(error)
        finally:
            close = getattr(source, "aclose", None)  # a plugin's own iterator may have none
            if close is not None:
                await close()
        if not self._assembler.complete:
            raise StreamTruncated("the stream ended before message_stop", self.partial())

    def _judge(self, error: HooklineError) -> None:
        """Raise what a failure on the way means; after ``message_stop`` nothing is missing."""
        if self._turn.timed_out(error) is not error:
            raise error  # the turn knows; it is no fault of the stream
        if not self._assembler.complete:
            raise StreamInterrupted(f"the stream broke off: {error}", self.partial()) from error

    def _passed(self, arrived: Event) -> Iterable[Event]:
        """Assemble what the filters let through; return what need not wait for ``post_process``."""
        if not self._filters and not self._holds_all:
            self._assembler.feed(arrived)
            return (arrived,)
        self._turn.check_deadline("the stream")
        passed = list(_through(self._filters, arrived))
        for event in passed:
            self._assembler.feed(event)
        if self._holds_all:
            passed = [event for event in passed if isinstance(event, Ping)]
        now = self._turn.io.now()
        if not passed and now - self._spoke >= _PING_SECONDS:
            passed = [Ping()]
        if passed:
            self._spoke = now
        return passed

    async def held_back(self, reply: Reply) -> AsyncGenerator[Event, None]:
        """Yield the events that waited for ``post_process``, as it left the reply."""
        if not self._holds_all:
            return
        for event in events_of(reply.response):
            self._delivered.feed(event)
            if self._observers:
                await tell(self._observers, self._turn, event)
            yield event

    def partial(self) -> Reply:
        """Return a reply made of what has been delivered so far."""
        return Reply(
            response=self._delivered.partial(),
            request=self._request,
            prefill=self._prefill,
            earlier=self._earlier,
            interrupted=True,
            trace=self._turn.trace,
        )


def settle(plugins: PluginSet, turn: Turn, response: Response) -> Response:
    """Run a whole response through the filters, all at once; return it as they leave it.

    Raises:
        HooklineError: a filter refused or failed.

    """
    filters = _filters(plugins, turn)
    if not filters:
        return response
    assembler = Assembler()
    for arrived in events_of(response):
        for event in _through(filters, arrived):
            assembler.feed(event)
    filtered = assembler.response
    if filtered == response:
        return response
    return evolve(filtered, status=response.status, headers=response.headers)


def api_error(event: ErrorEvent, headers: Mapping[str, str]) -> APIError:
    """Return the error that an ``error`` event inside a stream reports; its HTTP status was 200."""
    details = event.error.get("details")
    return APIError(
        str(event.error.get("message", "")),
        status=200,
        type=str(event.error.get("type", "api_error")),
        request_id=event.request_id or headers.get("request-id"),
        details=details if isinstance(details, Mapping) else None,
        headers=headers,
    )


class _Applied:
    """A plugin's filter at work."""

    def __init__(self, implementation: Implementation, filter_: StreamFilter, turn: Turn) -> None:
        self._implementation = implementation
        self._filter = filter_
        self._turn = turn
        self._silenced = False
        # A shadow's output goes nowhere; it is only compared with what really passed.
        self._compare = (Assembler(), Assembler()) if implementation.shadow else None

    def feed(self, event: Event) -> Iterable[Event]:
        if self._silenced:
            return (event,)
        try:
            passed = tuple(self._filter.feed(event))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- excused or blamed
            self._silenced = True
            if not absorbed(self._turn, self._implementation, error):
                raise_failure(self._implementation, error)
            return (event,)
        if self._compare:
            self._watch(event, passed, *self._compare)
            return (event,)
        return (event,) if self._implementation.role == "observer" else passed

    def _watch(
        self, event: Event, passed: Iterable[Event], real: Assembler, shadow: Assembler
    ) -> None:
        real.feed(event)
        for each in passed:
            shadow.feed(each)
        if isinstance(event, MessageStop) and real.partial() != shadow.partial():
            self._silenced = True
            absorbed(self._turn, self._implementation, None, "the filtered reply differs")


def _filters(plugins: PluginSet, turn: Turn) -> list[_Applied]:
    """Ask every plugin for its filter of this step."""
    applied: list[_Applied] = []
    for implementation in plugins.of("filter_stream"):
        try:
            wanted = implementation.call(turn)
            if wanted is not None and not isinstance(wanted, StreamFilter):
                raise TypeError(  # noqa: TRY301 -- handled like any other failure of the plugin
                    f"it gave {type(wanted).__name__!r}, where the hook wants a StreamFilter or None"
                )
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- excused or blamed
            if absorbed(turn, implementation, error):
                continue
            raise_failure(implementation, error)
        if wanted is not None:
            applied.append(_Applied(implementation, wanted, turn))
    return applied


def _through(filters: Sequence[_Applied], event: Event) -> Iterable[Event]:
    """Pass one event through all filters, in order."""
    events: Iterable[Event] = (event,)
    for applied in filters:
        events = [passed for arriving in events for passed in applied.feed(arriving)]
    return events


def shown_already(plugins: PluginSet, implementation: Implementation) -> str:
    """Say why text is not held back for a plugin's ``post_process``; empty if it is.

    Such a plugin must leave alone what the caller of a stream has seen by then.
    """
    if getattr(implementation.owner, "rewrites_text", True) is False:
        return "its class says `rewrites_text = False`"
    if any(other.plugin == implementation.plugin for other in plugins.of("filter_stream")):
        return "its rules on text are those of its filter_stream"
    return ""


def _rewrites_late(plugins: PluginSet) -> bool:
    """Say whether a plugin may rewrite text in ``post_process``, after it would have streamed."""
    return any(
        implementation.role != "observer"
        and not implementation.shadow
        and not shown_already(plugins, implementation)
        for hook in ("post_process", "check_reply")
        for implementation in plugins.of(hook)
    )


async def _replayed(response: Response) -> AsyncGenerator[Event, None]:
    """Yield a whole response (from a cache, say) as the events of a stream."""
    for event in events_of(response):
        yield event
