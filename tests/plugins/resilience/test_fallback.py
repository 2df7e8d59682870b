"""The plugin `fallback`: when to go on, to whom, and what becomes of the request on the way."""

from typing import Any

import pytest

from hookline import (
    APIError,
    ConfigError,
    DeadlineExceeded,
    Message,
    ModelFacts,
    Pipeline,
    PolicyViolation,
    Request,
    StreamInterrupted,
    TextBlock,
    TransportError,
    hookimpl,
)
from hookline.models import load_models
from hookline.simulator import Rule
from hookline.testing import FaultServer, error_answer, json_answer, message
from hookline.values.blocks import ThinkingBlock
from hookline.values.tools.definitions import ToolChoice
from hookline_plugins.resilience.breaker import Breaker
from hookline_plugins.resilience.fallback import Elsewhere, Fallback
from hookline_plugins.resilience.model_adaptation import adapted
from hookline_plugins.resilience.retry import Retry

OLD = "claude-haiku-4-5"
NEW = "claude-haiku-5-5"
SONNET = "claude-sonnet-4-6"
QUICK = {"plugins": {"retry": {"base": 0.001, "throttle_base": 0.001}}}


def line_of(server: Any, *plugins: Any, model: str = OLD) -> dict[str, Any]:
    return {"base_url": server, "plugins": list(plugins), "model": model, "config": QUICK}


def models_of(server: Any) -> list[str]:
    return [body["model"] for body in server.bodies]


@pytest.mark.parametrize(
    "rule",
    [
        Rule(model=OLD, status=529),
        Rule(model=OLD, status=500),
        Rule(model=OLD, status=503, raw="<html>busy</html>"),
        Rule(model=OLD, status=429),
        Rule(model=OLD, error_event={"type": "overloaded_error"}, error_after=1),
        Rule(model=OLD, error_event={"type": "overloaded_error"}, error_after=0),
    ],
    ids=str,
)
def test_another_model_answers_when_the_own_cannot(
    run: Any, sim: Any, streamed: Any, rule: Rule
) -> None:
    server = sim(rule, Rule(reply="from the other"))
    reply = run.outcome(streamed, line=line_of(server, Fallback(models=(NEW,))))
    assert reply.text == "from the other"
    assert reply.model == NEW
    assert models_of(server)[-1] == NEW
    assert any("to claude-haiku-5-5" in text for _, text in reply.trace.notes)


def test_retries_come_first(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(model=OLD, status=529), Rule(reply="x"))
    run.outcome(streamed, line=line_of(server, Fallback(models=(NEW,))))
    assert models_of(server) == [OLD, OLD, OLD, NEW]


@pytest.mark.parametrize("partial", ["", "Well"])
def test_a_refusal_goes_to_the_next_model(run: Any, sim: Any, streamed: Any, partial: str) -> None:
    if streamed and partial:
        pytest.skip("what was said stays said; see below")
    server = sim(Rule(model=OLD, stop_reason="refusal", reply=partial), Rule(reply="Sure."))
    reply = run.outcome(streamed, line=line_of(server, Fallback(models=(NEW,))))
    assert (reply.text, reply.stop_reason) == ("Sure.", "end_turn")


def test_a_stream_that_has_said_something_is_not_taken_back(run: Any, sim: Any) -> None:
    server = sim(Rule(model=OLD, stop_reason="refusal", reply="Well, I"), Rule(reply="Sure."))
    text, reply = run.stream(line=line_of(server, Fallback(models=(NEW,))))
    assert (text, reply.stop_reason) == ("Well, I", "refusal")


def test_a_stream_that_breaks_after_its_first_words_stays_broken(run: Any, sim: Any) -> None:
    server = sim(Rule(model=OLD, cut_after=5), Rule(reply="Sure."))
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server, Fallback(models=(NEW,))))
    assert models_of(server) == [OLD]


def test_if_all_refuse_the_first_refusal_is_the_answer(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(stop_reason="refusal", reply="", stop_details={"category": "cyber"}))
    reply = run.outcome(streamed, line=line_of(server, Fallback(models=(NEW, SONNET))))
    assert reply.stop_reason == "refusal"
    assert reply.model.startswith(OLD)
    assert len(server.calls) == 3


def test_if_none_answers_the_last_error_is_raised(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(model=OLD, status=529), Rule(status=500, message="broken"))
    with pytest.raises(APIError, match="broken"):
        run.outcome(streamed, line=line_of(server, Fallback(models=(NEW,))))


@pytest.mark.parametrize(
    ("on", "rule", "goes_on"),
    [
        (("overload",), Rule(model=OLD, status=529), True),
        (("overload",), Rule(model=OLD, status=500), False),
        (("exhausted",), Rule(model=OLD, status=500), True),
        (("exhausted",), Rule(model=OLD, status=529), False),
        (("overload",), Rule(model=OLD, stop_reason="refusal", reply=""), False),
        (("refusal", "overload", "exhausted"), Rule(model=OLD, status=400), False),
        (
            ("refusal", "overload", "exhausted"),
            Rule(model=OLD, status=429, details={"error_code": "enforced_spend_limit_reached"}),
            False,
        ),
    ],
    ids=str,
)
def test_each_reason_can_be_had_alone(
    run: Any, sim: Any, on: Any, rule: Rule, goes_on: bool
) -> None:
    server = sim(rule, Rule(reply="x"))
    try:
        run.send(line=line_of(server, Fallback(models=(NEW,), on=on)))
    except APIError:
        assert not goes_on
    assert (NEW in models_of(server)) is goes_on


def test_an_open_circuit_is_an_overload_of_that_model_only(run: Any, sim: Any) -> None:
    server = sim(Rule(model=OLD, status=529), Rule(reply="x"))
    plugins = [Fallback(models=(NEW,)), Breaker(minimum=1)]
    for _ in range(2):
        assert run.send(line=line_of(server, *plugins)).text == "x"
    assert models_of(server) == [OLD, OLD, OLD, NEW, NEW]


def test_policy_judges_every_model(run: Any, sim: Any) -> None:
    class OldOnly:
        role = "enforcer"

        @hookimpl
        def check_request(self, request: Request) -> None:
            if request.model != OLD:
                raise PolicyViolation("only the old one")

    server = sim(Rule(model=OLD, status=529), Rule(reply="x"))
    with pytest.raises(PolicyViolation):
        run.send(line={**line_of(server, Fallback(models=(NEW,))), "policy": OldOnly()})
    assert NEW not in models_of(server)


def test_no_time_no_fallback(sim: Any) -> None:
    class Late:
        name = "late"
        after = ("fallback",)

        @hookimpl
        async def send(self, turn: Any) -> Any:
            turn.deadline = turn.io.now()
            raise TransportError("slow", phase="read")

    with (
        Pipeline(**line_of(sim(), Fallback(models=(NEW,)), Late())) as line,
        pytest.raises((TransportError, DeadlineExceeded)),
    ):
        line.send("Hello")


def test_later_steps_stay_with_the_model_that_answered(run: Any, sim: Any) -> None:
    def weather() -> str:
        """Tell the weather."""
        return "sunny"

    server = sim(
        Rule(model=OLD, status=529),
        Rule(when="weather?", tool_use={"name": "weather", "input": {}}, times=1),
        Rule(reply="sunny it is"),
    )
    line = line_of(server, Fallback(models=(NEW,)))
    reply = run.send("weather?", line=line, tools=[weather])
    assert reply.text == "sunny it is"
    assert models_of(server) == [OLD, OLD, OLD, NEW, NEW]


# The request on its way ---------------------------------------------------------------------------


def test_a_native_prefill_becomes_an_instruction(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(model=OLD, status=529), Rule(reply="C) Formicidae"))
    reply = run.outcome(streamed, line=line_of(server, Fallback(models=(NEW,))), prefill="It is (")
    assert (reply.text, reply.prefill_mode) == ("It is (C) Formicidae", "instructed")
    assert server.bodies[-1]["messages"][-1]["role"] == "user"


def test_an_instruction_becomes_a_native_prefill(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(model=NEW, status=529), Rule(reply="C) Formicidae"))
    line = line_of(server, Fallback(models=(OLD,)), model=NEW)
    reply = run.outcome(streamed, line=line, prefill="It is (")
    assert (reply.text, reply.prefill_mode) == ("It is (C) Formicidae", "native")
    first, last = server.bodies[0]["messages"], server.bodies[-1]["messages"]
    assert "reply_so_far" in str(first)
    assert "reply_so_far" not in str(last)
    assert last[-1] == {"role": "assistant", "content": "It is ("}


@pytest.mark.parametrize("target", [facts.id for facts in load_models() if not facts.retired])
@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.3},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000},
        {"max_tokens": 64_000},
        {"output_config": {"effort": "max"}, "model": "claude-sonnet-4-6"},
        {"thinking": {"type": "adaptive"}, "model": "claude-opus-5-5"},
        {
            "thinking": {"type": "disabled"},
            "output_config": {"effort": "high"},
            "model": "claude-opus-4-8",
        },
        {"speed": "fast", "model": "claude-opus-5-5"},
        {
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "f"},
        },
        {"prefill": "I"},
    ],
    ids=str,
)
def test_every_model_accepts_the_adapted_request(
    sim: Any, target: str, options: dict[str, Any]
) -> None:
    """The simulator is as strict as the API: a wrong adaptation would be a 400."""
    options = dict(options)
    own = options.pop("model", OLD)
    server = sim(Rule(status=529, model=own), Rule(reply="x"))
    table = load_models()
    if table.require(target) is table.require(own):
        pytest.skip("its own model")
    with Pipeline(**line_of(server, Fallback(models=(target,)), model=own)) as line:
        reply = line.send("Hello", **options)
    assert reply.response.stop_reason in ("end_turn", "tool_use", "max_tokens")
    assert models_of(server)[-1] == target


def request_of(**fields: Any) -> Request:
    return Request(OLD, fields.pop("max_tokens", 8000), [Message("user", "Hi")], **fields)


FACTS = load_models()


@pytest.mark.parametrize(
    ("request_", "target", "expected"),
    [
        (request_of(max_tokens=100_000), OLD, {"max_tokens": 64_000}),
        (
            request_of(thinking={"type": "enabled", "budget_tokens": 2000, "display": "omitted"}),
            NEW,
            {"thinking": {"type": "adaptive", "display": "omitted"}},
        ),
        (
            request_of(thinking={"type": "adaptive"}),
            OLD,
            {"thinking": {"type": "enabled", "budget_tokens": 4000}},
        ),
        (request_of(thinking={"type": "adaptive"}, max_tokens=1500), OLD, {"thinking": None}),
        (
            request_of(thinking={"type": "disabled"}),
            "claude-sonnet-5-5",
            {"thinking": {"type": "between_tools"}},
        ),
        (request_of(thinking={"type": "disabled"}), "claude-opus-5-5", {"thinking": None}),
        (
            request_of(output_config={"effort": "xhigh"}),
            "claude-opus-4-5",
            {"output_config": {"effort": "high"}},
        ),
        (request_of(output_config={"effort": "low"}), OLD, {"output_config": None}),
        (
            request_of(output_config={"effort": "max"}, thinking={"type": "disabled"}),
            NEW,
            {"output_config": {"effort": "high"}},
        ),
        (request_of(temperature=0.2, top_k=3), NEW, {"temperature": None, "top_k": None}),
        (request_of(temperature=0.2, top_p=0.9), OLD, {"temperature": 0.2, "top_p": None}),
        (
            request_of(tool_choice=ToolChoice("tool", "f")),
            "claude-opus-5-5",
            {"tool_choice": ToolChoice("auto")},
        ),
        (request_of(tool_choice=ToolChoice("any")), NEW, {"thinking": {"type": "disabled"}}),
    ],
    ids=str,
)
def test_each_field_is_changed_as_little_as_it_can_be(
    request_: Request, target: str, expected: dict[str, Any]
) -> None:
    changed, told = adapted(request_, FACTS.require(target))
    assert {name: getattr(changed, name) for name in expected} == expected
    assert told


def test_what_fits_is_left_alone() -> None:
    request = request_of(system="Be brief.", stop_sequences=("x",))
    changed, told = adapted(request, FACTS.require(NEW))
    assert changed == request.evolve(model=NEW)
    assert told == []


def test_the_thoughts_of_another_model_are_left_out() -> None:
    request = request_of().append(
        Message("assistant", [ThinkingBlock("hm", "sig"), TextBlock("A")]),
        Message("assistant", [ThinkingBlock("hm", "sig")]),
        Message("user", "B"),
    )
    changed, _ = adapted(request, FACTS.require(NEW))
    assert [message.text for message in changed.messages] == ["Hi", "A", "B"]
    assert "sig" not in str([message.content for message in changed.messages])


def test_a_model_that_cannot_see_is_passed_over(run: Any, sim: Any) -> None:
    from hookline.values.blocks import ImageBlock
    from hookline.values.sources import Base64Source

    class Blind:
        name = "blind"

        @hookimpl
        def register_models(self, register: Any) -> None:
            register(ModelFacts(id="blind-1"))

    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    server = sim(Rule(model=OLD, status=529), Rule(reply="x"))
    plugins = [Blind(), Fallback(models=("blind-1", NEW), unknown_models=True)]
    message = [ImageBlock(Base64Source("image/png", pixel)), "Hi"]
    reply = run.send(message, line=line_of(server, *plugins))
    assert models_of(server)[-1] == NEW
    assert ("fallback", "not to blind-1: it cannot see images") in reply.trace.notes


# Options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models": ("claude-haiku-9",)}, "is not a known model .did you mean claude-haiku-"),
        ({"models": ("claude-opus-4-1-20250805",)}, "is retired"),
        ({"models": "claude-haiku-5-5"}, "are lists"),
        ({"models": (NEW,), "on": ("sometimes",)}, "the reasons are overload, refusal"),
    ],
)
def test_bad_options_are_refused_when_it_is_built(options: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Fallback(**options)


def test_without_models_the_pipeline_does_not_open() -> None:
    line = Pipeline(base_url="sim:", plugins=["fallback"])
    with pytest.raises(ConfigError, match="models is empty"):
        line.send("Hello")


def test_it_can_be_configured_in_a_file() -> None:
    config = {"plugins": {"fallback": {"models": [NEW], "on": ["overload"]}}}
    with Pipeline(base_url="sim:", config=config) as line:
        plugin = line.plugins.get("fallback")
    assert plugin is not None
    assert (plugin.object.models, plugin.object.on) == ((NEW,), ("overload",))


def test_another_address_is_asked_with_its_own_key_and_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    with (
        FaultServer(error_answer(529, "overloaded_error")) as ours,
        FaultServer(json_answer(message("from elsewhere"))) as theirs,
        Pipeline(
            base_url=ours.url,
            api_key="sk-ours",
            headers={"x-team": "ours"},
            model="claude-haiku-4-5",
            plugins=[
                Fallback(elsewhere=(Elsewhere(base_url=theirs.url, api_key_env="OTHER_KEY"),)),
                Retry(attempts=1),
            ],
        ) as line,
    ):
        reply = line.send("Hello")
        assert reply.text == "from elsewhere"
        asked = theirs.requests[0]
    assert asked.headers["x-api-key"] == "sk-other"
    assert "x-team" not in asked.headers
    assert [attempt.status for attempt in reply.trace.attempts] == [529, 200]


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        (Elsewhere(base_url="http://example.com"), "https"),
        (Elsewhere(base_url="sim:", api_key_env="NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
    ],
)
def test_an_impossible_address_is_refused_at_construction(place: Elsewhere, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Fallback(elsewhere=(place,))
