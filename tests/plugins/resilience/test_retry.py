"""The plugin `retry`: what is sent again, after how long, and when it is given up."""

import datetime as dt
from email.utils import format_datetime
from typing import Any

import pytest

from hookline import (
    APIError,
    ConfigError,
    DecodeError,
    HooklineError,
    InputError,
    Message,
    Pipeline,
    PolicyViolation,
    PoolTimeout,
    ReadTimeout,
    Request,
    Response,
    StreamInterrupted,
    TransportError,
)
from hookline._io import SyncIO, drive
from hookline.models import load_models
from hookline.simulator import Rule
from hookline.turn import Turn
from hookline.values.destination import Destination
from hookline_plugins.resilience.retry import Retry, RetryBudget

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
        self.slept.append(seconds)
        self.time += seconds


class Stand:
    """A retry plugin whose luck is always ``luck``, a clock, and errors to come."""

    def __init__(self, *errors: BaseException | None, luck: float = 1.0, **options: Any) -> None:
        self.retry = Retry(random=lambda: luck, **options)
        self.clock = Clock()
        self.errors = list(errors)
        self.calls = 0
        self.notes: list[str] = []

    async def upstream(self, request: Request) -> Response:
        self.calls += 1
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        return Response()

    def call(self, seconds: float | None = None, upstream: str = "https://a") -> None:
        deadline = None if seconds is None else self.clock.time + seconds
        turn = Turn(
            id="t",
            io=self.clock,
            models=load_models(),
            destination=Destination(base_url=upstream),
            deadline=deadline,
        )
        try:
            drive(self.retry.send(turn, REQUEST, self.upstream))
        finally:
            self.notes = [text for _, text in turn.trace.notes]


def api(status: int, kind: str = "api_error", **headers: str) -> APIError:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return APIError("no", status=status, type=kind, headers=names)


def date(seconds: float) -> str:
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


RETRIED = [
    *(api(status) for status in (408, 409, 500, 502, 503, 504, 520)),
    api(429, "rate_limit_error"),
    api(529, "overloaded_error"),
    api(200, "overloaded_error"),
    TransportError("refused", phase="connect"),
    TransportError("reset", phase="read"),
    PoolTimeout("full"),
]


@pytest.mark.parametrize("error", RETRIED, ids=str)
def test_f31_f32_what_may_succeed_is_sent_again(error: BaseException) -> None:
    stand = Stand(error)
    stand.call()
    assert stand.calls == 2


FINAL = [
    *(api(status, "invalid_request_error") for status in (400, 401, 403, 404, 413, 422)),
    APIError(
        "no",
        status=429,
        type="rate_limit_error",
        details={"error_code": "enforced_spend_limit_reached"},
    ),
    TransportError("redirect", phase="protocol", retryable=False),
    ReadTimeout("silent"),
    PolicyViolation("no"),
    InputError("no"),
    DecodeError("no"),
]


@pytest.mark.parametrize("error", FINAL, ids=str)
def test_f29_f33_what_cannot_succeed_is_not(error: BaseException) -> None:
    stand = Stand(error)
    with pytest.raises(type(error)):
        stand.call()
    assert (stand.calls, stand.clock.slept) == (1, [])


def test_a_generation_is_sent_again_after_a_read_timeout_where_that_is_asked_for() -> None:
    stand = Stand(ReadTimeout("silent"), after_read_timeout=True)
    stand.call()
    assert stand.calls == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a bug")])
def test_only_our_own_errors_are_its_business(error: BaseException) -> None:
    stand = Stand(error)
    with pytest.raises(type(error)):
        stand.call()
    assert stand.calls == 1


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after": " 3 "}, 3.0),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after_ms": "1500", "retry_after": "60"}, 1.5),
    ],
    ids=str,
)
def test_f23_f27_what_the_api_asks_for_is_waited(headers: dict[str, str], waited: float) -> None:
    stand = Stand(api(429, "rate_limit_error", **headers), luck=0.0)
    stand.call()
    assert stand.clock.slept == pytest.approx([waited])


def test_f23_the_jitter_comes_on_top_so_that_callers_do_not_return_together() -> None:
    stand = Stand(api(429, "rate_limit_error", retry_after="2"), luck=0.5)
    stand.call()
    assert stand.clock.slept == pytest.approx([2.5])


def test_f24_a_date_is_waited_for() -> None:
    stand = Stand(api(429, retry_after=date(30)), luck=0.0)
    stand.call()
    assert stand.clock.slept == pytest.approx([30], abs=2)


NONSENSE = ["0", "-5", "inf", "nan", "soon", "9" * 400, "1e9", "", "0x10", "12abc"]


@pytest.mark.parametrize("value", [*NONSENSE, date(-60)], ids=[*NONSENSE, "a date that has passed"])
def test_f25_f26_what_makes_no_sense_is_the_normal_wait(value: str) -> None:
    stand = Stand(api(529, "overloaded_error", retry_after=value))
    stand.call()
    assert stand.clock.slept == pytest.approx([1.0])


def test_f26_a_wait_beyond_the_deadline_is_not_begun() -> None:
    stand = Stand(api(429, "rate_limit_error", retry_after="1000000000"))
    with pytest.raises(APIError):
        stand.call(seconds=60)
    assert (stand.calls, stand.clock.slept) == (1, [])
    assert any("outlasts the deadline" in note for note in stand.notes)


def test_a_wait_that_fits_is_made() -> None:
    stand = Stand(api(429, "rate_limit_error", retry_after="20"), luck=0.0)
    stand.call(seconds=21)
    assert stand.clock.slept == pytest.approx([20])


def test_f28_the_api_may_forbid_a_retry() -> None:
    stand = Stand(api(500, x_should_retry="false"))
    with pytest.raises(APIError):
        stand.call()
    assert stand.calls == 1


def test_f28_the_api_may_ask_for_one_retry_of_what_is_not_retried_else() -> None:
    stand = Stand(*(api(400, "invalid_request_error", x_should_retry="true") for _ in range(3)))
    with pytest.raises(APIError):
        stand.call()
    assert stand.calls == 2


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (lambda: api(500), [0.5, 1.0, 2.0]),
        (lambda: TransportError("reset", phase="read"), [0.5, 1.0, 2.0]),
        (lambda: api(529, "overloaded_error"), [1.0, 2.0, 4.0]),
        (lambda: api(429, "rate_limit_error"), [1.0, 2.0, 4.0]),
        (lambda: api(200, "overloaded_error"), [1.0, 2.0, 4.0]),
    ],
)
def test_f30_waits_double_from_the_base_of_their_kind(error: Any, waits: list[float]) -> None:
    stand = Stand(error(), error(), error(), attempts=4)
    stand.call()
    assert stand.clock.slept == pytest.approx(waits)


def test_waits_are_capped() -> None:
    stand = Stand(*(api(500) for _ in range(9)), attempts=10, cap=3)
    stand.call()
    assert max(stand.clock.slept) == pytest.approx(3)


@pytest.mark.parametrize("luck", [0.0, 0.1, 0.9])
def test_jitter_is_full(luck: float) -> None:
    stand = Stand(api(500), luck=luck)
    stand.call()
    assert stand.clock.slept == pytest.approx([luck * 0.5])


def test_chance_differs_from_turn_to_turn() -> None:
    waits = set()
    for _ in range(20):
        stand = Stand(api(500))
        object.__setattr__(stand.retry, "_random", Retry()._random)
        stand.call()
        waits.update(stand.clock.slept)
    assert len(waits) > 10
    assert all(0 <= wait <= 0.5 for wait in waits)


def test_it_gives_up_after_so_many_attempts_with_the_last_error() -> None:
    stand = Stand(api(500), api(502), api(503))
    with pytest.raises(APIError) as caught:
        stand.call()
    assert (stand.calls, caught.value.status) == (3, 503)


def test_one_attempt_is_no_retry() -> None:
    stand = Stand(api(500), attempts=1)
    with pytest.raises(APIError):
        stand.call()
    assert stand.calls == 1


# The budget ---------------------------------------------------------------------------------------


def test_f79_an_outage_is_not_answered_with_a_multiple_of_the_load() -> None:
    """500 callers against an upstream that is down: each once, and retries from one purse."""
    stand = Stand(*(api(500) for _ in range(5000)))
    for _ in range(500):
        with pytest.raises(APIError):
            stand.call()
    retries = stand.calls - 500
    assert retries == 500 // 14
    assert any("budget" in note for note in stand.notes)


def test_f79_throttling_costs_less() -> None:
    stand = Stand(*(api(529, "overloaded_error") for _ in range(5000)))
    for _ in range(500):
        with pytest.raises(APIError):
            stand.call()
    assert stand.calls - 500 == 500 // 5


def test_f79_successes_fill_the_purse_again() -> None:
    stand = Stand(*(api(500) for _ in range(100)), quota=14)
    with pytest.raises(APIError):
        stand.call()
    stand.errors.clear()
    for _ in range(14):
        stand.call()
    stand.errors.append(api(500))
    stand.call()


def test_each_upstream_has_a_purse_of_its_own() -> None:
    stand = Stand(*(api(500) for _ in range(3)), quota=14)
    with pytest.raises(APIError):
        stand.call()
    stand.errors[:] = [api(500)]
    stand.call(upstream="https://b")
    stand.errors[:] = [api(500)]
    with pytest.raises(APIError):
        stand.call()


def test_a_budget_holds_no_more_than_its_size_and_never_goes_below_nothing() -> None:
    budget = RetryBudget(10)
    budget.give_back(100)
    assert budget.left == 10
    assert [budget.take(6), budget.take(6), budget.take(4)] == [True, False, True]
    assert budget.left == 0


def test_a_quota_of_nothing_allows_no_retry() -> None:
    stand = Stand(api(500), quota=0)
    with pytest.raises(APIError):
        stand.call()
    assert stand.calls == 1


# In a pipeline ------------------------------------------------------------------------------------

QUICK = {"plugins": {"retry": {"base": 0.001, "throttle_base": 0.001}}}


def line_of(server: Any) -> dict[str, Any]:
    return {"base_url": server, "config": QUICK}


@pytest.mark.parametrize(
    "rule",
    [
        Rule(status=529, times=2),
        Rule(status=500, times=2),
        Rule(status=502, raw="<html>Bad gateway</html>", times=2),
        Rule(status=429, headers={"retry-after-ms": "1"}, times=2),
        Rule(error_event={"type": "overloaded_error"}, error_after=0, times=2),
    ],
    ids=str,
)
def test_a_turn_survives_two_failures(run: Any, sim: Any, streamed: Any, rule: Rule) -> None:
    server = sim(rule, Rule(reply="at last"))
    reply = run.outcome(streamed, line=line_of(server))
    assert reply.text == "at last"
    assert len(server.calls) == 3
    assert [attempt.number for attempt in reply.trace.attempts] == [1, 2, 3]
    assert len([note for who, note in reply.trace.notes if who == "retry"]) == 2


def test_a_reset_connection_is_tried_again(
    run: Any,
    loopback: Any,
    http: Any,
    message: Any,
    sse: Any,
    sse_head: Any,
    deltas: Any,
    reset: Any,
    streamed: Any,
) -> None:
    answers = [[reset], [reset]]

    def answer(request: Any) -> Any:
        if answers:
            return answers.pop()
        return [sse_head, sse(*deltas("hi"))] if streamed else http(200, message("hi"))

    server = loopback(answer)
    assert run.outcome(streamed, line={**server.line, "config": QUICK}).text == "hi"
    assert len(server.requests) == 3


def test_after_the_first_event_nothing_is_sent_again(run: Any, sim: Any) -> None:
    server = sim(Rule(cut_after=4))
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server))
    assert len(server.calls) == 1


def test_the_deadline_ends_it(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(status=529, headers={"retry-after": "30"}))
    with pytest.raises(HooklineError):
        run.outcome(streamed, line={"base_url": server}, timeout=5)
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attempts": 0}, "attempts must be above 0"),
        ({"attempts": -1}, "attempts must be above 0"),
        ({"base": 0}, "base must be above 0"),
        ({"cap": -1}, "cap must be above 0"),
        ({"base": float("nan")}, "base must be above 0"),
        ({"quota": -1}, "quota must not be negative"),
    ],
)
def test_bad_options_are_refused_when_it_is_built(options: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Retry(**options)
    with pytest.raises(ConfigError, match=said):
        Pipeline(base_url="sim:", config={"plugins": {"retry": options}})
