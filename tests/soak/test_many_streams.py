"""F80: a thousand streams at once, with memory that does not grow."""

import asyncio
import gc
import multiprocessing
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hookline import AsyncPipeline
from hookline.testing import stream_events, stream_head, stream_parts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(100)]

STREAMS = 1000
BYTES = 200_000  # of each stream
ROUNDS = 3
OWN = 150_000  # bytes that an open stream may hold beside its text
MOST = 40  # megabytes by which the peak of later rounds may lie above the first's


def serve(port: Any) -> None:
    """Answer every request with a stream of fifty events, written as fast as it is read."""
    start, block, delta, *end = stream_parts(stream_events("x" * 4000))
    head = stream_head()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = await reader.readuntil(b"\r\n\r\n")
            length = int(asked.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(head + start + block)
            for _ in range(BYTES // 4000):
                writer.write(delta)
                await writer.drain()
            writer.write(b"".join(end))
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    asyncio.run(main())


@contextmanager
def served() -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(sender,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()
        receiver.close()
        sender.close()


def megabytes(what: str) -> float:
    """Return the memory of this process: ``VmRSS`` is held now, ``VmHWM`` was held at the most."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(what + ":")[2].split()[0]) / 1e3


def forget_the_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("library", ["httpcore2", "aiohttp"])
def test_f80_a_thousand_streams_with_flat_memory(library: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("too few descriptors allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))

    async def main(url: str) -> list[float]:
        peaks = []
        async with AsyncPipeline(
            base_url=url, api_key="test", http=library, config={"plugins": {"enable": ["history"]}}
        ) as line:

            async def read(begun: asyncio.Barrier) -> int:
                size = 0
                async with line.stream("Hi", timeout=90) as stream:
                    await begun.wait()  # so that they are all open at once
                    async for text in stream.text:
                        size += len(text)
                return size

            for _ in range(ROUNDS):
                forget_the_peak()
                begun = asyncio.Barrier(STREAMS)
                sizes = await asyncio.gather(*[read(begun) for _ in range(STREAMS)])
                assert set(sizes) == {BYTES}
                del sizes
                gc.collect()
                peaks.append(megabytes("VmHWM"))
        return peaks

    with served() as url:
        before = megabytes("VmRSS")
        peaks = asyncio.run(main(url))
    assert peaks[-1] - peaks[0] < MOST, peaks
    # A stream holds what it has read, twice while it is joined, and little besides.
    assert max(peaks) - before < STREAMS * (2 * BYTES + OWN) / 1e6, (before, peaks)
