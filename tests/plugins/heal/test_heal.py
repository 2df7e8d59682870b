"""Whatever history it is given: the simulator takes it for every model, or it is refused with a reason."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookline import (
    APIError,
    InputError,
    Message,
    Pipeline,
    Request,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from hookline.cli import main
from hookline.models import load_models
from hookline.profiles import load_profiles
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
from hookline.wire import encode_message, structure_message
from hookline_plugins.heal import Heal, Unhealable, heal
from hookline_plugins.heal.fitting import _each, fitted
from hookline_plugins.heal.sound import sound

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
    config = {"plugins": {"disable": ["preflight", "retry"], "images": {"strategy": "url"}}}
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


async def replied(line: Any, history: Any, *, streamed: bool) -> Any:
    if not streamed:
        return await line.send("So?", messages=history)
    async with line.stream("So?", messages=history) as stream:
        return await stream.reply


def test_thoughts_that_a_server_refuses_are_sent_once(run: Any, sim: Any, streamed: bool) -> None:
    thought = ThinkingBlock("hm", "bG9jYWw=")
    history = [Message("user", "Hi"), Message("assistant", (thought, TextBlock("Hello")))]
    server = sim(Rule(reply="Fine."))

    async def body(line: Any) -> None:
        for _ in range(2):
            reply = await replied(line, history, streamed=streamed)
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


def test_a_conversation_does_not_forget_a_system_message_it_began_with(run: Any, sim: Any) -> None:
    server = sim(Rule(reply="Fine."))
    begun = [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello")]

    async def body(line: Any) -> None:
        chat = line.conversation(messages=begun)
        for _ in range(2):
            await chat.send("So?")
        assert chat.messages[0] == begun[0]

    run(body, base_url=server)
    assert [each["system"] for each in server.bodies] == ["Be brief."] * 2
    assert [each["messages"][0]["role"] for each in server.bodies] == ["user"] * 2


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


# Histories as files hold them: every kind of block that there is, and some that there are not.
SOUND = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": SOUND},
}
WORDS = st.sampled_from(["Hello", "", " ", "\n\n", "a ", "\ud83d"])
MARKED = st.sampled_from(
    [{}, {}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}]
)  # fmt: skip
CITED = st.sampled_from([{}, {"citations": {"enabled": True}}])


def block_of(kind: str, *more: Any, **values: Any) -> Any:
    """Make blocks of one type, of values or strategies."""
    fields = {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in values.items()}
    return st.tuples(st.fixed_dictionaries(fields), *more).map(
        lambda parts: {"type": kind, **{k: v for part in parts for k, v in part.items()}}
    )


TEXT = block_of("text", MARKED, text=WORDS)
FOUND = block_of("search_result", CITED, source="s", title="t", content=st.lists(TEXT, max_size=2))
PAPER = block_of(
    "document",
    CITED,
    source=st.one_of(
        block_of("text", media_type="text/plain", data=WORDS),
        block_of("content", content=st.one_of(WORDS, st.lists(TEXT, max_size=2))),
    ),
)
HELD = st.one_of(TEXT, FOUND, PAPER, st.just(PICTURE))
SERVER_ID = st.sampled_from(["srvtoolu_1", "srvtoolu_2"])
CALL_ID = st.sampled_from(["toolu_1", "toolu_2", "", "call:3"])
ANY_BLOCK = st.one_of(
    TEXT,
    HELD,
    block_of("thinking", thinking=WORDS, signature=st.sampled_from(["", "c2ln"])),
    block_of("redacted_thinking", data="ZGF0YQ=="),
    block_of("tool_use", MARKED, id=CALL_ID, name=st.sampled_from(["get", "", "a b"]), input={}),
    block_of(
        "tool_result", tool_use_id=CALL_ID, content=st.one_of(WORDS, st.lists(HELD, max_size=2))
    ),
    block_of("server_tool_use", id=SERVER_ID, name="web_search", input={}),
    block_of("web_search_tool_result", tool_use_id=SERVER_ID, content=[]),
    block_of("mcp_tool_use", id="mcptoolu_1", name="n", server_name="s", input={}),
    block_of("mcp_tool_result", tool_use_id="mcptoolu_1", is_error=False, content=[]),
    block_of("compaction", content=st.sampled_from(["sum", None])),
    st.just({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}),
    block_of("tool_addition", tools=[]),
    block_of("of_tomorrow", x=1),
    st.just({"type": "text"}),
)
ANY_MESSAGE = st.fixed_dictionaries(
    {"role": ROLES, "content": st.one_of(WORDS, st.lists(ANY_BLOCK, max_size=4))},
    optional={"output_config": st.just({"effort": "low"})},
)
THINKING = st.sampled_from([{}, {"thinking": {"type": "adaptive"}},
                            {"thinking": {"type": "enabled", "budget_tokens": 1024}}])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ANY_MESSAGE, min_size=1, max_size=6),
    st.sampled_from(MODELS),
    st.sampled_from([None, "So?"]),
    THINKING,
)
def test_the_api_takes_whatever_file_has_been_healed_or_it_is_refused_with_a_reason(
    history: Any, model: str, message: str | None, thinking: Any
) -> None:
    kind = thinking.get("thinking", {}).get("type")
    options = thinking if kind in load_models().require(model).thinking else {}
    for each in history:
        if each["role"] != "system":
            each.pop("output_config", None)
    with line_of(Simulator(Scenario.of(Rule(reply="Fine."))), model) as line:
        try:
            reply = line.send(message, messages=history, **options)
        except InputError:  # a history of which nothing is left, or half a character: told so
            return
        assert reply.completion == "Fine."


REFUSED_BLOCKS = [
    {"type": "of_tomorrow", "x": 1},
    {"type": "compaction", "content": "sum"},
    {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
]


@pytest.mark.parametrize("block", REFUSED_BLOCKS)
def test_a_block_that_a_server_refuses_is_sent_once(
    run: Any, sim: Any, streamed: bool, block: Any
) -> None:
    said = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}, block]}
    history = [{"role": "user", "content": "Hi"}, said]
    server = sim(Rule(reply="Fine."))

    async def body(line: Any) -> None:
        for number in range(2):
            reply = await replied(line, history, streamed=streamed)
            assert reply.text == "Fine."
            assert f"{block['type']} block left out, which this server refuses" in str(
                reply.trace.notes
            )
            assert reply.request.messages[1].blocks[1].type == block["type"]
            assert len(server.calls) == number + 2

    run(body, base_url=server, config={"plugins": {"disable": ["preflight"]}})


def test_what_a_server_refuses_is_refused_where_only_strictness_is_wanted(sim: Any) -> None:
    history = [
        Message("user", "Hi"),
        Message(
            "assistant", (TextBlock("Hello"), UnknownBlock("of_tomorrow", {"type": "of_tomorrow"}))
        ),
    ]
    server = sim(Rule(reply="Fine."))
    with line_of(server, MODELS[0], plugins=[Heal(strict=True)]) as line, pytest.raises(APIError):
        line.send("So?", messages=history)
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (
            [{"role": "user", "content": [{"type": "search_result", "source": "s", "title": "t",
              "content": [{"type": "text", "text": " "}]}, {"type": "text", "text": "Hi"}]}],
            "search_result block left out, which holds nothing",
        ),
        (
            [{"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": d},
                 "citations": {"enabled": d == "a"}} for d in "ab"]}],
            "citations on, as for the first document",
        ),
        (
            [{"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": ttl}}
                for ttl in ("5m", "1h")]}],
            "a breakpoint of an hour behind one of five minutes is as short",
        ),
        (
            [{"role": "user", "content": "Hi"},
             {"role": "system", "content": [], "output_config": {"effort": "low"}}],
            "a directive left out",
        ),
    ],
)  # fmt: skip
def test_what_must_fit_together_is_made_to(sim: Any, messages: Any, said: str) -> None:
    server = sim(Rule(reply="Fine."))
    with line_of(server, "claude-opus-5-5") as line:
        reply = line.send("So?", messages=[*messages, {"role": "assistant", "content": "Well."}])
    assert reply.text == "Fine."
    assert said in str(reply.trace.notes)
    assert len(server.calls) == 1


def test_an_instruction_does_not_come_behind_a_system_message(run: Any, sim: Any) -> None:
    server = sim(Rule(reply="So be it."))
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "So"},
    ]
    line = {"base_url": server, "model": "claude-opus-5-5"}
    assert run.send(None, line=line, messages=history).text == "So be it."
    assert [each["role"] for each in server.bodies[0]["messages"]] == ["user", "system"]


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY_MESSAGE, min_size=1, max_size=6), st.sampled_from(MODELS), THINKING)
def test_what_was_fitted_to_a_model_fits_it_and_begins_as_it_did(
    history: Any, model: str, thinking: Any
) -> None:
    messages = tuple(structure_message(each) for each in history)
    facts, profile = load_models().require(model), load_profiles().require("anthropic")
    given: dict[str, Any] = {
        "refused": {b"mark"},
        "unread": {"of_tomorrow", "compaction"},
        "prefill": "",
    }
    try:
        healed = heal(messages)
        request = Request(model, 2048, healed.messages, **thinking)
        once, repairs = fitted(request, facts, profile, **given)
        twice, more = fitted(once, facts, profile, **given)
        again, _ = fitted(request, facts, profile, **given)
    except Unhealable:  # with a reason; see above
        return
    assert more == ()
    assert twice == once == again
    places = [each.where.split(".") for each in repairs]
    first = min(
        (int(place[1]) if place[0] == "messages" and len(place) > 1 else 0 for place in places),
        default=len(healed.messages),
    )
    for before, after in zip(healed.messages[:first], once.messages, strict=False):
        assert before is after


SOUND_PARTS = st.one_of(
    st.tuples(st.builds(Message, st.just("user"), TEXTS)),
    st.tuples(
        st.builds(Message, st.just("assistant"), st.one_of(TEXTS, st.builds(TextBlock, TEXTS)))
    ),
    st.builds(
        lambda call, id_, said, failed, more: (
            Message("assistant", [call]),
            Message("user", [ToolResultBlock(id_, said, is_error=failed), *more]),
        ),
        st.builds(
            ToolUseBlock,
            IDS,
            st.sampled_from(["get", "a tool"]),
            toolset_name=st.sampled_from([None, "s"]),
        ),
        IDS,
        TEXTS,
        st.sampled_from([None, True]),
        st.lists(BLOCKS, max_size=2),
    ),
)
NEARLY_SOUND = st.lists(SOUND_PARTS, max_size=5).map(
    lambda parts: [message for part in parts for message in part]
)


@given(st.one_of(HISTORIES, NEARLY_SOUND), st.sampled_from(MODELS))
@example([Message("user", "a"), Message("assistant", "b"), Message("user", "c")], MODELS[0])
def test_in_what_is_sound_at_a_glance_there_is_nothing_to_mend(
    history: list[Message], model: str
) -> None:
    if not sound(history):
        return
    healed = heal(history)
    assert (healed.repairs, healed.messages) == ((), tuple(history))
    request, facts = Request(model, 9, history), load_models().get(model)
    profile = load_profiles().guess("https://api.anthropic.com")
    assert _each(request, facts, profile, [], refused=(), unread=(), betas=()) == (request, history)


def test_a_history_of_texts_and_tools_by_turns_is_not_looked_at_block_by_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def looked(*_given: Any, **_options: Any) -> Any:
        raise AssertionError("looked at a block")

    monkeypatch.setattr("hookline_plugins.heal.heal", looked)
    monkeypatch.setattr("hookline_plugins.heal.fitting._each", looked)
    turns = [
        message
        for n in range(250)
        for message in (
            Message("user", f"turn {n}"),
            Message("assistant", [TextBlock("I look."), ToolUseBlock(f"toolu_{n}", "look")]),
            Message("user", [ToolResultBlock(f"toolu_{n}", ""), TextBlock("And?")]),
            Message("assistant", [TextBlock("Nothing.")]),
        )
    ]
    with Pipeline(base_url="sim:") as line:
        reply = line.send("Go on", messages=turns)
    assert reply.request.messages[:-1] == tuple(turns)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [Message("assistant", "Hello")],
        [Message("user", "a"), Message("user", "b")],
        [Message("user", "a"), Message("system", "b")],
        [Message("user", "a"), Message("assistant", " \n")],
        [Message("user", "a"), Message("assistant", "half \ud83d")],
        [Message("user", "a"), Message("assistant", [ToolUseBlock("toolu_1", "get")])],
        [Message("user", [TextBlock("a", cache_control=CacheControl())])],
        [
            Message("user", "a"),
            Message("assistant", [ToolUseBlock("toolu_1", "get")]),
            Message("user", [ToolResultBlock("toolu_1", " ", is_error=True)]),
        ],
        [
            Message("user", "a"),
            Message("assistant", [ToolUseBlock("toolu_1", "get", toolset_name="set")]),
            Message("user", [ToolResultBlock("toolu_1", "b")]),
        ],
    ],
)
def test_what_may_be_wrong_is_looked_at(messages: list[Message]) -> None:
    assert not sound(messages)
