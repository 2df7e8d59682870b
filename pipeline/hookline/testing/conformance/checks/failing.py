"""Checks of what a plugin makes of failures: errors, broken streams, cancellations."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from attrs import define

from hookline.errors import HooklineError
from hookline.hookspecs import Layer, hookimpl
from hookline.simulator import Rule
from hookline.testing.conformance.checks.content import UNHEARD
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.surfaces import COLOURS, Call
from hookline.testing.conformance.trying import Trying
from hookline.testing.leaks import busy_connections
from hookline.testing.recording import RecordingSimulator
from hookline.turn import CallNext, Turn
from hookline.values.messages import Request, Response

__all__ = ["cancellation", "failures"]

_MOST_AWAITS: Final = 200
_PAUSES: Final = 3

_FAULTS: Final[tuple[tuple[str, Rule], ...]] = (
    ("an overloaded API (529)", Rule(status=529)),
    ("a rate limit (429)", Rule(status=429, headers={"retry-after": "0"})),
    ("a request that the API refuses (400)", Rule(status=400)),
    ("a page of a proxy (502)", Rule(status=502, raw="<html>")),
    ("a connection that breaks", Rule(cut_after=3)),
    ("an error in the middle", Rule(error_event="overloaded_error")),
    ("a refusal", Rule(stop_reason="refusal", reply="")),
    ("an empty reply", Rule(reply=[])),
    ("a reply that is cut off", Rule(stop_reason="max_tokens", reply="Ants are")),
    ("an unknown event", Rule(unknown_event={"type": "novelty", "x": 1})),
)


def failures(trying: Trying) -> Iterator[Finding]:
    """Check that what goes wrong around the plugin is not made worse by it, and the next turn is as ever."""
    for name, rule in _FAULTS:
        for surface in ("send", "stream"):
            for colour in COLOURS[:2]:
                call = Call(surface=surface, rules=(rule,))
                outcome = trying.take(call, colour)
                if outcome.blames and "PluginError" in (outcome.error or ""):
                    yield Finding(
                        f"at {name} ({surface}, {colour}) it failed itself: {outcome.error}",
                        "a reply may be empty, cut off or refused, and call_next may raise",
                    )
                for text in outcome.unheard:
                    if not (colour == "sync" and "event loop" in text):
                        yield Finding(f"at {name} ({surface}, {colour}) {text}", UNHEARD)
                bare = trying.subject.without(call, colour)
                if bare.error is not None and outcome.error is None and outcome.bodies:
                    yield Finding(
                        f"at {name}, each time ({surface}, {colour}), the caller was given "
                        f"{(outcome.text or '')[:40]!r} and no error",
                        "what call_next raises is for the caller, unless another request is answered",
                    )
                ends_well = bare.error is None and outcome.error is not None
                if ends_well and outcome.blames and "PluginError" not in (outcome.error or ""):
                    yield Finding(
                        f"at {name} ({surface}, {colour}) the turn failed because of it: "
                        f"{outcome.error}",
                        "send what the API takes",
                    )


@define
class _Slow:
    """Stands innermost and waits a little, so that there is an await to be cancelled at."""

    name = "conformance-slow"
    layer = Layer.RECORD

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Wait, send, wait."""
        for _ in range(_PAUSES):
            await turn.io.sleep(0)
        response = await call_next(request)
        for _ in range(_PAUSES):
            await turn.io.sleep(0)
        return response


@define
class _Ends:
    """Counts how often a turn ends."""

    name = "conformance-ends"
    role = "observer"
    ends: int = 0

    @hookimpl
    def on_turn_end(self) -> None:
        """Count."""
        self.ends += 1


def cancellation(trying: Trying) -> Iterator[Finding]:
    """Check that a caller who leaves at any await has left, nothing is held, and the next turn works."""
    for surface in ("send", "stream"):
        for step in range(_MOST_AWAITS):
            trying.calls += 1
            problem, over = asyncio.run(_cancelled(trying, surface, step))
            if problem:
                yield Finding(
                    f"a cancellation at await {step + 1} ({surface}): {problem}",
                    "let asyncio.CancelledError and GeneratorExit pass; clean up in `finally`",
                )
                break
            if over:
                break


async def _cancelled(trying: Trying, surface: str, step: int) -> tuple[str, bool]:
    """Cancel a turn after so many rounds of the loop; return what is wrong, and whether it was over."""
    ends = _Ends()
    line = trying.subject.line("asyncio", RecordingSimulator())
    with_slow = type(line)(
        base_url=RecordingSimulator(),
        model=line.settings.model,
        config={"plugins": {"disable": list(line.settings.disable)}},
        plugins=[trying.subject.plugin(), _Slow(), ends],
    )
    await line.close()
    async with with_slow as slow:

        async def turn() -> None:
            if surface == "send":
                await slow.send("Hello")
                return
            async with slow.stream("Hello") as stream:
                async for _ in stream.text:
                    await asyncio.sleep(0)

        task = asyncio.ensure_future(turn())
        for _ in range(step):
            await asyncio.sleep(0)
        over = task.done()
        begun = ends.ends or step > 0
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        return await _judged(slow, results[0], over=over, ends=ends.ends, begun=bool(begun)), over


async def _judged(line: Any, result: Any, *, over: bool, ends: int, begun: bool) -> str:
    """Say what is wrong with how a cancelled turn ended; nothing if all is well."""
    if over:  # it had ended by itself, in a refusal perhaps
        odd = isinstance(result, BaseException) and not isinstance(result, HooklineError)
        return repr(result) if odd else ""
    if not isinstance(result, asyncio.CancelledError | HooklineError):
        return "the turn went on as if nothing had been said"
    if ends > 1 or (begun and ends == 0):
        return f"the turn ended {ends} times"
    if busy_connections(line):
        return "a connection was left in use"
    # What the next turn is refused for is another check's business.
    with suppress(HooklineError):
        try:
            await asyncio.wait_for(line.send("Hello again"), 5)
        except TimeoutError:
            return "the next turn hangs: something is still held"
    return ""
