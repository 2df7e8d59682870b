"""Who may set which option of a plugin: trust follows the source.

A settings file that was merely found may have come with somebody else's repository; files and
variables may be those of somebody whom an enforcer is there to judge.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

import attrs

from hookline.config import Layer, Origin, Settings, facts_of, handed_over
from hookline.errors import ConfigError

__all__ = ["check_switch", "check_trust", "may_enforce", "options_of"]

_WORD: Final = b"enforcer"
_MOST_FILES: Final = 500

# An enforcer's options, and whether it only judges.
_ABOUT_ENFORCERS: Final = frozenset({Origin.NAMED_FILE, Origin.CODE, Origin.POLICY})
_ABOUT_SHADOW: Final = frozenset({Origin.CODE, Origin.POLICY})


def options_of(plugin_class: Any) -> "Mapping[str, attrs.Attribute[Any]]":
    """Return the fields of a plugin's class that are options, by name."""
    if not (isinstance(plugin_class, type) and attrs.has(plugin_class)):
        return {}
    return {
        each.name: each
        for each in attrs.fields(plugin_class)
        if each.init and not each.name.startswith("_")
    }


def check_trust(name: str, plugin_class: Any, settings: Settings, *, enforces: bool) -> None:
    """Refuse options that a layer gives and may not, whether a stronger layer replaces them or not.

    Args:
        name: the plugin's.
        plugin_class: what its entry point names.
        settings: with the layers.
        enforces: whether it is an enforcer.

    Raises:
        ConfigError: names the option, where it stands, and what to do.

    """
    known = options_of(plugin_class)
    for option in settings.plugins.get(name, ()):
        for layer in settings.layers("plugins", name, option):
            where = f"{layer.where(('plugins', name, option))}: plugins.{name}.{option}"
            trusted = _ABOUT_SHADOW if option == "shadow" else _ABOUT_ENFORCERS
            if enforces and layer.origin not in trusted:
                raise ConfigError(
                    f"{where} is an option of an enforcer, and not for the {layer.origin}; give it "
                    "in "
                    + " or a ".join(
                        str(each) for each in sorted(trusted - {Origin.POLICY}, reverse=True)
                    )
                )
            field = known.get(option)
            harmless = field is not None and facts_of(field).harmless_as(
                layer.values["plugins", name, option]
            )
            if layer.origin is Origin.FOUND_FILE and not harmless:
                raise ConfigError(
                    f"{where} is not for a file that was merely found. {handed_over(layer)}"
                )


def check_switch(name: str, tables: Sequence[Layer]) -> None:
    """Refuse that a file which was merely found switches on an optional plugin.

    Args:
        name: the plugin's.
        tables: the layers that have a table for it.

    Raises:
        ConfigError: no other layer asks for it.

    """
    found = tables[0]
    if found.origin is Origin.FOUND_FILE:
        raise ConfigError(
            f"{found.where(('plugins', name))}: [plugins.{name}] would switch on the plugin {name!r}, "
            f"which is not for a file that was merely found. {handed_over(found)}"
        )


def may_enforce(entry_point: EntryPoint) -> bool:
    """Say whether a plugin may be an enforcer, by what its source says.

    A broken plugin is left out, and a broken rule must not be: one that cannot be asked counts as an
    enforcer unless its package never speaks of one.

    Args:
        entry_point: of the plugin.

    """
    module = sys.modules.get(entry_point.module)
    role = getattr(getattr(module, entry_point.attr, None), "role", None)
    if isinstance(role, str):  # it was imported, and is put together wrongly
        return role == "enforcer"
    try:
        spec = find_spec(entry_point.module.partition(".")[0])
    except (ImportError, ValueError):
        return True
    if spec is None or spec.origin is None:
        return True
    origin = Path(spec.origin)
    files = [origin]
    if spec.submodule_search_locations is not None:
        files = list(islice(origin.parent.rglob("*.py"), _MOST_FILES + 1))
    if len(files) > _MOST_FILES:
        return True
    try:
        return any(_WORD in file.read_bytes() for file in files)
    except OSError:
        return True
