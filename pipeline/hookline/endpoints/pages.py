"""Lists that the API hands out in pages, and iterators over all that there is.

``list()`` of an endpoint asks once and returns one `Page`; ``all()`` goes through every page and
gives item after item, asking for the next page when the one before is used up.
"""

from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from attrs import field, frozen

from hookline._io import drive
from hookline._io.pulled import Pulled
from hookline.endpoints.objects import APIObject

__all__ = ["AsyncItems", "Items", "Page", "walk"]

T = TypeVar("T")


@frozen(eq=False, repr=False)
class Page(APIObject, Generic[T]):
    """One page of a list; iterating it gives its items, not those of further pages.

    Attributes:
        data: the items.
        has_more: whether there is a further page.
        first_id: for ``before_id=``, to page backwards; None where the list has no such cursors.
        last_id: for ``after_id=``.
        next_page: for ``page=``, in lists that have that kind of cursor (files).

    """

    data: tuple[T, ...] = ()
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None
    next_page: str | None = field(default=None)

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


async def _nothing() -> None:
    """Close what needs no closing."""


class AsyncItems(Pulled[T]):
    """Items as they arrive: an async iterator, and a context manager that closes it early.

    Args:
        pull: returns the next item, or None at the end.
        close: lets go of whatever is still open.

    """

    def __init__(
        self,
        pull: Callable[[], Awaitable[T | None]],
        close: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        super().__init__(pull)
        self._close = close

    async def close(self) -> None:
        """Stop, and close the connection if one is open. Harmless after the end."""
        await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()


class Items(Generic[T]):
    """Items as they arrive: an iterator, and a context manager that closes it early.

    Args:
        source: the same, asynchronous; it is driven without an event loop.

    """

    def __init__(self, source: AsyncItems[T]) -> None:
        self._source = source

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return drive(anext(self._source))
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Stop, and close the connection if one is open. Harmless after the end."""
        drive(self._source.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def walk(ask: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncItems[T]:
    """Go through all pages.

    Args:
        ask: returns the page after a cursor; None is the first page.

    """
    waiting: list[T] = []
    cursor: str | None = None
    ended = False

    async def pull() -> T | None:
        nonlocal waiting, cursor, ended
        while not waiting and not ended:
            page = await ask(cursor)
            waiting = list(reversed(page.data))
            following = page.next_page or page.last_id
            # A server that repeats itself must not keep us for ever.
            ended = not page.has_more or following in (None, cursor)
            cursor = following
        return waiting.pop() if waiting else None

    return AsyncItems(pull)
