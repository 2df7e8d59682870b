"""A strict, deterministic, local Messages API.

It judges requests by its own tables and shares no code with the client side of Hookline, apart
from the model table and the errors of a wrong set-up: a fault of one side is not hidden by the same
fault of the other. ``Simulator.handle`` is free of I/O; ``SimulatorApp`` is the same behind ASGI and
``serve`` puts that on a socket.

Read ``front.core`` first, which routes a call to one of the ``endpoints``; ``rules`` judges the request,
``answers`` makes the reply, ``measures`` counts tokens and looks at pictures for both.
"""

from typing import TYPE_CHECKING, Any

from hookline.simulator.exchange import Answer, Call, Cut, Pause
from hookline.simulator.front.core import Simulator
from hookline.simulator.scenario import Rule, Scenario

if TYPE_CHECKING:
    from hookline.simulator.front.app import SimulatorApp
    from hookline.simulator.front.server import serve

__all__ = [
    "Answer",
    "Call",
    "Cut",
    "Pause",
    "Rule",
    "Scenario",
    "Simulator",
    "SimulatorApp",
    "serve",
]


def __getattr__(name: str) -> Any:
    """Load the ASGI application and the server when they are asked for."""
    if name == "SimulatorApp":
        from hookline.simulator.front.app import SimulatorApp  # noqa: PLC0415 - imports anyio

        return SimulatorApp
    if name == "serve":
        from hookline.simulator.front.server import serve  # noqa: PLC0415 - as above

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
