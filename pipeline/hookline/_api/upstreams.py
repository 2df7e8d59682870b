"""Where the requests of one pipeline go: one `Upstream` a destination, made when it is first needed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve

from hookline._api.upstream import Upstream
from hookline._http.transport import Timeouts, Transport
from hookline.errors import InputError
from hookline.turn import Ending, Turn
from hookline.values.destination import Destination
from hookline.values.messages import Request, Response

__all__ = ["Upstreams"]

_MOST_KEPT: Final = 1000  # destinations; one a tenant, say
_SIMULATED: Final = "simulated"


class Upstreams:
    """The upstreams of a pipeline.

    Destinations share connections; credentials travel with each request.

    Args:
        own: the pipeline's own destination.
        open_transport: opens what carries requests to a base URL; gets the URL, and whether it is
            the pipeline's own, to which a client that was handed in belongs.
        headers: further headers for requests to the pipeline's own destination. They may hold
            credentials, so they go to no other.
        timeouts: for one exchange with a destination.
        always_stream: whether plain calls are streams on the wire.
        require: raises unless there are credentials for the pipeline's own destination.

    """

    def __init__(
        self,
        own: Destination,
        *,
        open_transport: Callable[[str, bool], Transport],
        headers: Mapping[str, str],
        timeouts: Callable[[Destination], Timeouts],
        always_stream: bool,
        require: Callable[[], None],
    ) -> None:
        self._own = own
        self._open_transport = open_transport
        self._headers = headers
        self._timeouts = timeouts
        self._always_stream = always_stream
        self._require = require
        self._upstreams: OrderedDict[Destination, Upstream] = OrderedDict()
        # Its own at once: a client that is of no use is told when the pipeline is built.
        self._transports = {"own": open_transport(own.base_url, True)}  # noqa: FBT003 -- see above
        self._closed = False
        self._lock = threading.Lock()

    @property
    def transports(self) -> tuple[Transport, ...]:
        """What has been opened so far."""
        return tuple(self._transports.values())

    async def send(
        self, turn: Turn, request: Request, destination: Destination, ending: Ending
    ) -> Response:
        """Send one request once: what lies inside all layers.

        A turn that counts tokens gets a response without content, whose usage is the count.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.
            DecodeError: the answer is no message.

        """
        upstream = self.reach(destination)
        if turn.surface == "count_tokens":
            return await upstream.count_tokens(turn, request)
        return await upstream.create_message(turn, request, ending)

    def reach(self, destination: Destination | None = None) -> Upstream:
        """Return the upstream of a destination; None is the pipeline's own.

        Raises:
            ConfigError: it has no credentials.
            InputError: the pipeline is closed.

        """
        wanted = self._own if destination is None else destination
        with self._lock:
            if self._closed:
                raise InputError("this pipeline is closed; make another one")
            upstream = self._upstreams.get(wanted)
            if upstream is None:
                upstream = self._upstreams[wanted] = self._made(wanted)
                if len(self._upstreams) > _MOST_KEPT:
                    self._upstreams.popitem(last=False)
            elif len(self._upstreams) > 1:
                self._upstreams.move_to_end(wanted)
        return upstream

    def _made(self, destination: Destination) -> Upstream:
        own = destination == self._own
        if own:
            self._require()
        base_url = destination.base_url
        simulated = base_url.startswith("sim:")
        if simulated and destination.api_key is None and destination.auth_token is None:
            destination = evolve(destination, api_key=_SIMULATED)
        same_host = base_url == self._own.base_url  # another tenant's credentials, the same pool
        place = "own" if same_host else base_url if simulated else "others"
        transport = self._transports.get(place)
        if transport is None:
            transport = self._open_transport(base_url, same_host)
            self._transports[place] = transport
        return Upstream(
            destination=destination,
            base_url="http://simulator.invalid" if simulated else base_url,
            transport=transport,
            headers=self._headers if own else {},
            timeouts=self._timeouts(destination),
            always_stream=self._always_stream,
        )

    async def close(self) -> None:
        """Close the connections that were opened here."""
        with self._lock:
            self._closed = True
            transports = self.transports
            self._upstreams.clear()
        for transport in transports:
            await transport.aclose()
