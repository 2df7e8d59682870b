"""What a turn has cost in all: the reply, and everything that was asked on the way to it."""

import copy
import json
import pickle
from decimal import Decimal
from typing import Any

import pytest

from hookline import CallNext, Message, Pipeline, Reply, Request, Response, Turn, hookimpl
from hookline.cli.figures import Bill, figures
from hookline.endpoints import BatchItem
from hookline.models import load_models, price
from hookline.plugin import whole
from hookline.simulator import Rule

MODEL, GUARD = "claude-opus-5-5", "claude-haiku-4-5"


class Guard:
    """Asks another model first."""

    model = GUARD

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        if turn.asks_model and turn.step == 0:
            question = Request(self.model, 5, (Message("user", "Is this harmful?"),))
            await whole(await call_next(question))
        return await call_next(request)


def by_hand(reply: Reply) -> Decimal:
    """Reckon again from what the API told of each attempt."""
    costs = [
        price(each.usage, load_models().require(each.answered_by or ""))
        for each in reply.trace.attempts
        if each.usage is not None
    ]
    return sum((cost for cost in costs if cost is not None), Decimal(0))


def test_a_question_to_a_second_model_is_in_the_total(run: Any, sim: Any, streamed: bool) -> None:
    line = {"base_url": sim(), "model": MODEL, "plugins": [Guard()]}
    reply = run.outcome(streamed, "Hello", line=line)
    first, second = reply.trace.attempts
    assert (first.answered_by, second.answered_by) == ("claude-haiku-4-5-20251001", MODEL)
    assert reply.cost == second.cost > 0
    assert reply.total_cost == first.cost + second.cost == by_hand(reply)


def test_the_total_is_in_every_form(sim: Any) -> None:
    with Pipeline(base_url=sim(), model=MODEL, plugins=[Guard()]) as line:
        reply = line.send("Hello")
    total, own = reply.total_cost, reply.cost
    assert total is not None
    assert own is not None
    for same in (copy.deepcopy(reply), pickle.loads(pickle.dumps(reply))):  # noqa: S301 -- our own
        assert same.total_cost == total
    told = json.loads(json.dumps(reply.to_dict()))
    assert told["total_cost"] == float(total) > told["cost"]
    assert sum(each["cost"] for each in told["trace"]["attempts"]) == pytest.approx(float(total))
    for attempt in reply.trace.attempts:
        assert f"status 200 · ${attempt.cost:.6f}" in reply.trace.render()
    assert figures(reply).endswith(f"${own:.6f} · ${total:.6f} in all")
    assert f"${total:.6f} in all" in reply._repr_html_()
    bill = Bill()
    bill.add(reply)
    bill.add(reply)
    assert f"${2 * total:.6f} · ${2 * (total - own):.6f} of it beside the replies" in str(bill)


def test_nothing_is_said_twice_where_nothing_came_beside(sim: Any) -> None:
    with Pipeline(base_url=sim(), model=MODEL) as line:
        reply = line.send("Hello")
    assert reply.total_cost == reply.cost
    assert "in all" not in figures(reply) + reply._repr_html_()
    bill = Bill()
    bill.add(reply)
    assert "beside" not in str(bill)


def test_all_steps_are_in_both(run: Any, sim: Any, streamed: bool) -> None:
    def weather(city: str) -> str:
        return f"Rain in {city}."

    server = sim(
        Rule(call=1, tool_use={"name": "weather", "input": {"city": "Ulm"}}), Rule(reply="Rain.")
    )
    line = {"base_url": server, "model": GUARD}
    reply = run.outcome(streamed, "Weather?", line=line, tools=[weather])
    assert len(reply.earlier) == 1
    assert reply.total_cost == reply.cost == by_hand(reply)


def test_what_nobody_knows_the_price_of_makes_the_total_unknown(
    sim: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Yes.", model=request.json["model"])))
    guard = Guard()
    guard.model = "ants-7b"
    with Pipeline(**{**server.line, "model": MODEL}, plugins=[guard]) as line:
        reply = line.send("Hello")
    assert reply.cost is not None
    assert reply.total_cost is None
    assert reply.to_dict()["total_cost"] is None
    bill = Bill()
    bill.add(reply)
    assert "the cost of 1 is not known" in str(bill)


def test_what_was_tried_in_vain_costs_nothing(sim: Any) -> None:
    server = sim(Rule(status=529, headers={"retry-after": "0"}, times=1), Rule(reply="Yes."))
    with Pipeline(base_url=server, model=MODEL) as line:
        reply = line.send("Hello")
    assert len(reply.trace.attempts) == 2
    assert reply.total_cost == reply.cost


def test_a_cached_answer_costs_nothing(sim: Any) -> None:
    from hookline_plugins.storage.cache import Cache

    with Pipeline(base_url=sim(), model=MODEL, plugins=[Cache()]) as line:
        line.send("Hello")
        again = line.send("Hello")
    assert again.trace.attempts == []
    assert again.total_cost == again.cost == 0


def test_a_batch_costs_half(sim: Any) -> None:
    with Pipeline(base_url=sim(), model=MODEL) as line:
        single = line.send("Hello")
        batch = line.batches.create([BatchItem("a", "Hello")])
        (result,) = line.batches.results(batch)
    assert result.reply is not None
    assert result.reply.total_cost == result.reply.cost == single.cost / 2  # type: ignore[operator] # a price there is
