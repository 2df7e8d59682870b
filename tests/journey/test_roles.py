"""Roles: what an observer, a transformer and an enforcer can and cannot do to a turn."""

from typing import Any

import pytest

from hookline import (
    ConfigError,
    Message,
    Pipeline,
    PluginError,
    PolicyViolation,
    Response,
    StreamFilter,
    TextBlock,
    hookimpl,
)
from hookline._journey.plugin_set import Plugin
from hookline.values.events import MessageStop


def with_hook(hook: str, function: Any, **attributes: Any) -> Any:
    members = {"name": "judge", hook: hookimpl(function), **attributes}
    return type("Judge", (), members)()


def line_of(*plugins: Any, base_url: Any = "sim:") -> dict[str, Any]:
    return {"plugins": list(plugins), "base_url": base_url}


def fails(self: Any) -> None:
    raise RuntimeError("broken")


# Observers

OBSERVED = ("on_turn_start", "on_attempt", "on_event", "on_turn_end")


@pytest.mark.parametrize("hook", OBSERVED)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failing_observer_is_logged_and_the_others_still_hear(
    run: Any, logged: Any, hook: str, asynchronous: Any
) -> None:
    heard: list[str] = []

    async def fails_later(self: Any) -> None:
        raise RuntimeError("broken")

    broken = with_hook(hook, fails_later if asynchronous else fails)
    other = type("Other", (), {hook: hookimpl(lambda self: heard.append(hook))})()
    text, reply = run.stream(line=line_of(broken, other))
    assert reply.text == text != ""
    assert set(heard) == {hook}
    lines = [record for record in logged if record["extra"].get("plugin") == "judge"]
    assert lines
    assert all(record["extra"]["hook"] == hook for record in lines)
    assert "'judge' failed in" in lines[0]["message"]
    assert "RuntimeError: broken" in lines[0]["message"]


@pytest.mark.parametrize("hook", ["build_history", "inject_prefill", "resolve_images"])
@pytest.mark.parametrize("does", ["fails", "answers", "answers wrongly"])
def test_an_observer_in_a_transform_cannot_touch_the_turn(
    run: Any, sim: Any, hook: str, does: str
) -> None:
    server = sim()

    def spoils(self: Any, request: Any) -> Any:
        if does == "fails":
            raise RuntimeError("broken")
        return request.evolve(system="spoilt") if does == "answers" else 42

    run.send(line=line_of(with_hook(hook, spoils, role="observer"), base_url=server))
    assert "system" not in server.bodies[0]


@pytest.mark.parametrize("does", ["fails", "answers", "answers wrongly"])
def test_an_observer_in_post_process_cannot_touch_the_turn(
    run: Any, streamed: Any, does: str
) -> None:
    def spoils(self: Any, reply: Any) -> Any:
        if does == "fails":
            raise RuntimeError("broken")
        return reply.with_text("spoilt") if does == "answers" else 42

    line = line_of(with_hook("post_process", spoils, role="observer"))
    assert "Hello" in run.outcome(streamed, line=line).text


@pytest.mark.parametrize("does", ["fails", "fails late", "answers", "answers wrongly"])
def test_an_observer_with_a_filter_cannot_touch_the_stream(
    run: Any, streamed: Any, logged: Any, does: str
) -> None:
    def broken(text: str) -> str:
        if does == "fails late":
            raise RuntimeError("broken")
        return "spoilt"

    def spoils(self: Any) -> Any:
        if does == "fails":
            raise RuntimeError("broken")
        if does == "answers wrongly":
            return 42
        return StreamFilter.deltas(broken, look_behind=0)

    line = line_of(with_hook("filter_stream", spoils, role="observer"))
    assert "You said: Hello" in run.outcome(streamed, line=line).text
    told = [record for record in logged if record["extra"].get("plugin") == "judge"]
    assert bool(told) == (does != "answers")


# Enforcers


@pytest.mark.parametrize(
    "hook", ["build_history", "inject_prefill", "resolve_images", "send", "check_request"]
)
def test_whatever_goes_wrong_in_an_enforcer_refuses_the_turn(
    run: Any, sim: Any, streamed: Any, hook: str
) -> None:
    server = sim()
    plugin = with_hook(hook, fails, role="enforcer")
    with pytest.raises(PolicyViolation, match="RuntimeError: broken") as caught:
        run.outcome(streamed, line=line_of(plugin, base_url=server))
    assert caught.value.plugin == "judge"
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert server.calls == []


@pytest.mark.parametrize("hook", ["filter_stream", "post_process"])
def test_an_enforcer_that_fails_after_the_answer_refuses_the_turn_too(
    run: Any, streamed: Any, hook: str
) -> None:
    plugin = with_hook(hook, fails, role="enforcer")
    with pytest.raises(PolicyViolation, match="RuntimeError: broken") as caught:
        run.outcome(streamed, line=line_of(plugin))
    assert caught.value.plugin == "judge"


@pytest.mark.parametrize("hook", ["build_history", "check_request", "post_process"])
def test_a_wrong_answer_of_an_enforcer_refuses_the_turn(run: Any, streamed: Any, hook: str) -> None:
    plugin = with_hook(hook, lambda self: 42, role="enforcer")
    with pytest.raises(PolicyViolation):
        run.outcome(streamed, line=line_of(plugin))


def test_a_violation_carries_its_own_text_and_the_plugins_name(run: Any, streamed: Any) -> None:
    def refuses(self: Any) -> None:
        raise PolicyViolation("not on Sundays", rule="sunday")

    with pytest.raises(PolicyViolation, match=r"^not on Sundays$") as caught:
        run.outcome(streamed, line=line_of(with_hook("check_request", refuses)))
    assert (caught.value.plugin, caught.value.rule) == ("judge", "sunday")
    assert caught.value.__cause__ is None


def test_any_error_in_a_check_blocks_whatever_the_role(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()
    with pytest.raises(PluginError):
        run.outcome(streamed, line=line_of(with_hook("check_request", fails), base_url=server))
    assert server.calls == []


def test_a_check_that_answers_anything_blocks(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()
    plugin = with_hook("check_request", lambda self: False)
    with pytest.raises(PluginError, match="raise PolicyViolation to refuse"):
        run.outcome(streamed, line=line_of(plugin, base_url=server))
    assert server.calls == []


def test_a_refusal_is_in_the_trace() -> None:
    seen: list[Any] = []

    def refuses(self: Any) -> None:
        raise PolicyViolation("no")

    class Watcher:
        @hookimpl
        def on_turn_end(self, turn: Any) -> None:
            seen.extend(turn.trace.verdicts)

    plugins = [with_hook("check_request", refuses), Watcher()]
    with Pipeline(base_url="sim:", plugins=plugins) as line, pytest.raises(PolicyViolation):
        line.send("Hello")
    assert [(each.plugin, each.decision, each.reason) for each in seen] == [
        ("judge", "refused", "no")
    ]


def test_policy_takes_enforcers_only_and_no_setting_removes_them() -> None:
    def refuses(self: Any) -> None:
        raise PolicyViolation("no")

    with pytest.raises(
        ConfigError, match=r"policy= takes enforcers and policy files, and plugin 'judge'"
    ):
        Pipeline(base_url="sim:", policy=with_hook("check_request", refuses))
    enforcer = with_hook("check_request", refuses, role="enforcer")
    with (
        Pipeline(
            base_url="sim:", policy=enforcer, config={"plugins": {"enable": ["echo"]}}
        ) as line,
        pytest.raises(PolicyViolation),
    ):
        line.send("Hello")
    with pytest.raises(ConfigError, match="'judge'"):
        Pipeline(base_url="sim:", policy=enforcer, config={"plugins": {"disable": ["judge"]}})


# Shadows: they judge, nothing is stopped


def shadow(hook: str, function: Any) -> Plugin:
    return Plugin("judge", with_hook(hook, function, role="enforcer"), shadow=True)


@pytest.mark.parametrize(
    "hook",
    [
        "build_history",
        "inject_prefill",
        "resolve_images",
        "check_request",
        "filter_stream",
        "post_process",
    ],
)
@pytest.mark.parametrize("does", ["fails", "answers wrongly"])
def test_a_shadow_that_fails_is_recorded_and_stops_nothing(
    run: Any, streamed: Any, hook: str, does: str
) -> None:
    function = fails if does == "fails" else (lambda self: 42)
    reply = run.outcome(streamed, line=line_of(shadow(hook, function)))
    assert "Hello" in reply.text
    (verdict,) = reply.trace.verdicts
    assert (verdict.plugin, verdict.hook, verdict.decision) == ("judge", hook, "would refuse")
    assert ("broken" if does == "fails" else "int") in verdict.reason
    assert "would refuse" in reply.trace.render()


def test_a_shadow_that_would_change_the_request_is_recorded_and_changes_nothing(
    run: Any, sim: Any
) -> None:
    server = sim()
    plugin = shadow("build_history", lambda self, request: request.evolve(system="spoilt"))
    reply = run.send(line=line_of(plugin, base_url=server))
    assert "system" not in server.bodies[0]
    assert [verdict.decision for verdict in reply.trace.verdicts] == ["would change"]


def test_a_shadow_that_would_change_the_reply_is_recorded_and_changes_nothing(
    run: Any, streamed: Any
) -> None:
    plugin = shadow("post_process", lambda self, reply: reply.with_text("spoilt"))
    reply = run.outcome(streamed, line=line_of(plugin))
    assert "Hello" in reply.text
    assert [verdict.decision for verdict in reply.trace.verdicts] == ["would change"]


def broken_block(block: Any) -> None:
    raise RuntimeError("broken")


class EatsTheEnd(StreamFilter):
    def feed(self, event: Any) -> Any:
        return () if isinstance(event, MessageStop) else (event,)


@pytest.mark.parametrize(
    ("filter_", "decisions"),
    [
        (lambda: StreamFilter.deltas(lambda text: text, look_behind=5), []),
        (lambda: StreamFilter.deltas(str.upper, look_behind=0), ["would change"]),
        (lambda: StreamFilter.block(lambda block: TextBlock("spoilt")), ["would change"]),
        (lambda: StreamFilter.message(lambda response: Response()), ["would change"]),
        (lambda: StreamFilter.block(broken_block), ["would refuse"]),
        (EatsTheEnd, None),
    ],
)
def test_a_shadow_filter_is_compared_and_lets_everything_pass(
    run: Any, streamed: Any, filter_: Any, decisions: Any
) -> None:
    plugin = shadow("filter_stream", lambda self: filter_())
    reply = run.outcome(streamed, line=line_of(plugin))
    assert "You said: Hello" in reply.text
    if decisions is not None:
        assert [verdict.decision for verdict in reply.trace.verdicts] == decisions


def test_a_shadow_holds_no_stream_back(run: Any) -> None:
    pieces: list[str] = []

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            pieces.extend([piece async for piece in stream.text])

    plugin = shadow("post_process", lambda self, reply: reply.with_text("spoilt"))
    run(body, **line_of(plugin))
    assert len(pieces) > 1


def test_a_transformer_that_appends_is_no_observer(run: Any, sim: Any) -> None:
    server = sim()

    def appends(self: Any, request: Any) -> Any:
        return request.append(Message("assistant", "So"))

    run.send(line=line_of(with_hook("inject_prefill", appends), base_url=server))
    assert server.bodies[0]["messages"][-1] == {"role": "assistant", "content": "So"}
