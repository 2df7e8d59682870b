"""An async iterator that can be dropped half-way."""

from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

__all__ = ["Pulled"]

T = TypeVar("T")


class Pulled(Generic[T]):
    """An async iterator that holds nothing of its own, so dropping it half-way is harmless.

    An async generator in its place would have to be closed by whoever breaks out of a loop.

    Args:
        pull: returns the next item, or None at the end.

    """

    def __init__(self, pull: Callable[[], Awaitable[T | None]]) -> None:
        self._pull = pull

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        item = await self._pull()
        if item is None:
            raise StopAsyncIteration
        return item
