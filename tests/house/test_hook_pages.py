"""Each hook has a page, and what it says of failures and of `def` and `async def` is what happens."""

import re
from pathlib import Path
from typing import Any

import pytest

from generator.hooks import FAILURES
from hookline import ConfigError, HooklineError, Pipeline, PluginError, PolicyViolation, hookimpl
from hookline._journey.plugin_set import HOOKS
from hookline.cli import main
from hookline.simulator import Rule, Scenario, Simulator

PAGES = Path(__file__).parents[2] / "docs" / "plugins" / "hooks"
PAIRS = [(hook, role) for hook in HOOKS for role in FAILURES[hook]]


def look(city: str) -> str:
    """Look."""
    return "sun"


def breaks(_self: Any) -> None:
    raise RuntimeError("broken on purpose")


def plugin(hook: str, role: str) -> Any:
    members = {hook: hookimpl(breaks), "role": role, "name": "broken"}
    return type("Broken", (), members)()


def outcome(hook: str, role: str) -> str:
    """Take a turn with a tool, streamed, with a plugin that fails in one hook."""
    sim = Simulator(Scenario.of(Rule(tool_use={"name": "look", "input": {"city": "x"}}, times=1)))
    with Pipeline(base_url=sim, config={}, plugins=[plugin(hook, role)]) as line:
        with line.stream("Hello", tools=[look]) as stream:
            reply = stream.reply
        assert reply.stop_reason == "end_turn"
        noted = [text for name, text in reply.trace.notes if name == "broken"]
    return "noted" if any("broken on purpose" in each for each in noted) else "nothing"


@pytest.mark.parametrize(("hook", "role"), PAIRS)
def test_a_failure_means_what_the_page_says(hook: str, role: str) -> None:
    said = FAILURES[hook][role]
    named = re.search(r"`(PluginError|PolicyViolation|ConfigError)`", said)
    classes = {
        "PluginError": PluginError,
        "PolicyViolation": PolicyViolation,
        "ConfigError": ConfigError,
    }
    if named is None:
        found = outcome(hook, role)
        assert found in ("noted", "nothing")
        if "noted in the trace" in said and hook != "on_turn_end":
            assert found == "noted"
        return
    with pytest.raises(HooklineError) as caught:
        outcome(hook, role)
    assert type(caught.value) is classes[named[1]]


def test_a_command_that_fails_costs_a_remark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text(
        "from hookline import hookimpl\n"
        "@hookimpl\ndef register_commands(register): raise RuntimeError('broken on purpose')\n"
    )
    assert main(["-p", "./broken.py", "--help"]) == 0
    out, err = capfd.readouterr()
    assert "broken on purpose" in err
    assert "doctor" in out


@pytest.mark.parametrize("hook", HOOKS)
def test_a_page_shows_the_hook_in_an_example_that_runs(hook: str) -> None:
    page = (PAGES / f"{hook}.md").read_text(encoding="utf-8")
    (code, *_) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert f"<!-- generated: hook {hook} -->" in page
    assert re.search(rf"@hookimpl\n *(async )?def {hook}\(", code)
    assert "assert " in page or "pytest.raises" in page or "grep" in page


@pytest.mark.parametrize("hook", HOOKS)
def test_async_where_the_page_says_so(hook: str) -> None:
    async def implementation(_self: Any) -> None: ...

    thing = type("Plugin", (), {hook: hookimpl(implementation)})()
    page = (PAGES / f"{hook}.md").read_text(encoding="utf-8")
    if "| may be | `def` or `async def` |" in page:
        Pipeline(base_url="sim:", config={}, plugins=[thing])
    else:
        with pytest.raises(ConfigError, match="cannot be async"):
            Pipeline(base_url="sim:", config={}, plugins=[thing])


def test_sys_exit_while_opening_is_a_failure_like_any_other() -> None:
    def leaves(_self: Any) -> None:
        raise SystemExit(3)

    thing = type("Leaves", (), {"open": hookimpl(leaves)})()
    with pytest.raises(PluginError, match="SystemExit"):
        Pipeline(base_url="sim:", config={}, plugins=[thing]).send("Hello")
