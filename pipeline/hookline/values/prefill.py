"""The first words of a reply, and the ways to put them in the model's mouth."""

from typing import Literal, TypeAlias

from attrs import frozen

__all__ = ["Prefill", "PrefillMode"]

PrefillMode: TypeAlias = Literal["auto", "native", "instructed"]
"""What a caller may ask for; ``"auto"`` is native where the model allows it."""


@frozen(kw_only=True)
class Prefill:
    """The first words of the reply, and how they were put in the model's mouth.

    Attributes:
        text: the words.
        mode: ``"native"`` (a final assistant message) or ``"instructed"`` (the model was asked).

    """

    text: str
    mode: Literal["native", "instructed"]
