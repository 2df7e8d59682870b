"""Tools: pairs of use and result, tool_choice, forced calls, schemas, structured output."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.simulator import Answer, Call, Rule, Scenario, Simulator
from hookline.simulator.answers.instance import instance_of
from hookline.simulator.errors import ApiError
from hookline.simulator.rules.schema import check_schema
from hookline.wire import json

MODEL, NEW = "claude-haiku-4-5", "claude-opus-5-5"
HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))
HELLO = {"role": "user", "content": "Hello"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "input_schema": CITY}


def post(simulator: Simulator | None = None, *, beta: str = "", **body: Any) -> Answer:
    body = {"model": MODEL, "max_tokens": 1000, "messages": [HELLO], **body}
    headers = (*HEADERS, ("anthropic-beta", beta)) if beta else HEADERS
    call = Call("POST", "/v1/messages", headers, json.dumps(body))
    return (simulator or Simulator()).handle(call)


def reply(simulator: Simulator | None = None, **body: Any) -> dict[str, Any]:
    answer = post(simulator, **body)
    assert answer.status == 200, answer.content
    message: dict[str, Any] = json.loads(answer.content)
    return message


def refused(**body: Any) -> str:
    answer = post(**body)
    assert answer.status == 400, answer.content
    return str(json.loads(answer.content)["error"]["message"])


def use(number: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "get_weather", "input": {}}


def result(number: int, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "ok", **more}


def turns(*contents: Any) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]


FOUND = (
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. "
    "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
)
TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (turns("a", [use(1)], "b"), FOUND.format(ids="toolu_1")),
        (turns("a", [use(1)]), FOUND.format(ids="toolu_1")),
        (turns("a", [use(1), use(2)], [result(1)]), FOUND.format(ids="toolu_2")),
        (turns("a", [use(1)], [TEXT, result(1)]), FOUND.format(ids="toolu_1")),
        (
            turns([result(1)]),
            (
                "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
                "toolu_1. Each `tool_result` block must have a corresponding `tool_use` block in the "
                "previous message."
            ),
        ),
        (
            turns("a", [use(1)], [result(1)], [use(1)], [result(1)]),
            "messages.3.content.0: `tool_use` ids must be unique",
        ),
        (
            turns("a", [use(1)], [result(1), result(1)]),
            (
                "messages.2.content.1: each `tool_use` must have a single result. Found multiple "
                "`tool_result` blocks with id: toolu_1"
            ),
        ),
    ],
)
def test_pairs(messages: list[Any], text: str) -> None:
    model = MODEL if messages[-1]["role"] == "assistant" else NEW
    assert refused(model=model, messages=messages, tools=[WEATHER]) == text


def test_good_pairs() -> None:
    messages = turns("a", [use(1), use(2)], [result(2), result(1), TEXT])
    assert reply(messages=messages, tools=[WEATHER])
    spread = [*turns("a", [use(1), use(2)], [result(1)]), {"role": "user", "content": [result(2)]}]
    assert reply(messages=spread, tools=[WEATHER])


def test_a_result_may_hold_blocks_or_nothing() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    for content in ([TEXT, image], None, ""):
        assert reply(messages=turns("a", [use(1)], [result(1, content=content)]), tools=[WEATHER])


def test_toolset_members_echo_their_toolset() -> None:
    member = {**use(1), "toolset_name": "computer"}
    assert "toolset_name" in refused(messages=turns("a", [member], [result(1)]), tools=[WEATHER])


def test_server_results_need_their_tool() -> None:
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    messages = turns("a", [call, found], "b")
    assert refused(messages=messages).endswith("but no `web_search` tool was provided")
    tools = [{"type": "web_search_20260318", "name": "web_search"}]
    assert reply(messages=messages, tools=tools)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"tool_choice": {"type": "auto"}},
            "tool_choice may only be specified while providing tools.",
        ),
        (
            {"model": NEW, "tool_choice": {"type": "any"}, "tools": [WEATHER]},
            'tool_choice: type "tool" and "any" are not supported for this model.',
        ),
        (
            {
                "tools": [WEATHER],
                "tool_choice": {"type": "any"},
                "max_tokens": 2000,
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            {"model": "claude-opus-5", "tools": [WEATHER], "tool_choice": {"type": "any"}},
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "nope"}},
            "tool_choice.name: Tool 'nope' not found in provided tools",
        ),
        ({"tools": [WEATHER, WEATHER]}, "tools: Tool names must be unique."),
        (
            {"tools": [{**WEATHER, "defer_loading": True}]},
            "tools: at least one tool must not have `defer_loading` set",
        ),
    ],
)
def test_definitions_and_choice(body: dict[str, Any], text: str) -> None:
    assert refused(**body) == text


def test_old_computer_tools_and_their_headers() -> None:
    tool = {
        "type": "computer_20251124",
        "name": "computer",
        "display_width_px": 800,
        "display_height_px": 600,
    }
    assert "Input tag 'computer_20251124'" in refused(tools=[tool])
    text = refused(model=NEW, tools=[tool], beta="computer-use-2025-11-24")
    assert text.startswith("'claude-opus-5-5' does not support tool types: computer_20251124.")
    assert post(tools=[tool], beta="computer-use-2025-11-24").status == 200


def test_mcp_servers_have_one_toolset_each() -> None:
    server = {"type": "url", "url": "https://mcp.example.com", "name": "a"}
    toolset = {"type": "mcp_toolset", "mcp_server_name": "a"}
    beta = "mcp-client-2025-11-20"
    assert post(beta=beta, mcp_servers=[server], tools=[toolset]).status == 200
    assert "exactly one" in refused(beta=beta, mcp_servers=[server])
    assert "unknown MCP server" in refused(beta=beta, tools=[toolset])
    insecure = {**server, "url": "http://mcp.example.com"}
    assert "https" in refused(beta=beta, mcp_servers=[insecure], tools=[toolset])


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
def test_forced_calls_fit_the_schema(choice: dict[str, Any]) -> None:
    message = reply(tools=[WEATHER], tool_choice=choice)
    assert message["stop_reason"] == "tool_use"
    call = message["content"][-1]
    assert call["id"].startswith("toolu_")
    assert (call["name"], call["input"]) == ("get_weather", {"city": "simulated"})


def test_a_scenario_calls_tools_and_the_next_step_sees_the_result() -> None:
    calls: Any = [{"name": "get_weather"}, {"name": "get_weather", "input": {"city": "Oslo"}}]
    simulator = Simulator(Scenario.of(Rule(when="Hello", tool_use=calls)))
    first = reply(simulator, tools=[WEATHER])
    assert [block["input"]["city"] for block in first["content"]] == ["simulated", "Oslo"]
    ids = [block["id"] for block in first["content"]]
    assert len(set(ids)) == 2
    answers = [{"type": "tool_result", "tool_use_id": name, "content": "Sun"} for name in ids]
    messages = [HELLO, {"role": "assistant", "content": first["content"]}]
    second = reply(
        simulator, tools=[WEATHER], messages=[*messages, {"role": "user", "content": answers}]
    )
    assert second["stop_reason"] == "end_turn"
    assert "Sun" in second["content"][0]["text"]


def test_a_call_that_does_not_fit_is_left_incomplete() -> None:
    simulator = Simulator(Scenario.of(Rule(tool_use={"name": "get_weather"})))
    message = reply(simulator, tools=[WEATHER], max_tokens=3)
    assert message["stop_reason"] == "max_tokens"
    assert message["content"][-1]["input"] == {}
    assert message["usage"]["output_tokens"] == 3


# --- schemas


OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}


def with_field(schema: Any) -> dict[str, Any]:
    return {**OBJECT, "properties": {"a": schema}, "required": ["a"]}


@pytest.mark.parametrize(
    "schema",
    [
        OBJECT,
        with_field({"type": ["string", "null"]}),
        with_field({"enum": ["x", 1, None]}),
        with_field({"anyOf": [{"type": "string"}, OBJECT]}),
        with_field({"type": "array", "items": {"type": "integer"}, "minItems": 1}),
        with_field({"type": "string", "format": "date-time", "pattern": "^a+$"}),
        {**with_field({"$ref": "#/$defs/A"}), "$defs": {"A": {"const": 3}}},
    ],
)
def test_supported_schemas(schema: Any) -> None:
    check_schema(schema, "schema")


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"type": "object", "properties": {}}, "additionalProperties"),
        ({**OBJECT, "additionalProperties": True}, "additionalProperties"),
        (with_field({"type": "integer", "minimum": 3}), "minimum"),
        (with_field({"type": "string", "minLength": 3}), "minLength"),
        (with_field({"type": "array", "minItems": 2}), "minItems"),
        (with_field({"type": "array", "maxItems": 2}), "maxItems"),
        (with_field({"enum": [{}]}), "scalar"),
        (with_field({"type": "string", "format": "colour"}), "format"),
        (with_field({"type": "string", "pattern": r"\bword"}), "word boundaries"),
        (with_field({"type": "string", "pattern": "(?=a)"}), "lookaround"),
        (with_field({"$ref": "https://example.com/a.json"}), "external"),
        (with_field({"$ref": "#/$defs/B"}), "points to nothing"),
        (with_field({"$ref": "#"}), "recursive"),
        (with_field({"type": "text"}), "type 'text'"),
        (with_field({"type": "object", "properties": []}), "JSON schema is invalid"),
        (with_field({"oneOf": [{}]}), "oneOf"),
        ({**OBJECT, "required": ["b"]}, "unknown properties: b"),
        ("string", "should be an object"),
        (
            {**OBJECT, "properties": {f"p{n}": {"type": "string"} for n in range(25)}},
            "Schema is too complex for compilation.",
        ),
    ],
)
def test_refused_schemas(schema: Any, part: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_schema(schema, "output_config.format.schema")
    assert part in caught.value.message


def output(schema: Any) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "schema": schema}}


def test_structured_output_is_an_instance_with_required_fields_first() -> None:
    schema = {
        **OBJECT,
        "properties": {
            "note": {"type": "string"},
            "when": {"type": "string", "format": "date"},
            "legs": {"type": "integer"},
        },
        "required": ["when", "legs"],
    }
    text = reply(model=NEW, output_config=output(schema))["content"][0]["text"]
    assert list(json.loads(text)) == ["when", "legs", "note"]
    assert json.loads(text)["when"] == "2026-11-23"


def test_structured_output_goes_with_neither_prefill_nor_citations() -> None:
    prefilled = [HELLO, {"role": "assistant", "content": "{"}]
    assert "prefill" in refused(messages=prefilled, output_config=output(OBJECT))
    document = {
        "type": "document",
        "citations": {"enabled": True},
        "source": {"type": "text", "media_type": "text/plain", "data": "x"},
    }
    messages = [{"role": "user", "content": [document]}]
    assert "citations" in refused(messages=messages, output_config=output(OBJECT))


def test_strict_tools_take_the_subset_and_others_any_schema() -> None:
    loose = {"name": "a", "input_schema": {"type": "object", "properties": {"n": {"minimum": 3}}}}
    assert reply(tools=[loose])
    assert "tools.0.custom.input_schema" in refused(tools=[{**loose, "strict": True}])
    broken = {"name": "a", "input_schema": {"type": "object", "required": "n"}}
    assert "JSON schema is invalid" in refused(tools=[broken])


@given(low=st.integers(-1000, 1000), width=st.integers(0, 1000))
def test_numbers_keep_their_bounds(low: int, width: int) -> None:
    bounds = {"minimum": low, "maximum": low + width}
    assert low <= instance_of({"type": "integer", **bounds}) <= low + width
    assert low <= instance_of({"type": "number", **bounds}) <= low + width


@given(least=st.integers(0, 50), more=st.integers(0, 50))
def test_lengths_are_kept(least: int, more: int) -> None:
    text = instance_of({"type": "string", "minLength": least, "maxLength": least + more})
    assert least <= len(text) <= least + more
    items = instance_of({"type": "array", "minItems": least, "maxItems": least + more})
    assert least <= len(items) <= least + more


def test_recursive_tool_schemas_end() -> None:
    tree = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "name": {"type": "string"}},
        "required": ["name"],
    }
    assert instance_of(tree)["left"]["name"] == "simulated"


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({"city": "Oslo"}, None),
        ({"city": "Oslo", "days": 3, "unit": "c", "tags": ["a"], "more": {"city": "x"}}, None),
        ({}, "the example: required"),
        ({"city": 5}, "city: type"),
        ({"city": "Oslo", "days": 0}, "days: minimum"),
        ({"city": "Oslo", "days": True}, "days: type"),
        ({"city": "Oslo", "unit": "k"}, "unit: enum"),
        ({"city": "Oslo", "tags": ["a", 1]}, "tags[1]: anyOf"),
        ({"city": "Oslo", "more": {"city": ""}}, "more.city: minLength"),
        ({"city": "Oslo", "other": 1}, "other is not allowed"),
    ],
)
def test_examples_of_an_input_fit_its_schema(example: Any, words: str | None) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "$defs": {"place": {"type": "object", "properties": {"city": {"minLength": 1}}}},
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1},
            "unit": {"enum": ["c", "f"]},
            "tags": {"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "more": {"$ref": "#/$defs/place"},
        },
        "required": ["city"],
        "additionalProperties": False,
    }
    tool = {"name": "a", "input_schema": schema, "input_examples": [{"city": "x"}, example]}
    if words is None:
        assert reply(tools=[tool])
    else:
        where = "tools.0.custom.input_examples.1: does not fit the tool's input_schema: "
        assert refused(tools=[tool]) == where + words


@pytest.mark.parametrize("content", ["", [], None])
def test_a_failed_result_says_something(content: Any) -> None:
    failed = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True}
    if content is not None:
        failed["content"] = content
    assert refused(messages=turns("a", [use(1)], [failed]), tools=[WEATHER]) == (
        "messages.2.content.0: content cannot be empty if `is_error` is true"
    )
    fine = {**failed, "is_error": False}
    assert reply(messages=turns("a", [use(1)], [fine]), tools=[WEATHER])


SERVER = {"type": "url", "url": "https://mcp.example.com", "name": "mine"}


def test_the_first_mcp_beta_has_no_toolsets() -> None:
    chosen = {**SERVER, "tool_configuration": {"enabled": True, "allowed_tools": ["a"]}}
    assert reply(beta="mcp-client-2025-04-04", mcp_servers=[chosen])
    assert "mcp_toolset" in refused(beta="mcp-client-2025-11-20", mcp_servers=[chosen])
    toolset = {"type": "mcp_toolset", "mcp_server_name": "mine"}
    assert reply(beta="mcp-client-2025-11-20", mcp_servers=[SERVER], tools=[toolset])
    assert "Input tag 'mcp_toolset'" in refused(
        beta="mcp-client-2025-04-04", mcp_servers=[SERVER], tools=[toolset]
    )


def test_only_models_that_are_known_to_refuse_a_tool_do() -> None:
    screen = {
        "type": "computer_20251124",
        "name": "computer",
        "display_width_px": 800,
        "display_height_px": 600,
    }
    beta = "computer-use-2025-11-24"
    words = "does not support tool types: computer_20251124"
    assert words in refused(model=NEW, beta=beta, tools=[screen])
    assert reply(model="claude-opus-5", beta=beta, tools=[screen])


def test_what_is_unconfirmed_of_a_model_is_not_refused() -> None:
    body: dict[str, Any] = {
        "model": "claude-sonnet-5",
        "messages": [HELLO, {"role": "system", "content": "x"}],
    }
    assert reply(**body)
    text = refused(**{**body, "model": "claude-opus-4-7"})
    assert text == "role 'system' is not supported on this model"


@pytest.mark.parametrize(
    ("tool", "answered"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, "web_search_tool_result"),
        ({"type": "web_fetch_20260318", "name": "web_fetch"}, "web_fetch_tool_result"),
        (
            {"type": "code_execution_20250825", "name": "code_execution"},
            "code_execution_tool_result",
        ),
        (
            {"type": "tool_search_tool_regex", "name": "tool_search_tool_regex"},
            "tool_search_tool_result",
        ),
    ],
)
@pytest.mark.parametrize("forced", ["by the choice", "by any", "by the scenario"])
def test_a_server_tool_is_answered_in_the_same_reply(
    tool: dict[str, Any], answered: str, forced: str
) -> None:
    """Called like a tool of the client's, it would wait for a result that nobody can bring."""
    rule = Rule()
    body: dict[str, Any] = {"tools": [tool]}
    if forced == "by the scenario":
        rule = Rule(tool_use={"name": tool["name"]})
    elif forced == "by any":
        body["tool_choice"] = {"type": "any"}
    else:
        body["tool_choice"] = {"type": "tool", "name": tool["name"]}
    message = reply(Simulator(Scenario.of(rule)), **body)
    call, result, said = message["content"]
    assert (call["type"], call["name"], result["type"]) == (
        "server_tool_use",
        tool["name"],
        answered,
    )
    assert result["tool_use_id"] == call["id"]
    assert result["content"] == {"type": f"{answered}_error", "error_code": "unavailable"}
    assert said["type"] == "text"
    assert message["stop_reason"] == "end_turn"
    again = [HELLO, {"role": "assistant", "content": message["content"]}, HELLO]
    assert reply(tools=[tool], messages=again)["stop_reason"] == "end_turn"


def test_any_takes_a_tool_of_the_clients_first() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    (call,) = reply(tools=[search, WEATHER], tool_choice={"type": "any"})["content"]
    assert (call["type"], call["name"]) == ("tool_use", "get_weather")
