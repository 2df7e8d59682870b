"""F64 and F65: the deadline wherever it strikes, and clocks that jump."""

import time
from typing import Any

import pytest

from hookline import DeadlineExceeded, hookimpl
from hookline.testing import (
    Delay,
    Drip,
    Send,
    Stall,
    error_answer,
    json_answer,
    message,
    stream_events,
    stream_head,
    stream_parts,
)
from support.patience import SLACK, widening

LIMIT = 0.12  # seconds, of turns that would take 20 and more


class Slow:
    """Waits in one hook for longer than any deadline here."""

    name = "slow"
    rewrites_text = False

    def __init__(self, hook: str) -> None:
        self.hook = hook

    async def wait(self, turn: Any, hook: str) -> None:
        if hook == self.hook:
            # In small pieces: blocking code notices between two of them, and nowhere else.
            while True:
                await turn.io.sleep(0.02)
                turn.check_deadline(hook)

    @hookimpl
    async def build_history(self, turn: Any) -> None:
        await self.wait(turn, "build_history")

    @hookimpl
    async def check_request(self, turn: Any) -> None:
        await self.wait(turn, "check_request")

    @hookimpl
    async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
        await self.wait(turn, "send")
        return await call_next(request)

    @hookimpl
    async def post_process(self, turn: Any) -> None:
        await self.wait(turn, "post_process")


def late(outcome: Any) -> DeadlineExceeded:
    """Check that the deadline struck, and in time."""
    assert type(outcome.error) is DeadlineExceeded, outcome.error
    assert outcome.seconds < LIMIT + SLACK
    return outcome.error


def meet(way: Any, *scripts: Any, limit: float = LIMIT, **options: Any) -> Any:
    outcome = way.meet(*scripts, asked={"timeout": limit}, real_time=True, **options)
    if isinstance(outcome.error, DeadlineExceeded):
        assert outcome.error.timeout == limit
    return outcome


def test_f64_while_connecting(way: Any) -> None:
    late(meet(way, way.good, server={"accepting": False}))


def test_f64_while_waiting_for_the_answer(way: Any) -> None:
    late(meet(way, Stall()))


def test_f64_while_the_body_drips(way: Any) -> None:
    whole = json_answer(message("Hello!"))
    late(meet(way, Drip(whole, 0.1)))


def test_f64_while_an_error_body_drips(few: Any) -> None:
    late(meet(few, Drip(error_answer(503), 0.2)))


def test_f64_in_a_stream_that_drips(stream: Any) -> None:
    parts = stream_parts(stream_events("Hel", "lo!"))
    script = (Send(stream_head() + b"".join(parts[:3])), Drip(b"".join(parts[3:]), 0.1))
    for limit in widening(LIMIT):
        outcome = meet(stream, script, limit=limit)
        if late(outcome).partial is not None:
            break
    assert outcome.error.partial is not None
    assert outcome.error.partial.text == outcome.seen == "Hel"


def test_f64_in_a_call_streamed_under_the_hood(plain: Any) -> None:
    parts = stream_parts(stream_events("Hel", "lo!"))
    script = (Send(stream_head() + b"".join(parts[:3])), Drip(b"".join(parts[3:]), 0.1))
    outcome = plain.meet(script, asked={"timeout": LIMIT, "max_tokens": 60_000}, real_time=True)
    late(outcome)


@pytest.mark.parametrize("hook", ["build_history", "check_request", "send", "post_process"])
def test_f64_in_a_hook(few: Any, hook: str) -> None:
    late(meet(few, few.good, plugins=[Slow(hook)]))


def test_f64_a_wait_that_would_outlast_it_is_not_begun(way: Any) -> None:
    outcome = meet(way, error_answer(429, headers={"retry-after": "59"}), limit=3 * SLACK)
    assert outcome.error.status == 429
    assert outcome.seconds < SLACK  # neither the wait nor what is left of the time


def test_f64_attempts_share_one_deadline(few: Any) -> None:
    from hookline_plugins.resilience.retry import Retry

    retry = Retry(attempts=1000, base=0.001, cap=0.02)
    config = {"plugins": {"enable": ["history"]}}
    for limit in widening(LIMIT):
        script = (Delay(0.03), error_answer(503))
        outcome = meet(few, script, plugins=[retry], config=config, limit=limit)
        if len(outcome.attempts) > 1:
            break
    assert len(outcome.attempts) > 1  # how many more fit in is the machine's business
    if not isinstance(outcome.error, DeadlineExceeded):
        assert outcome.error.status == 503  # the next wait did not fit in
    assert outcome.seconds < limit + SLACK  # a thousand attempts take half a minute


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_f65_a_wall_clock_that_jumps_changes_nothing(
    few: Any, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    real, jumped = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + jumped[0])

    def jump_at(server: Any) -> Any:
        return lambda number: jumped.__setitem__(0, jump)

    throttled = error_answer(429, headers={"retry-after": "2"})
    outcome = few.meet(throttled, error_answer(503), few.good, at_attempt=jump_at)
    assert outcome.text == "Hello!"
    assert 2 <= outcome.waits[0] <= 3
    assert outcome.waits[1] <= 1
