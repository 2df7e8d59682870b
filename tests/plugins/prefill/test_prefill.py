"""Prefill: native, instructed, refused; and in ``reply.text`` exactly once, whoever answers."""

from typing import Any

import pytest

from hookline import InputError
from hookline.simulator import Rule

NATIVE, INSTRUCTED = "claude-haiku-4-5", "claude-haiku-5-5"
ANT = "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae"


def ant(sim: Any) -> Any:
    return sim(Rule(when="latin for Ant", reply="C) Formicidae"))


def test_the_answer_is_c(run: Any, sim: Any, streamed: Any) -> None:
    server = ant(sim)
    reply = run.outcome(
        streamed, ANT, line={"base_url": server}, prefill="The answer is (", max_tokens=1
    )
    assert reply.text == "The answer is (C"
    assert reply.completion == "C"
    assert reply.stop_reason == "max_tokens"
    assert reply.prefill_mode == "native"
    assert server.bodies[0]["messages"][-1] == {"role": "assistant", "content": "The answer is ("}


def test_a_model_without_prefill_is_told_to_continue(run: Any, sim: Any, streamed: Any) -> None:
    server = ant(sim)
    line = {"base_url": server, "model": INSTRUCTED}
    reply = run.outcome(streamed, ANT, line=line, prefill="The answer is (", max_tokens=1)
    assert reply.text == "The answer is (C"
    assert reply.prefill_mode == "instructed"
    (message,) = server.bodies[0]["messages"]
    assert message["role"] == "user"
    assert message["content"][0] == {"type": "text", "text": ANT}
    assert "<reply_so_far>The answer is (</reply_so_far>" in message["content"][1]["text"]


def test_native_on_a_model_without_prefill_is_refused_with_the_remedy(run: Any, sim: Any) -> None:
    server = sim()
    with pytest.raises(InputError, match=r'or "instructed"'):
        run.send(
            line={"base_url": server, "model": INSTRUCTED}, prefill="So", prefill_mode="native"
        )
    assert server.calls == []


def test_instructed_may_be_asked_of_any_model(run: Any, sim: Any) -> None:
    server = sim()
    reply = run.send(line={"base_url": server}, prefill="So", prefill_mode="instructed")
    assert reply.prefill_mode == "instructed"
    assert server.bodies[0]["messages"][-1]["role"] == "user"


@pytest.mark.parametrize(
    "options",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
    ],
)
def test_auto_avoids_native_where_the_api_refuses_it(run: Any, options: Any) -> None:
    async def body(line: Any) -> Any:
        return await line.explain("Hello", prefill="So", **options)

    explanation = run(body, config={"plugins": {"disable": ["preflight"]}})
    assert explanation.request.messages[-1].role == "user"


def test_the_mode_for_auto_is_an_option_of_the_plugin(run: Any, sim: Any) -> None:
    server = sim()
    config = {"plugins": {"prefill": {"mode": "instructed"}}}
    reply = run.send(line={"base_url": server, "config": config}, prefill="So")
    assert reply.prefill_mode == "instructed"


def test_without_a_prefill_there_is_no_mode(run: Any, streamed: Any) -> None:
    reply = run.outcome(streamed, line={})
    assert reply.prefill is None
    assert reply.prefill_mode is None
    assert reply.text == reply.completion


@pytest.mark.parametrize("wrong", [5, b"So", ["So"], True])
def test_a_prefill_that_is_no_string_is_refused(run: Any, sim: Any, wrong: Any) -> None:
    server = sim()
    with pytest.raises(InputError, match=r"prefill must be a string, not \w+"):
        run.send(line={"base_url": server}, prefill=wrong)
    assert server.calls == []


@pytest.mark.parametrize("end", [" ", "\n", "\t", " \n ", "\u3000"])
def test_a_prefill_that_ends_in_whitespace_is_refused_with_the_remedy(
    run: Any, sim: Any, end: str
) -> None:
    server = sim()
    with pytest.raises(InputError, match=r"ends in whitespace.*'The answer is:'"):
        run.send(line={"base_url": server}, prefill="The answer is:" + end)
    assert server.calls == []


def test_a_mode_that_there_is_not_is_refused(run: Any) -> None:
    with pytest.raises(
        InputError, match="one of auto, native, instructed, structured, error, not 'natve'"
    ):
        run.send(line={}, prefill="So", prefill_mode="natve")


def test_an_empty_prefill_is_none(run: Any, sim: Any) -> None:
    server = sim()
    assert run.send(line={"base_url": server}, prefill="").prefill is None
    assert len(server.bodies[0]["messages"]) == 1


# Servers that repeat the prefill, as llama.cpp does: the whole text in the answer

PREFILL = "The answer is ("
LOCAL = {"model": "llama-9"}  # a name that no table knows


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("The answer is (C", "The answer is (C"),
        ("C", "The answer is (C"),
        ("The answer is (", "The answer is ("),
        ("The answer is not C", "The answer is (The answer is not C"),
        ("The", "The answer is (The"),
        ("", "The answer is ("),
    ],
)
def test_a_server_that_repeats_the_prefill_is_heard_once(
    run: Any, loopback: Any, http: Any, message: Any, answer: str, text: str
) -> None:
    server = loopback(lambda request: http(200, message(answer)))
    reply = run.send(ANT, line={**server.line, **LOCAL}, prefill=PREFILL)
    assert reply.text == text
    assert reply.message.text == text


def test_it_is_heard_once_in_a_stream_split_anywhere(
    blocking: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    answer = "The answer is (C) Formicidae."
    for cut in range(len(answer) + 1):
        body = sse(*deltas(answer[:cut], answer[cut:]))
        server = loopback(lambda request, body=body: sse_head + body)
        text, reply = blocking.stream(ANT, line={**server.line, **LOCAL}, prefill=PREFILL)
        assert text == reply.text == answer


def test_it_is_heard_once_in_a_stream_of_single_bytes(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    answer = "The answer is (C) Formicidae."
    body = sse(*deltas(*answer))
    server = loopback(lambda request: [sse_head, *(body[i : i + 1] for i in range(len(body)))])
    text, reply = run.stream(ANT, line={**server.line, **LOCAL}, prefill=PREFILL)
    assert text == reply.text == answer
    assert reply.completion == "C) Formicidae."


def test_no_more_than_the_prefill_is_held_back(
    run: Any, loopback: Any, sse: Any, deltas: Any, sse_head: Any
) -> None:
    server = loopback(lambda request: sse_head + sse(*deltas("Tha", "t is", " it")))

    async def body(line: Any) -> list[str]:
        async with line.stream(ANT, prefill=PREFILL) as stream:
            return [piece async for piece in stream.text]

    assert run(body, **{**server.line, **LOCAL}) == [PREFILL, "Tha", "t is", " it"]


@pytest.mark.parametrize("named", [{}, {"request-id": "req_1"}])
def test_a_claude_repeats_nothing_whoever_passes_its_answer_on(
    run: Any,
    loopback: Any,
    http: Any,
    sse: Any,
    message: Any,
    deltas: Any,
    streamed: Any,
    named: Any,
) -> None:
    """LiteLLM drops the request-id of whole answers: '# Ants' with the prefill '#' lost a character."""
    if streamed:
        content = sse(*deltas("# Ants", "!"))
        answer = http(200, content, {**named, "content-type": "text/event-stream"})
    else:
        answer = http(200, message("# Ants!"), named)
    server = loopback(lambda request: answer)
    reply = run.outcome(streamed, "Head", line=server.line, prefill="#")
    assert reply.text == "## Ants!"
    assert len(server.requests) == 1


class Habits:
    """A server that repeats a prefill in whole answers, in streams, in both or in none."""

    def __init__(
        self, http: Any, sse: Any, message: Any, deltas: Any, *, plain: bool, stream: bool
    ) -> None:
        self._http, self._sse, self._message, self._deltas = http, sse, message, deltas
        self._plain, self._stream = plain, stream

    def __call__(self, request: Any) -> Any:
        body = request.json
        streams = body.get("stream", False)
        begun = (
            body["messages"][-1]["content"] if (self._stream if streams else self._plain) else ""
        )
        if streams:
            head = {"content-type": "text/event-stream"}
            return self._http(200, self._sse(*self._deltas(begun, "# Ants")), head)
        return self._http(200, self._message(begun + "# Ants"))


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_the_habit_of_a_server_is_learned_for_each_kind_of_answer(
    run: Any,
    loopback: Any,
    http: Any,
    sse: Any,
    message: Any,
    deltas: Any,
    plain: bool,
    stream: bool,
) -> None:
    server = loopback(Habits(http, sse, message, deltas, plain=plain, stream=stream))

    async def body(line: Any) -> None:
        for _ in range(2):
            assert (await line.send("Head", prefill="#")).text == "## Ants"
            async with line.stream("Head", prefill="#") as opened:
                assert "".join([piece async for piece in opened.text]) == "## Ants"
                reply = await opened.reply
            assert reply.text == "## Ants"

    run(body, **{**server.line, **LOCAL})
    asked = [each.json["max_tokens"] for each in server.requests]
    assert asked == [1, 4096, 1, 4096, 4096, 4096]  # one token a kind, once


def test_what_was_learned_is_in_the_trace(
    blocking: Any, loopback: Any, http: Any, sse: Any, message: Any, deltas: Any
) -> None:
    server = loopback(Habits(http, sse, message, deltas, plain=True, stream=True))
    reply = blocking.send("Head", line={**server.line, **LOCAL}, prefill="#")
    assert [text for plugin, text in reply.trace.notes if plugin in ("echo", "server")] == [
        f"{server.url}, llama-9: repeats a prefill in whole answers (asked for one token)",
        "repeat of the prefill taken out",
    ]


def test_a_short_prefill_is_not_cut_on_a_guess(
    blocking: Any, loopback: Any, http: Any, message: Any
) -> None:
    def answer(request: Any) -> Any:
        return http(500, {}) if request.json["max_tokens"] == 1 else http(200, message("ha ha!"))

    server = loopback(answer)
    reply = blocking.send("Laugh", line={**server.line, **LOCAL}, prefill="ha")
    assert reply.text == "haha ha!"


def test_a_server_that_is_named_may_call_its_models_as_it_likes(
    blocking: Any, loopback: Any, http: Any, sse: Any, message: Any, deltas: Any
) -> None:
    server = loopback(Habits(http, sse, message, deltas, plain=True, stream=True))
    line = {**server.line, "server": "llama.cpp", "model": "claude-haiku-5-5"}
    reply = blocking.send("Head", line=line, prefill="#")
    assert (reply.text, reply.prefill_mode) == ("## Ants", "native")


def test_a_server_may_name_itself(blocking: Any, loopback: Any, http: Any, message: Any) -> None:
    named = {"server": "llama.cpp"}
    server = loopback(lambda request: http(200, message("The answer is (C"), named))
    assert blocking.send(ANT, line=server.line, prefill=PREFILL).text == "The answer is (C"


@pytest.mark.parametrize(
    ("echo", "named", "answer", "text"),
    [("always", {"request-id": "req_1"}, "haha", "haha"), ("never", {}, "ha ha", "haha ha")],
)
def test_the_plugin_echo_can_be_told_what_to_expect(
    run: Any, loopback: Any, http: Any, message: Any, echo: str, named: Any, answer: str, text: str
) -> None:
    server = loopback(lambda request: http(200, message(answer), named))
    config = {"plugins": {"echo": {"remove": echo}}}
    reply = run.send("Laugh", line={**server.line, "config": config}, prefill="ha")
    assert reply.text == text


def test_an_instructed_model_that_repeats_the_words_is_heard_once(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim(Rule(reply="\n\nThe answer is (C)", chunk=3))
    line = {"base_url": server, "model": INSTRUCTED}
    reply = run.outcome(streamed, ANT, line=line, prefill=PREFILL)
    assert reply.text == "The answer is (C)"


def test_a_thinking_block_before_the_text_stays_in_front(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "The answer is (C)"},
    ]
    server = loopback(lambda request: http(200, message("", content=content)))
    reply = run.send(ANT, line={**server.line, **LOCAL}, prefill=PREFILL)
    assert reply.text == "The answer is (C)"
    assert [block.type for block in reply.message.blocks] == ["thinking", "text"]


def test_a_conversation_remembers_the_joined_words(run: Any, sim: Any, streamed: Any) -> None:
    server = ant(sim)

    async def body(line: Any) -> None:
        chat = line.conversation()
        options = {"prefill": PREFILL, "max_tokens": 1}
        if streamed:
            async with chat.stream(ANT, **options) as stream:
                await stream.reply
        else:
            await chat.send(ANT, **options)
        await chat.send("Are you sure?")
        roles = [(each["role"], each["content"]) for each in server.bodies[1]["messages"]]
        assert [role for role, _ in roles] == ["user", "assistant", "user"]
        assert [block["text"] for block in roles[1][1]] == ["The answer is (C"]

    run(body, base_url=server)
