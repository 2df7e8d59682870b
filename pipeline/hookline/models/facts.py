"""What is known about one model: limits, prices, behaviour, retirement."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Literal

import attrs
from attrs import field, fields_dict, frozen

from hookline._vision import Vision

__all__ = [
    "EFFORTS",
    "FastMode",
    "ModelFacts",
    "Prices",
    "Sampling",
    "Status",
    "ThinkingDefault",
]

Status = Literal["active", "deprecated", "retired"]
ThinkingDefault = Literal["off", "on", "always_on"]
Sampling = Literal["rejected", "one_of", "allowed"]
FastMode = Literal["no", "ignored", "beta", "ga"]

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
"""Every level of ``output_config.effort``, the lowest first (facts 2.1)."""

_SMALL_CONTEXT: Final = 200_000
_LARGE_CONTEXT: Final = 1_000_000


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
