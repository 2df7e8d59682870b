"""What all turns of a pipeline share."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import frozen

from hookline._journey.plugin_set import PluginSet
from hookline.turn import Turn
from hookline.values.messages import Request, Response

__all__ = ["Engine", "Innermost", "Transport"]

Transport: TypeAlias = Callable[[Turn, Request], Awaitable[Response]]
"""Sends a request once; in a stream, returns when the first event has arrived."""

Innermost: TypeAlias = Callable[["Engine", Turn, Request], Awaitable[Response]]
"""What lies inside all layers of the onion."""


@frozen
class Engine:
    """What every turn of a pipeline shares; immutable.

    Attributes:
        plugins: the pipeline's plugins.
        transport: sends one request.
        max_steps: how many steps one turn may take.

    """

    plugins: PluginSet
    transport: Transport
    max_steps: int = 26
