"""What plugins keep: for a turn, for a conversation, by key; and on whose behalf a turn is taken."""

import contextvars
from typing import Any

import pytest
from attrs import frozen

from hookline import (
    ConfigError,
    Destination,
    InputError,
    Pipeline,
    Principal,
    Response,
    TextBlock,
    hookimpl,
)
from hookline.plugin import Book, ConversationState, Layer, TurnState
from hookline.simulator import Rule


@frozen
class Counter:
    """Equal to every other one, and not hashable by identity."""

    seen = TurnState(int)
    turns = ConversationState(list[str])

    @hookimpl
    def build_history(self, turn: Any) -> None:
        self.seen[turn] += 1
        self.turns[turn].append(turn.id)

    @hookimpl
    def post_process(self, turn: Any) -> None:
        assert self.seen[turn] == 1


def test_two_equal_plugins_are_two(run: Any) -> None:
    from hookline._journey.plugin_set import Plugin

    one, two = Counter(), Counter()
    assert one == two
    plugins = [Plugin("one", one), Plugin("two", two)]

    async def body(line: Any) -> None:
        await line.send("Hello")
        await line.send("Hello")

    run(body, plugins=plugins)


def test_a_conversation_keeps_what_a_turn_forgets(run: Any) -> None:
    kept: list[int] = []

    class Remembers:
        heard = ConversationState(list[str])

        @hookimpl
        def on_turn_end(self, turn: Any) -> None:
            self.heard[turn].append(turn.id)
            kept.append(len(self.heard[turn]))

    async def body(line: Any) -> None:
        chat = line.conversation()
        await chat.send("Hello")
        await chat.send("Hello")
        await line.conversation().send("Hello")
        await line.send("Hello")

    run(body, plugins=[Remembers()])
    assert kept == [1, 2, 1, 1]


def test_a_book_forgets_what_was_not_used_for_longest() -> None:
    book: Book[int, list[int]] = Book(most=3)
    for key in (1, 2, 3):
        book.get(key, list).append(key)
    book.get(1, list)
    book.get(4, list)
    assert len(book) == 3
    assert book.get(1, list) == [1]
    assert book.get(2, list) == []


def test_the_books_of_the_standard_plugins_are_bounded(sim: Any) -> None:
    from hookline_plugins.resilience.breaker import Breaker
    from hookline_plugins.resilience.hedge import Hedge
    from hookline_plugins.resilience.limiter import Limiter
    from hookline_plugins.resilience.retry import Retry

    breaker, limiter, hedge, retry = Breaker(), Limiter(), Hedge(delay=5), Retry()

    class Everywhere:
        """Sends each turn to another address, which the books take for another upstream."""

        name = "everywhere"
        layer = Layer.POLICY

        @hookimpl
        async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
            turn.destination = Destination(base_url=f"sim:{turn.id}")
            try:
                return await call_next(request)
            finally:
                turn.destination = Destination(base_url="sim:")

    class Answers:
        layer = Layer.RECORD

        @hookimpl
        async def send(self, request: Any) -> Any:
            return Response("msg_1", request.model, (TextBlock("Hello!"),), "end_turn")

    plugins = [breaker, limiter, hedge, retry, Everywhere(), Answers()]
    config = {"plugins": {"enable": ["history"]}}
    with Pipeline(base_url=sim(), plugins=plugins, config=config) as line:
        for _ in range(1010):
            line.send("Hello")
    books = [breaker._circuits, limiter._gates, hedge._known, retry._budgets]
    assert [len(book) for book in books] == [1000] * 4  # type: ignore[arg-type]


def test_the_principal_of_the_owner_is_fixed(run: Any) -> None:
    seen: list[Principal] = []

    class Looks:
        @hookimpl
        def on_turn_start(self, turn: Any) -> None:
            seen.append(turn.principal)

    owner, caller = Principal(user="ada", team="bees"), Principal(user="eve")
    run.send(line={"plugins": [Looks()], "principal": owner})
    run.send(line={"plugins": [Looks()]}, principal=caller)
    run.send(line={"plugins": [Looks()]})
    assert seen == [owner, caller, Principal()]
    with pytest.raises(InputError, match="owner has fixed"):
        run.send(line={"principal": owner}, principal=caller)
    with pytest.raises(InputError, match="Principal"):
        run.send(line={}, principal="ada")
    with pytest.raises(ConfigError, match="Principal"):
        Pipeline(base_url="sim:", principal="ada")  # type: ignore[arg-type]


def test_context_variables_reach_tools(run: Any, sim: Any) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    seen: list[str] = []

    def look(number: int) -> str:
        """Look."""
        seen.append(who.get())
        return "done"

    uses = [{"name": "look", "input": {"number": each}} for each in (1, 2)]
    server = sim(Rule(tool_use=uses, times=1))

    async def body(line: Any) -> None:
        who.set("ada")
        await line.send("Hello", tools=[look])

    run(body, base_url=server)
    assert seen == ["ada", "ada"]


def test_ids_of_turns_are_unique_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    seen: list[str] = []

    class Looks:
        @hookimpl
        def on_turn_start(self, turn: Any) -> None:
            seen.append(turn.id)

    with Pipeline(base_url="sim:", plugins=[Looks()]) as line:
        line.send("Hello")
        monkeypatch.setattr(os, "getpid", lambda: 4242)
        line.send("Hello")
    assert seen[1].startswith("turn_4242_")
    assert seen[0].split("_")[1] != "4242"
