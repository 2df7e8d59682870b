"""The plugin `hedge`, and the race it runs: who wins, who is cancelled, who clears up."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from hookline import (
    APIError,
    AsyncPipeline,
    ConfigError,
    HooklineError,
    Message,
    Pipeline,
    Request,
    Response,
    hookimpl,
)
from hookline._io import AsyncIO, SyncIO, drive
from hookline.models import load_models
from hookline.testing import stream_events, stream_parts
from hookline.turn import Turn
from hookline.values.destination import Destination
from hookline.values.events import Ping
from hookline_plugins.resilience.hedge import Hedge, Latencies, Purse

REQUEST = Request("claude-haiku-4-5", 10, [Message("user", "Hello")])
SOON = 0.001
NEVER = 60.0


class WatchedPurse(Purse):
    """A purse that says when somebody wanted to pay for a hedge."""

    def __init__(self, share: float) -> None:
        super().__init__(share)
        self.asked = threading.Event()

    def spend(self) -> bool:
        try:
            return super().spend()
        finally:
            self.asked.set()


def with_empty_purse() -> tuple[Hedge, threading.Event]:
    """Return a plugin that cannot afford a hedge, and what is set when it has tried."""
    hedge, purse = Hedge(delay=SOON, share=0.01), WatchedPurse(0.01)
    while purse.spend():
        pass
    purse.asked.clear()
    object.__setattr__(hedge, "_purse", purse)
    return hedge, purse.asked


class Stuck:
    """An upstream layer whose first attempt hangs until it is let go, or cancelled.

    The second attempt goes on only when the first is stuck, however late its thread or task comes.
    """

    name = "stuck"
    after = ("hedge",)

    def __init__(self) -> None:
        self._arrived: list[int] = []  # its append is one step, unlike += in two threads
        self.cancelled = 0
        self.stuck = threading.Event()
        self.release = threading.Event()
        self.closed: list[int] = []
        self.done = threading.Event()

    @property
    def calls(self) -> int:
        return len(self._arrived)

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: Any) -> Response:
        self._arrived.append(1)
        # A race starts its threads in order; which of them gets here first is not said.
        in_thread = isinstance(turn.io, SyncIO)
        first = (
            threading.current_thread().name == "hookline-race-0" if in_thread else self.calls == 1
        )
        number = 1 if first else 2
        if not first:
            assert not in_thread or self.stuck.wait(20)
        else:
            self.stuck.set()
            try:
                if in_thread:
                    assert self.release.wait(20)
                else:
                    await anyio.sleep_forever()
            except BaseException:
                self.cancelled += 1
                raise
        try:
            response: Response = await call_next(request)
        except HooklineError:  # the pipeline has been closed meanwhile
            self.done.set()
            raise
        events = response.events
        if events is None:
            return response.evolve(id=f"msg_{number}")

        async def marked() -> Any:
            try:
                async for event in events:
                    yield event
            finally:
                await events.aclose()  # type: ignore[attr-defined]  # a generator or a Relay
                self.closed.append(number)
                if number == 1:
                    self.done.set()

        return response.evolve(events=marked())


def test_the_second_attempt_wins_when_the_first_is_slow(run: Any, sim: Any, streamed: Any) -> None:
    stuck = Stuck()
    server = sim()
    reply = run.outcome(streamed, line={"base_url": server, "plugins": [Hedge(delay=SOON), stuck]})
    assert reply.text
    assert stuck.calls == 2
    assert ("hedge", "the second attempt answered first") in reply.trace.notes
    if run.colour == "sync":
        assert len(server.calls) == 1
        stuck.release.set()
        assert stuck.done.wait(10)  # the loser ends by itself, and sends nothing any more
    else:
        assert stuck.cancelled == 1
    if streamed:
        assert stuck.closed == [2]


def test_a_quick_answer_is_not_hedged(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()
    reply = run.outcome(streamed, line={"base_url": server, "plugins": [Hedge(delay=NEVER)]})
    assert len(server.calls) == 1
    assert all(plugin != "hedge" for plugin, _ in reply.trace.notes)


def test_a_failure_is_left_to_retry(run: Any, sim: Any) -> None:
    from hookline.simulator import Rule

    server = sim(Rule(status=400))
    with pytest.raises(APIError):
        run.send(line={"base_url": server, "plugins": [Hedge(delay=NEVER)]})
    assert len(server.calls) == 1


def test_explaining_is_no_race(run: Any, sim: Any) -> None:
    async def body(line: Any) -> Any:
        return await line.explain("Hello")

    assert run(body, base_url=sim(), plugins=[Hedge(delay=SOON)]).request.messages


def test_only_a_share_of_the_calls_is_hedged() -> None:
    hedge = Hedge(delay=SOON, share=0.01)
    purse = hedge._purse
    assert sum(purse.spend() for _ in range(50)) == 10  # what was saved up
    for _ in range(101):
        purse.earn()
    assert [purse.spend(), purse.spend()] == [True, False]


def test_with_an_empty_purse_the_first_attempt_goes_on_alone(sim: Any) -> None:
    hedge, refused = with_empty_purse()
    attempts: list[int] = []

    class Slow:
        name = "slow"
        after = ("hedge",)

        @hookimpl
        async def send(self, request: Request, call_next: Any) -> Response:
            attempts.append(1)
            assert refused.wait(20)
            response: Response = await call_next(request)
            return response

    with Pipeline(base_url=sim(), model="claude-haiku-4-5", plugins=[hedge, Slow()]) as line:
        reply = line.send("Hello")
    assert reply.text
    assert all(plugin != "hedge" for plugin, _ in reply.trace.notes)
    assert attempts == [1]


def test_with_an_empty_purse_the_first_failure_is_the_failure(run: Any) -> None:
    hedge, refused = with_empty_purse()

    class Slow:
        name = "slow"
        after = ("hedge",)

        @hookimpl
        async def send(self, turn: Turn) -> Response:
            while not refused.is_set():
                await turn.io.sleep(SOON)
            raise APIError("bad", status=400, type="invalid_request_error")

    with pytest.raises(APIError, match="bad"):
        run.send(line={"base_url": "sim:", "plugins": [hedge, Slow()]})


def test_the_percentile_of_recent_latencies_decides() -> None:
    latencies = Latencies()
    for seconds in range(19):
        latencies.add(float(seconds))
    assert latencies.percentile(95) is None
    latencies.add(19.0)
    assert latencies.percentile(95) == 19.0
    assert latencies.percentile(50) == 10.0
    for _ in range(100):
        latencies.add(1.0)
    assert latencies.percentile(95) == 1.0


class Clock(SyncIO):
    """A race that is only looked at."""

    __slots__ = ("delays", "time")

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # fetches nothing
        self.time = 0.0
        self.delays: list[float] = []

    def now(self) -> float:
        return self.time

    async def race(self, *factories: Any, delay: float, discard: Any) -> Any:
        self.delays.append(delay)
        return 0, await factories[0]()


def test_without_a_delay_it_learns_one_per_model_and_kind() -> None:
    hedge, clock = Hedge(percentile=50), Clock()

    async def upstream(request: Request) -> Response:
        clock.time += 2.0
        return Response()

    def call(**options: Any) -> None:
        turn = Turn(
            id="t",
            io=clock,
            models=load_models(),
            destination=Destination(base_url="https://a"),
            **options,
        )
        drive(hedge.send(turn, REQUEST, upstream))

    for _ in range(20):
        call()
    assert clock.delays == []
    call(stream=True)
    assert clock.delays == []
    call()
    assert clock.delays == [2.0]
    call(deadline=clock.time + 1.0)  # no time for a second attempt
    assert clock.delays == [2.0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delay": -1}, "delay is seconds"),
        ({"delay": float("nan")}, "delay is seconds"),
        ({"percentile": 100}, "percentile lies between"),
        ({"share": 0}, "share is above 0"),
        ({"share": 2}, "share is above 0"),
    ],
)
def test_bad_options_are_refused_when_it_is_built(options: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Hedge(**options)


# The race itself ----------------------------------------------------------------------------------


def race(io_kind: str, body: Callable[[Any], Any]) -> Any:
    if io_kind == "sync":
        return drive(body(SyncIO(None)))  # type: ignore[arg-type]  # fetches nothing
    return anyio.run(body, AsyncIO(None), backend=io_kind)  # type: ignore[arg-type]  # as above


async def nothing(answer: Any) -> None:
    """Discard nothing."""


async def answers() -> str:
    return "answer"


async def fails() -> str:
    raise ValueError("failed")


@pytest.fixture(params=["sync", "asyncio", "trio"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_failure_before_the_second_start_is_raised_alone(kind: str) -> None:
    started: list[int] = []

    async def never() -> str:
        started.append(1)
        return "late"

    async def body(io: Any) -> None:
        await io.race(fails, never, delay=NEVER, discard=nothing)

    with pytest.raises(ValueError, match="failed"):
        race(kind, body)
    assert started == []


def test_a_failure_counts_only_when_nothing_else_runs(kind: str) -> None:
    both, failing = threading.Event(), threading.Event()

    async def first_fails_late(io: Any) -> str:
        while not both.is_set():
            await io.sleep(SOON)
        failing.set()
        raise ValueError("failed")

    async def second(io: Any) -> str:
        both.set()
        while not failing.is_set():
            await io.sleep(SOON)
        return "answer"

    async def body(io: Any) -> Any:
        return await io.race(
            lambda: first_fails_late(io), lambda: second(io), delay=SOON, discard=nothing
        )

    assert race(kind, body) == (1, "answer")


def test_if_all_fail_the_first_failure_is_raised(kind: str) -> None:
    async def also(io: Any) -> str:
        await io.sleep(SOON)
        raise KeyError("later")

    async def body(io: Any) -> Any:
        return await io.race(fails, lambda: also(io), delay=0, discard=nothing)

    with pytest.raises(ValueError, match="failed"):
        race(kind, body)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_is_cancelled_from_outside_cancels_the_runners(backend: str) -> None:
    ended: list[str] = []

    async def main() -> None:
        io = AsyncIO(None)  # type: ignore[arg-type]  # fetches nothing
        running: list[int] = []

        async def forever() -> str:
            running.append(1)
            if len(running) == 2:
                scope.cancel()
            try:
                await anyio.sleep_forever()
            finally:
                ended.append("runner")
            return ""

        with anyio.CancelScope() as scope:
            await io.race(forever, forever, delay=SOON, discard=nothing)
        assert scope.cancelled_caught

    anyio.run(main, backend=backend)
    assert ended == ["runner", "runner"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_answer_that_comes_in_spite_of_the_cancellation_is_discarded(backend: str) -> None:
    discarded: list[str] = []

    async def stubborn() -> str:
        try:
            await anyio.sleep_forever()
        except BaseException:  # noqa: BLE001 -- the worst that a library can do
            return "late"
        return ""

    async def discard(answer: str) -> None:
        discarded.append(answer)

    async def main() -> Any:
        io = AsyncIO(None)  # type: ignore[arg-type]  # fetches nothing
        return await io.race(stubborn, answers, delay=SOON, discard=discard)

    assert anyio.run(main, backend=backend) == (1, "answer")
    assert discarded == ["late"]


def test_a_late_stream_of_a_thread_is_closed(sim: Any) -> None:
    closed = threading.Event()

    async def events() -> Any:
        try:
            yield Ping()
        finally:
            closed.set()

    release = threading.Event()

    async def late() -> Response:
        assert release.wait(10)
        return Response(events=events())

    async def quick() -> Response:
        return Response(id="quick")

    from hookline_plugins.resilience.hedge import _discarded

    async def body(io: Any) -> Any:
        return await io.race(late, quick, delay=SOON, discard=_discarded)

    place, response = race("sync", body)
    assert (place, response.id) == (1, "quick")
    release.set()
    assert closed.wait(10)


def test_a_real_hedged_stream_over_a_socket(
    loopback: Any, sse: Any, sse_head: Any, deltas: Any, wait: Any
) -> None:
    """The loser's connection is closed: the server sees it go."""
    calls: list[int] = []

    def answer(request: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            return [wait]
        return [sse_head, sse(*deltas("Hel", "lo"))]

    server = loopback(answer)

    async def main() -> str:
        async with (
            AsyncPipeline(**server.line, plugins=[Hedge(delay=0.05)]) as line,
            line.stream("Hello") as stream,
        ):
            return "".join([piece async for piece in stream.text])

    assert anyio.run(main) == "Hello"
    assert len(calls) == 2


def test_a_turn_ends_once_while_its_loser_is_still_being_closed() -> None:
    """The thread of the loser closes its answer while the turn hangs up whatever is open."""
    *frames, last = stream_parts(stream_events("hi"))
    second_began, second_won = threading.Event(), threading.Event()
    closing, ended = threading.Event(), threading.Event()
    place = itertools.count(1)
    log: list[str] = []

    class Body(httpx.SyncByteStream):
        def __init__(self, number: int) -> None:
            self.number = number

        def __iter__(self) -> Any:
            assert self.number == 2 or second_won.wait(10)
            yield from frames
            if self.number == 2:  # the race is over: the caller reads
                second_won.set()
                assert closing.wait(10)
            yield last

        def close(self) -> None:
            if self.number == 1:
                closing.set()
                assert ended.wait(10)

    def answer(_: Any) -> Any:
        number = next(place)
        if number == 1:
            assert second_began.wait(10)
        second_began.set()
        return httpx.Response(
            200, headers={"content-type": "text/event-stream"}, stream=Body(number)
        )

    class Ends:
        @hookimpl
        def conclude(self, outcome: Any) -> None:
            log.append(f"conclude {outcome.reply.text}")

        @hookimpl
        def on_turn_end(self, reply: Any) -> None:
            log.append(f"on_turn_end {reply.text}")

    try:
        with (
            httpx.Client(transport=httpx.MockTransport(answer)) as client,
            Pipeline(
                base_url="http://x.example",
                client=client,
                api_key="k",
                model="claude-haiku-4-5",
                plugins=[Hedge(delay=SOON, share=1.0), Ends()],
            ) as line,
        ):
            with line.stream("x") as stream:
                assert stream.reply.text == "hi"
            assert log == ["conclude hi", "on_turn_end hi"]
            ended.set()
    finally:
        ended.set()
