"""What tests look at: the requests that a simulator was sent, and the traces of turns."""

from typing import Any

from hookline.hookspecs import hookimpl
from hookline.simulator import Answer, Call, Rule, Scenario, Simulator
from hookline.trace import Trace
from hookline.turn import Turn
from hookline.wire import json

__all__ = ["RecordingSimulator", "TraceCapture"]


class RecordingSimulator(Simulator):
    """A simulator that keeps what it is sent; it answers by rules, or as ever.

    Args:
        *rules: what it says or breaks.
        **options: see ``Simulator``.

    Attributes:
        calls: every HTTP request, headers included.

    """

    def __init__(self, *rules: Rule, **options: Any) -> None:
        super().__init__(Scenario.of(*rules), **options)
        self.calls: list[Call] = []
        self._playing: Simulator | None = None

    def play(self, *rules: Rule) -> None:
        """Answer by other rules from now on."""
        self._playing = Simulator(Scenario.of(*rules))

    def handle(self, call: Call) -> Answer:
        """Keep the request, and answer it."""
        self.calls.append(call)
        return self._playing.handle(call) if self._playing else super().handle(call)

    @property
    def requests(self) -> list[Any]:
        """The bodies that were sent, as JSON values, in order."""
        return [json.loads(call.body) for call in self.calls if call.body]


class TraceCapture:
    """An observer that keeps the trace of every turn.

    Attributes:
        traces: in the order in which the turns ended.

    """

    name = "capture-trace"
    role = "observer"

    def __init__(self) -> None:
        self.traces: list[Trace] = []

    @property
    def latest(self) -> Trace:
        """The trace of the turn that ended last."""
        if not self.traces:
            raise LookupError("no turn has ended yet")
        return self.traces[-1]

    @hookimpl
    def on_turn_end(self, turn: Turn) -> None:
        """Keep the trace."""
        self.traces.append(turn.trace)
