"""Conversations: what is remembered, what is sent again, and when nothing changes."""

from itertools import pairwise
from typing import Any

import pytest

from hookline import (
    APIError,
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
