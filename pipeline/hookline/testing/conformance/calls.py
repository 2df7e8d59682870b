"""One call with the plugin under test or without it: what left, what came, what was raised."""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from hookline._journey.contract import HOOKS
from hookline._journey.discovery import installed
from hookline._journey.plugin_set import Plugin
from hookline.endpoints import BatchItem
from hookline.errors import HooklineError, NeedsEventLoop, PluginError
from hookline.pipeline import AsyncPipeline, Pipeline
from hookline.reply import Reply
from hookline.simulator import Rule, Simulator
from hookline.testing.conformance.samples import NATIVE
from hookline.testing.recording import RecordingSimulator, TraceCapture
from hookline.wire.codec import encode_request

__all__ = [
    "COLOURS",
    "STEPS",
    "SURFACES",
    "Call",
    "Colour",
    "Outcome",
    "failed",
    "line_of",
    "run_async",
    "taken",
    "waited",
    "worked",
]

Colour: TypeAlias = Literal["sync", "asyncio", "trio"]
COLOURS: Final[tuple[Colour, ...]] = (
    ("sync", "asyncio", "trio") if find_spec("trio") else ("sync", "asyncio")
)

STEPS: Final = ("tool step", "streamed tool step")
SURFACES: Final = ("send", "stream", "conversation", "explain", "count_tokens", "batch", *STEPS)
_STREAMED: Final = ("stream", "streamed tool step")

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


def look_up(about: str = "ants") -> str:
    """Look something up."""
    return f"All there is to know about {about}."


def delete_everything(about: str = "ants") -> str:
    """Delete all there is, which somebody may have to approve."""
    return f"Nothing is left of {about}."


_CALLS_TOOLS: Final = Rule(
    when="Look",
    tool_use=[
        {"name": "look_up", "input": {"about": "ants"}},
        {"name": "delete_everything", "input": {"about": "bees"}},
    ],
    times=1,
)


@frozen(kw_only=True)
class Call:
    """One call.

    Attributes:
        surface: one of ``SURFACES``.
        message: what is sent.
        options: of the call.
        rules: by which the simulator answers.
        simulator: to be used instead.
        line: further arguments of the pipeline.

    """

    surface: str = "send"
    message: Any = "Hello"
    options: Mapping[str, Any] = field(factory=dict)
    rules: Sequence[Rule] = ()
    simulator: Callable[[], Simulator] | None = None
    line: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Outcome:
    """What came of a call.

    Attributes:
        bodies: what left, or by ``explain`` would have left, as JSON values.
        text: of the reply, or of what was counted or explained.
        reply: the reply itself, where there is one.
        shown: what a stream has shown; None where there was none.
        error: the class and text of what was raised.
        blames: whether it is the plugin's fault: anything but a refusal on purpose.
        asks_loop: whether the plugin waited for an event loop in a ``Pipeline``.
        unheard: what went wrong in its hooks that only observe, and was merely noted in the trace.
        notes: all that was noted in the trace, by whatever name.

    """

    bodies: tuple[Any, ...] = ()
    text: str | None = None
    reply: Reply | None = None
    shown: str | None = None
    error: str | None = None
    blames: bool = False
    asks_loop: bool = False
    unheard: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the call was refused on purpose."""
        return self.error is not None and not self.blames


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
        simulator = RecordingSimulator(*call.rules, _CALLS_TOOLS)
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
    bodies = _bodies(simulator) or outcome.bodies
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


def run_async(colour: Colour, main: Callable[[], Awaitable[Any]]) -> Any:
    """Run async code in one colour."""
    if colour == "asyncio":
        return asyncio.run(main())  # type: ignore[arg-type]  # always a coroutine
    import trio  # noqa: PLC0415 -- where it is installed

    return trio.run(main)


def _bodies(simulator: Simulator) -> tuple[Any, ...]:
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


def _tooled(call: Call) -> tuple[Any, dict[str, Any]]:
    if call.surface not in STEPS:
        return call.message, dict(call.options)
    tools = [look_up, delete_everything]
    return "Look it up.", {"tools": tools, **call.options}


def worked(line: Any, call: Call) -> Outcome:
    """Take one call in a ``Pipeline``."""
    message, options = _tooled(call)
    if call.surface in _STREAMED:
        with line.stream(message, **options) as stream:
            shown = "".join(stream.text)
            return _answered(stream.reply, shown)
    if call.surface == "conversation":
        chat = line.conversation(**options)
        chat.send(message)
        return _answered(chat.send("Go on."))
    if call.surface == "explain":
        return _explained(line.explain(message, **options))
    if call.surface == "count_tokens":
        return Outcome(text=str(int(line.count_tokens(message, **options))))
    if call.surface == "batch":
        batch = line.batches.wait(line.batches.create([BatchItem("one", message, **options)]))
        (settled,) = [_settled(each) for each in line.batches.results(batch)]
        return settled
    return _answered(line.send(message, **options))


async def waited(line: Any, call: Call) -> Outcome:
    """Take one call in an ``AsyncPipeline``."""
    message, options = _tooled(call)
    if call.surface in _STREAMED:
        async with line.stream(message, **options) as stream:
            shown = "".join([piece async for piece in stream.text])
            return _answered(await stream.reply, shown)
    if call.surface == "conversation":
        chat = line.conversation(**options)
        await chat.send(message)
        return _answered(await chat.send("Go on."))
    if call.surface == "explain":
        return _explained(await line.explain(message, **options))
    if call.surface == "count_tokens":
        return Outcome(text=str(int(await line.count_tokens(message, **options))))
    if call.surface == "batch":
        batch = await line.batches.create([BatchItem("one", message, **options)])
        batch = await line.batches.wait(batch)
        (settled,) = [_settled(each) async for each in line.batches.results(batch)]
        return settled
    return _answered(await line.send(message, **options))


def _answered(reply: Reply, shown: str | None = None) -> Outcome:
    return Outcome(text=reply.text, reply=reply, shown=shown)


def _explained(explanation: Any) -> Outcome:
    body = json.loads(encode_request(explanation.request))
    return Outcome(text=explanation.render(), bodies=(body,))


def _settled(result: Any) -> Outcome:
    if result.error is not None:
        raise result.error
    return _answered(result.reply)
