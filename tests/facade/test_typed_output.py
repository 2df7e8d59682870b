"""What type checkers know of ``output=``: `make types` holds every ``assert_type`` of this module.

Each also runs, so that what is promised to a checker is what comes.
"""

import asyncio
from typing import TYPE_CHECKING, Any, assert_type

from attrs import frozen

from hookline import AsyncPipeline, Pipeline, Reply
from hookline.simulator import Rule, Scenario, Simulator
from hookline.streams import AsyncStream, Stream


@frozen
class Ant:
    """An ant."""

    latin: str


NIGER = Ant("Lasius niger")
SAID = '{"latin": "Lasius niger"}'


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def _line(*rules: Rule) -> Pipeline:
    simulator = Simulator(Scenario.of(*rules, Rule(reply=SAID)))
    return Pipeline(base_url=simulator, model="claude-haiku-4-5")


def test_a_reply_is_one_of_the_type_that_was_asked_for() -> None:
    with _line() as line:
        reply = line.send("An ant?", output=Ant)
        assert_type(reply, Reply[Ant])
        assert_type(reply.output, Ant)
        assert reply.output == NIGER
        assert_type(reply.evolve(prefill=None).output, Ant)
        chat = line.conversation()
        assert assert_type(chat.send("An ant?", output=Ant).output, Ant) == NIGER


def test_it_is_so_beside_tools_too() -> None:
    with _line(Rule(call=1, tool_use={"name": "weather", "input": {"city": "Bern"}})) as line:
        reply = line.send("An ant, and the weather?", output=Ant, tools=[weather])
        assert assert_type(reply.output, Ant) == NIGER
        assert len(reply.earlier) == 1


def test_a_stream_ends_in_such_a_reply() -> None:
    with _line() as line:
        with line.stream("An ant?", output=Ant) as stream:
            assert_type(stream, Stream[Ant])
            assert assert_type(stream.reply.output, Ant) == NIGER
        with line.conversation().stream("An ant?", output=Ant) as stream:
            assert assert_type(stream.reply.output, Ant) == NIGER


def test_async_code_is_told_the_same() -> None:
    async def ask() -> None:
        simulator = Simulator(Scenario.of(Rule(reply=SAID)))
        async with AsyncPipeline(base_url=simulator, model="claude-haiku-4-5") as line:
            assert assert_type((await line.send("An ant?", output=Ant)).output, Ant) == NIGER
            chat = line.conversation()
            assert assert_type((await chat.send("An ant?", output=Ant)).output, Ant) == NIGER
            async with line.stream("An ant?", output=Ant) as stream:
                assert_type(stream, AsyncStream[Ant])
                assert assert_type((await stream.reply).output, Ant) == NIGER

    asyncio.run(ask())


def test_other_forms_of_types_are_taken() -> None:
    with _line(Rule(call=1, reply='{"value": 3}'), Rule(call=2, reply='{"value": 3}')) as line:
        assert assert_type(line.send("How many?", output=int).output, int) == 3
        either = line.send("How many?", output=int | str).output
        if not TYPE_CHECKING:  # mypy knows nothing of a union, pyright all
            assert either == 3
        schema: dict[str, Any] = {"type": "object", "properties": {"latin": {"type": "string"}}}
        assert assert_type(line.send("Ant?", output=schema).output, Any) == {"latin": NIGER.latin}


def test_who_asks_for_nothing_is_told_nothing() -> None:
    with _line() as line:
        reply = line.send("An ant?")
        assert_type(reply, Reply[Any])
        assert reply.output is None
