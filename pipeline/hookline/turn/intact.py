"""What a turn is made with and stays, and how far it has come: policies rely on the one, checks see the other."""

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from hookline.errors import PolicyViolation

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["FIXED", "PROGRESS", "fixed_of", "progress_of", "settable", "tampered"]

_ONCE: Final = ("principal", "_call_tool", "_resolve", "_open_uploads")

# What a turn is made with, and stays: policies rely on it.
FIXED: Final = (
    *("id", "io", "models", "servers", "plugins", "policies", "surface", "name", "stream"),
    *("context", "options", "api_version", "betas", "headers", "timeout", "conversation"),
    *("state", "trace"),
)
fixed_of: Final = attrgetter(*FIXED)
# How far it has come.
PROGRESS: Final = (
    *("deadline", "prefill", "step", "attempt", "request", "rehearsing", "buffered", "phase"),
    "partial",
)
progress_of: Final = attrgetter(*PROGRESS)


def settable(_turn: Any, attribute: "Attribute[Any]", value: Any) -> Any:
    """Let a plugin set what is not fixed."""
    if attribute.name in (*FIXED, *_ONCE):
        raise AttributeError(
            f"turn.{attribute.name} is fixed when the turn is made; a plugin may set turn.prefill, "
            "turn.destination and its own TurnState"
        )
    return value


def tampered(name: str) -> PolicyViolation:
    """Return what a turn ends with where a plugin has changed what is fixed."""
    return PolicyViolation(
        f"turn.{name} was changed by a plugin, so no policy can rely on it", rule="turn"
    )
