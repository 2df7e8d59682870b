"""Reading what a pipeline is given: a simulator, headers, policies, and what its plugins register."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from hookline._journey.plugin_set import Plugin, PluginSet
from hookline._journey.required import check_code_plugins
from hookline.config import Settings
from hookline.config.told_models import told_models
from hookline.errors import ConfigError
from hookline.models import ModelFacts, ModelTable, load_models
from hookline.policy import Guard, Policy
from hookline.profiles import Profile, Servers, load_profiles
from hookline.send_options.tools import bind_tool
from hookline.turn import BoundTool

if TYPE_CHECKING:
    from hookline.simulator import Simulator

__all__ = [
    "Registered",
    "guarding",
    "header_of",
    "names_credential",
    "registered",
    "registered_models",
    "registered_servers",
    "simulator_of",
    "split_policy",
]


@frozen
class Registered:
    """What plugins registered when the pipeline was built.

    Attributes:
        tools: offered to every turn.
        routes: ``(path, ASGI application)`` pairs, for whoever serves HTTP.

    """

    tools: tuple[BoundTool, ...]
    routes: tuple[tuple[str, Any], ...]


def simulator_of(base_url: str) -> "Simulator | None":
    """Return the simulator that a base URL means, or None."""
    if not base_url.startswith("sim:"):
        return None
    from hookline.simulator import Scenario, Simulator  # noqa: PLC0415 -- only when asked for

    path = base_url.removeprefix("sim:")
    return Simulator(Scenario.from_toml(path) if path else None)


def names_credential(headers: Mapping[str, str]) -> bool:
    """Say whether headers hold a credential."""
    return any(name.lower() in ("x-api-key", "authorization") for name in headers)


def header_of(headers: Mapping[str, str], wanted: str) -> str:
    """Return a header whatever the case of its name; empty if it is not there."""
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def split_policy(policy: Any) -> tuple[list[Any], list[str | os.PathLike[str]]]:
    """Return the enforcers and the policy files that ``policy=`` names."""
    given = policy if isinstance(policy, list | tuple) else [policy]
    files = [each for each in given if isinstance(each, str | os.PathLike)]
    return [
        each for each in given if each is not None and not isinstance(each, str | os.PathLike)
    ], files


def guarding(enforcers: list[Any], policy: Policy) -> list[Plugin]:
    """Return what no setting below this call can take away: enforcers, and what the policy guards."""
    plugins = [Plugin.of(each) for each in enforcers]
    check_code_plugins(policy, plugins)
    for plugin in plugins:
        if plugin.role != "enforcer":
            raise ConfigError(
                f"policy= takes enforcers and policy files, and plugin {plugin.name!r} is a "
                f'{plugin.role}; set `role = "enforcer"` in its class'
            )
    return (
        [*plugins, Plugin(Guard.name, Guard(policy))] if policy.lock or policy.bounds else plugins
    )


def registered(plugins: PluginSet) -> Registered:
    """Return what plugins register once for all turns."""
    tools: list[BoundTool] = []
    routes: list[tuple[str, Any]] = []

    def offer(plugin: str, tool: Any, function: Callable[..., Any] | None = None) -> None:
        tools.append(evolve(bind_tool(tool, function), origin=f"plugin {plugin!r}"))

    plugins.announce("register_tools", lambda plugin: partial(offer, plugin))
    plugins.announce(
        "register_routes", lambda _plugin: lambda path, app: routes.append((path, app))
    )
    return Registered(tuple(tools), tuple(routes))


def registered_models(settings: Settings, plugins: PluginSet) -> ModelTable:
    """Return what is known of models: the table, and what settings and plugins tell."""
    added: list[ModelFacts] = list(told_models(settings.models))
    plugins.announce("register_models", lambda _plugin: added.append)
    table = load_models()
    if isinstance(settings.base_url, str):
        from hookline.endpoints.model_cache import refreshed  # noqa: PLC0415 -- beside messages

        table = refreshed(table, settings.base_url)
    return table.with_models(*added) if added else table


def registered_servers(settings: Settings, plugins: PluginSet) -> Servers:
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
