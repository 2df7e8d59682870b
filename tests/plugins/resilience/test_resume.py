"""The plugin `resume`: streams that break are continued; no text is lost, none doubled."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline import (
    AsyncPipeline,
    ConfigError,
    Pipeline,
    StreamFilter,
    StreamInterrupted,
    StreamTruncated,
    TextBlock,
    Usage,
    hookimpl,
)
from hookline.simulator import Rule
from hookline.testing import (
    Close,
    FaultServer,
    Reset,
    Send,
    stream_events,
    stream_head,
    stream_parts,
)
from hookline.values.blocks import ToolUseBlock
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    InputJSONDelta,
    MessageChange,
    MessageDelta,
    MessageStart,
    MessageStop,
    TextDelta,
)
from hookline.values.messages import Response
from hookline.wire.assembler import Assembler
from hookline_plugins.resilience.resume import Resume
from hookline_plugins.resilience.stream_splice import Join, Splice

OLD = "claude-haiku-4-5"  # takes a prefill
NEW = "claude-haiku-5-5"  # does not
TEXT = "The quick brown fox jumps over the lazy dog."
HEAD = 3  # events before the first text: message_start, ping, content_block_start


def line_of(server: Any, model: str = OLD, **options: Any) -> dict[str, Any]:
    return {"base_url": server, "plugins": [Resume(**options)], "model": model}


def broken(pieces: int, text: str = TEXT, **fault: Any) -> Rule:
    """A stream that breaks after so many pieces of four characters."""
    fault = fault or {"cut_after": HEAD + pieces}
    return Rule(call=1, reply=text, chunk=4, **fault)


FAULTS = [
    {"cut_after": HEAD + 4},
    {"error_event": {"type": "overloaded_error"}, "error_after": HEAD + 4},
    {"error_event": {"type": "api_error"}, "error_after": HEAD + 4},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_native_continuation(run: Any, sim: Any, fault: Any) -> None:
    server = sim(broken(4, **fault), Rule(reply=TEXT[16:]))
    text, reply = run.stream(line=line_of(server))
    assert text == reply.text == TEXT
    assert [block.text for block in reply.response.content] == [TEXT]
    assert (reply.stop_reason, reply.interrupted) == ("end_turn", False)
    assert server.bodies[1]["messages"][-1] == {"role": "assistant", "content": TEXT[:16].rstrip()}
    assert any("16 characters" in note for who, note in reply.trace.notes if who == "resume")


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("repeated", ["", "brown ", "The quick brown "])
def test_an_instructed_continuation(run: Any, sim: Any, fault: Any, repeated: str) -> None:
    server = sim(broken(4, **fault), Rule(reply=repeated + TEXT[16:]))
    text, reply = run.stream(line=line_of(server, NEW))
    if repeated == "brown ":
        assert text == "The quick brown brown fox jumps over the lazy dog."  # may well be meant
    else:
        assert text == TEXT
    assert reply.text == text
    last = server.bodies[1]["messages"][-1]
    assert last["role"] == "user"
    assert "<reply_so_far>The quick brown </reply_so_far>" in last["content"][-1]["text"]


def test_at_every_event(sim: Any) -> None:
    """However far it came, the text is whole."""
    events = HEAD + len(TEXT) // 4 + 3
    for cut in range(1, events + 1):
        for model in (OLD, NEW):
            delivered = TEXT[: 4 * max(0, cut - HEAD)]
            server = sim(
                Rule(call=1, reply=TEXT, chunk=4, cut_after=cut),
                Rule(reply=TEXT[len(delivered) :] or "!"),
            )
            with Pipeline(**line_of(server, model)) as line, line.stream("Hello") as stream:
                text = "".join(stream.text)
                reply = stream.reply
            whole = TEXT if len(delivered) < len(TEXT) else TEXT + "!"
            if len(server.calls) == 1:  # everything had come
                whole = TEXT
            assert text == whole == reply.text, (cut, model)


def test_every_break_of_several_is_mended(run: Any, sim: Any) -> None:
    server = sim(
        broken(4),
        Rule(call=2, reply=TEXT[16:], chunk=4, cut_after=HEAD + 3),
        Rule(reply=TEXT[28:]),
    )
    text, _ = run.stream(line=line_of(server))
    assert text == TEXT
    assert server.bodies[2]["messages"][-1]["content"] == TEXT[:28].rstrip()


def test_it_gives_up_after_so_many_breaks(run: Any, sim: Any) -> None:
    server = sim(Rule(reply=TEXT, chunk=4, cut_after=HEAD + 1))
    with pytest.raises(StreamInterrupted) as caught:
        run.stream(line=line_of(server, attempts=2))
    assert len(server.calls) == 3
    assert caught.value.partial is not None
    assert caught.value.partial.text == "The The The "


def test_what_no_repetition_would_mend_stays_broken(run: Any, sim: Any) -> None:
    server = sim(broken(4, error_event={"type": "invalid_request_error"}, error_after=HEAD + 4))
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server))
    assert len(server.calls) == 1


def test_a_continuation_that_fails_leaves_the_break_as_it_was(run: Any, sim: Any) -> None:
    server = sim(broken(4), Rule(status=400, message="no more"))
    with pytest.raises(StreamInterrupted, match="broke off") as caught:
        run.stream(line=line_of(server))
    assert "cut the connection" in str(caught.value)


def test_a_stream_that_ends_too_early_is_continued(
    loopback: Any, sse: Any, sse_head: Any, deltas: Any, run: Any
) -> None:
    pieces = iter([("Hel", False), ("lo", True)])

    def answer(request: Any) -> Any:
        text, end = next(pieces)
        return [sse_head, sse(*deltas(text, end=end))]

    server = loopback(answer)
    text, reply = run.stream(line={**server.line, "plugins": [Resume()]})
    assert text == reply.text == "Hello"
    assert reply.usage.input_tokens == 6  # both requests were paid for


def test_without_a_continuation_it_is_truncated_as_ever(
    loopback: Any, sse: Any, sse_head: Any, deltas: Any, run: Any
) -> None:
    server = loopback(lambda request: [sse_head, sse(*deltas("Hel", end=False))])
    with pytest.raises(StreamTruncated):
        run.stream(line={**server.line, "plugins": [Resume(attempts=1)]})


def test_a_reset_connection_too(
    loopback: Any, sse: Any, sse_head: Any, deltas: Any, reset: Any, run: Any
) -> None:
    answers = iter(
        [[sse_head, sse(*deltas("Hel", end=False)), reset], [sse_head, sse(*deltas("lo"))]]
    )
    server = loopback(lambda request: next(answers))
    assert run.stream(line={**server.line, "plugins": [Resume()]})[0] == "Hello"


@pytest.mark.parametrize("cut", range(5, 12))
def test_within_a_tool_call_nothing_is_continued(run: Any, sim: Any, cut: int) -> None:
    call = {"name": "f", "input": {"city": "Oslo", "unit": "a rather long value of an input"}}
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    server = sim(Rule(reply="Look: ", chunk=100, tool_use=call, cut_after=cut))
    with suppress(StreamInterrupted):
        run.stream(line=line_of(server), tools=tools)
    resumed = len(server.calls) > 1
    assert resumed is (cut == 5)  # in the text; after it the call has begun


def test_within_a_thought_nothing_is_continued(run: Any, sim: Any) -> None:
    for cut in (4, 5, 6):
        server = sim(Rule(thinking="hm hm hm hm hm hm hm", reply=TEXT, chunk=4, cut_after=cut))
        with pytest.raises(StreamInterrupted):
            run.stream(
                line=line_of(server, NEW), thinking={"type": "adaptive", "display": "summarized"}
            )
        assert len(server.calls) == 1


def test_thoughts_of_the_continuation_do_not_follow_the_text(run: Any, sim: Any) -> None:
    thinking = {"type": "adaptive", "display": "summarized"}
    first = Rule(call=1, thinking="hm", reply=TEXT, chunk=4, cut_after=2 + 4 + 1 + 4)
    server = sim(first, Rule(thinking="hm", reply=TEXT[16:]))
    text, reply = run.stream(line=line_of(server, NEW), thinking=thinking)
    assert text == TEXT
    assert [block.type for block in reply.response.content] == ["thinking", "text"]


def test_a_given_format_is_not_continued(run: Any, sim: Any) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    config = {"format": {"type": "json_schema", "schema": schema}}
    server = sim(Rule(reply='{"a": 1234567890}', chunk=4, cut_after=HEAD + 1))
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server), output_config=config)
    assert len(server.calls) == 1


@pytest.mark.parametrize("model", [OLD, NEW])
def test_a_prefill_stands_once(run: Any, sim: Any, model: str) -> None:
    server = sim(broken(4), Rule(reply=TEXT[16:]))
    text, reply = run.stream(line=line_of(server, model), prefill="Well: ".strip())
    assert text == reply.text == f"Well:{TEXT}"
    last = server.bodies[1]["messages"]
    assert str(last).count("Well:The quick brown") == 1
    assert str(last).count("Well:") == 1


@pytest.mark.parametrize("model", ["llama-9", NEW])
def test_a_prefill_that_the_server_repeats_is_not_taken_for_the_models_words(
    run: Any, model: str
) -> None:
    """What repeats is taken out further in; the continuation is asked for without it."""
    events = stream_events("The quick", " brown ")[:-3]
    head = stream_head({"request-id": "local"})
    rest = stream_events("The quick brown fox.")
    with FaultServer(
        (Send(head + b"".join(stream_parts(events))), Reset()),
        (Send(head + b"".join(stream_parts(rest))), Close()),
    ) as server:
        config = {"plugins": {"echo": {"remove": "always"}, "disable": ["retry"]}}
        line = {**line_of(server.url, model), "api_key": "k", "config": config}
        text, reply = run.stream(line=line, prefill="The")
        assert text == reply.text == "The quick brown fox."
        last = server.requests[1].json["messages"][-1]
    told = last["content"] if model != NEW else last["content"][-1]["text"]
    assert "The quick brown" in told
    assert "TheThe" not in told


def test_filters_see_one_stream(run: Any, sim: Any) -> None:
    class Shout:
        name = "shout"

        @hookimpl
        def filter_stream(self) -> StreamFilter:
            return StreamFilter.deltas(
                lambda text: text.replace("brown fox", "BROWN FOX"), look_behind=9
            )

    server = sim(broken(3), Rule(reply=TEXT[12:]))
    line = line_of(server)
    line["plugins"].append(Shout())
    assert run.stream(line=line)[0] == TEXT.replace("brown fox", "BROWN FOX")


def test_the_budget_of_tokens_shrinks(run: Any, sim: Any) -> None:
    server = sim(broken(4), Rule(reply=TEXT[16:]))
    run.stream(line=line_of(server), max_tokens=100)
    assert server.bodies[1]["max_tokens"] == 96


def test_leaving_early_closes_what_is_open(run: Any, sim: Any) -> None:
    server = sim(broken(4), Rule(reply=TEXT[16:], chunk=4))

    async def body(line: Any) -> str:
        text = ""
        async with line.stream("Hello") as stream:
            async for piece in stream.text:
                text += piece
                if len(text) > 20:
                    break
        return text

    assert TEXT.startswith(run(body, **line_of(server)))


def test_plain_turns_are_not_its_business(run: Any, sim: Any) -> None:
    assert run.send(line=line_of(sim(Rule(reply="x")))).text == "x"


@pytest.mark.parametrize("options", [{"attempts": 0}, {"mode": "guess"}])
def test_bad_options_are_refused_when_it_is_built(options: Any) -> None:
    with pytest.raises(ConfigError, match="resume: "):
        Resume(**options)


def test_it_can_be_named(run: Any) -> None:
    with Pipeline(base_url="sim:", plugins=["resume"]) as line:
        assert line.plugins.get("resume") is not None
    assert AsyncPipeline(base_url="sim:").plugins.get("resume") is None


# The splice ---------------------------------------------------------------------------------------


def start(**usage: Any) -> MessageStart:
    return MessageStart(Response(id="msg", usage=Usage(**usage)))


def test_a_tool_call_right_after_the_seam_gets_a_block_of_its_own() -> None:
    splice, assembler = Splice(), Assembler()
    first = [
        start(),
        ContentBlockStart(0, TextBlock("")),
        ContentBlockDelta(0, TextDelta("Let me")),
    ]
    call = ToolUseBlock(id="toolu_1", name="f", input={})
    second = [
        start(),
        ContentBlockStart(0, call),
        ContentBlockDelta(0, InputJSONDelta('{"a": 1}')),
        ContentBlockStop(0),
        MessageDelta(MessageChange(stop_reason="tool_use"), Usage(output_tokens=5)),
        MessageStop(),
    ]
    for event in first:
        for each in splice.feed(event):
            assembler.feed(each)
    splice.seam()
    for event in second:
        for each in splice.feed(event):
            assembler.feed(each)
    assert splice.stopped
    assert [block.type for block in assembler.response.content] == ["text", "tool_use"]
    assert assembler.response.content[1].input == {"a": 1}  # type: ignore[attr-defined]  # a tool call


def test_usage_is_added_up() -> None:
    splice = Splice()
    list(splice.feed(start(input_tokens=10, output_tokens=1)))
    splice.seam()
    list(splice.feed(start(input_tokens=12, output_tokens=1)))
    delta = MessageDelta(
        MessageChange(stop_reason="end_turn"),
        Usage(output_tokens=7, absent=frozenset({"input_tokens"})),
    )
    (event,) = splice.feed(delta)
    assert isinstance(event, MessageDelta)
    assert event.usage is not None
    assert (event.usage.input_tokens, event.usage.output_tokens) == (22, 8)


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ("The quick brown fox", " jumps", "The quick brown fox jumps"),
        ("The quick brown fox", "brown fox jumps", "The quick brown fox jumps"),
        ("The quick brown fox", "fox jumps", "The quick brown fox jumps"),
        ("The quick brown fox", "The quick brown fox jumps", "The quick brown fox jumps"),
        ("The quick bro", "wn fox", "The quick brown fox"),
        ("The quick ", " brown", "The quick brown"),
        ("It was very ", "very good", "It was very very good"),
        ("One.\n", "\n\nTwo.", "One.\n\nTwo."),
        ("ha", "ha", "haha"),
        ("banana", "na", "bananana"),
        ("1, 2, 3", ", 4", "1, 2, 3, 4"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_an_instructed_model_repeats_is_taken_out(
    before: str, after: str, whole: str, size: int
) -> None:
    join = Join(before, instructed=True)
    pieces = [join.feed(after[at : at + size]) for at in range(0, len(after), size)]
    assert before + "".join(pieces) + join.flush() == whole


@given(st.text(), st.text(), st.integers(1, 5))
def test_a_native_continuation_loses_nothing(before: str, after: str, size: int) -> None:
    """Unless it repeats everything, or the white space that the model was not shown."""
    shown = before.rstrip()
    lost = before[len(shown) :]
    join = Join(before, lost=lost)
    out = (
        "".join(join.feed(after[at : at + size]) for at in range(0, len(after), size))
        + join.flush()
    )
    if len(before) >= 8 and after.startswith(before):
        assert out == after[len(before) :]
    else:
        assert after.endswith(out)
        assert not after[: len(after) - len(out)].strip()
        assert lost.endswith(after[: len(after) - len(out)])
