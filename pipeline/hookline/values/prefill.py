"""The first words of a reply, and the ways to put them in the model's mouth."""

from typing import Final, Literal, TypeAlias

from attrs import frozen

__all__ = ["PREFILL_MODES", "Prefill", "PrefillMode", "PrefillWay"]

PrefillMode: TypeAlias = Literal["auto", "native", "instructed", "structured", "error"]
"""What a caller may ask for. ``"auto"`` is native where model and server allow it; ``"error"`` refuses
where they do not."""

PREFILL_MODES: Final[tuple[PrefillMode, ...]] = (
    "auto",
    "native",
    "instructed",
    "structured",
    "error",
)

PrefillWay: TypeAlias = Literal["native", "instructed", "structured"]
"""What can be done."""


@frozen(kw_only=True)
class Prefill:
    """The first words of the reply, and how they were put in the model's mouth.

    Attributes:
        text: the words.
        mode: ``"native"`` (a final assistant message), ``"instructed"`` (the model was asked to
            begin so) or ``"structured"`` (the schema of the output makes it begin so).

    """

    text: str
    mode: PrefillWay
