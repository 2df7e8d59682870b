"""What was judged is what is delivered, and what one reader sees every reader sees."""

import json
import threading
from typing import Any

import anyio
import pytest

from hookline import (
    APIError,
    DeadlineExceeded,
    HooklineError,
    Pipeline,
    PluginError,
    PolicyViolation,
    Response,
    StreamFilter,
    StreamInterrupted,
    TextBlock,
    ToolUseBlock,
    hookimpl,
)
from hookline.simulator import Rule
from hookline.testing import (
    Close,
    FaultServer,
    Send,
    Stall,
    stream_events,
    stream_head,
    stream_parts,
)
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    InputJSONDelta,
    MessageStart,
    TextDelta,
    UnknownEvent,
)

START, BEGIN, HEL, LO, STOP, *END = stream_events("Hel", "lo")


def serve(*events: Any, request_id: str = "req_test") -> FaultServer:
    head = stream_head({"request-id": request_id})
    return FaultServer((Send(head + b"".join(stream_parts(events))), Close()))


def block(index: int, start: Any, *deltas: Any, stop: bool = True) -> list[Any]:
    end = [{"type": "content_block_stop", "index": index}] if stop else []
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        *end,
    ]


def text(said: str) -> Any:
    return {"type": "text_delta", "text": said}


def filtered(make: Any) -> Any:
    function = hookimpl(lambda self, turn: make())
    return type("Filtered", (), {"name": "filtered", "filter_stream": function})()


# The order of the protocol ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [START, {**HEL, "index": 1}, LO, STOP, *END],
        [START, BEGIN, HEL, STOP, BEGIN, LO, STOP, *END],
        [START, BEGIN, HEL, STOP, LO, *END],
        [START, BEGIN, HEL, START, BEGIN, LO, STOP, *END],
    ],
    ids=["no block", "index twice", "delta after stop", "second message_start"],
)
def test_a_stream_out_of_order_breaks_and_nobody_sees_more_than_another(
    run: Any, events: list[Any]
) -> None:
    async def body(line: Any) -> None:
        seen = ""
        chat = line.conversation()
        with pytest.raises(StreamInterrupted, match="out of order") as caught:
            async with chat.stream("Hello") as stream:
                async for piece in stream.text:
                    seen += piece
        assert caught.value.partial is not None
        assert caught.value.partial.text == seen
        assert [m.text for m in chat.messages[1:]] == ([seen] if seen else [])

    with serve(*events) as server:
        run(body, base_url=server.url, api_key="k")


def test_a_stream_that_lacks_its_start_reads_like_any_other(run: Any) -> None:
    """As of llama.cpp, when the first token is a piece of a character."""
    said = block(0, {"type": "text", "text": ""}, text("Hello, dear fr"), text("iend, hi"))

    async def body(line: Any) -> None:
        chat = line.conversation()
        async with chat.stream("Hello", prefill="Hello, dear friend") as stream:
            seen = "".join([piece async for piece in stream.text])
            reply = await stream.reply
        # The server repeats the prefill, which is too long for a chance.
        assert seen == reply.text == "Hello, dear friend, hi"
        assert ("stream", "the stream had no message_start") in reply.trace.notes
        assert chat.messages[-1].text == "Hello, dear friend, hi"

    with serve(*said, *END, request_id="local") as server:
        run(body, base_url=server.url, api_key="k", server="llama.cpp")


def test_tool_calls_that_overlap_come_in_order(run: Any) -> None:
    def call(index: int) -> list[Any]:
        start = {"type": "tool_use", "id": f"t{index}", "name": "add", "input": {}}
        raw = json.dumps({"n": index})
        deltas = ({"type": "input_json_delta", "partial_json": part} for part in (raw[:3], raw[3:]))
        return block(index, start, *deltas)

    one, two = call(0), call(1)
    mixed = [one[0], two[0], one[1], two[1], two[2], one[2], two[3], one[3]]

    async def body(line: Any) -> None:
        order: list[int] = []
        async with line.stream("Hello") as stream:
            async for event in stream.events:
                if isinstance(event, ContentBlockStart | ContentBlockDelta):
                    order.append(event.index)
            reply = await stream.reply
        assert order == [0, 0, 0, 1, 1, 1]
        assert [call.input for call in reply.tool_uses] == [{"n": 0}, {"n": 1}]

    with serve(START, *mixed, *END) as server:
        run(body, base_url=server.url, api_key="k")


def test_the_stream_of_a_plugin_is_held_to_the_same_order(run: Any) -> None:
    class Mixed:
        @hookimpl
        async def send(self, request: Any, call_next: Any) -> Any:
            async def events() -> Any:
                yield MessageStart(Response("m"))
                yield ContentBlockStart(0, TextBlock(""))
                yield ContentBlockDelta(1, TextDelta("unseen"))

            return Response("m", events=events())

    async def body(line: Any) -> None:
        with pytest.raises(StreamInterrupted, match="out of order"):
            async with line.stream("Hello") as stream:
                assert [piece async for piece in stream.text] == []

    run(body, plugins=[Mixed()])


# Judged is delivered ------------------------------------------------------------------------------

SMUGGLED = block(
    0,
    {"type": "text", "text": "", "citations": []},
    text("fine"),
    {"type": "new_delta", "text": "secret"},
    {"type": "text_delta", "text": "", "note": "secret"},
)


@pytest.mark.parametrize("sees", ["block", "message"])
@pytest.mark.parametrize("answer", ["nothing", "the same"])
def test_what_a_filter_did_not_see_is_not_delivered(run: Any, sees: str, answer: str) -> None:
    judged: list[Any] = []

    def judge(thing: Any) -> Any:
        judged.append(thing)
        assert "secret" not in repr(thing)
        return thing if answer == "the same" else None

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            events = [event async for event in stream.events]
            reply = await stream.reply
        if sees == "message":
            assert not any(isinstance(event, UnknownEvent) for event in events)
            assert "secret" not in repr(events)
        assert "secret" not in repr([e for e in events if not isinstance(e, UnknownEvent)])
        assert reply.text == "fine"
        assert judged == [reply.response if sees == "message" else reply.response.content[0]]

    unknown = {"type": "novelty", "text": "secret"}
    with serve(START, unknown, *SMUGGLED, *END) as server:
        plugin = filtered(lambda: getattr(StreamFilter, sees)(judge))
        run(body, base_url=server.url, api_key="k", plugins=[plugin])


# Tool input by its meaning ------------------------------------------------------------------------

HIDDEN = (
    r'{"a\u0062": "my \u0073ecr\u0065t", "n": [12, "\ud83d\udc1c secret", "\ud800"], "t": true}'
)
SHOWN = {"ab": "my ……", "n": (12, "🐜 ……", "\ud800"), "t": True}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("filtering", ["deltas", "plain"])
def test_escapes_hide_nothing_in_a_tools_input(run: Any, size: int, filtering: str) -> None:
    pieces = [HIDDEN[at : at + size] for at in range(0, len(HIDDEN), size)]
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    start = {"type": "tool_use", "id": "t", "name": "n", "input": {}}

    def make() -> StreamFilter:
        return StreamFilter.deltas(
            lambda part: part.replace("secret", "……"), look_behind=6, kinds=("input_json",)
        )

    async def body(line: Any) -> None:
        if filtering == "plain":
            line_reply = await line.send("Hello", max_tokens=32_000)  # a stream under the hood
        else:
            async with line.stream("Hello") as stream:
                line_reply = await stream.reply
        (call,) = line_reply.tool_uses
        assert call.input == SHOWN

    with serve(START, *block(0, start, *deltas), *END) as server:
        run(body, base_url=server.url, api_key="k", plugins=[filtered(make)])


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ('{"a": "secret', '{"a": "……'),
        ('{"a": "x", secret}', '{"a": "x", ……}'),
        ("secret", "……"),
        ('{"a": "sec\\qret secret"', '{"a": "sec\\qret ……"'),
        ('{"secret": 1', '{"secret": 1'),
        ('{"a": "b\\u00', '{"a": "b\\u00'),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 100])
def test_what_is_no_json_does_not_pass_unseen(raw: str, wanted: str, size: int) -> None:
    filter_: Any = StreamFilter.deltas(
        lambda part: part.replace("secret", "……"), look_behind=6, kinds=("input_json",)
    )
    events: list[Event] = [
        ContentBlockStart(0, ToolUseBlock("t", "n")),
        *(
            ContentBlockDelta(0, InputJSONDelta(raw[at : at + size]))
            for at in range(0, len(raw), size)
        ),
        ContentBlockStop(0),
    ]
    passed = [each for event in events for each in filter_.feed(event)]
    deltas = [each.delta for each in passed if isinstance(each, ContentBlockDelta)]
    written = "".join(each.partial_json for each in deltas if isinstance(each, InputJSONDelta))
    assert written == wanted


# Filters that wait --------------------------------------------------------------------------------


async def _judged(part: Any, turn: Any) -> Any:
    await turn.io.sleep(0)
    if isinstance(part, str):
        return part.replace("ant", "bee")
    if isinstance(part, TextBlock):
        return part.evolve(text=part.text.replace("ant", "bee"))
    if hasattr(part, "content"):
        return part.evolve(content=[await _judged(each, turn) for each in part.content])
    return part


def _async_filter(sees: str, turn: Any) -> StreamFilter:
    async def judge(part: Any) -> Any:
        return await _judged(part, turn)

    if sees == "subclass":

        class Slow(StreamFilter):
            async def feed(self, event: Event) -> list[Event]:
                if isinstance(event, ContentBlockDelta) and isinstance(event.delta, TextDelta):
                    said = (await judge(event.delta.text)) if event.delta.text else ""
                    return [event.evolve(delta=TextDelta(said))]
                return [event]

        return Slow()
    if sees == "deltas":
        return StreamFilter.deltas(judge, look_behind=3)
    made: StreamFilter = getattr(StreamFilter, sees)(judge)
    return made


@pytest.mark.parametrize("sees", ["deltas", "block", "message", "subclass"])
@pytest.mark.parametrize("role", ["transformer", "enforcer"])
def test_a_filter_may_be_async_in_both_colours(run: Any, sim: Any, sees: str, role: str) -> None:
    class Waits:
        @hookimpl
        def filter_stream(self, turn: Any) -> StreamFilter:
            return _async_filter(sees, turn)

    Waits.role = role  # type: ignore[attr-defined]  # as an author writes it in the class

    async def body(line: Any) -> None:
        plain = await line.send("Hello")
        async with line.stream("Hello") as stream:
            seen = "".join([piece async for piece in stream.text])
            assert seen == (await stream.reply).text == plain.text == "An bee met an bee."

    server = sim(Rule(reply="An ant met an ant.", chunk=100))
    run(body, base_url=server, plugins=[Waits()])


def test_an_async_observer_hears_each_event_and_an_async_judge_may_refuse(run: Any) -> None:
    heard: list[Event] = []

    async def hear(event: Event) -> None:
        heard.append(event)

    async def refuse(_response: Any) -> None:
        raise PolicyViolation("no")

    async def body(line: Any) -> None:
        with pytest.raises(PolicyViolation, match="no"):
            async with line.stream("Hello") as stream:
                assert [piece async for piece in stream.text] == []

    first = filtered(lambda: StreamFilter.observe(hear))
    second = filtered(lambda: StreamFilter.message(refuse))
    second.name = "second"
    run(body, plugins=[first, second])
    assert isinstance(heard[0], MessageStart)


def test_a_filter_that_hangs_ends_with_the_turn(run: Any) -> None:
    if run.colour == "sync":
        pytest.skip("nothing cancels blocking code")

    async def hang(_block: Any) -> None:
        await anyio.sleep_forever()

    async def body(line: Any) -> None:
        with pytest.raises(DeadlineExceeded):
            async with line.stream("Hello", timeout=0.3) as stream:
                await stream.reply

    run(body, plugins=[filtered(lambda: StreamFilter.block(hang))])


@pytest.mark.parametrize("sees", ["deltas", "block", "message"])
def test_a_wrong_answer_of_a_filter_names_the_plugin(run: Any, sees: str) -> None:
    options = {"look_behind": 0} if sees == "deltas" else {}
    plugin = filtered(lambda: getattr(StreamFilter, sees)(lambda _: 5, **options))

    async def body(line: Any) -> None:
        with pytest.raises(HooklineError, match=r"filtered.*filter_stream.*int"):
            await line.send("Hello")

    run(body, plugins=[plugin])


# Prefills -----------------------------------------------------------------------------------------


def test_the_prefill_counts_for_filters_in_both_ways_and_in_the_first_step_only(
    run: Any, sim: Any
) -> None:
    server = sim(
        Rule(tool_use={"name": "add", "input": {}}, reply="ret one", times=1), Rule(reply="ret two")
    )
    plugin = filtered(
        lambda: StreamFilter.deltas(lambda part: part.replace("secret", "[..]"), look_behind=6)
    )

    def add() -> int:
        """Add."""
        return 1

    async def body(line: Any) -> None:
        reply = await line.send("Hello", prefill="my sec", tools=[add])
        assert [each.text for each in reply.earlier] == ["[..] one"]
        assert reply.response.text == "ret two"  # "sec" + "ret" across two steps is no match
        assert reply.text == "my sec[..] oneret two"

    run(body, base_url=server, plugins=[plugin])


def test_the_joined_stream_is_the_prefill_and_the_texts_of_all_steps(run: Any, sim: Any) -> None:
    calls = [Rule(call=n, tool_use={"name": "add", "input": {}}, reply=" one") for n in (1, 3)]
    server = sim(*calls, Rule(reply=" two"))

    def add() -> int:
        """Add."""
        return 1

    async def body(line: Any) -> None:
        async with line.stream("Hello", prefill="Number", tools=[add]) as stream:
            seen = "".join([piece async for piece in stream.text])
            reply = await stream.reply
        assert seen == reply.text == "Number one two"
        assert reply.completion == " one two"
        plain = await line.send("Hello", prefill="Number", tools=[add])
        assert (plain.text, plain.completion, plain.prefill) == (seen, " one two", reply.prefill)
        assert reply.request.messages[-2].text == "Number one"

    run(body, base_url=server)


def test_a_late_rewrite_that_takes_the_prefill_out_takes_it_out_of_the_stream(run: Any) -> None:
    plugin = type(
        "Late", (), {"post_process": hookimpl(lambda self, reply: reply.with_text("another"))}
    )()
    seen, reply = run.stream(line={"plugins": [plugin]}, prefill="Old pond")
    assert seen == reply.text == "another"


def test_a_reply_keeps_the_responses_of_all_earlier_steps(
    run: Any, sim: Any, streamed: Any
) -> None:
    calls = [
        Rule(call=n, tool_use={"name": "add", "input": {}}, reply=f"step {n}") for n in (1, 2, 3)
    ]
    server = sim(*calls, Rule(reply="done"))

    def add() -> int:
        """Add."""
        return 1

    reply = run.outcome(streamed, line={"base_url": server}, tools=[add])
    assert [each.text for each in reply.earlier] == ["step 1", "step 2", "step 3"]
    parts = [*reply.earlier, reply.response]
    assert reply.usage.output_tokens == sum(each.usage.output_tokens for each in parts)


# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ({"error": {"type": "overloaded_error", "message": "busy"}}, "overloaded_error", "busy"),
        ({"type": "error", "error": "busy"}, "rate_limit_error", "busy"),
        ({"type": "error", "message": "busy"}, "rate_limit_error", "busy"),
        ({"message": "busy", "type": "BadRequest"}, "BadRequest", "busy"),
        ({"detail": "busy"}, "rate_limit_error", "{'detail': 'busy'}"),
        ({"error": {"type": 5, "message": "busy", "details": 5}}, "rate_limit_error", "busy"),
    ],
)
def test_whatever_reports_an_error_is_read_in_one_way(body: Any, kind: str, said: str) -> None:
    error = APIError.from_body(body, status=429, headers={"request-id": "req_1"})
    assert (error.type, error.message, error.request_id) == (kind, said, "req_1")


# Closing ------------------------------------------------------------------------------------------


def test_another_thread_may_close_a_stream_that_is_being_read(run: Any) -> None:
    if run.colour != "sync":
        pytest.skip("threads")
    go_on = threading.Event()
    first, rest = [START, BEGIN, HEL], [LO, STOP, *END]

    class Held:
        """Waits in the middle of a read until the other thread has asked for the closing."""

        @hookimpl
        def filter_stream(self) -> StreamFilter:
            def hold(event: Event) -> None:
                if isinstance(event, ContentBlockDelta) and event.delta == TextDelta("lo"):
                    closer.start()
                    go_on.wait(5)

            return StreamFilter.observe(hold)

    with (
        serve(*first, *rest) as server,
        Pipeline(base_url=server.url, api_key="k", model="m", plugins=[Held()]) as line,
    ):
        chat = line.conversation()
        stream = chat.stream("Hello")

        def close() -> None:
            stream.close()
            go_on.set()

        closer = threading.Thread(target=close)
        with stream:
            seen = "".join(stream.text)
        closer.join()
        assert seen == chat.messages[-1].text == "Hello"
        assert chat.incomplete
        with pytest.raises(HooklineError, match="closed before its end"):
            _ = stream.reply
        chat.add("user", "the conversation is free again")


def test_another_task_may_close_a_stream_that_waits(run: Any) -> None:
    if run.colour == "sync":
        pytest.skip("tasks")

    async def body(line: Any) -> None:
        chat = line.conversation()
        seen = ""
        async with chat.stream("Hello") as stream, anyio.create_task_group() as group:
            async for piece in stream.text:
                seen += piece
                group.start_soon(stream.close)
                group.start_soon(stream.close)
        assert seen == chat.messages[-1].text == "Hel"
        assert chat.incomplete

    parts = stream_parts([START, BEGIN, HEL])
    with FaultServer((Send(stream_head() + b"".join(parts)), Stall())) as server:
        run(body, base_url=server.url, api_key="k")


def test_a_hook_may_close_the_stream_that_it_is_part_of(run: Any) -> None:
    streams: list[Any] = []

    class Closes:
        @hookimpl
        async def on_event(self, event: Event) -> None:
            if isinstance(event, ContentBlockDelta):
                closing = streams[0].close()
                if closing is not None:
                    await closing

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            streams.append(getattr(stream, "inner", stream))
            seen = [piece async for piece in stream.text]
        assert len(seen) <= 1

    run(body, plugins=[Closes()])


def test_one_thread_or_task_reads_a_stream(run: Any) -> None:
    found: list[BaseException] = []
    streams: list[Any] = []

    class Reads:
        @hookimpl
        async def on_event(self, event: Event) -> None:
            if isinstance(event, ContentBlockDelta) and not found:
                try:
                    reply = streams[0].reply
                    await reply
                except HooklineError as error:
                    found.append(error)

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            streams.append(stream)
            await stream.reply

    run(body, plugins=[Reads()])
    assert "read already" in str(found[0])


def two_steps(sim: Any) -> Any:
    calls = [Rule(call=n, tool_use={"name": "add", "input": {}}, reply="one ") for n in (1, 3)]
    return sim(*calls, Rule(reply="two"))


@pytest.mark.parametrize(
    ("change", "plain", "streamed_text"),
    [
        (lambda reply: reply.rewrite(lambda text: f"[{text}]"), "[Say one ][two]", None),
        (lambda reply: reply.map_text(str.upper), "SAY ONE TWO", None),
        (lambda reply: reply.with_text(reply.text.replace("two", "2")), "Say one 2", None),
    ],
)
def test_a_rewrite_changes_the_text_of_its_step_and_no_other(
    run: Any, sim: Any, change: Any, plain: str, streamed_text: str | None
) -> None:
    def add() -> int:
        """Add."""
        return 1

    plugin = type("Late", (), {"post_process": hookimpl(lambda self, reply: change(reply))})()
    server = two_steps(sim)

    async def body(line: Any) -> None:
        assert (
            await line.send("Hi", prefill="Say ", prefill_mode="instructed", tools=[add])
        ).text == plain
        async with line.stream(
            "Hi", prefill="Say ", prefill_mode="instructed", tools=[add]
        ) as stream:
            seen = "".join([piece async for piece in stream.text])
            assert seen == (await stream.reply).text == (streamed_text or plain)

    run(body, base_url=server, plugins=[plugin])


def test_in_a_stream_nobody_rewrites_what_an_earlier_step_said(run: Any, sim: Any) -> None:
    def add() -> int:
        """Add."""
        return 1

    late = lambda self, reply: reply.with_text(f"<{reply.text}>")  # noqa: E731 -- a hook of one line
    plugin = type("Late", (), {"post_process": hookimpl(late)})()

    async def body(line: Any) -> None:
        async with line.stream("Hi", tools=[add]) as stream:
            with pytest.raises(PluginError, match="earlier steps is with the caller"):
                await stream.reply
        reply = await line.send("Hi", tools=[add])
        assert reply.text == "<<one >two>"
        assert [step.text for step in reply.earlier] == [""]

    run(body, base_url=two_steps(sim), plugins=[plugin])
