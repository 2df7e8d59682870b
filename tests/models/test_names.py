"""The names that clouds and gateways have for a model: the same facts everywhere, and no way round a rule."""

from typing import Any, Final

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookline import APIError, ConfigError, InputError, Pipeline, PolicyViolation, Principal
from hookline.models import ModelFacts, load_models
from hookline.models.names import read
from hookline.simulator import Rule
from hookline_plugins.policy.budget import Budget
from hookline_plugins.policy.budget.limits import Limit
from hookline_plugins.policy.rules import Rules
from hookline_plugins.resilience.fallback import Fallback

TABLE: Final = load_models()
OPUS, HAIKU = "claude-opus-4-5-20251101", "claude-haiku-4-5-20251001"

SPELLED: Final = {
    # Bedrock, with its regions, its versions, and its ARNs
    "anthropic.claude-opus-4-5-20251101-v1:0": OPUS,
    "us.anthropic.claude-opus-4-5-20251101-v1:0": OPUS,
    "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0": "claude-sonnet-4-5-20250929",
    "apac.anthropic.claude-sonnet-4-20250514-v1:0": "claude-sonnet-4-20250514",
    "global.anthropic.claude-opus-5-5": "claude-opus-5-5",
    "eu.anthropic.claude-opus-4-6-v1": "claude-opus-4-6",
    "anthropic.claude-mythos-preview": "claude-mythos-preview",
    "anthropic.claude-3-5-sonnet-20240620-v1:0": "claude-3-5-sonnet-20240620",
    "anthropic.claude-3-5-sonnet-20241022-v2:0": "claude-3-5-sonnet-20241022",
    "anthropic.claude-3-haiku-20240307-v1:0:200k": "claude-3-haiku-20240307",
    "anthropic.claude-v2:1": "claude-2.1",
    "anthropic.claude-v2:1:200k": "claude-2.1",
    "anthropic.claude-v2": "claude-2.0",
    "anthropic.claude-instant-v1": "claude-instant-1.2",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0": "claude-3-haiku-20240307",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0": OPUS,
    "arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.anthropic.claude-opus-5": "claude-opus-5",
    # Google Cloud
    "claude-opus-4-5@20251101": OPUS,
    "claude-3-5-sonnet-v2@20241022": "claude-3-5-sonnet-20241022",
    "claude-sonnet-4-6@default": "claude-sonnet-4-6",
    "publishers/anthropic/models/claude-opus-4-5@20251101": OPUS,
    "projects/a-1/locations/us-east5/publishers/anthropic/models/claude-haiku-4-5@20251001": HAIKU,
    # Databricks, and gateways
    "databricks-claude-opus-4-5": OPUS,
    "databricks-claude-sonnet-4": "claude-sonnet-4-20250514",
    "databricks/databricks-claude-3-7-sonnet": "claude-3-7-sonnet-20250219",
    "anthropic/claude-opus-4-5": OPUS,
    "anthropic/claude-opus-4.5": OPUS,
    "anthropic/claude-4.5-opus": OPUS,
    "anthropic/claude-3.5-sonnet": "claude-3-5-sonnet-20241022",  # the newest of that version
    "anthropic/claude-4.6-sonnet-20260217": "claude-sonnet-4-6",  # of which there is one only
    "openrouter/anthropic/claude-opus-4.5": OPUS,
    "bedrock/us-west-2/anthropic.claude-opus-4-5-20251101-v1:0": OPUS,
    "bedrock/converse/us.anthropic.claude-opus-4-5-20251101-v1:0": OPUS,
    "vertex_ai/claude-opus-4-5@20251101": OPUS,
    "azure_ai/claude-opus-4-5": OPUS,
    "claude-opus-4.5": OPUS,
}

# What stands around them makes them other models, of which nothing is known.
OTHERS: Final = (
    "somebody/claude-haiku-4-5",
    "gpt-9/anthropic/claude-haiku-4-5",
    "anthropic/claude-haiku-4-5/gpt-9",
    "anthropic/claude-opus-4.5:online",
    "github_copilot/claude-opus-4.8-fast",
    "claude-opus-4-5@20991231",
    "claude-opus-4-5-20251101-distilled",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/claude-haiku-4-5",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/anthropic.claude-haiku-4-5",
    "arn:aws:bedrock:us-east-1:1:custom-model/anthropic.claude-3-haiku-20240307-v1:0/abc",
    "Anthropic/Claude-Opus-4.5",
    "claude-opus-٤-5",
    "claude-opus-4-5\n",
    "claude-",
    "anthropic/",
    "",
)

PLATFORMS: Final = (
    "anthropic/{}",
    "anthropic.{}",
    "us.anthropic.{}",
    "anthropic.{}-v1:0",
    "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.{}-v1:0",
    "databricks-{}",
    "bedrock/us-east-1/anthropic.{}-v1:0",
    "vertex_ai/{}",
    "openrouter/anthropic/{}",
    "publishers/anthropic/models/{}",
)
CURRENT: Final = [facts for facts in TABLE if not facts.retired]


@pytest.mark.parametrize(("name", "model"), SPELLED.items(), ids=SPELLED)
def test_a_model_is_known_by_every_name(name: str, model: str) -> None:
    assert TABLE.get(name) is TABLE.require(model)
    assert TABLE.names_of(name).id == model
    assert name in TABLE
    assert model in TABLE.names_of(name).sure
    assert TABLE.exact(name) is None


@pytest.mark.parametrize("name", OTHERS)
def test_another_name_is_another_model(name: str) -> None:
    assert TABLE.get(name) is None
    assert TABLE.names_of(name).id in {name, getattr(read(name), "id", name)}
    assert name not in TABLE


@pytest.mark.parametrize("facts", TABLE, ids=lambda facts: facts.id)
def test_every_model_has_a_name_on_every_platform(facts: ModelFacts) -> None:
    for platform in PLATFORMS:
        for own in (facts.id, *facts.aliases):
            if own.startswith(
                ("claude-2", "claude-instant", "claude-mythos-preview")
            ) and platform.endswith("-v1:0"):
                continue  # nobody ever called them so
            assert TABLE.get(platform.format(own)) is facts, platform.format(own)
        said = read(facts.id)
        assert said is None or said.id == facts.id


WORDS: Final = st.sampled_from([
    *("anthropic", "bedrock", "us", "claude", "claude-", "opus", "sonnet", "haiku", "4", "5", "4.5"),
    *("-", ".", "/", "@", ":", "v1", "20251101", "latest", "arn:aws:bedrock", "x", "İ", "\u212a", " "),
    *("claude-opus-4-5", "claude-haiku-4-5", "claude-opus-4-5-20251101", "models", "inference-profile"),
])  # fmt: skip


@given(st.lists(WORDS, max_size=8).map("".join) | st.text(max_size=40))
@example("claude-opus-4-5-claude-haiku-4-5")
@example("anthropic/claude-haiku-4-5/claude-opus-4-5")
def test_a_name_never_means_what_it_does_not_say(name: str) -> None:
    facts = TABLE.get(name)
    perhaps = TABLE.names_of(name).perhaps
    assert set(TABLE.names_of(name).sure) <= set(perhaps)
    if facts is not None:
        assert name.count("claude-") == 1  # nothing else stands in it
        assert facts.id in perhaps
        said = read(name)
        if said is not None:
            assert said.family in name
            assert str(said.version[0]) in name


@given(
    st.sampled_from([name for facts in CURRENT for name in (facts.id, *facts.aliases)]),
    st.lists(WORDS, max_size=3).map("".join),
    st.sampled_from(["", "-fast", ":online", "/x", " ", "-v9:9:9k", "@default"]),
    st.sampled_from([str, str.upper, str.title]),
)
def test_who_is_denied_is_denied_by_every_spelling(
    name: str, before: str, behind: str, case: Any
) -> None:
    perhaps = TABLE.names_of(f"{case(before)}/{case(name)}{behind}").perhaps
    assert TABLE.names_of(name).id in perhaps
    assert any(each.startswith(name) for each in perhaps)


# What goes by it


@pytest.mark.parametrize("name", ["us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5@20251101",
                                  "databricks-claude-opus-4-5", "anthropic/claude-opus-4.5"])  # fmt: skip
def test_it_has_price_window_vision_and_prefill(
    run: Any,
    loopback: Any,
    http: Any,
    message: Any,
    sse: Any,
    deltas: Any,
    streamed: bool,
    name: str,
) -> None:
    def answer(request: Any) -> Any:
        if not request.json.get("stream"):
            return http(200, message("C)", model=name))
        begin, *events = deltas("C", ")")
        begin["message"]["model"] = name
        return http(200, sse(begin, *events), {"content-type": "text/event-stream"})

    server = loopback(answer)
    line = {**server.line, "model": name, "server": "bedrock"}
    reply = run.outcome(streamed, "Which?", line=line, prefill="The answer is (")
    assert (reply.text, reply.prefill_mode) == ("The answer is (C)", "native")
    facts = TABLE.require(OPUS)
    assert facts.prices is not None
    usage = reply.usage
    assert (
        reply.cost
        == (usage.input_tokens * facts.prices.input + usage.output_tokens * facts.prices.output)
        / 1_000_000
    )
    with Pipeline(**line) as pipeline:
        assert pipeline.model_table.require(name).vision == facts.vision
    sent = server.requests[0].json
    assert sent["model"] == name  # it leaves as it was spelled
    assert sent["messages"][-1] == {"role": "assistant", "content": "The answer is ("}


def test_anthropic_s_own_api_knows_its_own_names_only(sim: Any) -> None:
    server = sim()
    with Pipeline(base_url=server) as line:
        with pytest.raises(InputError, match="did you mean 'claude-opus-4-5-20251101'"):
            line.send("Hello", model="us.anthropic.claude-opus-4-5-20251101-v1:0")
        with pytest.raises(InputError, match="did you mean"):
            line.send("Hello", model="claude-opus-4.5")
    assert server.calls == []
    with (
        Pipeline(base_url=server, unknown_models="allow") as line,
        pytest.raises(APIError, match="model: anthropic/claude-opus-4-5") as caught,
    ):
        line.send("Hello", model="anthropic/claude-opus-4-5")
    assert caught.value.status == 404  # as the API would say


def test_a_model_that_a_pipeline_was_told_of_comes_first() -> None:
    own = ModelFacts(id="anthropic/claude-opus-4.5", context=7)
    table = TABLE.with_models(own)
    assert table.get("anthropic/claude-opus-4.5") is own
    assert table.get("anthropic/claude-opus-4-5") is TABLE.get(OPUS)
    changed = attrs.evolve(TABLE.require(OPUS), context=9)
    assert (
        TABLE.with_models(changed).require("us.anthropic.claude-opus-4-5-20251101-v1:0").context
        == 9
    )


def test_settings_may_not_tell_what_the_table_knows_by_another_name() -> None:
    free = {"models": {"anthropic/claude-opus-4.5": {"prices": {"input": 0, "output": 0}}}}
    with pytest.raises(ConfigError, match="is in the table of models"):
        Pipeline(base_url="sim:", config=free)


# What a rule sees

CLOUD: Final = {"base_url": "https://bedrock-mantle.us-east-1.api.aws/anthropic", "api_key": "k"}


def refused(models: dict[str, Any], model: str, **more: Any) -> bool:
    """Say whether a rule refuses a model."""
    policy = Rules(rules=[{"id": "it", "models": models, **more}])
    options: dict[str, Any] = {"unknown_models": "allow", "disable": ["preflight"], **CLOUD}
    with Pipeline(policy=policy, **options) as line:
        try:
            line.explain("Hello", model=model)
        except PolicyViolation:
            return True
    return False


@pytest.mark.parametrize("name", [name for name, model in SPELLED.items() if model == OPUS])
def test_rules_see_the_model_behind_the_name(name: str) -> None:
    assert not refused({"allow": ["claude-opus-4-5"]}, name)
    assert not refused({"allow": ["claude-opus-*"]}, name)
    assert not refused({"allow": [name]}, name)
    assert refused({"allow": ["claude-haiku-*"]}, name)
    assert refused({"deny": ["claude-opus-*"]}, name)
    assert refused({"deny": [OPUS]}, name)
    assert refused({"allow": ["*"], "deny": ["claude-opus-4-5"]}, name)


@pytest.mark.parametrize("name", OTHERS)
def test_a_list_of_what_is_allowed_is_not_tricked_by_what_looks_like_it(name: str) -> None:
    if name:
        assert refused({"allow": ["claude-haiku-4-5", OPUS, "claude-opus-4-5", HAIKU]}, name)


@pytest.mark.parametrize(
    "name",
    [
        "somebody/claude-opus-4-5",
        "Anthropic/Claude-Opus-4.5",
        "anthropic/claude-opus-4.5:online",
        "claude_opus_4_5",
        "arn:aws:bedrock:us-east-1:1:custom-model/anthropic.claude-opus-4-5-20251101-v1:0/abc",
        "anthropic.claude-opus-9-v1:0",  # of a version that nobody knows yet
        " claude-opus-4-5",
        "~anthropic/claude-opus-latest",
    ],
)
def test_what_is_denied_is_denied_by_every_spelling(name: str) -> None:
    assert refused({"deny": ["claude-opus-*"]}, name)
    assert not refused({"deny": ["claude-haiku-*"]}, name)


def test_what_settings_tell_of_a_model_makes_nothing_allowed_and_hides_nothing() -> None:
    told = {
        "models": {
            "evil-1": {"aliases": ["claude-haiku-9"], "context": 9000},
            "x/claude-opus-4-5": {"context": 9000},
        }
    }

    def refuses(models: dict[str, Any], model: str) -> bool:
        policy = Rules(rules=[{"id": "it", "models": models}])
        options: dict[str, Any] = {"config": told, "disable": ["preflight"], **CLOUD}
        with Pipeline(policy=policy, **options) as line:
            try:
                line.explain("Hello", model=model)
            except PolicyViolation:
                return True
        return False

    assert refuses({"allow": ["claude-haiku-*"]}, "evil-1")
    assert refuses({"deny": ["claude-opus-*"]}, "x/claude-opus-4-5")
    assert refuses({"deny": ["evil-1"]}, "claude-haiku-9")
    assert not refuses({"allow": ["evil-*"]}, "evil-1")


def test_a_region_can_be_told_from_another() -> None:
    eu, us = (f"{each}.anthropic.claude-opus-4-5-20251101-v1:0" for each in ("eu", "us"))
    assert not refused({"allow": ["eu.anthropic.*"]}, eu)
    assert refused({"allow": ["eu.anthropic.*"]}, us)
    assert refused({"allow": ["eu.anthropic.*"]}, OPUS)
    assert refused({"deny": ["us.*"]}, f"bedrock/converse/{us}")
    assert not refused({"deny": ["us.*"]}, eu)


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        (OPUS, True),
        ("claude-opus-4-5", False),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", True),
        ("claude-opus-4-5@20251101", True),
        ("anthropic/claude-opus-4.5", False),
        ("anthropic/claude-opus-4.6", True),  # from 4.6 on a version is a snapshot
        ("databricks-claude-sonnet-4", False),
        ("ants-7b", True),
    ],
)
def test_a_pin_is_a_day(name: str, pinned: bool) -> None:
    assert refused({"allow": ["*"], "pin": True}, name) is not pinned


@pytest.mark.parametrize(
    "name", [*(n for n, m in SPELLED.items() if m == OPUS), "x/Claude-Opus-4.5-fast"]
)
def test_a_rule_for_a_model_is_for_it_by_every_name(name: str) -> None:
    rule = {"id": "it", "max_tokens": {"max": 5}, "for": {"models": ["claude-opus-4-5"]}}
    options: dict[str, Any] = {"unknown_models": "allow", "disable": ["preflight"], **CLOUD}
    with (
        Pipeline(policy=Rules(rules=[rule]), **options) as line,
        pytest.raises(PolicyViolation, match="max_tokens"),
    ):
        line.explain("Hello", model=name, max_tokens=6)


def test_a_condition_can_ask_which_model_it_is() -> None:
    rule = {"id": "it", "max_tokens": {"max": 5}, "when": f'request.model_id == "{OPUS}"'}
    options: dict[str, Any] = {"unknown_models": "allow", "disable": ["preflight"], **CLOUD}
    with Pipeline(policy=Rules(rules=[rule]), **options) as line:
        with pytest.raises(PolicyViolation, match="max_tokens"):
            line.explain("Hello", model="databricks-claude-opus-4-5", max_tokens=6)
        line.explain("Hello", model="databricks-claude-haiku-4-5", max_tokens=6)


@pytest.mark.parametrize(
    "only", [OPUS, "claude-opus-4-5", "us.anthropic.claude-opus-4-5-20251101-v1:0"]
)
def test_a_limit_on_a_model_holds_by_every_name(only: str) -> None:
    limit = Limit(by="model", per="day", requests=1, only=(only,))
    names = [name for name, model in SPELLED.items() if model == OPUS]
    subjects = {
        limit.subject(Principal(), name, TABLE) for name in (OPUS, "claude-opus-4-5", *names)
    }
    assert subjects == {OPUS}  # one account
    assert limit.subject(Principal(), "x/Claude-Opus-4.5-fast", TABLE) is not None
    assert limit.subject(Principal(), "anthropic/claude-haiku-4.5", TABLE) is None
    assert limit.subject(Principal(), HAIKU, TABLE) is None
    told = TABLE.with_models(ModelFacts(id="x/claude-opus-4-5", context=9000))
    assert limit.subject(Principal(), "x/claude-opus-4-5", told) is not None


def test_a_budget_of_dollars_knows_the_price(
    tmp_path: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Yes.", model="claude-opus-4-5-20251101")))
    limit = Limit(by="everybody", per="total", usd=1)
    budget = Budget(limits=(limit,), path=str(tmp_path / "b.sqlite"))
    line = {
        **server.line,
        "model": "eu.anthropic.claude-opus-4-5-20251101-v1:0",
        "plugins": [budget],
    }
    with Pipeline(**line) as pipeline:
        assert pipeline.send("Hello").cost is not None


# Fallback


def test_a_fallback_is_spelled_as_the_server_at_hand_spells_it(sim: Any) -> None:
    server = sim(Rule(status=529, model="claude-opus-5-5"), Rule(reply="Yes."))
    line = {
        "base_url": server,
        "model": "claude-opus-5-5",
        "plugins": [Fallback(models=("anthropic.claude-haiku-4-5-20251001-v1:0",))],
        "config": {"plugins": {"retry": {"attempts": 1}}},
    }
    with Pipeline(**line) as pipeline:
        pipeline.send("Hello")
    assert server.bodies[-1]["model"] == HAIKU


def test_a_fallback_elsewhere_leaves_as_it_is_spelled(
    loopback: Any, http: Any, message: Any
) -> None:
    def answer(request: Any) -> Any:
        if request.json["model"] == "claude-opus-5-5":
            return http(
                529, {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
            )
        return http(200, message("Yes."))

    server = loopback(answer)
    name = "anthropic.claude-3-haiku-20240307-v1:0"  # retired by the API, and perhaps not there
    line = {
        **server.line,
        "model": "claude-opus-5-5",
        "max_tokens": 100_000,
        "plugins": [Fallback(models=(name,))],
        "config": {"plugins": {"retry": {"attempts": 1}}},
    }
    with Pipeline(**line) as pipeline:
        pipeline.send("Hello")
    last = server.requests[-1].json
    assert (last["model"], last["max_tokens"]) == (name, 4096)


def test_no_name_is_so_long_that_reading_it_takes_long() -> None:
    for name in ("claude" * 20_000, "claude-4" * 20_000, "anthropic/" * 20_000, "a/" * 60_000):
        assert TABLE.get(name) is None
        assert sum(map(len, TABLE.names_of(name).perhaps)) < 10_000_000  # and not the square of it
