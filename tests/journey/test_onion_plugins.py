"""All plugins of the sending at once: their order, and that they do not stand in each other's way."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from hookline import AsyncPipeline, Pipeline
from hookline.simulator import Rule
from hookline_plugins.resilience.limiter import Limiter

ORDER = ["cache", "resume", "fallback", "breaker", "retry", "hedge", "limiter", "record"]


def config(path: Path) -> dict[str, Any]:
    return {
        "plugins": {
            "record": {"path": str(path)},
            "limiter": {"requests": 1000},
            "hedge": {"delay": 30.0},
            "breaker": {"minimum": 100},
            "fallback": {"models": ["claude-haiku-5-5"]},
            "resume": {"attempts": 3},
            "cache": {"ttl": 60.0},
            "retry": {"base": 0.001, "throttle_base": 0.001},
        }
    }


def test_the_onion_is_in_order_however_it_is_listed(tmp_path: Path) -> None:
    with Pipeline(base_url="sim:", config=config(tmp_path / "calls.jsonl")) as line:
        names = [each.plugin for each in line.plugins.of("send")]
    assert [name for name in names if name in ORDER] == ORDER


def test_they_work_together(run: Any, sim: Any, streamed: Any, tmp_path: Path) -> None:
    server = sim(Rule(status=529, times=1), Rule(reply="Hello to you too", chunk=4))
    line = {"base_url": server, "config": config(tmp_path / "calls.jsonl")}
    assert run.outcome(streamed, line=line).text == "Hello to you too"
    assert len(server.calls) == 2


def test_a_stream_survives_overload_a_break_and_a_second_model(
    run: Any, sim: Any, tmp_path: Path
) -> None:
    whole = "Once upon a time there was an ant."
    server = sim(
        Rule(model="claude-haiku-4-5", status=529, times=3),
        Rule(model="claude-haiku-5-5", reply=whole, chunk=5, cut_after=3 + 3, times=1),
        Rule(reply=whole[15:]),
    )
    line = {"base_url": server, "config": config(tmp_path / "calls.jsonl")}

    async def body(pipeline: Any) -> list[str]:
        texts = []
        for _ in range(2):
            async with pipeline.stream("Tell me a story") as stream:
                texts.append("".join([piece async for piece in stream.text]))
        return texts

    assert run(body, **line) == [whole, whole]  # the second time from the cache
    assert len(server.calls) == 5


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_is_cancelled_while_waiting_gives_up_the_place_in_the_line(
    backend: str, sim: Any
) -> None:
    limiter = Limiter(concurrency=1)

    async def main() -> None:
        async with (
            AsyncPipeline(base_url=sim(), model="claude-haiku-4-5", plugins=[limiter]) as line,
            line.stream("Hello") as stream,
        ):
            with anyio.move_on_after(0.05) as scope:
                await line.send("Hello")
            assert scope.cancelled_caught
            await stream.reply
            await line.send("Hello")

    anyio.run(main, backend=backend)
    (gate,) = limiter._gates
    assert (len(gate._line), len(gate._inside), len(gate._due)) == (0, 0, 0)
