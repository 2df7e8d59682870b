"""Putting the layers together: the one reader of settings."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from attrs import Attribute, evolve, fields_dict

from hookline.config.bounds import Bound
from hookline.config.files import Key, TomlFile, find_file, read_file, user_file
from hookline.config.headers import check_headers, check_key
from hookline.config.layers import (
    LISTS,
    Layer,
    Origin,
    dotted,
    located,
    of_code,
    of_environment,
    of_file,
    of_table,
    setting,
)
from hookline.config.options import checked, facts_of
from hookline.config.settings import Settings
from hookline.config.told_models import told_models
from hookline.errors import ConfigError
from hookline.values.base_url import checked_base_url
from hookline.values.brief import brief
from hookline.values.secret import Secret, as_secret

__all__ = ["SETTINGS", "handed_over", "load_settings", "settings_of"]

SETTINGS: Final[Mapping[str, "Attribute[Any]"]] = {
    name: each for name, each in fields_dict(Settings).items() if name not in ("plugins", "said")
}
"""Every setting by name, with what its field says of it."""

_CREDENTIALS: Final = ("api_key", "auth_token")
_FILES: Final = frozenset({Origin.FOUND_FILE, Origin.USER_FILE, Origin.NAMED_FILE})
_IN_TABLES: Final = (*(name for name in SETTINGS if name not in LISTS), "plugins")
_IN_VARIABLES: Final = {
    name: each.type
    for name, each in SETTINGS.items()
    # The former other variables hold; tables of tables none.
    if name not in (*_CREDENTIALS, "headers", "models")
}


def load_settings(
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    locks: Layer | None = None,
    bounds: Mapping[Key, Bound] = MappingProxyType({}),
    **code: Any,
) -> Settings:
    """Put the layers together.

    The weakest first: a file that was found, the user's file, a file that was named, the
    environment, code, the organisation's policy.

    Args:
        config: a TOML file; or its content as a mapping, which counts as code, and then no file is
            read. None looks at ``HOOKLINE_CONFIG``, then for a ``hookline.toml``, or a
            ``[tool.hookline]``, in the current directory and upward; none is fine. A file that was
            named takes the place of the one to be found.
        environ: the environment; None is the process's own.
        locks: what the organisation's policy fixes, whatever the other layers say.
        bounds: what it allows of numbers.
        **code: what the program itself says; values that are None say nothing.

    Returns:
        The settings.

    Raises:
        ConfigError: a file that is missing or wrong, an unknown option, a value of a wrong type or
            out of bounds, an option that a file which was merely found may not set, or one that the
            policy fixes otherwise or bounds.

    """
    environ = os.environ if environ is None else environ
    layers = _tables(config, environ)
    layers.append(of_environment(environ, _IN_VARIABLES))
    if isinstance(config, Mapping):
        layers.append(of_table(config, _IN_TABLES))
    given = {name: value for name, value in code.items() if value is not None}
    layers.append(of_code(given, SETTINGS))
    if locks is None:
        return _settled(layers, environ)
    for layer in layers:
        _keeps_policy(layer, locks, bounds)
    return _within(bounds, _settled([*layers, locks], environ), locks)


def _keeps_policy(layer: Layer, locks: Layer, bounds: Mapping[Key, Bound]) -> None:
    """Refuse what a layer says against the policy, whether a stronger layer replaces it or not."""
    for key, value in layer.values.items():
        with located(layer, key):
            if key in locks.values and not _same(locks.values[key], value):
                raise ConfigError(f"{dotted(key)} is locked by {locks.where(key)}; remove it here")
            if key in bounds:
                bounds[key].check(dotted(key), value)


def _same(locked: Any, given: Any) -> bool:
    """Compare as files write: lists are tuples in code, an address may end in a slash."""
    if isinstance(locked, str) and isinstance(given, str):
        return locked.rstrip("/") == given.rstrip("/")
    if isinstance(locked, list | tuple) and isinstance(given, list | tuple):
        return list(locked) == list(given)
    return type(locked) is type(given) and bool(locked == given)


def _within(bounds: Mapping[Key, Bound], settings: Settings, locks: Layer) -> Settings:
    """Cut defaults to their bounds, and note who did."""
    cut = {
        key: bound.clamped(getattr(settings, key[0]))
        for key, bound in bounds.items()
        if len(key) == 1 and not bound.holds(getattr(settings, key[0]))
    }
    if not cut:
        return settings
    said = dict(settings.said)
    for key, value in cut.items():
        layer = Layer(Origin.POLICY, locks.name, {key: value}, lambda key: bounds[key].by)
        said[key] = (layer, *said.get(key, ()))
    return evolve(settings, said=said, **{key[0]: value for key, value in cut.items()})


def settings_of(
    file: TomlFile, origin: Origin, environ: Mapping[str, str] | None = None
) -> Settings:
    """Return what one file says by itself; a check of it.

    Args:
        file: with settings.
        origin: how it came to be read.
        environ: the environment, for references to it; None is the process's own.

    Raises:
        ConfigError: as for ``load_settings``.

    """
    layer = of_file(origin, file, _IN_TABLES)
    return _settled([layer], os.environ if environ is None else environ)


def handed_over(found: Layer) -> str:
    """Return how to say what a file that was merely found may not say."""
    name = found.name
    return (
        f"Hand the file over on purpose (config={name!r}, --config {name} or "
        f"HOOKLINE_CONFIG={name}), or say it in code or in the environment"
    )


def _tables(
    config: str | os.PathLike[str] | Mapping[str, Any] | None, environ: Mapping[str, str]
) -> list[Layer]:
    """Return the layers that are files."""
    if isinstance(config, Mapping):
        return []
    if config is None:
        config = environ.get("HOOKLINE_CONFIG") or None
    elif not isinstance(config, str | os.PathLike):
        raise ConfigError(f"config must be a file or a table of settings, not {brief(config)}")
    layers: list[Layer] = []
    if config is None and (found := find_file()) is not None:
        layers.append(_harmless(of_file(Origin.FOUND_FILE, found, _IN_TABLES)))
    users = user_file(environ)
    if users is not None and os.path.isfile(users) and (file := read_file(users)) is not None:  # noqa: PTH113 -- Path.is_file() raises where a folder may not be read
        layers.append(of_file(Origin.USER_FILE, file, _IN_TABLES))
    if config is not None:
        named = read_file(config, project=Path(config).name == "pyproject.toml")
        if named is None:
            raise ConfigError(f"{os.fspath(config)}: there is no table [tool.hookline] in it")
        layers.append(of_file(Origin.NAMED_FILE, named, _IN_TABLES))
    return layers


def _harmless(found: Layer) -> Layer:
    """Refuse settings that would let whoever wrote the file take keys, prompts or rules.

    The options of plugins are judged where the plugin's class is known, in the same way.
    """
    for key, value in found.values.items():
        name = setting(key)
        facts = facts_of(SETTINGS[name]) if name else None
        if facts is not None and not facts.harmless_as(value):
            such = "such a " if callable(facts.harmless) else ""
            raise ConfigError(
                f"{found.where(key)}: {such}{dotted(key)} is not for a file that was merely found. "
                f"{handed_over(found)}"
            )
    return found


def _settled(layers: list[Layer], environ: Mapping[str, str]) -> Settings:
    """Check what the layers say, and let the strongest win."""
    said: dict[Key, tuple[Layer, ...]] = {}
    for layer in layers:
        for key, value in layer.values.items():
            said[key] = (layer, *said.get(key, ()))
            name = setting(key)
            if name:
                with located(layer, key):
                    _check(name, value, layer)
    values: dict[str, Any] = {}
    plugins: dict[str, dict[str, Any]] = {}
    account = next((each for each in reversed(layers) if _names_account(each)), None)
    for key, (layer, *_) in said.items():
        name, value = setting(key), layer.values[key]
        if name == "models":
            for each in reversed(said[key]):  # of two that name a model, the strongest tells
                values[name] = {**values.get(name, {}), **each.values[key]}
        elif not name:
            plugins.setdefault(key[1], {}).update(dict.fromkeys(key[2:], value))
        elif name not in _CREDENTIALS or layer is account:  # of which the other kind would be
            with located(layer, key):
                values[name] = _usable(name, value, layer, environ)
    return Settings(**values, plugins=plugins, said=said)


def _names_account(layer: Layer) -> bool:
    return any((name,) in layer.values for name in _CREDENTIALS)


def _check(name: str, value: Any, layer: Layer) -> None:
    """Check the value of a setting by itself, whether a stronger one replaces it or not."""
    if name in _CREDENTIALS:
        if not layer.holds_secrets:
            from hookline.config.references import check_reference  # noqa: PLC0415 -- few files have any

            check_reference(value, layer.origin)
        return
    if name == "base_url":
        # A simulator of one's own may stand for the address that it is.
        if not callable(getattr(value, "handle", None)):
            checked_base_url(value)
        return
    field = SETTINGS[name]
    checked(name, value, field.type, facts_of(field))
    if name == "headers":
        check_headers(value)
    elif name == "models":
        told_models(value)
    elif name == "model" and not value:
        raise ConfigError("model must be the id of a model, not ''")


def _usable(name: str, value: Any, layer: Layer, environ: Mapping[str, str]) -> Any:
    """Return the value of a setting as the pipeline uses it."""
    if name in _CREDENTIALS:
        return _credential(name, value, layer, environ)
    if name == "base_url":
        return checked_base_url(value) if isinstance(value, str) else value
    if name == "ca_bundle" and value and not os.path.isfile(value):  # noqa: PTH113 -- Path raises for some
        raise ConfigError(f"ca_bundle: there is no file {value!r}")
    value = tuple(value) if isinstance(value, list) else value
    if name == "files" and layer.origin in _FILES:
        folder = Path(layer.name).parent
        return tuple(str(folder / Path(each).expanduser()) for each in value)
    return value


def _credential(name: str, value: Any, layer: Layer, environ: Mapping[str, str]) -> Secret | None:
    """Return a credential; files and tables say only where it is kept."""
    if layer.holds_secrets:
        secret = as_secret(value)
    else:
        from hookline.config.references import secret_of  # noqa: PLC0415 -- few files have any

        secret = secret_of(value, layer.origin, environ)
    if secret is not None:
        check_key(name, secret)
    return secret
