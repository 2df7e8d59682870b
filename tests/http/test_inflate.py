"""Bodies are inflated piece by piece: any encoding that was asked for, any cut, never a bomb."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline import TransportError
from hookline._http.inflate import ACCEPTED, inflated
from hookline._io import drive


async def arriving(chunks: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    for chunk in chunks:
        yield chunk


def read(chunks: Sequence[bytes], encoding: str) -> list[bytes]:
    async def everything() -> list[bytes]:
        return [piece async for piece in inflated(arriving(chunks), encoding)]

    return drive(everything())


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "X-GZip": gzip.compress,
    "deflate": zlib.compress,
    " GZIP , identity": gzip.compress,
    "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
}


@given(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=2000), st.integers(1, 300))
def test_however_it_is_cut(encoding: str, data: bytes, size: int) -> None:
    assert b"".join(read(cut(ENCODERS[encoding](data), size), encoding)) == data


@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 40))
def test_gzip_may_come_in_members(data: bytes, each: int, size: int) -> None:
    packed = b"".join(map(gzip.compress, cut(data, each) or [b""]))
    assert b"".join(read(cut(packed, size), "gzip")) == data


@given(st.binary(min_size=1, max_size=500), st.integers(1, 60))
def test_deflate_may_be_raw(data: bytes, size: int) -> None:
    raw = zlib.compress(data)[2:-4]
    assert b"".join(read(cut(raw, size), "deflate")) == data


@given(st.binary(min_size=1, max_size=300), st.data())
def test_what_is_cut_short_is_never_taken_for_whole(data: bytes, draw: st.DataObject) -> None:
    packed = gzip.compress(data)
    kept = packed[: draw.draw(st.integers(1, len(packed) - 1))]
    with pytest.raises(TransportError, match="cut short"):
        read([kept], "gzip")


@given(st.binary(min_size=1, max_size=300))
def test_noise_is_an_error_of_ours_or_nothing(noise: bytes) -> None:
    with suppress(TransportError):
        read([noise], "gzip")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip, gzip", "gzip, br", "x"])
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(TransportError, match="not asked for") as caught:
        read([b"x"], encoding)
    assert caught.value.retryable is False


def test_what_is_asked_for_is_understood() -> None:
    for encoding in ACCEPTED.split(", "):
        assert read([ENCODERS[encoding](b"x")], encoding) == [b"x"]


def test_a_bomb_comes_in_small_pieces() -> None:
    bomb = gzip.compress(bytes(100_000_000), 9)

    async def largest() -> int:
        return max([len(piece) async for piece in inflated(arriving([bomb]), "gzip")])

    tracemalloc.start()
    try:
        assert drive(largest()) <= 256 * 1024
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
