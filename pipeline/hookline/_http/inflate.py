"""Response bodies inflated piece by piece, so that a small bomb cannot become a large memory.

The HTTP libraries inflate a chunk whole, whatever comes out; zlib's ``max_length`` lets us take it
in bounded pieces and stop at the caller's cap.
"""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Protocol

from hookline.errors import TransportError

__all__ = ["ACCEPTED", "inflated"]

ACCEPTED: Final = "gzip, deflate"
"""The ``accept-encoding`` of every request: what this module can inflate."""

_PIECE: Final = 256 * 1024  # bytes that one step may produce
_MOST_CODINGS: Final = 2  # a chain of many is an attack; one is what servers send
_GZIP: Final = b"\x1f\x8b"
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32


class _Inflater(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def inflated(chunks: AsyncGenerator[bytes, None], encoding: str) -> AsyncGenerator[bytes, None]:
    """Return a body without its content encoding, in pieces of bounded size.

    Args:
        chunks: the body as it arrives.
        encoding: the ``content-encoding`` header; empty for none.

    Raises:
        TransportError: at once for an encoding that was not asked for, later for data that is
            damaged or cut short.

    """
    if not encoding:
        return chunks
    codings = [coding.strip().lower() for coding in encoding.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    for coding in codings:
        if coding not in ("gzip", "x-gzip", "deflate") or len(codings) > _MOST_CODINGS:
            raise TransportError(
                f"the answer is encoded as {encoding!r}, which was not asked for",
                phase="protocol",
                retryable=False,
            )
    for _ in codings:
        chunks = _one_layer(chunks)
    return chunks


async def _one_layer(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    inflater: _Inflater | None = None
    # Closed from the outside in, also where a reader leaves early: trio warns of what is left to
    # the garbage collector.
    async with aclosing(chunks):
        async for chunk in chunks:
            if inflater is None:
                inflater = _inflater_for(chunk)
            waiting = chunk
            while waiting:
                if (
                    inflater.eof
                ):  # gzip may go on with another member; what else follows is not read
                    if waiting[:2] not in (_GZIP, _GZIP[:1]):  # which a chunk may cut in two
                        break
                    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
                try:
                    piece = inflater.decompress(waiting, _PIECE)
                except zlib.error as error:
                    raise TransportError(
                        f"the compressed answer is damaged: {error}", phase="read"
                    ) from error
                waiting = inflater.unconsumed_tail or inflater.unused_data
                if piece:
                    yield piece
    if inflater is not None and not inflater.eof:
        raise TransportError("the compressed answer was cut short", phase="read")


def _inflater_for(first: bytes) -> _Inflater:
    """Return an inflater for what the first bytes are: "deflate" means zlib to some, raw to others."""
    zlib_or_gzip = first[:1] in (b"\x1f", b"\x78")
    return zlib.decompressobj(_GZIP_OR_ZLIB if zlib_or_gzip else -zlib.MAX_WBITS)
