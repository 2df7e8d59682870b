"""``hookline plugins``: who takes part, where, and in what order."""

import inspect
from typing import Any

import attrs
import click
from attrs import frozen

from hookline._journey.plugin_order import layer_of
from hookline._journey.plugin_set import HOOKS
from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import console, print_json, print_table, styled
from hookline.cli.survey import Found, Survey, survey
from hookline.config import LISTS, Settings, nearest
from hookline.errors import ConfigError
from hookline.policy import load_policy, policy_settings

__all__ = ["plugins"]


class _Plugins(click.Group):
    """`hookline plugins NAME` is short for `hookline plugins show NAME`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Plugins,
    invoke_without_command=True,
    epilog=examples(
        "hookline plugins",
        "hookline plugins show images",
        "hookline plugins why retry",
        "hookline -p no:logging plugins",
        "hookline plugins --json | jq .order.send",
    ),
)
@CONFIG
@JSON
@click.pass_context
def plugins(context: click.Context, config: str | None, *, as_json: bool) -> None:
    """List the plugins, and the order of every hook.

    A plugin that cannot be loaded is listed with what is wrong with it.
    """
    if context.invoked_subcommand is not None:
        context.obj = _Given(config, as_json)
        return
    looked = survey(config)
    if as_json:
        print_json(
            {
                "plugins": [_described(looked, each) for each in looked.found],
                "order": _order(looked),
            }
        )
    else:
        _print_all(looked)


@frozen
class _Given:
    """What stood before the subcommand."""

    config: str | None
    as_json: bool


@plugins.command(epilog=examples("hookline plugins show images"))
@click.argument("name")
@CONFIG
@JSON
@click.pass_obj
def show(given: _Given, name: str, config: str | None, *, as_json: bool) -> None:
    """Show one plugin: what it says of itself, and its options with their values."""
    looked, found = _one(name, config or given.config)
    if as_json or given.as_json:
        print_json(_described(looked, found))
    else:
        _print_one(looked, found)


@plugins.command(epilog=examples("hookline plugins why retry"))
@click.argument("name")
@CONFIG
@JSON
@click.pass_obj
def why(given: _Given, name: str, config: str | None, *, as_json: bool) -> None:
    """Say why a plugin is on or off: who offers it, which layer said so, and where it stands."""
    file = config or given.config
    looked, found = _one(name, file)
    reasons = _reasons(looked, found, policy_settings(load_policy(), file))
    if as_json or given.as_json:
        print_json(reasons)
        return
    screen = console()
    screen.print(styled((found.name, "bold"), (f": {reasons['because']}", "")))
    screen.print(styled(("offered by ", "cyan"), (reasons["offered by"], "")))
    for line in reasons["said by"]:
        screen.print(styled(("said by ", "cyan"), (line, "")))
    for hook, place in reasons["places"].items():
        screen.print(styled((f"{hook} ", "cyan"), (place, "")))
    for option, told in reasons["options"].items():
        screen.print(styled((f"option {option} ", "cyan"), (told, "")))


def _one(name: str, config: str | None) -> tuple[Survey, Found]:
    looked = survey(config)
    found = next((each for each in looked.found if each.name == name), None)
    if found is None:
        known = [each.name for each in looked.found]
        raise ConfigError(f"there is no plugin called {name!r}; {nearest(name, known)}")
    return looked, found


def _reasons(looked: Survey, found: Found, settings: Settings) -> dict[str, Any]:
    """Return why a plugin takes part or does not, as JSON-ready values."""
    lists = [
        f"{layer.where(('plugins', name)) or layer.name}: plugins.{name}"
        for name in LISTS
        for layer in settings.layers("plugins", name)
        if found.name in str(layer.values["plugins", name])
    ]
    tables = [
        f"{layer.where(('plugins', found.name)) or layer.name}: [plugins.{found.name}]"
        for layer in settings.layers("plugins", found.name)
    ]
    order = _order(looked)
    places = {}
    for hook in looked.hooks_of(found):
        names = order[hook]
        if found.name in names:
            at = names.index(found.name)
            places[hook] = f"{at + 1} of {len(names)}" + (
                f", after {names[at - 1]}" if at else ", the first"
            )
    if found.enabled:
        because = f"on: {_asked(found, lists, tables)}"
    else:
        because = f"{'broken' if found.broken else 'off'}: {found.reason}"
    return {
        "name": found.name,
        "enabled": found.enabled,
        "because": because,
        "offered by": " ".join(filter(None, (found.distribution, found.version))) or "code",
        "said by": [*lists, *tables],
        "places": places,
        "options": {
            name: f"= {value!r}, {_from(settings, found.name, name)}"
            for name, value in _options(found).items()
        },
    }


def _asked(found: Found, lists: list[str], tables: list[str]) -> str:
    if found.distribution.endswith(".py"):
        return "its file is named"
    if lists or tables:
        return "settings ask for it"
    return "it is installed, and nothing switches it off"


def _from(settings: Settings, plugin: str, option: str) -> str:
    layers = settings.layers("plugins", plugin, option)
    if not layers:
        return "its default"
    return layers[0].where(("plugins", plugin, option)) or str(layers[0].origin)


def _state(found: Found) -> str:
    if found.enabled:
        return "yes, in shadow" if found.plugin and found.plugin.shadow else "yes"
    return "broken" if found.broken else "no"


def _order(looked: Survey) -> dict[str, list[str]]:
    return {
        hook: [implementation.plugin for implementation in looked.working.of(hook)]
        for hook in HOOKS
    }


def _options(found: Found) -> dict[str, Any]:
    """Return the options that a plugin takes, with the values they have now."""
    thing = found.plugin.object if found.plugin else None
    if thing is None or not attrs.has(type(thing)):
        return {}
    return {
        each.alias: getattr(thing, each.name) for each in attrs.fields(type(thing)) if each.init
    }


def _defaults(found: Found) -> dict[str, Any]:
    """Return the defaults of the options that have one."""
    thing = found.plugin.object if found.plugin else None
    if thing is None or not attrs.has(type(thing)):
        return {}
    return {
        each.alias: each.default.factory() if hasattr(each.default, "factory") else each.default
        for each in attrs.fields(type(thing))
        if each.init
        and each.default is not attrs.NOTHING
        and not getattr(each.default, "takes_self", False)
    }


def _described(looked: Survey, found: Found) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "distribution": found.distribution,
        "about": _about(found),
        "role": found.plugin.role if found.plugin else None,
        "layer": _layer(found) or None,
        "hooks": list(looked.hooks_of(found)),
        "enabled": found.enabled,
        "shadow": bool(found.plugin and found.plugin.shadow),
        "reason": found.reason or None,
        "broken": found.broken,
        "options": {name: _plain(value) for name, value in _options(found).items()},
        "defaults": {name: _plain(value) for name, value in _defaults(found).items()},
    }


def _plain(value: Any) -> Any:
    """Return an option as JSON; what is no JSON shows as its repr, which hides secrets."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return repr(value)


def _about(found: Found) -> str:
    """Return the first sentence of a plugin's docstring."""
    text = inspect.getdoc(found.plugin.object) if found.plugin else None
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return paragraph.partition(". ")[0].removesuffix(".")


def _layer(found: Found) -> str:
    layer = layer_of(found.plugin) if found.plugin else None
    return layer.name if layer is not None else ""


def _print_all(looked: Survey) -> None:
    print_table(
        ("NAME", "ENABLED", "ROLE", "LAYER", "FROM", "DOES", "HOOKS"),
        [
            (
                found.name,
                _state(found),
                found.plugin.role if found.plugin else "?",
                _layer(found),
                f"{found.distribution} {found.version}",
                _about(found),
                " ".join(looked.hooks_of(found)),
            )
            for found in looked.found
        ],
        wrapped=("DOES", "HOOKS"),
    )
    screen = console()
    for found in looked.found:
        if not found.enabled:
            style = "red" if found.broken else "dim"
            screen.print(styled((f"{found.name}: {found.reason}", style)))
    screen.print(styled(("\nOrder in which the hooks run", "bold")))
    for hook, names in _order(looked).items():
        if names:
            screen.print(styled((f"  {hook:<18}", "cyan"), (" → ".join(names), "")))


def _print_one(looked: Survey, found: Found) -> None:
    screen = console()
    origin = f"{found.distribution} {found.version}"
    screen.print(styled((found.name, "bold"), (f" · {origin} · enabled: {_state(found)}", "")))
    if found.reason:
        screen.print(styled((found.reason, "red" if found.broken else "dim")))
    if found.plugin is None:
        return
    about = inspect.getdoc(found.plugin.object)
    if about:
        screen.print(styled(("\n" + about, "")))
    screen.print(styled(("\nrole: ", "cyan"), (found.plugin.role, "")))
    for hook in looked.hooks_of(found):
        names = _order(looked)[hook]
        place = f": {' → '.join(names)}" if found.name in names else ""
        screen.print(styled((f"hook {hook}", "cyan"), (place, "")))
    defaults = _defaults(found)
    for name, value in _options(found).items():
        default = repr(defaults[name]) if name in defaults else "none"
        shown = "the default" if default == repr(value) else f"default {default}"
        screen.print(styled((f"option {name}", "cyan"), (f" = {value!r} ({shown})", "")))
