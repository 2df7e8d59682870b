"""``turn.uploads``: how a plugin uploads what a request would otherwise carry again and again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from hookline.endpoints.access import Access
from hookline.endpoints.files import AsyncFiles
from hookline.turn import Turn
from hookline.values.destination import Destination

if TYPE_CHECKING:
    from hookline._api.upstream import Upstream

__all__ = ["TurnUploads"]


@frozen(eq=False)
class TurnUploads:
    """The files of the API, at the destination that a turn has now.

    Attributes:
        turn: whose io, destination and deadline are used.
        reach: returns the upstream of a destination.

    """

    turn: Turn
    reach: "Callable[[Destination], Upstream]"

    async def put(
        self, content: bytes, *, media_type: str, filename: str, expires_in_seconds: int | None
    ) -> str:
        """Upload a file, and return its id; see ``line.files.upload``."""
        file = await self._files().upload(
            content,
            media_type=media_type,
            filename=filename,
            expires_in_seconds=expires_in_seconds,
        )
        return file.id

    async def delete(self, file_id: str) -> None:
        """Delete a file."""
        await self._files().delete(file_id)

    def _files(self) -> AsyncFiles:
        turn = self.turn
        turn.check_deadline("an upload")
        remaining = turn.remaining()
        destination = turn.destination
        return AsyncFiles(
            Access(
                lambda: self.reach(destination),
                turn.io,
                turn.timeout if remaining is None else remaining,
            )
        )
