"""What is installed, what of it is switched on, and what of it works.

A pipeline refuses to be built with a broken plugin. These commands must work just then, so here
every plugin is loaded on its own and its failure noted.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click
from attrs import field, frozen

from hookline._journey.discovery import Installed, left_out, offered
from hookline._journey.made import made
from hookline._journey.plugin_files import FilePlugin, is_file_reference, plugins_in
from hookline._journey.plugin_set import HOOKS, Plugin, PluginSet
from hookline.cli.selection import selection
from hookline.config import Settings
from hookline.errors import HooklineError
from hookline.policy import Policy, load_policy, policy_settings

__all__ = ["Found", "Survey", "commands", "survey"]


@frozen
class Found:
    """One installed plugin.

    Attributes:
        name: what configuration calls it.
        distribution: who offers it.
        version: the distribution's version.
        plugin: the plugin itself, if it could be loaded.
        enabled: whether a pipeline with these settings has it.
        reason: why not.
        broken: whether the reason is a fault.
        bare: the plugin without its options, where only these are at fault: its commands may be given others.

    """

    name: str
    distribution: str
    version: str
    plugin: Plugin | None = field(default=None, repr=False)
    enabled: bool = True
    reason: str = ""
    broken: bool = False
    bare: Plugin | None = field(default=None, repr=False)


@frozen
class Survey:
    """All installed plugins.

    Attributes:
        found: every one of them.
        working: those that are enabled and work, in their effective order.

    """

    found: tuple[Found, ...]
    working: PluginSet

    def hooks_of(self, found: Found) -> tuple[str, ...]:
        """Return the hooks that a plugin implements, switched on or not."""
        if found.plugin is None:
            return ()
        marked = (getattr(found.plugin.object, hook, None) for hook in HOOKS)
        return self.working.hooks_of(found.name) or tuple(
            hook
            for hook, member in zip(HOOKS, marked, strict=True)
            if hasattr(member, "hookline_impl")
        )


def survey(config: str | None = None) -> Survey:
    """Look at every installed plugin.

    Args:
        config: a settings file, as for ``Pipeline``.

    Raises:
        ConfigError: the settings themselves are wrong.

    """
    policy = load_policy()
    settings = policy_settings(policy, config)
    asked: list[str] = []
    chosen = selection()
    if chosen:
        asked, disable = chosen.applied(settings, policy)
        settings = policy_settings(policy, config, disable=disable)
    names = [name for name in asked if not is_file_reference(name)]
    files = [plugin for name in asked if is_file_reference(name) for plugin in plugins_in(name)]
    found = [_look(each, settings, names, policy) for each in (*offered(settings).values(), *files)]
    wanted = [each.plugin for each in found if each.enabled and each.plugin is not None]
    working, faults = _fitting(wanted)
    return Survey(
        tuple(
            Found(
                each.name,
                each.distribution,
                each.version,
                each.plugin,
                enabled=False,
                reason=faults[each.name],
                broken=True,
            )
            if each.name in faults
            else each
            for each in found
        ),
        working,
    )


def commands(taken: Collection[str]) -> tuple[Mapping[str, click.Command], list[str]]:
    """Collect the commands that plugins register.

    Args:
        taken: names that plugins may not use.

    Returns:
        The commands by name, and a sentence about everything that went wrong.

    """
    try:
        looked = survey()
    except HooklineError as problem:
        return {}, [f"{problem}. Commands of plugins are missing"]
    broken = [each for each in looked.found if each.broken]
    problems = [
        each.reason if each.bare else f"{each.reason}. Its commands are missing" for each in broken
    ]
    sets = [looked.working, *(PluginSet([each.bare]) for each in broken if each.bare)]
    found: dict[str, click.Command] = {}
    for implementation in [each for plugins in sets for each in plugins.of("register_commands")]:
        added: list[Any] = []
        try:
            implementation.call(added.append)
        except (Exception, SystemExit) as problem:  # noqa: BLE001 -- a stranger's code
            problems.append(
                f"plugin {implementation.plugin!r} failed in register_commands "
                f"({type(problem).__name__}: {problem})"
            )
        for command in added:
            name = command.name if isinstance(command, click.Command) else None
            if name is None:
                problems.append(
                    f"plugin {implementation.plugin!r} registered {command!r}, "
                    "which is no click command with a name"
                )
            elif name in found or name in taken:
                problems.append(
                    f"plugin {implementation.plugin!r} registered a command {name!r}, "
                    "and there is one of that name already"
                )
            else:
                found[name] = command
    return found, problems


def _look(
    each: Installed | FilePlugin, settings: Settings, asked: Collection[str], policy: Policy
) -> Found:
    facts = (each.name, each.distribution, each.version)
    try:
        against = policy.leaves_out(each.name, each.distribution)
        if against:  # what the policy does not allow is not even imported
            return Found(*facts, enabled=False, reason=against)
        plugin = made(each, settings, policy)
        reason = left_out(each, settings, asked, policy)
    except HooklineError as problem:
        bare = _bare(each, policy)
        return Found(*facts, enabled=False, reason=str(problem), broken=True, bare=bare)
    except (Exception, SystemExit) as problem:  # noqa: BLE001 -- a stranger's code
        reason = f"plugin {each.name!r} cannot be made ({type(problem).__name__}: {problem})"
        return Found(*facts, enabled=False, reason=reason, broken=True)
    return Found(*facts, plugin, enabled=not reason, reason=reason)


def _bare(each: Installed | FilePlugin, policy: Policy) -> Plugin | None:
    try:
        return made(each, Settings(), policy)
    except (Exception, SystemExit):  # noqa: BLE001 -- then it is not only its options
        return None


def _fitting(plugins: Iterable[Plugin]) -> tuple[PluginSet, Mapping[str, str]]:
    """Return the plugins that go together, and what is wrong with each of the others."""
    waiting = list(plugins)
    try:
        return PluginSet(waiting), {}
    except HooklineError:
        pass
    order = {plugin.name: index for index, plugin in enumerate(waiting)}
    accepted: list[Plugin] = []
    faults: dict[str, str] = {}
    progress = True
    while progress:  # again, since one may need another that comes after it
        progress = False
        for plugin in list(waiting):
            together = sorted([*accepted, plugin], key=lambda each: order[each.name])
            try:
                PluginSet(together)
            except HooklineError as problem:
                faults[plugin.name] = str(problem)
            else:
                accepted, progress = together, True
                waiting.remove(plugin)
                faults.pop(plugin.name, None)
    return PluginSet(accepted), faults
