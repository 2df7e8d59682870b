"""What ``Pipeline`` and ``AsyncPipeline`` share: everything but waiting."""

import itertools
import os
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from hookline._api.upstreams import Upstreams
from hookline._http.transport import Timeouts
from hookline._io import AsyncIO, SyncIO
from hookline._journey.discovery import assemble
from hookline._journey.engine import Engine
from hookline._journey.lifecycle import Lifecycle
from hookline._journey.plugin_set import PluginSet
from hookline._journey.tool_calls import ToolCalls, resolved
from hookline._pipeline_given import (
    guarding,
    header_of,
    lacks_credential,
    simulator_of,
    split_policy,
)
from hookline._registered import known_models, known_servers, registered
from hookline.config import Origin, Settings
from hookline.errors import ConfigError, InputError
from hookline.models import ModelFacts
from hookline.policy import load_policy, policy_settings
from hookline.profiles import Profile
from hookline.send_options import Input
from hookline.send_options.call import Call, prepare
from hookline.send_options.options import betas_of, forget
from hookline.turn import Resumed, Turn, Uploads
from hookline.values.brief import brief
from hookline.values.destination import Destination
from hookline.values.messages import Request
from hookline.values.principal import NOBODY, Principal

if TYPE_CHECKING:
    from hookline._http.transport import Transport
    from hookline.conversation import ConversationBase
    from hookline.endpoints.access import Access
    from hookline.endpoints.batches import Journeys
    from hookline.endpoints.uploads import Journeys as UploadJourneys
    from hookline.simulator import Simulator

__all__ = ["PipelineBase"]

_NUMBERS: Final = itertools.count(1)

# Options that a standard plugin carries out: without it they would silently be dropped.
_CARRIED_OUT_BY: Final = {
    "history": "history",
    "prefill": "prefill",
    "tools": "tools",
    "output": "output",
    "places_breakpoints": "prompt_cache",
    "resumed": "tools",
}


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
        always_stream: bool | None = None,
        max_connections: int | None = None,
        max_steps: int | None = None,
        unknown_models: str | None = None,
        config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        plugins: Sequence[Any] = (),
        disable: Sequence[str] | None = None,
        policy: Any = None,
        client: Any = None,
        http: str | None = None,
        server: str | None = None,
        cache_breakpoints: str | None = None,
        ca_bundle: str | None = None,
        context: Mapping[str, Any] | None = None,
        principal: Principal | None = None,
    ) -> None:
        if not isinstance(plugins, list | tuple):
            raise ConfigError("plugins= takes a list: plugins=[MyPlugin()]")
        if context is not None and not isinstance(context, Mapping):
            raise ConfigError("context= takes a dict: context={'user': …}")
        enforcers, files = split_policy(policy)
        self.policy: Final = load_policy(files)
        self.settings: Final[Settings] = policy_settings(
            self.policy,
            config,
            model=model,
            max_tokens=max_tokens,
            api_key=api_key,
            auth_token=auth_token,
            base_url=base_url,
            api_version=api_version,
            headers=headers,
            timeout=timeout,
            connect_timeout=connect_timeout,
            write_timeout=write_timeout,
            read_timeout=read_timeout,
            always_stream=always_stream,
            max_connections=max_connections,
            max_steps=max_steps,
            unknown_models=unknown_models,
            http=http,
            server=server,
            cache_breakpoints=cache_breakpoints,
            ca_bundle=ca_bundle,
            disable=disable,
        )
        self.plugins: Final = PluginSet(
            [
                *assemble(plugins, self.settings, self.policy),
                *guarding(enforcers, self.policy),
            ]
        )
        self.model_table = known_models(self.plugins, self.settings)
        self.servers: Final = known_servers(self.plugins, self.settings)
        self.registered: Final = registered(self.plugins)
        self.context: Final[Mapping[str, Any]] = MappingProxyType(dict(context or {}))
        if principal is not None and not isinstance(principal, Principal):
            raise ConfigError(f"principal= takes a Principal, not {brief(principal)}")
        self.principal: Final = principal
        self._blank: Final = Request(self.settings.model, self.settings.max_tokens)
        self._io = self._make_io()
        settings = self.settings
        self._destination: Final = Destination(
            base_url="sim:" if self._simulator_used else settings.base_url,
            api_key=settings.api_key,
            auth_token=settings.auth_token,
            api_version=settings.api_version,
            server=settings.server,
        )
        simulator = self._simulator()
        self._upstreams: Final = Upstreams(
            self._destination,
            open_transport=lambda base_url, own: (
                self._open(client, simulator) if own else self._open(None, simulator_of(base_url))
            ),
            headers=settings.headers,
            timeouts=self._timeouts,
            always_stream=settings.always_stream,
            require=self._require_credentials,
        )
        self._lifecycle: Final = Lifecycle(self.plugins, self._io)
        self._engine: Final = Engine(
            self.plugins, self._upstreams.send, settings.max_steps, self._lifecycle
        )
        self._tool_calls: Final = ToolCalls(self.plugins)
        self._resolve: Final = partial(resolved, self._engine)
        headers = settings.headers
        self._api_version: Final = header_of(headers, "anthropic-version") or settings.api_version
        self._betas: Final = tuple(header_of(headers, "anthropic-beta").replace(",", " ").split())

    def _timeouts(self, destination: Destination) -> Timeouts:
        """Return the limits of one exchange: a kind of server may well be silent for longer."""
        settings, read = self.settings, self.settings.read_timeout
        if settings.origin("read_timeout") is Origin.DEFAULT:
            read = max(read, self.servers.profile(destination).silence)
        return Timeouts(settings.connect_timeout, settings.write_timeout, read)

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
        from hookline._http.certificates import Certificates  # noqa: PLC0415 -- the HTTP library comes last

        settings = self.settings
        return {
            "certificates": Certificates(settings.ca_bundle or None),
            "max_connections": settings.max_connections,
        }

    def _simulator(self) -> "Simulator | None":
        """Return the simulator that ``base_url`` asks for, or None."""
        base_url = self.settings.base_url
        return simulator_of(base_url) if isinstance(base_url, str) else base_url

    def _access(self) -> "Access":
        """Return what the endpoints beside messages are built on."""
        from hookline.endpoints.access import Access  # noqa: PLC0415 -- only for those endpoints

        return Access(self._upstreams.reach, self._io, self.settings.timeout)

    def _uploads(self, turn: Turn) -> Uploads:
        """Return what a turn's plugins upload with."""
        from hookline.endpoints.turn_uploads import TurnUploads  # noqa: PLC0415 -- few turns upload

        return TurnUploads(turn, self._upstreams.reach, self._upload_journeys(turn))

    def _journeys(self) -> "Journeys":
        """Return what batches need in order to take their items through the stages."""
        from hookline.endpoints.batches import Journeys  # noqa: PLC0415 -- only for batches

        return Journeys(
            engine=self._engine,
            begin=lambda item: self.begin_turn(
                "batch", item.message, {**item.options}, name=item.custom_id
            ),
            resume=self._resume,
        )

    def _upload_journeys(self, parent: Turn | None = None) -> "UploadJourneys":
        """Return what uploads need in order to be judged like everything else that leaves.

        Args:
            parent: the turn whose plugin uploads; the upload is made on the same behalf.

        """
        from hookline.endpoints.uploads import Journeys, as_request  # noqa: PLC0415 -- only for uploads

        def begin(
            name: str, content: bytes, media_type: str, timeout: float, options: Mapping[str, Any]
        ) -> tuple[Turn, Request]:
            betas = betas_of(options.get("betas"))
            known: dict[str, Any] = {}
            if parent is not None:
                known = {
                    "destination": parent.destination,
                    "principal": parent.principal,
                    "context": parent.context,
                }
            turn = self._turn("upload", timeout, name=name, **known)
            return turn, as_request(self._blank, content, media_type, betas)

        return Journeys(self._engine, begin)

    def _resume(self, left: Turn | None, custom_id: str) -> Turn:
        """Return the turn of a batch's result, which knows what the item's turn knew."""
        turn = self._turn("batch", name=custom_id)
        if left is not None:
            turn = evolve(
                turn,
                context=left.context,
                principal=left.principal,
                options=left.options,
                prefill=left.prefill,
            )
            turn.state.update(left.state)
        return turn

    @property
    def _simulator_used(self) -> bool:
        base_url = self.settings.base_url
        return not isinstance(base_url, str) or base_url.startswith("sim:")

    def begin_turn(
        self,
        surface: str,
        message: Input,
        given: Mapping[str, Any],
        conversation: "ConversationBase | None" = None,
        *,
        name: str = "",
        resumed: Resumed | None = None,
    ) -> tuple[Turn, Request]:
        """Turn what a caller wants into a turn and its first request; empty ``given``.

        Who goes on with them forgets the message, too: what is in frames is shown to whoever records a
        traceback.
        """
        try:
            call = self._prepared(message, given)
        finally:
            forget(given)
        if surface != "explain":  # which sends nothing
            self._require_credentials()
        options = call.options
        if conversation is not None:
            options = conversation.joined(options)
        if self.registered.tools:
            options = evolve(options, tools=(*self.registered.tools, *options.tools))
        if resumed is not None:
            options = evolve(options, history=resumed.reply.messages, resumed=resumed)
        for field, plugin in _CARRIED_OUT_BY.items():
            if getattr(options, field) and self.plugins.get(plugin) is None:
                raise InputError(
                    f"this call needs the plugin {plugin!r}, which is not enabled here"
                )
        turn = self._turn(
            surface,
            call.timeout,
            name=name,
            context=self._joined_context(call),
            principal=self._principal_of(call),
            options=options,
            conversation=conversation,
        )
        return turn, call.request

    def _prepared(self, message: Input, given: Mapping[str, Any]) -> Call:
        """Check what a caller wrote, and make the request it describes."""
        return prepare(
            self.settings,
            self.model_table,
            self._blank,
            message,
            given,
            strict=self.profile.all_rules,
        )

    def _turn(self, surface: str, timeout: float | None = None, **known: Any) -> Turn:
        """Return a new turn; ``known`` is what its caller knows of it."""
        timeout = timeout or self.settings.timeout
        return Turn(
            id=f"turn_{os.getpid()}_{next(_NUMBERS)}",  # asked each time: a fork is another process
            io=self._io,
            models=self.model_table,
            servers=self.servers,
            plugins=self.plugins.described,
            policies=self.policy.described,
            surface=surface,
            stream=surface == "stream",
            api_version=self._api_version,
            betas=self._betas,
            headers=self.settings.headers,
            deadline=self._io.now() + timeout,
            timeout=timeout,
            call_tool=self._tool_calls,
            resolve=self._resolve,
            open_uploads=self._uploads,
            **{
                "context": self.context,
                "principal": self.principal or NOBODY,
                "destination": self._destination,
                **known,
            },
        )

    def _joined_context(self, call: Call) -> Mapping[str, Any]:
        if not call.context:
            return self.context
        for key, value in call.context.items():
            if key in self.context and self.context[key] != value:
                raise InputError(
                    f"context[{key!r}] is fixed by the pipeline; a call may add keys, and "
                    "override none"
                )
        return MappingProxyType({**call.context, **self.context})

    def _principal_of(self, call: Call) -> Principal:
        if call.principal is None:
            return self.principal or NOBODY
        if self.principal is not None and call.principal != self.principal:
            raise InputError("the pipeline's owner has fixed the principal; a call may give none")
        return call.principal

    @property
    def profile(self) -> Profile:
        """What the server at the pipeline's own address can do, as far as it is known by now."""
        return self.servers.profile(self._destination)

    def _require_credentials(self) -> None:
        if self._simulator_used or not lacks_credential(self.settings, self.servers.table):
            return
        raise ConfigError(
            "there is no API key. Give one in any of three ways: Pipeline(api_key=…), the "
            "environment variable ANTHROPIC_API_KEY, or ANTHROPIC_AUTH_TOKEN for a bearer token. "
            'Without a key, use the built-in simulator: Pipeline(base_url="sim:"), on the command '
            "line --base-url sim:, or set ANTHROPIC_BASE_URL=sim:"
        )

    def _learned(self, told: Sequence[ModelFacts]) -> tuple[ModelFacts, ...]:
        """Add what a server told of its models; what the table knows already stays."""
        new = tuple(facts for facts in told if facts.id not in self.model_table)
        if new:
            self.model_table = self.model_table.with_models(*new)
        return new

    def __repr__(self) -> str:
        if not hasattr(self, "plugins"):  # in a traceback of what its arguments were refused for
            return f"<{type(self).__name__}, not built>"
        names = ", ".join(plugin.name for plugin in self.plugins.plugins)
        return f"<{type(self).__name__} model={self.settings.model!r} plugins=[{names}]>"
