"""Finding the installed plugins, by the entry points of their distributions.

Those of the group ``hookline.plugins`` take part in every pipeline; those of
``hookline.plugins.optional`` only where they are asked for, and until then they are not even
imported. The standard plugins come in by these doors like everybody else's.
"""

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Final
from warnings import warn

import attrs
from attrs import frozen

from hookline._journey.plugin_files import FilePlugin, is_file_reference, plugins_in
from hookline._journey.plugin_set import Plugin, examine
from hookline._journey.suspicion import may_enforce
from hookline._journey.trust import check_switch, check_trust, options_of
from hookline.config import Origin, Settings, facts_of, nearest
from hookline.errors import ConfigError, DecodeError, HooklineError, PluginWarning

__all__ = [
    "GROUP",
    "OPTIONAL_GROUP",
    "Installed",
    "assemble",
    "configured",
    "installed",
    "left_out",
    "made",
    "offered",
]

GROUP: Final = "hookline.plugins"
OPTIONAL_GROUP: Final = "hookline.plugins.optional"
_OURS: Final = "hookline"
_NO_SETTINGS: Final = Settings()


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

    @property
    def enforces(self) -> bool:
        """Whether it is an enforcer, which needs its import; one that cannot be imported is none."""
        try:
            role = getattr(self.imported(), "role", "transformer")
        except ConfigError:
            return False
        return role == "enforcer" or not isinstance(role, str)  # a property: who knows

    def imported(self) -> Any:
        """Import the plugin's class, or whatever the entry point names.

        Raises:
            ConfigError: it cannot be imported.

        """
        try:
            return self.entry_point.load()
        except HooklineError:
            raise
        except (Exception, SystemExit) as error:  # a module that ends the program is broken too
            raise ConfigError(
                f"plugin {self.name!r} of {self.distribution} cannot be loaded "
                f"({type(error).__name__}: {error}). Repair its installation, or leave it out: "
                f'[plugins] disable = ["{self.name}"], or HOOKLINE_DISABLE={self.name}'
            ) from error


def made(each: Installed | FilePlugin, settings: Settings) -> Plugin:
    """Import a plugin and make it with its options; what is a class is called with them.

    Args:
        each: what offers it.
        settings: hold its options: values for the fields of its class, and ``shadow``.

    Raises:
        ConfigError: it cannot be imported, or an option is unknown, has a wrong value, or comes
            from where it may not.

    """
    name, thing = each.name, each.imported()
    given = dict(settings.plugins.get(name, ()))
    check_trust(name, thing, settings, enforces=each.enforces)
    shadow = given.pop("shadow", False)
    if not isinstance(shadow, bool):
        raise ConfigError(f"plugins.{name}.shadow must be true or false, not {shadow!r}")
    if isinstance(thing, type):
        thing = configured(name, thing, given, settings)
    elif given:
        raise ConfigError(f"plugin {name!r} takes no options; remove {', '.join(given)}")
    return Plugin(name, thing, each.distribution, each.version, shadow)


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


def assemble(given: Iterable[Any], settings: Settings) -> list[Plugin]:
    """Return the plugins of one pipeline: the installed ones that are wanted, then those given.

    Args:
        given: plugin objects or classes, names of installed plugins that are optional, and files
            with plugins.
        settings: say which are on, and hold their options.

    Returns:
        The plugins in order of registration. One given in code replaces the installed one of the
        same name or class, unless that is an enforcer. One that is installed, that nobody asked for
        by name, and that is broken is left out with a ``PluginWarning``.

    Raises:
        ConfigError: a name that no plugin has, options for a plugin that is not there, a plugin that
            was asked for and is broken, or an enforcer that would be switched off or replaced by
            something other than code that says so.

    """
    available = offered(settings)
    asked = [thing for thing in given if isinstance(thing, str) and not is_file_reference(thing)]
    homes = {
        each.entry_point.value: name
        for name, each in available.items()
        if isinstance(each, Installed)
    }
    in_code = list(_handed_over(given, homes, settings))
    replaced = {plugin.name for plugin in in_code}
    options = settings.plugins
    for name in (*asked, *settings.enable, *settings.disable, *options):
        if name not in available and not (name in options and name in replaced):
            raise _unknown(name, available)
    plugins: list[Plugin] = []
    for name, each in available.items():
        if left_out(each, settings, asked):
            continue
        if name not in replaced:
            plugin = _loaded(each, settings, asked)
            plugins += () if plugin is None else (plugin,)
        elif each.enforces:
            raise ConfigError(
                f"plugin {name!r} is an enforcer of {each.distribution}, and another one may take its "
                f"place only where the code says so: disable=[{name!r}]"
            )
    return plugins + in_code


def offered(settings: Settings) -> dict[str, Installed | FilePlugin]:
    """Return what there is to choose from by name: installed plugins, and those in named files.

    Raises:
        ConfigError: a file cannot be imported, or a name is taken.

    """
    found: dict[str, Installed | FilePlugin] = {each.name: each for each in installed()}
    with settings.located("plugins", "files"):
        for each in [plugin for file in settings.files for plugin in plugins_in(file)]:
            other = found.get(each.name)
            if other is not None:
                raise ConfigError(
                    f"{other.distribution} and {each.path} both offer a plugin called "
                    f"{each.name!r}; give the one in the file another `name`"
                )
            found[each.name] = each
    return found


def _loaded(
    each: Installed | FilePlugin, settings: Settings, asked: Collection[str]
) -> Plugin | None:
    """Load an installed plugin; None, and a warning, for a broken one that nobody needs."""
    name = each.name
    wanted = name in asked or name in settings.enable or settings.layers("plugins", name)
    if isinstance(each, FilePlugin) or each.distribution == _OURS or wanted:
        return made(each, settings)
    try:
        plugin = made(each, settings)
        examine(plugin)
    except Exception as error:
        # Nobody may get rid of a rule by breaking the plugin that holds it.
        if may_enforce(each.entry_point):
            raise
        warn(f"{error}. It is left out, and the others go on", PluginWarning, stacklevel=2)
        return None
    return plugin


def _handed_over(
    given: Iterable[Any], homes: Mapping[str, str], settings: Settings
) -> Iterator[Plugin]:
    """Yield the plugins given as objects, classes and files."""
    for thing in given:
        if isinstance(thing, str):
            if is_file_reference(thing):
                yield from (made(each, settings) for each in plugins_in(thing))
        elif isinstance(thing, type):
            own = getattr(thing, "name", None)
            home = homes.get(f"{thing.__module__}:{thing.__qualname__}", thing.__name__)
            name = own if isinstance(own, str) and own else home
            yield made(FilePlugin(name, thing, ""), settings)
        else:
            plugin = _named(thing, homes)
            if settings.plugins.get(plugin.name):
                raise ConfigError(
                    f"plugin {plugin.name!r} was handed over in code; give it its options there, "
                    f"not under [plugins.{plugin.name}]"
                )
            yield plugin


def left_out(each: Installed | FilePlugin, settings: Settings, asked: Collection[str] = ()) -> str:
    """Say why an installed plugin does not take part, or return "" where it does.

    Args:
        each: the plugin.
        settings: of the pipeline.
        asked: optional plugins that the code names.

    Raises:
        ConfigError: settings that may not do so would switch it off or on.

    """
    name = each.name
    if name in settings.disable:
        if settings.origin("plugins", "disable") is not Origin.CODE and each.enforces:
            by = settings.layers("plugins", "disable")[0]
            raise ConfigError(
                f"{by.where(('plugins', 'disable'))}: plugin {name!r} is an enforcer of "
                f"{each.distribution}; only code switches it off: disable=[{name!r}]"
            )
        return "switched off by plugins.disable"
    if isinstance(each, FilePlugin):
        return ""  # whoever names a file wants what is in it
    tables = settings.layers("plugins", name)
    wanted = not each.optional or name in asked or name in settings.enable or bool(tables)
    if not wanted:
        return f"optional; a table [plugins.{name}] switches it on"
    if settings.enable and name not in (*settings.enable, *asked) and not each.enforces:
        return "not in plugins.enable"
    if each.optional and tables and name not in (*asked, *settings.enable):
        check_switch(name, tables)
    return ""


def _named(thing: Any, homes: Mapping[str, str]) -> Plugin:
    """Wrap a plugin handed over in code; one of an installed plugin's class takes its name."""
    plugin = Plugin.of(thing)
    if plugin is thing or isinstance(getattr(thing, "name", None), str):
        return plugin
    home = homes.get(f"{type(thing).__module__}:{type(thing).__qualname__}")
    return attrs.evolve(plugin, name=home) if home else plugin


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
            f"plugin {name!r} cannot be made: {type(error).__name__}: {error}"
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
    if facts.bounded and isinstance(fitted, int | float) and facts.outside(fitted):
        raise ConfigError(f"{name} must be a number{facts.bounds}, not {value!r}")
    return fitted


def _unknown(name: str, available: Mapping[str, Installed | FilePlugin]) -> ConfigError:
    return ConfigError(f"there is no plugin called {name!r}; {nearest(name, available)}")
