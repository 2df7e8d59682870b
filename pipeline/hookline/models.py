"""What is known about each model: limits, prices, behaviour, retirement; and what a call costs.

The facts are data (``models.toml``); this module reads them on first use. A table is immutable:
``with_models`` returns a new one, which is how plugins and tests add their own models. The
simulator, the preflight checks and the cost of a reply all look here, so they cannot disagree.
"""

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
from attrs import field, fields_dict, frozen

from hookline._vision import Vision
from hookline.errors import InputError

if TYPE_CHECKING:
    from hookline.values.usage import Usage

__all__ = [
    "FastMode",
    "ModelFacts",
    "ModelTable",
    "Prices",
    "Sampling",
    "Status",
    "ThinkingDefault",
    "Vision",
    "cost",
    "load_models",
    "price",
]

Status = Literal["active", "deprecated", "retired"]
ThinkingDefault = Literal["off", "on", "always_on"]
Sampling = Literal["rejected", "one_of", "allowed"]
FastMode = Literal["no", "ignored", "beta", "ga"]

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
"""Every level of ``output_config.effort``, the lowest first (facts 2.1)."""

_MILLION: Final = Decimal(1_000_000)
_BATCH_RATE: Final = Decimal("0.5")
_US_ONLY_RATE: Final = Decimal("1.1")
_SMALL_CONTEXT: Final = 200_000
_LARGE_CONTEXT: Final = 1_000_000
# Cache prices follow the input price where the table names none (facts 9.1).
_CACHE_RATES: Final = {
    "cache_write_5m": Decimal("1.25"),
    "cache_write_1h": Decimal(2),
    "cache_read": Decimal("0.1"),
}


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@frozen(kw_only=True)
class Prices:
    """Prices in USD per million tokens.

    Args:
        input: Uncached input.
        output: Output, thinking included.
        cache_write_5m: Input written to the cache for five minutes.
        cache_write_1h: Input written to the cache for an hour.
        cache_read: Input read from the cache.
        long: The prices when the whole prompt is longer than ``long_over`` tokens.
        long_over: Prompt length, in tokens, above which ``long`` holds.

    """

    input: Decimal = field(converter=Decimal)
    output: Decimal = field(converter=Decimal)
    cache_write_5m: Decimal = field(converter=Decimal)
    cache_write_1h: Decimal = field(converter=Decimal)
    cache_read: Decimal = field(converter=Decimal)
    long: "Prices | None" = None
    long_over: int | None = None

    def for_prompt(self, tokens: int) -> "Prices":
        """Return the prices that hold for a prompt of ``tokens`` tokens, cached ones included."""
        if self.long is not None and self.long_over is not None and tokens > self.long_over:
            return self.long
        return self


@frozen(kw_only=True)
class ModelFacts:
    """The facts of one model.

    Args:
        id: The id that the API reports.
        aliases: Other ids that mean the same model.
        display_name: For people.
        line: ``haiku``, ``sonnet``, ``opus``, ``fable``, ``mythos``, or None for a foreign model.
        status: ``active``, ``deprecated`` (callable, on its way out) or ``retired``.
        released: Release day.
        retires: The day it retires or retired, where set.
        not_before: The day before which it will not be retired.
        context: Context window in tokens, input and output together.
        max_output: Highest ``max_tokens``.
        prices: None where they are not published.
        prefill: Whether the last message may be an assistant's.
        thinking: The ``thinking.type`` values that it accepts.
        thinking_omitted: What a request without ``thinking`` gets.
        effort: The effort levels that it accepts.
        effort_default: The level of a request that names none.
        quiet_effort: Highest level with thinking off, where limited.
        forced_tool_choice: Whether ``tool_choice`` may be ``any`` or ``tool`` (thinking off).
        sampling: What it makes of temperature, top_p and top_k under version 2023-06-01.
        vision: None for a model that cannot see.
        min_cacheable: Shortest prefix, in tokens, that the prompt cache takes.
        system_role: Whether ``role: system`` may stand in ``messages``.
        system_directive: Whether the directive-only system message is accepted.
        prefix_binding: Whether thinking signatures are bound to what came before them.
        fast_mode: ``no``, ``ignored``, ``beta`` (with header) or ``ga``.
        refused_tools: Types of Anthropic's own tools that it does not take.
        successor: The id to move to from a deprecated or retired model, of the same line.
        unconfirmed: Names of fields above whose value could not be checked: a rule that goes by one
            of them may warn, never refuse.
        told: Names of fields above that somebody said of a model of his own, also where the value
            is the default.

    """

    id: str
    aliases: tuple[str, ...] = field(default=(), converter=_names)
    display_name: str = field(
        default=attrs.Factory(
            lambda self: self.id, takes_self=True
        )  # a plugin may know only the id
    )
    line: str | None = None
    status: Status = "active"
    released: dt.date | None = None
    retires: dt.date | None = None
    not_before: dt.date | None = None
    context: int = _SMALL_CONTEXT
    max_output: int = 64_000
    prices: Prices | None = None
    prefill: bool = False
    thinking: tuple[str, ...] = field(default=(), converter=_names)
    thinking_omitted: ThinkingDefault = "off"
    effort: tuple[str, ...] = field(default=(), converter=_names)
    effort_default: str | None = None
    quiet_effort: str | None = None
    forced_tool_choice: bool = True
    sampling: Sampling = "allowed"
    vision: Vision | None = None
    min_cacheable: int = 1024
    system_role: bool = False
    system_directive: bool = False
    prefix_binding: bool = False
    fast_mode: FastMode = "no"
    refused_tools: tuple[str, ...] = field(default=(), converter=_names)
    successor: str | None = None
    unconfirmed: tuple[str, ...] = field(default=(), converter=_names)
    told: tuple[str, ...] = field(default=(), converter=_names)

    @property
    def retired(self) -> bool:
        """Whether the API refuses it."""
        return self.status == "retired"

    @property
    def max_images(self) -> int:
        """Most images in one request: 100 with a context of 200k tokens, 600 above."""
        return 100 if self.context <= _SMALL_CONTEXT else 600

    @property
    def max_pdf_pages(self) -> int:
        """Most PDF pages in one request: 100 below a context of a million tokens (facts 5.4)."""
        return 600 if self.context >= _LARGE_CONTEXT else 100

    def confirmed(self, name: str) -> bool:
        """Tell whether the value of the field ``name`` is sure enough to refuse a request by it.

        Of a model that somebody registered, a default is nobody's word.
        """
        said = (
            self.line is not None
            or name in self.told
            or getattr(self, name) != fields_dict(ModelFacts)[name].default
        )
        return said and name not in self.unconfirmed

    def thinks(self, thinking_type: str | None) -> bool:
        """Tell whether a request with this ``thinking.type`` (None: left out) thinks.

        Args:
            thinking_type: The request's ``thinking.type``, None when the field is absent.

        Returns:
            True when thinking is on, by request or by the model's own default.

        """
        if thinking_type is None:
            return self.thinking_omitted != "off"
        return thinking_type in ("adaptive", "enabled")


@frozen
class ModelTable:
    """An immutable lookup of models by id or alias.

    Args:
        models: The facts; a later one replaces an earlier one with the same id.

    """

    models: tuple[ModelFacts, ...]
    _index: Mapping[str, ModelFacts] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        by_id = {facts.id: facts for facts in self.models}
        object.__setattr__(self, "models", tuple(by_id.values()))
        names = {alias: facts for facts in by_id.values() for alias in facts.aliases}
        object.__setattr__(self, "_index", names | by_id)

    def get(self, name: str) -> ModelFacts | None:
        """Return the facts of the model ``name`` (an id or an alias), or None."""
        return self._index.get(name)

    def require(self, name: str) -> ModelFacts:
        """Return the facts of the model ``name``.

        Args:
            name: An id or an alias.

        Returns:
            The facts, those of retired models included.

        Raises:
            InputError: No such model; the text names the nearest known ids.

        """
        facts = self._index.get(name)
        if facts is None:
            import difflib  # noqa: PLC0415 - only for the error text, and slow to import

            near = difflib.get_close_matches(name, self._index, n=3, cutoff=0.5)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise InputError(
                f"The model {name!r} is not in the table.{hint} "
                "Add it with ModelTable.with_models or the register_models hook."
            )
        return facts

    def is_claude(self, name: str) -> bool:
        """Tell whether an id is that of a Claude: one of the table, or one that is made like theirs.

        Clouds and gateways put words around it: ``anthropic.claude-…-v1:0``, ``anthropic/claude-…``.
        """
        facts = self.get(name)
        return "claude-" in name.lower() if facts is None else facts.line is not None

    def with_models(self, *models: ModelFacts) -> "ModelTable":
        """Return a table that also holds ``models``; a known id is replaced."""
        return ModelTable((*self.models, *models))

    def price(self, answers: "Iterable[tuple[str | None, Usage | None]]") -> Decimal | None:
        """Return what answers cost together, in US dollars.

        Args:
            answers: who answered, and the usage; without a usage nothing was paid.

        Returns:
            The sum, exact; None if the price of one of them is not known.

        """
        total = Decimal(0)
        for model, usage in answers:
            if usage is None:
                continue
            facts = self.get(model or "")
            paid = price(usage, facts) if facts is not None else None
            if paid is None:
                return None
            total += paid
        return total

    def __iter__(self) -> Iterator[ModelFacts]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __contains__(self, name: object) -> bool:
        return name in self._index


@functools.cache
def load_models() -> ModelTable:
    """Return the table that ships with Hookline; it is read once and immutable."""
    import tomllib  # noqa: PLC0415 - read on first use, so that importing Hookline stays cheap
    from importlib.resources import files  # noqa: PLC0415 - as above

    text = files("hookline").joinpath("models.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text, parse_float=Decimal)  # 0.1 USD is a tenth, not nearly a tenth
    visions = {name: Vision(name=name, **values) for name, values in data["vision"].items()}
    return ModelTable(tuple(_facts(entry, visions) for entry in _entries(data)))


def cost(
    facts: ModelFacts,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_write_5m: int = 0,
    cache_write_1h: int = 0,
    cache_read: int = 0,
    batch: bool = False,
    us_only: bool = False,
) -> Decimal | None:
    """Price one call.

    Args:
        facts: The model.
        input_tokens: Uncached input tokens.
        output_tokens: Output tokens, thinking included.
        cache_write_5m: Input tokens written to the five-minute cache.
        cache_write_1h: Input tokens written to the one-hour cache.
        cache_read: Input tokens read from the cache.
        batch: Whether it was a batch item (half price).
        us_only: Whether ``inference_geo`` was ``us`` (1.1 times, on 4.6 and later).

    Returns:
        The price in USD, exact; None where the model's prices are not published.

    """
    if facts.prices is None:
        return None
    prompt = input_tokens + cache_write_5m + cache_write_1h + cache_read
    prices = facts.prices.for_prompt(prompt)
    total = input_tokens * prices.input + output_tokens * prices.output
    if prompt != input_tokens:  # most calls use no cache
        total += (
            cache_write_5m * prices.cache_write_5m
            + cache_write_1h * prices.cache_write_1h
            + cache_read * prices.cache_read
        )
    total /= _MILLION
    if batch:
        total *= _BATCH_RATE
    if us_only and not facts.prefill:  # the models that still take a prefill are those before 4.6
        total *= _US_ONLY_RATE
    return total


def price(usage: "Usage", facts: ModelFacts) -> Decimal | None:
    """Return the price of one answer, each kind of token at its own rate.

    Compactions on the way, which the totals leave out, are counted. What the API charges for its tools
    (searches, containers) is not: nobody has told us these prices.

    Args:
        usage: as the API told it.
        facts: of the model that answered.

    Returns:
        US dollars, exact; None where the model's prices are not published, or those of its fast mode.

    """
    if usage.speed == "fast":
        return None
    batch, us_only = usage.service_tier == "batch", usage.inference_geo == "us"
    total = _price_of_counts(usage, facts, batch=batch, us_only=us_only)
    for each in usage.compactions:
        paid = _price_of_counts(each, facts, batch=batch, us_only=us_only)
        total = None if total is None or paid is None else total + paid
    return total


def _price_of_counts(
    usage: "Usage", facts: ModelFacts, *, batch: bool, us_only: bool
) -> Decimal | None:
    apart = usage.cache_creation or {}
    hourly = apart.get("ephemeral_1h_input_tokens") or 0
    brief = apart.get("ephemeral_5m_input_tokens") or 0
    written = max(usage.cache_creation_input_tokens or 0, hourly + brief)
    return cost(
        facts,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m=max(0, written - hourly),
        cache_write_1h=hourly,
        cache_read=usage.cache_read_input_tokens or 0,
        batch=batch,
        us_only=us_only,
    )


def _entries(data: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return data["model"]  # type: ignore[no-any-return] # our own file; a test reads all of it


def _facts(entry: dict[str, Any], visions: Mapping[str, Vision]) -> ModelFacts:
    prices = entry.pop("prices", None)
    vision = entry.pop("vision", None)
    return ModelFacts(
        **entry,
        prices=None if prices is None else _prices(prices),
        vision=None if vision is None else visions[vision],
    )


def _prices(entry: dict[str, Any]) -> Prices:
    long = entry.pop("long", None)
    usual = {name: entry["input"] * rate for name, rate in _CACHE_RATES.items()}
    return Prices(**usual | entry, long=None if long is None else _prices(long))
