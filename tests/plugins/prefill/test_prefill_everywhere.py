"""Prefill on every model of the table, in every mode, and in histories that end in an assistant's words."""

import json
from typing import Any

import attrs
import pytest

from hookline import APIError, InputError, Pipeline
from hookline.endpoints import BatchItem
from hookline.models import load_models
from hookline.simulator import Rule
from hookline_plugins.resilience.fallback import Fallback
from hookline_plugins.resilience.resume import Resume

NATIVE, INSTRUCTED = "claude-haiku-4-5", "claude-opus-5-5"
MODELS = [facts.id for facts in load_models() if not facts.retired]
ANT = "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae"
PREFILL = "The answer is ("


@attrs.frozen
class Ant:
    """An ant."""

    name: str
    legs: int


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "answer", ["C) Formicidae", "The answer is (C) Formicidae", '"The answer is (C"']
)
def test_multiple_choice_works_on_every_model(
    blocking: Any, sim: Any, streamed: bool, model: str, answer: str
) -> None:
    native = load_models().require(model).prefill
    server = sim(Rule(reply="C) Formicidae" if native else answer, chunk=3))
    line = {"base_url": server, "model": model}
    reply = blocking.outcome(streamed, ANT, line=line, prefill=PREFILL, max_tokens=1)
    assert reply.text == "The answer is (C"
    assert reply.completion == "C"
    assert reply.stop_reason == "max_tokens"
    assert reply.prefill_mode == ("native" if native else "instructed")
    assert reply.messages[-1].text == "The answer is (C"


def test_room_for_the_repeat_is_asked_for_and_paid_for(run: Any, sim: Any, streamed: bool) -> None:
    server = sim(Rule(reply="The answer is (C) Formicidae", chunk=3))
    line = {"base_url": server, "model": INSTRUCTED}
    reply = run.outcome(streamed, ANT, line=line, prefill=PREFILL, max_tokens=1)
    assert server.bodies[0]["max_tokens"] > 1
    assert reply.usage.output_tokens > 1  # what was billed
    assert ("echo", "repeat of the prefill taken out") in reply.trace.notes


def test_many_tokens_are_asked_for_as_they_are(run: Any, sim: Any) -> None:
    server = sim()
    run.send(ANT, line={"base_url": server, "model": INSTRUCTED}, prefill=PREFILL, max_tokens=200)
    assert server.bodies[0]["max_tokens"] == 200


def test_a_conversation_remembers_the_words_and_never_the_instruction(
    run: Any, sim: Any, streamed: bool
) -> None:
    server = sim(Rule(call=1, reply="The answer is (C)"), Rule(reply="Yes."))

    async def body(line: Any) -> None:
        chat = line.conversation()
        if streamed:
            async with chat.stream(ANT, prefill=PREFILL) as stream:
                await stream.reply
        else:
            await chat.send(ANT, prefill=PREFILL)
        await chat.send("Are you sure?")
        assert [(each.role, each.text) for each in chat.messages] == [
            ("user", ANT),
            ("assistant", "The answer is (C)"),
            ("user", "Are you sure?"),
            ("assistant", "Yes."),
        ]

    run(body, base_url=server, model=INSTRUCTED)
    assert "reply_so_far" not in json.dumps(server.bodies[1])


@pytest.mark.parametrize("model", [NATIVE, INSTRUCTED])
@pytest.mark.parametrize("content", [PREFILL, [{"type": "text", "text": PREFILL}]])
def test_messages_that_end_in_an_assistants_words_are_a_prefill(
    run: Any, sim: Any, streamed: bool, model: str, content: Any
) -> None:
    server = sim(Rule(reply="C)"))
    history = [{"role": "user", "content": ANT}, {"role": "assistant", "content": content}]
    line = {"base_url": server, "model": model}
    reply = run.outcome(streamed, None, line=line, messages=history)
    assert (reply.text, reply.completion) == ("The answer is (C)", "C)")
    assert [each.role for each in reply.messages] == ["user", "assistant"]
    assert reply.messages[-1].text == "The answer is (C)"


def test_white_space_after_words_that_were_said_is_kept_from_models_that_refuse_it(
    run: Any, sim: Any
) -> None:
    server = sim(Rule(reply="there"))
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello "}]
    reply = run.send(None, line={"base_url": server}, messages=history)
    assert reply.text == "Hello there"
    assert server.bodies[0]["messages"][-1]["content"] == "Hello"


def test_a_prefill_may_end_in_white_space_where_the_model_is_told(run: Any, sim: Any) -> None:
    server = sim(Rule(reply="C"))
    reply = run.send(ANT, line={"base_url": server, "model": INSTRUCTED}, prefill="The answer is ")
    assert reply.text == "The answer is C"


def test_error_refuses_what_cannot_be_native(run: Any, sim: Any) -> None:
    server = sim()
    with pytest.raises(InputError, match="does not continue an assistant message"):
        run.send(line={"base_url": server, "model": INSTRUCTED}, prefill="So", prefill_mode="error")
    assert server.calls == []
    assert (
        run.send(line={"base_url": server}, prefill="So", prefill_mode="error").prefill_mode
        == "native"
    )


@pytest.mark.parametrize("model", [NATIVE, INSTRUCTED])
@pytest.mark.parametrize("opening", ["{", '{"name":', '{ "na'])
def test_a_prefill_that_opens_the_output_needs_no_words(
    run: Any, sim: Any, streamed: bool, model: str, opening: str
) -> None:
    server = sim(Rule(reply='{"name": "Formica", "legs": 6}', chunk=4))
    line = {"base_url": server, "model": model}
    reply = run.outcome(streamed, "An ant", line=line, output=Ant, prefill=opening)
    assert reply.output == Ant(name="Formica", legs=6)
    assert reply.prefill_mode == "structured"
    assert reply.text.startswith(opening)
    assert len(server.bodies[0]["messages"]) == 1


def test_a_growing_output_begins_with_its_prefill(blocking: Any, sim: Any) -> None:
    server = sim(Rule(reply='{"name": "Formica", "legs": 6}', chunk=4))
    with (
        Pipeline(base_url=server, model=INSTRUCTED) as line,
        line.stream("An ant", output=Ant, prefill="{") as stream,
    ):
        assert list(stream.output)[-1] == {"name": "Formica", "legs": 6}


@pytest.mark.parametrize("words", ["Well,", '{"legs":', "["])
def test_a_prefill_that_no_such_output_begins_with_is_refused(
    run: Any, sim: Any, words: str
) -> None:
    server = sim()
    with pytest.raises(InputError, match="exclude each other"):
        run.send(line={"base_url": server}, output=Ant, prefill=words)
    assert server.calls == []


def test_structured_needs_an_output(run: Any, sim: Any) -> None:
    with pytest.raises(InputError, match="needs output="):
        run.send(line={"base_url": sim()}, prefill="{", prefill_mode="structured")


@pytest.mark.parametrize("model", [NATIVE, INSTRUCTED])
def test_a_result_of_a_batch_begins_with_the_prefill_once(sim: Any, model: str) -> None:
    native = model == NATIVE
    server = sim(Rule(reply="C) Formicidae" if native else "The answer is (C) Formicidae"))
    with Pipeline(base_url=server, model=model) as line:
        item = BatchItem("ant", ANT, prefill=PREFILL, max_tokens=1)
        batch = line.batches.create([item])
        batch = line.batches.wait(batch)
        (result,) = line.batches.results(batch)
    assert result.reply is not None
    assert result.reply.text == "The answer is (C"


def test_a_broken_stream_of_a_server_that_repeats_is_resumed_without_doubles(
    run: Any, loopback: Any, http: Any, sse: Any, message: Any, deltas: Any
) -> None:
    said = "The answer is (C) Formicidae, since it is."

    def answer(request: Any) -> Any:
        begun = request.json["messages"][-1]["content"]
        body = sse(*deltas(begun, said[len(begun) : len(begun) + 12], end=len(begun) > 20))
        return http(200, body, {"content-type": "text/event-stream"})

    server = loopback(answer)
    line = {**server.line, "model": "llama-9", "plugins": [Resume()]}
    text, reply = run.stream(ANT, line=line, prefill=PREFILL)
    assert text == reply.text == said[: len(text)]
    assert len(text) > len(PREFILL) + 12


NO_PREFILL = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "This model does not support assistant message prefill. The conversation must "
        "end with a user message.",
    },
}


def test_a_refusal_is_learned_and_the_model_told_instead(
    run: Any, loopback: Any, http: Any, sse: Any, message: Any, deltas: Any, streamed: bool
) -> None:
    def answer(request: Any) -> Any:
        if request.json["messages"][-1]["role"] == "assistant":
            return http(400, NO_PREFILL)
        if request.json.get("stream"):
            return http(200, sse(*deltas(PREFILL, "C)")), {"content-type": "text/event-stream"})
        return http(200, message(PREFILL + "C)"))

    server = loopback(answer)

    async def body(line: Any) -> None:
        for number in range(2):
            if streamed:
                async with line.stream(ANT, prefill=PREFILL) as stream:
                    seen = "".join([piece async for piece in stream.text])
                    reply = await stream.reply
            else:
                reply = await line.send(ANT, prefill=PREFILL)
                seen = reply.text
            assert seen == reply.text == "The answer is (C)"
            assert reply.prefill_mode == "instructed"
            learned = f"{server.url}, ants-7b: does not take a prefill (it refused one)"
            assert (("server", learned) in reply.trace.notes) == (number == 0)
        with pytest.raises(InputError, match="does not continue"):
            await line.send(ANT, prefill=PREFILL, prefill_mode="error")

    run(body, **{**server.line, "model": "ants-7b"})
    roles = [each.json["messages"][-1]["role"] for each in server.requests]
    assert roles == ["assistant", "user", "user"]


def test_a_refusal_is_final_where_native_was_asked_for(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda request: http(400, NO_PREFILL))
    line = {**server.line, "model": "ants-7b"}
    with pytest.raises(APIError, match="does not support assistant message prefill"):
        run.send(ANT, line=line, prefill=PREFILL, prefill_mode="native")
    assert len(server.requests) == 1


def test_a_claude_that_nobody_knows_is_told(
    run: Any, sim: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message(PREFILL + "C)")))
    for model in ("anthropic.claude-opus-7-v1:0", "anthropic/claude-opus-7"):
        reply = run.send(ANT, line={**server.line, "model": model}, prefill=PREFILL)
        assert (reply.prefill_mode, reply.text) == ("instructed", "The answer is (C)")
    with pytest.raises(InputError, match="is unknown here; it may not continue"):
        run.send(ANT, line={**server.line, "model": model}, prefill=PREFILL, prefill_mode="error")
    reply = run.send(
        ANT, line={**server.line, "model": model}, prefill=PREFILL, prefill_mode="native"
    )
    assert reply.prefill_mode == "native"


def test_white_space_is_refused_only_where_the_server_would(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("C")))
    line = {**server.line, "model": "ants-7b"}
    assert run.send(ANT, line=line, prefill="The answer is ").text == "The answer is C"
    assert server.requests[-1].json["messages"][-1]["content"] == "The answer is "
    with pytest.raises(InputError, match="ends in whitespace"):
        run.send(ANT, line={**line, "model": NATIVE}, prefill="The answer is ")


def test_a_model_that_begins_anew_is_told_in_the_trace(run: Any, sim: Any, streamed: bool) -> None:
    server = sim(Rule(reply="Formicidae is latin for ants."))
    line = {"base_url": server, "model": INSTRUCTED}
    reply = run.outcome(streamed, ANT, line=line, prefill=PREFILL)
    assert reply.text == PREFILL + "Formicidae is latin for ants."
    assert ("echo", "the model began anew: it did not repeat the prefill") in reply.trace.notes


def test_a_fallback_takes_the_decision_anew(run: Any, sim: Any, streamed: bool) -> None:
    server = sim(Rule(status=529, model=INSTRUCTED), Rule(reply="C)", model=NATIVE))
    line = {
        "base_url": server,
        "model": INSTRUCTED,
        "plugins": [Fallback(models=(NATIVE,))],
        "config": {"plugins": {"retry": {"attempts": 1}}},
    }
    reply = run.outcome(streamed, ANT, line=line, prefill=PREFILL)
    assert (reply.text, reply.prefill_mode) == ("The answer is (C)", "native")
    assert [body["messages"][-1]["role"] for body in server.bodies] == ["user", "assistant"]


def test_a_plain_call_that_is_a_stream_on_the_wire_has_the_habit_of_streams(
    blocking: Any, loopback: Any, http: Any, sse: Any, message: Any, deltas: Any
) -> None:
    """A newer llama.cpp repeats the prefill in whole answers only; `always_stream` makes none of them."""

    def answer(request: Any) -> Any:
        begun = request.json["messages"][-1]["content"]
        if request.json.get("stream"):
            return http(200, sse(*deltas("ha", " ha!")), {"content-type": "text/event-stream"})
        return http(200, message(begun + " ha!"))

    server = loopback(answer)
    line = {**server.line, "model": "ants-7b"}
    with Pipeline(**line) as here:
        assert here.send("Laugh", prefill="ha").text == "ha ha!"
        assert here.send("Laugh", prefill="ha", max_tokens=100_000).text == "haha ha!"
        assert [lesson.name for lesson in here.servers.lessons] == [
            "repeats_whole",
            "repeats_streams",
        ]


@pytest.mark.parametrize(
    ("said", "tokens", "text"), [("C) Formicidae is it.", 16, "C"), ("C", 1, "C"), ("C)", 1, "C)")]
)
def test_a_router_that_asks_for_more_tokens_is_held_to_those_that_were_asked_for(
    run: Any, loopback: Any, http: Any, sse: Any, message: Any, deltas: Any, streamed: bool,
    said: str, tokens: int, text: str,
) -> None:  # fmt: skip
    """LiteLLM before OpenAI's responses asks for sixteen tokens at least."""

    def answer(request: Any) -> Any:
        if request.json.get("stream"):
            events = deltas(*said)
            for event in events:
                if event["type"] == "message_delta":
                    event["usage"] = {"output_tokens": tokens}
            return http(200, sse(*events), {"content-type": "text/event-stream"})
        return http(200, message(said, usage={"input_tokens": 3, "output_tokens": tokens}))

    server = loopback(answer)
    line = {**server.line, "model": "ants-7b"}
    reply = run.outcome(streamed, ANT, line=line, prefill=PREFILL, max_tokens=1)
    assert reply.text == PREFILL + text
    assert reply.usage.output_tokens == tokens  # what was billed
    if tokens > 1:
        assert reply.stop_reason == "max_tokens"


def test_a_server_that_never_ends_is_cut_in_time(
    blocking: Any, loopback: Any, http: Any, sse: Any, deltas: Any
) -> None:
    said = ["word "] * 3000
    head = {"content-type": "text/event-stream"}
    server = loopback(lambda request: http(200, sse(*deltas(*said)), head))
    line = {**server.line, "model": "ants-7b"}
    text, reply = blocking.stream(ANT, line=line, prefill=PREFILL, max_tokens=2)
    assert text == reply.text == PREFILL + "word word"


def test_a_server_that_continues_without_the_start_of_a_block_is_read(
    run: Any, loopback: Any, http: Any, sse: Any, deltas: Any
) -> None:
    """A llama.cpp of summer 2026, where the last message is the assistant's."""
    events = [each for each in deltas("C", ")") if each["type"] != "content_block_start"]
    head = {"content-type": "text/event-stream"}
    server = loopback(lambda request: http(200, sse(*events), head))
    text, reply = run.stream(ANT, line={**server.line, "model": "ants-7b"}, prefill=PREFILL)
    assert text == reply.text == "The answer is (C)"
    assert ("stream", "a text of the stream had no start") in reply.trace.notes


@pytest.mark.parametrize("mode", ["auto", "instructed"])
@pytest.mark.parametrize("model", [NATIVE, INSTRUCTED])
def test_a_stop_sequence_within_the_prefill_ends_what_follows_it(
    run: Any, sim: Any, streamed: bool, model: str, mode: Any
) -> None:
    native = model == NATIVE and mode == "auto"
    said = 'Lasius", "legs": 6}'
    server = sim(Rule(reply=said if native else '{"name": "' + said, chunk=1))
    line = {"base_url": server, "model": model}
    stops = ['"', "never"]
    options = {"prefill": '{"name": "', "prefill_mode": mode, "stop_sequences": stops}
    reply = run.outcome(streamed, "An ant", line=line, **options)
    assert reply.text == '{"name": "Lasius'
    assert (reply.stop_reason, reply.response.stop_sequence) == ("stop_sequence", '"')
    # A model that writes the words itself would be stopped by them.
    assert server.bodies[0]["stop_sequences"] == (stops if native else ["never"])


def test_what_comes_behind_the_stop_sequence_is_not_part_of_the_reply(
    run: Any, loopback: Any, http: Any, message: Any, sse: Any, deltas: Any, streamed: bool
) -> None:
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    text = "The answer is (C) or (D"

    def answer(request: Any) -> Any:
        if not request.json.get("stream"):
            content = [{"type": "text", "text": text}, call]
            return http(200, message("", content=content, stop_reason="tool_use"))
        begin, *events, stop, ending, end = deltas(*text)
        called = [
            {"type": "content_block_start", "index": 1, "content_block": call},
            {"type": "content_block_stop", "index": 1},
        ]
        ending["delta"]["stop_reason"] = "tool_use"
        body = sse(begin, *events, stop, *called, ending, end)
        return http(200, body, {"content-type": "text/event-stream"})

    server = loopback(answer)
    line = {**server.line, "model": INSTRUCTED}
    reply = run.outcome(streamed, ANT, line=line, prefill=PREFILL, stop_sequences=["("])
    assert reply.text == "The answer is (C) or "
    assert reply.stop_reason == "stop_sequence"
    assert reply.tool_uses == ()
    assert "stop_sequences" not in server.requests[0].json


def test_a_stop_sequence_holds_in_a_batch(sim: Any) -> None:
    server = sim(Rule(reply="The answer is (C) or (D)"))
    with Pipeline(base_url=server, model=INSTRUCTED) as line:
        item = BatchItem("a", ANT, prefill=PREFILL, stop_sequences=["("])
        (result,) = line.batches.results(line.batches.create([item]))
    assert result.reply is not None
    assert result.reply.text == "The answer is (C) or "
    assert result.reply.stop_reason == "stop_sequence"
