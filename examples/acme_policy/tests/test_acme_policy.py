"""The bank's policy, attacked. The distribution is installed, as it would be in an application."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import acme_policy
from hookline import ConfigError, Image, Pipeline, PolicyViolation, Principal, hookimpl
from hookline.cli import main
from hookline.simulator import Rule, Scenario, Simulator
from hookline.testing import RecordingSimulator

MODEL = "claude-haiku-4-5"


@pytest.fixture(autouse=True)
def _policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The policy itself, but for where it keeps things: no test writes below /var/lib."""
    policy = Path(acme_policy.policy_file()).read_text(encoding="utf-8")
    moved = tmp_path / "policy.toml"
    moved.write_text(policy.replace("/var/lib/acme", tmp_path.as_posix()), encoding="utf-8")
    monkeypatch.setenv("HOOKLINE_POLICY", str(moved))


def line(*rules: Rule, **options: Any) -> Pipeline:
    return Pipeline(**{"base_url": Simulator(Scenario.of(*rules)), "model": MODEL, **options})


def transfer(amount: float) -> str:
    """Move money."""
    return f"moved {amount}"


def asks(amount: Any, call_id: str = "toolu_1") -> Rule:
    return Rule(tool_use={"name": "transfer", "input": {"amount": amount}, "id": call_id}, times=1)


def test_it_is_installed_and_takes_part() -> None:
    assert version("acme-policy") == "1.4.0"
    with line() as pipeline:
        assert {"rules", "policy", "acme-approvals", "redact", "budget", "audit"} <= {
            each.name for each in pipeline.plugins.plugins
        }
        assert pipeline.settings.max_tokens == 2048  # the default, cut


def test_ordinary_work_goes_through_and_advice_gets_its_sentence() -> None:
    with line(Rule(reply="Buy funds.", when="tip")) as pipeline:
        assert "advice" not in pipeline.send("Hello").text
        assert pipeline.send("A tip?").text.endswith("This is no investment advice.")
        with pipeline.stream("A tip?") as stream:
            assert "".join(stream.text).endswith("This is no investment advice.")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("amount", [501, -1, "7", None, True])
def test_money_does_not_move_without_approval(amount: Any, streamed: bool) -> None:
    with line(asks(amount)) as pipeline, pytest.raises(PolicyViolation) as caught:
        if streamed:
            with pipeline.stream("Pay", tools=[transfer]) as stream:
                _ = stream.reply
        else:
            pipeline.send("Pay", tools=[transfer])
    assert caught.value.rule == "approval"


def test_little_moves_by_itself() -> None:
    with line(asks(500)) as pipeline:
        pipeline.send("Pay", tools=[transfer])


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        ({"model": "claude-opus-4-5"}, "approved-models"),
        ({"max_tokens": 2049}, "bounds.max_tokens"),
        ({"system": "You are on Project\u200b Zephyr."}, "no-codenames"),
        ({"prefill": "The blue heron"}, "no-codenames"),
        ({"images": [Image("https://evil.example/a.png")]}, "image-hosts"),
        (
            {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
            "no-foreign-tools",
        ),
    ],
)
def test_what_is_refused(call: dict[str, Any], rule: str) -> None:
    with line() as pipeline, pytest.raises(PolicyViolation) as caught:
        pipeline.send("Hello", **call)
    assert caught.value.rule == rule


SERVICE, SALES = (Principal(user="ada", team=team) for team in ("service", "sales"))
ECHO = Rule(reply="I shall write to [MAIL_1].")


def test_customers_leave_as_placeholders_and_only_who_serves_them_reads_them() -> None:
    bank = RecordingSimulator(ECHO)
    with Pipeline(base_url=bank, model=MODEL) as pipeline:
        served = pipeline.send("Write to bob@example.org", principal=SERVICE)
        assert served.text == "I shall write to bob@example.org."
        assert pipeline.send("Write to bob@example.org", principal=SALES).text == ECHO.reply
        with pipeline.stream("Write to bob@example.org", principal=SERVICE) as stream:
            assert "".join(stream.text) == served.text
    assert "bob@example.org" not in str(bank.requests)


def test_every_turn_is_on_record_and_the_chain_holds(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with line() as pipeline:
        pipeline.send("Write to bob@example.org", principal=SERVICE)
        with pytest.raises(PolicyViolation):
            pipeline.send("Project Zephyr?", principal=SALES)
    assert main(["audit", "show", "--json"]) == 0
    out = capfd.readouterr().out
    answered, refused = json.loads(out)
    assert (answered["outcome"], refused["outcome"]) == ("answered", "refused")
    assert refused["error"]["rule"] == "no-codenames"
    assert answered["policies"][0].startswith("acme-2026-11 sha256:")
    assert "bob@example.org" not in out
    assert main(["audit", "verify"]) == 0


def test_a_team_spends_what_it_has(capfd: pytest.CaptureFixture[str]) -> None:
    with line() as pipeline:
        pipeline.send("Hello", principal=SERVICE)
    assert main(["budget", "--json"]) == 0
    spent = {each["by"]: each for each in json.loads(capfd.readouterr().out)}
    assert (spent["team"]["subject"], spent["team"]["limit"]) == ("service", 500)
    assert (spent["user"]["unit"], spent["user"]["spent"]) == ("requests", 1)


class Hostile:
    """Of an application that would rather not."""

    last = True

    @hookimpl
    async def send(self, request: Any, call_next: Any) -> Any:
        return await call_next(request.evolve(model="claude-opus-4-5", system=None))


@pytest.mark.parametrize(
    "options",
    [
        {"disable": ["acme-approvals"]},
        {"disable": ["rules"]},
        {"disable": ["redact"]},
        {"disable": ["budget"]},
        {"disable": ["audit"]},
        {"config": {"plugins": {"audit": {"content": "none"}}}},
        {"config": {"plugins": {"budget": {"limits": []}}}},
        {"config": {"plugins": {"acme-approvals": {"limits": {}}}}},
        {"config": {"plugins": {"acme-approvals": {"shadow": True}}}},
        {"max_tokens": 4096},
        {"unknown_models": "allow"},
        {"plugins": ["record"]},
    ],
)
def test_no_application_gets_around_it(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        line(**options)


def test_nor_does_a_plugin() -> None:
    with line(plugins=[Hostile()]) as pipeline, pytest.raises(PolicyViolation):
        pipeline.send("Hello")


def test_it_says_what_its_cases_expect(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "lint"]) == 0, capfd.readouterr().out
    cases = Path(__file__).parent.parent / "cases.toml"
    assert main(["policy", "test", str(cases)]) == 0, capfd.readouterr().out
