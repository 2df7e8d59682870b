"""One call in a pipeline of its own, with the plugin under test or without it, and what came of it."""

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve

from hookline._journey.contract import HOOKS
from hookline._journey.discovery import installed
from hookline._journey.plugin_set import Plugin
from hookline.errors import HooklineError, NeedsEventLoop, PluginError
from hookline.pipeline import AsyncPipeline, Pipeline
from hookline.simulator import Simulator
from hookline.testing.conformance.samples import NATIVE
from hookline.testing.conformance.surfaces import (
    CALLS_TOOLS,
    STEPS,
    Call,
    Colour,
    Outcome,
    run_async,
    waited,
    worked,
)
from hookline.testing.recording import RecordingSimulator, TraceCapture

__all__ = ["bodies_of", "failed", "line_of", "taken"]

# Failures are to be seen at once, and nobody else's plugin is under test.
_ALONE: Final = {
    "plugins": {
        "disable": [
            each.name
            for each in installed()
            if not each.optional and (each.distribution != "hookline" or each.name == "retry")
        ]
    }
}


def line_of(
    colour: Colour, simulator: Simulator, plugins: Sequence[Plugin], options: Mapping[str, Any]
) -> Any:
    """Return a pipeline with these plugins, and with none of strangers."""
    kind = Pipeline if colour == "sync" else AsyncPipeline
    given = {"base_url": simulator, "model": NATIVE, "config": _ALONE, "timeout": 30.0}
    return kind(plugins=list(plugins), **{**given, **options})


def taken(
    plugins: list[Plugin], call: Call, colour: Colour, module: str, options: Mapping[str, Any]
) -> Outcome:
    """Take one call in a pipeline of its own.

    Args:
        plugins: the one under test, or none.
        call: what is done.
        colour: in which colour.
        module: of the plugin, to tell its refusals from accidents.
        options: of the pipeline.

    """
    simulator = call.simulator() if call.simulator else RecordingSimulator(*call.rules)
    if call.simulator is None and call.surface in STEPS:
        simulator = RecordingSimulator(*call.rules, CALLS_TOOLS)
    trace = TraceCapture()
    name = plugins[0].name if plugins else ""
    plugins = [*plugins, Plugin.of(trace)]
    options = {**options, **call.line}
    try:
        if colour == "sync":
            with line_of(colour, simulator, plugins, options) as line:
                outcome = worked(line, call)
        else:

            async def main() -> Outcome:
                async with line_of(colour, simulator, plugins, options) as line:
                    return await waited(line, call)

            outcome = run_async(colour, main)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a stranger's code
        outcome = failed(error, module)
    unheard, notes = _noted(trace, name)
    bodies = bodies_of(simulator) or outcome.bodies
    return evolve(outcome, bodies=bodies, unheard=unheard, notes=notes)


def _noted(trace: TraceCapture, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the engine noted of a plugin's failures that go no further, and all notes of anybody."""
    notes = [note for each in trace.traces for note in each.notes]
    ours = (text for plugin, text in notes if plugin == name)
    unheard = tuple(text for text in ours if text.partition(" failed: ")[0] in HOOKS)
    return unheard, tuple(text for _, text in notes)


def failed(error: BaseException, module: str) -> Outcome:
    """Return the outcome of a call that raised."""
    return Outcome(
        error=f"{type(error).__name__}: {error}",
        blames=not _meant(error, module),
        asks_loop="AsyncPipeline" in str(error) and isinstance(error, PluginError | NeedsEventLoop),
    )


def bodies_of(simulator: Simulator) -> tuple[Any, ...]:
    """Return what a simulator was sent, as JSON values; nothing where it keeps nothing."""
    if not isinstance(simulator, RecordingSimulator):
        return ()
    return tuple(body for body in simulator.requests if isinstance(body, dict))


def _meant(error: BaseException, module: str) -> bool:
    """Say whether an error is Hookline's own kind, and raised by the plugin itself on purpose."""
    if not isinstance(error, HooklineError) or isinstance(error, PluginError):
        return False
    if getattr(error, "rule", None) == "fail-closed":
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(frame.f_globals.get("__name__") == module for frame in frames[-1:]) or bool(
        getattr(error, "plugin", "")
    )
