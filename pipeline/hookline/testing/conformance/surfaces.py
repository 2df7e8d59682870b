"""One call through one surface in one colour: ``Call`` says what is done, ``Outcome`` what came of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from hookline.endpoints import BatchItem
from hookline.reply import Reply
from hookline.simulator import Rule, Simulator
from hookline.wire.codec import encode_request

__all__ = [
    "CALLS_TOOLS",
    "COLOURS",
    "STEPS",
    "SURFACES",
    "Call",
    "Colour",
    "Outcome",
    "run_async",
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


def look_up(about: str = "ants") -> str:
    """Look something up."""
    return f"All there is to know about {about}."


def delete_everything(about: str = "ants") -> str:
    """Delete all there is, which somebody may have to approve."""
    return f"Nothing is left of {about}."


CALLS_TOOLS: Final = Rule(
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


def run_async(colour: Colour, main: Callable[[], Awaitable[Any]]) -> Any:
    """Run async code in one colour."""
    if colour == "asyncio":
        return asyncio.run(main())  # type: ignore[arg-type]  # always a coroutine
    import trio  # noqa: PLC0415 -- where it is installed

    return trio.run(main)


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
