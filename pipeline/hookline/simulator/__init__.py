"""A strict, deterministic, local Messages API.

It judges requests by its own tables and shares no code with the client side of Hookline, apart
from the model table. ``Simulator.handle`` is free of I/O; ``SimulatorApp`` is the same behind ASGI
and ``serve`` puts that on a socket.
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
