"""Each stop reason leads somewhere: refusals, truncation, unknown ones; long calls are streamed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hookline import APIError, Message, Pipeline, Reply, Request, Response, TransportError
from hookline.simulator import Call, Rule
from hookline.values.blocks import TextBlock, ToolResultBlock, ToolUseBlock
from hookline.values.usage import StopDetails
from hookline.wire.codec import structure_response

MODEL = "claude-haiku-4-5"
Sim = Callable[..., Any]
REFUSED = Rule(
    reply="How to make",
    stop_reason="refusal",
    stop_details={"category": "bio", "explanation": "This <b>cannot</b> be answered."},
)
LONG = 30_000  # tokens that a plain call may ask for, but had better not wait for


def reply_of(*messages: Message, **fields: Any) -> Reply:
    return Reply(
        response=Response(model=MODEL, **fields), request=Request(MODEL, 100, tuple(messages))
    )


def test_a_refusal_is_an_outcome_with_its_category(run: Any, sim: Sim, streamed: bool) -> None:
    reply = run.outcome(streamed, line={"base_url": sim(REFUSED)})
    assert reply.refusal == StopDetails(
        type="refusal", category="bio", explanation="This <b>cannot</b> be answered."
    )
    assert not reply.truncated


def test_a_refusal_without_details_is_one_all_the_same() -> None:
    assert reply_of(stop_reason="refusal").refusal == StopDetails()
    assert reply_of(stop_reason="end_turn").refusal is None


def test_a_refused_reply_does_not_look_like_text() -> None:
    reply = reply_of(
        stop_reason="refusal",
        content=(TextBlock("How to make"),),
        stop_details=StopDetails(type="refusal", category="bio", explanation="No <b>way</b>."),
    )
    assert repr(reply) == (
        f"<Reply refused, category='bio', stop_reason='refusal', model={MODEL!r}>"
    )
    shown = reply._repr_html_()
    assert "How to make" not in shown
    assert "Refused: bio" in shown
    assert "No &lt;b&gt;way&lt;/b&gt;." in shown


def test_a_refused_turn_is_not_fed_back(run: Any, sim: Sim, streamed: bool) -> None:
    simulator = sim(Rule(when="germs", reply="…", stop_reason="refusal"))

    async def body(line: Any) -> Any:
        chat = line.conversation()
        await chat.send("Hello")
        before = chat.messages
        if streamed:
            async with chat.stream("Now make germs") as stream:
                reply = await stream.reply
        else:
            reply = await chat.send("Now make germs")
        assert reply.refusal is not None
        assert reply.request.messages[-1].text == "Now make germs"
        assert chat.messages == before
        await chat.send("Something else")

    run(body, base_url=simulator)
    assert "germs" not in json.dumps(simulator.bodies[-1])
    assert len(simulator.bodies[-1]["messages"]) == 3


def test_a_refusal_after_tool_calls_takes_the_whole_turn_back() -> None:
    before = (Message("user", "Hello"), Message("assistant", "Hello!"))
    turn = (
        Message("user", "Look it up"),
        Message("assistant", [ToolUseBlock("toolu_1", "look", {})]),
        Message("user", [ToolResultBlock("toolu_1", "found")]),
    )
    assert reply_of(*before, *turn, stop_reason="refusal").messages == before
    assert reply_of(*turn, stop_reason="refusal").messages == ()
    assert reply_of(*turn[1:], stop_reason="refusal").messages == ()  # never a person's


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_truncation_is_marked(reason: str) -> None:
    assert reply_of(stop_reason=reason).truncated


def test_unknown_stop_reasons_are_kept(run: Any, sim: Sim, streamed: bool) -> None:
    simulator = sim(Rule(reply="So far", stop_reason="tea_break"))
    reply = run.outcome(streamed, line={"base_url": simulator})
    assert reply.stop_reason == "tea_break"
    assert reply.text == "So far"
    assert reply.refusal is None
    assert not reply.truncated
    assert reply.messages[-1] == Message("assistant", [TextBlock("So far")])


# Long calls ----------------------------------------------------------------------------------------

ANSWERS = [
    Rule(),
    Rule(reply="Hello", thinking="First, a thought."),
    Rule(reply=[{"type": "text", "text": "One. "}, {"type": "text", "text": "Two."}]),
    Rule(tool_use={"name": "look", "input": {"where": "at the anthill", "deep": [1, {"a": None}]}}),
    Rule(reply="First ", stop_reason="refusal", stop_details={"category": "cyber"}),
    Rule(reply="x", unknown_event={"more": 1}, usage={"new_count": 3}),
]


def plainly(simulator: Any, sent: Call) -> Response:
    """Ask a simulator again, without streaming, what was asked of another."""
    body = {key: value for key, value in json.loads(sent.body).items() if key != "stream"}
    answer = simulator.handle(Call(sent.method, sent.path, sent.headers, json.dumps(body).encode()))
    return structure_response(
        json.loads(b"".join(part for part in answer.body if isinstance(part, bytes)))
    )


@pytest.mark.parametrize("rule", ANSWERS)
def test_a_long_plain_call_is_streamed_and_nobody_sees(run: Any, sim: Sim, rule: Rule) -> None:
    simulator = sim(rule)
    tool = {"name": "look", "input_schema": {"type": "object"}}
    reply = run.send(line={"base_url": simulator}, max_tokens=LONG, tools=[tool])
    assert simulator.bodies[0]["stream"] is True
    assert reply.response == plainly(sim(rule), simulator.calls[0])
    assert reply.request.stream is None
    assert reply.response.events is None
    assert (reply.response.status, reply.request_id[:4]) == (200, "req_")


@pytest.mark.parametrize(("tokens", "streams"), [(21_333, None), (21_334, True)])
def test_only_long_calls_are_streamed(sim: Sim, tokens: int, streams: bool | None) -> None:
    simulator = sim()
    with Pipeline(base_url=simulator, model=MODEL) as line:
        line.send("Hello", max_tokens=tokens)
    assert simulator.bodies[0].get("stream") is streams


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Rule(cut_after=4), TransportError),
        (Rule(error_event={}, error_after=4), APIError),
        (Rule(error_event={}, error_after=0), APIError),
        (Rule(status=529), APIError),
    ],
)
def test_a_long_call_that_breaks_is_an_ordinary_failure(
    run: Any, sim: Sim, fault: Rule, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        run.send(line={"base_url": sim(fault)}, max_tokens=LONG)
    assert type(caught.value) is error
    assert caught.value.retryable  # type: ignore[attr-defined]  # both have it


def test_a_long_call_may_end_too_early(
    run: Any, loopback: Any, sse: Any, sse_head: bytes, deltas: Any
) -> None:
    server = loopback(lambda request: sse_head + sse(*deltas("Hel", "lo", end=False)))
    with pytest.raises(TransportError, match="before its last event"):
        run.send(line=server.line, max_tokens=LONG)


def test_a_server_that_does_not_stream_may_answer_a_long_call_plainly(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("Hello")))
    assert run.send(line=server.line, max_tokens=LONG).text == "Hello"
    assert server.requests[0].json["stream"] is True
