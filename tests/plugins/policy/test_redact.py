"""The plugin `redact`: nothing leaves, everything comes back, whatever the way."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from hookline import BatchItem, Document, Message, Pipeline, PolicyViolation, hookimpl
from hookline.plugin import Principal
from hookline.simulator import Rule
from hookline.values import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    InputJSONDelta,
    TextBlock,
    TextDelta,
    ToolResultBlock,
    ToolUseBlock,
)
from hookline_plugins.policy.redact import Redact
from hookline_plugins.policy.redact.placeholders import Found, Placeholders
from hookline_plugins.policy.redact.restoring import Restoring
from hookline_plugins.storage.cache import Cache

MAIL = "ada@example.org"
CARD = "4111 1111 1111 1111"
IMAGE = {"type": "image", "source": {"type": "url", "url": f"https://example.org/{MAIL}/a.png"}}


def line_of(server: Any, *plugins: Any, **redact: Any) -> dict[str, Any]:
    return {"base_url": server, "plugins": [*plugins, Redact(**redact)]}


def wire(server: Any) -> str:
    return "\n".join(call.body.decode() for call in server.calls)


def document(text: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": text},
        **more,
    }


def test_the_wire_sees_a_placeholder_and_the_caller_the_value(
    run: Any, sim: Any, streamed: bool
) -> None:
    server = sim(Rule(reply="Writing to [MAIL_1] and not [MAIL_2].", chunk=3))
    reply = run.outcome(streamed, f"Write to {MAIL}.", line=line_of(server))
    assert reply.text == f"Writing to {MAIL} and not [MAIL_2]."
    assert server.bodies[0]["messages"][0]["content"] == "Write to [MAIL_1]."
    assert reply.messages[0].text == f"Write to {MAIL}."
    assert ("redact", "1 mail replaced") in reply.trace.notes


EVERY_PART: dict[str, dict[str, Any]] = {
    "system": {"system": f"For {MAIL}"},
    "system blocks": {"system": [{"type": "text", "text": f"For {MAIL}"}]},
    "history": {
        "messages": [Message("user", MAIL), Message("assistant", MAIL), Message("user", "x")]
    },
    "prefill": {"prefill": f"Dear {MAIL}"},
    "document": {"message": [document(f"by {MAIL}"), "Whose?"]},
    "document title": {"message": [document("x", title=f"{MAIL}.txt", context=MAIL), "?"]},
    "document made here": {"message": [Document.from_text(f"by {MAIL}"), "?"]},
    "tool description": {
        "tools": [
            {
                "name": "mail",
                "description": f"Writes to {MAIL}",
                "input_schema": {
                    "type": "object",
                    "properties": {"to": {"type": "string", "description": MAIL}},
                },
            }
        ]
    },
    "tool input and result": {
        "messages": [
            Message("user", "x"),
            Message("assistant", [ToolUseBlock("toolu_1", "mail", {"to": [{"x": MAIL}]})]),
            Message(
                "user",
                [ToolResultBlock("toolu_1", f"sent to {MAIL}")],
            ),
        ],
        "tools": [{"name": "mail", "input_schema": {"type": "object"}}],
    },
    "metadata": {"metadata": {"user_id": MAIL}},
    "stop sequence": {"stop_sequences": [MAIL]},
}


@pytest.mark.parametrize("part", EVERY_PART)
@pytest.mark.parametrize("action", ["replace", "mask", "block"])
def test_every_part_of_a_request(blocking: Any, sim: Any, part: str, action: Any) -> None:
    server = sim(Rule(reply="yes"))
    given = dict(EVERY_PART[part])
    message = given.pop("message", None if "messages" in given else "Hello")
    line = line_of(server, action=action)

    def ask() -> Any:
        return blocking.send(message, line=line, **given)

    if action == "block":
        with pytest.raises(PolicyViolation, match=r"holds \d mail, which may not leave") as caught:
            ask()
        assert MAIL not in str(caught.value)
        assert caught.value.rule == "mail"
        assert server.calls == []
    else:
        ask()
        assert MAIL not in wire(server)
        assert ("[MAIL]" if action == "mask" else "[MAIL_1]") in wire(server)


@pytest.mark.parametrize(
    "given",
    [
        {"message": [IMAGE, "What?"]},
        {
            "tools": [
                {
                    "name": "mail",
                    "input_schema": {"type": "object", "properties": {"to": {"enum": [MAIL]}}},
                }
            ]
        },
    ],
    ids=["address of an image", "value in a schema"],
)
def test_what_cannot_be_rewritten_is_refused(blocking: Any, sim: Any, given: Any) -> None:
    server = sim()
    message = given.get("message", "Hello")
    with pytest.raises(PolicyViolation, match=r"^\$\..* holds 1 mail, where no"):
        blocking.send(
            message, line=line_of(server), **{k: v for k, v in given.items() if k != "message"}
        )
    assert server.calls == []


def test_tools_get_the_values_and_their_results_leave_without(
    run: Any, sim: Any, streamed: bool
) -> None:
    got: list[str] = []

    def send_mail(to: str) -> str:
        """Send a mail."""
        got.append(to)
        return f"sent to {to}, copy to bob@example.org"

    server = sim(
        Rule(tool_use={"name": "send_mail", "input": {"to": "[MAIL_1]"}}, times=1, chunk=2),
        Rule(reply="Sent to [MAIL_1] and [MAIL_2]."),
    )
    reply = run.outcome(streamed, f"Mail {MAIL}", line=line_of(server), tools=[send_mail])
    assert got == [MAIL]
    assert reply.text == f"Sent to {MAIL} and bob@example.org."
    assert "example.org" not in wire(server)
    assert "sent to [MAIL_1], copy to [MAIL_2]" in wire(server)


def test_a_conversation_keeps_the_original_and_the_placeholder_stays(run: Any, sim: Any) -> None:
    server = sim(Rule(call=1, reply="Hello [MAIL_1]"), Rule(reply="[CARD_1] of [MAIL_1], [MAIL_2]"))

    async def body(line: Any) -> Any:
        chat = line.conversation(system="For bob@example.org")
        await chat.send(f"I am {MAIL}")
        reply = await chat.send(f"My card is {CARD}, and {MAIL} is me")
        return reply, [message.text for message in chat.messages]

    reply, kept = run(body, **line_of(server))
    first, second = server.bodies
    assert first["system"] == second["system"] == "For [MAIL_1]"
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert second["messages"][-1]["content"] == "My card is [CARD_1], and [MAIL_2] is me"
    assert kept[0] == f"I am {MAIL}"
    assert reply.text == f"{CARD} of bob@example.org, {MAIL}"
    assert kept[-1] == reply.text


def test_an_answer_out_of_the_cache_is_restored(run: Any, sim: Any, streamed: bool) -> None:
    server = sim(Rule(reply="Hello [MAIL_1]"))
    cache = Cache()
    for _ in range(2):  # two pipelines: nothing but the request is known to the second
        reply = run.outcome(streamed, f"I am {MAIL}", line=line_of(server, cache))
        assert reply.text == f"Hello {MAIL}"
    assert len(server.calls) == 1
    with pytest.raises(PolicyViolation, match="1 mail"):  # nor is the cache a way around
        run.outcome(streamed, f"I am {MAIL}", line=line_of(server, cache, action="block"))


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("user:ada", True),
        ("team:risk", True),
        ("tenant:acme", True),
        ("tag:cleared=yes", True),
        ("*", True),
        ("user:bob", False),
        ("tag:cleared=no", False),
    ],
)
def test_only_who_may_see_gets_the_values(
    run: Any, sim: Any, streamed: bool, who: str, sees: bool
) -> None:
    ada = Principal(user="ada", team="risk", tenant="acme", tags={"cleared": "yes"})
    server = sim(Rule(reply="Hello [MAIL_1]"))
    line = {**line_of(server, restore_for=(who,)), "principal": ada}
    reply = run.outcome(streamed, f"I am {MAIL}", line=line)
    assert reply.text == (f"Hello {MAIL}" if sees else "Hello [MAIL_1]")


def test_an_unrestored_placeholder_in_the_history_means_the_same_next_turn(
    blocking: Any, sim: Any
) -> None:
    server = sim(Rule(reply="Hello [MAIL_1]"))

    async def body(line: Any) -> None:
        chat = line.conversation()
        await chat.send(f"I am {MAIL}")
        await chat.send("Who is [MAIL_1]? Not bob@example.org")

    blocking(body, **line_of(server, restore_for=()))
    assert [m["content"] for m in server.bodies[1]["messages"][::2]] == [
        "I am [MAIL_1]",
        "Who is [MAIL_1]? Not [MAIL_2]",
    ]


def test_a_batch_is_redacted_and_its_results_are_restored(blocking: Any, sim: Any) -> None:
    server = sim(Rule(reply="Hello [MAIL_1]"))
    with Pipeline(**line_of(server), model="claude-haiku-4-5") as line:
        batch = line.batches.create([BatchItem("a", f"I am {MAIL}")])
        assert MAIL not in wire(server)
        batch = line.batches.wait(batch)
        (result,) = line.batches.results(batch)
    assert result.reply is not None
    assert result.reply.text == f"Hello {MAIL}"


def test_counting_tokens_sends_no_value(run: Any, sim: Any) -> None:
    server = sim()
    run(lambda line: line.count_tokens(f"I am {MAIL}"), **line_of(server))
    assert "[MAIL_1]" in wire(server)
    assert MAIL not in wire(server)


def test_a_finder_that_fails_lets_nothing_out(run: Any, sim: Any, streamed: bool) -> None:
    def broken(text: str) -> Iterator[tuple[int, int]]:
        raise RuntimeError(text)
        yield

    server = sim()
    with pytest.raises(PolicyViolation, match="could not decide"):
        run.outcome(streamed, "Hello", line=line_of(server, finders={"own": broken}))
    assert server.calls == []


def test_a_plugin_that_puts_a_value_in_late_is_caught(run: Any, sim: Any, streamed: bool) -> None:
    class Late:
        @hookimpl
        def send(self, request: Any, call_next: Any) -> Any:
            return call_next(request.with_system(f"Ask {MAIL}"))

    server = sim(Rule(reply="ok"))
    run.outcome(streamed, "Hello", line=line_of(server, Late()))
    assert server.bodies[0]["system"] == "Ask [MAIL_1]"


def placeholders(*values: str) -> Placeholders:
    made = Placeholders()
    for value in values:
        made.replaced(value, (Found("x", 0, len(value)),), {"x": "X"})
    return made


def through(made: Placeholders, block: Any, deltas: list[Any]) -> list[Any]:
    filter_ = Restoring(made)
    filter_.begin("", whole=False)
    events = [
        ContentBlockStart(0, block),
        *(ContentBlockDelta(0, delta) for delta in deltas),
        ContentBlockStop(0),
    ]
    out = [passed for event in events for passed in filter_.feed(event)]
    return [each.delta for each in out if isinstance(each, ContentBlockDelta)]


TEXT = "[[X_1] a [X_2][X_1]] [X_3] [X_"


def test_text_is_restored_however_it_is_split() -> None:
    made = placeholders("one [", "two")
    for first in range(len(TEXT) + 1):
        for second in range(first, len(TEXT) + 1):
            pieces = [TEXT[:first], TEXT[first:second], TEXT[second:]]
            deltas = through(made, TextBlock(""), [TextDelta(each) for each in pieces if each])
            assert "".join(each.text for each in deltas) == "[one [ a twoone [] [X_3] [X_"


def test_the_input_of_a_tool_is_restored_however_it_is_split() -> None:
    made = placeholders('o"ne\n', "two")
    text = json.dumps({"[X_1]": "to [X_1]", "b": ["[X_2]"]}).replace("[X_2]", "\\u005bX_2]")
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1, 3):
            pieces = [text[:first], text[first:second], text[second:]]
            deltas = through(
                made, ToolUseBlock("t", "n", {}), [InputJSONDelta(each) for each in pieces if each]
            )
            restored = json.loads("".join(each.partial_json for each in deltas))
            assert restored == {"[X_1]": 'to o"ne\n', "b": ["two"]}


def test_quotes_of_citations_are_restored(run: Any, sim: Any, streamed: bool) -> None:
    cited = {
        "type": "text",
        "text": "It is [MAIL_1].",
        "citations": [
            {
                "type": "char_location",
                "cited_text": "by [MAIL_1]",
                "document_index": 0,
                "document_title": "of [MAIL_1], 3",
                "start_char_index": 0,
                "end_char_index": 11,
            }
        ],
    }
    server = sim(Rule(reply=[cited], times=1), Rule(reply="Yes."))
    title = f"of {MAIL}, 3"
    message = [document(f"by {MAIL}", title=title, citations={"enabled": True}), "Whose?"]

    async def body(line: Any) -> Any:
        chat = line.conversation()
        if streamed:
            async with chat.stream(message) as stream:
                reply = await stream.reply
        else:
            reply = await chat.send(message)
        await chat.send("Sure?")  # what came back goes out again, hidden as before
        return reply

    reply = run(body, **line_of(server))
    (block,) = reply.response.content
    assert block.text == f"It is {MAIL}."
    assert [(each.cited_text, each.document_title) for each in block.citations] == [
        (f"by {MAIL}", title)
    ]
    assert MAIL.encode() not in server.calls[-1].body
    assert server.calls[-1].body.count(b"of [MAIL_1], 3") == 2


def test_a_package_that_is_missing_is_named_when_the_pipeline_opens(
    blocking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    monkeypatch.delitem(sys.modules, "hookline_plugins.policy.redact.recognise")
    with pytest.raises(PolicyViolation, match=r"pip install 'hookline\[redact\]'"):
        blocking.send(line=line_of("sim:"))
