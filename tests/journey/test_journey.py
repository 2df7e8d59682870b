"""The journey: order of the stages, the onion, the check, observers, the end of a turn."""

import asyncio
from typing import Any

import pytest
import trio

from hookline import (
    APIError,
    AsyncPipeline,
    Continue,
    DeadlineExceeded,
    HooklineError,
    InputError,
    Message,
    Pipeline,
    PluginError,
    PolicyViolation,
    Response,
    StreamFilter,
    StreamInterrupted,
    TextBlock,
    TurnLimitExceeded,
    Usage,
    hookimpl,
)
from hookline.simulator import Rule
from hookline.values.events import ContentBlockDelta, MessageStart, MessageStop, TextDelta


def with_hook(hook: str, function: Any, name: str = "mine", **attributes: Any) -> Any:
    members = {"name": name, hook: hookimpl(function), **attributes}
    return type("Mine", (), members)()


def line_of(*plugins: Any, base_url: Any = "sim:", **options: Any) -> dict[str, Any]:
    return {"plugins": list(plugins), "base_url": base_url, **options}


class Diary:
    """Writes down every hook that runs."""

    name = "diary"
    rewrites_text = False

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ends: list[tuple[Any, Any]] = []

    @hookimpl
    def build_history(self) -> None:
        self.heard.append("build_history")

    @hookimpl
    def inject_prefill(self) -> None:
        self.heard.append("inject_prefill")

    @hookimpl
    def resolve_images(self) -> None:
        self.heard.append("resolve_images")

    @hookimpl
    async def send(self, request: Any, call_next: Any) -> Response:
        self.heard.append("send")
        response: Response = await call_next(request)
        return response

    @hookimpl
    def check_request(self) -> None:
        self.heard.append("check_request")

    @hookimpl
    def post_process(self) -> None:
        self.heard.append("post_process")

    @hookimpl
    def filter_stream(self) -> None:
        self.heard.append("filter_stream")

    @hookimpl
    def on_turn_start(self) -> None:
        self.heard.append("on_turn_start")

    @hookimpl
    def on_attempt(self) -> None:
        self.heard.append("on_attempt")

    @hookimpl
    def on_event(self) -> None:
        if self.heard[-1] != "on_event":
            self.heard.append("on_event")

    @hookimpl
    def on_turn_end(self, reply: Any, error: Any) -> None:
        self.heard.append("on_turn_end")
        self.ends.append((reply, error))


def test_the_stages_run_in_their_order(run: Any, streamed: Any) -> None:
    diary = Diary()
    run.outcome(streamed, line=line_of(diary))
    assert diary.heard == [
        "on_turn_start",
        "build_history",
        "inject_prefill",
        "resolve_images",
        "send",
        "check_request",
        *([] if streamed else ["on_attempt"]),
        "filter_stream",
        *(["on_event", "on_attempt"] if streamed else []),  # after the stream's last event
        "post_process",
        "on_turn_end",
    ]


# The onion


def layer(name: str, log: list[str]) -> Any:
    async def send(self: Any, request: Any, call_next: Any) -> Any:
        log.append(f"{name} in")
        response = await call_next(request)
        log.append(f"{name} out")
        return response

    return with_hook("send", send, name)


def test_the_first_registered_is_the_outermost(run: Any, streamed: Any) -> None:
    log: list[str] = []
    run.outcome(streamed, line=line_of(layer("a", log), layer("b", log)))
    assert log == ["a in", "b in", "b out", "a out"]


def test_a_def_may_hand_the_call_on_unawaited(run: Any, streamed: Any) -> None:
    def send(self: Any, request: Any, call_next: Any) -> Any:
        return call_next(request)

    assert "Hello" in run.outcome(streamed, line=line_of(with_hook("send", send))).text


CACHED = Response(
    "msg_c", "claude-haiku-4-5", (TextBlock("from the "), TextBlock("cache")), "end_turn"
).evolve(usage=Usage(input_tokens=1, output_tokens=2))


def test_an_onion_that_never_calls_next_answers_from_its_cache(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim()
    plugin = with_hook("send", lambda self: CACHED)
    reply = run.outcome(streamed, line=line_of(plugin, base_url=server))
    assert reply.text == "from the cache"
    assert reply.response == CACHED
    assert server.calls == []
    assert reply.trace.attempts == []


def test_a_whole_response_in_a_stream_is_replayed_as_events(run: Any) -> None:
    async def body(line: Any) -> list[Any]:
        async with line.stream("Hello") as stream:
            return [event async for event in stream.events]

    events = run(body, **line_of(with_hook("send", lambda self: CACHED)))
    assert isinstance(events[0], MessageStart)
    assert isinstance(events[-1], MessageStop)
    texts = [
        event.delta.text
        for event in events
        if isinstance(event, ContentBlockDelta) and isinstance(event.delta, TextDelta)
    ]
    assert texts == ["from the ", "cache"]


def retry(times: int) -> Any:
    async def send(self: Any, request: Any, call_next: Any) -> Any:
        for _ in range(times - 1):
            try:
                return await call_next(request)
            except APIError:
                continue
        return await call_next(request)

    return with_hook("send", send, "again")


def test_an_onion_may_call_next_often(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(status=529, times=2))
    reply = run.outcome(streamed, line=line_of(retry(3), base_url=server))
    assert "Hello" in reply.text
    assert [attempt.status for attempt in reply.trace.attempts] == [529, 529, 200]
    assert [attempt.number for attempt in reply.trace.attempts] == [1, 2, 3]
    assert len(server.calls) == 3


def test_an_error_event_that_comes_first_is_an_ordinary_failed_attempt(
    run: Any, sim: Any, streamed: Any
) -> None:
    overloaded = {"type": "overloaded_error", "message": "Overloaded"}
    server = sim(Rule(error_event=overloaded, error_after=0, times=1))
    reply = run.outcome(streamed, line=line_of(retry(2), base_url=server))
    assert "Hello" in reply.text
    assert len(server.calls) == 2


def test_what_the_onion_changes_is_sent_and_traced_and_not_remembered(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim()

    async def send(self: Any, request: Any, call_next: Any) -> Any:
        return await call_next(request.evolve(system="on the wire"))

    reply = run.outcome(streamed, line=line_of(with_hook("send", send), base_url=server))
    assert server.bodies[0]["system"] == "on the wire"
    (change,) = reply.trace.changes
    assert (change.stage, change.plugin) == ("send", "mine")
    assert (change.before.system, change.after.system) == (None, "on the wire")
    assert reply.request.system is None


# The check


@pytest.mark.parametrize("registered", ["before", "after"])
def test_the_check_sees_exactly_what_leaves_on_every_attempt(
    run: Any, sim: Any, streamed: Any, registered: str
) -> None:
    server = sim(Rule(status=529, times=1))
    seen: list[str | None] = []

    async def changes_and_tries_again(self: Any, request: Any, call_next: Any) -> Any:
        try:
            return await call_next(request.evolve(system="first"))
        except APIError:
            return await call_next(request.evolve(system="second"))

    check = with_hook("check_request", lambda self, request: seen.append(request.system), "check")
    plugins = [with_hook("send", changes_and_tries_again), check]
    if registered == "before":
        plugins.reverse()
    run.outcome(streamed, line=line_of(*plugins, base_url=server))
    assert seen == ["first", "second"]
    assert [body["system"] for body in server.bodies] == seen


def test_a_retry_cannot_slip_something_past_the_check(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(status=529, times=1))

    async def slips(self: Any, request: Any, call_next: Any) -> Any:
        try:
            return await call_next(request)
        except HooklineError:
            return await call_next(request.evolve(system="forbidden"))

    def check(self: Any, request: Any) -> None:
        if request.system:
            raise PolicyViolation("no system prompts")

    plugins = [with_hook("check_request", check, "check"), with_hook("send", slips)]
    with pytest.raises(PolicyViolation, match="no system prompts"):
        run.outcome(streamed, line=line_of(*plugins, base_url=server))
    assert len(server.calls) == 1


def test_a_plugin_that_swallows_refusals_sends_nothing_and_answers_nothing(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim()

    async def stubborn(self: Any, request: Any, call_next: Any) -> Any:
        for _ in range(3):
            try:
                return await call_next(request)
            except Exception:  # noqa: BLE001, S112 -- what a careless plugin does
                continue
        return CACHED

    def check(self: Any, request: Any) -> None:
        raise PolicyViolation("never")

    plugins = [with_hook("send", stubborn), with_hook("check_request", check, "check")]
    with pytest.raises(PolicyViolation, match="never"):
        run.outcome(streamed, line=line_of(*plugins, base_url=server))
    assert server.calls == []


def test_the_check_runs_on_every_step(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(tool_use={"name": "add", "input": {"a": 1, "b": 2}}, times=1))
    seen: list[int] = []

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    check = with_hook("check_request", lambda self, request: seen.append(len(request.messages)))
    run.outcome(streamed, line=line_of(check, base_url=server), tools=[add])
    assert seen == [1, 3]


# Steps


def test_continue_asks_for_one_more_step_of_the_same_turn(run: Any, streamed: Any) -> None:
    def more(self: Any, turn: Any, reply: Any) -> Any:
        if turn.step == 0:
            again = (*reply.messages, Message("user", "and again"))
            return Continue(reply.request.evolve(messages=again))
        return None

    diary = Diary()
    reply = run.outcome(streamed, line=line_of(with_hook("post_process", more), diary))
    assert "and again" in reply.text
    assert len(reply.earlier) == 1
    assert "You said: Hello" in reply.earlier[0].text
    assert diary.heard.count("on_turn_start") == diary.heard.count("on_turn_end") == 1
    assert diary.heard.count("build_history") == 1
    assert diary.heard.count("resolve_images") == diary.heard.count("check_request") == 2
    both = (reply.earlier[0].usage, reply.response.usage)
    assert reply.usage.output_tokens == sum(usage.output_tokens or 0 for usage in both)
    assert ("post_process", "mine", 1) in [
        (change.stage, change.plugin, change.step) for change in reply.trace.changes
    ]


def test_of_two_plugins_that_ask_to_continue_the_first_wins(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim()
    seen: list[tuple[str, int]] = []

    def asking(name: str) -> Any:
        def more(self: Any, turn: Any, reply: Any) -> Any:
            seen.append((name, turn.step))
            if turn.step:
                return None
            return Continue(reply.request.evolve(system=f"asked for by {name}"))

        return with_hook("post_process", more, name)

    reply = run.outcome(streamed, line=line_of(asking("one"), asking("two"), base_url=server))
    assert [body.get("system") for body in server.bodies] == [None, "asked for by one"]
    assert seen == [("one", 0), ("two", 0), ("one", 1), ("two", 1)]
    assert [note for note in reply.trace.notes if note[0] == "two"] == [
        ("two", "asked to continue the turn, as one had; it sees the next reply")
    ]


def test_steps_are_bounded(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()
    more = with_hook("post_process", lambda self, reply: Continue(reply.request))
    with pytest.raises(TurnLimitExceeded, match=r"may take 3.*max_steps=") as caught:
        run.outcome(streamed, line=line_of(more, base_url=server, max_steps=3))
    assert len(server.calls) == 3
    assert caught.value.partial is not None
    assert "Hello" in caught.value.partial.text


# Observers


def test_on_attempt_is_told_of_success_and_failure(run: Any, sim: Any, streamed: Any) -> None:
    seen: list[Any] = []
    watcher = with_hook("on_attempt", lambda self, request, attempt: seen.append(attempt), "watch")
    server = sim(Rule(status=429, times=1))
    run.outcome(streamed, line=line_of(retry(2), watcher, base_url=server))
    assert [attempt.status for attempt in seen] == [429, 200]
    assert seen[0].error.startswith("APIError: 429 rate_limit_error")
    assert all(attempt.request_id.startswith("req_") for attempt in seen)
    assert all(attempt.seconds >= 0 for attempt in seen)


def test_on_event_hears_what_the_caller_sees(run: Any) -> None:
    heard: list[Any] = []

    class Watcher:
        @hookimpl
        def on_event(self, event: Any) -> None:
            heard.append(event)

    class Shout:
        @hookimpl
        def filter_stream(self) -> StreamFilter:
            return StreamFilter.deltas(str.upper, look_behind=0)

    async def body(line: Any) -> list[Any]:
        async with line.stream("Hello") as stream:
            return [event async for event in stream.events]

    assert run(body, **line_of(Watcher(), Shout())) == heard
    assert "HELLO" in str(heard)
    assert "Hello" not in str(heard)


def test_on_event_hears_what_was_held_back_too(run: Any) -> None:
    heard: list[Any] = []

    class Watcher:
        @hookimpl
        def on_event(self, event: Any) -> None:
            heard.append(event)

    late = with_hook("post_process", lambda self, reply: reply.with_text("late"))

    async def body(line: Any) -> list[Any]:
        async with line.stream("Hello") as stream:
            return [event async for event in stream.events]

    seen = run(body, **line_of(Watcher(), late))
    assert heard == seen
    assert "Hello" not in str(seen)


# The end: exactly once, whatever happened


def test_on_turn_end_hears_a_reply_once(run: Any, streamed: Any) -> None:
    diary = Diary()
    reply = run.outcome(streamed, line=line_of(diary))
    assert diary.ends == [(reply, None)]


@pytest.mark.parametrize(
    "hook", ["build_history", "resolve_images", "send", "check_request", "post_process"]
)
def test_on_turn_end_hears_an_error_once(run: Any, streamed: Any, hook: str) -> None:
    diary = Diary()

    def fails(self: Any) -> None:
        raise InputError("no")

    with pytest.raises(InputError) as caught:
        run.outcome(streamed, line=line_of(diary, with_hook(hook, fails)))
    assert diary.ends == [(None, caught.value)]


def test_on_turn_end_hears_a_broken_stream_once(run: Any, sim: Any) -> None:
    diary = Diary()
    server = sim(Rule(cut_after=4))
    with pytest.raises(StreamInterrupted) as caught:
        run.stream(line=line_of(diary, base_url=server))
    assert diary.ends == [(None, caught.value)]


@pytest.mark.parametrize("held_back", [False, True])
def test_on_turn_end_hears_once_that_a_stream_was_left_early(run: Any, held_back: Any) -> None:
    diary = Diary()
    late = [with_hook("post_process", lambda self: None)] if held_back else []

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            async for _ in stream.events:
                break
            await stream.close()
            await stream.close()
            with pytest.raises(HooklineError, match="closed before its end"):
                await stream.reply

    run(body, **line_of(diary, *late))
    ((reply, error),) = diary.ends
    assert reply is None
    assert isinstance(error, GeneratorExit)


def test_a_stream_that_is_never_entered_is_no_turn(run: Any, sim: Any) -> None:
    diary = Diary()
    server = sim()

    async def body(line: Any) -> None:
        line.stream("Hello")

    run(body, **line_of(diary, base_url=server))
    assert diary.heard == []
    assert server.calls == []


def test_an_exception_in_the_callers_block_ends_the_turn_and_passes(run: Any) -> None:
    diary = Diary()

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            async for _ in stream.text:
                raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="the caller's own"):
        run(body, **line_of(diary))
    assert len(diary.ends) == 1


class Blocks:
    """Waits for ever in one hook, and says when it has begun to."""

    name = "blocks"
    rewrites_text = False

    def __init__(self, hook: str) -> None:
        self.hook = hook
        self.begun: Any = None
        self.wait: Any = None

    @hookimpl
    async def build_history(self) -> None:
        if self.hook == "build_history":
            self.begun()
            await self.wait()

    @hookimpl
    async def send(self, request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        if self.hook == "send":
            self.begun()
            await self.wait()
        return response

    @hookimpl
    async def on_event(self) -> None:
        if self.hook == "on_event":
            self.begun()
            await self.wait()


async def turn_of(line: Any, streamed: Any) -> None:
    if not streamed:
        await line.send("Hello")
        return
    async with line.stream("Hello") as stream:
        async for _ in stream.events:
            pass


CANCELLED = [("build_history", False), ("send", False), ("send", True)]


@pytest.mark.parametrize(("hook", "streams"), CANCELLED)
def test_on_turn_end_hears_a_cancellation_once_in_asyncio(hook: str, streams: Any) -> None:
    diary, blocks = Diary(), Blocks(hook)

    async def main() -> None:
        begun = asyncio.Event()
        blocks.begun, blocks.wait = begun.set, asyncio.Event().wait
        async with AsyncPipeline(**line_of(diary, blocks)) as line:
            task = asyncio.create_task(turn_of(line, streams))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert "Hello" in (await line_after(line)).text

    async def line_after(line: Any) -> Any:
        blocks.hook = ""
        return await line.send("Hello")

    asyncio.run(main())
    assert [type(error) for _, error in diary.ends] == [asyncio.CancelledError, type(None)]


@pytest.mark.parametrize(("hook", "streams"), CANCELLED)
def test_on_turn_end_hears_a_cancellation_once_in_trio(hook: str, streams: Any) -> None:
    diary, blocks = Diary(), Blocks(hook)

    async def main() -> None:
        begun = trio.Event()
        blocks.begun, blocks.wait = begun.set, trio.Event().wait
        async with AsyncPipeline(**line_of(diary, blocks)) as line, trio.open_nursery() as nursery:
            nursery.start_soon(turn_of, line, streams)
            await begun.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert [type(error) for _, error in diary.ends] == [trio.Cancelled]


def test_async_observers_finish_in_a_cancelled_turn() -> None:
    ended: list[str] = []
    blocks = Blocks("build_history")

    async def on_turn_end(self: Any, turn: Any) -> None:
        await turn.io.sleep(0)
        ended.append("finished")

    async def main() -> None:
        begun = trio.Event()
        blocks.begun, blocks.wait = begun.set, trio.Event().wait
        plugin = with_hook("on_turn_end", on_turn_end)
        async with AsyncPipeline(**line_of(plugin, blocks)) as line, trio.open_nursery() as nursery:
            nursery.start_soon(turn_of, line, False)
            await begun.wait()
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert ended == ["finished"]


def test_an_observer_that_hangs_at_the_end_does_not_replace_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hookline._io.asynchronous._CLEAN_UP_SECONDS", 0.01)

    async def hangs(self: Any) -> None:
        await asyncio.Event().wait()

    def fails(self: Any) -> None:
        raise InputError("the real error")

    async def main() -> None:
        plugins = [with_hook("on_turn_end", hangs), with_hook("build_history", fails, "other")]
        async with AsyncPipeline(**line_of(*plugins)) as line:
            await line.send("Hello")

    with pytest.raises(InputError, match="the real error"):
        asyncio.run(main())


# A layer that fails after the answer has begun must not leave the connection open


def test_a_stream_that_nobody_reads_is_closed_with_the_turn(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any, wait: Any
) -> None:
    server = loopback(lambda request: [sse_head + sse(*deltas("Hel", end=False)), wait])
    opened: list[Any] = []

    async def forgets(self: Any, turn: Any, request: Any, call_next: Any) -> Any:
        await call_next(request)
        opened.extend(turn.open_streams)
        raise ValueError("after the answer")

    with pytest.raises(PluginError, match="after the answer"):
        run.stream(line={**server.line, "plugins": [with_hook("send", forgets)]})
    (answer,) = opened
    assert answer.ag_frame is None  # closed, and with it the connection


# Deadlines


def test_a_turn_whose_time_is_up_says_where_it_was(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()

    async def dawdles(self: Any, turn: Any) -> None:
        while turn.remaining():
            await turn.io.sleep(0.005)

    plugin = with_hook("build_history", dawdles)
    with pytest.raises(DeadlineExceeded, match=r"0\.3 s were up during \w+") as caught:
        run.outcome(streamed, line=line_of(plugin, base_url=server), timeout=0.3)
    assert caught.value.phase in ("build_history", "inject_prefill")
    assert server.calls == []


# Explain


def test_explain_runs_all_stages_up_to_the_sending_and_sends_nothing(run: Any, sim: Any) -> None:
    server = sim()
    diary = Diary()

    async def send(self: Any, request: Any, call_next: Any) -> Any:
        return await call_next(request.evolve(system="on the wire"))

    async def body(line: Any) -> Any:
        return await line.explain("Hello", prefill="Well")

    explanation = run(body, **line_of(diary, with_hook("send", send), base_url=server))
    assert diary.heard == [
        "build_history",
        "inject_prefill",
        "resolve_images",
        "send",
        "check_request",
    ]
    assert server.calls == []
    assert explanation.request.system == "on the wire"
    assert [change.stage for change in explanation.trace.changes] == ["inject_prefill", "send"]
    rendered = explanation.render()
    assert "inject_prefill · prefill" in rendered
    assert '"content": "Well"' in rendered
    assert explanation.to_dict()["request"]["system"] == "on the wire"


def test_explain_raises_what_send_would_raise(run: Any) -> None:
    def check(self: Any) -> None:
        raise PolicyViolation("never")

    async def body(line: Any) -> None:
        await line.explain("Hello")

    with pytest.raises(PolicyViolation, match="never"):
        run(body, **line_of(with_hook("check_request", check)))


def test_two_pipelines_share_nothing() -> None:
    one, two = Diary(), Diary()
    with (
        Pipeline(base_url="sim:", plugins=[one]) as first,
        Pipeline(base_url="sim:", plugins=[two]) as second,
    ):
        first.send("Hello")
        assert two.heard == []
        second.send("Hello")
        assert first.plugins is not second.plugins
    assert one.heard == two.heard
