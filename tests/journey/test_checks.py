"""The last word: what an enforcer judged is what leaves, what is run, and what the caller gets."""

import asyncio
import threading
from typing import Any

import pytest

from hookline import (
    AsyncPipeline,
    Destination,
    Pipeline,
    PluginError,
    PolicyViolation,
    StreamFilter,
    ToolResultBlock,
    hookimpl,
)
from hookline.plugin import Layer
from hookline.simulator import Rule


def with_hook(hook: str, function: Any, name: str = "judge", **attributes: Any) -> Any:
    members = {"name": name, hook: hookimpl(function), **attributes}
    return type(name.title(), (), members)()


def enforcer(hook: str, function: Any, name: str = "judge", **attributes: Any) -> Any:
    return with_hook(hook, function, name, role="enforcer", inline=True, **attributes)


# The band


@pytest.mark.parametrize("wish", [{"last": True}, {"after": ("judge",)}, {"layer": Layer.RECORD}])
def test_nobody_comes_after_an_enforcer(run: Any, streamed: Any, wish: Any) -> None:
    judge = enforcer(
        "filter_stream",
        lambda self: StreamFilter.deltas(
            lambda text: text.replace("SECRET", "[gone]"), look_behind=6
        ),
    )

    def leaks(self: Any) -> StreamFilter:
        def said(response: Any) -> Any:
            return response.evolve(content=(response.content[0].evolve(text="the SECRET"),))

        return StreamFilter.message(said)

    leak = type("Leak", (), {"filter_stream": hookimpl(trylast=True)(leaks), **wish})()
    reply = run.outcome(streamed, line={"plugins": [leak], "policy": judge})
    assert reply.text == "the [gone]"


def test_check_reply_sees_what_post_process_made(run: Any, streamed: Any) -> None:
    def check(self: Any, reply: Any) -> None:
        if "SECRET" in reply.text:
            raise PolicyViolation("not to be told")

    judge = enforcer("check_reply", check)
    leak = with_hook("post_process", lambda self, reply: reply.with_text("the SECRET"), "leak")
    seen: list[str] = []

    async def body(line: Any) -> None:
        if not streamed:
            await line.send("Hello")
            return
        async with line.stream("Hello") as stream:
            async for text in stream.text:
                seen.append(text)

    with pytest.raises(PolicyViolation, match="not to be told"):
        run(body, plugins=[leak], policy=judge)
    assert seen == []  # held back until it had been judged


def test_a_check_may_not_redirect(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()

    def detour(self: Any, turn: Any) -> None:
        turn.destination = Destination(base_url="http://127.0.0.1:9", api_key="stolen")

    plugin = with_hook("check_request", detour, "detour")
    with pytest.raises(PluginError, match="set it in a send hook"):
        run.outcome(streamed, line={"plugins": [plugin], "base_url": server})
    assert server.calls == []


def test_a_private_way_around_does_not_help_either(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()

    def detour(self: Any, turn: Any) -> None:
        turn._destination = Destination(base_url="http://127.0.0.1:9", api_key="stolen")

    plugin = with_hook("check_request", detour, "detour")
    with pytest.raises(PolicyViolation, match="destination was changed"):
        run.outcome(streamed, line={"plugins": [plugin], "base_url": server})
    assert server.calls == []


# Answers that no attempt produced


def clearance() -> Any:
    def check(self: Any, turn: Any) -> None:
        if turn.context.get("clearance") != "high":
            raise PolicyViolation("needs clearance")

    return enforcer("check_request", check)


def test_a_cached_answer_is_judged_like_a_new_one(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        high, low = {"clearance": "high"}, {"clearance": "low"}

        async def ask(context: Any) -> None:
            if streamed:
                async with line.stream("the plan?", context=context) as stream:
                    await stream.reply
            else:
                await line.send("the plan?", context=context)

        await ask(high)
        await ask(high)
        assert len(server.calls) == 1
        with pytest.raises(PolicyViolation, match="needs clearance"):
            await ask(low)

    run(body, base_url=server, plugins=["cache"], policy=clearance())


def test_what_would_have_left_is_judged_as_the_inner_layers_make_it(run: Any, sim: Any) -> None:
    judged: list[Any] = []
    waited: list[bool] = []

    class Redacts:
        layer = Layer.REDACT

        @hookimpl
        async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
            waited.append(turn.asks_model)
            return await call_next(request.evolve(system="redacted"))

    judge = enforcer("check_request", lambda self, request: judged.append(request.system))

    async def body(line: Any) -> Any:
        await line.send("Hello")
        return await line.send("Hello")

    reply = run(body, base_url=sim(), plugins=["cache", Redacts()], policy=judge)
    assert judged == ["redacted", "redacted"]
    assert waited == [True, False]  # nothing is reserved for an answer that is not asked for
    assert reply.trace.attempts == []
    assert [change for change in reply.trace.changes if change.stage == "send"] == []


def test_every_attempt_is_judged(run: Any, sim: Any, streamed: Any) -> None:
    judged: list[int] = []
    judge = enforcer("check_request", lambda self, turn: judged.append(turn.attempt))
    server = sim(Rule(status=529, times=2))
    config = {"plugins": {"retry": {"base": 0.001, "throttle_base": 0.001}}}
    run.outcome(streamed, line={"base_url": server, "config": config, "policy": judge})
    assert judged == [0, 1, 2]


# Whatever it raises


class Odd(BaseException):
    """No Exception at all."""


@pytest.mark.parametrize("error", [Odd("odd"), SystemExit(3), StopIteration("x"), KeyError("x")])
@pytest.mark.parametrize("hook", ["build_history", "check_request", "check_reply", "post_process"])
def test_any_class_of_error_of_an_enforcer_refuses_once(
    run: Any, sim: Any, hook: str, error: BaseException
) -> None:
    server = sim()
    asked: list[int] = []

    def fails(self: Any, turn: Any) -> None:
        asked.append(1)
        raise error

    with pytest.raises(PolicyViolation) as caught:
        run.send(
            line={
                "base_url": server,
                "config": {"plugins": {"retry": {"base": 0.001}}},
                "policy": enforcer(hook, fails),
            }
        )
    assert asked == [1]
    assert not caught.value.retryable
    assert caught.value.plugin == "judge"


def test_an_error_from_further_in_passes_an_enforcer_s_layer(run: Any, sim: Any) -> None:
    from hookline import APIError

    async def send(self: Any, request: Any, call_next: Any) -> Any:
        return await call_next(request)

    with pytest.raises(APIError):
        run.send(line={"base_url": sim(Rule(status=400)), "policy": enforcer("send", send)})


def test_a_def_enforcer_that_hangs_is_ended_at_the_deadline_and_blocks_no_loop(sim: Any) -> None:
    release = threading.Event()
    server = sim()

    def hangs(self: Any) -> None:
        release.wait(20)

    judge = with_hook("check_request", hangs, role="enforcer")

    async def main() -> None:
        async with AsyncPipeline(base_url=server, policy=judge) as line:
            turn = asyncio.create_task(line.send("Hello", timeout=0.3))
            beats = 0
            while not turn.done():
                await asyncio.sleep(0.01)
                beats += 1
            assert beats > 2  # and not one, after the hook has come back
            with pytest.raises(Exception, match=r"deadline|were up"):
                await turn

    try:
        asyncio.run(main())
        with (
            Pipeline(base_url=server, policy=judge) as line,
            pytest.raises(PolicyViolation, match="did not decide"),
        ):
            line.send("Hello", timeout=0.2)
        assert server.calls == []
    finally:
        release.set()


def test_an_enforcer_in_shadow_stops_nothing(run: Any, streamed: Any) -> None:
    def refuses(self: Any) -> None:
        raise PolicyViolation("no")

    from hookline._journey.plugin_set import Plugin

    for hook in ("check_request", "check_reply"):
        plugin = Plugin("judge", enforcer(hook, refuses), shadow=True)
        reply = run.outcome(streamed, line={"policy": plugin})
        assert [(each.hook, each.decision) for each in reply.trace.verdicts] == [
            (hook, "would refuse")
        ]


# Tools


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def asking(sim: Any) -> Any:
    return sim(Rule(tool_use={"name": "add", "input": {"a": 1, "b": 2}}, times=1))


def results(server: Any) -> Any:
    return server.bodies[1]["messages"][-1]["content"]


def test_call_tool_wraps_and_check_tool_sees_what_is_run(run: Any, sim: Any, streamed: Any) -> None:
    server = asking(sim)
    log: list[Any] = []

    async def edits(self: Any, call: Any, call_next: Any) -> Any:
        result = await call_next(call.evolve(input={"a": 20, "b": 2}))
        return result.evolve(content=f"<{result.content}>")

    told = with_hook(
        "on_tool", lambda self, call, result: log.append((call.input, result.content)), "told"
    )
    plugins = [with_hook("call_tool", edits, "edits"), told]
    judge = enforcer("check_tool", lambda self, call: log.append(dict(call.input)))
    run.outcome(
        streamed, line={"base_url": server, "plugins": plugins, "policy": judge}, tools=[add]
    )
    assert log == [{"a": 20, "b": 2}, ({"a": 1, "b": 2}, "<22>")]
    assert results(server)[0]["content"] == "<22>"


def test_a_check_of_tools_refuses_the_turn_also_where_a_layer_answers(run: Any, sim: Any) -> None:
    ran: list[int] = []

    def spy() -> int:
        """Spy."""
        ran.append(1)
        return 1

    async def answers(self: Any, call: Any) -> Any:
        return ToolResultBlock(call.id, "from a cache")

    def refuses(self: Any, call: Any) -> None:
        raise PolicyViolation(f"not {call.name}")

    for plugins in ([], [with_hook("call_tool", answers, "answers")]):
        server = sim(Rule(tool_use={"name": "spy", "input": {}}, times=1))
        with pytest.raises(PolicyViolation, match="not spy"):
            run.send(
                line={
                    "base_url": server,
                    "plugins": plugins,
                    "policy": enforcer("check_tool", refuses),
                },
                tools=[spy],
            )
    assert ran == []


def test_calls_of_one_reply_run_side_by_side_and_their_results_keep_the_order(
    run: Any, sim: Any
) -> None:
    together = threading.Barrier(2)

    def meet(number: int) -> str:
        """Meet."""
        together.wait(20)
        return f"met {number}"

    uses = [{"name": "meet", "input": {"number": each}} for each in (1, 2)]
    server = sim(Rule(tool_use=uses, times=1))
    layers: list[Any] = []

    async def layer(self: Any, call: Any, call_next: Any) -> Any:
        layers.append(call.input["number"])
        return await call_next(call)

    run.send(line={"base_url": server, "plugins": [with_hook("call_tool", layer)]}, tools=[meet])
    assert [each["content"] for each in results(server)] == ["met 1", "met 2"]
    assert sorted(layers) == [1, 2]
