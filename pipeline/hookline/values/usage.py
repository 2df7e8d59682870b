"""What a reply cost in tokens, and why a refused one was refused (facts 7.2, 7.3)."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from attrs import field, fields, frozen

from hookline.values.frozen import Model, checked, freeze

__all__ = ["StopDetails", "Usage", "total"]


@frozen(eq=False, repr=False, field_transformer=checked)
class Usage(Model):
    """Token counts of one reply.

    Attributes:
        input_tokens: uncached input only; see `total_input`.
        output_tokens: output, thinking included.
        absent: names of the fields above that the server left out; they read as 0.

    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: Mapping[str, Any] | None = field(default=None, converter=freeze)
    output_tokens_details: Mapping[str, Any] | None = field(default=None, converter=freeze)
    server_tool_use: Mapping[str, Any] | None = field(default=None, converter=freeze)
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    iterations: tuple[Any, ...] | None = field(default=None, converter=freeze)
    fallback_credit: Mapping[str, Any] | None = field(default=None, converter=freeze)
    absent: frozenset[str] = field(default=frozenset(), kw_only=True, repr=False)

    @property
    def total_input(self) -> int:
        """All input tokens: uncached, written to the cache, and read from it."""
        written = self.cache_creation_input_tokens or 0
        return self.input_tokens + written + (self.cache_read_input_tokens or 0)

    @property
    def compactions(self) -> "tuple[Usage, ...]":
        """What compactions took that the API made on its way; the counts above leave them out."""
        return tuple(
            Usage(
                **{
                    name: each[name]
                    for name, kind in _OF_AN_ITERATION.items()
                    if isinstance(each.get(name), kind) and not isinstance(each[name], bool)
                }
            )
            for each in self.iterations or ()
            if isinstance(each, Mapping) and each.get("type") == "compaction"
        )

    def updated(self, later: "Usage") -> "Usage":
        """Return the totals after a ``message_delta``: what it tells holds, the rest stays.

        Args:
            later: its usage; counts are totals so far, and what is absent or null tells nothing.

        """
        told = {
            name: value
            for name in _TOLD
            if name not in later.absent
            and name not in later.extra
            and (value := getattr(later, name)) is not None
        }
        return self.evolve(**told, absent=self.absent.difference(told))


@frozen(eq=False, repr=False, field_transformer=checked)
class StopDetails(Model):
    """Why the safety classifiers stopped a reply; only on ``stop_reason == "refusal"``."""

    type: str | None = None
    category: str | None = None
    explanation: str | None = None
    fallback_credit_token: str | None = field(default=None, repr=False)
    fallback_has_prefill_claim: bool | None = None
    recommended_model: str | None = None


def total(usages: Collection[Usage]) -> Usage:
    """Add up the usage of several replies.

    Args:
        usages: any number; none have cost nothing.

    Returns:
        Counts added, those inside objects too; what is no count is the last one's.

    """
    *earlier, last = usages or (Usage(),)
    for usage in reversed(earlier):
        last = last.evolve(
            **{
                name: _sum(getattr(usage, name), getattr(last, name))
                for name in _COUNTED
                if getattr(usage, name) is not None
            }
        )
    return last


_COUNTED: Final = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
)


_OF_AN_ITERATION: Final = {**dict.fromkeys(_COUNTED[:4], int), "cache_creation": Mapping}
_TOLD: Final = tuple(each.name for each in fields(Usage) if each.name not in ("absent", "extra"))


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping) and (other is None or isinstance(other, Mapping)):
        other = other or {}
        return {key: _sum(one.get(key), other.get(key)) for key in (*other, *one)}
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return one if other is None else other
