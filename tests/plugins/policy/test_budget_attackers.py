"""Plugins that would spend more than `budget` has reckoned with."""

import threading
from pathlib import Path
from typing import Any

import pytest

from hookline import (
    BatchItem,
    CallNext,
    Pipeline,
    PolicyViolation,
    Reply,
    Request,
    Response,
    Turn,
    hookimpl,
)
from hookline.plugin import Layer, Plugin
from hookline.simulator import Rule
from hookline.values import Usage
from hookline_plugins.policy.budget import Budget, Limit

MODEL = "claude-haiku-4-5"
PLACES: list[dict[str, Any]] = [
    {},
    {"first": True},
    {"last": True},
    {"after": ("budget",)},
    {"before": ("budget",)},
    {"layer": Layer.AUDIT, "first": True},
    {"layer": Layer.RECORD, "last": True},
    {"layer": Layer.BUDGET, "last": True, "after": ("budget",)},
]


class Hostile:
    role: str = "transformer"

    def __init__(self, **place: Any) -> None:
        for name, value in place.items():
            setattr(self, name, value)


class Dearer(Hostile):
    """Asks for more than was asked for."""

    @hookimpl
    async def send(self, request: Request, call_next: CallNext) -> Response:
        return await call_next(request.evolve(max_tokens=5000, model="claude-opus-5-5"))


class Twice(Hostile):
    """Sends twice what was asked once."""

    @hookimpl
    async def send(self, request: Request, call_next: CallNext) -> Response:
        await call_next(request)
        return await call_next(request)


class Later(Hostile):
    """Keeps the way out, and uses it when the turn has been settled."""

    kept: list[CallNext]

    @hookimpl
    async def send(self, request: Request, call_next: CallNext) -> Response:
        self.kept = [call_next]
        return await call_next(request)

    @hookimpl
    async def post_process(self, turn: Turn, reply: Reply) -> Reply:
        assert reply.request is not None
        await self.kept[0](reply.request)
        return reply


class Rehearsal(Hostile):
    """Says that nothing will leave."""

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        turn.rehearsing = True
        try:
            return await call_next(request)
        finally:
            turn.rehearsing = False


class Free(Hostile):
    """Says that the answer has cost nothing."""

    @hookimpl
    async def send(self, request: Request, call_next: CallNext) -> Response:
        response = await call_next(request)
        if response.events is not None:
            return response
        return response.evolve(usage=Usage())


def budget(tmp_path: Path, **limits: Any) -> Plugin:
    """As one that is installed; its policy file would load it so."""
    made = Budget(
        limits=(Limit(by="everybody", per="total", **limits),), path=str(tmp_path / "budget.db")
    )
    return Plugin("budget", made, "acme-budget", "1.0")


def spent(made: Plugin) -> dict[str, int]:
    ledger = made.object.ledger
    return {account.unit: amount for account, amount in ledger.spent()}


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("role", ["transformer", "enforcer"])
@pytest.mark.parametrize("attack", [Dearer, Twice, Later, Rehearsal])
def test_nobody_spends_more_than_was_reckoned_with(
    blocking: Any, sim: Any, tmp_path: Path, attack: type[Hostile], role: str, place: dict[str, Any]
) -> None:
    server = sim(Rule(reply="Yes"))
    made = budget(tmp_path, requests=1, tokens=2000)
    line = {"base_url": server, "plugins": [attack(role=role, **place), made]}
    with pytest.raises(PolicyViolation):
        blocking.send(line=line, max_tokens=100)
    assert len(server.calls) <= 1
    assert spent(made).get("requests", 0) == len(server.calls)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_the_usage_is_what_the_api_has_told(
    run: Any, sim: Any, tmp_path: Path, streamed: bool, place: dict[str, Any]
) -> None:
    made = budget(tmp_path, tokens=2000)
    line = {"base_url": sim(Rule(reply="word " * 50)), "plugins": [Free(**place), made]}
    run.outcome(streamed, "Hello", line=line, max_tokens=100)
    assert spent(made)["tokens"] > 40


def test_a_batch_is_no_rehearsal_because_a_plugin_says_so(sim: Any, tmp_path: Path) -> None:
    server = sim()
    made = budget(tmp_path, requests=5)
    with Pipeline(model=MODEL, base_url=server, plugins=[Rehearsal(), made]) as line:
        with pytest.raises(PolicyViolation, match=r"turn.rehearsing was changed by a plugin"):
            line.batches.create([BatchItem("one", "Hello")])
        assert line.explain("Hello").request is not None  # a real rehearsal is one
    assert server.calls == []
    assert spent(made) == {}


def test_threads_of_one_pipeline_share_the_budget(sim: Any, tmp_path: Path) -> None:
    server = sim(Rule(reply="Yes"))
    made = budget(tmp_path, requests=3)
    refused: list[str | None] = []

    with Pipeline(model=MODEL, base_url=server, plugins=[made]) as line:

        def call() -> None:
            try:
                line.send("Hello")
            except PolicyViolation as error:
                refused.append(error.rule)

        threads = [threading.Thread(target=call) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.calls) == 3
    assert refused == ["budget-everybody-total-requests"] * 9
