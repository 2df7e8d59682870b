"""The ``when`` of a rule: a CEL expression over the turn, compiled once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

from hookline import Request
from hookline.errors import ConfigError, MissingExtra, PolicyViolation
from hookline.models import load_models
from hookline.turn import Turn
from hookline.values import thaw

__all__ = ["NAMES", "Condition", "Setting"]

NAMES: Final = ("principal", "request", "context", "now", "surface")
_MACROS: Final = (".map(", ".filter(", ".all(", ".exists(", ".exists_one(")


class Setting:
    """What conditions may ask about one turn; put together when the first of them is asked.

    Args:
        turn: the journey.
        request: what leaves, or has left.
        clock: tells the time.

    """

    def __init__(
        self, turn: Turn, request: Request, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._turn = turn
        self._request = request
        self._clock = clock
        self._context: Any = None

    @property
    def now(self) -> datetime:
        """The time, with its zone."""
        return self._clock() if self._clock else datetime.now(UTC)

    @property
    def context(self) -> Any:
        """The variables, as CEL takes them."""
        if self._context is None:
            self._context = _cel().Context(variables=dict(self._variables()))
        return self._context

    def _variables(self) -> Mapping[str, Any]:
        turn, request = self._turn, self._request
        principal = turn.principal
        return {
            "principal": {
                "user": principal.user,
                "team": principal.team,
                "tenant": principal.tenant,
                "tags": thaw(principal.tags),
            },
            "request": {
                "model": request.model,
                "model_id": load_models().names_of(request.model).id,
                "max_tokens": request.max_tokens,
                "messages": len(request.messages),
                "tools": [getattr(tool, "name", None) or "" for tool in request.tools or ()],
                "betas": list(request.betas),
                "metadata": thaw(request.metadata or {}),
                "thinking": thaw(request.thinking or {}),
                "output_config": thaw(request.output_config or {}),
                "inference_geo": request.inference_geo or "",
                "service_tier": request.service_tier or "",
                "temperature": request.temperature,
                "base_url": turn.destination.base_url,
            },
            "context": {str(name): _plain(value) for name, value in turn.context.items()},
            "now": self.now,
            "surface": turn.surface,
        }


class Condition:
    """A compiled expression.

    Args:
        text: the expression.

    Raises:
        ConfigError: it is none, or asks for what there is not.
        MissingExtra: CEL is not installed.

    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._program = _cel().compile(text)
        except (ValueError, RuntimeError) as error:
            first = str(error).partition("\n")[0]
            raise ConfigError(f"when is no CEL expression: {first}") from error
        self.names: Final = tuple(self._program.variables())
        if not any(macro in text for macro in _MACROS):  # which bind names of their own
            for name in self.names:
                if name not in NAMES:
                    raise ConfigError(f"when knows {', '.join(NAMES)}, and not {name!r}")

    def holds(self, setting: Setting) -> bool:
        """Say whether the expression is true of a turn.

        Raises:
            PolicyViolation: it cannot be decided, and what cannot be decided is refused.

        """
        try:
            result = self._program.execute(setting.context)
        except Exception as error:
            raise PolicyViolation(
                f"refused, because a rule's condition could not be decided ({type(error).__name__}: {error})",
                rule="fail-closed",
            ) from error
        if not isinstance(result, bool):
            raise PolicyViolation(
                f"refused, because a rule's condition is neither true nor false: {self.text}",
                rule="fail-closed",
            )
        return result


def _plain(value: Any) -> Any:
    """Return a caller's fact as CEL takes it; of what is no such value only that it is there."""
    return (
        value
        if isinstance(value, str | int | float | bool | list | dict | None)
        else str(type(value))
    )


def _cel() -> Any:
    try:
        return import_module("cel")
    except ImportError as error:
        raise MissingExtra(
            "policy", "common-expression-language", "the conditions of rules"
        ) from error
