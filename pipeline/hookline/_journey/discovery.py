"""Finding the installed plugins, by the entry points of their distributions.

Those of the group ``hookline.plugins`` take part in every pipeline; those of
``hookline.plugins.optional`` only where they are asked for, and until then they are not even
imported. The standard plugins come in by these doors like everybody else's.
"""

import sys
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Final

import attrs
from attrs import frozen

from hookline._journey.plugin_set import Plugin
from hookline.errors import ConfigError, DecodeError, HooklineError

__all__ = ["GROUP", "OPTIONAL_GROUP", "Installed", "assemble", "installed"]

GROUP: Final = "hookline.plugins"
OPTIONAL_GROUP: Final = "hookline.plugins.optional"
_OURS: Final = "hookline"


@frozen
class Installed:
    """A plugin that some installed distribution offers.

    Attributes:
        name: the entry point's name; what configuration calls it.
        entry_point: how to import it.
        distribution: who offers it.
        version: that distribution's version.
        optional: whether it takes part only where it is asked for.

    """

    name: str
    entry_point: EntryPoint
    distribution: str
    version: str
    optional: bool = False

    def load(self, options: Mapping[str, Any] | None = None) -> Plugin:
        """Import the plugin and make it with its options.

        Args:
            options: values for the fields of the plugin's class, and ``shadow``.

        Raises:
            ConfigError: it cannot be imported, or an option is unknown or has a wrong value.

        """
        try:
            thing = self.entry_point.load()
        except HooklineError:
            raise
        except (Exception, SystemExit) as error:  # a module that ends the program is broken too
            raise ConfigError(
                f"plugin {self.name!r} of {self.distribution} cannot be loaded "
                f"({type(error).__name__}: {error}). Repair its installation, or leave it out: "
                f'[plugins] disable = ["{self.name}"], or HOOKLINE_DISABLE={self.name}'
            ) from error
        given = dict(options or {})
        shadow = given.pop("shadow", False)
        if not isinstance(shadow, bool):
            raise ConfigError(f"plugins.{self.name}.shadow must be true or false, not {shadow!r}")
        if isinstance(thing, type):
            thing = configured(self.name, thing, given)
        elif given:
            raise ConfigError(f"plugin {self.name!r} takes no options; remove {', '.join(given)}")
        return Plugin(self.name, thing, self.distribution, self.version, shadow)


def installed() -> tuple[Installed, ...]:
    """Return all installed plugins, Hookline's own first, then by distribution and name.

    Raises:
        ConfigError: two distributions offer a plugin of the same name.

    """
    return _installed(tuple(sys.path))


# Reading the metadata of every distribution takes milliseconds, and it cannot change under a
# running process but by a change of the path.
@lru_cache(maxsize=4)
def _installed(_path: tuple[str, ...]) -> tuple[Installed, ...]:
    found: dict[str, Installed] = {}
    points = entry_points()  # every look for a group reads all distributions
    offers = (*points.select(group=GROUP), *points.select(group=OPTIONAL_GROUP))
    described = cache(_described)
    for point in offers:
        distribution, version = described(point.dist)
        other = found.get(point.name)
        if other is not None and other.distribution != distribution:
            raise ConfigError(
                f"{other.distribution} and {distribution} both offer a plugin called "
                f"{point.name!r}; uninstall one of them"
            )
        optional = point.group == OPTIONAL_GROUP
        found[point.name] = Installed(point.name, point, distribution, version, optional)
    return tuple(
        sorted(found.values(), key=lambda each: (each.distribution != _OURS, each.distribution))
    )


def _described(distribution: Distribution | None) -> tuple[str, str]:
    """Return name and version of a distribution; each of the two reads all of its metadata."""
    return (distribution.name, distribution.version) if distribution else ("", "")


def assemble(
    given: Iterable[Any],
    *,
    enable: Collection[str] = (),
    disable: Collection[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Plugin]:
    """Return the plugins of one pipeline: the installed ones that are wanted, then those given.

    Args:
        given: plugin objects, or names of installed plugins that are optional.
        enable: if not empty, only these installed plugins.
        disable: installed plugins to leave out.
        options: option values by plugin name.

    Returns:
        The plugins in order of registration. One given in code replaces the installed one of the
        same name or class.

    Raises:
        ConfigError: a name that no plugin has, or options for a plugin that is not there.

    """
    options = options or {}
    available = {each.name: each for each in installed()}
    asked = [thing for thing in given if isinstance(thing, str)]
    homes = {each.entry_point.value: name for name, each in available.items()}
    in_code = [_named(thing, homes) for thing in given if not isinstance(thing, str)]
    replaced = {plugin.name for plugin in in_code}
    for name in (*asked, *enable, *disable, *options):
        if name not in available and not (name in options and name in replaced):
            raise _unknown(name, available)
    plugins: list[Plugin] = []
    for name, each in available.items():
        if name in disable or name in replaced or (enable and name not in (*enable, *asked)):
            continue
        if not each.optional or name in asked or name in enable or name in options:
            plugins.append(each.load(options.get(name)))
    for plugin in in_code:
        if options.get(plugin.name):
            raise ConfigError(
                f"plugin {plugin.name!r} was handed over in code; give it its options there, "
                f"not under [plugins.{plugin.name}]"
            )
    return plugins + in_code


def _named(thing: Any, homes: Mapping[str, str]) -> Plugin:
    """Wrap a plugin handed over in code; one of an installed plugin's class takes its name."""
    plugin = Plugin.of(thing)
    if plugin is thing or isinstance(getattr(thing, "name", None), str):
        return plugin
    home = homes.get(f"{type(thing).__module__}:{type(thing).__qualname__}")
    return attrs.evolve(plugin, name=home) if home else plugin


def configured(name: str, plugin_class: type, options: Mapping[str, Any]) -> Any:
    """Make a plugin from its class and its options.

    Args:
        name: the plugin's name, for messages.
        plugin_class: an attrs class whose fields are the options, or a class that takes none.
        options: values as TOML gives them.

    Raises:
        ConfigError: an unknown option, or a value that does not fit.

    """
    known = (
        {f.name: f for f in attrs.fields(plugin_class) if f.init and not f.name.startswith("_")}
        if attrs.has(plugin_class)
        else {}
    )
    values: dict[str, Any] = {}
    for option, value in options.items():
        if option not in known:
            near = get_close_matches(option, known, 1)
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else f"it has {', '.join(known) if known else 'no options'}"
            )
            raise ConfigError(f"plugin {name!r} has no option {option!r}; {hint}")
        from hookline.schema.structure import structured  # noqa: PLC0415 -- loads cattrs

        try:
            values[option] = structured(value, known[option].type)
        except DecodeError as error:
            raise ConfigError(f"plugins.{name}.{option}: {error}") from error
    try:
        return plugin_class(**values)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"plugin {name!r} cannot be made: {type(error).__name__}: {error}"
        ) from error


def _unknown(name: str, available: Mapping[str, Installed]) -> ConfigError:
    near = get_close_matches(name, available, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed are: {', '.join(available)}"
    return ConfigError(f"there is no plugin called {name!r}; {hint}")
