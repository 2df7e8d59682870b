"""The JSON schema of ``hookline.toml``, drawn from the classes, for editors that complete and check."""

import inspect
import re
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import attrs

from hookline._journey.discovery import Installed, installed
from hookline._journey.trust import options_of
from hookline.config import LISTS, SETTINGS, Settings, facts_of
from hookline.config.headers import headers_schema
from hookline.config.told_models import models_schema
from hookline.errors import ConfigError, InputError
from hookline.models import ModelFacts
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
    fields["headers"] |= headers_schema()  # of tables, types do not tell all
    fields["models"] |= models_schema(_explained(ModelFacts))
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
    return {
        "description": _summary(plugin_class),
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
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):  # TOML has no null: an option that may be None is left out
        kinds = [_of_type(each, shared) for each in inner if each is not NoneType]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if origin in (Mapping, dict):
        values = _of_type(inner[-1], shared)
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if origin in (tuple, list, Sequence):
        return {"type": "array", "items": _of_type(inner[0], shared)}
    if isinstance(wanted, type) and attrs.has(wanted):
        return _of_class(wanted, shared)
    try:
        schema = schema_of(wanted)
    except InputError:
        return {}
    shared.update(schema.pop("$defs", {}))
    return schema


def _of_class(cls: type, shared: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a table within a plugin's, whose fields say as much as the plugin's own."""
    name = f"{cls.__module__}.{cls.__qualname__}"  # two plugins may each have a Limit
    if name not in shared:
        shared[name] = {}  # of a class that holds itself
        about = _explained(cls)
        known = options_of(cls)
        shared[name] = {
            "description": _summary(cls),
            **_table({key: _of_field(known[key], about.get(key, ""), shared) for key in known}),
            "required": [key for key, each in known.items() if each.default is attrs.NOTHING],
        }
    return {"$ref": f"#/$defs/{name}"}


def _table(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _summary(described: Any) -> str:
    return " ".join((inspect.getdoc(described) or "").partition("\n\n")[0].split())


def _explained(described: Any) -> dict[str, str]:
    """Return what a class's docstring says of each attribute."""
    text = inspect.getdoc(described) or ""
    return {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(text)}
