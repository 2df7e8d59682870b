"""The plugin under test, and one call with it or without it: what left, what came, what was raised."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from hookline._journey.contract import HOOKS
from hookline._journey.discovery import installed
from hookline._journey.plugin_set import Plugin, PluginSet
from hookline.endpoints import BatchItem
from hookline.errors import HooklineError, NeedsEventLoop, PluginError
from hookline.pipeline import AsyncPipeline, Pipeline
from hookline.simulator import Rule, Simulator
from hookline.testing.conformance.samples import NATIVE, TEXTS
from hookline.testing.recording import RecordingSimulator, TraceCapture

__all__ = ["COLOURS", "SURFACES", "Call", "Colour", "Outcome", "Subject"]

Colour: TypeAlias = Literal["sync", "asyncio", "trio"]
COLOURS: Final[tuple[Colour, ...]] = (
    ("sync", "asyncio", "trio") if find_spec("trio") else ("sync", "asyncio")
)

SURFACES: Final = (
    "send",
    "stream",
    "conversation",
    "explain",
    "count_tokens",
    "batch",
    "tool step",
    "streamed tool step",
)

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


_CALLS_TOOL: Final = Rule(
    when="Look", tool_use={"name": "look_up", "input": {"about": "ants"}}, times=1
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
        bodies: what left, as JSON values.
        text: of the reply, or of what was counted or explained.
        shown: what a stream has shown; None where there was none.
        error: the class and text of what was raised.
        blames: whether it is the plugin's fault: anything but a refusal on purpose.
        asks_loop: whether the plugin waited for an event loop in a ``Pipeline``.
        unheard: what went wrong in its hooks that only observe, and was merely noted in the trace.

    """

    bodies: tuple[Any, ...] = ()
    text: str | None = None
    shown: str | None = None
    error: str | None = None
    blames: bool = False
    asks_loop: bool = False
    unheard: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the call was refused on purpose."""
        return self.error is not None and not self.blames


@frozen(slots=False)
class Subject:
    """The plugin under test.

    Attributes:
        name: its name.
        make: makes a new instance of it.

    """

    name: str
    make: Callable[[], Any]

    @cached_property
    def plugins(self) -> PluginSet:
        """The plugin by itself, in its order of hooks."""
        return PluginSet([self.plugin()])

    @cached_property
    def hooks(self) -> frozenset[str]:
        """The hooks that it implements."""
        thing = self.make()
        return frozenset(
            hook for hook in HOOKS if hasattr(getattr(thing, hook, None), "hookline_impl")
        )

    @cached_property
    def object(self) -> Any:
        """An instance to be looked at, and not to be run."""
        return self.make()

    @property
    def samples(self) -> tuple[str, ...]:
        """The texts to try: those that the plugin declares it reacts to, and those of the suite."""
        own = getattr(self.object, "samples", ())
        return (*((own,) if isinstance(own, str) else tuple(own)), *TEXTS)

    @property
    def edits(self) -> tuple[str, ...]:
        """Where in a request it works on text, as it declares; everywhere if it says nothing."""
        declared = getattr(self.object, "edits", None)
        if declared is None:
            return ("messages", "system", "tool_results", "documents")
        return (declared,) if isinstance(declared, str) else tuple(declared)

    @property
    def deterministic(self) -> bool:
        """Whether the same call is to have the same outcome; a plugin may declare otherwise."""
        return getattr(self.object, "deterministic", True) is not False

    def plugin(self) -> Plugin:
        """Return a new instance as a pipeline takes it."""
        return Plugin(self.name, self.make())

    def line(self, colour: Colour, simulator: Simulator, **options: Any) -> Any:
        """Return a pipeline with the plugin."""
        return _line(colour, simulator, [self.plugin()], options)

    def take(self, call: Call, colour: Colour = "sync") -> Outcome:
        """Take one call with a new instance of the plugin."""
        return _taken([self.plugin()], call, colour, self._module)

    def streamed(self, simulator: Simulator, count: int) -> Iterator[Outcome]:
        """Stream ``count`` messages, no two alike, through one pipeline."""
        with self.line("sync", simulator) as line:
            for number in range(count):
                call = Call(surface="stream", message=f"Hello {number}")
                try:
                    text, shown = _sync(line, call)
                except (Exception, SystemExit) as error:  # noqa: BLE001 -- a stranger's code
                    yield _failed(error, (), self._module)
                else:
                    yield Outcome(text=text, shown=shown)

    def row(self, calls: Sequence[Call], simulator: Simulator, colour: Colour) -> list[Outcome]:
        """Take several calls, one after the other, through one pipeline."""
        outcomes: list[Outcome] = []
        if colour == "sync":
            with self.line(colour, simulator) as line:
                for call in calls:
                    try:
                        text, shown = _sync(line, call)
                    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a stranger's code
                        outcomes.append(_failed(error, (), self._module))
                    else:
                        outcomes.append(Outcome(text=text, shown=shown))
            return outcomes

        async def main() -> None:
            async with self.line(colour, simulator) as line:
                for call in calls:
                    try:
                        text, shown = await _async(line, call)
                    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a stranger's code
                        outcomes.append(_failed(error, (), self._module))
                    else:
                        outcomes.append(Outcome(text=text, shown=shown))

        run_async(colour, main)
        return outcomes

    def without(self, call: Call, colour: Colour = "sync") -> Outcome:
        """Take the same call without the plugin."""
        return _taken([], call, colour, "")

    @cached_property
    def _module(self) -> str:
        thing = self.object
        return str(getattr(thing, "__module__", None) or getattr(thing, "__name__", ""))


def _line(colour: Colour, simulator: Simulator, plugins: list[Plugin], options: Any) -> Any:
    kind = Pipeline if colour == "sync" else AsyncPipeline
    given = {"base_url": simulator, "model": NATIVE, "config": _ALONE, "timeout": 30.0}
    return kind(plugins=plugins, **{**given, **options})


def _taken(plugins: list[Plugin], call: Call, colour: Colour, module: str) -> Outcome:
    simulator = call.simulator() if call.simulator else RecordingSimulator(*call.rules)
    if call.simulator is None and call.surface.endswith("tool step"):
        simulator = RecordingSimulator(*call.rules, _CALLS_TOOL)
    text = shown = None
    trace = TraceCapture()
    name = plugins[0].name if plugins else ""
    plugins = [*plugins, Plugin.of(trace)]
    try:
        if colour == "sync":
            with _line(colour, simulator, plugins, call.line) as line:
                text, shown = _sync(line, call)
        else:

            async def main() -> tuple[Any, Any]:
                async with _line(colour, simulator, plugins, call.line) as line:
                    return await _async(line, call)

            text, shown = run_async(colour, main)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a stranger's code
        return evolve(_failed(error, _bodies(simulator), module), unheard=_unheard(trace, name))
    return Outcome(bodies=_bodies(simulator), text=text, shown=shown, unheard=_unheard(trace, name))


def _unheard(trace: TraceCapture, name: str) -> tuple[str, ...]:
    """Return what the engine noted of a plugin's failures that go no further."""
    notes = (text for each in trace.traces for plugin, text in each.notes if plugin == name)
    return tuple(text for text in notes if text.partition(" failed: ")[0] in HOOKS)


def _failed(error: BaseException, bodies: tuple[Any, ...], module: str) -> Outcome:
    return Outcome(
        bodies=bodies,
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
    if not call.surface.endswith("tool step"):
        return call.message, dict(call.options)
    return "Look it up.", {**call.options, "tools": [look_up]}


def _sync(line: Any, call: Call) -> tuple[Any, Any]:
    message, options = _tooled(call)
    if call.surface in ("stream", "streamed tool step"):
        with line.stream(message, **options) as stream:
            shown = "".join(stream.text)
            return stream.reply.text, shown
    if call.surface == "conversation":
        chat = line.conversation(**options)
        chat.send(message)
        return chat.send("Go on.").text, None
    if call.surface == "explain":
        return line.explain(message, **options).render(), None
    if call.surface == "count_tokens":
        return str(int(line.count_tokens(message, **options))), None
    if call.surface == "batch":
        batch = line.batches.wait(line.batches.create([BatchItem("one", message, **options)]))
        (settled,) = [_settled(each) for each in line.batches.results(batch)]
        return settled, None
    return line.send(message, **options).text, None


async def _async(line: Any, call: Call) -> tuple[Any, Any]:
    message, options = _tooled(call)
    if call.surface in ("stream", "streamed tool step"):
        async with line.stream(message, **options) as stream:
            shown = "".join([piece async for piece in stream.text])
            return (await stream.reply).text, shown
    if call.surface == "conversation":
        chat = line.conversation(**options)
        await chat.send(message)
        return (await chat.send("Go on.")).text, None
    if call.surface == "explain":
        return (await line.explain(message, **options)).render(), None
    if call.surface == "count_tokens":
        return str(int(await line.count_tokens(message, **options))), None
    if call.surface == "batch":
        batch = await line.batches.create([BatchItem("one", message, **options)])
        batch = await line.batches.wait(batch)
        (settled,) = [_settled(each) async for each in line.batches.results(batch)]
        return settled, None
    return (await line.send(message, **options)).text, None


def _settled(result: Any) -> str:
    if result.error is not None:
        raise result.error
    text: str = result.reply.text
    return text
