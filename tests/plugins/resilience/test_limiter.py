"""The plugin `limiter`: places, buckets, headers, 429s; threads and tasks."""

import datetime as dt
import threading
import time
from typing import Any

import anyio
import pytest

from hookline import (
    APIError,
    AsyncPipeline,
    ConfigError,
    Message,
    Pipeline,
    Request,
    Response,
    TransportError,
    Usage,
)
from hookline._io import SyncIO, drive
from hookline.errors import LimitExceeded
from hookline.models import load_models
from hookline.plugin import estimate
from hookline.simulator import Rule
from hookline.turn import Turn
from hookline.values.destination import Destination
from hookline_plugins.resilience.limiter import Limiter
from hookline_plugins.resilience.queue import Bucket, Gate, Ticket

REQUEST = Request("claude-haiku-4-5", 10, [Message("user", "Hello")])


class Clock(SyncIO):
    """Time that passes only when somebody sleeps."""

    __slots__ = ("slept", "time")

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # fetches nothing
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0, "a busy loop"
        self.slept.append(seconds)
        self.time += seconds


class Stand:
    """A limiter, a clock and an upstream that answers as it is told."""

    def __init__(self, **options: Any) -> None:
        self.limiter = Limiter(**options)
        self.clock = Clock()
        self.answer: Any = Response()
        self.calls = 0

    async def upstream(self, request: Request) -> Response:
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        response: Response = self.answer
        return response

    def call(self, seconds: float | None = None, request: Request = REQUEST) -> None:
        deadline = None if seconds is None else self.clock.time + seconds
        turn = Turn(
            id="t",
            io=self.clock,
            models=load_models(),
            destination=Destination(base_url="https://a"),
            deadline=deadline,
        )
        drive(self.limiter.send(turn, request, self.upstream))

    @property
    def gate(self) -> Gate:
        (gate,) = self.limiter._gates
        return gate


def headers(kind: str, limit: int, remaining: int, reset: float = 30.0) -> dict[str, str]:
    moment = dt.datetime.fromtimestamp(time.time() + reset, dt.UTC)
    prefix = f"anthropic-ratelimit-{kind}"
    return {
        f"{prefix}-limit": str(limit),
        f"{prefix}-remaining": str(remaining),
        f"{prefix}-reset": moment.isoformat().replace("+00:00", "Z"),
    }


def throttled(**extra: str) -> APIError:
    names = {name.replace("_", "-"): value for name, value in extra.items()}
    return APIError("slow down", status=429, type="rate_limit_error", headers=names)


def test_requests_per_minute_are_spread_once_the_bucket_is_empty() -> None:
    stand = Stand(requests=60)
    for _ in range(60):
        stand.call()
    assert stand.clock.slept == []
    for _ in range(5):
        stand.call()
    assert stand.clock.slept == pytest.approx([1.0] * 5)


def test_tokens_per_minute_are_settled_with_what_was_really_used() -> None:
    stand = Stand(tokens=6000)
    stand.answer = Response(usage=Usage(input_tokens=5000, output_tokens=1100))
    stand.call()  # estimated at a few tokens, really 6,100
    stand.call()
    assert sum(stand.clock.slept) == pytest.approx(1.0, abs=0.3)  # 100 a second come back


def test_a_failed_call_gives_its_tokens_back() -> None:
    stand = Stand(tokens=100)
    large = REQUEST.evolve(messages=[Message("user", "x" * 400)])
    stand.answer = TransportError("refused", phase="connect")
    for _ in range(5):
        with pytest.raises(TransportError):
            stand.call(request=large)
    assert stand.clock.slept == []


def test_a_call_larger_than_a_minute_goes_when_the_bucket_is_full() -> None:
    stand = Stand(tokens=10)
    stand.call(request=REQUEST.evolve(messages=[Message("user", "x" * 4000)]))
    assert stand.clock.slept == []


def test_an_image_counts_by_what_it_is_not_by_its_bytes() -> None:
    from hookline.values.blocks import ImageBlock
    from hookline.values.sources import Base64Source

    image = ImageBlock(Base64Source("image/png", "A" * 4_000_000))
    assert estimate(REQUEST.evolve(messages=[Message("user", [image, "Hi"])])) < 2000


def test_what_would_outlast_the_deadline_is_refused_at_once_and_takes_nothing() -> None:
    stand = Stand(requests=6)
    for _ in range(6):
        stand.call()
    for _ in range(3):
        with pytest.raises(LimitExceeded) as caught:
            stand.call(seconds=5)
        assert caught.value.retry_after == pytest.approx(10.0)
        assert not caught.value.retryable
        assert caught.value.phase == "limit"
    assert stand.clock.slept == []
    stand.call(seconds=20)
    assert stand.clock.slept == pytest.approx([10.0])
    assert stand.calls == 7


def test_the_headers_of_the_upstream_are_obeyed() -> None:
    stand = Stand()
    stand.answer = Response(headers=headers("requests", 120, 0))
    stand.call()
    stand.call()
    assert stand.clock.slept == pytest.approx([0.5])


def test_used_up_tokens_pause_for_the_share_that_one_call_needs() -> None:
    stand = Stand()
    stand.answer = Response(headers=headers("output-tokens", 10_000, 0, reset=50))
    stand.call()
    stand.call()
    assert sum(stand.clock.slept) == pytest.approx(5.0, abs=0.2)


def test_headers_can_be_ignored_and_nonsense_is() -> None:
    stand = Stand(headers=False)
    stand.answer = Response(headers=headers("requests", 120, 0))
    for _ in range(3):
        stand.call()
    other = Stand()
    other.answer = Response(
        headers={
            "anthropic-ratelimit-requests-limit": "inf",
            "anthropic-ratelimit-requests-remaining": "-3",
            "anthropic-ratelimit-tokens-limit": "9" * 400,
            "anthropic-ratelimit-tokens-reset": "soon",
        }
    )
    for _ in range(3):
        other.call()
    assert stand.clock.slept == other.clock.slept == []


def test_a_429_holds_everybody_back_for_as_long_as_it_asks() -> None:
    stand = Stand()
    stand.answer = throttled(retry_after="7")
    with pytest.raises(APIError):
        stand.call()
    stand.answer = Response()
    with pytest.raises(LimitExceeded):
        stand.call(seconds=3)
    stand.call()
    assert stand.clock.slept == pytest.approx([7.0])


def test_a_spend_limit_holds_nobody_back() -> None:
    stand = Stand()
    stand.answer = APIError(
        "no",
        status=429,
        type="rate_limit_error",
        details={"error_code": "enforced_spend_limit_reached"},
    )
    for _ in range(3):
        with pytest.raises(APIError):
            stand.call()
    assert stand.clock.slept == []
    assert stand.gate._share == 1.0


@pytest.mark.parametrize(("adaptive", "slept"), [(True, 1.7), (False, 1.0)])
def test_after_a_429_the_rate_is_halved_for_a_while(adaptive: bool, slept: float) -> None:
    stand = Stand(requests=60, adaptive=adaptive)
    for _ in range(59):
        stand.call()
    stand.answer = throttled()
    with pytest.raises(APIError):
        stand.call()
    stand.answer = Response()
    stand.call()
    assert sum(stand.clock.slept) == pytest.approx(slept, abs=0.35)
    stand.clock.time += 10  # all is back, and ten requests with it
    stand.clock.slept.clear()
    for _ in range(10):
        stand.call()
    assert sum(stand.clock.slept) < 1.1
    assert stand.gate._shared(stand.clock.time) == 1.0


def test_the_line_is_first_come_first_served() -> None:
    gate = Gate(1, 10, adaptive=True)
    first, second, third = Ticket(0), Ticket(0), Ticket(0)
    for ticket in (first, second, third):
        assert gate.arrive(ticket, 0)
    assert gate.ask(first, 0) == 0
    assert gate.ask(third, 0) > gate.ask(second, 0) > 0
    gate.leave(first, 1, used=0)
    assert gate.ask(third, 1) > 0
    assert gate.ask(second, 1) == 0
    gate.leave(second, 2, used=0)
    assert gate.ask(third, 2) == 0


def test_who_comes_later_does_not_make_the_first_wait_longer() -> None:
    gate = Gate(None, 10, adaptive=True, buckets={"requests": Bucket(60, 0, level=0)})
    tickets = [Ticket(0) for _ in range(3)]
    for ticket in tickets:
        gate.arrive(ticket, 0)
    assert [gate.ask(ticket, 0) for ticket in tickets] == [1.0, 2.0, 3.0]
    assert [max(0.0, gate.ask(ticket, 1.0)) for ticket in tickets] == [0.0, 1.0, 2.0]


def test_who_leaves_the_line_makes_room_and_pays_nothing() -> None:
    gate = Gate(1, 10, adaptive=True, buckets={"requests": Bucket(60, 0)})
    first, second, third = Ticket(0), Ticket(0), Ticket(0)
    for ticket in (first, second, third):
        gate.arrive(ticket, 0)
    assert gate.ask(first, 0) == 0
    gate.leave(second, 0)
    gate.leave(first, 0, used=0)
    assert gate.ask(third, 0) == 0
    assert gate.buckets["requests"].level == 58


def test_a_full_line_refuses() -> None:
    gate = Gate(1, 2, adaptive=True)
    tickets = [Ticket(0) for _ in range(4)]
    arrived = [gate.arrive(ticket, 0) for ticket in tickets]
    assert arrived == [True, True, True, False]


def test_an_interrupted_call_leaves_its_place(sim: Any) -> None:
    stand = Stand(concurrency=1)
    stand.answer = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        stand.call()
    stand.answer = Response()
    stand.call(seconds=1)


def test_a_stream_keeps_its_place_until_its_end(run: Any, sim: Any) -> None:
    limiter = Limiter(concurrency=1, queue=0)
    inside: list[int] = []

    async def body(line: Any) -> None:
        for leave_early in (False, True):
            async with line.stream("Hello") as stream:
                async for _ in stream.text:
                    (gate,) = limiter._gates
                    inside.append(len(gate._inside))
                    if leave_early:
                        break
            assert len(gate._inside) == 0

    run(body, base_url=sim(), plugins=[limiter])
    assert set(inside) == {1}


def test_a_stream_is_settled_with_its_usage(run: Any, sim: Any) -> None:
    limiter = Limiter(tokens=10_000)
    usage = {"input_tokens": 4000, "output_tokens": 3000}
    run.stream(line={"base_url": sim(Rule(usage=usage)), "plugins": [limiter]})
    (gate,) = limiter._gates
    assert gate.buckets["tokens"].level == pytest.approx(3000, abs=100)


class Busy:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.done = 0

    def enter(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        with self.lock:
            self.now -= 1
            self.done += 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_share_the_places(sim: Any, backend: str) -> None:
    from hookline import hookimpl

    busy = Busy()

    class Inside:
        name = "inside"
        after = ("limiter",)

        @hookimpl
        async def send(self, turn: Turn, request: Request, call_next: Any) -> Response:
            busy.enter()
            try:
                await turn.io.sleep(0.001)
                response: Response = await call_next(request)
                return response
            finally:
                busy.leave()

    async def main() -> None:
        plugins = [Limiter(concurrency=3), Inside()]
        async with (
            AsyncPipeline(base_url=sim(), model="claude-haiku-4-5", plugins=plugins) as line,
            anyio.create_task_group() as group,
        ):
            for _ in range(12):
                group.start_soon(line.send, "Hello")

    anyio.run(main, backend=backend)
    assert (busy.most, busy.done) == (3, 12)


def test_threads_share_the_places(sim: Any) -> None:
    from hookline import hookimpl

    busy = Busy()
    both = threading.Barrier(2, timeout=10)

    class Inside:
        name = "inside"
        after = ("limiter",)

        @hookimpl
        async def send(self, turn: Turn, request: Request, call_next: Any) -> Response:
            busy.enter()
            both.wait()  # two are inside at once, and never three
            try:
                response: Response = await call_next(request)
                return response
            finally:
                busy.leave()

    plugins = [Limiter(concurrency=2), Inside()]
    with Pipeline(base_url=sim(), model="claude-haiku-4-5", plugins=plugins) as line:
        threads = [threading.Thread(target=line.send, args=("Hello",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (busy.most, busy.done) == (2, 6)


@pytest.mark.parametrize("option", ["concurrency", "requests", "tokens", "queue"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_bad_options_are_refused_when_it_is_built(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"limiter: {option} must be"):
        Limiter(**{option: value})  # type: ignore[arg-type]  # what is refused
