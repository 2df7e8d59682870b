"""Plugins made with their options: values of settings, in the types of the fields of a class."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from hookline._journey.plugin_files import FilePlugin
from hookline._journey.plugin_set import Plugin
from hookline._journey.required import held, refused_options
from hookline._journey.trust import check_trust, options_of
from hookline.config import Facts, Origin, Settings, facts_of, nearest
from hookline.errors import ConfigError, DecodeError
from hookline.policy import NO_POLICY, Policy
from hookline.values.brief import brief

if TYPE_CHECKING:
    from hookline._journey.discovery import Installed

__all__ = ["configured", "made"]

_NO_SETTINGS: Final = Settings()


def made(each: "Installed | FilePlugin", settings: Settings, policy: Policy = NO_POLICY) -> Plugin:
    """Import a plugin and make it with its options; what is a class is called with them.

    Args:
        each: what offers it.
        settings: hold its options: values for the fields of its class, and ``shadow``.
        policy: the organisation's, which may fix and bound them.

    Raises:
        ConfigError: it cannot be imported, or an option is unknown, has a wrong value, or comes
            from where it may not.

    """
    name, thing = each.name, each.imported()
    given = dict(settings.plugins.get(name, ()))
    enforces = each.enforces
    check_trust(name, thing, settings, enforces=enforces)
    refused_options(policy, name, settings, enforces=enforces)
    shadow = given.pop("shadow", False)
    if not isinstance(shadow, bool):
        raise ConfigError(f"plugins.{name}.shadow must be true or false, not {brief(shadow)}")
    if isinstance(thing, type):
        thing = configured(name, thing, given, settings)
    elif given:
        raise ConfigError(f"plugin {name!r} takes no options; remove {', '.join(given)}")
    return held(policy, Plugin(name, thing, each.distribution, each.version, shadow))


def configured(
    name: str,
    plugin_class: type,
    options: Mapping[str, Any],
    settings: Settings = _NO_SETTINGS,
) -> Any:
    """Make a plugin from its class and its options.

    Args:
        name: the plugin's name, for messages.
        plugin_class: an attrs class whose fields are the options, or a class that takes none.
        options: values as TOML gives them.
        settings: know where the values come from.

    Raises:
        ConfigError: an unknown option, or a value that does not fit.

    """
    known = options_of(plugin_class)
    values: dict[str, Any] = {}
    for option, value in options.items():
        with settings.located("plugins", name, option):
            if option not in known:
                hint = nearest(option, known) if known else "it has none"
                raise ConfigError(f"plugin {name!r} has no option {option!r}; {hint}")
            values[option] = _fitted(
                f"plugins.{name}.{option}",
                value,
                known[option],
                settings.origin("plugins", name, option),
            )
    try:
        return plugin_class(**values)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"plugin {name!r} cannot be made: {type(error).__name__}: {error}. Give it "
            "its options, or make it in code and hand over an instance"
        ) from error


def _fitted(name: str, value: Any, field: "attrs.Attribute[Any]", origin: Origin) -> Any:
    """Return the value of an option in the type of its field."""
    facts = facts_of(field)
    if facts.secret:
        from hookline.config.references import secret_of  # noqa: PLC0415 -- few plugins have any

        return secret_of(value, origin, os.environ)
    from hookline.schema.structure import structured  # noqa: PLC0415 -- loads cattrs

    try:
        fitted = structured(value, field.type)
    except DecodeError as error:
        raise ConfigError(f"{name}: {error}") from error
    _check_bounds(name, fitted, facts)
    return fitted


def _check_bounds(name: str, value: Any, facts: Facts) -> None:
    """Refuse a number that is out of the bounds of its field, in tables within an option too."""
    if facts.bounded and isinstance(value, int | float) and facts.outside(value):
        raise ConfigError(f"{name} must be a number{facts.bounds}, not {brief(value)}")
    if isinstance(value, list | tuple):
        for place, each in enumerate(value):
            _check_bounds(f"{name}[{place}]", each, facts)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            _check_bounds(f"{name}.{key}", each, facts)
    elif attrs.has(type(value)):
        for key, field in options_of(type(value)).items():
            _check_bounds(f"{name}.{key}", getattr(value, key), facts_of(field))
