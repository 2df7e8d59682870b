"""The way of a stream's events to the caller.

Order of things for each event that arrives: its place in the stream, filters, assembly, observers,
caller. So what the
caller sees, what the conversation stores and what observers hear is the same text.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

from attrs import evolve

from hookline._journey.failures import tell
from hookline._journey.filtering import Filters, rewrites_late
from hookline._journey.plugin_set import PluginSet
from hookline.errors import (
    APIError,
    DecodeError,
    HooklineError,
    StreamInterrupted,
    StreamTruncated,
    TransportError,
)
from hookline.reply import Reply
from hookline.turn import Turn
from hookline.values.events import ErrorEvent, Event, Ping
from hookline.values.messages import Request, Response
from hookline.values.prefill import Prefill
from hookline.wire.assembler import Assembler
from hookline.wire.event_order import EventOrder
from hookline.wire.replay import events_of, replayed
from hookline.wire.sealed import sealed_event

__all__ = ["Delivery"]

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
        begun: the prefill that the first of them began with.

    """

    def __init__(
        self,
        plugins: PluginSet,
        turn: Turn,
        request: Request,
        response: Response,
        earlier: tuple[Response, ...],
        *,
        begun: Prefill | None = None,
    ) -> None:
        self._turn = turn
        self._request = request
        self._response = response
        self._earlier = earlier
        self._observers = plugins.of("on_event")
        self._apart = plugins.judges_replies
        self._filters = Filters(plugins, turn)
        self._prefill = begun if earlier else turn.prefill
        self._assembler = Assembler()
        self._spoke = turn.io.now()
        self._holds_all = rewrites_late(plugins)
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
        source = self._source()
        unheard = not (self._filters or self._holds_all or self._observers)  # as in most streams
        feed = self._assembler.feed
        try:
            async for arrived in source:
                if unheard and type(arrived) is not ErrorEvent:
                    feed(arrived)
                    yield arrived
                    continue
                if isinstance(arrived, ErrorEvent):
                    raise arrived.as_error(self._response.headers)
                for event in await self._passed(arrived):
                    if self._observers:
                        self._turn.buffered = 0  # an observer may take its time
                        await self._tell(event)
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

    async def _tell(self, event: Event) -> None:
        """Tell observers of an event; where replies are judged, of one that is nobody else's."""
        await tell(self._observers, self._turn, sealed_event(event) if self._apart else event)

    def _source(self) -> AsyncIterator[Event]:
        """Return the events in the order of the protocol."""
        events = self._response.events
        if events is None:
            return replayed(self._response)
        if any(events is answer for answer in self._turn.open_streams):
            return events  # straight from the API's answer, where they have been put in order
        return _in_order(events, self._turn)

    async def _passed(self, arrived: Event) -> Sequence[Event]:
        """Assemble what the filters let through; return what need not wait for ``post_process``."""
        if not self._filters and not self._holds_all:
            self._assembler.feed(arrived)
            return (arrived,)
        self._turn.check_deadline("the stream")
        # Who waits for the next event may wait for the network, however much has arrived.
        self._turn.buffered = 0
        passed = await self._filters.passed(arrived)
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
        self._prefill = reply.prefill  # a rewrite may have taken it out
        if not self._earlier:
            self._turn.prefill = reply.prefill
        for event in events_of(reply.response):
            self._delivered.feed(event)
            if self._observers:
                await self._tell(event)
            yield event

    def partial(self) -> Reply:
        """Return a reply made of what has been delivered so far."""
        response = self._delivered.partial()
        steps = (*self._earlier, response)
        return Reply(
            response=response,
            request=self._request,
            prefill=self._prefill,
            cost=self._turn.models.price((step.model, step.usage) for step in steps),
            earlier=self._earlier,
            interrupted=True,
            trace=self._turn.trace,
        )


async def _in_order(events: AsyncIterator[Event], turn: Turn) -> AsyncGenerator[Event, None]:
    """Put the events of a plugin's own stream in order."""
    order = EventOrder(lambda what: turn.trace.note("stream", what))
    try:
        async for event in events:
            for each in order.arranged(event):
                yield each
    finally:
        close = getattr(events, "aclose", None)  # a plugin's own iterator may have none
        if close is not None:
            await close()
