"""F79: an outage of a minute, in fake time, with 500 callers: no storm, and full rate soon after."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from attrs import define, field

from hookline import APIError, AsyncPipeline, Response
from hookline.testing import FakeClock, fake_time, message
from hookline.wire.codec import structure_response
from hookline_plugins.resilience.retry import Retry

pytestmark = pytest.mark.slow

CALLERS = 500
PAUSE = 1.0  # seconds between two calls of one caller
OUTAGE = range(10, 70)  # seconds
END = 100.0
QUOTA = 500
COST = 14


@define
class Upstream:
    """Answers in a tenth of a second; fails while it is out."""

    clock: Any = None
    attempts: Counter[int] = field(factory=Counter)
    answered: Counter[int] = field(factory=Counter)
    bursts: Counter[float] = field(factory=Counter)

    async def __call__(self, turn: Any, request: Any, *more: Any) -> Response:
        second = int(self.clock.elapsed)
        self.attempts[second] += 1
        self.bursts[round(self.clock.elapsed, 2)] += 1
        await turn.io.sleep(0.1)
        if second in OUTAGE:
            raise APIError("out", status=503, type="api_error")
        self.answered[int(self.clock.elapsed)] += 1
        return structure_response(message("Hello!"))


def test_f79_an_outage_is_not_answered_with_a_storm() -> None:
    upstream = Upstream()
    calls: Counter[int] = Counter()

    async def caller(line: AsyncPipeline, clock: FakeClock, number: int) -> None:
        await clock.wait(number / CALLERS * PAUSE)
        while clock.elapsed < END:
            began = clock.elapsed
            calls[int(began)] += 1
            try:
                await line.send("Hi")
            except APIError:
                assert int(clock.elapsed) >= OUTAGE.start
            await clock.wait(max(0.0, began + PAUSE - clock.elapsed))

    async def main() -> None:
        async with AsyncPipeline(
            base_url="http://127.0.0.1:9",
            api_key="test",
            plugins=[Retry(quota=QUOTA, transient_cost=COST)],
            config={"plugins": {"enable": ["history"]}},
        ) as line:
            from attrs import evolve

            line._engine = evolve(line._engine, transport=upstream)  # type: ignore[misc]  # Final, but for this test
            with fake_time(line) as clock:
                upstream.clock = clock
                await asyncio.gather(*[caller(line, clock, each) for each in range(CALLERS)])

    asyncio.run(main())
    during = sum(upstream.attempts[second] for second in OUTAGE)
    asked = sum(calls[second] for second in OUTAGE)
    # Each retry takes tokens; a success gives one back, and there is none during the outage.
    assert asked > CALLERS * 40
    assert 0 < during - asked <= QUOTA // COST
    # Within ten seconds of the end everybody is served again, at the rate of before.
    before = sum(upstream.answered[second] for second in range(4, 9)) / 5
    after = sum(upstream.answered[second] for second in range(80, 85)) / 5
    assert after >= before * 0.98
    assert max(upstream.bursts.values()) < CALLERS * 0.04, "no synchronised waves"
