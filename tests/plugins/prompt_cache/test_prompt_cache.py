"""Breakpoints of the prompt cache: placed where they pay, and an edit before one is told with its price."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import (
    ConfigError,
    InputError,
    Message,
    Pipeline,
    Reply,
    Request,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    hookimpl,
)
from hookline.models import load_models
from hookline.testing import fake_time
from hookline.values import CacheControl, Tool
from hookline_plugins.prompt_cache import CacheSpoiled, PromptCache
from hookline_plugins.prompt_cache.breakpoints import given_spots, placed
from hookline_plugins.trim import Trim

MODEL = "claude-haiku-5-5"
FACTS = load_models().require(MODEL)
LONG = "word " * 1500
TOOLS: list[Any] = [{"name": "get", "description": LONG, "input_schema": {"type": "object"}}]
MARK = CacheControl()


class Edit:
    """Changes what stands first, once it is switched on."""

    name = "edit"
    after = ("history",)

    def __init__(self, change: Any) -> None:
        self.change = change
        self.on = False

    @hookimpl
    def build_history(self, request: Request) -> Request | None:
        return self.change(request) if self.on else None


class EditOnTheWire(Edit):
    """The same, where a conversation does not see it."""

    after: Any = ("prompt_cache",)

    @hookimpl
    def build_history(self, request: Request) -> None:
        return None

    @hookimpl
    async def send(self, request: Request, call_next: Any) -> Any:
        return await call_next(self.change(request) if self.on else request)


def line_of(*plugins: Any, **options: Any) -> Pipeline:
    return Pipeline(**{"base_url": "sim:", "model": MODEL, "plugins": plugins, **options})


def auto(*plugins: Any, **options: Any) -> Pipeline:
    return line_of(*plugins, cache_breakpoints="auto", **options)


def notes(reply: Reply) -> list[str]:
    return [text for plugin, text in reply.trace.notes if plugin == "prompt_cache"]


def spots(request: Request) -> list[str]:
    return list(map(str, given_spots(request)))


def test_a_conversation_reads_what_it_has_written() -> None:
    with auto() as line:
        chat = line.conversation(system=f"Be brief. {LONG}", tools=TOOLS)
        replies = [chat.send(f"turn {number} {LONG}") for number in range(4)]

    for before, after in pairwise(replies):
        read = after.usage.cache_read_input_tokens
        assert read == before.usage.total_input - before.usage.input_tokens
        assert after.usage.input_tokens < 50
    assert notes(replies[0])[0].startswith("breakpoints after tools, system, messages.0: about 0 ")
    assert "saves about USD" in notes(replies[2])[0]
    assert chat.messages[0] == Message("user", f"turn 0 {LONG}")


def test_what_is_expected_is_about_what_happens() -> None:
    with auto() as line:
        chat = line.conversation(system=LONG)
        chat.send(f"1 {LONG}")
        reply = chat.send(f"2 {LONG}")

    said = notes(reply)[0].partition("about ")[2].replace(",", "").split()
    numbers = [int(word) for word in said if word.isdigit()]
    assert numbers[0] == reply.usage.cache_read_input_tokens
    assert reply.usage.cache_creation_input_tokens is not None
    assert 0.5 < numbers[1] / reply.usage.cache_creation_input_tokens < 2


def test_without_being_asked_nothing_is_placed() -> None:
    with line_of() as line:
        assert spots(line.explain(LONG, system=LONG).request) == []
        assert spots(line.explain(LONG, system=LONG, cache_breakpoints="auto").request) == [
            "system"
        ]
    with auto() as line:
        assert spots(line.explain(LONG, system=LONG, cache_breakpoints="given").request) == []


def test_a_setting_of_a_file_and_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with line_of(config={"cache_breakpoints": "auto"}) as line:
        assert spots(line.explain("Hi", system=LONG).request) == ["system"]
    monkeypatch.setenv("HOOKLINE_CACHE_BREAKPOINTS", "auto")
    with line_of() as line:
        assert spots(line.explain("Hi", system=LONG).request) == ["system"]


@pytest.mark.parametrize("value", ["always", True, 4, None])
def test_what_says_neither_is_refused(value: Any) -> None:
    with line_of() as line, pytest.raises(InputError, match="cache_breakpoints must be"):
        line.send("Hi", cache_breakpoints=value)
    if value is not None:
        with pytest.raises(ConfigError, match="cache_breakpoints"):
            line_of(cache_breakpoints=value)


def test_without_the_plugin_it_is_an_error_and_no_silence() -> None:
    with auto(disable=["prompt_cache"]) as line, pytest.raises(InputError, match="prompt_cache"):
        line.send("Hi")


def test_what_is_too_short_for_the_model_is_left() -> None:
    with auto() as line:
        chat = line.conversation(system="Be brief.")
        assert notes(chat.send("Hi")) == []
    request = Request("claude-opus-4-6", 10, [Message("user", "Hi")], system="word " * 2000)
    table = load_models()
    assert placed(request, table.require("claude-opus-4-6"), grows=True, ttl=None)[1] == []
    assert placed(request, table.require("claude-opus-5"), grows=True, ttl=None)[1] != []


def test_a_document_before_a_question_is_kept_for_the_next_question() -> None:
    with auto() as line:
        explained = line.explain([LONG, "What is it about?"])

    assert spots(explained.request) == ["messages.0"]
    first, second = explained.request.messages[0].blocks
    assert first.cache_control == MARK  # type: ignore[attr-defined]
    assert second == TextBlock("What is it about?")


def test_one_question_alone_is_not_worth_it() -> None:
    with auto() as line:
        assert spots(line.explain(LONG).request) == []


def test_breakpoints_that_are_given_stay_and_count() -> None:
    system = [TextBlock(LONG, cache_control=MARK), TextBlock("b", cache_control=MARK)]
    content = [TextBlock(LONG, cache_control=MARK), TextBlock("Q")]
    with auto() as line:
        explained = line.explain(
            content, system=system, tools=TOOLS, messages=[Message("user", "a")]
        )

    assert spots(explained.request) == ["system", "system", "messages.1", "messages.1"]


def test_where_the_api_keeps_to_the_end_itself_messages_are_left_to_it() -> None:
    with auto() as line:
        chat = line.conversation(system=LONG, cache_control={"type": "ephemeral"})
        reply = chat.send(LONG)

    assert notes(reply)[0].startswith("breakpoints after system:")


def test_a_longer_life_comes_before_a_shorter_one() -> None:
    hourly = CacheControl("1h")
    later = [TextBlock(LONG, cache_control=hourly), TextBlock("Q")]
    with auto() as line:
        before = line.explain(later, system=LONG, tools=TOOLS).request
    with auto(PromptCache(ttl="1h"), disable=["prompt_cache"]) as line:
        after = line.explain(
            LONG, system=[TextBlock(LONG, cache_control=MARK)], messages=[Message("user", "a")]
        ).request

    assert [spot.ttl for spot in given_spots(before)] == ["1h", "1h", "1h", None]
    assert [spot.ttl for spot in given_spots(after)] == [None, None]


def test_blocks_too_far_for_the_api_to_look_back_get_one_between() -> None:
    calls = [ToolUseBlock(f"toolu_{number}", "get", {}) for number in range(15)]
    results = [ToolResultBlock(call.id, "x") for call in calls]
    messages = [Message("user", LONG), Message("assistant", calls), Message("user", results)]
    with auto() as line:
        explained = line.explain(messages=messages, tools=TOOLS)

    assert spots(explained.request) == ["tools", "messages.0", "messages.2"]


def test_other_servers_get_none() -> None:
    with auto(base_url="http://127.0.0.1:1", server="llama.cpp") as line:
        assert spots(line.explain("Hi", system=LONG).request) == []


def test_a_batch_and_a_count_have_them_too() -> None:
    with auto() as line:
        assert int(line.count_tokens("Hi", system=LONG)) > 1000


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda request: request.with_system("It is noon."), "system"),
        (lambda request: request.evolve(tools=[Tool("other", {"type": "object"})]), "tools"),
        (
            lambda request: request.evolve(
                messages=(Message("user", f"One {LONG}"), *request.messages[1:])
            ),
            "messages.0",
        ),
        (lambda request: request.evolve(thinking={"type": "disabled"}), "thinking"),
    ],
)
def test_an_edit_is_told_with_who_did_it_and_what_it_costs(change: Any, where: str) -> None:
    edit = Edit(change)
    with auto(edit) as line:
        chat = line.conversation(system=LONG, tools=TOOLS)
        chat.send(f"1 {LONG}")
        edit.on = True
        reply = chat.send("2")

    told = notes(reply)[-1]
    assert told.startswith(f"{where} was changed by the plugin 'edit' before the cache breakpoint")
    lost = int(told.split("about ")[1].split(" ")[0].replace(",", ""))
    wrote = reply.usage.cache_creation_input_tokens or 0
    assert 0.5 < lost / wrote < 1.2
    assert "USD 0.00" in told


def test_an_edit_on_the_wire_is_a_send_hooks() -> None:
    edit = EditOnTheWire(lambda request: request.with_system("It is noon."))
    with auto(edit) as line:
        chat = line.conversation(system=LONG)
        chat.send("1")
        edit.on = True
        assert "system was changed by a `send` hook" in notes(chat.send("2"))[-1]


def test_an_edit_of_the_caller_is_the_calls() -> None:
    with auto() as line:
        chat = line.conversation(system=LONG)
        chat.send("1")
        assert "system was changed by the call" in notes(chat.send("2", system=f"{LONG}!"))[-1]


def test_another_model_has_a_cache_of_its_own() -> None:
    with auto() as line:
        chat = line.conversation(system=LONG)
        chat.send("1")
        assert "model was changed by the call" in notes(chat.send("2", model="claude-opus-5-5"))[-1]


def test_an_edit_can_be_refused_and_the_conversation_goes_on() -> None:
    edit = Edit(lambda request: request.with_system("It is noon."))
    config = {"plugins": {"prompt_cache": {"guard": "refuse"}}}
    with auto(edit, config=config) as line:
        chat = line.conversation(system=LONG)
        chat.send("1")
        edit.on = True
        with pytest.raises(CacheSpoiled, match=r"'edit'.*guard = \"report\""):
            chat.send("2")
        edit.on = False
        assert chat.send("2").usage.cache_read_input_tokens
        assert len(chat) == 4


def test_what_is_not_kept_any_more_is_not_told() -> None:
    edit = Edit(lambda request: request.with_system("It is noon."))
    with auto(edit) as line, fake_time(line) as clock:
        chat = line.conversation(system=LONG)
        chat.send("1")
        edit.on = True
        clock.advance(301)
        assert not any("changed" in text for text in notes(chat.send("2")))


def test_who_does_not_want_to_know_is_not_told() -> None:
    edit = Edit(lambda request: request.with_system("It is noon."))
    config = {"plugins": {"prompt_cache": {"guard": "off"}}}
    with auto(edit, config=config) as line:
        chat = line.conversation(system=LONG)
        chat.send("1")
        edit.on = True
        assert not any("changed" in text for text in notes(chat.send("2")))


def test_breakpoints_of_the_caller_are_guarded_too() -> None:
    edit = Edit(lambda request: request.evolve(tools=[Tool("other", {"type": "object"})]))
    with line_of(edit) as line:
        chat = line.conversation(system=[TextBlock(LONG, cache_control=MARK)])
        chat.send("1")
        edit.on = True
        assert "tools was changed by the plugin 'edit'" in notes(chat.send("2"))[0]


def test_without_any_breakpoint_there_is_nothing_to_guard() -> None:
    edit = Edit(lambda request: request.with_system("It is noon."))
    with line_of(edit) as line:
        chat = line.conversation(system=LONG)
        chat.send("1")
        edit.on = True
        assert notes(chat.send("2")) == []


def test_what_trim_leaves_out_is_told_once_for_each_cut() -> None:
    with auto(Trim(by="turns", keep=6)) as line:
        chat = line.conversation(system=LONG)
        told = [
            text
            for number in range(12)
            for text in notes(chat.send(f"{number} {LONG}"))
            if "changed" in text
        ]

    assert len(told) == 2
    assert all(text.startswith("messages.0 was changed by a `send` hook") for text in told)


def test_a_summary_asked_on_the_side_is_not_taken_for_the_conversation() -> None:
    with auto(Trim(by="turns", keep=6, how="summarise")) as line:
        chat = line.conversation(system=LONG)
        replies = [chat.send(f"{number} {LONG}") for number in range(9)]

    assert "messages.0 was changed by a `send` hook" in notes(replies[6])[-1]
    assert not any("changed" in text for text in notes(replies[7]) + notes(replies[8]))
    assert replies[8].usage.cache_read_input_tokens


def test_streams_and_tool_loops(run: Any) -> None:
    def get() -> str:
        """Get it."""
        return LONG

    seen: list[Any] = []

    async def body(line: Any) -> None:
        chat = line.conversation(system=LONG, cache_breakpoints="auto")
        await chat.send("1", tools=[get])
        seen.append(await chat.send("2", tools=[get]))

    run(body, base_url="sim:", model=MODEL)
    assert seen[0].usage.cache_read_input_tokens


BLOCKS = st.one_of(
    st.builds(TextBlock, st.sampled_from(["a", LONG]), cache_control=st.sampled_from([None, MARK])),
    st.builds(TextBlock, st.just("b")),
)
CONTENT = st.one_of(st.sampled_from(["Hi", LONG]), st.lists(BLOCKS, min_size=1, max_size=3))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(CONTENT, min_size=1, max_size=6),
    st.one_of(st.none(), st.just(LONG), st.lists(BLOCKS, min_size=1, max_size=2)),
    st.booleans(),
    st.sampled_from([None, "1h"]),
    st.booleans(),
)
def test_whatever_is_there_the_simulator_takes_what_is_placed(
    contents: list[Any], system: Any, tools: bool, ttl: Any, automatic: bool
) -> None:
    messages = [
        Message("user" if (len(contents) - index) % 2 else "assistant", content)
        for index, content in enumerate(contents)
    ]
    if messages[0].role == "assistant":
        messages = messages[1:] or [Message("user", "Hi")]
    control = {"type": "ephemeral"} if automatic else None
    plugin = PromptCache(ttl=ttl or "5m")
    with auto(plugin, disable=["prompt_cache", "preflight"]) as line:
        marks = len(given_spots(Request(MODEL, 1, messages, system=system))) + automatic
        if marks > 4:
            return
        line.send(
            messages=messages,
            system=system,
            tools=TOOLS if tools else [],
            cache_control=control,
        )
