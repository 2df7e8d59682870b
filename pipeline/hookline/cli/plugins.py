"""``hookline plugins``: who takes part, where, and in what order."""

import inspect
from typing import Any

import attrs
import click

from hookline._journey.plugin_set import HOOKS
from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import console, print_json, print_table, styled
from hookline.cli.survey import Found, Survey, survey
from hookline.errors import ConfigError

__all__ = ["plugins"]


@click.command(
    epilog=examples(
        "hookline plugins",
        "hookline plugins images",
        "HOOKLINE_DISABLE=logging hookline plugins",
        "hookline plugins --json | jq .order.send",
    )
)
@click.argument("name", required=False)
@CONFIG
@JSON
def plugins(name: str | None, config: str | None, *, as_json: bool) -> None:
    """List the plugins, and the order of every hook.

    With NAME, show one plugin and its options. A plugin that cannot be loaded is listed with what
    is wrong with it.
    """
    looked = survey(config)
    if name is not None:
        found = next((each for each in looked.found if each.name == name), None)
        if found is None:
            known = ", ".join(each.name for each in looked.found)
            raise ConfigError(f"there is no plugin called {name!r}; installed are: {known}")
        if as_json:
            print_json(_described(looked, found))
        else:
            _print_one(looked, found)
    elif as_json:
        print_json(
            {
                "plugins": [_described(looked, each) for each in looked.found],
                "order": _order(looked),
            }
        )
    else:
        _print_all(looked)


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


def _described(looked: Survey, found: Found) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "distribution": found.distribution,
        "about": _about(found),
        "role": found.plugin.role if found.plugin else None,
        "hooks": list(looked.hooks_of(found)),
        "enabled": found.enabled,
        "shadow": bool(found.plugin and found.plugin.shadow),
        "reason": found.reason or None,
        "broken": found.broken,
        "options": {name: _plain(value) for name, value in _options(found).items()},
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


def _print_all(looked: Survey) -> None:
    print_table(
        ("NAME", "ENABLED", "ROLE", "FROM", "DOES"),
        [
            (
                found.name,
                _state(found),
                found.plugin.role if found.plugin else "?",
                f"{found.distribution} {found.version}",
                _about(found),
            )
            for found in looked.found
        ],
        wrapped=("DOES",),
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
    for name, value in _options(found).items():
        screen.print(styled((f"option {name}", "cyan"), (f" = {value!r}", "")))
