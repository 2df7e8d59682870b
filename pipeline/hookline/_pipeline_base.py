"""What ``Pipeline`` and ``AsyncPipeline`` share: everything but waiting."""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from hookline._http.transport import Timeouts
from hookline._io import AsyncIO, SyncIO
from hookline._journey.discovery import assemble
from hookline._journey.engine import Engine
from hookline._journey.plugin_set import Plugin, PluginSet
from hookline.config import Settings, load_settings
from hookline.errors import ConfigError, InputError
from hookline.models import ModelFacts, ModelTable, load_models
from hookline.send_options import Asked, Input, asked, bound
from hookline.turn import BoundTool, Turn
from hookline.values.destination import Destination
from hookline.values.frozen import FrozenDict
from hookline.values.messages import Request

if TYPE_CHECKING:
    from hookline._api.upstream import Upstream
    from hookline._http.transport import Library, Transport
    from hookline.conversation import ConversationState
    from hookline.endpoints.access import Access
    from hookline.endpoints.batches import Journeys
    from hookline.simulator import Simulator

__all__ = ["PipelineBase", "Registered"]

_NUMBERS: Final = itertools.count(1)

# A wish that one of the standard plugins fulfils: without it the wish would silently be dropped.
_FULFILLED_BY: Final = {
    "history": "history",
    "prefill": "prefill",
    "tools": "tools",
    "output": "output",
}


@frozen
class Registered:
    """What plugins registered when the pipeline was built.

    Attributes:
        tools: offered to every turn.
        routes: ``(path, ASGI application)`` pairs, for whoever serves HTTP.

    """

    tools: tuple[BoundTool, ...]
    routes: tuple[tuple[str, Any], ...]


class PipelineBase:
    """Base of both pipelines; the arguments are documented there."""

    def __init__(
        self,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        api_key: str | None = None,
        auth_token: str | None = None,
        base_url: "str | Simulator | None" = None,
        api_version: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        write_timeout: float | None = None,
        read_timeout: float | None = None,
        max_connections: int | None = None,
        max_steps: int | None = None,
        unknown_models: str | None = None,
        config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        plugins: Sequence[Any] = (),
        policy: Any = None,
        client: Any = None,
        http: str | None = None,
        ca_bundle: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(plugins, str) or not isinstance(plugins, list | tuple):
            raise ConfigError("plugins= takes a list: plugins=[MyPlugin()]")
        self.settings: Final[Settings] = load_settings(
            config,
            model=model,
            max_tokens=max_tokens,
            api_key=api_key,
            auth_token=auth_token,
            base_url=base_url,
            api_version=api_version,
            headers=headers,
            timeout=timeout,
            stream_timeout=timeout,
            connect_timeout=connect_timeout,
            write_timeout=write_timeout,
            read_timeout=read_timeout,
            max_connections=max_connections,
            max_steps=max_steps,
            unknown_models=unknown_models,
            http=http,
            ca_bundle=ca_bundle,
        )
        self.plugins: Final = PluginSet(
            [
                *assemble(
                    plugins,
                    enable=self.settings.enable,
                    disable=self.settings.disable,
                    options=self.settings.plugins,
                ),
                *_policies(policy),
            ]
        )
        self.model_table: Final = self._register_models()
        self.registered: Final = self._register()
        self.context: Final[Mapping[str, Any]] = FrozenDict(context or {})
        self._blank: Final = Request(self.settings.model, self.settings.max_tokens)
        self._io = self._make_io()
        self._address: Final = Destination(
            base_url="sim:" if self._simulator_used else str(self.settings.base_url).rstrip("/"),
            api_key=self.settings.api_key,
            auth_token=self.settings.auth_token,
            api_version=self.settings.api_version,
        )
        self._transport = self._open(client, self._simulator())
        self._upstreams: dict[Destination, Upstream] = {}
        self._engine: Final = Engine(self.plugins, self._create, self.settings.max_steps)
        self._pid: Final = os.getpid()
        self._account: Final = self._address.account
        headers = self.settings.headers
        self._api_version: Final = (
            _header(headers, "anthropic-version") or self.settings.api_version
        )
        self._betas: Final = tuple(_header(headers, "anthropic-beta").replace(",", " ").split())

    def _make_io(self) -> "SyncIO | AsyncIO":
        """Return the io of the right colour."""
        raise TypeError(f"{type(self).__name__} has no colour: use Pipeline or AsyncPipeline")

    def _open(self, client: Any, simulator: "Simulator | None") -> "Transport":
        """Return a transport of the right colour."""
        raise TypeError(
            f"{type(self).__name__} cannot open {client or simulator!r}: "
            "use Pipeline or AsyncPipeline"
        )

    def _connections(self) -> dict[str, Any]:
        """Return the options that all adapters for connections of ours take."""
        settings = self.settings
        return {
            "ca_bundle": settings.ca_bundle or None,
            "max_connections": settings.max_connections,
        }

    @property
    def _library(self) -> "Library":
        """The library for what speaks httpx: aiohttp has another adapter."""
        http = self.settings.http
        return "auto" if http == "aiohttp" else http

    def _simulator(self) -> "Simulator | None":
        """Return the simulator that ``base_url`` asks for, or None."""
        base_url = self.settings.base_url
        return _simulator(base_url) if isinstance(base_url, str) else base_url

    async def _create(self, turn: Turn, request: Request) -> Any:
        """Send one request: the innermost step, made when the first request needs it."""
        upstream = self._reach(turn.destination)
        if turn.surface == "count_tokens":
            from hookline.endpoints.token_counts import ask_count  # noqa: PLC0415 -- only for counts

            return await ask_count(upstream, turn, request)
        return await upstream.create_message(turn, request)

    def _reach(self, elsewhere: Destination | None = None) -> "Upstream":
        """Return where requests go, connected when the first of them needs it."""
        address = elsewhere or self._address
        upstream = self._upstreams.get(address)
        if upstream is None:
            if elsewhere is None:
                self._require_credentials()
            upstream = self._upstreams[address] = self._connect(address)
        return upstream

    def _transports(self) -> "list[Transport]":
        """Return every transport that has been opened."""
        others = (upstream.transport for upstream in self._upstreams.values())
        return [self._transport, *(each for each in others if each is not self._transport)]

    def _access(self) -> "Access":
        """Return what the endpoints beside messages are built on."""
        from hookline.endpoints.access import Access  # noqa: PLC0415 -- only for those endpoints

        return Access(self._reach, self._io, self.settings.timeout)

    def _journeys(self) -> "Journeys":
        """Return what batches need in order to take their items through the stages."""
        from hookline.endpoints.batches import Journeys  # noqa: PLC0415 -- only for batches

        return Journeys(
            engine=self._engine,
            begin=lambda item: self._begin("batch", item.message, item.options),
            resume=self._resume,
        )

    def _resume(self, left: Turn | None) -> Turn:
        """Return the turn of a batch's result, which knows what the item's turn knew."""
        turn = self._turn("batch")
        if left is not None:
            turn = evolve(turn, context=left.context, options=left.options, prefill=left.prefill)
            turn.state.update(left.state)
        return turn

    def _connect(self, address: Destination) -> "Upstream":
        from hookline._api.upstream import Upstream  # noqa: PLC0415 -- loads the wire format

        settings = self.settings
        own = address is self._address
        simulated = address.base_url.startswith("sim:")
        if simulated and address.api_key is None and address.auth_token is None:
            address = evolve(address, api_key="simulated")
        return Upstream(
            address=address,
            base_url="http://simulator.invalid" if simulated else address.base_url,
            transport=self._transport if own else self._open(None, _simulator(address.base_url)),
            headers=settings.headers if own else {},  # they may hold credentials
            timeouts=Timeouts(
                connect=settings.connect_timeout,
                write=settings.write_timeout,
                read=settings.read_timeout,
            ),
        )

    @property
    def _simulator_used(self) -> bool:
        base_url = self.settings.base_url
        return not isinstance(base_url, str) or base_url.startswith("sim:")

    def _begin(
        self,
        surface: str,
        message: Input,
        given: Mapping[str, Any],
        conversation: "ConversationState | None" = None,
    ) -> tuple[Turn, Request]:
        """Turn a caller's wish into a turn and its first request."""
        wish = asked(self.settings, self.model_table, self._blank, message, given)
        if surface != "explain":  # which sends nothing
            self._require_credentials()
        options = wish.options
        if conversation is not None:
            options = conversation.joined(options)
        if self.registered.tools:
            options = evolve(options, tools=(*self.registered.tools, *options.tools))
        for field, plugin in _FULFILLED_BY.items():
            if getattr(options, field) and self.plugins.get(plugin) is None:
                raise InputError(
                    f"this call needs the plugin {plugin!r}, which is not enabled here"
                )
        turn = self._turn(
            surface, wish.timeout, context=self._joined_context(wish), options=options
        )
        return turn, wish.request

    def _turn(self, surface: str, timeout: float | None = None, **known: Any) -> Turn:
        """Return a new turn; ``known`` is what its caller knows of it."""
        stream = surface == "stream"
        settings = self.settings
        timeout = timeout or (settings.stream_timeout if stream else settings.timeout)
        return Turn(
            id=f"turn_{self._pid}_{next(_NUMBERS)}",
            io=self._io,
            models=self.model_table,
            surface=surface,
            stream=stream,
            upstream=self._address.base_url,
            account=self._account,
            api_version=self._api_version,
            betas=self._betas,
            deadline=self._io.now() + timeout,
            timeout=timeout,
            **{"context": self.context, **known},
        )

    def _joined_context(self, wish: Asked) -> Mapping[str, Any]:
        return FrozenDict({**self.context, **wish.context}) if wish.context else self.context

    def _require_credentials(self) -> None:
        settings = self.settings
        if settings.api_key or settings.auth_token or self._simulator_used:
            return
        base_url = str(settings.base_url)
        if ".anthropic.com" not in base_url or _names_credential(settings.headers):
            return  # a local server, or a gateway that wants something else
        raise ConfigError(
            "there is no API key. Give one in any of three ways: Pipeline(api_key=…), the "
            "environment variable ANTHROPIC_API_KEY, or ANTHROPIC_AUTH_TOKEN for a bearer token. "
            'Without a key, use the built-in simulator: Pipeline(base_url="sim:"), or set '
            "ANTHROPIC_BASE_URL=sim:"
        )

    def _register_models(self) -> ModelTable:
        added: list[ModelFacts] = []
        self.plugins.announce("register_models", added.append)
        table = load_models()
        return table.with_models(*added) if added else table

    def _register(self) -> Registered:
        tools: list[BoundTool] = []
        routes: list[tuple[str, Any]] = []
        self.plugins.announce(
            "register_tools", lambda tool, function=None: tools.append(bound(tool, function))
        )
        self.plugins.announce("register_routes", lambda path, app: routes.append((path, app)))
        return Registered(tuple(tools), tuple(routes))

    def __repr__(self) -> str:
        names = ", ".join(plugin.name for plugin in self.plugins.plugins)
        return f"<{type(self).__name__} model={self.settings.model!r} plugins=[{names}]>"


def _simulator(base_url: str) -> "Simulator | None":
    if not base_url.startswith("sim:"):
        return None
    from hookline.simulator import Scenario, Simulator  # noqa: PLC0415 -- only when asked for

    path = base_url.removeprefix("sim:")
    return Simulator(Scenario.from_toml(path) if path else None)


def _names_credential(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in ("x-api-key", "authorization") for name in headers)


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def _policies(policy: Any) -> list[Plugin]:
    """Return the organisation's policies, which no setting below this call can take away."""
    if policy is None:
        return []
    plugins = [
        Plugin.of(each) for each in (policy if isinstance(policy, list | tuple) else [policy])
    ]
    for plugin in plugins:
        if plugin.role != "enforcer":
            raise ConfigError(
                f"policy= takes enforcers, and plugin {plugin.name!r} is a {plugin.role}; "
                'set `role = "enforcer"` in its class'
            )
    return plugins
