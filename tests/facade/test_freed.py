"""What a turn holds is free as soon as it ends: images of megabytes do not wait for a garbage collection."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from hookline import AsyncPipeline, Pipeline, Turn, hookimpl


class Watch:
    """Remembers turns without keeping them."""

    role = "observer"

    def __init__(self) -> None:
        self.turns: list[weakref.ref[Turn]] = []

    @hookimpl
    def on_turn_start(self, turn: Turn) -> None:
        self.turns.append(weakref.ref(turn))

    @property
    def alive(self) -> list[bool]:
        return [turn() is not None for turn in self.turns]


@pytest.fixture
def watch() -> Iterator[Watch]:
    gc.collect()
    gc.disable()
    try:
        yield Watch()
    finally:
        gc.enable()


def test_a_turn_is_free_when_it_has_ended(watch: Watch) -> None:
    with Pipeline(base_url="sim:", plugins=[watch]) as line:
        line.send("Hello")
        with line.stream("Hello") as stream:
            assert stream.reply.text
        del stream
        assert watch.alive == [False, False]


def test_a_turn_is_free_when_it_has_ended_in_async_code(watch: Watch) -> None:
    async def main() -> None:
        async with AsyncPipeline(base_url="sim:", plugins=[watch]) as line:
            await line.send("Hello")
            async with line.stream("Hello") as stream:
                assert [text async for text in stream.text]
            del stream
            assert watch.alive == [False, False]

    asyncio.run(main())
