"""What is configured: the policy, credentials, plugins, proxies."""

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from hookline._journey.plugin_files import is_file_reference, split_reference
from hookline._pipeline_given import credential_of, lacks_credential
from hookline.cli.doctor.found import Found
from hookline.cli.selection import selection
from hookline.cli.survey import survey
from hookline.config import Settings
from hookline.errors import ConfigError, HooklineError
from hookline.policy import Policy, load_policy, policy_settings
from hookline.profiles import load_profiles

__all__ = ["credentials", "plugins", "policy_and_settings", "proxies"]

_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def policy_and_settings(config: str | None) -> tuple[list[Found], Settings | None]:
    """Look at the policy and the settings; without both nothing else can be looked at."""
    try:
        policy = load_policy()
    except ConfigError as error:
        fix = "correct the policy file, or ask whoever keeps it; `hookline policy lint` helps"
        return [Found("policy", "finding", _told(error), fix)], None
    found = [_policy(policy)]
    try:
        settings = policy_settings(policy, config)
    except ConfigError as error:
        found.append(
            Found("settings", "finding", _told(error), "correct it; `hookline config` shows all")
        )
        return found, None
    found.append(Found("settings", "good", "they can be read"))
    return found, settings


def _told(error: HooklineError) -> str:
    return f"{error}; for the administrator: {error.admin}" if error.admin else str(error)


def _policy(policy: Policy) -> Found:
    if not policy.files:
        return Found("policy", "good", "there is none here")
    names = ", ".join(f"{file.id} ({file.name})" for file in policy.files)
    parts = [f"{len(policy.rules)} rules", f"{len(policy.lock)} locks"]
    parts += [f"requires {each.name}" for each in policy.require]
    return Found("policy", "good", f"{names}: {', '.join(parts)}")


def credentials(settings: Settings, _config: str | None) -> Iterator[Found]:
    """Look for a key or token."""
    base_url = str(settings.base_url)
    kept = credential_of(settings)
    if kept:
        yield Found("credentials", "good", f"there is {kept} for {base_url}")
    elif base_url.startswith("sim:"):
        yield Found("credentials", "good", "the simulator needs none")
    elif lacks_credential(settings, load_profiles()):
        yield Found(
            "credentials",
            "finding",
            f"there is no key for {base_url}",
            "set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL=sim: for the simulator",
        )
    else:
        yield Found(
            "credentials",
            "note",
            f"there is no key for {base_url}, which may need none",
            "set ANTHROPIC_API_KEY if it does",
        )


def plugins(_settings: Settings, config: str | None) -> Iterator[Found]:
    """Look for plugins that are broken, and whether all of them together make a pipeline."""
    try:
        looked = survey(config)
    except HooklineError as error:
        yield Found("plugins", "finding", _told(error), "uninstall or rename one of the two")
        return
    broken = [each for each in looked.found if each.broken]
    for each in broken:
        yield Found(
            f"plugin {each.name}",
            "finding",
            each.reason,
            f"repair {each.distribution or 'it'}, or {_left_out(each.name, each.distribution)}",
        )
    if broken:
        return
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- only where plugins are whole

    try:
        Pipeline(config=config)
    except HooklineError as error:
        yield Found(
            "plugins", "finding", f"they make no pipeline: {_told(error)}", "do as the error says"
        )
        return
    on = sum(each.enabled for each in looked.found)
    yield Found("plugins", "good", f"{on} of {len(looked.found)} are on, none is broken")


def _left_out(name: str, distribution: str) -> str:
    """Say how a broken plugin is left out: where it came from decides."""
    for reference in selection().added:
        if reference == name or split_reference(reference)[0] == distribution:
            return f"leave out -p {reference}"
    if is_file_reference(distribution):
        return f"take {distribution} out of [plugins] files"
    return f"leave it out: HOOKLINE_DISABLE={name}"


def proxies(settings: Settings, _config: str | None) -> Iterator[Found]:
    """Look at the proxies that the environment names."""
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if not value:
            continue
        shown = re.sub(r"//[^@/]*@", "//…@", value)
        if value.startswith("socks") and find_spec("socksio") is None:
            yield Found("proxy", "finding", f"{name} is {shown}", "pip install 'hookline[socks]'")
        else:
            yield Found(
                "proxy",
                "note",
                f"requests to {settings.base_url} go by {name}, {shown}",
                "NO_PROXY names the hosts that are reached directly",
            )
