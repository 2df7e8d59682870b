"""A long conversation is cut between turns, seldom, and never into what the API refuses."""

import re
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import (
    APIError,
    ConfigError,
    Message,
    Pipeline,
    Request,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    hookimpl,
)
from hookline.models import ModelFacts, load_models
from hookline.simulator import Rule, Scenario, Simulator
from hookline.testing import fake_time
from hookline.values import CacheControl, ThinkingBlock
from hookline_plugins.trim import Trim
from hookline_plugins.trim.cuts import Cut, begins_turn
from hookline_plugins.trim.tracking import Tracked

MODEL = "claude-haiku-5-5"


class Spy:
    """Sees what leaves."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    @hookimpl
    def check_request(self, request: Request) -> None:
        self.seen.append(request)

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.seen[-1].messages]


def line_of(spy: Spy, trim: Trim, server: Any = "sim:", **options: Any) -> Pipeline:
    return Pipeline(base_url=server, model=MODEL, plugins=[trim, spy], **options)


def notes(reply: Any) -> list[str]:
    return [text for plugin, text in reply.trace.notes if plugin == "trim"]


def dialogue(turns: int, words: int = 3) -> list[Message]:
    return [
        Message("user" if index % 2 == 0 else "assistant", f"{index} " + "word " * words)
        for index in range(2 * turns)
    ]


def test_a_conversation_is_cut_by_turns_and_the_cut_stays_for_a_while() -> None:
    spy = Spy()
    with line_of(spy, Trim(by="turns", keep=8)) as line:
        chat = line.conversation()
        first = []
        for number in range(20):
            reply = chat.send(f"turn {number}")
            first.append(spy.texts[0])
            assert sum(message.role == "user" for message in spy.seen[-1].messages) <= 8
            assert spy.texts[-1] == f"turn {number}"

    assert first[:8] == ["turn 0"] * 8
    assert first[8:] == [*["turn 3"] * 3, *["turn 6"] * 3, *["turn 9"] * 3, *["turn 12"] * 3]
    assert notes(reply) == ["the oldest 24 messages left out"]
    assert len(chat) == 40


def test_without_room_to_spare_exactly_so_many_turns_are_kept() -> None:
    spy = Spy()
    with line_of(spy, Trim(by="turns", keep=2, spare=0)) as line:
        chat = line.conversation()
        for number in range(5):
            chat.send(f"turn {number}")

    assert spy.texts[0] == "turn 3"


def test_messages_handed_over_are_cut_as_a_conversation_would_be() -> None:
    spy = Spy()
    with line_of(spy, Trim(by="turns", keep=8)) as line:
        chat = line.conversation()
        for number in range(20):
            chat.send(f"turn {number}")
        kept = spy.texts
        line.send(messages=chat.messages[:-1])

    assert spy.texts == kept


def test_tokens_are_counted_against_what_the_window_leaves() -> None:
    class Tiny:
        @hookimpl
        def register_models(self, register: Any) -> None:
            register(ModelFacts(id="tiny", context=4000, max_output=1000))

    with Pipeline(
        base_url="http://127.0.0.1:1", model="tiny", max_tokens=1000, plugins=[Tiny(), Trim()]
    ) as line:
        explained = line.explain("And?", messages=dialogue(100, words=20))

    sizes = sum(len(message.text) for message in explained.request.messages) / 4
    assert 1500 < sizes < 3000
    assert explained.request.messages[-1].text == "And?"


def test_a_window_that_is_not_known_is_told() -> None:
    config = {"unknown_models": "allow"}
    with Pipeline(base_url="http://127.0.0.1:1", config=config, plugins=[Trim()]) as line:
        explained = line.explain("Hi", model="ants-7b", messages=dialogue(5))

    assert ("trim", "the window of ants-7b is not known; set keep") in explained.trace.notes


def test_so_many_tokens_are_kept_and_what_is_learned_of_them_counts() -> None:
    spy = Spy()
    with line_of(spy, Trim(keep=300)) as line:
        chat = line.conversation()
        for number in range(30):
            reply = chat.send(f"{number} " + "word " * 10)
            assert reply.usage.total_input <= 330

    assert len(spy.seen[-1].messages) < len(chat)


def test_the_last_turn_is_kept_whatever_its_size() -> None:
    spy = Spy()
    with line_of(spy, Trim(keep=10)) as line:
        line.send("word " * 500, messages=dialogue(3))

    assert len(spy.seen[-1].messages) == 1


def test_what_fits_is_left_alone() -> None:
    spy = Spy()
    with line_of(spy, Trim()) as line:
        reply = line.send("Hi", messages=dialogue(5))

    assert len(spy.seen[-1].messages) == 11
    assert notes(reply) == []


def test_only_a_conversation_knows_ages() -> None:
    spy = Spy()
    with line_of(spy, Trim(by="age", keep=60)) as line:
        reply = line.send("Hi", messages=dialogue(5))

    assert notes(reply) == ["only a conversation knows how old its messages are"]
    assert len(spy.seen[-1].messages) == 11


def test_what_is_old_is_left_out() -> None:
    spy = Spy()
    with line_of(spy, Trim(by="age", keep=100)) as line, fake_time(line) as clock:
        chat = line.conversation()
        for number in range(8):
            chat.send(f"turn {number}")
            clock.advance(30)
            if number == 4:  # turn 0 is 120 seconds old; what is 75 at most stays
                assert spy.texts[0] == "turn 2"

    assert spy.texts[0] == "turn 4"


def test_a_call_is_never_parted_from_its_result() -> None:
    spy = Spy()
    messages = [
        Message("user", "weather?"),
        Message("assistant", [ToolUseBlock("toolu_1", "get")]),
        Message("user", [ToolResultBlock("toolu_1", "Rain.")]),
        Message("assistant", "Rain."),
        Message("user", "more"),
        Message("assistant", [ToolUseBlock("toolu_2", "get")]),
        Message("user", [ToolResultBlock("toolu_2", "Sun."), TextBlock("and?")]),
        Message("assistant", "Sun."),
    ]
    with line_of(spy, Trim(by="turns", keep=2, spare=0)) as line:
        line.send("Thanks", messages=messages)

    assert spy.texts == ["more", "", "and?", "Sun.", "Thanks"]


def test_what_a_breakpoint_covers_stays_in_front() -> None:
    spy = Spy()
    book = Message("user", [TextBlock("The book.", cache_control=CacheControl()), TextBlock("Q1")])
    messages = [book, Message("assistant", "A1"), *dialogue(20)]
    with line_of(spy, Trim(keep=200)) as line:
        line.send("Go on", messages=messages)

    assert spy.seen[-1].messages[:2] == tuple(messages[:2])
    assert 3 < len(spy.seen[-1].messages) < 30
    assert begins_turn(spy.seen[-1].messages[2])


def test_thoughts_that_are_bound_to_what_is_gone_go_too() -> None:
    spy = Spy()
    messages = [
        Message("user", "1"), Message("assistant", [ThinkingBlock("hm", "c2ln"), TextBlock("a")]),
        Message("user", "2"), Message("assistant", [ThinkingBlock("hm", "c2ln"), TextBlock("b")]),
    ]  # fmt: skip
    with line_of(
        spy, Trim(by="turns", keep=2, spare=0), Simulator(Scenario.of(Rule(reply="x")))
    ) as line:
        line.explain("3", messages=messages)

    (kept,) = [each for each in spy.seen[-1].messages if each.role == "assistant"]
    assert [block.type for block in kept.blocks] == ["text"]


def test_old_turns_are_summed_up_once_and_it_is_told_what_that_cost() -> None:
    spy = Spy()
    simulator = Simulator(
        Scenario.of(Rule(when="Sum up", reply="They spoke of ants."), Rule(reply="Yes."))
    )
    with line_of(spy, Trim(by="turns", keep=4, how="summarise"), simulator) as line:
        chat = line.conversation()
        told = []
        for number in range(6):
            reply = chat.send(f"turn {number}")
            told += notes(reply)

    assert spy.texts[0].splitlines()[1] == "They spoke of ants."
    assert spy.texts[1:] == ["turn 2", "Yes.", "turn 3", "Yes.", "turn 4", "Yes.", "turn 5"]
    assert len(told) == 1
    assert told[0].startswith("4 messages summed up by claude-haiku-5-5: ")
    assert "USD 0.0000" in told[0]
    asked = [request for request in spy.seen if "Sum up" in str(request.messages[0].text)]
    assert len(asked) == 1
    assert "user: turn 1" in asked[0].messages[0].text
    assert asked[0].thinking == {"type": "disabled"}


def test_a_later_summary_goes_on_from_the_one_before() -> None:
    spy = Spy()
    simulator = Simulator(
        Scenario.of(
            Rule(when="First summary", reply="Second summary."),
            Rule(when="Sum up", reply="First summary."),
            Rule(reply="Yes."),
        )
    )
    with line_of(spy, Trim(by="turns", keep=2, spare=0.5, how="summarise"), simulator) as line:
        chat = line.conversation()
        for number in range(5):
            chat.send(f"turn {number}")

    asked = [request.messages[0].text for request in spy.seen if len(request.messages) == 1]
    assert "First summary." in asked[-1]
    assert "turn 0" not in asked[-1]
    assert "Second summary." in spy.texts[0]


def test_a_summary_costs_the_turn_and_is_kept_for_messages_that_are_handed_over() -> None:
    spy = Spy()
    trim = Trim(by="turns", keep=4, how="summarise")
    with line_of(spy, trim) as line:
        first = line.send("Hi", messages=dialogue(8))
        again = line.send("Hi", messages=dialogue(8))

    assert len(first.trace.attempts) == 2
    assert len(again.trace.attempts) == 1
    assert first.cost is not None
    assert first.total_cost is not None
    assert first.total_cost > first.cost > 0
    assert again.total_cost == again.cost


def test_a_stream_is_not_disturbed_by_the_summary() -> None:
    spy = Spy()
    simulator = Simulator(
        Scenario.of(Rule(when="Sum up", reply="Ants."), Rule(reply="Yes, so it is."))
    )
    trim = Trim(by="turns", keep=2, how="summarise")
    with (
        line_of(spy, trim, simulator) as line,
        line.stream("And?", messages=dialogue(8)) as stream,
    ):
        text = "".join(stream.text)

    assert text == stream.reply.text == "Yes, so it is."
    assert "Ants." in spy.texts[0]


def test_where_nobody_is_asked_nothing_is_summed_up() -> None:
    spy = Spy()
    with line_of(spy, Trim(by="turns", keep=2, how="summarise")) as line:
        explained = line.explain("And?", messages=dialogue(8))

    assert explained.trace.attempts == []
    (told,) = notes(explained)
    assert re.fullmatch(r"16 messages would be summed up, for about USD 0\.00\d+", told)
    assert explained.trace.cost == 0


def test_a_summary_that_is_refused_leaves_the_turns_out() -> None:
    spy = Spy()
    simulator = Simulator(
        Scenario.of(Rule(when="Sum up", stop_reason="refusal", reply=""), Rule(reply="Yes."))
    )
    with line_of(spy, Trim(by="turns", keep=2, how="summarise"), simulator) as line:
        reply = line.send("And?", messages=dialogue(8))

    assert reply.text == "Yes."
    assert "no summary came" in notes(reply)[-1]


def test_a_summary_that_fails_fails_the_turn() -> None:
    simulator = Simulator(Scenario.of(Rule(when="Sum up", status=400), Rule(reply="Yes.")))
    with (
        line_of(Spy(), Trim(by="turns", keep=2, how="summarise"), simulator) as line,
        pytest.raises(APIError),
    ):
        line.send("And?", messages=dialogue(8))


def test_both_colours(run: Any) -> None:
    spy = Spy()

    async def body(line: Any) -> None:
        await line.send("And?", messages=dialogue(8))

    run(
        body, base_url="sim:", model=MODEL, plugins=[Trim(by="turns", keep=2, how="summarise"), spy]
    )
    assert len(spy.seen) == 2
    assert len(spy.seen[-1].messages) == 2


@pytest.mark.parametrize(
    "options", [{"by": "turns"}, {"by": "age"}, {"by": "words"}, {"how": "fold"}, {"spare": 1}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    config = {"plugins": {"trim": options}}
    with pytest.raises(ConfigError):
        Pipeline(base_url="sim:", config=config, plugins=["trim"])


TURNS = st.lists(st.sampled_from(["plain", "long", "tool", "system"]), min_size=1, max_size=25)


def history_of(kinds: list[str]) -> list[Message]:
    messages: list[Message] = []
    for number, kind in enumerate(kinds):
        messages.append(Message("user", f"{number} " + "word " * (200 if kind == "long" else 2)))
        if kind == "system":
            messages.append(Message("system", "Be brief."))
        if kind == "tool":
            messages += [
                Message("assistant", [ToolUseBlock(f"toolu_{number}", "get")]),
                Message("user", [ToolResultBlock(f"toolu_{number}", "Rain.")]),
            ]
        messages.append(Message("assistant", "Yes."))
    return messages


@settings(max_examples=60, deadline=None)
@given(
    TURNS,
    st.sampled_from(["tokens", "turns"]),
    st.integers(1, 400),
    st.sampled_from([0, 0.25, 0.9]),
)
def test_whatever_is_cut_the_simulator_takes_it_and_the_cut_holds(
    kinds: list[str], by: Any, keep: int, spare: float
) -> None:
    messages = tuple(history_of(kinds))
    spy = Spy()
    with line_of(spy, Trim(by=by, keep=keep, spare=spare), disable=["preflight"]) as line:
        line.send("Go on", messages=messages)
    left = spy.seen[-1].messages
    assert begins_turn(left[0])
    assert left == (*messages, Message("user", "Go on"))[-len(left) :]

    cuts: list[Cut] = []
    grown = Tracked()
    starts = [index for index, message in enumerate(messages) if begins_turn(message)]
    for start in starts:
        seen = messages[: start + 1]
        grown.look_at(seen, 0, None)
        alone = Tracked()
        alone.look_at(seen, 0, None)
        cuts.append(grown.cut_by_tokens(keep, keep * (1 - spare)))
        assert cuts[-1] == alone.cut_by_tokens(keep, keep * (1 - spare))
    assert [cut.start for cut in cuts] == sorted(cut.start for cut in cuts)


def test_a_thousand_turns_are_cut_in_less_than_20_ms() -> None:
    facts = load_models().require(MODEL)
    seconds = []
    for _ in range(5):
        messages = tuple(dialogue(1000, words=40))
        began = perf_counter()
        tracked = Tracked()
        tracked.look_at(messages, 0.0, facts)
        cut = tracked.cut_by_tokens(20_000, 15_000)
        seconds.append(perf_counter() - began)

    assert cut.start > 1000
    assert min(seconds) < 0.02
