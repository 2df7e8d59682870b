"""The plugin ``models``: facts about models of your own, from the settings.

What the table of models does not know, it can be told in ``hookline.toml``::

    [plugins.models.facts."ants-7b"]
    context = 8192
    max_output = 2048
    prices = { input = "0.10", output = "0.40" }

Then ``reply.cost`` has a price, ``hookline models`` lists it, and a prefill is done as the model can.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from attrs import field, fields_dict, frozen

from hookline import ConfigError, hookimpl
from hookline.models import ModelFacts, Prices, Vision, load_models

__all__ = ["Models"]

_PRICES: Final = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_LISTS: Final = ("aliases", "thinking", "effort")
_NUMBERS: Final = ("context", "max_output", "min_cacheable")
_SWITCHES: Final = (
    *("prefill", "forced_tool_choice", "system_role", "system_directive", "prefix_binding"),
)
_TEXTS: Final = ("display_name",)


@frozen(kw_only=True, eq=False)
class Models:
    """Adds the facts of models that the table does not know.

    Attributes:
        facts: by a model's id: ``context`` and ``max_output`` (tokens), ``prices`` (dollars per
            million tokens: ``input``, ``output`` and, where they differ from input's,
            ``cache_write_5m``, ``cache_write_1h``, ``cache_read``), ``prefill``, ``thinking`` (a
            list), ``vision`` (``"standard"`` or ``"high"``) and the other fields of ``ModelFacts``
            that are texts, numbers, lists or switches.

    """

    facts: Mapping[str, Mapping[str, Any]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.facts, Mapping):
            raise ConfigError('models: facts must be tables: [plugins.models.facts."ants-7b"]')
        for name, told in self.facts.items():
            _read(name, told)

    @hookimpl
    def register_models(self, register: Callable[[ModelFacts], None]) -> None:
        """Add them to the table."""
        for name, told in self.facts.items():
            register(_read(name, told))


def _read(model: str, told: Any) -> ModelFacts:
    where = f'models: facts."{model}"'
    if not isinstance(told, Mapping):
        raise ConfigError(f"{where} must be a table, not {told!r}")
    return ModelFacts(id=model, **{name: _fact(where, name, told[name]) for name in told})


def _fact(where: str, name: str, value: Any) -> Any:
    for names, kind, wanted in _KINDS:
        if name in names:
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise ConfigError(f"{where}: {name} must be {wanted}, not {value!r}")
            return value
    if name in _LISTS:
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise ConfigError(f"{where}: {name} must be a list of texts, not {value!r}")
        return tuple(value)
    if name == "prices":
        return _prices(where, value)
    if name == "vision":
        return _vision(where, value)
    near = get_close_matches(name, _KNOWN, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_KNOWN)}"
    raise ConfigError(f"{where}: unknown fact {name!r}; {hint}")


def _prices(where: str, value: Any) -> Prices:
    if not isinstance(value, Mapping) or not {"input", "output"} <= {*value} <= {*_PRICES}:
        raise ConfigError(f"{where}: prices are a table with input, output and {_PRICES[2:]}")
    try:
        # As text: 0.1 dollars are a tenth, not nearly a tenth.
        dollars: dict[str, Any] = {
            name: Decimal(str(value.get(name, value["input"]))) for name in _PRICES
        }
        return Prices(**dollars)
    except ArithmeticError as error:
        raise ConfigError(f"{where}: prices must be numbers of dollars, not {value!r}") from error


def _vision(where: str, value: Any) -> Vision:
    known = {facts.vision.name: facts.vision for facts in load_models() if facts.vision}
    if value not in known:
        raise ConfigError(f"{where}: vision must be one of {', '.join(sorted(known))}")
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
