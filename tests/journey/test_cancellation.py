"""F63: whoever stops a turn, at whatever event: the socket closes, the turn ends once, nothing stays."""

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import anyio
import pytest
import trio
from attrs import define, field

from hookline import AsyncPipeline, Pipeline, hookimpl
from hookline.testing import (
    FaultServer,
    Send,
    Stall,
    busy_connections,
    no_leaks,
    stream_answer,
    stream_events,
    stream_head,
    stream_parts,
)

PIECES = [f"{number} " for number in range(6)]
EVENTS = stream_parts(stream_events(*PIECES, end=False))
INDEXES = range(1, len(EVENTS) + 1)
ASYNC = [("asyncio", "httpcore2"), ("asyncio", "aiohttp"), ("trio", "httpcore2")]


@define
class Ends:
    """Counts how turns end."""

    name = "ends"
    role = "observer"
    ends: list[Any] = field(factory=list)

    @hookimpl
    def on_turn_end(self, turn: Any, reply: Any, error: Any) -> None:
        self.ends.append(error)


def server_of(count: int) -> FaultServer:
    """A server that sends the first events of a stream and then says nothing more."""
    return FaultServer((Send(stream_head() + b"".join(EVENTS[:count])), Stall()))


# A connection that is left open stays so for good: the server waits. Closing takes a moment of a machine
# that may have other things to do.
SOON = 10.0


def gone(server: Any) -> bool:
    return bool(server.wait_until(lambda it: it.connections == 0, SOON))


def options(server: FaultServer, ends: Ends, **more: Any) -> dict[str, Any]:
    return {
        "base_url": server.url,
        "api_key": "test",
        "model": "claude-haiku-4-5",
        "plugins": [ends],
        "config": {"plugins": {"enable": ["history", "retry"]}},
        **more,
    }


class Stop(Exception):
    """What the body of a loop may raise."""


def read_until(stream: Any, count: int, then: BaseException | None) -> None:
    for number, _ in enumerate(stream.events, 1):
        if number == count:
            if then is not None:
                raise then
            break


@pytest.mark.parametrize("library", ["httpcore2"])
@pytest.mark.parametrize("then", [None, Stop(), KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_a_blocking_stream_is_left_at_every_event(library: str, then: Any) -> None:
    for count in INDEXES:
        ends = Ends()
        with no_leaks(), server_of(count) as server:
            line = Pipeline(**options(server, ends, http=library))
            left = False
            try:
                with line.stream("Hi") as stream:
                    read_until(stream, count, then)
            except (Stop, KeyboardInterrupt, SystemExit, GeneratorExit):
                left = True
            assert left == (then is not None)
            assert gone(server)
            assert len(ends.ends) == 1
            assert busy_connections(line) == 0
            line.close()


@contextmanager
def ctrl_c(server: FaultServer, asked: int) -> Iterator[None]:
    """Press ctrl-C a moment after the server has been asked so often; the block is to be interrupted."""
    main = threading.main_thread().ident or 0

    def press() -> None:
        if server.wait_until(lambda it: len(it.requests) >= asked, SOON):
            threading.Event().wait(0.05)
            signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=press)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        yield
    thread.join()


@pytest.mark.parametrize("library", ["httpcore2"])
def test_ctrl_c_while_a_read_waits(library: str) -> None:
    ends = Ends()
    with (
        no_leaks(),
        server_of(4) as server,
        Pipeline(**options(server, ends, http=library)) as line,
    ):
        with line.stream("Hi") as stream:
            events = stream.events
            for _ in range(4):
                next(events)
            with ctrl_c(server, 1):
                next(events)
        assert gone(server)
        assert len(ends.ends) == 1
        assert isinstance(ends.ends[0], KeyboardInterrupt)
        assert busy_connections(line) == 0


def test_ctrl_c_while_a_plain_call_waits() -> None:
    ends = Ends()
    with no_leaks(), FaultServer(Stall()) as server, Pipeline(**options(server, ends)) as line:
        with ctrl_c(server, 1):
            line.send("Hi")
        assert gone(server)
        assert len(ends.ends) == 1
        assert busy_connections(line) == 0


def dropped(stream: Any, count: int) -> Iterator[Any]:
    """A caller's own generator around a stream, as a web framework would keep it."""
    with stream as entered:
        yield from entered.events


def test_a_generator_that_is_dropped_closes_the_stream() -> None:
    for count in INDEXES:
        ends = Ends()
        with no_leaks(), server_of(count) as server, Pipeline(**options(server, ends)) as line:
            events = dropped(line.stream("Hi"), count)
            for _ in range(count):
                next(events)
            del events
            gc.collect()
            assert gone(server)
            assert len(ends.ends) == 1


async def settle(true: Callable[[], bool]) -> bool:
    """Let the loop run until something is true."""
    with anyio.move_on_after(SOON):
        while not true():  # noqa: ASYNC110 -- what it waits for happens in another thread
            await anyio.sleep(0.001)
    return true()


async def check(line: Any, server: FaultServer, ends: Ends, turns: int = 1) -> None:
    assert await settle(lambda: server.connections == 0)
    assert len(ends.ends) == turns
    assert busy_connections(line) == 0


async def broken_out(line: Any, count: int, then: BaseException | None) -> None:
    async with line.stream("Hi") as stream:
        number = 0
        async for _ in stream.events:
            number += 1
            if number == count:
                if then is not None:
                    raise then
                break


def run(colour: str, main: Any) -> None:
    if colour == "asyncio":
        asyncio.run(main())
    else:
        trio.run(main)


@pytest.mark.parametrize(("colour", "library"), ASYNC)
@pytest.mark.parametrize("then", [None, Stop()])
@pytest.mark.filterwarnings("ignore:Async generator '(httpx|httpcore):ResourceWarning")
def test_an_async_stream_is_left_at_every_event(colour: str, library: str, then: Any) -> None:
    async def main() -> None:
        for count in INDEXES:
            ends = Ends()
            with server_of(count) as server:
                async with AsyncPipeline(**options(server, ends, http=library)) as line:
                    try:
                        await broken_out(line, count, then)
                    except Stop:
                        assert then is not None
                    await check(line, server, ends)

    with no_leaks():
        run(colour, main)


@pytest.mark.parametrize("library", ["httpcore2", "aiohttp"])
@pytest.mark.parametrize("count", [-1, 0, *INDEXES])
def test_an_asyncio_task_is_cancelled_while_it_waits_for_the_next_event(
    library: str, count: int
) -> None:
    """At -1 the server has not been asked yet, at 0 it has, and has said nothing."""

    async def main() -> None:
        ends = Ends()
        reached = asyncio.Event()
        script = (Send(stream_head() + b"".join(EVENTS[: max(count, 0)])), Stall())
        with FaultServer(script if count > 0 else Stall()) as server:
            async with AsyncPipeline(**options(server, ends, http=library)) as line:

                async def turn() -> None:
                    async with line.stream("Hi") as stream:
                        number = 0
                        async for _ in stream.events:
                            number += 1
                            if number == count:
                                reached.set()

                task = asyncio.create_task(turn())
                if count > 0:
                    await reached.wait()
                elif count == 0:
                    assert await asyncio.to_thread(
                        server.wait_until, lambda it: len(it.requests) == 1
                    )
                else:
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await check(line, server, ends)
                assert isinstance(ends.ends[0], asyncio.CancelledError)
                assert line._upstreams or count == -1

    with no_leaks():
        asyncio.run(main())


@pytest.mark.parametrize("count", [0, *INDEXES])
@pytest.mark.filterwarnings("ignore:Async generator '(httpx|httpcore):ResourceWarning")
def test_a_trio_scope_is_cancelled_while_it_waits_for_the_next_event(count: int) -> None:
    async def main() -> None:
        ends = Ends()
        script = (Send(stream_head() + b"".join(EVENTS[:count])), Stall())
        with FaultServer(script if count else Stall()) as server:
            async with AsyncPipeline(**options(server, ends, http="httpcore2")) as line:
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:

                        async def cancel_when_asked() -> None:
                            await trio.to_thread.run_sync(
                                server.wait_until, lambda it: len(it.requests) == 1
                            )
                            await trio.sleep(0.01)
                            scope.cancel()

                        nursery.start_soon(cancel_when_asked)
                        async with line.stream("Hi") as stream:
                            async for _ in stream.events:
                                pass
                assert scope.cancelled_caught
                await check(line, server, ends)

    with no_leaks():
        trio.run(main)


@pytest.mark.parametrize("library", ["httpcore2", "aiohttp"])
def test_a_plain_call_is_cancelled_after_every_number_of_steps(library: str) -> None:
    async def main() -> None:
        ends = Ends()
        with FaultServer(Stall()) as server:
            async with AsyncPipeline(**options(server, ends, http=library)) as line:
                for steps in range(40):
                    task = asyncio.create_task(line.send("Hi"))
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                    assert task.cancelled()
                    assert busy_connections(line) == 0
                assert await settle(lambda: server.connections == 0)
                # Of a turn that was cancelled before its first step nobody ever heard.
                assert len(ends.ends) in (39, 40)

    with no_leaks():
        asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize(("colour", "library"), ASYNC)
@pytest.mark.filterwarnings("ignore:Async generator '(httpx|httpcore):ResourceWarning")
def test_a_thousand_streams_left_early_cost_no_capacity(colour: str, library: str) -> None:
    async def main() -> None:
        ends = Ends()
        with server_of(len(EVENTS)) as server:
            async with AsyncPipeline(**options(server, ends, http=library)) as line:
                for number in range(1000):
                    await broken_out(line, 1 + number % len(EVENTS), None)
                await check(line, server, ends, 1000)

    with no_leaks():
        run(colour, main)


def client_of(kind: str, *, asynchronous: bool) -> Any:
    """Make a client to hand in; None for connections of our own."""
    if kind not in ("httpx", "httpx2"):
        return None
    module = pytest.importorskip(kind)
    return module.AsyncClient() if asynchronous else module.Client()


@pytest.mark.parametrize("kind", ["own", "httpx", "httpx2"])
@pytest.mark.parametrize("count", [1, 3])
def test_another_thread_ends_a_read_that_waits(kind: str, count: int) -> None:
    ends = Ends()
    client = client_of(kind, asynchronous=False)
    # `resume` would go on with a stream that broke, and `retry` with one that never began.
    config = {"plugins": {"enable": ["history", "retry", "resume"]}}
    with no_leaks(), server_of(count) as server:
        with Pipeline(**options(server, ends, client=client, config=config)) as line:
            chat = line.conversation()
            stream = chat.stream("Hi")
            closer = threading.Thread(target=stream.close)
            began = monotonic()
            with stream:
                for number, _ in enumerate(stream.events, 1):
                    if number == count:
                        closer.start()
            closer.join()
            assert monotonic() - began < 10  # the read time-out is a minute
            assert len(ends.ends) == 1
            assert len(server.requests) == 1
            chat.add("user", "the conversation is free again")
        assert gone(server)
        if client is not None:
            client.close()


@pytest.mark.parametrize("kind", ["httpcore2", "aiohttp", "httpx", "httpx2"])
@pytest.mark.parametrize("colour", ["asyncio", "trio"])
def test_another_task_ends_a_read_that_waits(colour: str, kind: str) -> None:
    if (colour, kind) == ("trio", "aiohttp"):
        pytest.skip("aiohttp is of asyncio")
    ends = Ends()

    async def body() -> None:
        client = client_of(kind, asynchronous=True)
        more = {"http": kind} if client is None else {"client": client}
        with server_of(3) as server:
            async with AsyncPipeline(**options(server, ends, **more)) as line:
                async with line.stream("Hi") as stream, anyio.create_task_group() as group:
                    number = 0
                    async for _ in stream.events:
                        number += 1
                        if number == 3:
                            group.start_soon(stream.close)
                assert server.wait_until(lambda it: it.connections == 0, 5)
            if client is not None:
                await client.aclose()

    began = monotonic()
    asyncio.run(body()) if colour == "asyncio" else trio.run(body)
    assert monotonic() - began < 10
    assert len(ends.ends) == 1


def test_a_connection_that_went_back_is_not_cut_off_by_who_closes_late() -> None:
    answer = Send(stream_answer("one"))
    with FaultServer(answer, answer) as server, Pipeline(**options(server, Ends())) as line:
        with line.stream("Hi") as stream:
            assert stream.reply.text == "one"
        stream._turn.leave()  # as a thread does that had asked while the last event was read
        with line.stream("Hi") as stream:
            assert stream.reply.text == "one"
        assert server.accepted == 1
