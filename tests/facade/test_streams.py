"""Streams as callers use them."""

import asyncio
import gc
from typing import Any

import pytest

from hookline import AsyncPipeline, HooklineError, Pipeline
from hookline.models import load_models, price
from hookline.simulator import Rule
from hookline.values.events import ContentBlockDelta, MessageStart, MessageStop


def test_the_pieces_of_text_are_the_text_of_the_reply(run: Any) -> None:
    text, reply = run.stream("Write a haiku", line={}, prefill="Old pond")
    assert text == reply.text
    assert text.startswith("Old pond")


def test_the_prefill_comes_first_even_if_nothing_follows(run: Any, sim: Any) -> None:
    text, reply = run.stream(line={"base_url": sim(Rule(reply=""))}, prefill="So")
    assert text == reply.text == "So"


def test_events_come_in_their_documented_order(run: Any) -> None:
    async def body(line: Any) -> list[Any]:
        async with line.stream("Hello") as stream:
            return [event async for event in stream.events]

    events = run(body)
    assert isinstance(events[0], MessageStart)
    assert isinstance(events[-1], MessageStop)
    assert any(isinstance(event, ContentBlockDelta) for event in events)


def test_each_event_is_delivered_once(run: Any) -> None:
    async def body(line: Any) -> tuple[str, str, Any]:
        async with line.stream("Hello") as stream:
            first = ""
            async for piece in stream.text:
                first = piece
                break
            rest = "".join([piece async for piece in stream.text])
            assert [piece async for piece in stream.text] == []
            return first, rest, await stream.reply

    first, rest, reply = run(body)
    assert first + rest == reply.text


def test_the_reply_reads_what_is_left(run: Any) -> None:
    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            reply = await stream.reply
            assert reply is await stream.reply
            assert [event async for event in stream.events] == []
        assert await stream.reply is reply

    run(body)


def test_a_stream_says_how_it_is_used(run: Any) -> None:
    async def body(line: Any) -> None:
        stream = line.stream("Hello")
        with pytest.raises(HooklineError, match="enter the stream first"):
            _ = [piece async for piece in stream.text]
        with pytest.raises(HooklineError, match="enter the stream first"):
            await stream.reply
        async with stream:
            pass
        with pytest.raises(HooklineError, match="read once"):
            async with stream:
                pass

    run(body)


def test_nothing_is_sent_before_a_stream_is_entered(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        stream = line.stream("Hello")
        assert server.calls == []
        async with stream:
            assert len(server.calls) == 1

    run(body, base_url=server)


def test_text_arrives_while_the_server_still_writes(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any, wait: Any
) -> None:
    server = loopback(lambda request: [sse_head + sse(*deltas("Hel", end=False)), wait])

    async def body(line: Any) -> str:
        async with line.stream("Hello") as stream:
            async for piece in stream.text:
                return str(piece)
        return ""

    assert run(body, **server.line) == "Hel"


def test_streams_may_be_read_side_by_side_in_one_thread() -> None:
    with (
        Pipeline(base_url="sim:") as line,
        line.stream("one") as first,
        line.stream("two") as second,
    ):
        pairs = list(zip(first.text, second.text, strict=False))
        assert pairs
        assert "one" in first.reply.text
        assert "two" in second.reply.text


def test_a_connection_left_early_goes_back_or_is_closed(
    loopback: Any, sse: Any, deltas: Any, sse_head: Any, wait: Any
) -> None:
    import httpx2

    server = loopback(lambda request: [sse_head + sse(*deltas("Hel", end=False)), wait])
    limits = httpx2.Limits(max_connections=1)
    with (
        httpx2.Client(limits=limits, timeout=5) as client,
        Pipeline(**server.line, client=client) as line,
    ):
        for _ in range(3):  # the second would wait for ever if the first kept the only connection
            with line.stream("Hello", timeout=5) as stream:
                assert next(iter(stream.text)) == "Hel"


def test_a_task_that_is_cancelled_in_a_stream_frees_its_connection(
    loopback: Any, sse: Any, deltas: Any, sse_head: Any, wait: Any
) -> None:
    import httpx2

    server = loopback(lambda request: [sse_head + sse(*deltas("Hel", end=False)), wait])

    async def main() -> None:
        limits = httpx2.Limits(max_connections=1)
        async with (
            httpx2.AsyncClient(limits=limits, timeout=5) as client,
            AsyncPipeline(**server.line, client=client) as line,
        ):

            async def reads(begun: asyncio.Event) -> None:
                async with line.stream("Hello", timeout=5) as stream:
                    async for _ in stream.text:
                        begun.set()

            for _ in range(3):
                begun = asyncio.Event()
                task = asyncio.create_task(reads(begun))
                await begun.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(main())
    gc.collect()


def test_model_and_cost_follow_the_last_fallback_at_the_api(
    run: Any, sim: Any, streamed: Any
) -> None:
    hop = {
        "type": "fallback",
        "from": {"model": "claude-haiku-4-5-20251001"},
        "to": {"model": "claude-opus-4-6"},
    }
    server = sim(Rule(reply=[hop, {"type": "text", "text": "Yes."}]))
    reply = run.outcome(streamed, line={"base_url": server})
    assert reply.model == "claude-opus-4-6"
    assert reply.trace.attempts[0].answered_by == "claude-opus-4-6"
    facts = load_models().require("claude-opus-4-6")
    assert reply.cost == price(reply.usage, facts)
