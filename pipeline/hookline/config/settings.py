"""What can be set: each setting with its type, its default, its bounds, and who may set it."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from hookline.config.files import Key
from hookline.config.layers import Layer, Origin, located
from hookline.config.options import option
from hookline.config.told_models import only_limits_of_unknown_models
from hookline.values.secret import Secret, as_secret

__all__ = ["MOST_CONNECTIONS", "CacheBreakpoints", "Library", "Settings"]

MOST_CONNECTIONS: Final = 1000

Library: TypeAlias = Literal["auto", "httpcore2", "aiohttp", "httpx", "httpx2"]

CacheBreakpoints: TypeAlias = Literal["given", "auto"]
"""Whose cache breakpoints leave: those that a request brings, or also some that are placed here."""

# A scenario beside the file, but none elsewhere on the machine.
_SIMULATED: Final = re.compile(r"sim:(?!/)(?!.*\.\.)[\w./ -]*")
_SECONDS: Final = option(harmless=True, above=0, unit="seconds")


def _simulated(base_url: Any) -> bool:
    return isinstance(base_url, str) and _SIMULATED.fullmatch(base_url) is not None


@frozen(kw_only=True)
class Settings:
    """Everything about a pipeline that is not code.

    Attributes:
        model: the model asked where a call names none.
        max_tokens: the cap on output tokens where a call gives none.
        base_url: of the API; ``/v1`` at its end is dropped. ``sim:`` is the built-in simulator,
            ``sim:PATH`` the simulator with a scenario file.
        api_key: for ``x-api-key``.
        auth_token: for ``Authorization: Bearer``.
        api_version: the ``anthropic-version`` header.
        headers: further headers for every request.
        timeout: seconds that a turn may take, streamed or not.
        connect_timeout: seconds until a connection stands, TLS included.
        write_timeout: seconds between two pieces of a request that the network takes.
        read_timeout: seconds of silence in a stream, whose pings count; a plain answer, which is
            silent until it is complete, may take what the turn has. Where nobody sets it, kinds of
            servers that are known to be silent for longer are given more (``Profile.silence``).
        always_stream: whether plain calls are sent as streams too, which only the network sees. A
            server then learns that a call was given up, and silence is noticed.
        max_connections: connections to one address at most; further calls wait for one.
        max_steps: requests that one turn may make (tool calls).
        unknown_models: ``"refuse"`` or ``"allow"`` model names that the table does not know.
        http: what our own connections stand on: ``"auto"``, ``"httpcore2"`` or ``"aiohttp"``.
        server: the profile of the server at ``base_url`` (``"llama.cpp"``, ``"vllm"`` …); empty to
            guess by the host.
        cache_breakpoints: ``"auto"`` places breakpoints for the API's prompt cache, ``"given"`` leaves
            those that a request brings.
        models: facts about models that the table does not know, by id: ``[models."ants-7b"]``. The
            layers are put together, and the strongest tells of a model that several name.
        ca_bundle: a PEM file of certificate authorities, instead of the usual ones.
        enable: if not empty, only these installed plugins are loaded.
        disable: installed plugins that are not loaded.
        files: files with plugins, ``PATH.py`` or ``PATH.py:NAME``; relative to the file that names
            them.
        plugins: options by plugin name.
        said: the layers that say something, by key, the strongest first.

    """

    model: str = field(default="claude-haiku-5-5", metadata=option(harmless=True))
    max_tokens: int = field(default=4096, metadata=option(harmless=True, above=0))
    base_url: str = field(default="https://api.anthropic.com", metadata=option(harmless=_simulated))
    api_key: Secret | None = field(default=None, converter=as_secret, metadata=option(secret=True))
    auth_token: Secret | None = field(
        default=None, converter=as_secret, metadata=option(secret=True)
    )
    api_version: str = "2023-06-01"
    headers: Mapping[str, str] = field(factory=dict, repr=False)  # some are credentials
    timeout: float = field(default=600.0, metadata=_SECONDS)
    connect_timeout: float = field(default=5.0, metadata=_SECONDS)
    write_timeout: float = field(default=30.0, metadata=_SECONDS)
    read_timeout: float = field(default=60.0, metadata=_SECONDS)
    always_stream: bool = False
    max_connections: int = field(default=MOST_CONNECTIONS, metadata=option(above=0))
    max_steps: int = field(default=26, metadata=option(harmless=True, above=0))
    unknown_models: Literal["refuse", "allow"] = "refuse"
    http: Library = "auto"
    server: str = field(default="", metadata=option(harmless=True))
    cache_breakpoints: CacheBreakpoints = field(default="given", metadata=option(harmless=True))
    models: Mapping[str, Mapping[str, Any]] = field(
        factory=dict, metadata=option(harmless=only_limits_of_unknown_models)
    )
    ca_bundle: str = ""
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    plugins: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    said: Mapping[Key, tuple[Layer, ...]] = field(factory=dict, eq=False, repr=False)

    def layers(self, *key: str) -> tuple[Layer, ...]:
        """Return the layers that give a value to a key, the strongest first; the first one won.

        Example:
            >>> settings.layers("plugins", "images", "strategy")[0].origin
            <Origin.NAMED_FILE: 3>

        """
        return self.said.get(key, ())

    def located(self, *key: str) -> AbstractContextManager[None]:
        """Return a context that puts the place of a value before a ``ConfigError`` about it."""
        layers = self.layers(*key)
        return located(layers[0], key) if layers else nullcontext()

    def origin(self, *key: str) -> Origin:
        """Return where the value of a key comes from."""
        layers = self.layers(*key)
        return layers[0].origin if layers else Origin.DEFAULT
