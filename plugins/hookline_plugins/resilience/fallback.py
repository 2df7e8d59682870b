"""The plugin ``fallback``: when one model cannot answer, ask the next, or ask elsewhere.

It stands outside ``retry``: a model is given up only after its retries. A stream can change models
until the first of its content has come; what was delivered is never taken back.
"""

import os
from collections.abc import AsyncGenerator
from typing import Final, Literal
from urllib.parse import urlsplit

from attrs import define, field, frozen

from hookline import (
    APIError,
    CallNext,
    ConfigError,
    HooklineError,
    ModelFacts,
    Prefill,
    Request,
    Response,
    TransportError,
    Turn,
    hookimpl,
)
from hookline.errors import CircuitOpen, LimitExceeded
from hookline.models import load_models
from hookline.plugin import Layer, Relay, TurnState, checks_options, close, option, whole
from hookline.values import Destination, ErrorEvent, Event, MessageDelta, MessageStart, Ping
from hookline_plugins.resilience.model_adaptation import adapted, obstacle

__all__ = ["Elsewhere", "Fallback", "Reason"]

Reason = Literal["overload", "refusal", "exhausted"]

_REASONS: Final[tuple[Reason, ...]] = ("overload", "refusal", "exhausted")
_OVERLOADED: Final = frozenset({429, 503, 529})
_OVERLOADED_TYPES: Final = frozenset({"overloaded_error", "rate_limit_error"})


@checks_options
@frozen(kw_only=True)
class Elsewhere:
    """Another address of the API: a gateway, a local server, another account.

    Its credentials are its own; those of the pipeline never go there, nor do its extra headers.

    Attributes:
        base_url: without ``/v1``; https, or http on this machine.
        api_key_env: the environment variable that holds its key; empty for none.
        model: the model to ask there; empty for the request's own.
        api_version: the ``anthropic-version``.
        server: the profile of what answers there; empty to guess by the host.

    """

    base_url: str
    api_key_env: str = ""
    model: str = ""
    api_version: str = "2023-06-01"
    server: str = ""

    def address(self) -> Destination:
        """Return the address with its key.

        Raises:
            ConfigError: the address is no such address, or the variable is not set.

        """
        key = os.environ.get(self.api_key_env, "") if self.api_key_env else ""
        if self.api_key_env and not key:
            raise ConfigError(f"fallback: the environment variable {self.api_key_env} is not set")
        try:
            found = Destination(
                base_url=self.base_url,
                api_key=key or None,
                api_version=self.api_version,
                server=self.server,
            )
        except ConfigError as error:
            raise ConfigError(f"fallback: {error}") from error
        parts = urlsplit(found.base_url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme == "http" and not local:
            raise ConfigError(
                "fallback: base_url must be an https address (http only on this machine), "
                f"not {found.base_url!r}"
            )
        return found


@checks_options
@frozen(eq=False, kw_only=True)
class Fallback:
    """Asks other models, in order, when the request's own is overloaded, refuses or keeps failing.

    The request is adapted to each of them: ``max_tokens``, thinking, effort, sampling, a forced
    tool; thinking blocks of another model are left out. The trace says what was changed. (The way
    of a prefill is decided further in.) Later steps of the turn (tool results) stay with the model that answered.
    If no model answers, the last error is raised; if all that answered refused, the first refusal
    is returned.

    Attributes:
        models: ids or aliases, first choice first.
        elsewhere: other addresses, asked after the models; in a file
            ``[[plugins.fallback.elsewhere]]``.
        on: when to go on: ``"overload"`` (429, 503, 529, an open circuit, our own limiter),
            ``"refusal"`` (nothing was said yet), ``"exhausted"`` (any other failure that is worth
            a retry has outlasted the retries).
        unknown_models: take models that the table does not know, as they are; for local servers.

    """

    name = "fallback"
    layer = Layer.FALLBACK
    answered = TurnState(int)  # the place in the order of whoever answered last
    models: tuple[str, ...] = field(default=(), metadata=option(harmless=True))
    elsewhere: tuple[Elsewhere, ...] = ()
    on: tuple[Reason, ...] = field(default=_REASONS, metadata=option(harmless=True))
    unknown_models: bool = False
    _addresses: tuple[Destination, ...] = field(init=False, default=(), repr=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.models, str) or isinstance(self.on, str):
            raise ConfigError('fallback: models and on are lists: models=["claude-haiku-5-5"]')
        for reason in self.on:
            if reason not in _REASONS:
                raise ConfigError(
                    f"fallback: on holds {reason!r}; the reasons are {', '.join(_REASONS)}"
                )
        object.__setattr__(self, "_addresses", tuple(each.address() for each in self.elsewhere))
        table = load_models()
        for model in self.models:
            facts = table.get(model)
            if facts is not None and facts.retired and table.exact(model) is not None:
                raise ConfigError(f"fallback: {model} is retired; name a model that still answers")
            if facts is None and not self.unknown_models:
                raise ConfigError(
                    f"fallback: {model!r} is not a known model{_near(model, list(table))}; for a "
                    "model of your own set unknown_models = true"
                )

    @hookimpl
    def open(self) -> None:
        """Refuse to take part without any model to fall back to."""
        if not self.models and not self.elsewhere:
            raise ConfigError(
                'fallback: models is empty; give it some: models=["claude-haiku-5-5"]'
            )

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send to the request's model, then to the others, until one answers."""
        if not turn.asks_model:
            return await call_next(request)
        for address in self._addresses:  # now, and not in an outage
            turn.servers.profile(address)
        tried = _Tried(turn.prefill)
        own = turn.destination
        order = self._order(own)
        for place in range(self.answered[turn], len(order)):
            model, turn.destination = order[place]
            sent = self._made_for(turn, request, model, tried, elsewhere=turn.destination != own)
            if sent is None:
                continue
            try:
                response = await call_next(sent)
                if "refusal" in self.on:
                    response = await _peeked(response)
            except HooklineError as error:
                if self._reason(error) is None or not _time_left(turn):
                    raise
                tried.error = error
                turn.trace.note("fallback", f"{sent.model}: {type(error).__name__}")
                continue
            if response.stop_reason != "refusal" or "refusal" not in self.on:
                self.answered[turn] = place
                return response
            tried.refusal = tried.refusal or response
            turn.trace.note("fallback", f"{sent.model}: refusal")
        if tried.refusal is not None:
            turn.prefill = tried.prefill
            return tried.refusal
        raise tried.error or ConfigError("fallback: none of the models takes this request")

    def _order(self, own: Destination) -> list[tuple[str | None, Destination]]:
        """Return what to ask, in order: a model, or the request's own, and where."""
        places = zip(self.elsewhere, self._addresses, strict=True)
        return [
            (None, own),
            *((model, own) for model in self.models),
            *((place.model or None, address) for place, address in places),
        ]

    def _made_for(
        self,
        turn: Turn,
        request: Request,
        model: str | None,
        tried: "_Tried",
        *,
        elsewhere: bool,
    ) -> Request | None:
        """Return the request for one of the models, or None if it has no use for it."""
        turn.prefill = tried.prefill
        if elsewhere:
            turn.trace.note("fallback", f"to {turn.destination.base_url}")
        if model is None:
            return request
        facts = turn.models.get(model)
        if facts is None:
            turn.trace.note("fallback", f"to {model}")
            return request.evolve(model=model)
        own = turn.models.get(request.model)
        asked = own is facts and not elsewhere
        why = "it has been asked" if asked else obstacle(request, facts)
        if why is not None:
            turn.trace.note("fallback", f"not to {model}: {why}")
            return None
        changed, changes = adapted(request, facts, turn.destination.api_version)
        spelled_so = turn.models.exact(model) is not None or not turn.profile.all_rules
        changed = changed.evolve(model=model if spelled_so else facts.id)
        turn.trace.note("fallback", f"to {model}" + "".join(f"; {each}" for each in changes))
        return changed

    def _reason(self, error: HooklineError) -> Reason | None:
        """Return why to go on after an error, or None if it is final."""
        overloaded = isinstance(error, CircuitOpen | LimitExceeded) or (
            isinstance(error, APIError)
            and error.retryable
            and (error.status in _OVERLOADED or error.type in _OVERLOADED_TYPES)
        )
        if overloaded:
            return "overload" if "overload" in self.on else None
        worth_it = isinstance(error, APIError | TransportError) and error.retryable
        return "exhausted" if worth_it and "exhausted" in self.on else None


@define
class _Tried:
    """What has come of the models so far, and the prefill as the turn began."""

    prefill: Prefill | None
    error: HooklineError | None = field(default=None)
    refusal: Response | None = field(default=None)


def _time_left(turn: Turn) -> bool:
    remaining = turn.remaining()
    return remaining is None or remaining > 0


def _near(model: str, known: list[ModelFacts]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 -- only for this text

    near = get_close_matches(model, [facts.id for facts in known if not facts.retired], 1)
    return f" (did you mean {near[0]}?)" if near else ""


async def _peeked(response: Response) -> Response:
    """Look into a stream until it says something: a refusal becomes a whole response.

    What breaks before that is an ordinary failure, since the caller has nothing of it yet.
    """
    source = response.events
    if source is None:
        return response
    waiting: list[Event] = []
    try:
        async for event in source:
            waiting.append(event)
            if isinstance(event, ErrorEvent):
                raise event.as_error(response.headers)  # noqa: TRY301 -- the stream is closed like for any error
            if isinstance(event, MessageDelta) and event.delta.stop_reason == "refusal":
                return await whole(response.evolve(events=_rejoined(waiting, response)))
            if not isinstance(event, MessageStart | Ping):
                break
    except BaseException:
        await close(source)
        raise
    return response.evolve(events=Relay(source, _rejoined(waiting, response), begun=True))


async def _rejoined(waiting: list[Event], response: Response) -> AsyncGenerator[Event, None]:
    source = response.events
    if source is None:
        return
    try:
        for event in waiting:
            yield event
        async for event in source:
            yield event
    finally:
        await close(source)
