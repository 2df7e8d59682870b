"""What the organisation's policy says of plugins: which must, which may, and with what options."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from hookline._journey.plugin_set import Plugin
from hookline._journey.trust import options_of
from hookline.config import Key, Origin, Settings, located
from hookline.errors import ConfigError
from hookline.policy import Policy

__all__ = ["check_code_plugins", "check_requirements", "held", "refused_options"]


def check_requirements(
    policy: Policy,
    offered: Mapping[str, tuple[str, str]],
    settings: Settings,
    replaced: Iterable[str],
) -> None:
    """Refuse to build a pipeline without what the policy requires.

    Args:
        policy: the organisation's.
        offered: distribution and version of every plugin that is installed, by name.
        settings: may try to switch one off.
        replaced: names that plugins handed over in code take.

    Raises:
        ConfigError: with what is wrong for the administrator in ``admin``.

    """
    for wanted in policy.require:
        name, by = wanted.name, f"{wanted.by}: plugin {wanted.name!r} is required"
        if name not in offered:
            raise policy.refusal(f"{by}, and is not installed")
        distribution, version = offered[name]
        if not wanted.met_by(version):
            raise policy.refusal(
                f"{by} in version {wanted.versions}, and {distribution} {version} is installed"
            )
        left_out = policy.leaves_out(name, distribution)
        if left_out:
            raise policy.refusal(f"{by}, and left out by {left_out}")
        if name in settings.disable:
            layer = settings.layers("plugins", "disable")[0]
            place = layer.where(("plugins", "disable")) or layer.name
            raise policy.refusal(f"{by}, and switched off by {place}")
        if name in replaced:
            raise policy.refusal(f"{by}, and code would put another one in its place")


def check_code_plugins(policy: Policy, in_code: Sequence[Plugin]) -> None:
    """Refuse plugins that are handed over as objects, where the policy says so.

    Raises:
        ConfigError: names them.

    """
    if in_code and not policy.code_plugins:
        file = next(file for file in policy.files if not file.code_plugins)
        names = ", ".join(repr(plugin.name) for plugin in in_code)
        raise policy.refusal(
            f"{file.where(('plugins', 'code_plugins'))}: no plugins from code, and there are {names}"
        )


def refused_options(policy: Policy, name: str, settings: Settings, *, enforces: bool) -> None:
    """Refuse options that somebody gives and may not.

    What the policy requires, only the policy configures; and of several policy files only the strongest
    configure enforcers, for an option may weaken one.

    Args:
        policy: the organisation's.
        name: the plugin's.
        settings: with the layers.
        enforces: whether it is an enforcer.

    Raises:
        ConfigError: names the option and who gave it.

    """
    required = policy.required(name)
    for option in settings.plugins.get(name, ()):
        key: Key = ("plugins", name, option)
        locked = policy.lock.get(key)
        if enforces and locked is not None and not locked.chief:
            raise policy.refusal(
                f"{locked.by}: plugin {name!r} is an enforcer, and a further policy cannot give its options"
            )
        for layer in settings.layers(*key):
            if layer.origin is Origin.POLICY:
                continue
            if required is not None and enforces and locked is None:
                with located(layer, key):
                    raise ConfigError(
                        f"plugins.{name}.{option}: {name} is an enforcer that the policy requires "
                        f"({required.by}), so only the policy gives its options"
                    )


def held(policy: Policy, plugin: Plugin, home: str = "") -> Plugin:
    """Hold a plugin to what the policy locks and bounds of its options.

    A default beyond a bound is cut to it; a value that somebody gave was refused before, where it is
    known who gave it. Of an object from code nobody knows, so there a value out of bounds is refused.

    Args:
        policy: the organisation's.
        plugin: made of settings, or handed over in code.
        home: name of the installed plugin whose class it has.

    Raises:
        ConfigError: an object from code with another value than the policy allows.

    """
    names = tuple(dict.fromkeys(filter(None, (plugin.name, home))))
    if not plugin.distribution:
        for name in names:
            _check_locks(policy, plugin, name)
    thing = plugin.object
    changes: dict[str, Any] = {}
    for name in names:
        changes |= _cut(policy, plugin, name)
    if not changes:
        return plugin
    try:
        return attrs.evolve(plugin, object=attrs.evolve(thing, **changes))
    except Exception as error:  # whatever the plugin's own class says of its options
        bounds = [bound.by for key, bound in policy.bounds.items() if key[-1] in changes]
        raise policy.refusal(
            f"{' and '.join(bounds)}: plugin {plugin.name!r} takes no value that is allowed: {error}"
        ) from error


def _cut(policy: Policy, plugin: Plugin, name: str) -> dict[str, Any]:
    """Return the options that are beyond a bound, each cut to it."""
    changes: dict[str, Any] = {}
    for option, bound in _of(policy.bounds, name):
        value = getattr(plugin.object, option, None)
        if bound.holds(value):
            continue
        if not plugin.distribution:
            bound.check(f"plugins.{name}.{option}", value)
        if option not in options_of(type(plugin.object)):
            raise policy.refusal(f"{bound.by}: plugin {name!r} has no option {option!r}")
        if value is not None and not _is_number(value):
            raise policy.refusal(
                f"{bound.by}: plugins.{name}.{option} is no number, so it has no bounds; lock it"
            )
        changes[option] = bound.clamped(value)
    return changes


def _check_locks(policy: Policy, plugin: Plugin, name: str) -> None:
    """Refuse an object from code with another value than one that is locked."""
    for option, locked in _of(policy.lock, name):
        if _plain(getattr(plugin.object, option, None)) != _plain(locked.value):
            raise ConfigError(
                f"plugins.{name}.{option} is locked by {locked.by}, and the plugin {plugin.name!r} "
                "that code hands over has another value; remove it"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Return a value as files write it: their lists are tuples in code."""
    return list(value) if isinstance(value, tuple) else value


def _of(values: Mapping[Key, Any], plugin: str) -> list[tuple[str, Any]]:
    return [
        (key[2], value)
        for key, value in values.items()
        if key[:2] == ("plugins", plugin) and len(key) > len(("plugins", plugin))
    ]
