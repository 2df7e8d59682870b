"""What becomes of a plugin's failure: the engine decides by the plugin's role, not the plugin.

``SystemExit`` is a failure like any other: a plugin does not end the program. Cancellations and
ctrl-C pass.
"""

from inspect import isawaitable
from time import perf_counter
from typing import Any, Final, Literal, NoReturn

from hookline._journey.plugin_set import Implementation
from hookline._log import log_failure
from hookline.errors import (
    HooklineError,
    InputError,
    NeedsEventLoop,
    PluginError,
    PolicyViolation,
    needs_event_loop,
)
from hookline.trace import Verdict
from hookline.turn import Continue, Turn
from hookline.values.messages import Request

__all__ = [
    "absorbed",
    "failure",
    "is_cancellation",
    "is_failure",
    "note_failure",
    "raise_failure",
    "result_error",
    "result_of",
    "tell",
    "verdict_of",
    "wrong",
]


_OURS: Final = "hookline_plugins."
_VALUES: Final = "hookline.values."


def is_failure(implementation: Implementation, error: BaseException) -> bool:
    """Say whether an exception is a plugin's failure, and not somebody's wish to stop.

    An enforcer's is one whatever its class, so that none can slip past by an odd one.
    """
    if isinstance(error, Exception | SystemExit):
        return True
    if implementation.role != "enforcer" or isinstance(error, GeneratorExit | KeyboardInterrupt):
        return False
    ours = type(error).__module__.partition(".")[0] == "hookline"
    return not ours and not is_cancellation(error)


def is_cancellation(error: BaseException) -> bool:
    """Say whether a task is told to stop, by asyncio or trio; neither can be imported only to be told apart."""
    return not isinstance(error, Exception) and type(error).__module__.partition(".")[0] in (
        "asyncio",
        "trio",
    )


def failure(implementation: Implementation, error: BaseException) -> HooklineError:
    """Return the error that the turn ends with when a plugin raised ``error``.

    Hookline's own errors pass as they are: they are meant for the caller, or come from further in.
    An enforcer refuses whatever goes wrong in it; all else is a ``PluginError``.
    """
    if isinstance(error, PolicyViolation):
        error.plugin = error.plugin or implementation.plugin
        return error
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if implementation.role == "enforcer":
        return PolicyViolation(
            f"refused, because plugin {implementation.plugin!r} could not decide in "
            f"{implementation.hook} ({said})",
            plugin=implementation.plugin,
            rule="fail-closed",
        )
    if isinstance(error, HooklineError) and not isinstance(error, NeedsEventLoop):
        if not _misused(implementation, error):
            return error
        said = str(error)
    if needs_event_loop(error) and not isinstance(error, NeedsEventLoop):  # which says it itself
        said += (
            ". In a Pipeline an `async def` hook may await only turn.io and call_next; await "
            "turn.io, or use AsyncPipeline"
        )
    return PluginError(said, plugin=implementation.plugin, hook=implementation.hook)


def _misused(implementation: Implementation, error: HooklineError) -> bool:
    """Say whether a value of ours refused what a plugin tried to make of it.

    Such an error reads as if the caller had written something wrong. One that a plugin raises
    itself is meant for the caller, and the standard plugins are made to pass the caller's on.
    """
    if not isinstance(error, InputError) or implementation.owner_module.startswith(_OURS):
        return False
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_globals.get("__name__", "").startswith(_VALUES)


def raise_failure(implementation: Implementation, error: BaseException) -> NoReturn:
    """Raise what ``failure`` makes of ``error``, with its cause.

    An error that passes as it is keeps the cause that it came with: it may have been given one by
    a layer further in, and must not become its own.
    """
    problem = failure(implementation, error)
    if problem is error:
        raise error
    raise problem from error


async def result_of(implementation: Implementation, turn: Turn, *arguments: Any) -> Any:
    """Call an implementation that does not simply run where the turn runs, and return its result.

    A plain ``def`` of an enforcer runs in a thread, which the deadline leaves to itself; a coroutine
    of an observer is given its seconds and no more.
    """
    if implementation.role == "enforcer":
        turn.check_intact()
    if implementation.isolated:
        try:
            result = await turn.io.outwait(
                implementation.call, turn, *arguments, seconds=turn.remaining()
            )
        except TimeoutError:
            raise TimeoutError("it did not decide before the turn's deadline") from None
    else:
        result = implementation.call(turn, *arguments)
    if not isawaitable(result):
        return result
    if implementation.role == "observer":
        return await turn.io.bounded(result, implementation.seconds)
    return await result


async def tell(implementations: tuple[Implementation, ...], turn: Turn, *arguments: Any) -> None:
    """Tell observers; each has a few moments, a failing one is noted, the others still hear.

    A cancellation that arrives while one is being told ends that one alone: it goes on to the
    caller when all have heard.
    """
    left: BaseException | None = None
    for implementation in implementations:
        began = perf_counter()
        try:
            result = implementation.call(turn, *arguments)
            if result is not None and isawaitable(result):
                await turn.io.bounded(result, implementation.seconds, shield=True)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- observers are isolated, whatever they raise
            note_failure(turn, implementation, error)
        except BaseException as error:
            if not is_cancellation(error):
                raise
            left = error
        else:
            # What has no await in it cannot be ended; whoever wonders about the delay finds it here.
            if result is None and perf_counter() - began > implementation.seconds:
                late = TimeoutError(
                    f"it took {perf_counter() - began:.1f} s; await turn.io instead"
                )
                note_failure(turn, implementation, late)
    if left is not None:
        raise left


def note_failure(turn: Turn, implementation: Implementation, error: BaseException) -> None:
    """Log that a plugin failed whose failures go no further, and note it in the trace."""
    if isinstance(error, TimeoutError) and not str(error):
        error = TimeoutError(f"not done after {implementation.seconds:g} s")
    log_failure(implementation.plugin, implementation.hook, error)
    said = f"{implementation.hook} failed: {type(error).__name__}: {error}"
    turn.trace.note(implementation.plugin, said)


def absorbed(
    turn: Turn,
    implementation: Implementation,
    error: BaseException | None,
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
            else verdict_of(implementation, "would refuse", error)
        )
        turn.trace.verdicts.append(verdict)
    elif implementation.role == "observer":
        if error is not None:
            note_failure(turn, implementation, error)
    else:
        return False
    return True


def verdict_of(
    implementation: Implementation,
    decision: Literal["refused", "would refuse"],
    problem: BaseException,
) -> Verdict:
    """Return the verdict that a refusal is, with rule and evidence where it tells them."""
    return Verdict(
        implementation.plugin,
        implementation.hook,
        decision,
        str(problem),
        getattr(problem, "rule", ""),
        getattr(problem, "evidence", ""),
    )


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
