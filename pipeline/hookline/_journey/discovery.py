"""Finding the installed plugins, by the entry points of their distributions.

Those of the group ``hookline.plugins`` take part in every pipeline; those of
``hookline.plugins.optional`` only where they are asked for, and until then they are not even
imported. The standard plugins come in by these doors like everybody else's.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Final
from warnings import warn

import attrs
from attrs import frozen

from hookline._journey.made import made
from hookline._journey.plugin_files import FilePlugin, is_file_reference, plugins_in
from hookline._journey.plugin_set import Plugin, examine
from hookline._journey.required import (
    check_code_plugins,
    check_requirements,
    held,
)
from hookline._journey.trust import check_switch, may_enforce
from hookline._journey.versions import new_home
from hookline.config import Origin, Settings, nearest
from hookline.errors import ConfigError, HooklineError, PluginWarning
from hookline.policy import NO_POLICY, Policy

__all__ = [
    "GROUP",
    "OPTIONAL_GROUP",
    "Installed",
    "assemble",
    "installed",
    "left_out",
    "offered",
]

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

    @property
    def works(self) -> bool:
        """Whether it can be imported."""
        try:
            self.imported()
        except ConfigError:
            return False
        return True

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
                f"({type(error).__name__}: {error}){new_home(error)}. Repair its installation, or leave it out: "
                f'[plugins] disable = ["{self.name}"], or HOOKLINE_DISABLE={self.name}'
            ) from error


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


def assemble(given: Iterable[Any], settings: Settings, policy: Policy = NO_POLICY) -> list[Plugin]:
    """Return the plugins of one pipeline: the installed ones that are wanted, then those given.

    Args:
        given: plugin objects or classes, names of installed plugins that are optional, and files
            with plugins.
        settings: say which are on, and hold their options.
        policy: the organisation's, which has the last word on both.

    Returns:
        The plugins in order of registration. One given in code replaces the installed one of the
        same name or class, unless that is an enforcer. One that is installed, that nobody asked for
        by name, and that is broken is left out with a ``PluginWarning``.

    Raises:
        ConfigError: a name that no plugin has, options for a plugin that is not there, a plugin that
            was asked for and is broken, or an enforcer that would be switched off or replaced by
            something other than code that says so; or what the policy does not allow.

    """
    given = list(given)
    texts = [thing for thing in given if isinstance(thing, str)]
    asked = [text for text in texts if not is_file_reference(text)]
    # What the policy does not allow is not even imported.
    files = [*settings.files, *filter(is_file_reference, texts)]
    check_code_plugins(policy, [Plugin(file, None) for file in files])
    available = offered(settings)
    in_code = list(_handed_over(given, available, settings, policy))
    replaced = {plugin.name for plugin in in_code}
    options = settings.plugins
    check_code_plugins(policy, in_code)
    versions = {
        name: (each.distribution, each.version)
        for name, each in available.items()
        if isinstance(each, Installed)
    }
    check_requirements(policy, versions, settings, replaced)
    for name in (*asked, *settings.enable, *settings.disable, *options):
        if name not in available and not (name in options and name in replaced):
            first = next(iter(options.get(name, ())), "")
            with settings.located("plugins", name, first):
                raise _unknown(name, available)
    plugins: list[Plugin] = []
    for name, each in available.items():
        if left_out(each, settings, asked, policy):
            continue
        if name not in replaced:
            plugin = _loaded(each, settings, asked, policy)
            plugins += () if plugin is None else (plugin,)
        elif each.enforces:
            raise ConfigError(
                f"plugin {name!r} is an enforcer of {each.distribution}, and another one may take its "
                f"place only where the code says so: disable=[{name!r}]"
            )
    for plugin in in_code:
        held(policy, plugin, _home(type(plugin.object), available))
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
    each: Installed | FilePlugin, settings: Settings, asked: Collection[str], policy: Policy
) -> Plugin | None:
    """Load a plugin; None, and a warning, for a broken one that nobody needs.

    Of one that the policy requires, the administrator is told what is broken.
    """
    name = each.name
    required = policy.required(name)
    wanted = name in asked or name in settings.enable or settings.layers("plugins", name)
    needed = isinstance(each, FilePlugin) or each.distribution == _OURS or wanted or required
    try:
        plugin = made(each, settings, policy)
        if not needed:
            examine(plugin)
    except ConfigError as error:
        if isinstance(each, FilePlugin):
            raise
        if required is not None and not error.admin and not each.works:
            raise policy.refusal(
                f"{required.by}: plugin {name!r} is required, and broken: {error}"
            ) from error
        # Nobody may get rid of a rule by breaking the plugin that holds it.
        if needed or may_enforce(each.entry_point):
            raise
        warn(f"{error}. It is left out, and the others go on", PluginWarning, stacklevel=2)
        return None
    return plugin


def _handed_over(
    given: Iterable[Any],
    available: Mapping[str, Installed | FilePlugin],
    settings: Settings,
    policy: Policy,
) -> Iterator[Plugin]:
    """Yield the plugins given as objects, classes and files."""
    for thing in given:
        if isinstance(thing, str):
            if is_file_reference(thing):
                yield from (made(each, settings, policy) for each in plugins_in(thing))
        elif isinstance(thing, type):
            own = getattr(thing, "name", None)
            name = own if isinstance(own, str) and own else _home(thing, available)
            yield made(FilePlugin(name or thing.__name__, thing, ""), settings, policy)
        else:
            plugin = _named(thing, available)
            options = settings.plugins.get(plugin.name, ())
            if any(
                settings.origin("plugins", plugin.name, option) is not Origin.POLICY
                for option in options
            ):
                raise ConfigError(
                    f"plugin {plugin.name!r} was handed over in code; give it its options there, "
                    f"not under [plugins.{plugin.name}]"
                )
            yield plugin


def left_out(
    each: Installed | FilePlugin,
    settings: Settings,
    asked: Collection[str] = (),
    policy: Policy = NO_POLICY,
) -> str:
    """Say why an installed plugin does not take part, or return "" where it does.

    Args:
        each: the plugin.
        settings: of the pipeline.
        asked: optional plugins that the code names.
        policy: the organisation's.

    Raises:
        ConfigError: settings that may not do so would switch it off or on.

    """
    name = each.name
    against = policy.leaves_out(name, each.distribution, lambda: each.enforces)
    if against:
        if name in asked or name in settings.enable:
            raise policy.refusal(f"{against}, and plugin {name!r} is asked for")
        return against
    if policy.required(name) is not None:
        return ""  # that nobody switches it off has been seen to
    if name in settings.disable:
        if settings.origin("plugins", "disable") is not Origin.CODE and each.enforces:
            by = settings.layers("plugins", "disable")[0]
            raise ConfigError(
                f"{by.where(('plugins', 'disable'))}: plugin {name!r} is an enforcer of "
                f"{each.distribution}; only code switches it off: disable=[{name!r}]"
            )
        return "switched off by plugins.disable"
    # Whoever names a file wants what is in it.
    return "" if isinstance(each, FilePlugin) else _unwanted(each, settings, asked)


def _unwanted(each: Installed, settings: Settings, asked: Collection[str]) -> str:
    """Say why nobody asks for an installed plugin that nobody switches off either."""
    name = each.name
    tables = settings.layers("plugins", name)
    wanted = not each.optional or name in asked or name in settings.enable or bool(tables)
    if not wanted:
        return f"optional; a table [plugins.{name}] switches it on"
    if settings.enable and name not in (*settings.enable, *asked) and not each.enforces:
        return "not in plugins.enable"
    if each.optional and tables and name not in (*asked, *settings.enable):
        check_switch(name, tables)
    return ""


def _named(thing: Any, available: Mapping[str, Installed | FilePlugin]) -> Plugin:
    """Wrap a plugin handed over in code; one of an installed plugin's class takes its name."""
    plugin = Plugin.of(thing)
    if plugin is thing or isinstance(getattr(thing, "name", None), str):
        return plugin
    home = _home(type(thing), available)
    return attrs.evolve(plugin, name=home) if home else plugin


def _home(plugin_class: type, available: Mapping[str, Installed | FilePlugin]) -> str:
    """Return the name of the installed plugin that has this class, or "".

    The class may stand in another module than the one that the entry point names. But where there is an
    object of it, that one has been imported too, unless somebody made the object without it.
    """
    for name, each in available.items():
        if isinstance(each, FilePlugin):
            continue
        module = sys.modules.get(each.entry_point.module)
        if module is not None and getattr(module, each.entry_point.attr, None) is plugin_class:
            return name
    return ""


def _unknown(name: str, available: Mapping[str, Installed | FilePlugin]) -> ConfigError:
    return ConfigError(f"there is no plugin called {name!r}; {nearest(name, available)}")
