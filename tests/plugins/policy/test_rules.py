"""Every key of a rule: what it refuses and what it lets through, and whom it is for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hookline import (
    ConfigError,
    Image,
    Message,
    Pipeline,
    PolicyViolation,
    Principal,
    hookimpl,
)
from hookline.values import Base64Source, DocumentBlock, ImageBlock, ServerTool, URLSource
from hookline_plugins.policy.rules import Rules
from hookline_plugins.policy.rules.judging import CHECKS

MODEL = "claude-haiku-4-5"
PNG = ImageBlock(Base64Source("image/png", "iVBORw0KGgo="))
TOOL = {"name": "shell", "input_schema": {"type": "object"}}
AWAY = URLSource("https://evil.example./a.png")

# Each key: the rule, what breaks it, what keeps it.
KEYS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"models": {"allow": ["claude-haiku-*"]}}, {"model": "claude-opus-4-5"}, {}),
    ({"models": {"deny": ["claude-opus-4-5-20251101"]}}, {"model": "claude-opus-4-5"}, {}),
    ({"models": {"allow": ["claude-haiku-*"]}}, {"fallbacks": [{"model": "claude-opus-4-5"}]}, {}),
    ({"models": {"deny": ["claude-opus-*"]}}, {"fallbacks": "default"}, {}),
    (
        {"models": {"deny": ["claude-opus-*"]}},
        {"tools": [ServerTool("advisor_20260301", "advisor", extra={"model": "claude-opus-4-5"})]},
        {},
    ),
    ({"models": {"pin": True}}, {}, {"model": "claude-haiku-4-5-20251001"}),
    ({"max_tokens": {"max": 500}}, {"max_tokens": 501}, {"max_tokens": 500}),
    (
        {"effort": {"allow": ["low"]}},
        {"output_config": {"effort": "high"}},
        {"output_config": {"effort": "low"}},
    ),
    ({"effort": {"allow": ["low"]}}, {"model": "claude-haiku-5-5"}, {}),
    (
        {"thinking": {"allow": ["disabled"]}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"thinking": {"type": "disabled"}},
    ),
    (
        {"context": {"max_messages": 2}},
        {"messages": [Message("user", "a"), Message("assistant", "b")]},
        {},
    ),
    ({"context": {"max_tokens": 50}}, {"system": "word " * 100}, {}),
    ({"attachments": {"max_count": 1}}, {"images": [PNG, PNG]}, {"images": [PNG]}),
    ({"attachments": {"max_bytes": 7}}, {"images": [PNG]}, {}),
    ({"attachments": {"kinds": ["document", "image/jpeg"]}}, {"images": [PNG]}, {}),
    ({"image_hosts": {"allow": ["acme.example"]}}, {"images": [ImageBlock(AWAY)]}, {}),
    ({"image_hosts": {"deny": ["evil.example"]}}, {"images": [ImageBlock(AWAY)]}, {}),
    ({"image_hosts": {"deny": ["evil.example"]}}, {"images": [Image(AWAY.url)]}, {}),
    ({"tools": {"deny": ["sh*"]}}, {"tools": [TOOL]}, {"tools": [{**TOOL, "name": "add"}]}),
    (
        {"server_tools": {"allow": ["web_fetch*"]}},
        {"tools": [ServerTool("web_search_20250305", "web_search")]},
        {"tools": [TOOL]},
    ),
    (
        {"mcp_servers": {"allow": ["mcp.acme.example"]}},
        {"mcp_servers": [{"name": "mcp.acme.example", "url": "https://evil.example/mcp"}]},
        {"mcp_servers": [{"name": "x", "url": "https://mcp.acme.example/mcp"}]},
    ),
    ({"betas": {"deny": ["files-*"]}}, {"betas": ["files-api-2025-04-14"]}, {}),
    ({"destinations": {"allow": ["api.anthropic.com"]}}, {}, {}),
    ({"inference_geo": {"allow": ["us"]}}, {}, {"inference_geo": "us"}),
    ({"user_id": "forbid"}, {"metadata": {"user_id": "ada"}}, {}),
    ({"user_id": "require"}, {}, {"metadata": {"user_id": "ada"}}),
    ({"forbid": {"words": ["zephyr"]}}, {"system": "on Zephyr."}, {"system": "zephyrs"}),
    ({"forbid": {"pattern": "^ze.h"}}, {"system": "a\nzephyr"}, {"system": "a zephyr"}),
    (
        {"forbid": {"pattern": "zephyr", "in": ["system"]}},
        {"system": "zephyr"},
        {"prefill": "zephyr"},
    ),
]


def judged(rule: dict[str, Any], *, line: Any = None, **call: Any) -> str:
    """Return the id of the rule that refuses, or nothing."""
    policy = Rules(rules=[{"id": "it", **rule}])
    options = {"base_url": "sim:", "model": MODEL, "unknown_models": "allow", **(line or {})}
    rule_id = ""
    with Pipeline(policy=policy, **options) as pipeline:
        try:
            pipeline.explain("Hello", **call)
        except PolicyViolation as refusal:
            rule_id = refusal.rule
    return rule_id


@pytest.mark.parametrize(("rule", "breaks", "keeps"), KEYS, ids=[next(iter(k[0])) for k in KEYS])
def test_a_key_refuses_what_breaks_it_and_nothing_else(
    rule: dict[str, Any], breaks: dict[str, Any], keeps: dict[str, Any]
) -> None:
    # These have an opinion of their own on some of it.
    preflight: dict[str, Any] = {"disable": ["preflight", "images"]}
    assert judged(rule, line=preflight, **breaks) == "it"
    if "destinations" in rule:
        preflight["base_url"] = "https://api.anthropic.com"
    assert judged(rule, line=preflight, **keeps) == ""


def test_every_key_is_tried() -> None:
    tried = {key for rule, _, _ in KEYS for key in rule}
    elsewhere = {"system", "hours"}  # below
    assert tried | elsewhere == set(CHECKS) | {"forbid"}


def test_a_text_that_is_required_is_added_behind_what_is_there(sim: Any) -> None:
    server = sim()
    policy = Rules(rules=[{"id": "it", "system": {"require": "Be honest."}}])
    cached = [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]
    with Pipeline(base_url=server, model=MODEL, policy=policy) as line:
        line.send("Hello")
        line.send("Hello", system=cached)
        line.send("Hello", system="Say: Be honest. Always.")
        chat = line.conversation()
        chat.send("Hello")
        chat.send("Again")
    systems = [body["system"] for body in server.bodies]
    assert systems[0] == "Be honest."
    assert systems[1] == [*cached, {"type": "text", "text": "Be honest."}]
    assert systems[2] == "Say: Be honest. Always."
    assert systems[4] == "Be honest."


def test_a_plugin_that_takes_it_out_again_is_refused() -> None:
    class Removes:
        @hookimpl
        async def send(self, request: Any, call_next: Any) -> Any:
            return await call_next(request.evolve(system=None))

    policy = Rules(rules=[{"id": "it", "system": {"require": "Be honest."}}])
    with (
        Pipeline(base_url="sim:", policy=policy, plugins=[Removes()]) as line,
        pytest.raises(PolicyViolation) as caught,
    ):
        line.send("Hello")
    assert caught.value.rule == "it"


def test_a_user_id_leaves_as_a_digest(sim: Any) -> None:
    server = sim()
    policy = Rules(rules=[{"id": "it", "user_id": "hash"}])
    with Pipeline(base_url=server, model=MODEL, policy=policy) as line:
        for _ in range(2):
            line.send("Hello", metadata={"user_id": "ada@acme.example"})
    first, second = (body["metadata"]["user_id"] for body in server.bodies)
    assert first == second
    assert first.startswith("h_")
    assert "ada" not in first


def test_hours() -> None:
    from hookline_plugins.policy.rules.judging import _hours
    from hookline_plugins.policy.rules.keys import Hours

    def within(at: str, **hours: Any) -> bool:
        now = datetime.fromisoformat(at).replace(tzinfo=UTC)
        return _hours(Hours(**hours), now) is None

    office = {"from_": "08:00", "to": "18:00", "zone": "Europe/Berlin", "days": ("fri",)}
    assert within("2026-11-27T07:00", **office)  # a Friday, 08:00 in Berlin
    assert not within("2026-11-27T06:59", **office)
    assert not within("2026-11-27T17:00", **office)
    assert not within("2026-11-26T12:00", **office)
    night = {"from_": "22:00", "to": "06:00", "days": ("fri",)}
    assert within("2026-11-27T23:00", **night)
    assert within("2026-11-28T05:59", **night)  # still Friday's night
    assert not within("2026-11-27T05:59", **night)
    assert not within("2026-11-27T12:00", **night)


def test_hours_hold_for_a_turn() -> None:
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[datetime.now(UTC).weekday()]
    tomorrow = ("tue", "wed", "thu", "fri", "sat", "sun", "mon", "tue")[datetime.now(UTC).weekday()]
    both = [day, tomorrow]  # midnight may pass meanwhile
    others = [
        each for each in ("mon", "tue", "wed", "thu", "fri", "sat", "sun") if each not in both
    ]
    assert judged({"hours": {"days": both}}) == ""
    assert judged({"hours": {"days": others}}) == "it"


# Whom a rule is for

ADA = Principal(user="ada@acme.example", team="research", tags={"cost": "7", "beta": ""})


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ({"for": {"users": ["*@acme.example"]}}, True),
        ({"for": {"users": ["bob"]}}, False),
        ({"for": {"teams": ["sales", "res*"]}}, True),
        ({"for": {"teams": ["sales"], "users": ["*"]}}, False),
        ({"for": {"tags": ["cost=7"]}}, True),
        ({"for": {"tags": ["cost=8"]}}, False),
        ({"for": {"tags": ["beta"]}}, True),
        ({"for": {"models": ["claude-haiku-*"]}}, True),
        ({"for": {"models": ["claude-opus-*"]}}, False),
        ({"for": {"surfaces": ["explain"]}}, True),
        ({"for": {"surfaces": ["send", "stream"]}}, False),
        ({"when": 'principal.team == "research" && request.max_tokens > 1'}, True),
        ({"when": 'principal.tags.cost == "8"'}, False),
        ({"when": 'surface == "explain" && context.feature == "x"'}, True),
        ({"when": "now > timestamp('2020-01-01T00:00:00Z')"}, True),
        ({"sample": 0.0}, False),
        ({"sample": 1.0}, True),
    ],
)
def test_a_rule_is_for_whom_it_says(limits: dict[str, Any], fits: bool) -> None:
    rule = {"forbid": {"words": ["zephyr"]}, **limits}
    line = {"principal": ADA, "context": {"feature": "x"}}
    assert judged(rule, line=line, system="zephyr") == ("it" if fits else "")


def test_a_sample_is_the_same_people_every_time() -> None:
    rule = {"forbid": {"words": ["zephyr"]}, "sample": 0.5}
    first = [
        judged(rule, line={"principal": Principal(user=f"u{n}")}, system="zephyr")
        for n in range(40)
    ]
    again = [
        judged(rule, line={"principal": Principal(user=f"u{n}")}, system="zephyr")
        for n in range(40)
    ]
    assert first == again
    assert 5 < first.count("it") < 35


@pytest.mark.parametrize("when", ["context.missing == 1", "request.max_tokens", "1 / 0 == 1"])
def test_what_a_condition_cannot_decide_is_refused(when: str) -> None:
    policy = Rules(rules=[{"id": "it", "forbid": {"words": ["zephyr"]}, "when": when}])
    with (
        Pipeline(base_url="sim:", policy=policy) as line,
        pytest.raises(PolicyViolation, match="condition") as caught,
    ):
        line.send("zephyr")
    assert caught.value.rule == "fail-closed"


# Verdicts


def test_a_verdict_names_rule_reason_and_evidence_and_not_what_was_said() -> None:
    rule = {"id": "no-codename", "reason": "Ask legal.", "forbid": {"words": ["zephyr"]}}
    with (
        Pipeline(base_url="sim:", policy=Rules(rules=[rule])) as line,
        pytest.raises(PolicyViolation) as caught,
    ):
        line.send("Hello", system="About Zephyr.")
    error = caught.value
    assert (str(error), error.rule) == ("Ask legal.", "no-codename")
    assert error.evidence == "system, 6 characters at 6"


def test_a_rule_in_shadow_is_recorded_and_stops_nothing(run: Any, streamed: Any, sim: Any) -> None:
    from hookline.simulator import Rule

    rules = [
        {"id": "word", "forbid": {"words": ["zephyr"]}, "shadow": True},
        {"id": "few", "max_tokens": {"max": 5}, "shadow": True},
        {"id": "text", "system": {"require": "Be honest."}, "shadow": True},
    ]
    server = sim(Rule(reply="It is Zephyr, I think.", chunk=3))
    line = {"policy": Rules(rules=rules), "base_url": server}
    reply = run.outcome(streamed, "About zephyr?", line=line)
    assert reply.text == "It is Zephyr, I think."
    assert "system" not in server.bodies[0]
    told = {(v.rule, v.hook, v.decision) for v in reply.trace.verdicts}
    wanted = {("word", "check_request"), ("few", "check_request"), ("text", "check_request")}
    assert {(*each, "would refuse") for each in wanted} <= told
    assert ("word", "filter_stream" if streamed else "check_reply", "would refuse") in told
    assert len(reply.trace.verdicts) == len(set(reply.trace.verdicts))


def test_a_shadow_is_recorded_where_another_rule_refuses() -> None:
    rules = [
        {"id": "stop", "max_tokens": {"max": 5}},
        {"id": "word", "forbid": {"words": ["zephyr"]}, "shadow": True},
    ]
    ended: list[Any] = []

    class Looks:
        @hookimpl
        def on_turn_end(self, turn: Any) -> None:
            ended.extend((v.rule, v.decision) for v in turn.trace.verdicts)

    with (
        Pipeline(base_url="sim:", policy=Rules(rules=rules), plugins=[Looks()]) as line,
        pytest.raises(PolicyViolation),
    ):
        line.send("zephyr")
    assert set(ended) == {("stop", "refused"), ("word", "would refuse")}


# Bad input


@pytest.mark.parametrize(
    ("rule", "line", "told"),
    [
        ("max_token = {max = 1}", 3, "a rule has no 'max_token'; did you mean 'max_tokens'?"),
        ("max_tokens = 7", 3, "max_tokens must be a table of max"),
        ("max_tokens = {max = 'x'}", 3, "max_tokens.max must be a whole number"),
        ("max_tokens = {}", 3, "max_tokens needs 'max'"),
        ("shadow = true", 1, "rule 'r' judges nothing"),
        ("models = {}", 3, "models needs allow or deny"),
        ("forbid = {}", 3, "takes a pattern or words"),
        ("forbid = {words = ['a'], in = ['sytem']}", 3, "did you mean 'system'?"),
        ("forbid = {pattern = '('}", 3, "no pattern that RE2 takes"),
        ("forbid = {pattern = '(?=a)b'}", 3, "neither look-around nor back references"),
        ("tool_input = {pattern = '*'}", 3, "no pattern that RE2 takes"),
        ("max_tokens = {max = 1}\nwhen = '1 +'", 4, "when is no CEL expression"),
        ("max_tokens = {max = 1}\nwhen = 'principle.team == \"x\"'", 4, "and not 'principle'"),
        ("max_tokens = {max = 1}\nsample = 2", 4, "sample must be a number"),
        ("max_tokens = {max = 1}\nfor = {surfaces = ['bulk']}", 4, "there is no surface 'bulk'"),
        ("hours = {from = '8'}", 3, "hours.from must look like 08:30"),
        ("hours = {zone = 'Berlin'}", 3, "there is no time zone 'Berlin'"),
        ("hours = {days = ['Monday']}", 3, "there is no day 'Monday'"),
        ("user_id = 'hashed'", 3, "user_id must be one of"),
        (
            "max_tokens = {max = 1}\n[[rule]]\nid = 'r'\nmax_tokens = {max = 1}",
            5,
            "another rule 'r'",
        ),
    ],
)
def test_what_is_not_understood_is_an_error_with_its_line(
    tmp_path: Any, rule: str, line: int, told: str
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"[[rule]]\nid = 'r'\n{rule}\n")
    with pytest.raises(ConfigError) as caught:
        Pipeline(base_url="sim:", policy=path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_rules_of_a_policy_file_cannot_be_had_from_elsewhere(tmp_path: Any) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[[rule]]\nid = 'r'\nmax_tokens = {max = 1}\n")
    ways: list[dict[str, Any]] = [
        {"config": {"plugins": {"rules": {"rules": []}}}},
        {"config": {"plugins": {"rules": {"shadow": True}}}},
        {"disable": ["rules"]},
        {"plugins": [Rules()]},
    ]
    for options in ways:
        with pytest.raises(ConfigError):
            Pipeline(base_url="sim:", policy=path, **options)
    with Pipeline(base_url="sim:", policy=path) as line, pytest.raises(PolicyViolation):
        line.send("Hello")


ENVIRONMENT = """
[lock]
"plugins.rules.environment" = "{}"
[[rule]]
id = "production"
max_tokens = {{max = 5}}
for = {{environments = ["prod*"]}}
"""


@pytest.mark.parametrize(
    ("environment", "holds"), [("production", True), ("staging", False), ("", True)]
)
def test_a_rule_for_an_environment_holds_there_and_where_nobody_knows(
    tmp_path: Any, environment: str, holds: bool
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(ENVIRONMENT.format(environment))
    with Pipeline(base_url="sim:", policy=path, max_tokens=9) as line:
        if holds:
            with pytest.raises(PolicyViolation):
                line.send("Hello")
        else:
            line.send("Hello")


def test_nobody_but_the_policy_says_which_environment_it_is(tmp_path: Any) -> None:
    path = tmp_path / "policy.toml"
    locked = ENVIRONMENT.format("production")
    for text in (locked, f"[[rule]]{locked.partition('[[rule]]')[2]}"):
        path.write_text(text)
        with pytest.raises(ConfigError):
            Pipeline(policy=path, config={"plugins": {"rules": {"environment": "staging"}}})


def test_documents_are_counted_and_read_inside_tool_results() -> None:
    from hookline import ToolResultBlock, ToolUseBlock

    inner = ToolResultBlock(
        "toolu_1", [DocumentBlock(Base64Source("application/pdf", "emVwaHly")), PNG]
    )
    history = [
        Message("user", "Look."),
        Message("assistant", [ToolUseBlock("toolu_1", "look", {})]),
        Message("user", [inner]),
        Message("assistant", "Found."),
    ]
    raw = {"disable": ["preflight", "images"]}
    assert judged({"attachments": {"max_count": 1}}, messages=history, line=raw) == "it"
    rule = {"forbid": {"words": ["zephyr"], "in": ["documents"]}}
    assert judged(rule, messages=history, line=raw) == "it"
