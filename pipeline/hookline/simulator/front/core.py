"""The simulator itself: routes a call to what answers it. No I/O, no threads of its own."""

import re
import threading
import time
from collections.abc import Callable, Collection
from typing import Final

from hookline.models import ModelTable, load_models
from hookline.simulator.endpoints.batches import Batches
from hookline.simulator.endpoints.files import Files
from hookline.simulator.endpoints.messages import Messages
from hookline.simulator.endpoints.models import get_model, list_models
from hookline.simulator.errors import ApiError, invalid, not_found
from hookline.simulator.exchange import JSON, Answer, Call, json_answer, lines_answer
from hookline.simulator.front.transport import AsyncSimulatorPool, SimulatorPool
from hookline.simulator.identity import Identity
from hookline.simulator.incoming import Incoming, read_incoming
from hookline.simulator.scenario import Scenario

_ORGANIZATION: Final = "00000000-0000-4000-8000-00000000051a"
_WORKSPACE: Final = "wrkspc_01simulator"
_PUBLIC_URL: Final = "https://api.anthropic.com"

# Answers a call; gets the id that stands in its path, or an empty string.
_Handler = Callable[[Incoming, str], Answer]


class Simulator:
    """A strict, deterministic, local Messages API.

    One simulator may be used from many threads.

    Args:
        scenario: Scripted replies and faults.
        clock: Gives the time in seconds since 1970; batches, files and headers go by it.
        models: The models there are; those that ship with Hookline by default.
        api_keys: The keys that are accepted; any non-empty key by default.
        batch_seconds: How long a batch takes; more than a day lets it expire. The scenario says by
            default, and that none at all.
        base_url: What links to batch results begin with; the call's own host by default.

    Example::

        simulator = Simulator(Scenario.of(Rule(when="weather", reply="Sunny.")))
        answer = simulator.handle(Call("POST", "/v1/messages", headers, body))

    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        clock: Callable[[], float] = time.time,
        models: ModelTable | None = None,
        api_keys: Collection[str] | None = None,
        batch_seconds: float | None = None,
        base_url: str | None = None,
    ) -> None:
        self._scenario = Scenario() if scenario is None else scenario
        self._models = load_models() if models is None else models
        self._api_keys = None if api_keys is None else frozenset(api_keys)
        self._base_url = base_url
        self._lock = threading.RLock()
        self._calls = 0
        self._files = Files(clock, self._scenario.urls)
        self._messages = Messages(self._scenario, clock, self._models, self._files, self._lock)
        seconds = self._scenario.batch_seconds if batch_seconds is None else batch_seconds
        self._batches = Batches(clock, seconds, self._messages.run_item)
        self._routes = [
            (method, re.compile(pattern), handler) for method, pattern, handler in self._table()
        ]

    @property
    def models(self) -> ModelTable:
        """The models that it serves."""
        return self._models

    def pool(self) -> SimulatorPool:
        """Return what stands in for the HTTP engine's pool of connections in blocking code."""
        return SimulatorPool(self.handle)

    def async_pool(self) -> AsyncSimulatorPool:
        """Return what stands in for the HTTP engine's pool of connections in async code."""
        return AsyncSimulatorPool(self.handle)

    def handle(self, call: Call) -> Answer:
        """Answer one HTTP request.

        Args:
            call: The request.

        Returns:
            The answer. Errors are answers too: nothing is raised for bad input.

        """
        with self._lock:
            self._calls += 1
            number = self._calls
        identity = Identity.of(number, call.method.encode(), call.path.encode(), call.body)
        request_id = identity.make("req")
        try:
            answer = self._route(call, number, identity)
        except ApiError as error:
            answer = Answer(error.status, (JSON, *error.headers), (error.body(request_id),))
        except RecursionError:
            too_deep = invalid("The request body is nested too deeply.")
            answer = Answer(too_deep.status, (JSON,), (too_deep.body(request_id),))
        headers = (
            *answer.headers,
            ("request-id", request_id),
            ("anthropic-organization-id", _ORGANIZATION),
            ("anthropic-workspace-id", _WORKSPACE),
        )
        return Answer(answer.status, headers, answer.body, answer.delay)

    def _route(self, call: Call, number: int, identity: Identity) -> Answer:
        path = call.route.rstrip("/")
        method = call.method.upper()
        known = False
        for wanted, pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            known = True
            if wanted == method:
                incoming = read_incoming(call, number, identity, self._api_keys)
                return handler(incoming, match.groupdict().get("id") or "")
        if known:
            raise ApiError("invalid_request_error", "Method Not Allowed", status=405)
        raise not_found("Not found")

    def _table(self) -> tuple[tuple[str, str, _Handler], ...]:
        messages, batches, files, models = self._messages, self._batches, self._files, self._models
        batch = "/v1/messages/batches"
        one_batch, one_file, one_model = (
            f"{path}/(?P<id>[^/]+)" for path in (batch, "/v1/files", "/v1/models")
        )

        def locked(handler: _Handler) -> _Handler:
            def guarded(incoming: Incoming, name: str) -> Answer:
                with self._lock:
                    return handler(incoming, name)

            return guarded

        return (
            ("POST", "/v1/messages", lambda call, _: messages.create(call)),
            ("POST", "/v1/messages/count_tokens", lambda call, _: messages.count(call)),
            ("POST", batch, locked(self._create_batch)),
            ("GET", batch, locked(lambda call, _: batches.list_page(call.call.query))),
            ("GET", one_batch, locked(lambda _, name: batches.get(name))),
            ("DELETE", one_batch, locked(lambda _, name: json_answer(batches.delete(name)))),
            (
                "GET",
                f"{one_batch}/results",
                locked(lambda _, name: lines_answer(batches.results(name))),
            ),
            ("POST", f"{one_batch}/cancel", locked(lambda _, name: batches.cancel(name))),
            (
                "GET",
                "/v1/models",
                lambda call, _: json_answer(list_models(models, call.call.query)),
            ),
            ("GET", one_model, lambda _, name: json_answer(get_model(models, name))),
            ("POST", "/v1/files", locked(lambda call, _: files.upload(call))),
            (
                "GET",
                "/v1/files",
                locked(lambda call, _: json_answer(files.list_page(call.call.query, call.betas))),
            ),
            ("GET", one_file, locked(lambda _, name: json_answer(files.get(name)))),
            ("GET", f"{one_file}/content", locked(lambda _, name: files.download(name))),
            ("DELETE", one_file, locked(lambda _, name: json_answer(files.delete(name)))),
        )

    def _create_batch(self, incoming: Incoming, _: str) -> Answer:
        host = incoming.call.header("host")
        return self._batches.create(
            incoming, self._base_url or (f"http://{host}" if host else _PUBLIC_URL)
        )
