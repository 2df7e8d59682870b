"""``hookline config``: what is set, which layer said so, and which others were not heard."""

from collections.abc import Iterator
from typing import Any

import click
from attrs import frozen

from hookline._journey.discovery import installed
from hookline._journey.trust import options_of
from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import note, print_json, print_table
from hookline.cli.survey import survey
from hookline.cli.user_settings import set_option, unset_option
from hookline.config import LISTS, SETTINGS, Layer, Origin, Settings, dotted, facts_of
from hookline.errors import HooklineError
from hookline.policy import load_policy, policy_settings
from hookline.values.brief import brief
from hookline.values.secret import Secret

__all__ = ["config"]

_SHOWN_FORMS = ("env", "file", "keyring")  # a command's words may hold anything


@frozen
class Option:
    """One option as it is now.

    Attributes:
        name: as in a file.
        value: that holds, as JSON; no secret.
        layers: what each layer says: value, layer and place; the strongest first.

    """

    name: str
    value: Any
    layers: tuple[tuple[Any, str, str], ...]


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "hookline config",
        "hookline config --json | jq .timeout",
        "hookline config set timeout 120",
        "hookline config set plugins.images.strategy base64",
        "hookline config unset timeout",
        "hookline config --schema > hookline.schema.json",
    ),
)
@CONFIG
@JSON
@click.option("--schema", is_flag=True, help="Print the JSON schema of a settings file instead.")
@click.pass_context
def config(context: click.Context, config: str | None, *, as_json: bool, schema: bool) -> None:
    """Show the settings that hold here, and where each comes from.

    The layers, the weakest first: a file that was found, the user's own, a file that was named, the
    environment, the organisation's policy. Below a value stand those of weaker layers, which it replaced.
    """
    if context.invoked_subcommand is not None:
        return
    if schema:
        from hookline.cli.config_schema import settings_schema  # noqa: PLC0415 -- loads the plugins

        print_json(settings_schema())
        return
    options = list(_options(policy_settings(load_policy(), config)))
    if as_json:
        print_json({each.name: _described(each) for each in options})
    else:
        print_table(
            ("OPTION", "VALUE", "LAYER", "WHERE"),
            [row for each in options for row in _rows(each)],
            wrapped=("VALUE",),
        )
    for found in survey(config).found:
        if found.broken:
            note(found.reason)


@config.command(
    "set",
    epilog=examples("hookline config set model claude-haiku-4-5"),
    context_settings={"ignore_unknown_options": True},  # -1 is a value
)
@click.argument("key")
@click.argument("value")
def set_(key: str, value: str) -> None:
    """Give the option KEY a VALUE in your own settings file, and keep its comments.

    VALUE is TOML where it can be, else plain text; names in a list may be separated by commas.
    """
    click.echo(f"{key} is set in {set_option(key, value)}")


@config.command("unset", epilog=examples("hookline config unset timeout"))
@click.argument("key")
def unset(key: str) -> None:
    """Take the option KEY out of your own settings file: the next weaker layer holds again."""
    path, found = unset_option(key)
    click.echo(f"{key} is no longer set in {path}" if found else f"{key} is not set in {path}")


def _options(settings: Settings) -> Iterator[Option]:
    """Yield all settings, and those options of plugins that some layer gives."""
    for name, field in SETTINGS.items():
        key = ("plugins", name) if name in LISTS else (name,)
        yield _option(settings, key, getattr(settings, name), secret=facts_of(field).secret)
    secret = _secrets()
    for plugin, values in sorted(settings.plugins.items()):
        for name, value in sorted(values.items()):
            hidden = name in secret.get(plugin, (name,))
            yield _option(settings, ("plugins", plugin, name), value, secret=hidden)


def _secrets() -> dict[str, set[str]]:
    """Return the secret options of plugins; one that is not here, or broken, may have any."""
    found: dict[str, set[str]] = {}
    for each in installed():
        try:
            options = options_of(each.imported())
        except HooklineError:
            continue  # the survey says so
        found[each.name] = {name for name, field in options.items() if facts_of(field).secret}
    return found


def _option(settings: Settings, key: tuple[str, ...], value: Any, *, secret: bool) -> Option:
    layers = settings.layers(*key)
    return Option(
        dotted(key),
        _plain(key, value, secret=secret),
        tuple(
            (_plain(key, layer.values[key], secret=secret), str(layer.origin), _place(layer, key))
            for layer in layers
        ),
    )


def _place(layer: Layer, key: tuple[str, ...]) -> str:
    return layer.where(key) or layer.name


def _plain(key: tuple[str, ...], value: Any, *, secret: bool) -> Any:
    """Return a value as JSON, without what may be a secret."""
    if value is None:
        return None
    if secret:
        form = value.partition(":")[0] if isinstance(value, str) else ""
        return value if form in _SHOWN_FORMS else repr(Secret(""))
    if key == ("headers",):
        return dict.fromkeys(value, "…")
    return list(value) if isinstance(value, tuple) else value


def _described(option: Option) -> dict[str, Any]:
    won, *lost = option.layers or ((option.value, str(Origin.DEFAULT), ""),)
    return {
        "value": option.value,
        "layer": won[1],
        "where": won[2] or None,
        "replaced": [
            {"value": value, "layer": layer, "where": where} for value, layer, where in lost
        ],
    }


def _rows(option: Option) -> Iterator[tuple[str, str, str, str]]:
    won, *lost = option.layers or ((option.value, str(Origin.DEFAULT), ""),)
    yield option.name, _text(option.value), won[1], won[2]
    for value, layer, where in lost:
        yield "", f"not {_text(value)}", layer, where


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    return "" if value is None else brief(value)
