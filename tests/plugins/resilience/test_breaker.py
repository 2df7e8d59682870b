"""The plugin `breaker`: when a circuit opens, what counts, and how it closes again."""

from collections.abc import Callable
from typing import Any

import pytest

from hookline import (
    APIError,
    ConfigError,
    HooklineError,
    Message,
    Pipeline,
    PolicyViolation,
    PoolTimeout,
    Request,
    Response,
    StreamInterrupted,
    TransportError,
    hookimpl,
)
from hookline._io import SyncIO, drive
from hookline.errors import CircuitOpen, LimitExceeded
from hookline.models import load_models
from hookline.simulator import Rule
from hookline.turn import Turn
from hookline.values.destination import Destination
from hookline_plugins.resilience.breaker import Breaker

REQUEST = Request("claude-haiku-4-5", 10, [Message("user", "Hello")])


class Clock(SyncIO):
    """Time that passes only when it is told to."""

    __slots__ = ("time",)

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # fetches nothing
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)


class Upstream:
    """What lies inside the plugin: raises, or answers, and counts."""

    def __init__(self) -> None:
        self.error: Callable[[], BaseException] | None = None
        self.calls = 0

    async def __call__(self, request: Request) -> Response:
        self.calls += 1
        if self.error is not None:
            raise self.error()
        return Response()


class Stand:
    """A breaker, a clock and an upstream."""

    def __init__(self, **options: Any) -> None:
        self.breaker = Breaker(**{"minimum": 4, **options})
        self.clock = Clock()
        self.upstream = Upstream()

    def call(self, model: str = "claude-haiku-4-5", upstream: str = "https://a") -> None:
        turn = Turn(
            id="t", io=self.clock, models=load_models(), destination=Destination(base_url=upstream)
        )
        drive(self.breaker.send(turn, REQUEST.evolve(model=model), self.upstream))

    def calls(self, number: int, error: Callable[[], BaseException] | None = None) -> None:
        self.upstream.error = error
        for _ in range(number):
            try:
                self.call()
            except CircuitOpen:
                raise
            except HooklineError:
                pass


def overloaded() -> APIError:
    return APIError("Overloaded", status=529, type="overloaded_error")


def api(status: int, kind: str) -> Callable[[], APIError]:
    return lambda: APIError("no", status=status, type=kind)


FAILURES: list[Callable[[], BaseException]] = [
    overloaded,
    api(500, "api_error"),
    api(502, "api_error"),
    api(504, "timeout_error"),
    api(200, "overloaded_error"),
    lambda: TransportError("refused", phase="connect"),
    lambda: TransportError("silent", phase="read"),
]
NO_FAILURES: list[Callable[[], BaseException]] = [
    api(429, "rate_limit_error"),
    api(400, "invalid_request_error"),
    api(401, "authentication_error"),
    lambda: PoolTimeout("full"),
    lambda: LimitExceeded("full", retry_after=1, retryable=True),
    lambda: PolicyViolation("no"),
    lambda: TransportError("redirect", phase="protocol", retryable=False),
]


@pytest.mark.parametrize("error", FAILURES)
def test_failures_of_the_upstream_open_the_circuit(error: Any) -> None:
    stand = Stand()
    stand.calls(4, error)
    with pytest.raises(CircuitOpen) as caught:
        stand.call()
    assert caught.value.retryable
    assert caught.value.phase == "circuit"
    assert caught.value.retry_after == pytest.approx(5.0)
    assert stand.upstream.calls == 4


@pytest.mark.parametrize("error", NO_FAILURES)
def test_our_own_failures_do_not_count(error: Any) -> None:
    stand = Stand()
    stand.calls(20, error)
    assert stand.upstream.calls == 20


def test_it_judges_by_the_share_of_failures() -> None:
    stand = Stand(minimum=20, ratio=0.5)
    stand.calls(11)
    stand.calls(10, overloaded)
    stand.calls(1)
    stand.calls(1, overloaded)  # 11 of 23
    stand.calls(1, overloaded)  # 12 of 24: half
    with pytest.raises(CircuitOpen):
        stand.call()
    assert stand.upstream.calls == 24


def test_what_is_older_than_the_window_is_forgotten() -> None:
    stand = Stand()
    stand.calls(3, overloaded)
    stand.clock.time += 30
    stand.calls(3, overloaded)
    stand.calls(1)
    with pytest.raises(CircuitOpen):
        stand.call()


def test_after_the_cooldown_one_probe_decides() -> None:
    stand = Stand()
    stand.calls(4, overloaded)
    stand.clock.time += 5
    with pytest.raises(APIError):
        stand.call()  # the probe fails
    with pytest.raises(CircuitOpen):
        stand.call()
    stand.clock.time += 5
    stand.calls(100)
    assert stand.upstream.calls == 105


def test_while_a_probe_is_out_the_others_wait() -> None:
    stand = Stand()
    stand.calls(4, overloaded)
    stand.clock.time += 5
    stand.upstream.error = None
    seen: list[type[BaseException]] = []

    class Nested:
        async def __call__(self, request: Request) -> Response:
            try:
                stand.call()
            except CircuitOpen as error:
                seen.append(type(error))
            return Response()

    turn = Turn(
        id="t", io=stand.clock, models=load_models(), destination=Destination(base_url="https://a")
    )
    drive(stand.breaker.send(turn, REQUEST, Nested()))
    assert seen == [CircuitOpen]
    stand.call()


def test_a_cancelled_probe_leaves_room_for_the_next() -> None:
    stand = Stand()
    stand.calls(4, overloaded)
    stand.clock.time += 5
    stand.upstream.error = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        stand.call()
    stand.upstream.error = None
    stand.call()
    stand.call()


def test_a_late_success_does_not_close_an_open_circuit() -> None:
    stand = Stand()

    class Slow:
        async def __call__(self, request: Request) -> Response:
            stand.calls(4, overloaded)
            return Response()

    turn = Turn(
        id="t", io=stand.clock, models=load_models(), destination=Destination(base_url="https://a")
    )
    drive(stand.breaker.send(turn, REQUEST, Slow()))
    with pytest.raises(CircuitOpen):
        stand.call()


def test_each_model_and_upstream_has_a_circuit_of_its_own() -> None:
    stand = Stand()
    stand.calls(4, overloaded)
    stand.upstream.error = None
    stand.call(model="claude-opus-5-5")
    stand.call(upstream="https://b")
    with pytest.raises(CircuitOpen):
        stand.call()


def test_in_a_pipeline_it_stands_outside_retry(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(status=529))
    plugins = [Breaker(minimum=2)]
    options = {"base_url": server, "plugins": plugins}
    once = {"config": {"plugins": {"retry": {"base": 0.001, "throttle_base": 0.001}}}}
    for _ in range(2):
        with pytest.raises(APIError):
            run.outcome(streamed, line=options | once)
    calls = len(server.calls)
    with pytest.raises(CircuitOpen, match="claude-haiku-4-5 at sim: has been failing"):
        run.outcome(streamed, line=options | once)
    assert calls == 6
    assert len(server.calls) == calls


def test_a_stream_counts_when_it_has_begun(run: Any, sim: Any) -> None:
    server = sim(Rule(cut_after=5))
    options = {"base_url": server, "plugins": [Breaker(minimum=1)]}
    for _ in range(3):
        with pytest.raises(StreamInterrupted):
            run.stream(line=options)


def test_a_policy_that_refuses_is_not_the_upstreams_fault(run: Any) -> None:
    class No:
        role = "enforcer"

        @hookimpl
        def check_request(self) -> None:
            raise PolicyViolation("no")

    options = {"base_url": "sim:", "plugins": [Breaker(minimum=1)], "policy": No()}
    for _ in range(3):
        with pytest.raises(PolicyViolation):
            run.send(line=options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ratio": 0}, "ratio is a share"),
        ({"ratio": 50}, "ratio is a share"),
        ({"minimum": 0}, "minimum must be above 0"),
        ({"window": -1}, "window must be above 0"),
        ({"cooldown": float("inf")}, "cooldown must be above 0"),
    ],
)
def test_bad_options_are_refused_when_it_is_built(options: Any, said: Any) -> None:
    with pytest.raises(ConfigError, match=said):
        Breaker(**options)


def test_it_is_off_until_it_is_asked_for() -> None:
    with Pipeline(base_url="sim:") as line:
        assert line.plugins.get("breaker") is None
    with Pipeline(base_url="sim:", plugins=["breaker", "cache"]) as line:
        names = [each.plugin for each in line.plugins.of("send")]
        assert names.index("cache") < names.index("breaker") < names.index("retry")
