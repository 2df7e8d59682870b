"""How an exchange ended, noted while its answer arrives."""

from collections.abc import (
    Awaitable,
    Callable,
)
from typing import TYPE_CHECKING, Final

from attrs import define

from hookline.errors import TransportError
from hookline.values.usage import Usage

if TYPE_CHECKING:
    pass

__all__ = ["ENDED_EARLY", "Ending"]

ENDED_EARLY: Final = "the answer ended before its last event"


@define(kw_only=True, eq=False)
class Ending:
    """How an exchange ended, noted by whoever reads the answer while it arrives.

    Attributes:
        usage: what the answer has cost so far.
        model: who answers.
        complete: whether its last event has come.
        error: the error that an event of the stream reported.
        told: awaited once, with the error that ended the exchange or None; nobody if it is None.

    """

    usage: Usage | None = None
    model: str | None = None
    complete: bool = False
    error: BaseException | None = None
    told: Callable[[BaseException | None], Awaitable[None]] | None = None

    async def over(self, error: BaseException | None) -> None:
        """Tell that the exchange is over; a second time says nothing.

        Args:
            error: what ended the reading, if it did not come to its own end.

        """
        told, self.told = self.told, None
        if told is None:
            return
        if self.complete:
            await told(None)  # that the caller leaves after the last event is no interruption
        else:
            await told(self.error or error or TransportError(ENDED_EARLY, phase="read"))
