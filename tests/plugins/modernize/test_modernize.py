"""What tutorials of 2023 to 2025 sent is accepted by every model of today, and each change is named."""

import datetime as dt
from inspect import isawaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import (
    APIError,
    ConfigError,
    DecodeError,
    InputError,
    Message,
    Pipeline,
    Reply,
    Request,
    hookimpl,
)
from hookline.endpoints import BatchItem
from hookline.models import ModelFacts, load_models
from hookline.simulator import Rule, Scenario, Simulator
from hookline.values import ToolChoice
from hookline_plugins.modernize import Modernize, OutdatedRequest, Wanted, modernized_json
from support.old_code import REQUESTS, SCRIPTS, WEATHER, user
from support.stand_in import requests_of

TABLE = load_models()
MODELS = [facts for facts in TABLE if not facts.retired]
VERSIONS = ("2023-06-01", "2026-10-21")
NEW = "claude-sonnet-5-5"

# Fields that a rule may touch besides the one that it names.
ALONG: dict[str, set[str]] = {
    "tool_choice": {"tool_choice", "messages"},
    "prompt": {"prompt", "messages", "system", "max_tokens"},
    "max_tokens_to_sample": {"max_tokens_to_sample", "max_tokens"},
    "thinking": {"thinking", "output_config"},
    "tools": {"tools", "betas"},
    "betas": {"betas", "tools"},
    "output_format": {"output_format", "output_config", "betas"},
}
NOT_NEEDED = {"prefill"}


class Spy:
    """Sees what leaves."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    @hookimpl
    def check_request(self, request: Request) -> None:
        self.seen.append(request)


def wanted(**given: Any) -> Wanted:
    return Wanted(models=TABLE, today=dt.date(2026, 11, 26), **given)


def sent(line: Pipeline, body: dict[str, Any]) -> Reply:
    """Send a request as it was written for the API, or for the one before it."""
    fields = dict(body)
    if "prompt" in fields:
        fields["max_tokens"] = fields.pop("max_tokens_to_sample")
        return line.send(fields.pop("prompt"), **fields)
    form = fields.pop("output_format", None)
    extra: dict[str, Any] = {"extra": {"output_format": form}} if form else {}
    return line.send(**fields, **extra)


def line_for(model: str = "", version: str = "2023-06-01", **options: Any) -> Pipeline:
    plugin = Modernize(model=model, allow_price=True)
    return Pipeline(base_url="sim:", api_version=version, plugins=[plugin], **options)


def told(reply: Reply) -> list[str]:
    return [text for plugin, text in reply.trace.notes if plugin == "modernize"]


def texts(value: Any) -> list[str]:
    """Return every text, picture and document in a request."""
    if isinstance(value, dict):
        return [
            text
            for key, item in value.items()
            for text in (
                [item]
                if key in ("text", "data", "content", "thinking") and isinstance(item, str)
                else texts(item)
            )
        ]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("model", [facts.id for facts in MODELS])
def test_every_model_accepts_what_was_written_for_older_ones(model: str, version: str) -> None:
    with line_for(model, version) as line:
        for body in REQUESTS.values():
            reply = sent(line, body)

            assert reply.response.model == model
            assert reply.stop_reason in ("end_turn", "tool_use", "max_tokens")
            assert told(reply)[0].startswith(f"model: {body['model']} is {model}")


def test_a_new_name_alone_would_not_do() -> None:
    """Otherwise the test above would prove nothing: the API refuses most of it for other reasons too."""
    checks: dict[str, Any] = {"plugins": {"disable": ["preflight", "retry", "prefill", "heal"]}}
    refused = 0
    with Pipeline(base_url="sim:", api_version=VERSIONS[1], config=checks) as line:
        for body in REQUESTS.values():
            try:
                sent(line, {**body, "model": "claude-opus-5-5"})
            except APIError:
                refused += 1

    assert refused > len(REQUESTS) / 2


@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.id)
def test_each_change_is_named_and_nothing_is_lost(facts: ModelFacts) -> None:
    for body in REQUESTS.values():
        modern, changes = modernized_json(body, wanted(model=facts))

        named = {change.where.partition(".")[0] for change in changes if change.done}
        explained = {field for where in named for field in ALONG.get(where, {where})}
        changed = {key for key in body.keys() | modern.keys() if body.get(key) != modern.get(key)}
        assert changed <= explained
        assert all("facts" in str(change) or change.rule == "model" for change in changes)
        kept = "\n".join(texts(modern))
        for text in texts(body.get("messages", [])) + texts(body.get("system", [])):
            dropped = text == "I should look."  # a thought of another model
            assert dropped or text in kept
        assert len(modern.get("tools", ())) == len(body.get("tools", ()))


@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.id)
def test_what_has_been_made_valid_is_left_alone(facts: ModelFacts) -> None:
    for body in REQUESTS.values():
        modern, _ = modernized_json(body, wanted(model=facts))
        again, changes = modernized_json(modern, wanted(model=facts))

        assert again == modern
        assert {change.rule for change in changes} <= NOT_NEEDED


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_go_on_working_on_every_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = requests_of(SCRIPTS[name][0], monkeypatch)
    assert requests
    for facts in MODELS:
        with line_for(facts.id, "2026-10-21") as line:
            for body in requests:
                assert sent(line, body).response.model == facts.id


def test_without_a_choice_each_model_goes_to_its_successor() -> None:
    with line_for() as line:
        for body in REQUESTS.values():
            facts = TABLE.require(body["model"])
            assert sent(line, body).response.model == facts.successor


def test_a_successor_at_another_price_is_named_and_not_taken() -> None:
    with (
        Pipeline(base_url="sim:", plugins=["modernize"]) as line,
        pytest.raises(OutdatedRequest, match=r"15 and 75 .* becomes 4 and 20.*allow_price = true"),
    ):
        line.send("Hi", model="claude-3-opus-20240229")


def test_a_successor_at_about_the_same_price_is_taken() -> None:
    with Pipeline(base_url="sim:", plugins=["modernize"]) as line:
        reply = line.send("Hi", model="claude-3-5-sonnet-20241022")

    assert reply.response.model == NEW
    assert "3 and 15" in told(reply)[0]
    assert "more than half" not in told(reply)[0]


def test_the_chosen_model_takes_the_place_of_outdated_ones_alone() -> None:
    with line_for("claude-opus-5") as line:
        assert line.send("Hi", model="claude-opus-4-5").response.model == "claude-opus-5"
        assert line.send("Hi", model="claude-haiku-5-5").response.model == "claude-haiku-5-5"


def test_a_choice_that_does_not_answer_is_refused() -> None:
    for model in ("claude-3-opus-20240229", "claude-nope"):
        with line_for(model) as line, pytest.raises(ConfigError, match="no model that answers"):
            line.send("Hi")


def test_strict_refuses_and_explains() -> None:
    with (
        Pipeline(base_url="sim:", model=NEW, plugins=[Modernize(strict=True)]) as line,
        pytest.raises(
            OutdatedRequest, match=r"temperature: temperature 0\.5 left out .*facts 1\.5"
        ),
    ):
        line.send("Hi", temperature=0.5)


def test_strict_lets_a_valid_request_pass() -> None:
    with Pipeline(base_url="sim:", model=NEW, plugins=[Modernize(strict=True)]) as line:
        assert told(line.send("Hi")) == []


def test_a_valid_request_is_not_touched() -> None:
    with line_for(model="") as line:
        reply = line.send("Hi")

    assert [change.plugin for change in reply.trace.changes if change.plugin == "modernize"] == []


def test_a_forced_tool_is_asked_for_in_words_that_are_not_remembered() -> None:
    spy = Spy()
    with Pipeline(base_url="sim:", model=NEW, plugins=[Modernize(), spy]) as line:
        chat = line.conversation()
        chat.send(
            "How is Bern?", tools=[WEATHER], tool_choice={"type": "tool", "name": "get_weather"}
        )

    (request,) = spy.seen
    assert request.tool_choice == ToolChoice("auto")
    assert "calling the tool get_weather" in request.messages[-1].text
    assert chat.messages[0] == Message("user", "How is Bern?")


def test_every_surface_is_kept_valid(run: Any) -> None:
    spy = Spy()
    asked: dict[str, Any] = {"model": "claude-3-5-sonnet-20241022", "top_k": 3}

    async def body(line: Any) -> None:
        await line.send("1", **asked)
        async with line.stream("2", **asked) as stream:
            await stream.reply
        await line.count_tokens("3", **asked)
        created = line.batches.create([BatchItem("4", "4", **asked)])
        if isawaitable(created):
            await created
        await line.conversation().send("5", **asked)

    run(body, base_url="sim:", plugins=["modernize", spy])
    assert [(request.model, request.top_k) for request in spy.seen] == [(NEW, None)] * 5


def test_a_low_temperature_is_low_effort_unless_an_effort_is_given() -> None:
    low, _ = modernized_json({**ASKED, "temperature": 0.2}, wanted())
    warm, _ = modernized_json({**ASKED, "temperature": 0.7}, wanted())
    given = {**ASKED, "temperature": 0, "output_config": {"effort": "max"}}

    assert low["output_config"] == {"effort": "low"}
    assert "output_config" not in warm
    assert modernized_json(given, wanted())[0]["output_config"] == {"effort": "max"}


ASKED = {"model": NEW, "max_tokens": 100, "messages": [user("Hi")]}


@pytest.mark.parametrize(
    ("budget", "effort"), [(1024, "low"), (4096, "medium"), (16_000, "high"), (60_000, "xhigh")]
)
def test_a_budget_says_how_much_effort_is_meant(budget: int, effort: str) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    modern, _ = modernized_json({**ASKED, "max_tokens": 64_000, "thinking": thinking}, wanted())

    assert modern["thinking"] == {"type": "adaptive"}
    assert modern["output_config"] == {"effort": effort}


def test_sampling_stays_where_the_model_and_the_version_take_it() -> None:
    body = {**ASKED, "model": "claude-opus-4-6", "temperature": 0.5}

    assert modernized_json(body, wanted(version="2023-06-01")) == (body, ())
    assert "temperature" not in modernized_json(body, wanted())[0]


def test_a_computer_becomes_a_toolset_where_that_is_all_there_is() -> None:
    body = REQUESTS["2024, a computer to use"]
    modern, _ = modernized_json(body, wanted(model=TABLE.require("claude-opus-5-5")))

    assert modern["tools"][0] == {"type": "computer_toolset_20260801"}
    assert "betas" not in modern


def test_a_tool_is_not_newer_than_its_model() -> None:
    body = REQUESTS["2024, a computer to use"]
    modern, _ = modernized_json(body, wanted(model=TABLE.require("claude-haiku-4-5")))

    assert [tool["type"] for tool in modern["tools"]] == [
        "computer_20250124", "text_editor_20250124", "bash_20250124",
    ]  # fmt: skip
    assert modern["betas"] == ["computer-use-2025-01-24"]


def test_a_document_moves_to_the_user_before_it() -> None:
    modern, _ = modernized_json(REQUESTS["2025, a document that the assistant holds"], wanted())

    first, second, third = modern["messages"]
    assert [block["type"] for block in first["content"]] == ["text", "document"]
    assert [block["type"] for block in second["content"]] == ["text"]
    assert third["content"] == "What came of it?"


def test_a_quote_is_written_into_the_text() -> None:
    modern, _ = modernized_json(REQUESTS["2025, a quote that the user hands back"], wanted())

    assert modern["messages"][0]["content"][0] == {
        "type": "text",
        "text": "You said: grass is green.\n\nSources:\n- On grass: “The grass is green.”",
    }


def test_a_prompt_becomes_messages_and_a_system_prompt() -> None:
    body = REQUESTS["2023, with a system prompt and a dialogue"]
    modern, _ = modernized_json(body, wanted(allow_price=True))

    assert modern["system"] == "You answer in rhymes."
    assert [(each["role"], each["content"]) for each in modern["messages"]] == [
        ("user", "Hi there."),
        ("assistant", "Hello, my dear."),
        ("user", "How tall is the Eiffel tower?"),
    ]
    assert modern["max_tokens"] == 500
    assert not {"prompt", "max_tokens_to_sample", "temperature"} & modern.keys()


def test_words_behind_the_last_speaker_are_a_prefill_on_every_model() -> None:
    simulator = Simulator(Scenario.of(Rule(reply='"Aare", "Rhine"]')))
    with Pipeline(base_url=simulator, plugins=[Modernize(allow_price=True)]) as line:
        reply = line.send(
            "\n\nHuman: Two rivers as JSON.\n\nAssistant: [", model="claude-2", max_tokens=50
        )

    assert reply.text == '["Aare", "Rhine"]'
    assert reply.prefill_mode == "instructed"


def test_a_server_with_models_of_its_own_is_left_alone() -> None:
    plugin = Modernize(strict=True)
    with Pipeline(base_url="http://127.0.0.1:1", server="llama.cpp", plugins=[plugin]) as line:
        explained = line.explain("Hi", model="claude-3-opus-20240229", temperature=0)

    assert explained.request.temperature == 0


def test_where_old_models_live_on_they_stay() -> None:
    with Pipeline(base_url="http://127.0.0.1:1", server="bedrock", plugins=["modernize"]) as line:
        explained = line.explain("Hi", model="claude-3-opus-20240229", temperature=0)

    assert explained.request.model == "claude-3-opus-20240229"
    assert explained.request.temperature == 0


def test_a_model_is_gone_on_the_day_after_its_last() -> None:
    body = {**ASKED, "model": "claude-sonnet-4-5"}
    last = Wanted(models=TABLE, today=dt.date(2026, 11, 30))
    after = Wanted(models=TABLE, today=dt.date(2026, 12, 1))

    assert modernized_json(body, last)[0]["model"] == "claude-sonnet-4-5"
    assert modernized_json(body, after)[0]["model"] == NEW


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "m"}, "neither"),
        ({"model": "m", "messages": [{"role": "user"}], "max_tokens": 1}, "content"),
        ({**ASKED, "betas": "x"}, "betas must be a list"),
        ({**ASKED, "max_tokens": "many"}, "max_tokens"),
    ],
)
def test_what_is_no_request_is_refused(body: dict[str, Any], said: str) -> None:
    with pytest.raises((InputError, ValueError), match=said):
        modernized_json(body, wanted())


@pytest.mark.parametrize("name", ["claude-v1", "claude-1.3", "claude-instant-v1", "claude-2.0"])
def test_the_names_of_2023_are_known(name: str) -> None:
    modern, _ = modernized_json({**ASKED, "model": name}, wanted(allow_price=True))

    assert modern["model"] == ("claude-haiku-5-5" if "instant" in name else NEW)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["text", "enabled", "any", "claude-2", "user", "assistant"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "text", "content", "role", "budget_tokens", "effort", "name", "format"]),
        inner,
        max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip
FIELDS = (
    "model", "max_tokens", "messages", "system", "prompt", "max_tokens_to_sample", "temperature", "top_k",
    "thinking", "output_config", "output_format", "tools", "tool_choice", "betas", "anthropic_beta", "speed",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JUNK), st.sampled_from(MODELS))
def test_whatever_it_is_given_it_answers_or_says_what_is_wrong(
    body: dict[str, Any], facts: ModelFacts
) -> None:
    for given_ in (body, {**REQUESTS["2024, any tool, one at a time"], **body}):
        try:
            modern, _ = modernized_json(given_, wanted(model=facts))
        except (DecodeError, InputError):
            continue
        assert isinstance(modern, dict)


# The names of clouds and gateways

BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OF_BEDROCK = "anthropic.claude-3-sonnet-20240229-v1:0"


def test_a_file_for_another_platform_keeps_its_model_and_goes_by_its_facts() -> None:
    body = {**ASKED, "model": BEDROCK, "temperature": 0.2, "top_p": 0.9}
    modern, changes = modernized_json(body, wanted())
    assert modern["model"] == BEDROCK
    assert {change.rule for change in changes} == {"sampling"}  # of this version, facts 1.5


def test_a_model_that_only_the_api_has_retired_is_named_and_kept() -> None:
    modern, changes = modernized_json({**ASKED, "model": OF_BEDROCK}, wanted(allow_price=True))
    assert modern["model"] == OF_BEDROCK
    (change,) = changes
    assert (change.rule, change.done) == ("model", False)
    assert "another platform" in change.what


def test_a_model_is_chosen_by_the_name_that_its_platform_has() -> None:
    name = "us.anthropic.claude-sonnet-5-5"
    chosen = wanted(model=TABLE.require(name), name=name)
    modern, _ = modernized_json({**ASKED, "model": OF_BEDROCK}, chosen)
    assert modern["model"] == name


def test_code_that_comes_from_a_cloud_is_spelled_as_the_api_does(run: Any, sim: Any) -> None:
    server = sim(Rule(reply="Yes."))
    line = {"base_url": server, "unknown_models": "allow", "plugins": [Modernize(allow_price=True)]}
    reply = run.send("Hello", line={**line, "model": BEDROCK})
    assert server.bodies[-1]["model"] == "claude-sonnet-4-5-20250929"
    assert "the API spells it so" in str(reply.trace.notes)
    run.send("Hello", line={**line, "model": OF_BEDROCK})
    assert server.bodies[-1]["model"] == NEW


def test_at_a_cloud_its_own_names_stay(run: Any, loopback: Any, http: Any, message: Any) -> None:
    server = loopback(lambda request: http(200, message("Yes.")))
    for plugin, sent in (
        (Modernize(), OF_BEDROCK),
        (Modernize(model="us.anthropic.claude-sonnet-5-5"), "us.anthropic.claude-sonnet-5-5"),
    ):
        line = {**server.line, "server": "bedrock", "model": OF_BEDROCK, "plugins": [plugin]}
        run.send("Hello", line=line)
        assert server.requests[-1].json["model"] == sent


def test_scripts_for_a_cloud_are_judged_too() -> None:
    from hookline_plugins.modernize.scripts import places_in

    source = f"""
from anthropic import AnthropicBedrock
OLD = "{OF_BEDROCK}"
client = AnthropicBedrock()
client.messages.create(
    model="{BEDROCK}",
    max_tokens=100,
    temperature=0.2,
    messages=[],
)
"""
    places = [(each.line, each.change.rule) for each in places_in(source.encode(), wanted())]
    assert places == [(3, "model"), (8, "sampling")]
