"""Facts about models of one's own, as settings tell them: the tables ``[models."ants-7b"]``.

What the table of models does not know, it can be told in ``hookline.toml``::

    [models."ants-7b"]
    context = 8192
    max_output = 2048
    prices = { input = "0.10", output = "0.40" }

Then ``reply.cost`` has a price, ``hookline models`` lists it, preflight goes by its limits, and a
prefill is done as the model can.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from attrs import fields_dict

from hookline.errors import ConfigError
from hookline.errors.nearest import nearest
from hookline.models import ModelFacts, Prices, Vision, load_models
from hookline.values.brief import brief

__all__ = ["models_schema", "only_limits_of_unknown_models", "told_models"]

_PRICES: Final = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_LISTS: Final = ("aliases", "thinking", "effort")
_DOLLARS: Final = r"^\s*[+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"  # as Decimal reads them
_NUMBERS: Final = ("context", "max_output", "min_cacheable")
_SWITCHES: Final = (
    *("prefill", "forced_tool_choice", "system_role", "system_directive", "prefix_binding"),
)
_TEXTS: Final = ("display_name",)


def told_models(tables: Mapping[str, Any]) -> tuple[ModelFacts, ...]:
    """Read what settings tell of models.

    Args:
        tables: by a model's id: ``context`` and ``max_output`` (tokens), ``prices`` (dollars per
            million tokens: ``input``, ``output`` and, where they differ from input's,
            ``cache_write_5m``, ``cache_write_1h``, ``cache_read``), ``prefill``, ``thinking`` (a
            list), ``vision`` (``"standard"``, ``"high"``, or false for a model that cannot see) and
            the other fields of ``ModelFacts`` that are texts, numbers, lists or switches.

    Returns:
        The facts, one a table.

    Raises:
        ConfigError: a fact that there is not, or a value that it cannot have; a model that the table
            knows: budgets are held by its prices.

    Example:
        >>> told_models({"ants-7b": {"context": 8192}})[0].context
        8192

    """
    return tuple(_read(name, told) for name, told in tables.items())


def models_schema(about: Mapping[str, str]) -> dict[str, Any]:
    """Return what a JSON schema says of the tables, for editors.

    Args:
        about: what is said of each fact.

    """
    dollars = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DOLLARS}]}
    prices = {
        "type": "object",
        "properties": dict.fromkeys(_PRICES, dollars),
        "required": ["input", "output"],
        "additionalProperties": False,
    }
    seeing = sorted({facts.vision.name for facts in load_models() if facts.vision})
    facts: dict[str, Any] = {
        **{name: {"type": "integer", "minimum": 1} for name in _NUMBERS},
        **{name: {"type": "boolean"} for name in _SWITCHES},
        **{name: {"type": "string"} for name in _TEXTS},
        **{name: {"type": "array", "items": {"type": "string"}} for name in _LISTS},
        "prices": prices,
        "vision": {"enum": [False, *seeing]},
    }
    table = {
        "type": "object",
        "properties": {name: {"description": about[name], **facts[name]} for name in _KNOWN},
        "additionalProperties": False,
    }
    known = sorted({name for facts in load_models() for name in (facts.id, *facts.aliases)})
    return {"propertyNames": {"not": {"enum": known}}, "additionalProperties": table}


def only_limits_of_unknown_models(tables: Any) -> bool:
    """Say whether a file that was merely found may tell these facts.

    Prices are what a budget is held by, and what is known of a model is not for it to change.
    """
    known = load_models()
    return isinstance(tables, Mapping) and all(
        name not in known and isinstance(told, Mapping) and not {"prices", "aliases"} & told.keys()
        for name, told in tables.items()
    )


def _read(model: str, told: Any) -> ModelFacts:
    where = f'models."{model}"'
    if not isinstance(told, Mapping):
        raise ConfigError(f"{where} must be a table, not {brief(told)}")
    aliases = told.get("aliases")
    for name in (model, *(aliases if isinstance(aliases, list | tuple) else ())):
        if isinstance(name, str) and name in load_models():
            raise ConfigError(
                f"{where}: {name} is in the table of models, and what is known of it is not for "
                "settings; a plugin may replace it (register_models)"
            )
    facts = {name: _fact(where, name, told[name]) for name in told}
    return ModelFacts(id=model, told=tuple(facts), **facts)


def _fact(where: str, name: str, value: Any) -> Any:
    for names, kind, wanted in _KINDS:
        if name in names:
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise ConfigError(f"{where}: {name} must be {wanted}, not {brief(value)}")
            if kind is int and isinstance(value, int) and value < 1:
                raise ConfigError(f"{where}: {name} must be 1 or more, not {value}")
            return value
    if name in _LISTS:
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise ConfigError(f"{where}: {name} must be a list of texts, not {brief(value)}")
        return tuple(value)
    if name == "prices":
        return _prices(where, value)
    if name == "vision":
        return _vision(where, value)
    raise ConfigError(f"{where}: unknown fact {name!r}; {nearest(name, _KNOWN)}")


def _prices(where: str, value: Any) -> Prices:
    if not isinstance(value, Mapping) or not {"input", "output"} <= {*value} <= {*_PRICES}:
        raise ConfigError(f"{where}: prices are a table with input, output and {_PRICES[2:]}")
    try:
        # As text: 0.1 dollars are a tenth, not nearly a tenth.
        dollars: dict[str, Any] = {
            name: Decimal(str(value.get(name, value["input"]))) for name in _PRICES
        }
    except ArithmeticError as error:
        raise ConfigError(
            f"{where}: prices must be numbers of dollars, not {brief(value)}"
        ) from error
    if not all(each.is_finite() and each >= 0 for each in dollars.values()):
        raise ConfigError(f"{where}: prices must be 0 dollars or more, not {brief(value)}")
    return Prices(**dollars)


def _vision(where: str, value: Any) -> Vision | None:
    if value is False:
        return None
    known = {facts.vision.name: facts.vision for facts in load_models() if facts.vision}
    if not isinstance(value, str) or value not in known:
        names = ", ".join(sorted(known))
        raise ConfigError(f"{where}: vision must be one of {names}, or false, not {brief(value)}")
    return known[value]


_KINDS: Final = (
    (_NUMBERS, int, "a whole number"),
    (_SWITCHES, bool, "true or false"),
    (_TEXTS, str, "a text"),
)
_KNOWN: Final = tuple(
    name
    for name in fields_dict(ModelFacts)
    if name in (*_NUMBERS, *_SWITCHES, *_TEXTS, *_LISTS, "prices", "vision")
)
