"""Structured output: schemas within the API's subset, typed values, typed failures, growing values."""

import datetime as dt
import enum
import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from attrs import field, frozen, make_class, validators
from hypothesis import given
from hypothesis import strategies as st

from hookline import InputError, OutputError, Pipeline, StreamInterrupted, TextBlock
from hookline.schema.output import GrowingOutput, Output
from hookline.simulator import Rule
from hookline.simulator.answers.instance import instance_of
from hookline.simulator.rules.schema import check_schema
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Ping,
    TextDelta,
)
from hookline.wire.partial_json import NOTHING

MODEL = "claude-haiku-4-5"
Sim = Callable[..., Any]


class Caste(enum.Enum):
    QUEEN = "queen"
    WORKER = "worker"


@frozen
class Leg:
    side: Literal["left", "right"]
    length: float


@frozen
class Egg:
    kind: Literal["egg"]
    laid: dt.date


@frozen
class Ant:
    """One ant.

    More about it.
    """

    name: Annotated[str, "as its friends call it"]
    caste: Caste
    legs: list[Leg]
    seen: dt.datetime
    counts: dict[str, int]
    by_day: dict[str, list[Leg]]
    next: Leg | Egg
    id: UUID | None
    tags: frozenset[str] = frozenset()
    hidden: int = field(default=0, alias="secret")


ANT: Mapping[str, Any] = {
    "name": "Anna",
    "caste": "worker",
    "legs": [{"side": "left", "length": 1}],
    "seen": "2026-11-23T12:00:00Z",
    "counts": [{"key": "crumbs", "value": 3}],
    "by_day": [{"key": "monday", "value": [{"side": "right", "length": 2.5}]}],
    "next": {"kind": "egg", "laid": "2026-11-24"},
    "id": None,
    "secret": 7,
}
ANNA = Ant(
    name="Anna",
    caste=Caste.WORKER,
    legs=[Leg("left", 1.0)],
    seen=dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC),
    counts={"crumbs": 3},
    by_day={"monday": [Leg("right", 2.5)]},
    next=Egg("egg", dt.date(2026, 11, 24)),
    id=None,
    secret=7,
)


def objects_of(schema: Any) -> list[Any]:
    """Return every object schema, wherever it stands."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects_of(item)]
    if not isinstance(schema, dict):
        return []
    inner = [found for item in schema.values() for found in objects_of(item)]
    return [schema, *inner] if schema.get("type") == "object" else inner


# Turns --------------------------------------------------------------------------------------------


def test_the_reply_is_a_value_of_the_type(run: Any, sim: Sim, streamed: bool) -> None:
    simulator = sim(Rule(reply=json.dumps(ANT)))
    reply = run.outcome(streamed, line={"base_url": simulator}, output=Ant)
    assert reply.output == ANNA
    assert json.loads(reply.text) == ANT
    (body,) = simulator.bodies
    assert body["output_config"]["format"]["type"] == "json_schema"
    schema = body["output_config"]["format"]["schema"]
    assert schema["properties"]["name"] == {
        "type": "string",
        "description": "as its friends call it",
    }
    assert schema["description"] == "One ant."
    assert all(each["additionalProperties"] is False for each in objects_of(schema))
    assert "Ant" not in schema["$defs"]


@pytest.mark.parametrize(
    ("wanted", "text", "value"),
    [
        (list[Leg], '{"value": [{"side": "left", "length": 1}]}', [Leg("left", 1.0)]),
        (int, '{"value": 3}', 3),
        (str | None, '{"value": null}', None),
        (dict[str, int], '{"value": {"as it": 1}}', {"as it": 1}),
        (dict[str, bool], '{"value": [{"key": "a", "value": true}]}', {"a": True}),
        (
            Leg | Egg,
            '{"value": {"kind": "egg", "laid": "2026-11-24"}}',
            Egg("egg", dt.date(2026, 11, 24)),
        ),
        (Literal["yes", "no"], '{"value": "no"}', "no"),
        (Caste, '{"value": "queen"}', Caste.QUEEN),
        (tuple[int, ...], '{"value": [1, 2]}', (1, 2)),
        (
            dict[str, dict[str, int]],
            '{"value": [{"key": "a", "value": [{"key": "b", "value": 1}]}]}',
            {"a": {"b": 1}},
        ),
        (list[dict[str, int] | int], '{"value": [[{"key": "a", "value": 1}], 2]}', [{"a": 1}, 2]),
    ],
)
def test_what_is_no_object_travels_in_one(sim: Sim, wanted: Any, text: str, value: Any) -> None:
    simulator = sim(Rule(reply=text))
    with Pipeline(base_url=simulator, model=MODEL) as line:
        reply = line.send("Hello", output=wanted)
    assert reply.output == value
    assert type(reply.output) is type(value)
    assert simulator.bodies[0]["output_config"]["format"]["schema"]["type"] == "object"


def test_a_schema_gives_plain_json(run: Any, sim: Sim, streamed: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"legs": {"$ref": "#/$defs/legs"}, "deep": {"anyOf": [{"properties": {}}]}},
        "required": ["legs"],
        "$defs": {"legs": {"type": "array", "items": {"type": "integer"}, "minItems": 1}},
    }
    simulator = sim(Rule(reply='{"legs": [1, 2]}'))
    reply = run.outcome(streamed, line={"base_url": simulator}, output=schema)
    assert reply.output == {"legs": [1, 2]}
    sent = simulator.bodies[0]["output_config"]["format"]["schema"]
    assert sent["additionalProperties"] is False
    assert sent["properties"]["deep"]["anyOf"][0]["additionalProperties"] is False
    assert "additionalProperties" not in schema


def test_a_schema_whose_root_is_no_object_is_wrapped(sim: Sim) -> None:
    schema = {
        "type": "array",
        "items": {"$ref": "#/$defs/leg"},
        "$defs": {"leg": {"enum": ["left", "right"]}},
    }
    simulator = sim(Rule(reply='{"value": ["left"]}'))
    with Pipeline(base_url=simulator, model=MODEL) as line:
        assert line.send("Hello", output=schema).output == ["left"]
    assert simulator.bodies[0]["output_config"]["format"]["schema"]["$defs"] == schema["$defs"]


def test_effort_stays_beside_the_format(sim: Sim) -> None:
    simulator = sim()
    with Pipeline(base_url=simulator, model="claude-opus-5-5") as line:
        line.send("Hello", output=Leg, output_config={"effort": "low"})
    config = simulator.bodies[0]["output_config"]
    assert config["effort"] == "low"
    assert config["format"]["schema"]["properties"].keys() == {"side", "length"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            "not both",
        ),
        ({"prefill": "Well,"}, "exclude each other"),
    ],
)
def test_two_wishes_that_exclude_each_other(sim: Sim, options: Any, said: str) -> None:
    simulator = sim()
    with (
        Pipeline(base_url=simulator, model=MODEL) as line,
        pytest.raises(InputError, match=said),
    ):
        line.send("Hello", output=Leg, **options)
    assert not simulator.calls


def test_without_the_plugin_the_wish_is_refused() -> None:
    config = {"plugins": {"disable": ["output"]}}
    with (
        Pipeline(base_url="sim:", model=MODEL, config=config) as line,
        pytest.raises(InputError, match="'output'"),
    ):
        line.send("Hello", output=Leg)


def test_without_a_wish_nothing_is_sent(run: Any, sim: Sim) -> None:
    simulator = sim()
    reply = run.send(line={"base_url": simulator})
    assert reply.output is None
    assert "output_config" not in simulator.bodies[0]


def test_tools_run_and_only_the_last_answer_is_read(
    run: Any,
    sim: Sim,
    streamed: bool,
) -> None:
    def look(where: str) -> str:
        return f"ants in {where}"

    simulator = sim(
        Rule(reply="I shall look.", tool_use={"name": "look", "input": {"where": "Oslo"}}, times=1),
        Rule(reply='{"side": "left", "length": 2}'),
    )
    reply = run.outcome(streamed, line={"base_url": simulator}, output=Leg, tools=[look])
    assert reply.output == Leg("left", 2.0)
    formats = [body["output_config"] for body in simulator.bodies]
    assert len(formats) == 2
    assert formats[0] == formats[1]


def test_a_call_of_the_callers_own_tool_has_no_output_yet(sim: Sim) -> None:
    tool = {"name": "look", "input_schema": {"type": "object"}}
    simulator = sim(Rule(tool_use={"name": "look", "input": {}}))
    with Pipeline(base_url=simulator, model=MODEL) as line:
        reply = line.send("Hello", output=Leg, tools=[tool])
    assert reply.output is None
    assert reply.tool_uses


def test_a_conversation_keeps_the_json(run: Any, sim: Sim, streamed: bool) -> None:
    text = '{"side": "left", "length": 2}'
    simulator = sim(Rule(reply=text))

    async def body(line: Any) -> Any:
        chat = line.conversation(output=Leg)
        if streamed:
            async with chat.stream("Hello") as stream:
                await stream.reply
        else:
            await chat.send("Hello")
        return chat.messages

    messages = run(body, base_url=simulator)
    assert [message.text for message in messages] == ["Hello", text]


# Failures -----------------------------------------------------------------------------------------


@frozen
class Positive:
    number: int = field(validator=validators.gt(0))


@pytest.mark.parametrize(
    ("rule", "wanted", "reason", "said"),
    [
        (
            Rule(reply='{"side"', stop_reason="refusal", stop_details={"category": "bio"}),
            Leg,
            "refusal",
            "bio",
        ),
        (Rule(reply='{"side"', stop_reason="max_tokens"), Leg, "truncated", "larger max_tokens"),
        (
            Rule(reply='{"side"', stop_reason="model_context_window_exceeded"),
            Leg,
            "truncated",
            "less",
        ),
        (Rule(reply="Here you are!"), Leg, "not_json", "Here you are!"),
        (Rule(reply="x" * 200), Leg, "not_json", "…"),
        (Rule(reply='{"side": "up", "length": 1}'), Leg, "mismatch", "side"),
        (Rule(reply='{"side": "left"}'), Leg, "mismatch", "length"),
        (Rule(reply='{"side": "left", "length": "1"}'), Leg, "mismatch", "length"),
        (Rule(reply='{"side": "left", "length": 1, "more": 2}'), Leg, "mismatch", "more"),
        (Rule(reply="[]"), Leg, "mismatch", "expected an object"),
        (
            Rule(reply='{"value": [1, "x", 2, true]}'),
            list[int],
            "mismatch",
            r"'x' @ \$\[1\].*\$\[3\]",
        ),
        (Rule(reply='{"value": "abc"}'), list[str], "mismatch", "expected an array"),
        (
            Rule(reply='{"value": [{"key": "a", "value": "x"}]}'),
            dict[str, int],
            "mismatch",
            r"\$\['a'\]",
        ),
        (Rule(reply='{"number": -1}'), Positive, "mismatch", "number"),
        (Rule(reply='{"number": true}'), Positive, "mismatch", "number"),
        (Rule(reply="3"), int, "mismatch", "value"),
        (Rule(reply='{"value": 2.0}'), Literal[2], "mismatch", "2.0"),
        (Rule(reply='{"value": "x"}'), Literal["a", "b"], "mismatch", "found 'x'"),
        (
            Rule(reply='{"a": "x"}'),
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            "mismatch",
            "\\$\\.a",
        ),
    ],
)
def test_failures_are_typed_and_keep_the_text(
    run: Any,
    sim: Sim,
    streamed: bool,
    rule: Rule,
    wanted: Any,
    reason: str,
    said: str,
) -> None:
    with pytest.raises(OutputError, match=said) as caught:
        run.outcome(streamed, line={"base_url": sim(rule)}, output=wanted)
    assert caught.value.reason == reason
    assert caught.value.text == rule.reply == caught.value.reply.text
    assert caught.value.reply.cost is not None
    assert not caught.value.retryable


def test_a_failed_turn_leaves_the_conversation_as_it_was(sim: Sim) -> None:
    with Pipeline(base_url=sim(Rule(reply="no")), model=MODEL) as line:
        chat = line.conversation()
        with pytest.raises(OutputError):
            chat.send("Hello", output=Leg)
        assert chat.messages == ()


def test_a_stream_that_breaks_is_no_failure_of_the_output(run: Any, sim: Sim) -> None:
    simulator = sim(Rule(reply='{"side": "left", "length": 1}', cut_after=4))
    with pytest.raises(StreamInterrupted):
        run.stream(line={"base_url": simulator}, output=Leg)


# Schemas ------------------------------------------------------------------------------------------


@frozen
class Endless:
    more: list["Endless"]


@frozen
class Unreadable:
    what: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 -- that is the point


def wide(count: int, kind: Any, **options: Any) -> Any:
    names = {f"f{index}": field(type=kind, **options) for index in range(count)}
    return make_class("Wide", names)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Endless, "contains itself"),
        (Unreadable, "Unreadable cannot be read"),
        (list, "say what it is"),
        (dict[str, Any], "say what it is"),
        (dict[int, str], "strings as keys"),
        (tuple[int, str], "fixed length"),
        (object, "no JSON schema"),
        (wide(25, int, default=0), "25 properties are optional"),
        (wide(17, int | None), "17 values are unions"),
        ({}, "no JSON schema"),
        ({"hello": 1}, "no JSON schema"),
    ],
)
def test_types_without_a_schema(wanted: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Output.of(wanted)


def of_a(schema: Any) -> Any:
    return {"type": "object", "properties": {"a": schema}}


@pytest.mark.parametrize(
    ("schema", "place", "said"),
    [
        (of_a({"type": "integer", "minimum": 0}), "$.properties.a", "`minimum`"),
        (of_a({"type": "string", "maxLength": 3}), "$.properties.a", "`maxLength`"),
        (of_a({"type": "thing"}), "$.properties.a", "`type`"),
        (of_a({"type": 3}), "$.properties.a", "`type`"),
        (of_a({"type": "array", "items": {"oneOf": []}}), "$.properties.a.items", "`oneOf`"),
        (of_a({"type": "array", "minItems": 2}), "$.properties.a", "`minItems`"),
        (of_a({"type": "object", "additionalProperties": True}), "$.properties.a", "must be false"),
        (of_a({"type": "object", "additionalProperties": {}}), "$.properties.a", "must be false"),
        (of_a({"enum": [[1]]}), "$.properties.a", "`enum`"),
        (of_a({"type": "string", "format": "colour"}), "$.properties.a", "`format`"),
        (of_a({"type": "string", "pattern": r"(?<!a)b"}), "$.properties.a", "`pattern`"),
        (of_a({"type": "string", "pattern": r"\bant"}), "$.properties.a", "`pattern`"),
        (of_a({"type": "string", "pattern": r"(a)\1"}), "$.properties.a", "`pattern`"),
        (of_a({"anyOf": [{"type": "null"}, False]}), "$.properties.a.anyOf[1]", "an object"),
        (of_a({"allOf": [{"$ref": "#"}]}), "$.properties.a", "`allOf`"),
        (of_a({"$ref": "https://example.com/a.json"}), "$.properties.a", "elsewhere"),
        (of_a({"$ref": "#/$defs/b"}), "$.properties.a", "points to nothing"),
        (of_a({"type": "array", "items": {"$ref": "#"}}), "$.properties.a.items", "recursive"),
        ({**of_a({}), "required": ["b"]}, "$", "`required`"),
        ({**of_a({}), "$defs": {"c": {"type": "x"}}}, "$.$defs.c", "`type`"),
    ],
)
def test_a_schema_that_the_api_refuses_is_refused_here(schema: Any, place: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Output.of(schema)
    assert f": {place}: " in str(caught.value)
    assert said in str(caught.value)


def test_two_classes_of_one_name_are_two() -> None:
    first = make_class("Same", {"value": field(type=int)})
    second = make_class("Same", {"value": field(type=str)})
    both = make_class("Both", {"one": field(type=first), "two": field(type=second)})
    output = Output.of(both)
    assert output.read('{"one": {"value": 1}, "two": {"value": "x"}}') == both(
        first(1), second("x")
    )
    kinds = [each["properties"]["value"]["type"] for each in output.schema["$defs"].values()]
    assert kinds == ["integer", "string"]


def test_a_class_with_key_and_value_is_no_table() -> None:
    @frozen
    class Entry:
        key: str
        value: int

    text = '{"value": [{"key": "a", "value": 1}]}'
    assert Output.of(list[Entry]).read(text) == [Entry("a", 1)]


@pytest.mark.parametrize(
    "wanted", [Ant, Leg, list[Leg], dict[str, Ant], int | None, Caste, Leg | Egg]
)
def test_generated_schemas_are_within_the_subset_and_their_instances_fit(wanted: Any) -> None:
    output = Output.of(wanted)
    schema = json.loads(json.dumps(output.schema))
    check_schema(schema, "schema")
    output.read(json.dumps(instance_of(schema)))


TYPES = st.recursive(
    st.sampled_from([str, int, float, bool, Caste, Leg, Literal["a", 1], dt.date]),
    lambda inner: (
        inner.map(lambda kind: list[kind])  # type: ignore[valid-type]  # made at run time
        | inner.map(lambda kind: dict[str, kind])  # type: ignore[valid-type]  # as above
        | inner.map(lambda kind: kind | None)
    ),
    max_leaves=3,
)


@given(TYPES)
def test_any_type_makes_a_schema_that_the_api_compiles(wanted: Any) -> None:
    output = Output.of(wanted)
    schema = json.loads(json.dumps(output.schema))
    check_schema(schema, "schema")
    assert output.read(json.dumps(instance_of(schema))) is not NOTHING


# Growing values -----------------------------------------------------------------------------------


async def growing(stream: Any) -> list[Any]:
    if hasattr(stream, "inner"):  # a blocking stream behind async names
        return list(stream.inner.output)
    return [value async for value in stream.output]


def test_a_stream_shows_the_output_while_it_grows(run: Any, sim: Sim) -> None:
    simulator = sim(Rule(reply=json.dumps(ANT), chunk=1))

    async def body(line: Any) -> Any:
        async with line.stream("Hello", output=Ant) as stream:
            return await growing(stream), (await stream.reply).output

    values, output = run(body, base_url=simulator)
    assert output == ANNA
    assert values[:4] == [{}, {"name": ""}, {"name": "A"}, {"name": "An"}]
    assert values[-1] == {
        **ANT,
        "counts": {"crumbs": 3},
        "by_day": {"monday": [{"side": "right", "length": 2.5}]},
    }
    assert all(before != after for before, after in pairwise(values))


# Servers that take no schema ----------------------------------------------------------------------

INSTRUCTED = {"plugins": {"output": {"mode": "instructed"}, "disable": ["retry"]}}
EGG = '{"kind": "egg", "laid": "2026-11-24"}'


def test_another_model_is_told_in_the_prompt(
    run: Any, loopback: Any, http: Any, sse: Any, sse_head: bytes, deltas: Any, message: Any
) -> None:
    def answer(request: Any) -> Any:
        text = f"Here it is:\n```json\n{EGG}\n```\nIt fits."
        if request.json.get("stream"):
            return (sse_head, sse(*deltas(*text)))
        return http(200, message(text, model="ants-7b"))

    server = loopback(answer)
    line = {**server.line, "model": "ants-7b", "config": INSTRUCTED}
    for streamed in (False, True):
        assert run.outcome(streamed, line=line, output=Egg).output == Egg(
            "egg", dt.date(2026, 11, 24)
        )
    for request in server.requests:
        assert "output_config" not in request.json
        text, instruction = request.json["messages"][-1]["content"]
        assert text["text"] == "Hello"
        schema = json.loads(instruction["text"].partition("schema:\n")[2])
        assert schema["properties"]["laid"]["format"] == "date"


def test_claude_is_sent_the_schema_at_any_address(
    loopback: Any, http: Any, message: Any, blocking: Any
) -> None:
    server = loopback(lambda request: http(200, message(EGG)))
    assert blocking.send(line=server.line, output=Egg).output == Egg("egg", dt.date(2026, 11, 24))
    assert server.requests[0].json["output_config"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    "text",
    [
        EGG,
        f"```\n{EGG}\n```",
        f"<think>An object {{with braces}}, they say.</think>\n\n{EGG}",
        f"{EGG} {{}} and no more",
    ],
)
def test_the_json_is_found_in_what_surrounds_it(text: str, sim: Sim, blocking: Any) -> None:
    line = {"base_url": sim(Rule(reply=text)), "config": INSTRUCTED}
    assert blocking.send(line=line, output=Egg).output == Egg("egg", dt.date(2026, 11, 24))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I had rather not.", "not_json"),
        ('{"kind": "egg", "laid": ', "not_json"),
        ("{" * 3_000, "not_json"),
        ('```json\n{"kind": "hen", "laid": "2026-11-24"}\n```', "mismatch"),
    ],
)
def test_what_does_not_fit_is_told(text: str, reason: str, sim: Sim, blocking: Any) -> None:
    with pytest.raises(OutputError) as caught:
        blocking.send(line={"base_url": sim(Rule(reply=text)), "config": INSTRUCTED}, output=Egg)
    assert caught.value.reason == reason
    assert caught.value.text == text


def test_a_fenced_output_grows_too(run: Any, sim: Sim) -> None:
    simulator = sim(Rule(reply=f"```json\n{EGG}\n```", chunk=3))

    async def body(line: Any) -> Any:
        async with line.stream("Hello", output=Egg) as stream:
            return await growing(stream), (await stream.reply).output

    values, output = run(body, base_url=simulator, config=INSTRUCTED)
    assert values[0] == {}
    assert values[-1] == {"kind": "egg", "laid": "2026-11-24"}
    assert output == Egg("egg", dt.date(2026, 11, 24))


def test_growing_values_are_unwrapped_and_start_over_with_each_step(run: Any, sim: Sim) -> None:
    def look() -> str:
        return "ants"

    simulator = sim(
        Rule(reply="I shall look.", tool_use={"name": "look", "input": {}}, times=1),
        Rule(reply='{"value": ["ab", "c"]}', chunk=3),
    )

    async def body(line: Any) -> Any:
        async with line.stream("Hello", output=list[str], tools=[look]) as stream:
            return await growing(stream)

    values = run(body, base_url=simulator)
    assert values[0] == [""]
    assert values[-1] == ["ab", "c"]


def test_growing_values_need_a_wish(run: Any, sim: Sim) -> None:
    async def body(line: Any) -> Any:
        async with line.stream("Hello") as stream:
            return await growing(stream)

    with pytest.raises(InputError, match="output="):
        run(body, base_url=sim())


def test_a_union_of_objects_and_arrays_grows() -> None:
    output = Output.of(list[dict[str, Leg] | Leg | list[Egg]])
    half = {"value": [[{"key": "a", "value": {"side": "l"}}, {"key": "b"}], {"side": "left"}, []]}
    assert output.plain(half) == [{"a": {"side": "l"}}, {"side": "left"}, {}]
    assert output.plain({}) is NOTHING
    assert output.plain([]) is NOTHING


def test_a_reader_ignores_what_is_no_text() -> None:
    assert not GrowingOutput(Leg).feed(Ping())


def test_a_growing_output_costs_its_length_and_not_its_square(monkeypatch: Any) -> None:
    made: list[int] = []
    plain = Output.plain

    def counted(self: Any, value: Any) -> Any:
        made.append(len(json.dumps(value)))
        return plain(self, value)

    monkeypatch.setattr(Output, "plain", counted)

    def cost(count: int) -> float:
        text = json.dumps({"value": [{"name": f"ant {n}", "legs": 6} for n in range(count)]})
        growing = GrowingOutput(list[dict[str, str | int]])
        made.clear()
        values = []
        for event in (
            ContentBlockStart(0, TextBlock("")),
            *(ContentBlockDelta(0, TextDelta(text[at : at + 4])) for at in range(0, len(text), 4)),
            ContentBlockStop(0),
        ):
            if growing.feed(event):
                values.append(growing.value)
        assert len(values) > 64
        assert values[-1] == growing.value != values[-2]
        return sum(made) / len(text)

    few, many = cost(200), cost(2000)
    assert many < 1.5 * few
    assert many < 80
