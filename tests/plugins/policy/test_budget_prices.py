"""What `budget` reckons with: the dearest that may come, and what came to the last token."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from hookline import InputError, PolicyViolation, StreamInterrupted
from hookline.models import load_models, price
from hookline.simulator import Rule
from hookline.values import Usage
from hookline_plugins.policy.budget import Budget, Limit
from hookline_plugins.policy.budget.ledger import Charge, SQLiteLedger
from hookline_plugins.policy.budget.limits import NANO, Account
from hookline_plugins.policy.budget.redis import RedisLedger

HAIKU, OPUS = "claude-haiku-5-5", "claude-opus-5-5"
FALLBACK = "server-side-fallback-2026-07-01"


def budget(tmp_path: Path, *limits: Limit, **options: Any) -> Budget:
    return Budget(limits=limits or (DOLLARS,), path=str(tmp_path / "budget.db"), **options)


DOLLARS = Limit(by="everybody", per="total", usd=100, tokens=10_000_000)


def spent(made: Budget) -> dict[str, int]:
    return {each.unit: amount for each, amount in made.ledger.spent()}


USAGES: dict[str, tuple[dict[str, Any], str]] = {
    # usage, and US dollars by facts 9.1, worked out by hand
    "uncached": ({"input_tokens": 1000, "output_tokens": 100}, "0.00015"),
    "written for 5 minutes": (
        {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 80_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 80_000, "ephemeral_1h_input_tokens": 0},
        },
        "0.01",
    ),
    "written for an hour": (
        {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 80_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 80_000},
        },
        "0.016",
    ),
    "written for both": (
        {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 80_000,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 40_000,
                "ephemeral_1h_input_tokens": 40_000,
            },
        },
        "0.013",
    ),
    "read": ({"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 50_000}, "0.0005"),
    "at the step": ({"input_tokens": 100_000, "output_tokens": 1000}, "0.0105"),
    "over the step": ({"input_tokens": 100_001, "output_tokens": 1000}, "0.0525005"),
    "over the step by what was read": (
        {"input_tokens": 1, "output_tokens": 1000, "cache_read_input_tokens": 100_000},
        "0.0075005",
    ),
    "in the US": (
        {"input_tokens": 1000, "output_tokens": 100, "inference_geo": "us"},
        "0.000165",
    ),
    "elsewhere": (
        {"input_tokens": 1000, "output_tokens": 100, "inference_geo": "global"},
        "0.00015",
    ),
    "batch": ({"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"}, "0.000075"),
    "with a compaction, which the totals leave out": (
        {
            "input_tokens": 1000,
            "output_tokens": 100,
            "iterations": [
                {"type": "compaction", "input_tokens": 100_001, "output_tokens": 1000},
                {"type": "message", "input_tokens": 1000, "output_tokens": 100},
            ],
        },
        "0.0526505",
    ),
}


@pytest.mark.parametrize("case", USAGES)
def test_prices_are_those_of_the_facts(case: str) -> None:
    usage, dollars = USAGES[case]
    assert price(Usage(**usage), load_models().require(HAIKU)) == Decimal(dollars)


@pytest.mark.parametrize("case", USAGES)
def test_what_a_reply_costs_is_what_the_budget_is_charged(
    run: Any, sim: Any, tmp_path: Path, streamed: bool, case: str
) -> None:
    usage, dollars = USAGES[case]
    made = budget(tmp_path)
    line = {"base_url": sim(Rule(usage=usage)), "plugins": [made], "model": HAIKU}
    reply = run.outcome(streamed, "Hello", line=line)
    if streamed and "iterations" in usage:
        assert "iterations" in reply.usage.extra or reply.usage.iterations
    assert reply.cost == Decimal(dollars)
    assert spent(made)["usd"] == Decimal(dollars) * NANO


def test_the_price_of_fast_mode_is_not_known(
    run: Any, sim: Any, tmp_path: Path, streamed: bool
) -> None:
    server = sim(Rule(usage={"speed": "fast"}))
    line = {"base_url": server, "plugins": [budget(tmp_path)], "model": OPUS}
    with pytest.raises(PolicyViolation, match="price of claude-opus-5-5 in fast mode"):
        run.outcome(streamed, "Hello", line=line, speed="fast")
    assert server.calls == []
    assert run.outcome(streamed, "Hello", line=line | {"plugins": []}, speed="fast").cost is None


def start_of(model: str = HAIKU) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    told = {"stop_reason": None, "stop_sequence": None}
    return {
        "type": "message_start",
        "message": message | told | {"usage": {"input_tokens": 10, "output_tokens": 1}},
    }


def block(index: int, begun: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": each} for each in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def said(index: int, text: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, {"type": "text_delta", "text": text})


def line_of(server: Any, *plugins: Any) -> dict[str, Any]:
    return {"base_url": server.url, "plugins": list(plugins), "model": HAIKU, "api_key": "k"}


def test_what_a_stream_tells_last_is_what_holds(
    run: Any, loopback: Any, sse: Any, sse_head: bytes, tmp_path: Path
) -> None:
    """A search at the API brings input that ``message_start`` does not know of."""
    usage = {
        "input_tokens": 9000,
        "output_tokens": 20,
        "cache_read_input_tokens": None,
        "server_tool_use": {"web_search_requests": 2},
    }
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    events = [start_of(), *said(0, "Hi"), end, {"type": "message_stop"}]
    made = budget(tmp_path)
    server = loopback(lambda _request: sse_head + sse(*events))
    reply = run.outcome(True, "Hello", line=line_of(server, made))
    assert reply.usage.input_tokens == 9000
    assert reply.trace.attempts[0].usage.server_tool_use == {"web_search_requests": 2}
    assert reply.cost == Decimal("0.00091")
    assert spent(made) == {"usd": 910_000, "tokens": 9020}


@pytest.mark.parametrize(
    ("events", "known"),
    [
        (said(0, "word " * 20), True),
        (block(0, {"type": "thinking", "thinking": "", "signature": ""}), False),
        (block(0, {"type": "redacted_thinking", "data": "eA=="}) + said(1, "Hi"), False),
        (
            block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "Hm, well."},
            ),
            True,
        ),
    ],
    ids=["text", "hidden thinking", "redacted thinking", "thinking"],
)
@pytest.mark.parametrize("ends_in", ["nothing", "an error"])
def test_thoughts_that_nobody_saw_stay_at_the_worst_case(
    run: Any,
    loopback: Any,
    sse: Any,
    sse_head: bytes,
    tmp_path: Path,
    events: list[dict[str, Any]],
    known: bool,
    ends_in: str,
) -> None:
    made = budget(tmp_path)
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    last = [error] if ends_in == "an error" else []
    server = loopback(lambda _request: sse_head + sse(start_of(), *events, *last))
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server, made), max_tokens=3000)
    assert (spent(made)["tokens"] > 3000) is not known
    assert spent(made)["tokens"] > 10


def test_whoever_takes_over_in_a_stream_is_paid(
    run: Any, loopback: Any, sse: Any, sse_head: bytes, tmp_path: Path
) -> None:
    hop = {"type": "fallback", "from": {"model": HAIKU}, "to": {"model": OPUS}}
    events = [start_of(), *block(0, hop), *said(1, "x" * 200)]
    made = budget(tmp_path)
    server = loopback(lambda _request: sse_head + sse(*events))  # and it breaks off
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server, made), max_tokens=3000)
    paid = price(Usage(input_tokens=10, output_tokens=100), load_models().require(OPUS))
    assert paid is not None
    assert spent(made)["usd"] == paid * NANO


@pytest.mark.parametrize(
    ("options", "dearest"),
    [
        ({}, HAIKU),
        ({"fallbacks": [{"model": OPUS}], "betas": [FALLBACK]}, OPUS),
        ({"fallbacks": [{"model": HAIKU}], "betas": [FALLBACK]}, HAIKU),
        ({"fallbacks": "default", "betas": [FALLBACK]}, "claude-fable-5"),
    ],
    ids=["alone", "a dearer one", "as dear", "whom the API chooses"],
)
def test_the_reservation_is_for_the_dearest_that_may_answer(
    blocking: Any, sim: Any, tmp_path: Path, options: dict[str, Any], dearest: str
) -> None:
    """The whole of `max_tokens` by the dearest, where the workspace's place is the dearer one, too."""
    facts = load_models().require(dearest)
    assert facts.prices is not None
    least = Decimal("1.1") * facts.prices.output * 2000 / 1_000_000
    line = {"base_url": sim(), "model": HAIKU}
    for limit, fits in ((least * Decimal("0.99"), False), (least * 2, True)):
        path = tmp_path / f"{fits}"
        path.mkdir()
        made = budget(path, Limit(by="everybody", per="total", usd=float(limit)))
        if fits:
            blocking.send("Hi", line=line | {"plugins": [made]}, max_tokens=2000, **options)
        else:
            with pytest.raises(PolicyViolation, match="this attempt may take"):
                blocking.send("Hi", line=line | {"plugins": [made]}, max_tokens=2000, **options)


def test_a_fallback_without_a_price_has_no_dollars(blocking: Any, sim: Any, tmp_path: Path) -> None:
    server = sim()
    line = {"base_url": server, "model": HAIKU, "plugins": [budget(tmp_path)]}
    fallbacks = [{"model": "claude-mythos-preview"}]
    with pytest.raises(PolicyViolation, match=f"price of {HAIKU} or one of its fallbacks"):
        blocking.send(line=line, fallbacks=fallbacks, betas=[FALLBACK])
    assert server.calls == []


@pytest.mark.parametrize("named", ["claude-haiku-4-5", "claude-haiku-4-5-20251001"])
def test_a_model_has_one_account_whichever_of_its_names_is_asked(
    blocking: Any, sim: Any, tmp_path: Path, named: str
) -> None:
    limit = Limit(by="model", per="total", requests=1, only=(named,))
    made = budget(tmp_path, limit)
    line = {"base_url": sim(), "plugins": [made]}
    blocking.send(line=line, model="claude-haiku-4-5")
    for other in ("claude-haiku-4-5-20251001", "claude-haiku-4-5"):
        with pytest.raises(PolicyViolation, match="0 requests of 1"):
            blocking.send(line=line, model=other)
    blocking.send(line=line, model=HAIKU)  # it is for the other one only
    ((account, amount),) = made.ledger.spent()
    assert (account.subject, amount) == ("claude-haiku-4-5-20251001", 1)
    assert limit.holds(account, load_models())


def test_a_reservation_that_is_sent_again_is_charged_once(redis_url: str) -> None:
    """As a client does when a connection ends before the answer to a script has come."""
    ledger = RedisLedger(redis_url)
    account = Account("user", "ada", "total", "", "requests")
    charge = Charge(account, 2, 3, 3)
    assert ledger.reserve("one", [charge], 60) == (2,)
    assert ledger.reserve("one", [charge], 60) == (2,)
    assert ledger.settle("one", [1])
    assert not ledger.settle("one", [1])
    assert dict(ledger.spent()) == {account: 1}
    ledger.close()


def test_a_store_that_cannot_be_read_is_an_error(redis_url: str, tmp_path: Path) -> None:
    path = tmp_path / "budget.db"
    path.write_text("no database " * 100)
    with pytest.raises(InputError, match=r"budget.db cannot be read"):
        list(SQLiteLedger(str(path)).spent())
    with pytest.raises(InputError, match="spending in Redis cannot be read"):
        list(RedisLedger(f"unix://{tmp_path}/nobody").spent())
    ledger = RedisLedger(redis_url)
    ledger.reserve("one", [Charge(Account("user", "ada", "total", "", "requests"), 1, 3, 3)], 60)
    with Redis.from_url(redis_url) as client:
        client.hset(next(client.scan_iter("*spent*")), "no JSON", "x")
    with pytest.raises(InputError, match="spending in Redis cannot be read"):
        list(ledger.spent())
    ledger.close()
