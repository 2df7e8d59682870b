"""JSON lines as they arrive: bytes in pieces of any size, out come whole lines, within a cap."""

from collections.abc import AsyncGenerator, AsyncIterator

from hookline.errors import DecodeError

__all__ = ["lines"]


async def lines(
    chunks: AsyncIterator[bytes], most: int = 64 * 1024 * 1024
) -> AsyncGenerator[bytes, None]:
    """Yield line after line, without empty ones; the last may lack its line feed.

    Args:
        chunks: the body as it arrives.
        most: bytes that one line may have.

    Raises:
        DecodeError: a line is longer.

    """
    held: list[bytes] = []
    size = 0
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line = b"".join((*held, piece))
            held, size = [], 0
            _check(len(line), most)
            if line.strip():
                yield line
        held.append(rest)
        size += len(rest)
        _check(size, most)
    line = b"".join(held)
    if line.strip():
        yield line


def _check(size: int, most: int) -> None:
    if size > most:
        raise DecodeError(f"a line of the answer is longer than {most:,} bytes", path="")
