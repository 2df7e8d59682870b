"""The plugin `budget`: never one call more, never a cent lost, whatever dies."""

import asyncio
import csv
import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import (
    APIError,
    AsyncPipeline,
    BatchItem,
    ConfigError,
    Pipeline,
    PolicyViolation,
    StreamInterrupted,
    hookimpl,
)
from hookline.errors import DeadlineExceeded, TransportError
from hookline.plugin import Principal
from hookline.simulator import Rule
from hookline_plugins.policy.budget import Budget, Limit
from hookline_plugins.policy.budget.command import command_of
from hookline_plugins.policy.budget.ledger import Charge, Exceeded, SQLiteLedger
from hookline_plugins.policy.budget.limits import NANO, Account, begins, ends
from hookline_plugins.policy.budget.redis import RedisLedger
from hookline_plugins.resilience.hedge import Hedge
from hookline_plugins.resilience.retry import Retry
from hookline_plugins.storage.cache import Cache

MODEL = "claude-haiku-4-5"
ADA = Principal(user="ada", team="risk", tenant="acme", tags={"cost_centre": 7})
NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC).timestamp()
REQUESTS = Account("user", "ada", "total", "", "requests")


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where a budget keeps its spending."""
    if request.param == "redis":
        return {"redis": request.getfixturevalue("redis_url")}
    return {"path": str(tmp_path / "budget.db")}


def budget(store: dict[str, Any], *limits: Limit, **options: Any) -> Budget:
    return Budget(limits=limits, **store, **options)


def line_of(server: Any, *plugins: Any, **options: Any) -> dict[str, Any]:
    return {"base_url": server, "principal": ADA, "plugins": list(plugins), **options}


def spent(made: Budget) -> dict[str, int]:
    return {f"{each.by} {each.subject} {each.unit}": sum_ for each, sum_ in made.ledger.spent()}


def test_what_was_reserved_is_settled_by_the_usage(
    run: Any, sim: Any, store: Any, streamed: bool
) -> None:
    made = budget(store, Limit(by="user", per="month", usd=1, tokens=100_000, requests=5))
    reply = run.outcome(streamed, "Hello", line=line_of(sim(), made, "cost"))
    assert reply.cost > 0
    assert spent(made) == {
        "user ada usd": int(reply.cost * NANO),
        "user ada tokens": reply.usage.total_input + reply.usage.output_tokens,
        "user ada requests": 1,
    }


def test_the_attempt_that_might_spend_more_is_refused(
    run: Any, sim: Any, store: Any, streamed: bool
) -> None:
    server = sim()
    made = budget(store, Limit(by="team", per="month", tokens=300), clock=lambda: NOW)
    line = line_of(server, made)
    run.outcome(streamed, "Hello", line=line, max_tokens=100)
    with pytest.raises(PolicyViolation) as caught:
        run.outcome(streamed, "Hello", line=line, max_tokens=300)
    assert caught.value.rule == "budget-team-month-tokens"
    assert caught.value.plugin == "budget"
    assert "the budget of the team risk has" in str(caught.value)
    assert "or wait until 2026-12-01" in str(caught.value)
    assert len(server.calls) == 1
    before = spent(made)
    run.outcome(streamed, "Hello", line=line, max_tokens=50)  # a refusal has reserved nothing
    assert spent(made) != before


@pytest.mark.parametrize(
    ("limit", "subject"),
    [
        (Limit(by="user", per="day", requests=1), "ada"),
        (Limit(by="team", per="week", requests=1), "risk"),
        (Limit(by="tenant", per="month", requests=1), "acme"),
        (Limit(by="tag", tag="cost_centre", per="total", requests=1), "cost_centre=7"),
        (Limit(by="model", per="day", requests=1), "claude-haiku-4-5-20251001"),
        (Limit(by="everybody", per="day", requests=1), ""),
        (Limit(by="user", per="day", requests=1, only=("ada",)), "ada"),
    ],
    ids=lambda value: value.by if isinstance(value, Limit) else "",
)
def test_limits_are_by(blocking: Any, sim: Any, store: Any, limit: Limit, subject: str) -> None:
    made = budget(store, limit)
    line = line_of(sim(), made)
    blocking.send(line=line)
    with pytest.raises(PolicyViolation, match="left"):
        blocking.send(line=line)
    assert spent(made) == {f"{limit.by} {subject} requests": 1}


def test_others_have_their_own_and_a_limit_may_be_for_some_only(
    blocking: Any, sim: Any, store: Any
) -> None:
    made = budget(
        store,
        Limit(by="user", per="day", requests=1),
        Limit(by="team", per="day", requests=0, only=("barred",)),
    )
    for user in ("ada", "bob"):
        blocking.send(line=line_of(sim(), made, principal=Principal(user=user)))
    with pytest.raises(PolicyViolation, match="team barred has 0 requests of 0"):
        blocking.send(line=line_of(sim(), made, principal=Principal(user="eve", team="barred")))
    assert spent(made) == {"user ada requests": 1, "user bob requests": 1}


def test_a_new_period_begins_anew(blocking: Any, sim: Any, store: Any) -> None:
    clock = [NOW]
    made = budget(store, Limit(by="user", per="day", requests=1), clock=lambda: clock[0])
    line = line_of(sim(), made)
    blocking.send(line=line)
    with pytest.raises(PolicyViolation):
        blocking.send(line=line)
    clock[0] += 86_400
    blocking.send(line=line)


@pytest.mark.parametrize(
    ("per", "first", "after"),
    [
        ("day", "2026-11-27", "2026-11-28"),
        ("week", "2026-11-23", "2026-11-30"),
        ("month", "2026-11-01", "2026-12-01"),
        ("total", "", ""),
    ],
)
def test_periods(per: Any, first: str, after: str) -> None:
    assert begins(per, NOW) == first
    assert ends(per, first) == after


@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_what_the_api_refuses_costs_nothing(
    run: Any, sim: Any, store: Any, status: int, streamed: bool
) -> None:
    made = budget(store, Limit(by="user", per="day", usd=1, tokens=10_000, requests=2))
    with pytest.raises(APIError):
        run.outcome(streamed, line=line_of(sim(Rule(status=status)), made))
    assert set(spent(made).values()) == {0}


def test_what_a_check_refuses_costs_nothing(run: Any, sim: Any, store: Any) -> None:
    class No:
        @hookimpl
        def check_request(self) -> None:
            raise PolicyViolation("no")

    made = budget(store, Limit(by="user", per="day", requests=2))
    with pytest.raises(PolicyViolation, match=r"^no"):
        run.send(line=line_of(sim(), made, No()))
    assert spent(made) == {"user ada requests": 0}


def test_every_attempt_of_a_retry_is_reserved_and_only_the_answer_is_paid(
    run: Any, sim: Any, store: Any
) -> None:
    made = budget(store, Limit(by="user", per="day", requests=1))
    server = sim(Rule(status=529, times=2))
    run.send(line=line_of(server, made, Retry(throttle_base=0.001), config={}))
    assert len(server.calls) == 3
    assert spent(made) == {"user ada requests": 1}


def test_an_answer_that_broke_off_unread_stays_charged(
    blocking: Any, loopback: Any, store: Any, reset: Any
) -> None:
    server = loopback(lambda _request: (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", reset))
    made = budget(store, Limit(by="user", per="day", tokens=10_000, requests=3))
    line = line_of(server.url, made, api_key="k")
    with pytest.raises(TransportError):
        blocking.send(line=line, max_tokens=700)
    assert spent(made)["user ada tokens"] > 700
    assert spent(made)["user ada requests"] == 1


def test_a_stream_that_is_left_is_charged_for_what_was_made(run: Any, sim: Any, store: Any) -> None:
    made = budget(store, Limit(by="user", per="day", tokens=10_000))

    async def body(line: Any) -> None:
        async with line.stream("Hello", max_tokens=4000) as stream:
            async for _ in stream.text:
                break

    run(body, **line_of(sim(Rule(reply="word " * 300, chunk=5)), made))
    assert 5 < spent(made)["user ada tokens"] < 2000


def test_a_stream_that_breaks_is_charged_for_what_came(run: Any, sim: Any, store: Any) -> None:
    made = budget(store, Limit(by="user", per="day", tokens=10_000))
    server = sim(Rule(reply="word " * 100, chunk=5, cut_after=30))
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server, made), max_tokens=4000)
    assert 50 < spent(made)["user ada tokens"] < 1000


def test_a_hedge_reserves_both_and_the_loser_is_paid(sim: Any, store: Any) -> None:
    made = budget(store, Limit(by="user", per="day", requests=2, tokens=100_000))
    server = sim(Rule(call=1, delay=30), Rule(reply="second"))

    async def main() -> None:
        async with AsyncPipeline(
            model=MODEL, **line_of(server, made, Hedge(delay=0.01), config={})
        ) as line:
            assert (await line.send("Hello", max_tokens=1000)).text == "second"

    asyncio.run(main())
    assert spent(made)["user ada requests"] == 2
    assert spent(made)["user ada tokens"] > 1000


def test_a_hit_of_the_cache_and_a_count_cost_nothing(run: Any, sim: Any, store: Any) -> None:
    made = budget(store, Limit(by="user", per="day", requests=1))

    async def body(line: Any) -> None:
        await line.send("Hello")
        await line.send("Hello")
        await line.count_tokens("Hello")
        await line.explain("Hello")

    run(body, **line_of(sim(), made, Cache()))
    assert spent(made) == {"user ada requests": 1}


def test_a_batch_reserves_at_half_price_and_its_results_settle(sim: Any, store: Any) -> None:
    made = budget(store, Limit(by="user", per="total", usd=1, tokens=100_000, requests=3))
    with Pipeline(model=MODEL, **line_of(sim(Rule(reply="Hi")), made)) as line:
        items = [BatchItem("a", "Hello", max_tokens=1000), BatchItem("b", "Hello", max_tokens=1000)]
        batch = line.batches.create(items)
        reserved = spent(made)
        facts = line.model_table.require(MODEL)
        assert facts.prices is not None
        full = 2 * 1000 * facts.prices.output * NANO / 1_000_000
        assert full / 2 <= reserved["user ada usd"] < full
        assert reserved["user ada requests"] == 2
        results = list(line.batches.results(line.batches.wait(batch)))
        with pytest.raises(PolicyViolation):
            line.batches.create(items)
    used = sum(r.reply.usage.total_input + r.reply.usage.output_tokens for r in results if r.reply)
    assert spent(made)["user ada tokens"] == used
    assert spent(made)["user ada requests"] == 2


def test_a_model_without_a_price_has_no_dollars_to_spend(
    blocking: Any, sim: Any, store: Any
) -> None:
    server = sim()
    made = budget(store, Limit(by="user", per="day", usd=1))
    with pytest.raises(PolicyViolation, match="nobody knows the price of llama-3"):
        blocking.send(
            line=line_of(server, made, config={"unknown_models": "allow"}), model="llama-3"
        )
    assert server.calls == []


def test_whoever_comes_near_a_limit_is_warned_once_in_the_log(
    blocking: Any, sim: Any, store: Any, logged: list[Any]
) -> None:
    made = budget(store, Limit(by="user", per="total", requests=4, warn_at=0.5))

    async def body(line: Any) -> list[bool]:
        replies = [await line.send("Hello") for _ in range(4)]
        return [any(plugin == "budget" for plugin, _ in r.trace.notes) for r in replies]

    assert blocking(body, **line_of(sim(), made)) == [False, True, True, True]
    warnings = [each["message"] for each in logged if "budget" in each["message"]]
    (warning,) = warnings
    assert "budget of the user ada has come to 2 requests of 4 requests in all" in warning


@pytest.mark.parametrize("rule", ["closed", "open"])
def test_a_store_that_is_down(run: Any, sim: Any, tmp_path: Path, rule: Any) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    server = sim()
    made = Budget(
        limits=(Limit(by="user", per="day", requests=9),),
        path=str(folder / "b.db"),
        on_store_failure=rule,
    )

    async def body(line: Any) -> Any:
        await line.send("Hello")
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
        return await line.send("Hello")

    if rule == "closed":
        with pytest.raises(PolicyViolation, match="cannot be looked up") as caught:
            run(body, **line_of(server, made))
        assert caught.value.rule == "budget-store"
        assert len(server.calls) == 1
    else:
        reply = run(body, **line_of(server, made))
        assert any("could not be kept" in text for _, text in reply.trace.notes)
        assert len(server.calls) == 2


def test_a_redis_server_that_is_down(blocking: Any, sim: Any, tmp_path: Path) -> None:
    limits = (Limit(by="user", per="day", requests=9),)
    nowhere = f"unix://{tmp_path}/none"
    with pytest.raises(PolicyViolation, match="cannot be looked up"):
        blocking.send(line=line_of(sim(), Budget(limits=limits, redis=nowhere)))
    passed = Budget(limits=limits, redis=nowhere, on_store_failure="open")
    assert blocking.send(line=line_of(sim(), passed)).text


@contextmanager
def silent(store: dict[str, Any]) -> Iterator[None]:
    """Let a store take connections and answer nothing."""
    if "path" in store:
        with closing(sqlite3.connect(store["path"], isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
        return
    from redis import Redis

    with Redis.from_url(store["redis"]) as client:
        server = client.info("server")["process_id"]
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)


@pytest.mark.skipif(os.name == "nt", reason="nobody can be stopped there")
@pytest.mark.parametrize("new", [True, False], ids=["a new connection", "a kept one"])
def test_a_store_that_is_silent_is_waited_for_so_long_and_no_longer(
    run: Any, sim: Any, store: Any, new: bool
) -> None:
    server = sim()
    limit = Limit(by="user", per="day", requests=9)
    budget(store, limit).ledger.reserve("made", [], 1.0)
    made = budget(store, limit, store_timeout=0.3)

    async def body(line: Any) -> None:
        if not new:
            await line.send("Hello")
        took = []
        with silent(store):
            for _ in range(3):  # a machine may be slow once
                began = time.monotonic()
                with pytest.raises(PolicyViolation, match="cannot be looked up"):
                    await line.send("Hello")
                took.append(time.monotonic() - began)
        assert min(took) < 1.9  # the default, and what Redis would do by itself

    run(body, **line_of(server, made))
    assert len(server.calls) == (not new)


@pytest.mark.skipif(os.name == "nt", reason="nobody can be stopped there")
def test_a_store_that_is_silent_is_not_waited_for_beyond_the_deadline(
    run: Any, sim: Any, store: Any
) -> None:
    server = sim()
    limit = Limit(by="user", per="day", requests=9)
    budget(store, limit).ledger.reserve("made", [], 1.0)
    made = budget(store, limit, store_timeout=60)

    async def body(line: Any) -> None:
        with silent(store), pytest.raises((PolicyViolation, DeadlineExceeded)):
            began = time.monotonic()
            await line.send("Hello", timeout=0.3)
        assert time.monotonic() - began < 30

    run(body, **line_of(server, made))
    assert not server.calls


def test_a_hundred_calls_at_once_against_a_budget_for_one(sim: Any, store: Any) -> None:
    made = budget(store, Limit(by="user", per="day", requests=1), store_timeout=60)
    server = sim(Rule(delay=0.05))

    async def main() -> list[Any]:
        async with AsyncPipeline(model=MODEL, **line_of(server, made)) as line:
            calls = (line.send("Hello") for _ in range(100))
            return list(await asyncio.gather(*calls, return_exceptions=True))

    outcomes = asyncio.run(main())
    assert sum(isinstance(each, PolicyViolation) for each in outcomes) == 99
    assert len(server.calls) == 1


CHILD = """
import sys, threading
from hookline import Pipeline, PolicyViolation
from hookline.plugin import Principal
from hookline.simulator import Rule, Scenario, Simulator
from hookline_plugins.policy.budget import Budget, Limit

store, limit, many = sys.argv[1:4]
made = Budget(limits=(Limit(by="user", per="day", requests=int(limit)),), store_timeout=60, **{store: sys.argv[4]})
passed = []
with Pipeline(base_url="sim:", model="claude-haiku-4-5", plugins=[made], principal=Principal(user="ada")) as line:
    def ask():
        try:
            line.send("Hello")
        except PolicyViolation:
            return
        passed.append(1)
    sys.stdin.readline()
    threads = [threading.Thread(target=ask) for _ in range(int(many))]
    [each.start() for each in threads]
    [each.join() for each in threads]
print(len(passed))
"""


@pytest.mark.parametrize("limit", [1, 7])
def test_two_processes_share_one_budget(store: dict[str, Any], limit: int) -> None:
    ((kind, where),) = store.items()
    command = [sys.executable, "-c", CHILD, kind, str(limit), "50", where]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    passed = [int(child.communicate(timeout=60)[0]) for child in children]
    assert sum(passed) == limit


KILLED = """
import os, signal, sys
from hookline import Pipeline, hookimpl
from hookline.plugin import Principal
from hookline_plugins.policy.budget import Budget, Limit

class Kill:
    @hookimpl
    def check_request(self):
        os.kill(os.getpid(), signal.SIGKILL)

limits = (Limit(by="user", per="total", requests=2, tokens=100000),)
made = Budget(limits=limits, **{sys.argv[1]: sys.argv[2]})
with Pipeline(base_url="sim:", model="claude-haiku-4-5", plugins=[made, Kill()], principal=Principal(user="ada")) as line:
    line.send("Hello", max_tokens=1000)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_a_process_killed_between_reserve_and_settle_leaves_the_worst_case(
    blocking: Any, sim: Any, store: dict[str, Any]
) -> None:
    ((kind, where),) = store.items()
    child = subprocess.run([sys.executable, "-c", KILLED, kind, where], check=False)
    assert child.returncode == -signal.SIGKILL
    made = budget(store, Limit(by="user", per="total", requests=2, tokens=100_000))
    left = spent(made)
    assert left["user ada requests"] == 1
    assert 1000 < left["user ada tokens"] < 1100
    line = line_of(sim(), made)
    blocking.send(line=line)
    with pytest.raises(PolicyViolation):
        blocking.send(line=line)


@pytest.fixture(params=["sqlite", "redis"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "redis":
        return RedisLedger(request.getfixturevalue("redis_url"))
    return SQLiteLedger(str(tmp_path / "b.db"))


def charges(*amounts: int, limit: int = 10) -> list[Charge]:
    accounts = [Account("user", "a*:b", "day", "2026-11-27", unit) for unit in ("usd", "tokens")]
    return [
        Charge(account, amount, limit, limit)
        for account, amount in zip(accounts, amounts, strict=False)
    ]


def test_a_reservation_is_settled_once(ledger: Any) -> None:
    assert ledger.reserve("one", charges(6, 3), 60.0) == (6, 3)
    refused = ledger.reserve("two", charges(1, 8), 60.0)
    assert refused == Exceeded(charges(1, 8)[1], 3)
    assert ledger.settle("one", [2, 5])
    assert not ledger.settle("one", [0, 0])
    assert not ledger.settle("two", [0, 0])
    assert {each.unit: amount for each, amount in ledger.spent()} == {"usd": 2, "tokens": 5}


def test_after_its_lease_a_reservation_stays_spent(tmp_path: Path) -> None:
    clock = [0.0]
    ledger = SQLiteLedger(str(tmp_path / "b.db"), lambda: clock[0])
    ledger.reserve("one", charges(6), 60.0)
    clock[0] = 61.0
    assert not ledger.settle("one", [0])
    assert [amount for _, amount in ledger.spent()] == [6]


def test_after_its_lease_a_reservation_in_redis_stays_spent(redis_url: str) -> None:
    from redis import Redis

    ledger = RedisLedger(redis_url)
    ledger.reserve("one", charges(6), 60.0)
    with Redis.from_url(redis_url, decode_responses=True) as client:
        (key,) = client.keys("*open:one")
        assert 50_000 < client.pttl(key) <= 60_000
        client.delete(key)
    assert not ledger.settle("one", [0])
    assert [amount for _, amount in ledger.spent()] == [6]


def test_large_sums_stay_exact_in_redis(redis_url: str) -> None:
    ledger = RedisLedger(redis_url)
    large = 1_000_000 * NANO + 1
    assert ledger.reserve("one", charges(large, limit=10 * large), 60.0) == (large,)
    ledger.settle("one", [large - 2])
    assert [amount for _, amount in ledger.spent()] == [large - 2]


@settings(max_examples=25, deadline=None)  # a disk may take its time
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()), max_size=30),
)
def test_reserved_and_settled_never_pass_the_limit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    ledger = SQLiteLedger(str(tmp_path_factory.mktemp("b") / "b.db"))
    expected = 0
    for number, (most, took, dies) in enumerate(steps):
        answer = ledger.reserve(str(number), charges(most, limit=20), 60.0)
        assert isinstance(answer, Exceeded) == (expected + most > 20)
        if isinstance(answer, Exceeded):
            continue
        expected += most if dies else min(took, most)
        if not dies:
            ledger.settle(str(number), [min(took, most)])
    assert sum(amount for _, amount in ledger.spent()) == expected <= 20


def test_threads_share_a_ledger(ledger: Any) -> None:
    ledger.open()
    fits: list[bool] = []

    def reserve(number: int) -> None:
        fits.append(isinstance(ledger.reserve(str(number), charges(1), 60.0), tuple))

    threads = [threading.Thread(target=reserve, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    assert sum(fits) == 10


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Budget(
                limits=(Limit(by="user", per="day", usd=1),), path="b", redis="redis://"
            ),
            "not both",
        ),
        (lambda: Limit(by="user", per="day"), "names no usd, tokens or requests"),
        (lambda: Limit(by="user", per="day", usd=-1), "usd of a limit must be"),
        (lambda: Limit(by="tag", per="day", usd=1), "names the key"),
        (lambda: Limit(by="user", tag="x", per="day", usd=1), "names the key"),
    ],
)
def test_what_makes_no_budget_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "b.db"}, "there are no limits"),
        ({"limits": (Limit(by="user", per="day", usd=1),)}, "where spending is kept"),
    ],
)
def test_a_budget_without_limits_or_store_opens_no_pipeline(
    options: dict[str, Any], words: str
) -> None:
    with (
        pytest.raises(PolicyViolation, match=words),
        Pipeline(model=MODEL, base_url="sim:", plugins=[Budget(**options)]),
    ):
        pass


def test_the_file_of_another_is_left_alone(blocking: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "cache.db")
    Cache(path=path)
    made = Budget(limits=(Limit(by="user", per="day", usd=1),), path=path)
    with pytest.raises(PolicyViolation, match="not a budget of Hookline"):
        blocking.send(line=line_of("sim:", made))


def test_options_come_from_a_file(tmp_path: Path) -> None:
    named = tmp_path / "acme.toml"
    named.write_text(
        f"""
[plugins.budget]
path = '{tmp_path / "b.db"}'
[[plugins.budget.limits]]
by = "team"
per = "month"
usd = 10.5
only = ["risk"]
""",
        encoding="utf-8",
    )
    with Pipeline(
        model=MODEL, base_url="sim:", config=str(named), principal=Principal(team="risk")
    ) as line:
        line.send("Hello")
    assert spent(Budget(limits=(Limit(by="user", per="day", usd=1),), path=str(tmp_path / "b.db")))


def test_the_command_shows_what_is_spent(store: Any, sim: Any, blocking: Any) -> None:
    made = budget(
        store,
        Limit(by="user", per="day", requests=4),
        Limit(by="user", per="day", requests=2, only=("ada",)),
        Limit(by="everybody", per="total", usd=1),
    )
    blocking.send(line=line_of(sim(), made))
    command = command_of(made.limits, made.ledger, made._clock)
    as_json = json.loads(CliRunner().invoke(command, ["--json"]).output)
    assert [(each["by"], each["subject"], each["limit"]) for each in as_json] == [
        ("everybody", "", 1.0),
        ("user", "ada", 2),
    ]
    assert 0 < as_json[0]["spent"] < 0.01
    assert as_json[1]["share"] == 0.5
    rows = list(csv.DictReader(CliRunner().invoke(command, ["--csv"]).output.splitlines()))
    assert [row["spent"] for row in rows] == [str(each["spent"]) for each in as_json]
    drawn = CliRunner().invoke(command, [], env={"COLUMNS": "120"}).output
    assert "██████████░░░░░░░░░░ 50%" in drawn
    later = command_of(made.limits, made.ledger, lambda: NOW + 400 * 86_400)
    assert [each["by"] for each in json.loads(CliRunner().invoke(later, ["--json"]).output)] == [
        "everybody"
    ]
    assert len(json.loads(CliRunner().invoke(later, ["--json", "--all"]).output)) == 2
    assert CliRunner().invoke(command, ["--json", "--csv"]).exit_code == 2
