"""Scenarios: which rule applies, and what a wrong file says."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from hookline.errors import ConfigError
from hookline.simulator import Call, Rule, Scenario, Simulator
from hookline.simulator.scenario import _KEYS
from hookline.wire import json

HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))
HELLO = {"role": "user", "content": "Hello"}


def say(simulator: Simulator, content: Any, **body: Any) -> Any:
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": content}],
        **body,
    }
    answer = simulator.handle(Call("POST", "/v1/messages", HEADERS, json.dumps(body)))
    if answer.status != 200:
        return answer.status
    return json.loads(answer.content)["content"][0]["text"]


def written(folder: Path, text: str) -> Path:
    file = folder / "scenario.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_first_rule_that_matches() -> None:
    simulator = Simulator(
        Scenario.of(
            Rule(when="ant", reply="A"),
            Rule(when_regex=r"be+\b", reply="B"),
            Rule(model="claude-opus-5-5", reply="C"),
            Rule(call=5, reply="D"),
            Rule(reply="E"),
        )
    )
    assert say(simulator, "an ant") == "A"
    assert say(simulator, "a beee") == "B"
    assert say(simulator, "x", model="claude-opus-5-5") == "C"
    assert say(simulator, "x") == "E"
    assert say(simulator, "x") == "D"
    assert say(simulator, "x") == "E"


def test_rules_are_used_up() -> None:
    simulator = Simulator(Scenario.of(Rule(status=529, times=2), Rule(reply="ok")))
    assert [say(simulator, "x") for _ in range(3)] == [529, 529, "ok"]


def test_two_simulators_share_nothing() -> None:
    scenario = Scenario.of(Rule(status=529, times=1), Rule(reply="ok"))
    first, second = Simulator(scenario), Simulator(scenario)
    assert say(first, "x") == say(second, "x") == 529


def test_invalid_requests_use_up_nothing() -> None:
    simulator = Simulator(Scenario.of(Rule(reply="first", times=1), Rule(reply="second")))
    assert say(simulator, "") == 400
    assert say(simulator, "x") == "first"


def test_only_the_last_turn_counts_tool_results_included() -> None:
    simulator = Simulator(Scenario.of(Rule(when="secret", reply="found"), Rule(reply="no")))
    past = [
        {"role": "user", "content": "secret"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {}}],
        },
    ]

    def answer(text: str) -> Any:
        result = [{"type": "tool_result", "tool_use_id": "t", "content": text}]
        tools = [{"name": "a", "input_schema": {"type": "object"}}]
        return say(
            simulator, "", messages=[*past, {"role": "user", "content": result}], tools=tools
        )

    assert answer("nothing") == "no"
    assert answer("the secret") == "found"


def test_usage_and_stop_reason_can_be_given() -> None:
    rule = Rule(reply="x", stop_reason="pause_turn", usage={"output_tokens": 7, "new": 1})
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "x"}],
    }
    call = Call("POST", "/v1/messages", HEADERS, json.dumps(body))
    message = json.loads(Simulator(Scenario.of(rule)).handle(call).content)
    assert message["stop_reason"] == "pause_turn"
    assert message["usage"]["output_tokens"] == 7
    assert message["usage"]["new"] == 1


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "ant.png").write_bytes(b"x")
    file = written(
        tmp_path,
        """
        [[rule]]
        when = "weather"
        tool_use = { name = "get_weather", input = { city = "Oslo" } }
        times = 1

        [[rule]]
        when_regex = '^\\d+$'
        reply = [{ type = "text", text = "a number" }]

        [[rule]]
        status = 429
        headers = { retry-after = "1" }
        delay = 0.5

        [urls]
        "https://example.com/ant.png" = "ant.png"
        """,
    )
    scenario = Scenario.from_toml(file)
    assert scenario.urls == {"https://example.com/ant.png": tmp_path / "ant.png"}
    assert scenario.rules[0] == Rule(
        when="weather",
        tool_use={"name": "get_weather", "input": {"city": "Oslo"}},
        times=1,
    )
    simulator = Simulator(scenario)
    assert say(simulator, "42") == "a number"
    assert say(simulator, "x") == 429


def test_an_empty_file_is_an_empty_scenario(tmp_path: Path) -> None:
    assert Scenario.from_toml(written(tmp_path, "")) == Scenario()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[[rule]]\nrepy = 'x'", ["rule 1", "'repy'", "did you mean 'reply'?"]),
        ("[[rule]]\n[[rule]]\ntimes = 'two'", ["rule 2", "'times'", "whole number", "'two'"]),
        ("[[rule]]\ntimes = -1", ["rule 1", "'times'", "0 or more"]),
        ("[[rule]]\nstream = 1", ["'stream'", "true or false"]),
        ("[[rule]]\nreply = 3", ["'reply'", "a string or an array of tables"]),
        ("[[rule]]\nheaders = { a = 1 }", ["'headers'", "table of strings"]),
        ("[[rule]]\nchunk = 0", ["'chunk'", "1 or more"]),
        ("[[rule]]\nwhen_regex = '('", ["rule 1", "'when_regex'", "single quotes"]),
        ("[rule]\nreply = 'x'", ["[[rule]]"]),
        ("[[rules]]\nreply = 'x'", ["'rules'", "did you mean 'rule'?"]),
        ("[urls]\n'https://x' = 'nope.png'", ["https://x", "there is no file"]),
        ("[urls]\n'https://x' = 3", ["https://x", "must name a file"]),
        ("batch_seconds = 'long'", ["'batch_seconds'", "a number of 0 or more"]),
        ("[[rule]]\nerror_event = 3", ["'error_event'", "the name of an error type or a table"]),
        ("rule = 3 4", ["is not TOML"]),
    ],
)
def test_wrong_files_name_file_key_and_remedy(tmp_path: Path, text: str, parts: list[str]) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        Scenario.from_toml(file)
    for part in [str(file), *parts]:
        assert part in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.toml cannot be read"):
        Scenario.from_toml(tmp_path / "nope.toml")


def test_files_have_the_keys_of_rules() -> None:
    assert set(_KEYS) == {attribute.name for attribute in attrs.fields(Rule)}


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        (Rule(chunk=3), ["thinking", "text"]),
        (Rule(call_tool_under_auto=True), ["thinking", "tool_use"]),
        (Rule(headers={"x": "y"}, thinking="Mine."), ["thinking", "text"]),
        (Rule(reply="Hi"), ["text"]),
        (Rule(tool_use={"name": "look"}), ["tool_use"]),
        (Rule(stop_reason="refusal"), []),
    ],
)
def test_a_rule_about_the_how_of_an_answer_leaves_the_thought(rule: Rule, kinds: list[str]) -> None:
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 2000,
        "messages": [HELLO],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    }
    simulator = Simulator(Scenario.of(rule))
    answer = simulator.handle(Call("POST", "/v1/messages", HEADERS, json.dumps(body)))
    message = json.loads(answer.content)
    assert [block["type"] for block in message["content"]] == kinds
    if kinds == ["thinking", "tool_use"]:  # and is taken back, as a client sends it
        result = {
            "type": "tool_result",
            "tool_use_id": message["content"][1]["id"],
            "content": "ok",
        }
        said = [
            HELLO,
            {"role": "assistant", "content": message["content"]},
            {"role": "user", "content": [result]},
        ]
        again = Call("POST", "/v1/messages", HEADERS, json.dumps({**body, "messages": said}))
        assert simulator.handle(again).status == 200


def test_a_tool_called_where_the_request_leaves_the_choice() -> None:
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    simulator = Simulator(Scenario.of(Rule(call_tool_under_auto=True)))

    def called(**body: Any) -> list[str]:
        said = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [HELLO], **body}
        call = Call("POST", "/v1/messages", HEADERS, json.dumps(said))
        message = json.loads(simulator.handle(call).content)
        return [block["name"] for block in message["content"] if block["type"] == "tool_use"]

    assert called(tools=tools) == ["look"]
    assert called(tools=tools, tool_choice={"type": "auto"}) == ["look"]
    assert called(tools=tools, tool_choice={"type": "none"}) == []
    assert called() == []
    use = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
    answered = [
        HELLO,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert called(tools=tools, messages=answered) == []


def test_a_file_slows_batches_down(tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    scenario = Scenario.from_toml(written(tmp_path, "batch_seconds = 30"))
    simulator = Simulator(scenario, clock=lambda: now[0])
    params = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [HELLO]}
    body = json.dumps({"requests": [{"custom_id": "a", "params": params}]})
    made = json.loads(simulator.handle(Call("POST", "/v1/messages/batches", HEADERS, body)).content)

    def status() -> str:
        path = f"/v1/messages/batches/{made['id']}"
        answer = simulator.handle(Call("GET", path, HEADERS))
        return str(json.loads(answer.content)["processing_status"])

    now[0] += 29
    assert status() == "in_progress"
    now[0] += 1
    assert status() == "ended"


def test_limits_refill_with_time() -> None:
    now = [1_700_000_000.0]
    simulator = Simulator(clock=lambda: now[0])

    def limits(text: str) -> dict[str, str]:
        said = {"role": "user", "content": text}
        body = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [said]}
        answer = simulator.handle(Call("POST", "/v1/messages", HEADERS, json.dumps(body)))
        start = "anthropic-ratelimit-"
        return {k.removeprefix(start): v for k, v in answer.headers if k.startswith(start)}

    assert limits("x")["requests-remaining"] == "3999"
    told = limits("a " * 80_000)
    assert told["requests-remaining"] == "3998"
    assert told["input-tokens-remaining"] == "320000"  # 80,000 less
    assert told["tokens-remaining"] == "400000"
    assert told["output-tokens-remaining"] == "80000"
    # A fifth of 400,000 a minute comes back in twelve seconds.
    assert told["input-tokens-reset"] == "2023-11-14T22:13:32Z"
    now[0] += 6
    assert limits("x")["input-tokens-remaining"] == "360000"
    now[0] += 60
    told = limits("x")
    assert (told["requests-remaining"], told["input-tokens-remaining"]) == ("3999", "400000")
