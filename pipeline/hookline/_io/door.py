"""What both ways to wait share: the clock, and the guarded fetch that they are handed."""

from collections.abc import Collection, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hookline.turn import Fetched

__all__ = ["Door", "Fetching"]


class Fetching(Protocol):
    """The guarded fetch; ``hookline._fetch.fetch.fetch`` says what each option is."""

    async def __call__(self, url: str, *, io: Any, **options: Any) -> "Fetched":
        """Fetch an untrusted URL, waiting by ``io``."""
        ...


class Door:
    """The part that both kinds share.

    Args:
        fetching: the guarded fetch, of the right colour.

    """

    __slots__ = ("_fetching",)

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching

    now = staticmethod(monotonic)  # a turn looks at the clock a dozen times

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        allow_hosts: Collection[str] = (),
        max_bytes: int = 10 * 1024 * 1024,
        timeout: float = 10.0,  # noqa: ASYNC109 -- the fetch shares it out over lookups and hops
        redirects: int = 0,
    ) -> "Fetched":
        """See ``hookline.turn.IO.fetch``."""
        return await self._fetching(
            url,
            io=self,
            method=method,
            content=content,
            headers=headers,
            allow_hosts=allow_hosts,
            max_bytes=max_bytes,
            timeout=timeout,
            redirects=redirects,
        )
