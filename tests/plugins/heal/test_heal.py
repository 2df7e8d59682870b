"""Whatever history it is given: the simulator takes it for every model, or it is refused with a reason."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import APIError, Message, Pipeline, TextBlock, ToolResultBlock, ToolUseBlock
from hookline.cli import main
from hookline.models import load_models
from hookline.simulator import Rule, Scenario, Simulator
from hookline.values import (
    CacheControl,
    ImageBlock,
    RedactedThinkingBlock,
    ServerToolUseBlock,
    ThinkingBlock,
    UnknownBlock,
    URLSource,
    WebSearchToolResultBlock,
)
from hookline.wire import encode_message
from hookline_plugins.heal import Heal, Unhealable, heal

MODELS = [facts.id for facts in load_models() if not facts.retired]

TEXTS = st.sampled_from(["Hello", " ", "", "\n\n", "Go on", "\ud83d", "\ud83d\ude00"])
IDS = st.sampled_from(["toolu_1", "toolu_2", "call:3"])
MARKS = st.sampled_from([None, None, CacheControl()])
BLOCKS = st.one_of(
    st.builds(TextBlock, TEXTS, cache_control=MARKS),
    st.builds(ThinkingBlock, TEXTS, st.sampled_from(["", "c2ln"])),
    st.builds(RedactedThinkingBlock, st.just("ZGF0YQ==")),
    st.builds(ToolUseBlock, IDS, st.sampled_from(["get", "a tool", ""])),
    st.builds(
        ToolResultBlock,
        IDS,
        st.one_of(st.none(), TEXTS, st.lists(st.builds(TextBlock, TEXTS), max_size=2)),
        is_error=st.sampled_from([None, True]),
    ),
    st.builds(ServerToolUseBlock, st.sampled_from(["srv_1", "srv_2"]), st.just("web_search")),
    st.builds(WebSearchToolResultBlock, st.sampled_from(["srv_1", "srv_2"]), st.just([])),
    st.just(UnknownBlock("text", {"type": "text"})),
    st.just(UnknownBlock("thinking", {"type": "thinking", "thinking": "hm"})),
    st.just(ImageBlock(URLSource("https://example.com/ant.png"))),
)
CONTENT = st.one_of(TEXTS, st.lists(BLOCKS, max_size=4))
ROLES = st.sampled_from(["user", "assistant", "user", "assistant", "system"])
HISTORIES = st.lists(st.builds(Message, ROLES, CONTENT), max_size=7)


def line_of(server: Any, model: str, **options: Any) -> Pipeline:
    config = {"plugins": {"disable": ["preflight", "retry"], "images": {"urls": "pass"}}}
    return Pipeline(base_url=server, model=model, config=config, **options)


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.sampled_from(MODELS))
def test_the_api_takes_whatever_has_been_healed(history: list[Message], model: str) -> None:
    with line_of(Simulator(Scenario.of(Rule(reply="Fine."))), model) as line:
        reply = line.send("And now?", messages=history)
        assert reply.completion == "Fine."


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_healing_is_idempotent_and_leaves_what_comes_before_the_first_fault(
    history: list[Message],
) -> None:
    try:
        healed = heal(history)
    except Unhealable:
        return
    assert heal(healed.messages).repairs == ()
    assert heal(history) == healed
    first = min(
        (int(repair.where.split(".")[1]) for repair in healed.repairs), default=len(history)
    )
    for before, after in zip(history[:first], healed.messages, strict=False):
        assert before is after


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-opus-5-5"])
def test_a_sound_history_leaves_with_the_same_bytes(sim: Any, model: str) -> None:
    history = [Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "So?")]
    healed = heal(history)
    assert [encode_message(each) for each in healed.messages] == [*map(encode_message, history)]
    assert healed.repairs == ()


CASES = [
    ([("user", "Hi"), ("assistant", [TextBlock("So"), ToolUseBlock("t", "get")])], "no result"),
    ([("user", [ToolResultBlock("t", "1"), TextBlock("Hi")])], "nobody asked for"),
    ([("assistant", "Hello"), ("user", "Hi")], "leading assistant message"),
    ([("system", "Be brief."), ("user", "Hi")], "moved into the system prompt"),
    ([("user", "Hi"), ("assistant", "\n"), ("user", "So?")], "blank message"),
    ([("user", "Hi \ud83d")], "half a character"),
]  # fmt: skip


@pytest.mark.parametrize(("history", "said"), CASES)
def test_strict_explains_and_changes_nothing(sim: Any, history: Any, said: str) -> None:
    messages = [Message(role, content) for role, content in history]
    server = sim(Rule(reply="Fine."))
    strict = line_of(server, "claude-haiku-4-5", plugins=[Heal(strict=True)])
    with strict as line, pytest.raises(Unhealable, match=said):
        line.send("And now?", messages=messages)
    assert server.calls == []
    with line_of(server, "claude-haiku-4-5") as line:
        reply = line.send("And now?", messages=messages)
    assert said in str(reply.trace.notes)


def test_results_come_first_and_in_the_next_turn() -> None:
    call = ToolUseBlock("t", "get")
    late = ToolResultBlock("t", "sunny")
    healed = heal(
        [
            Message("user", "Weather?"),
            Message("assistant", (call,)),
            Message("user", "Well?"),
            Message("user", (TextBlock("Here:"), late)),
        ]
    )
    assert [block.type for block in healed.messages[2].blocks] == ["tool_result", "text"]
    assert [str(repair) for repair in healed.repairs] == [
        "messages.3.content.1: the result moved before everything else of its turn"
    ]


def test_a_role_that_there_is_not_is_refused_with_its_position() -> None:
    with pytest.raises(Unhealable, match=r"messages\.1: .*'tool'"):
        heal([Message("user", "Hi"), Message("tool", "sunny")])


def test_what_the_caller_has_just_written_is_not_mended() -> None:
    assert heal([Message("user", "Hi \ud83d")], stored=0).repairs == ()


def test_thoughts_that_a_server_refuses_are_sent_once(run: Any, sim: Any, streamed: bool) -> None:
    thought = ThinkingBlock("hm", "bG9jYWw=")
    history = [Message("user", "Hi"), Message("assistant", (thought, TextBlock("Hello")))]
    server = sim(Rule(reply="Fine."))

    async def body(line: Any) -> None:
        for _ in range(2):
            if streamed:
                async with line.stream("So?", messages=history) as stream:
                    reply = await stream.reply
            else:
                reply = await line.send("So?", messages=history)
            assert reply.text == "Fine."
            assert reply.request.messages[1].blocks[0] == thought

    run(body, base_url=server)
    assert ["thinking" in json.dumps(body["messages"]) for body in server.bodies] == [
        True,
        False,
        False,
    ]


def test_other_errors_are_not_sent_again(run: Any, sim: Any) -> None:
    thought = RedactedThinkingBlock("ZGF0YQ==")
    history = [Message("user", "Hi"), Message("assistant", (thought, TextBlock("Hello")))]
    server = sim(Rule(status=500))
    with pytest.raises(APIError, match="500"):
        run.send("So?", line={"base_url": server}, messages=history)
    assert len(server.calls) == 1


def test_the_oldest_of_too_many_images_are_left_out(sim: Any) -> None:
    server = sim(Rule(reply="Fine."))
    image = ImageBlock(URLSource("https://example.com/ant.png"))
    history = [
        Message("user", (image,) * 60),
        Message("assistant", "Hm"),
        Message("user", (image,) * 41),
    ]
    with line_of(server, "claude-haiku-4-5") as line:
        reply = line.send("So?", messages=history)
    sent = json.dumps(server.bodies[0]["messages"])
    assert sent.count('"image"') == 100
    assert "the oldest 1 of 101 images left out" in str(reply.trace.notes)


@pytest.mark.parametrize("model", MODELS)
def test_system_messages_reach_every_model(sim: Any, model: str) -> None:
    server = sim(Rule(reply="Fine."))
    history = [Message("user", "Hi"), Message("system", "Be brief."), Message("assistant", "Hello")]
    with line_of(server, model) as line:
        assert line.send("So?", messages=history).text == "Fine."
    assert "Be brief." in json.dumps(server.bodies[0]["messages"])


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('[{"role": "user", "content": "Hi"}]', 0, ""),
        ('{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}', 0, ""),
        (
            '[{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "So"}]',
            3,
            "leading",
        ),
        ('[{"role": "tool", "content": "Hi"}]', 4, "role 'tool'"),
        ('[{"role": "user", "content": " "}]', 4, "nothing that can be sent"),
        ("{", 2, "not JSON"),
        ('{"messages": 5}', 2, "list of messages"),
        ("[5]", 2, "messages[0]"),
    ],
)
def test_the_command_mends_a_file(
    tmp_path: Any, capsys: Any, text: str, code: int, said: str
) -> None:
    file = tmp_path / "chat.json"
    file.write_text(text)
    assert main(["heal", str(file)]) == code
    out, err = capsys.readouterr()
    assert said in err
    if code in (0, 3):
        again = tmp_path / "again.json"
        again.write_text(out)
        assert main(["heal", str(again)]) == 0
    else:
        assert out == ""


def test_the_command_says_which_file_it_cannot_read(capsys: Any) -> None:
    assert main(["heal", "nowhere.json"]) == 2
    assert "nowhere.json" in capsys.readouterr().err
