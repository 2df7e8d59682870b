"""The life of a turn: observers that cost nothing, ``conclude`` before the end, the real end of attempts."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest

from hookline import (
    APIError,
    AsyncPipeline,
    DeadlineExceeded,
    Pipeline,
    PluginError,
    PolicyViolation,
    hookimpl,
)
from hookline.simulator import Rule
from hookline.values import Usage
from support.patience import SLACK, widening


def with_hook(hook: str, function: Any, name: str = "plugin", **attributes: Any) -> Any:
    members = {"name": name, hook: hookimpl(function), **attributes}
    return type(name.title(), (), members)()


# Observers


@pytest.mark.parametrize("hook", ["on_turn_start", "on_attempt", "on_turn_end"])
def test_an_observer_that_waits_costs_its_seconds_and_no_reply(run: Any, hook: str) -> None:
    heard: list[str] = []

    async def slow(self: Any, turn: Any) -> None:
        await turn.io.sleep(30)

    plugins = [
        with_hook(hook, slow, "slow", role="observer", observer_timeout=0.05),
        with_hook(hook, lambda self: heard.append(hook), "other", role="observer"),
    ]
    began = time.monotonic()
    reply = run.send(line={"plugins": plugins}, timeout=10)
    assert time.monotonic() - began < SLACK
    assert heard == [hook]
    assert [text for plugin, text in reply.trace.notes if plugin == "slow"] == [
        f"{hook} failed: TimeoutError: not done after 0.05 s"
    ] or "time for this was up" in str(reply.trace.notes)


def test_a_turn_ends_well_though_an_observer_outlasts_its_deadline(run: Any) -> None:
    async def slow(self: Any, turn: Any) -> None:
        await turn.io.sleep(30)

    for limit in widening(0.3):
        plugin = with_hook("on_turn_end", slow, role="observer", observer_timeout=limit + 0.1)
        with suppress(DeadlineExceeded):
            reply = run.send(line={"plugins": [plugin]}, timeout=limit)
            break
    assert reply.text


@pytest.mark.parametrize("hook", ["on_turn_start", "on_attempt", "conclude", "on_turn_end"])
def test_a_cancellation_while_one_plugin_is_told_reaches_the_others_and_then_the_caller(
    hook: str,
) -> None:
    heard: list[str] = []
    ends: list[Any] = []

    async def main() -> None:
        waits = asyncio.Event()

        async def long(self: Any) -> None:
            waits.set()
            await asyncio.sleep(20)

        role = "transformer" if hook == "conclude" else "observer"
        plugins = [
            with_hook(hook, long, "long", role=role, observer_timeout=30),
            with_hook(hook, lambda self: heard.append(hook), "other", role=role),
            with_hook("on_turn_end", lambda self, error: ends.append(type(error)), "ends"),
        ]
        async with AsyncPipeline(base_url="sim:", config={}, plugins=plugins) as line:
            task = asyncio.ensure_future(line.send("Hello"))
            await asyncio.wait_for(waits.wait(), 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert heard == [hook]
    assert len(ends) == 1
    if hook != "on_turn_end":  # there the turn had ended well before somebody left
        assert ends == [asyncio.CancelledError]


@pytest.mark.parametrize("seconds", [0, -1, "soon", True])
def test_a_wrong_observer_timeout_is_refused(seconds: Any) -> None:
    from hookline import ConfigError

    plugin = with_hook("on_turn_end", lambda self: None, observer_timeout=seconds)
    with pytest.raises(ConfigError, match="observer_timeout"):
        Pipeline(base_url="sim:", plugins=[plugin])


# Conclude


class Ledger:
    """Writes down how turns ended."""

    name = "ledger"

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    @hookimpl
    async def conclude(self, turn: Any, outcome: Any) -> None:
        await turn.io.sleep(0)
        error = type(outcome.error).__name__ if outcome.error else None
        self.log.append((bool(outcome.reply), error, len(outcome.attempts)))


def test_conclude_comes_before_the_caller_has_the_end(run: Any, streamed: Any) -> None:
    log: list[Any] = []

    async def body(line: Any) -> None:
        if not streamed:
            await line.send("Hello")
        else:
            async with line.stream("Hello") as stream:
                async for event in stream.events:
                    log.append(event.type)
        log.append("the caller has it")

    run(body, plugins=[Ledger(log)])
    assert log.count((True, None, 1)) == 1
    place = log.index((True, None, 1))
    assert log[place + 1 :] == (["message_stop"] if streamed else []) + ["the caller has it"]


@pytest.mark.parametrize("role", ["transformer", "enforcer"])
def test_a_conclusion_that_fails_fails_the_turn(run: Any, streamed: Any, role: str) -> None:
    def fails(self: Any) -> None:
        raise OSError("the disk is full")

    log: list[Any] = []
    ends: list[Any] = []
    plugins = [
        with_hook("conclude", fails, "audit", role=role),
        Ledger(log),
        with_hook("on_turn_end", lambda self, reply, error: ends.append((reply, error)), "end"),
    ]
    if role == "enforcer":
        audit = plugins.pop(0)
        line = {"plugins": plugins, "policy": audit}
    else:
        line = {"plugins": plugins}
    wanted = PolicyViolation if role == "enforcer" else PluginError
    with pytest.raises(wanted, match="the disk is full"):
        run.outcome(streamed, line=line)
    assert len(log) == 1  # the others are asked all the same
    ((reply, error),) = ends
    assert reply is None
    assert isinstance(error, wanted)


def test_a_turn_that_has_failed_keeps_its_own_error(run: Any, sim: Any) -> None:
    def fails(self: Any) -> None:
        raise OSError("the disk is full")

    log: list[Any] = []
    plugins = [with_hook("conclude", fails, "audit"), Ledger(log)]
    with pytest.raises(APIError):
        run.send(line={"base_url": sim(Rule(status=400)), "plugins": plugins})
    assert log == [(False, "APIError", 1)]


def test_conclude_runs_once_when_the_caller_leaves(run: Any) -> None:
    log: list[Any] = []

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            async for _ in stream.text:
                break

    run(body, plugins=[Ledger(log)])
    assert log == [(False, "GeneratorExit", 1)]


def test_the_outcome_counts_every_attempt(run: Any, sim: Any) -> None:
    seen: list[Any] = []
    plugin = with_hook("conclude", lambda self, outcome: seen.append(outcome))
    server = sim(Rule(status=529, times=1))
    config = {"plugins": {"retry": {"base": 0.001, "throttle_base": 0.001}}}
    line = {"base_url": server, "plugins": [plugin], "config": config, "model": "claude-haiku-4-5"}
    reply = run.send(line=line)
    (outcome,) = seen
    assert [each.outcome for each in outcome.attempts] == ["refused", "answered"]
    assert outcome.usage.output_tokens == reply.usage.output_tokens
    assert outcome.cost == reply.cost


# The real end of attempts


def test_a_turn_without_an_attempt_has_cost_nothing(run: Any) -> None:
    seen: list[Any] = []

    def refuses(self: Any) -> None:
        raise PolicyViolation("no")

    plugins = [
        with_hook("conclude", lambda self, outcome: seen.append((outcome.usage, outcome.cost))),
        with_hook("check_request", refuses, "judge"),
    ]
    with pytest.raises(PolicyViolation):
        run.send(line={"plugins": plugins})
    assert seen == [(Usage(), 0)]


def test_an_attempt_is_told_of_after_its_last_event(run: Any) -> None:
    log: list[Any] = []
    plugins = [
        with_hook("on_event", lambda self, event: log.append(event.type), "events"),
        with_hook("on_attempt", lambda self, attempt: log.append(attempt), "attempts"),
    ]
    run.stream(line={"plugins": plugins})
    attempt = log[-1]
    assert log[-2] == "message_stop"
    assert attempt.outcome == "answered"
    assert attempt.usage.output_tokens > 0
    assert 0 < attempt.latency <= attempt.seconds


def test_a_stream_that_breaks_does_not_stand_as_a_success(run: Any, sim: Any) -> None:
    seen: list[Any] = []
    plugin = with_hook("on_attempt", lambda self, attempt: seen.append(attempt))
    from hookline import HooklineError

    with pytest.raises(HooklineError):
        run.stream(
            line={"base_url": sim(Rule(error_event="overloaded_error")), "plugins": [plugin]}
        )
    (attempt,) = seen
    assert attempt.outcome == "interrupted"
    assert "overloaded" in attempt.error


def test_a_stream_that_is_left_is_told_as_interrupted(run: Any) -> None:
    seen: list[Any] = []
    plugin = with_hook("on_attempt", lambda self, attempt: seen.append(attempt.outcome))

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            async for _ in stream.text:
                break

    run(body, plugins=[plugin])
    assert seen == ["interrupted"]


# The life of plugins


class Opens:
    """Says when it is opened and closed."""

    def __init__(self, name: str, log: list[str], *, fails: bool = False) -> None:
        self.name = name
        self._log = log
        self._fails = fails

    @hookimpl
    async def open(self) -> None:
        if self._fails:
            raise ValueError("no way in")
        self._log.append(f"open {self.name}")

    @hookimpl
    def close(self) -> None:
        self._log.append(f"close {self.name}")


def test_plugins_are_opened_in_order_and_closed_in_reverse(run: Any) -> None:
    log: list[str] = []

    async def body(line: Any) -> None:
        assert log == ["open a", "open b"]
        await line.send("Hello")
        await line.send("Hello")

    run(body, plugins=[Opens("a", log), Opens("b", log)])
    assert log == ["open a", "open b", "close b", "close a"]


def test_a_plugin_that_cannot_open_stops_the_pipeline_and_the_others_are_closed() -> None:
    log: list[str] = []
    plugins = [Opens("a", log), Opens("b", log, fails=True), Opens("c", log)]
    line = Pipeline(base_url="sim:", plugins=plugins)
    with pytest.raises(PluginError, match=r"'b'.*no way in"):
        line.send("Hello")
    assert log == ["open a", "close a"]


def test_turns_that_begin_together_open_once() -> None:
    log: list[str] = []

    async def main() -> None:
        line = AsyncPipeline(base_url="sim:", plugins=[Opens("a", log)])
        await asyncio.gather(*(line.send("Hello") for _ in range(5)))
        await line.close()

    asyncio.run(main())
    assert log == ["open a", "close a"]


def test_a_closed_pipeline_says_so(run: Any) -> None:
    from hookline import InputError

    async def body(line: Any) -> None:
        await line.send("Hello")
        closing = line.close()
        if closing is not None:
            await closing
        with pytest.raises(InputError, match="closed"):
            await line.send("Hello")
        with pytest.raises(InputError, match="closed"):
            async with line.stream("Hello"):
                pass

    run(body)


class Keeps:
    """Notes when it begins and when it is done; in between it waits to be let on."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.log: list[str] = []

    @hookimpl
    async def conclude(self) -> None:
        self.log.append("begun")
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.log.append("cut short")
            raise
        self.log.append("done")


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("surface", ["send", "stream"])
def test_a_cancellation_that_comes_while_it_concludes_waits_for_its_end(
    surface: str, times: int
) -> None:
    async def main() -> Keeps:
        keeps = Keeps()
        async with AsyncPipeline(base_url="sim:", config={}, plugins=[keeps]) as line:

            async def turn() -> None:
                if surface == "send":
                    await line.send("Hello")
                    return
                async with line.stream("Hello") as stream:
                    await stream.reply

            task = asyncio.ensure_future(turn())
            await keeps.begun.wait()
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
                assert keeps.log == ["begun"]
            keeps.go.set()
            with pytest.raises(asyncio.CancelledError):
                await task
        return keeps

    assert asyncio.run(main()).log == ["begun", "done"]


def test_what_fails_while_its_turn_is_cancelled_is_the_cause() -> None:
    async def main() -> BaseException:
        keeps = Keeps()
        async with AsyncPipeline(base_url="sim:", config={}, plugins=[keeps]) as line:
            task = asyncio.ensure_future(line.send("Hello"))
            await keeps.begun.wait()
            keeps.log = None  # type: ignore[assignment]  # so that it fails when it goes on
            task.cancel()
            await asyncio.sleep(0)
            keeps.go.set()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
        return caught.value

    error = asyncio.run(main())
    assert isinstance(error.__cause__ or error.__context__, AttributeError)


def test_one_that_never_ends_is_left_after_a_while(monkeypatch: Any) -> None:
    monkeypatch.setattr("hookline._io.asynchronous._CLEAN_UP_SECONDS", 0.01)

    async def main() -> Keeps:
        keeps = Keeps()
        async with AsyncPipeline(base_url="sim:", config={}, plugins=[keeps]) as line:
            with pytest.raises(PluginError, match=r"it was not done after 0\.01 s"):
                await line.send("Hello")
        return keeps

    assert asyncio.run(main()).log == ["begun", "cut short"]
