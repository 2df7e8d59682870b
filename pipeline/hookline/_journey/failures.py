"""What becomes of a plugin's failure: the engine decides by the plugin's role, not the plugin.

``SystemExit`` is a failure like any other: a plugin does not end the program. Cancellations and
ctrl-C pass.
"""

from inspect import isawaitable
from typing import Any, NoReturn

from hookline._journey.plugin_set import Implementation
from hookline._log import log_failure
from hookline.errors import (
    HooklineError,
    NeedsEventLoop,
    PluginError,
    PolicyViolation,
    needs_event_loop,
)
from hookline.trace import Verdict
from hookline.turn import Continue, Turn
from hookline.values.messages import Request

__all__ = ["absorbed", "failure", "raise_failure", "result_error", "tell", "wrong"]


def failure(implementation: Implementation, error: Exception | SystemExit) -> HooklineError:
    """Return the error that the turn ends with when a plugin raised ``error``.

    Hookline's own errors pass as they are: they are meant for the caller, or come from further in.
    An enforcer refuses whatever goes wrong in it; all else is a ``PluginError``.
    """
    if isinstance(error, PolicyViolation):
        error.plugin = error.plugin or implementation.plugin
        return error
    if isinstance(error, HooklineError) and not isinstance(error, NeedsEventLoop):
        return error
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if implementation.role == "enforcer":
        return PolicyViolation(
            f"refused, because plugin {implementation.plugin!r} could not decide in "
            f"{implementation.hook} ({said})",
            plugin=implementation.plugin,
            rule="fail-closed",
        )
    if needs_event_loop(error) and not isinstance(error, NeedsEventLoop):  # which says it itself
        said += (
            ". In a Pipeline an `async def` hook may await only turn.io and call_next; await "
            "turn.io, or use AsyncPipeline"
        )
    return PluginError(said, plugin=implementation.plugin, hook=implementation.hook)


def raise_failure(implementation: Implementation, error: Exception | SystemExit) -> NoReturn:
    """Raise what ``failure`` makes of ``error``, with its cause.

    An error that passes as it is keeps the cause that it came with: it may have been given one by
    a layer further in, and must not become its own.
    """
    problem = failure(implementation, error)
    if problem is error:
        raise error
    raise problem from error


async def tell(implementations: tuple[Implementation, ...], *arguments: Any) -> None:
    """Tell observers; a failing one is logged with its plugin's name, the others still hear."""
    for implementation in implementations:
        try:
            result = implementation.call(*arguments)
            if result is not None and isawaitable(result):
                await result
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- observers are isolated, whatever they raise
            log_failure(implementation.plugin, implementation.hook, error)


def absorbed(
    turn: Turn,
    implementation: Implementation,
    error: Exception | SystemExit | None,
    change: str = "it returned something new",
) -> bool:
    """Say whether an outcome must not touch the turn: an observer's, or one judged in shadow.

    Args:
        turn: its trace gets a shadow's verdict.
        implementation: whose outcome it is.
        error: what it raised, or None if it returned.
        change: what a return value means, for a shadow's verdict.

    """
    if implementation.shadow:
        verdict = (
            Verdict(implementation.plugin, implementation.hook, "would change", change)
            if error is None
            else Verdict(implementation.plugin, implementation.hook, "would refuse", str(error))
        )
        turn.trace.verdicts.append(verdict)
    elif implementation.role == "observer":
        if error is not None:
            log_failure(implementation.plugin, implementation.hook, error)
    else:
        return False
    return True


def result_error(
    implementation: Implementation, result: Any, wanted: tuple[type, ...], described: str
) -> HooklineError | None:
    """Return the error of a result of the wrong type, or None if it fits."""
    if isinstance(result, Continue) and not isinstance(result.request, Request):
        return wrong(implementation, result.request, "a Request in a Continue")
    return None if isinstance(result, wanted) else wrong(implementation, result, described)


def wrong(implementation: Implementation, result: object, wanted: str) -> HooklineError:
    """Return the error of a result that is not what a hook wants."""
    problem = TypeError(f"it gave {type(result).__name__!r}, where the hook wants {wanted}")
    return failure(implementation, problem)
