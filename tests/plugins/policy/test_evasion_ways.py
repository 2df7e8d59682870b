"""The ways by which a forbidden thing might leave or be delivered: other attempts, other answers, other doors, other hands."""

from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hookline import (
    Conversation,
    Document,
    Image,
    InputError,
    Message,
    Pipeline,
    PolicyViolation,
    Principal,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    hookimpl,
)
from hookline.endpoints import BatchItem
from hookline.plugin import Layer
from hookline.simulator import Rule
from hookline_plugins.policy.rules import Rules
from hookline_plugins.resilience.hedge import Hedge
from hookline_plugins.storage.recording import Record, Replay

MODEL = "claude-haiku-4-5"
FORBIDDEN = [{"id": "codename", "forbid": {"words": ["project zephyr"]}}]
SAID = "about Project  Zephyr, please"


def policy() -> Rules:
    return Rules(rules=FORBIDDEN)


def wire(server: Any) -> str:
    return "\n".join(call.body.decode() for call in server.calls).lower()


# Other attempts


class Late:
    """Says it in every attempt but the first; sits inside of everything that asks again."""

    layer = Layer.RECORD

    def __init__(self) -> None:
        self.asked: list[int] = []

    @hookimpl
    async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
        self.asked.append(1)
        if len(self.asked) > 1:
            return await call_next(request.with_system(SAID))
        while len(self.asked) == 1:  # until the hedge begins
            await turn.io.sleep(0.01)
        return await call_next(request)


def test_a_hedge_is_judged(run: Any, sim: Any, streamed: bool) -> None:
    server, late = sim(), Late()
    line = {"base_url": server, "plugins": [Hedge(delay=0.01), late], "policy": policy()}
    with suppress(PolicyViolation):  # or the first attempt answers after all
        run.outcome(streamed, line=line)
    assert len(late.asked) == 2
    assert "zephyr" not in wire(server)


def test_every_step_is_judged(run: Any, sim: Any, streamed: bool) -> None:
    def look_up() -> str:
        """Look something up."""
        return SAID

    server = sim(Rule(tool_use={"name": "look_up", "input": {}}, times=1), Rule(reply="Found."))
    with pytest.raises(PolicyViolation):
        run.outcome(streamed, line={"base_url": server, "policy": policy()}, tools=[look_up])
    assert len(server.calls) == 1


def test_what_fallback_and_resume_say_is_judged(run: Any, sim: Any, streamed: bool) -> None:
    class Words:
        """Puts it into what goes to the other model."""

        layer = Layer.RETRY

        @hookimpl
        async def send(self, request: Any, call_next: Any) -> Any:
            other = request.model != MODEL
            return await call_next(request.with_system(SAID) if other else request)

    server = sim(Rule(status=529, model=MODEL, times=99), Rule(reply="Hello"))
    config = {"plugins": {"retry": {"attempts": 1}, "fallback": {"models": ["claude-opus-4-5"]}}}
    line = {"base_url": server, "plugins": [Words()], "policy": policy(), "config": config}
    with pytest.raises(PolicyViolation):
        run.outcome(streamed, line={**line, "model": MODEL})
    assert "zephyr" not in wire(server)
    assert server.calls


# Other answers


def test_a_replayed_reply_is_judged_and_so_is_what_it_answers(
    run: Any, sim: Any, streamed: bool, tmp_path: Path
) -> None:
    server = sim(Rule(reply="It is project zephyr.", when="Which"), Rule(reply="Nothing."))
    for number, text in enumerate(("Which?", SAID)):
        tape = str(tmp_path / f"{number}.jsonl")
        run.outcome(streamed, text, line={"base_url": server, "plugins": [Record(path=tape)]})
        sent = len(server.calls)
        line = {"base_url": server, "plugins": [Replay(path=tape)]}
        assert run.outcome(streamed, text, line=line).text
        with pytest.raises(PolicyViolation):
            run.outcome(streamed, text, line={**line, "policy": policy()})
        assert len(server.calls) == sent


def test_the_result_of_a_batch_is_judged_when_it_is_read(sim: Any) -> None:
    server = sim(Rule(reply="It is project zephyr."))
    with Pipeline(base_url=server, model=MODEL, policy=policy()) as line:
        batch = line.batches.create([BatchItem("a", "Which?")])
        (result,) = line.batches.results(line.batches.wait(batch))
        assert result.reply is None
        assert isinstance(result.error, PolicyViolation)


CODED = b64encode(b"project zephyr").decode()
CITED = {
    "type": "text",
    "text": "As it says.",
    "citations": [
        {
            "type": "char_location",
            "cited_text": SAID,
            "document_index": 0,
            "document_title": "t",
            "start_char_index": 0,
            "end_char_index": 9,
        }
    ],
}
RESULT = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "title": SAID,
            "url": "https://a.example",
            "encrypted_content": "x",
            "page_age": None,
        }
    ],
}
USE = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search"}
REPLIES: dict[str, list[dict[str, Any]]] = {
    "text": [{"type": "text", "text": SAID}],
    "two blocks": [{"type": "text", "text": "It is proj"}, {"type": "text", "text": "ect zephyr."}],
    "thinking": [
        {"type": "thinking", "thinking": SAID, "signature": "s"},
        {"type": "text", "text": "a"},
    ],
    "cited text": [CITED],
    "search query": [{**USE, "input": {"query": SAID}}, RESULT | {"content": []}],
    "search result": [{**USE, "input": {"query": "a"}}, RESULT],
    "tool input": [{"type": "tool_use", "id": "toolu_1", "name": "n", "input": {"a": [SAID]}}],
    "tool input in base64": [
        {"type": "tool_use", "id": "toolu_1", "name": "n", "input": {"a": CODED}}
    ],
    "tool's name": [{"type": "tool_use", "id": "toolu_1", "name": "project_zephyr", "input": {}}],
    "a block of tomorrow": [{"type": "novel", "deep": {"er": [SAID]}}],
}


@pytest.mark.parametrize("chunk", [1, 4, 1000])
@pytest.mark.parametrize("place", REPLIES)
def test_wherever_a_reply_says_it(run: Any, sim: Any, place: str, chunk: int) -> None:
    server = sim(Rule(reply=REPLIES[place], chunk=chunk))
    tools = [
        {"name": "n", "input_schema": {"type": "object"}},
        {"name": "project_x", "input_schema": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    told: list[Any] = []

    async def body(line: Any) -> None:
        with pytest.raises(PolicyViolation):
            await line.send("Which?", tools=tools)
        with pytest.raises(PolicyViolation):
            async with line.stream("Which?", tools=tools) as stream:
                async for event in stream.events:
                    told.append(event)

    run(body, base_url=server, policy=policy(), disable=["preflight", "tools"])
    assert "zephyr" not in repr(told).lower()
    assert "ject" not in "".join(str(getattr(e, "delta", "")) for e in told)


def test_stop_details_are_judged(run: Any, sim: Any, streamed: bool) -> None:
    details = {"type": "refusal", "category": None, "explanation": SAID}
    server = sim(Rule(reply="", stop_reason="refusal", stop_details=details))
    with pytest.raises(PolicyViolation):
        run.outcome(streamed, line={"base_url": server, "policy": policy()})


# Other hands


@pytest.mark.parametrize(
    "option",
    [
        {"disable": ["rules"]},
        {"plugins": []},
        {"policy": None},
        {"config": {"plugins": {"disable": ["rules"]}}},
        {"enforcers": ()},
    ],
    ids=repr,
)
def test_no_call_takes_the_rules_away(sim: Any, option: dict[str, Any]) -> None:
    server = sim()
    with (
        Pipeline(base_url=server, model=MODEL, policy=policy()) as line,
        pytest.raises((TypeError, InputError)),
    ):
        line.send(SAID, **option)
    assert server.calls == []


def test_a_call_says_nothing_of_itself_that_the_owner_has_said(sim: Any) -> None:
    server = sim()
    rules = Rules(
        rules=[
            {**FORBIDDEN[0], "for": {"teams": ["sales"]}},
            {"id": "where", "max_tokens": {"max": 9}, "when": "context.app == 'shop'"},
        ]
    )
    options: dict[str, Any] = {"base_url": server, "model": MODEL, "policy": rules}
    with Pipeline(principal=Principal(team="sales"), context={"app": "shop"}, **options) as line:
        research = Principal(team="research")
        calls: list[dict[str, Any]] = [
            {"principal": research},
            {"context": {"app": "lab"}},
            {"principal": research, "context": {"app": "lab"}},
        ]
        for call in calls:
            with pytest.raises((PolicyViolation, InputError)):
                line.send(SAID, max_tokens=5, **call)
            with pytest.raises((PolicyViolation, InputError)):
                line.send("Hello", max_tokens=10, **call)
    assert server.calls == []


def test_a_history_that_was_written_by_hand_is_judged(sim: Any) -> None:
    server = sim()
    with Pipeline(base_url=server, model=MODEL) as line:
        chat = line.conversation(messages=[Message("user", SAID), Message("assistant", "Yes.")])
        kept = chat.to_json()
    with Pipeline(base_url=server, model=MODEL, policy=policy()) as line:
        again = Conversation.from_json(kept, line)
        for door in (again.send, again.stream):
            with pytest.raises(PolicyViolation):
                _ = door("And?").text if door == again.send else drained(door("And?"))
    assert server.calls == []


def drained(stream: Any) -> Any:
    with stream:
        return stream.reply


class Early:
    """Says it before anybody else has looked, and takes part in every hook that it can."""

    first = True

    @hookimpl(tryfirst=True)
    def build_history(self, request: Any) -> Any:
        return request.append(Message("user", SAID))

    @hookimpl
    def filter_stream(self) -> None: ...

    @hookimpl
    async def call_tool(self, call: Any, call_next: Any) -> Any:
        return (await call_next(call)).evolve(content=SAID)


class Afterwards:
    """Says it once the model has answered."""

    last = True

    @hookimpl(trylast=True)
    def post_process(self, reply: Any) -> Any:
        return reply.evolve(response=reply.response.evolve(content=(TextBlock(SAID),)))


class Results:
    """Says it in the result of a tool, from outside of the tool."""

    @hookimpl
    async def call_tool(self, call: Any, call_next: Any) -> Any:
        return (await call_next(call)).evolve(content=SAID)


@pytest.mark.parametrize("plugin", [Early, Afterwards, Results])
@pytest.mark.parametrize("behind", [False, True])
def test_hostile_plugins_before_and_after(
    run: Any, sim: Any, streamed: bool, plugin: Any, behind: bool
) -> None:
    def look_up() -> str:
        """Look something up."""
        return "nothing"

    server = sim(Rule(tool_use={"name": "look_up", "input": {}}, times=1), Rule(reply="Found."))
    line: dict[str, Any] = {"base_url": server, "policy": policy()}
    if behind:  # two of them, around everything
        line["plugins"] = [type("Other", (plugin,), {"first": False, "last": True})(), plugin()]
    else:
        line["plugins"] = [plugin()]
    with pytest.raises(PolicyViolation):
        run.outcome(streamed, line=line, tools=[look_up])
    assert "zephyr" not in wire(server)


def test_a_file_that_a_plugin_uploads_is_judged(sim: Any) -> None:
    server = sim()
    config: dict[str, Any] = {"plugins": {"uploads": {}}}
    with (
        Pipeline(base_url=server, model=MODEL, policy=policy(), config=config) as line,
        pytest.raises(PolicyViolation),
    ):
        line.send([Document(f"{SAID} {'and so on ' * 5000}".encode()), "What is it?"])
    assert "zephyr" not in wire(server)


def test_a_name_of_an_image_that_is_fetched_is_judged_in_a_tool_s_result(sim: Any) -> None:
    server = sim()
    history = [
        Message("user", "a"),
        Message("assistant", [ToolUseBlock("t", "n", {})]),
        Message(
            "user",
            [
                ToolResultBlock(
                    "t", [Image("https://a.example/project%20zephyr.png", strategy="url")]
                )
            ],
        ),
        Message("assistant", "b"),
    ]
    with (
        Pipeline(base_url=server, model=MODEL, policy=policy()) as line,
        pytest.raises(PolicyViolation),
    ):
        line.send("Hello", messages=history)
    assert server.calls == []


def test_a_message_that_begins_with_it_is_not_delivered(
    run: Any, loopback: Any, sse: Any, sse_head: bytes, deltas: Any
) -> None:
    start, *rest = deltas("Hello", end=True)
    start["message"]["novel"] = {"deep": [SAID]}
    server = loopback(lambda _: [sse_head, sse(start, *rest)])
    told: list[Any] = []

    async def body(line: Any) -> None:
        with pytest.raises(PolicyViolation):
            async with line.stream("Which?") as stream:
                async for event in stream.events:
                    told.append(event)

    run(body, base_url=server.url, policy=policy())
    assert told == []
