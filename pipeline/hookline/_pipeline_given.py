"""Reading what a pipeline is given: a simulator, headers, policies."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hookline._journey.plugin_set import Plugin
from hookline._journey.required import check_code_plugins
from hookline.errors import ConfigError
from hookline.policy import Guard, Policy
from hookline.profiles import ProfileTable

if TYPE_CHECKING:
    from hookline.config import Settings
    from hookline.simulator import Simulator

__all__ = [
    "credential_of",
    "guarding",
    "header_of",
    "lacks_credential",
    "simulator_of",
    "split_policy",
]


def simulator_of(base_url: str) -> "Simulator | None":
    """Return the simulator that a base URL means, or None."""
    if not base_url.startswith("sim:"):
        return None
    from hookline.simulator import Scenario, Simulator  # noqa: PLC0415 -- only when asked for

    path = base_url.removeprefix("sim:")
    return Simulator(Scenario.from_toml(path) if path else None)


def credential_of(settings: "Settings") -> str:
    """Return what kind of credential settings hold, in words; empty for none."""
    if settings.api_key:
        return "an API key"
    if settings.auth_token:
        return "a bearer token"
    named = any(name.lower() in ("x-api-key", "authorization") for name in settings.headers)
    return "a credential among the headers" if named else ""


def lacks_credential(settings: "Settings", profiles: ProfileTable) -> bool:
    """Say whether the server will answer nothing, since it needs a key and there is none."""
    # A local server, or a gateway, may want none, or something else.
    return not credential_of(settings) and profiles.guess(str(settings.base_url)).needs_key


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
