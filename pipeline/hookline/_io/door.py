"""What both ways to wait share: the clock, and the guarded fetch that they are handed."""

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hookline.turn import Fetched

__all__ = ["Door", "Exchange"]


class Exchange(Protocol):
    """One pinned HTTP exchange; ``hookline._fetch.fetch`` says what each argument is."""

    async def __call__(
        self,
        *,
        method: str,
        scheme: str,
        host: str,
        port: int,
        target: str,
        address: str,
        headers: dict[str, str],
        content: bytes | None,
        timeout: float,  # noqa: ASYNC109 -- handed on to the HTTP library
        max_bytes: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request to ``address`` and return status, headers and body."""
        ...


class Door:
    """The part that both kinds share: the guarded fetch."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def now(self) -> float:
        """See ``hookline.turn.IO.now``."""
        return time.monotonic()

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        allow_hosts: Collection[str] = (),
        max_bytes: int = 10 * 1024 * 1024,
        timeout: float = 10.0,  # noqa: ASYNC109 -- the door shares it out over lookups and hops
        redirects: int = 0,
    ) -> "Fetched":
        """See ``hookline._fetch.fetch.fetch``."""
        from hookline._fetch.fetch import fetch  # noqa: PLC0415 -- most turns never fetch

        return await fetch(
            url,
            io=self,  # type: ignore[arg-type]  # both subclasses are an IO
            exchange=self._exchange,
            method=method,
            content=content,
            headers=headers,
            allow_hosts=allow_hosts,
            max_bytes=max_bytes,
            timeout=timeout,
            redirects=redirects,
        )
