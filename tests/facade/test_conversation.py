"""Conversations: what is remembered, what is sent again, and when nothing changes."""

import copy
import inspect
import json
import pickle
from itertools import pairwise
from typing import Any

import pytest

from hookline import (
    APIError,
    AsyncPipeline,
    Conversation,
    InputError,
    Message,
    Pipeline,
    Reply,
    StreamInterrupted,
    TextBlock,
    hookimpl,
)
from hookline.simulator import Rule


async def say(chat: Any, streamed: Any, text: str) -> Any:
    if not streamed:
        return await chat.send(text)
    async with chat.stream(text) as stream:
        return await stream.reply


def test_history_is_kept_and_sent_for_you(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(when="Hello", reply="Hi!", times=1), Rule(reply="Gladly."))

    async def body(line: Any) -> None:
        chat = line.conversation(system="Be brief.")
        assert (await say(chat, streamed, "Hello")).text == "Hi!"
        assert (await say(chat, streamed, "Go on")).text == "Gladly."
        assert [message.text for message in chat.messages] == ["Hello", "Hi!", "Go on", "Gladly."]
        assert len(chat) == 4

    run(body, base_url=server)
    assert [body["system"] for body in server.bodies] == ["Be brief."] * 2
    assert [message["role"] for message in server.bodies[1]["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


def test_the_body_of_a_turn_begins_with_the_bytes_of_the_one_before(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim(Rule(reply='Quotes " and é'))

    async def body(line: Any) -> None:
        chat = line.conversation(system="Be brief.", temperature=0.5)
        for text in ("one", "two", "three", "four"):
            await say(chat, streamed, text)

    run(body, base_url=server)
    bodies = [call.body for call in server.calls]
    for earlier, later in pairwise(bodies):
        assert earlier.endswith(b"]}")
        assert later.startswith(earlier[:-2])


def test_synthetic_turns_are_sent_like_any_other(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        chat = line.conversation()
        chat.add("user", "Hello").add("assistant", "I am a pirate.")
        chat.add("user", ["Say", TextBlock("more")])
        chat.add("assistant", "Arr!")
        await chat.send("Who are you?")
        assert len(chat) == 6

    run(body, base_url=server)
    assert server.bodies[0]["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "I am a pirate."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Say"}, {"type": "text", "text": "more"}],
        },
        {"role": "assistant", "content": "Arr!"},
        {"role": "user", "content": "Who are you?"},
    ]


def test_a_wrong_name_is_told_where_it_is_written() -> None:
    with Pipeline(base_url="sim:") as line:
        with pytest.raises(InputError, match="did you mean 'system'"):
            line.conversation(sytem="Be brief.")  # type: ignore[call-arg]  # the mistake
        with pytest.raises(InputError, match="no parameter 'histroy'"):
            line.send("Hello", histroy=[])  # type: ignore[call-arg]  # the mistake


@pytest.mark.parametrize("make", [Pipeline, AsyncPipeline])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"system": 5}, "system must be a string"),
        ({"model": "haiku"}, "did you mean"),
        ({"tools": [5]}, r"tools\[0\] must be a function"),
        ({"max_tokens": "many"}, "max_tokens must be an integer"),
    ],
)
def test_a_wrong_value_is_told_where_it_is_written(make: Any, options: Any, said: str) -> None:
    line = make(base_url="sim:")  # which opens nothing before it is used
    with pytest.raises(InputError, match=said):
        line.conversation(**options)


def test_a_conversation_may_begin_with_messages(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        given = [Message("user", "Hello"), {"role": "assistant", "content": "Hi!"}]
        await line.conversation(messages=given).send("Go on")
        await line.send("Go on", messages=given)

    run(body, base_url=server)
    assert server.bodies[0]["messages"] == server.bodies[1]["messages"]
    assert [message["content"] for message in server.bodies[0]["messages"]] == [
        "Hello",
        "Hi!",
        "Go on",
    ]


def test_messages_of_a_call_stand_between_the_conversation_and_the_new_message(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim(Rule(reply="Hi!"))
    between = [Message("user", "third"), Message("assistant", "fourth")]

    async def body(line: Any) -> None:
        chat = line.conversation()
        chat.add("user", "first").add("assistant", "second")
        if streamed:
            async with chat.stream("fifth", messages=between) as stream:
                await stream.reply
        else:
            await chat.send("fifth", messages=between)
        assert [each.text for each in chat.messages] == [
            *("first", "second", "third", "fourth", "fifth", "Hi!")
        ]

    run(body, base_url=server)
    assert [message["content"] for message in server.bodies[0]["messages"]] == [
        *("first", "second", "third", "fourth", "fifth")
    ]


def ways_to_copy(chat: Any, line: Any) -> list[Any]:
    return [
        copy.copy(chat),
        copy.deepcopy(chat),
        pickle.loads(pickle.dumps(chat)).over(line),  # noqa: S301 -- our own
        type(chat).from_json(chat.to_json(), line),
    ]


def test_a_copy_goes_on_by_itself(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        line = getattr(line, "inner", line)
        make = line.conversation(system="Be brief.", temperature=0.5)
        chat = make.add("user", "one").add("assistant", "two")
        for other in ways_to_copy(chat, line):
            assert other.messages == chat.messages
            assert other.options == chat.options
            sent = other.send("three")
            reply = await sent if inspect.isawaitable(sent) else sent
            assert "three" in reply.text
            assert len(other) == 4
            other.options["system"] = "Be long."
        assert len(chat) == 2
        assert chat.options["system"] == "Be brief."

    run(body, base_url=server)
    assert {body["system"] for body in server.bodies} == {"Be brief."}


def test_a_copy_made_in_the_middle_of_a_turn_is_free() -> None:
    with Pipeline(base_url="sim:") as line:
        chat = line.conversation()
        with chat.stream("one") as stream:
            for other in ways_to_copy(chat, line):
                assert other.send("two").text
            assert stream.reply.text
        assert len(chat) == 2


def test_a_deep_copy_shares_no_option() -> None:
    with Pipeline(base_url="sim:") as line:
        chat = line.conversation(metadata={"user_id": "ada"}, context={"tags": ["a"]})
        other = copy.deepcopy(chat)
        other.options["context"]["tags"].append("b")
        assert chat.options["context"] == {"tags": ["a"]}


def test_an_unpickled_conversation_says_what_it_lacks() -> None:
    with Pipeline(base_url="sim:") as line:
        chat = pickle.loads(pickle.dumps(line.conversation()))  # noqa: S301 -- our own
        with pytest.raises(InputError, match=r"chat\.over\(line\)"):
            chat.send("Hello")
        with pytest.raises(InputError, match=r"chat\.over\(line\)"):
            chat.stream("Hello")
        assert chat.over(line).send("Hello").text


def test_json_keeps_what_a_request_can_say() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    definition = {"name": "look", "input_schema": {"type": "object"}}
    with Pipeline(base_url="sim:") as line:
        chat = line.conversation(
            model="claude-haiku-4-5",
            system=["Be brief.", {"type": "text", "text": "Now.", "citations": None, "new": 1}],
            tools=[add, definition],
            betas=["context-management-2025-06-27"],
            extra={"later": {"a": [1]}},
            timeout=5,
            messages=[
                {"role": "user", "content": 'ünï\ud800\x00\u2028"'},
                {"role": "assistant", "content": [{"type": "unheard_of", "x": 2**70}]},
            ],
        )
        chat.incomplete = True
        saved = json.loads(chat.to_json())
        other = Conversation.from_json(chat.to_json(), line, timeout=5)
    assert saved == {
        "model": "claude-haiku-4-5",
        "system": [
            {"type": "text", "text": "Be brief."},
            {"type": "text", "text": "Now.", "citations": None, "new": 1},
        ],
        "tools": [definition],
        "betas": ["context-management-2025-06-27"],
        "later": {"a": [1]},
        "messages": [
            {"role": "user", "content": 'ünï\ud800\x00\u2028"'},
            {"role": "assistant", "content": [{"type": "unheard_of", "x": 2**70}]},
        ],
        "incomplete": True,
    }
    assert other.to_json() == chat.to_json()
    assert other.messages == chat.messages
    assert other.incomplete
    assert other.options["timeout"] == 5


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
        ("5", "JSON object with messages, or a list"),
        ('{"system": "x"}', "JSON object with messages, or a list"),
        ('[{"role": "user", "content": "x"}, 3]', r"messages\[1\]|messages.1"),
        ('{"messages": [{"content": "x"}]}', "role"),
        ('{"messages": [], "betas": 5}', "betas"),
    ],
)
def test_what_is_no_conversation(data: Any, said: str) -> None:
    with Pipeline(base_url="sim:") as line, pytest.raises(InputError, match=said):
        Conversation.from_json(data, line).send("Hello")


def test_what_json_cannot_carry_is_refused() -> None:
    with Pipeline(base_url="sim:") as line:
        chat = line.conversation()
        chat.options["metadata"] = {"user_id": object()}  # which may be changed between turns
        with pytest.raises(InputError, match="JSON"):
            chat.to_json()


@pytest.mark.parametrize(
    ("role", "content", "text"),
    [
        ("system", "x", "role must be 'user' or 'assistant'"),
        ("user", "", "empty"),
        ("user", "  ", "empty"),
        ("assistant", [], "empty"),
        ("user", None, "nothing to send"),
        ("user", [5], "not int"),
    ],
)
def test_a_turn_that_cannot_be_is_refused_and_changes_nothing(
    run: Any, role: str, content: Any, text: str
) -> None:
    async def body(line: Any) -> None:
        chat = line.conversation()
        with pytest.raises(InputError, match=text):
            chat.add(role, content)
        assert len(chat) == 0
        await chat.send("Hello")

    run(body)


def test_a_failing_turn_leaves_the_conversation_as_it_was(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim(Rule(call=2, status=500))

    async def body(line: Any) -> None:
        chat = line.conversation()
        await say(chat, streamed, "one")
        before = chat.messages
        with pytest.raises(APIError):
            await say(chat, streamed, "two")
        assert chat.messages == before
        assert not chat.incomplete
        await say(chat, streamed, "three")
        assert [message.text for message in chat.messages[::2]] == ["one", "three"]

    run(body, base_url=server)


def test_a_stream_that_is_left_early_keeps_what_had_arrived(run: Any, sim: Any) -> None:
    server = sim(Rule(reply="one two three four", chunk=4, times=1))

    async def body(line: Any) -> None:
        chat = line.conversation()
        async with chat.stream("Count") as stream:
            seen = ""
            async for piece in stream.text:
                seen += piece
                if "two" in seen:
                    break
        assert chat.incomplete
        assert [message.text for message in chat.messages] == ["Count", seen]
        await chat.send("Go on")
        assert not chat.incomplete
        assert len(chat) == 4

    run(body, base_url=server)


def test_a_stream_that_breaks_keeps_what_had_arrived(run: Any, sim: Any) -> None:
    server = sim(Rule(reply="one two three four", chunk=4, cut_after=6, times=1))

    async def body(line: Any) -> None:
        chat = line.conversation()
        with pytest.raises(StreamInterrupted) as caught:
            await say(chat, streamed=True, text="Count")
        assert chat.incomplete
        assert caught.value.partial is not None
        assert chat.messages[-1].text == caught.value.partial.text != ""
        await chat.send("Go on")
        assert not chat.incomplete

    run(body, base_url=server)


def test_half_a_tool_call_is_not_remembered(run: Any, sim: Any) -> None:
    tool = {"name": "add", "input": {"a": 1, "b": 2}}
    server = sim(Rule(tool_use=tool, reply="I add.", cut_after=8, times=1))

    async def body(line: Any) -> None:
        chat = line.conversation()
        with pytest.raises(StreamInterrupted):
            await say(chat, streamed=True, text="Add")
        assert all(block.type == "text" for block in chat.messages[-1].blocks)

    run(body, base_url=server)


def test_two_turns_at_once_are_refused(run: Any, streamed: Any) -> None:
    async def body(line: Any) -> None:
        chat = line.conversation()
        async with chat.stream("one") as stream:
            with pytest.raises(InputError, match="in the middle of a turn"):
                await say(chat, streamed, "two")
            with pytest.raises(InputError, match="in the middle of a turn"):
                chat.add("user", "two")
            await stream.reply
        await say(chat, streamed, "three")
        assert len(chat) == 4

    run(body)


def test_a_stream_made_before_another_turn_does_not_forget_that_turn(run: Any) -> None:
    async def body(line: Any) -> None:
        chat = line.conversation()
        stale = chat.stream("two")
        await chat.send("one")
        with pytest.raises(InputError, match="has gone on"):
            async with stale:
                pass
        assert [message.text for message in chat.messages[::2]] == ["one"]
        await chat.send("three")

    run(body)


def test_a_stream_that_cannot_be_entered_leaves_the_conversation_free(run: Any, sim: Any) -> None:
    server = sim(Rule(status=500, times=1))

    async def body(line: Any) -> None:
        chat = line.conversation()
        with pytest.raises(APIError):
            async with chat.stream("one"):
                pass
        assert len(chat) == 0
        await chat.send("two")

    run(body, base_url=server)


def test_options_of_a_turn_win_over_those_of_the_conversation(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        chat = line.conversation(system="A", max_tokens=10)
        await chat.send("one", max_tokens=20)
        await chat.send("two")

    run(body, base_url=server)
    assert [body["max_tokens"] for body in server.bodies] == [20, 10]
    assert {body["system"] for body in server.bodies} == {"A"}


def test_what_the_onion_changed_is_not_remembered(run: Any, sim: Any) -> None:
    from hookline import hookimpl

    server = sim()

    class Wire:
        @hookimpl
        def send(self, request: Any, call_next: Any) -> Any:
            return call_next(request.append(Message("user", "on the wire")))

    async def body(line: Any) -> None:
        chat = line.conversation()
        await chat.send("one")
        assert "on the wire" not in [message.text for message in chat.messages]

    run(body, base_url=server, plugins=[Wire()])


def test_what_the_transforms_changed_is_remembered(run: Any, sim: Any) -> None:
    from hookline import hookimpl

    server = sim()

    class Stamp:
        @hookimpl
        def resolve_images(self, request: Any) -> Any:
            *rest, last = request.messages
            return request.evolve(messages=(*rest, Message(last.role, last.text + " [stamp]")))

    async def body(line: Any) -> None:
        chat = line.conversation()
        await chat.send("one")
        assert chat.messages[0].text == "one [stamp]"

    run(body, base_url=server, plugins=[Stamp()])


def test_representations_are_short_and_safe(run: Any) -> None:
    async def body(line: Any) -> None:
        chat = line.conversation()
        chat.add("user", "<script>alert(1)</script>")
        assert repr(getattr(chat, "inner", chat)).endswith("Conversation 1 message>")
        drawn = chat._repr_html_()
        assert "<script>" not in drawn
        assert "&lt;script&gt;" in drawn

    run(body)


def test_a_rewritten_prefill_leaves_nothing_of_itself_in_the_conversation() -> None:
    class Rewriter:
        @hookimpl
        def post_process(self, reply: Reply) -> Reply:
            return reply.with_text("something else")

    with Pipeline(base_url="sim:", model="claude-haiku-4-5", plugins=[Rewriter()]) as line:
        chat = line.conversation()
        chat.send("Hello", prefill="Well,")
    assert [message.text for message in chat.messages] == ["Hello", "something else"]
