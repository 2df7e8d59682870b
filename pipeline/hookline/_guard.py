"""What becomes of a plugin's failure: the engine decides by the plugin's role, not the plugin."""

from inspect import isawaitable
from typing import Any, NoReturn

from hookline.errors import HooklineError, PluginError, PolicyViolation
from hookline.plugins import Implementation

__all__ = ["blame", "failure", "told"]


def failure(implementation: Implementation, error: Exception) -> HooklineError:
    """Return the error that the turn ends with when a plugin raised ``error``.

    Hookline's own errors pass as they are: they are meant for the caller, or come from further in.
    An enforcer refuses whatever goes wrong in it; all else is a ``PluginError``.
    """
    if isinstance(error, PolicyViolation):
        error.plugin = error.plugin or implementation.plugin
        return error
    if isinstance(error, HooklineError):
        return error
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if implementation.role == "enforcer":
        return PolicyViolation(
            f"refused, because plugin {implementation.plugin!r} could not decide in "
            f"{implementation.hook} ({said})",
            plugin=implementation.plugin,
            rule="fail-closed",
        )
    if "event loop" in said or "async context" in said or "async backend" in said:
        said += (
            ". In a Pipeline an `async def` hook may await only turn.io and call_next; await "
            "turn.io, or use AsyncPipeline"
        )
    return PluginError(said, plugin=implementation.plugin, hook=implementation.hook)


def blame(implementation: Implementation, error: Exception) -> NoReturn:
    """Raise what ``failure`` makes of ``error``, with its cause.

    An error that passes as it is keeps the cause that it came with: it may have been given one by
    a layer further in, and must not become its own.
    """
    problem = failure(implementation, error)
    if problem is error:
        raise error
    raise problem from error


async def told(implementations: tuple[Implementation, ...], *arguments: Any) -> None:
    """Tell observers; a failing one is logged with its plugin's name, the others still hear."""
    for implementation in implementations:
        try:
            result = implementation.call(*arguments)
            if isawaitable(result):
                await result
        except Exception as error:  # noqa: BLE001 -- observers are isolated, whatever they raise
            from hookline._log import log_failure  # noqa: PLC0415 -- loguru only when needed

            log_failure(implementation.plugin, implementation.hook, error)
