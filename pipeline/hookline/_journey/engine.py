"""What all turns of a pipeline share."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import frozen

from hookline._journey.lifecycle import Lifecycle
from hookline._journey.plugin_set import PluginSet
from hookline.turn import Ending, Turn
from hookline.values.destination import Destination
from hookline.values.messages import Request, Response

__all__ = ["Engine", "Transport"]

Transport: TypeAlias = Callable[[Turn, Request, Destination, Ending], Awaitable[Response]]
"""Sends a request once; in a stream, returns when the first event has arrived.

Where a stream is still to come, whoever reads it keeps the ``Ending`` up to date and calls its
``over`` once, when the stream has ended or broken.
"""


@frozen
class Engine:
    """What every turn of a pipeline shares; immutable.

    Attributes:
        plugins: the pipeline's plugins.
        transport: sends one request.
        max_steps: how many steps one turn may take.
        lifecycle: opens the plugins when the first turn begins; None where somebody else does.

    """

    plugins: PluginSet
    transport: Transport
    max_steps: int = 26
    lifecycle: Lifecycle | None = None

    async def ready(self) -> None:
        """Open the plugins, if that has not been done."""
        if self.lifecycle is not None and not self.lifecycle.is_open:
            await self.lifecycle.open()
