"""F69 to F76: plugins that fail, hang, answer nonsense, or end the program."""

import sys
import time
from typing import Any

import pytest

from hookline import (
    ConfigError,
    DeadlineExceeded,
    NeedsEventLoop,
    Pipeline,
    PluginError,
    PluginWarning,
    PolicyViolation,
    hookimpl,
)
from hookline._journey.plugin_set import Plugin
from support.patience import SLACK

WORKING = ("build_history", "inject_prefill", "resolve_images", "send", "post_process")
OBSERVING = ("on_turn_start", "on_attempt", "on_turn_end")


def plugin(hook: str, act: Any, **facts: Any) -> Any:
    """Return a plugin whose one hook does something."""

    def implementation(self: Any, turn: Any) -> Any:
        return act(turn)

    implementation.__name__ = hook
    facts = {"rewrites_text": False, **facts}
    return type("Odd", (), {hook: hookimpl(implementation), "name": "odd", **facts})()


def raising(error: BaseException) -> Any:
    def act(turn: Any) -> None:
        raise error

    return act


ERRORS = [ValueError("odd"), SystemExit(3)]


@pytest.mark.parametrize("error", ERRORS, ids=["F69", "F73"])
@pytest.mark.parametrize("hook", WORKING)
def test_f69_f73_a_plugin_that_fails_fails_the_turn(
    few: Any, hook: str, error: BaseException
) -> None:
    outcome = few.meet(few.good, plugins=[plugin(hook, raising(error))])
    assert isinstance(outcome.error, PluginError)
    assert (outcome.error.plugin, outcome.error.hook) == ("odd", hook)
    assert type(error).__name__ in str(outcome.error)


@pytest.mark.parametrize("error", ERRORS, ids=["F69", "F73"])
def test_f69_f73_a_policy_that_fails_refuses_and_nothing_is_sent(
    few: Any, error: BaseException
) -> None:
    odd = plugin("check_request", raising(error), role="enforcer")
    outcome = few.meet(few.good, plugins=[odd])
    assert isinstance(outcome.error, PolicyViolation)
    assert outcome.server.requests == []


@pytest.mark.parametrize("error", ERRORS, ids=["F69", "F73"])
@pytest.mark.parametrize("hook", OBSERVING)
def test_f69_f73_an_observer_that_fails_is_passed_over(
    few: Any, hook: str, error: BaseException
) -> None:
    odd = plugin(hook, raising(error), role="observer")
    assert few.meet(few.good, plugins=[odd]).text == "Hello!"


@pytest.mark.parametrize("hook", WORKING[:-1])
def test_f70_a_hook_that_hangs_meets_the_deadline(few: Any, hook: str) -> None:
    def late(turn: Any) -> None:  # nothing can stop a hook in blocking code; it is noticed after it
        time.sleep(0.15)
        turn.check_deadline(hook)

    sync = few.colour == "sync"
    odd = plugin(hook, late if sync else lambda turn: turn.io.sleep(60))
    outcome = few.meet(few.good, plugins=[odd], asked={"timeout": 0.1}, real_time=True)
    assert isinstance(outcome.error, DeadlineExceeded)
    assert outcome.seconds < SLACK


@pytest.mark.parametrize("hook", WORKING)
@pytest.mark.parametrize("answer", [5, "text", [], True])
def test_f71_a_wrong_answer_names_plugin_and_hook(few: Any, hook: str, answer: Any) -> None:
    outcome = few.meet(few.good, plugins=[plugin(hook, lambda turn: answer)])
    assert isinstance(outcome.error, PluginError)
    assert (outcome.error.plugin, outcome.error.hook) == ("odd", hook)
    assert type(answer).__name__ in str(outcome.error)


def test_f71_what_a_plugin_is_given_cannot_be_changed(few: Any) -> None:
    class Odd:
        name = "odd"

        @hookimpl
        def build_history(self, request: Any) -> None:
            request.messages[0].content = "changed"

    outcome = few.meet(few.good, plugins=[Odd()])
    assert isinstance(outcome.error, PluginError)
    assert outcome.server.requests == []


def test_f72_a_plugin_of_the_other_colour_works_or_is_told(few: Any) -> None:
    async def waits() -> None:
        import asyncio

        await asyncio.sleep(0)

    outcome = few.meet(few.good, plugins=[plugin("build_history", lambda turn: waits())])
    if few.colour == "sync":
        assert isinstance(outcome.error, PluginError | NeedsEventLoop)
        assert "AsyncPipeline" in str(outcome.error)
    else:
        assert outcome.text == "Hello!"


def test_f75_two_plugins_of_one_name_are_refused() -> None:
    one, other = (plugin("build_history", lambda turn: None) for _ in range(2))
    with pytest.raises(ConfigError, match="odd"):
        Pipeline(base_url="sim:", plugins=[Plugin("odd", one), Plugin("odd", other)])


def test_f76_a_plugin_that_cannot_be_imported_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_plugin.py").write_text("import nowhere_to_be_found\n")
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hookline.plugins]\nbroken = broken_plugin:Odd\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    simulated: Any = {"base_url": "sim:", "model": "claude-haiku-4-5"}
    told = "plugin 'broken' of broken cannot be loaded"
    with (
        pytest.warns(PluginWarning, match=f"{told}.* It is left out"),
        Pipeline(**simulated) as line,
    ):
        assert line.send("Hello").text  # the others go on
    with pytest.raises(ConfigError, match=told):  # it was asked for
        Pipeline(**simulated, plugins=["broken"])
    config = {"plugins": {"disable": ["broken"]}}
    with Pipeline(**simulated, config=config) as line:  # and nobody is warned
        assert line.send("Hello").text
