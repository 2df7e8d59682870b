"""What plugins register when a pipeline is built: tools, routes, facts about models and about servers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve, frozen

from hookline._journey.plugin_set import PluginSet
from hookline.config import Settings
from hookline.config.told_models import told_models
from hookline.models import ModelFacts, ModelTable, load_models
from hookline.profiles import Profile, Servers, load_profiles
from hookline.send_options.tools import bind_tool
from hookline.turn import BoundTool

__all__ = ["Registered", "known_models", "known_servers", "registered"]


@frozen
class Registered:
    """What plugins registered when the pipeline was built.

    Attributes:
        tools: offered to every turn.
        routes: ``(path, ASGI application)`` pairs, for whoever serves HTTP.

    """

    tools: tuple[BoundTool, ...]
    routes: tuple[tuple[str, Any], ...]


def registered(plugins: PluginSet) -> Registered:
    """Let plugins register tools and routes."""
    tools: list[BoundTool] = []
    routes: list[tuple[str, Any]] = []

    def offer(plugin: str, tool: Any, function: Callable[..., Any] | None = None) -> None:
        tools.append(evolve(bind_tool(tool, function), origin=f"plugin {plugin!r}"))

    plugins.announce("register_tools", lambda plugin: partial(offer, plugin))
    plugins.announce(
        "register_routes", lambda _plugin: lambda path, app: routes.append((path, app))
    )
    return Registered(tuple(tools), tuple(routes))


def known_models(plugins: PluginSet, settings: Settings) -> ModelTable:
    """Return what is known of models.

    The table that ships with Hookline is the weakest; what the server has told (``hookline models
    --refresh``) is stronger, then come settings, then plugins.
    """
    added: list[ModelFacts] = list(told_models(settings.models))
    plugins.announce("register_models", lambda _plugin: added.append)
    table = load_models()
    if isinstance(settings.base_url, str):
        from hookline.endpoints.model_cache import refreshed  # noqa: PLC0415 -- beside messages

        table = refreshed(table, settings.base_url)
    return table.with_models(*added) if added else table


def known_servers(plugins: PluginSet, settings: Settings) -> Servers:
    """Return what is known of servers.

    Raises:
        ConfigError: the settings name a profile that there is not.

    """
    added: list[Profile] = []
    plugins.announce("register_profiles", lambda _plugin: added.append)
    servers = Servers(load_profiles().with_profiles(*added) if added else None)
    if settings.server:
        with settings.located("server"):
            servers.table.require(settings.server)
    return servers
