"""What is drawn from tables in the code: hooks, settings, options of plugins, rules, models."""

import ast
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import attrs

from generator import signatures
from generator.prose import cell, fence, inline, markdown, table
from generator.source import definition
from hookline._journey.versions import CHANGES
from hookline.config import Settings, facts_of
from hookline.models import ModelFacts, load_models
from hookline_plugins.policy.rules.keys import PARTS
from hookline_plugins.preflight import RULES

__all__ = [
    "contract",
    "excerpt",
    "models",
    "options",
    "parts",
    "rules",
    "settings",
    "standard_plugins",
]

_ROOT: Final = Path(__file__).parent.parent.parent


def settings() -> str:
    """Return every setting with its type and default."""
    return _fields(Settings)


def options(target: str) -> str:
    """Return the options of one plugin, named as an entry point names it: ``module:Class``."""
    module, _, name = target.partition(":")
    return _fields(getattr(import_module(module), name))


def standard_plugins(group: str) -> str:
    """Return the plugins that the distribution registers in a group of entry points."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return "\n\n".join(
        part
        for name, target in project["entry-points"][group].items()
        for part in _plugin(name, *target.split(":"))
    )


def _plugin(name: str, module: str, class_name: str) -> Iterator[str]:
    defined = definition(module, class_name)
    yield f"### `{name}`"
    path = ".".join(module.split(".")[:3])
    yield f"`{path}.{class_name}`. " + markdown(_without_attributes(defined.doc))
    table = options(f"{module}:{class_name}")
    yield table or "No options."


def _without_attributes(doc: str) -> str:
    before, mark, behind = doc.partition("Attributes:\n")
    if not mark:
        return doc
    rest = behind.split("\n\n")
    later = next((n for n, part in enumerate(rest) if part and not part.startswith(" ")), len(rest))
    return before + "\n\n".join(rest[later:])


def rules() -> str:
    """Return the rules of the plugin ``preflight``."""
    rows = [
        (f"`{rule.name}`", cell(inline(rule.remedy)), "yes" if rule.shared else "")
        for rule in RULES.values()
    ]
    return table("rule", "what to do", "everywhere", rows=rows)


def parts() -> str:
    """Return the parts that a rule's ``in`` may name."""
    rows = [(f"`{name}`", cell(said)) for name, said in PARTS.items()]
    return table("part", "holds", rows=rows)


def contract() -> str:
    """Return what changed for plugins, by the version of the hooks."""
    rows = [(version, cell(text)) for version, text in CHANGES.items()]
    return table("version of the hooks", "what changed for plugins", rows=rows)


def excerpt(path: str, name: str) -> str:
    """Return a class or function of a file, as it stands there."""
    text = (_ROOT / path).read_text(encoding="utf-8")
    node = next(node for node in ast.parse(text).body if getattr(node, "name", "") == name)
    assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
    return fence("\n".join(text.splitlines()[first - 1 : node.end_lineno]))


def models() -> str:
    """Return the models that Hookline knows."""
    rows = [_model(facts) for facts in load_models()]
    head = ("model", "status", "context", "output", "input $", "output $", "prefill", "thinking")
    return table(*head, rows=rows)


def _model(facts: ModelFacts) -> tuple[str, ...]:
    prices = facts.prices
    return (
        f"`{facts.id}`",
        facts.status + (f", ends {facts.retires}" if facts.retires else ""),
        f"{facts.context:,}" if facts.context else "",
        f"{facts.max_output:,}" if facts.max_output else "",
        f"{prices.input.normalize():f}" if prices else "",
        f"{prices.output.normalize():f}" if prices else "",
        "yes" if facts.prefill else "no",
        ", ".join(facts.thinking),
    )


def _fields(cls: type) -> str:
    """Return a table of the public fields of an attrs class, said in its docstring's words."""
    said = dict(_said(cls))
    types = signatures.field_types(cls)
    rows = []
    for each in attrs.fields(cls):
        if not each.init or each.name.startswith("_"):
            continue
        kind, default, module = types[each.name]
        shown = "" if each.default is attrs.NOTHING else signatures.field_default(default, module)
        rows.append((
            f"`{each.alias.rstrip('_')}`",  # of what Python keeps for itself: `for`, `in`
            f"`{cell(kind)}`",
            "" if shown in {"", "..."} else f"`{cell(shown)}`",
            cell(said.get(each.name, "") + _harmless(facts_of(each).harmless)),
        ))  # fmt: skip
    return table("name", "type", "default", "meaning", rows=rows) if rows else ""


def _harmless(marked: object) -> str:
    """Say which options a settings file may set that was found, and not named."""
    if callable(marked):
        return " *Some values are harmless.*"
    return " *Harmless.*" if marked else ""


def _said(cls: type) -> Iterator[tuple[str, str]]:
    for defined in reversed(list(signatures.ancestors(cls))):
        for line in markdown(defined.doc).splitlines():
            if line.startswith("- `"):
                name, _, text = line.removeprefix("- `").partition("`: ")
                yield name, text
