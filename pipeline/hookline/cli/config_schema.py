"""The JSON schema of ``hookline.toml``, drawn from the classes, for editors that complete and check."""

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final, get_origin

import attrs

from hookline._journey.discovery import Installed, installed
from hookline._journey.trust import options_of
from hookline.config import LISTS, SETTINGS, Settings, facts_of
from hookline.errors import ConfigError, InputError
from hookline.schema import schema_of

__all__ = ["settings_schema"]

_REFERENCE: Final = "^(env|file|keyring|command):."
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def settings_schema() -> dict[str, Any]:
    """Return the schema of a settings file, with the plugins that are installed here."""
    shared: dict[str, Any] = {}
    about = _explained(Settings)
    fields = {
        name: _of_field(field, about.get(name, ""), shared) for name, field in SETTINGS.items()
    }
    plugins = {name: fields.pop(name) for name in LISTS}
    plugins |= {each.name: _of_plugin(each, shared) for each in installed()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of Hookline",
        **_table({**fields, "plugins": _table(plugins)}),
        "$defs": shared,
    }


def _of_plugin(each: Installed, shared: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a plugin's table; of one that cannot be loaded nothing is known."""
    try:
        plugin_class = each.imported()
    except ConfigError as problem:
        return {"type": "object", "description": str(problem)}
    about = _explained(plugin_class)
    summary = (inspect.getdoc(plugin_class) or "").partition("\n\n")[0]
    return {
        "description": " ".join(summary.split()),
        **_table(
            {
                "shadow": {"type": "boolean", "description": "Judge, record, stop nothing."},
                **{
                    name: _of_field(field, about.get(name, ""), shared)
                    for name, field in options_of(plugin_class).items()
                },
            }
        ),
    }


def _of_field(
    field: "attrs.Attribute[Any]", description: str, shared: dict[str, Any]
) -> dict[str, Any]:
    facts = facts_of(field)
    schema: dict[str, Any] = {"description": description} if description else {}
    if facts.secret:
        return {**schema, "type": "string", "pattern": _REFERENCE}
    schema |= _of_type(field.type, shared)
    bounds = {
        "exclusiveMinimum": facts.above,
        "minimum": facts.least,
        "maximum": facts.most,
        "default": field.default if isinstance(field.default, str | int | float) else None,
    }
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


def _of_type(wanted: Any, shared: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type; what only code can give is left open."""
    if get_origin(wanted) in (Mapping, dict):
        return {"type": "object"}
    try:
        schema = schema_of(wanted)
    except InputError:
        return {}
    shared.update(schema.pop("$defs", {}))
    return schema


def _table(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _explained(described: Any) -> dict[str, str]:
    """Return what a class's docstring says of each attribute."""
    text = inspect.getdoc(described) or ""
    return {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(text)}
