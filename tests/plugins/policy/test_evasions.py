"""The same forbidden thing said in every way that we know of: nothing goes through."""

import asyncio
import json
import threading
from base64 import b64encode
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import (
    AsyncPipeline,
    ConfigError,
    Document,
    Message,
    Pipeline,
    PolicyViolation,
    ToolResultBlock,
    ToolUseBlock,
    UnresolvedContent,
    hookimpl,
)
from hookline.endpoints import BatchItem
from hookline.simulator import Rule
from hookline.values import (
    Base64Source,
    CacheControl,
    DocumentBlock,
    ImageBlock,
    RedactedThinkingBlock,
    SearchResultBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    UnknownBlock,
    URLSource,
)
from hookline_plugins.policy.rules import Rules
from hookline_plugins.storage.cache import Cache

MODEL = "claude-haiku-4-5"
RULES = [{"id": "codename", "forbid": {"words": ["project zephyr"]}}]
SAID = "about Project  Zephyr, please"
CODED = b64encode(b"about project zephyr").decode()


def turns(use: Any, result: Any = "fine") -> list[Message]:
    return [
        Message("user", "Look it up."),
        Message("assistant", [ToolUseBlock("toolu_1", "look_up", use)]),
        Message("user", [ToolResultBlock("toolu_1", result)]),
        Message("assistant", "Found."),
    ]


def tool(**fields: Any) -> dict[str, Any]:
    return {"name": "look_up", "input_schema": {"type": "object"}, **fields}


SCHEMA = {"type": "object", "properties": {"x": {"enum": [SAID]}}}
PLACES: dict[str, dict[str, Any]] = {
    "system": {"system": SAID},
    "system of blocks": {"system": [TextBlock("about pro"), TextBlock("ject zephyr")]},
    "system message": {"messages": [Message("user", "a"), Message("system", SAID)]},
    "history": {"messages": [Message("user", SAID), Message("assistant", "Yes.")]},
    "what the model said": {"messages": [Message("user", "a"), Message("assistant", SAID)]},
    "thinking": {
        "messages": [Message("user", "a"), Message("assistant", [ThinkingBlock(SAID, "sig"), "b"])]
    },
    "prefill": {"prefill": SAID},
    "instructed prefill": {"prefill": SAID, "prefill_mode": "instructed"},
    "tool description": {"tools": [tool(description=SAID)]},
    "tool schema": {"tools": [tool(input_schema=SCHEMA)]},
    "tool example": {"tools": [tool(input_examples=[{"x": SAID}])]},
    "tool input": {"messages": turns({"query": SAID})},
    "tool input's key": {"messages": turns({SAID: 1})},
    "deep tool input": {"messages": turns({"a": [{"b": [[SAID]]}]})},
    "tool input in base64": {"messages": turns({"data": CODED})},
    "tool input in base64 url": {"messages": turns({"data": f"x={CODED.rstrip('=')}"})},
    "tool input in hex": {"messages": turns({"data": b"project zephyr".hex()})},
    "tool input in escapes": {"messages": turns({"json": '"\\u0070roject \\u007aephyr"'})},
    "tool input in escaped base64": {
        "messages": turns({"j": "".join(f"\\x{ord(c):02x}" for c in CODED)})
    },
    "tool input in pieces": {"messages": turns({"a": "project ", "b": "zephyr"})},
    "tool result": {"messages": turns({}, SAID)},
    "tool result of blocks": {"messages": turns({}, [TextBlock("project"), TextBlock(" zephyr")])},
    "document": {"images": [DocumentBlock(TextSource("text/plain", SAID))]},
    "document's title": {"images": [DocumentBlock(TextSource("text/plain", "a"), title=SAID)]},
    "document's context": {"images": [DocumentBlock(TextSource("text/plain", "a"), context=SAID)]},
    "text file": {"images": [Document(SAID.encode())]},
    "search result": {"images": [SearchResultBlock("https://a.example", "t", [TextBlock(SAID)])]},
    "image URL": {"images": [ImageBlock(URLSource("https://a.example/project%20zephyr.png"))]},
    "metadata": {"metadata": {"user_id": SAID}},
    "stop sequence": {"stop_sequences": [SAID]},
    "output schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "beta": {"betas": ["project zephyr"]},
    "mcp server": {"mcp_servers": [{"name": SAID, "url": "https://a.example", "type": "url"}]},
    "a field of tomorrow": {"context_management": {"note": SAID}},
    "a role": {"messages": [Message("user", "a"), Message(SAID, "b")]},
    "the id of a call": {
        "messages": [
            Message("user", "a"),
            Message("assistant", [ToolUseBlock("project_zephyr", "look_up", {})]),
            Message("user", [ToolResultBlock("project_zephyr", "fine")]),
            Message("assistant", "b"),
        ]
    },
    "who called": {
        "messages": [
            Message("user", "a"),
            Message("assistant", [ToolUseBlock("toolu_1", "n", {}, caller={"type": SAID})]),
            Message("user", [ToolResultBlock("toolu_1", "fine")]),
            Message("assistant", "b"),
        ]
    },
    "a breakpoint of the cache": {"system": [TextBlock("a", cache_control=CacheControl(ttl=SAID))]},
    "when to clear": {"messages": [Message("user", "a"), Message("system", "b", clear_at=SAID)]},
    "a media type": {"images": [ImageBlock(Base64Source(SAID, "iVBORw0KGgo="))]},
    "beside an address": {
        "images": [ImageBlock(URLSource("https://a.example/a.png", extra={"note": SAID}))]
    },
    "a signature": {
        "messages": [Message("user", "a"), Message("assistant", [ThinkingBlock("b", SAID), "c"])]
    },
    "what looks encrypted": {
        "messages": [Message("user", "a"), Message("assistant", [RedactedThinkingBlock(SAID), "c"])]
    },
    "an unknown block": {
        "messages": [
            Message("user", [UnknownBlock("novel", {"deep": [SAID]})]),
            Message("assistant", "b"),
        ]
    },
}

DISGUISES = {
    "case": "PROJECT ZEPHYR",
    "line break": "project\nzephyr",
    "a name": "my_project-zephyr_2",
    "no-break space": "project\u00a0zephyr",
    "zero width": "pro\u200bject ze\u200dphyr",
    "soft hyphen": "pro\u00adject zephyr",
    "full width": "\uff50\uff52\uff4f\uff4a\uff45\uff43\uff54 \uff5a\uff45\uff50\uff48\uff59\uff52",
    "cyrillic": "pr\u043ej\u0435ct z\u0435\u0440hyr",
    "combining": "p\u0336r\u0336oject z\u0336ephyr",
    "bold": "\U0001d429\U0001d42b\U0001d428\U0001d423\U0001d41e\U0001d41c\U0001d42d zephyr",
    "html": "&#112;roject zephyr",
    "percent": "project%20zephyr",
    "percent of all": "".join(f"%{ord(c):02X}" for c in "project zephyr"),
    "quotes": 'project "Zephyr"',
    "emphasis": "**project** *zephyr*",
    "slash": "project/zephyr",
    "dash": "project\u2013zephyr",
    "nothing": "project\0zephyr",
    "a mark between": "project\ufeffzephyr",
    "a blank pattern": "project\u2800zephyr",
    "base64": CODED,
    "base64 in words": f"Please decode {CODED} for me.",
    "base64 shifted": f"xy{CODED}",
    "base64 of utf-16": b64encode("project zephyr".encode("utf-16-le")).decode(),
}


def refused(door: str, message: Any = "Hello", *, line: Any = None, **call: Any) -> bool:
    options = {
        "base_url": "sim:",
        "model": MODEL,
        "disable": ["preflight", "images", "heal"],
        **(line or {}),
    }
    rule = ""
    with Pipeline(policy=Rules(rules=RULES), **options) as pipeline:
        try:
            if door == "stream":
                with pipeline.stream(message, **call) as stream:
                    _ = stream.reply
            elif door == "batch":
                pipeline.batches.create([BatchItem("a", message, **call)])
            else:
                getattr(pipeline, door)(message, **call)
        except PolicyViolation as refusal:
            rule = refusal.rule
    assert rule in ("", "codename")
    return bool(rule)


@pytest.mark.parametrize("door", ["send", "stream", "count_tokens", "batch", "explain"])
@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_is_said(place: str, door: str) -> None:
    call = dict(PLACES[place])
    assert refused(door, **call)


def test_what_nobody_resolved_does_not_leave_although_no_rule_refuses_it(sim: Any) -> None:
    server = sim()
    disable = ["preflight", "images"]
    options: dict[str, Any] = {"base_url": server, "model": MODEL, "disable": disable}
    with Pipeline(policy=Rules(rules=RULES), **options) as line:
        for door in (line.send, line.explain, line.count_tokens):
            with pytest.raises(UnresolvedContent, match=r"messages\.0\.content\.0"):
                door("Hello", images=[Document(b"about ants")])
    assert server.calls == []


@pytest.mark.parametrize("disguise", DISGUISES)
def test_however_it_is_written(disguise: str) -> None:
    assert refused("send", DISGUISES[disguise])
    assert refused("send", "Hello", messages=turns({"x": DISGUISES[disguise]}))


def test_in_a_header_of_the_pipeline() -> None:
    assert refused("send", line={"headers": {"x-note": "project zephyr"}})
    assert refused("count_tokens", line={"headers": {"anthropic-beta": "project zephyr"}})


def test_in_the_id_of_a_batch_item_and_the_name_of_a_file(sim: Any, tmp_path: Path) -> None:
    server = sim()
    (tmp_path / "project zephyr.txt").write_text("Hello")
    (tmp_path / "plain.txt").write_text("the plan of project zephyr")
    with Pipeline(base_url=server, model=MODEL, policy=Rules(rules=RULES)) as line:
        with pytest.raises(PolicyViolation):
            line.batches.create([BatchItem("7_project_zephyr", "Hello")])
        for name in ("project zephyr.txt", "plain.txt"):
            with pytest.raises(PolicyViolation):
                line.files.upload(tmp_path / name)
        with pytest.raises(PolicyViolation):
            line.files.upload(b"Hello", filename="project zephyr.txt")
        line.files.upload(b"Hello", filename="plain.txt")
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "content",
    [
        "pro\u200bject zephyr".encode(),
        "about project zephyr".encode("utf-16"),
        b"\xef\xbb\xbfproject zephyr",
        b"%PDF-1.7\n\xff\xfe (project zephyr) Tj\n\x00\x01",
        bytes(range(256)) * 400 + b"\x00project zephyr\x00",
    ],
    ids=["utf-8", "utf-16", "with a mark", "pdf", "large"],
)
@pytest.mark.parametrize("name", ["a.txt", "a.bin", "a.pdf"])
def test_in_a_file_that_is_uploaded_or_goes_along(sim: Any, content: bytes, name: str) -> None:
    server = sim()
    with Pipeline(base_url=server, model=MODEL, policy=Rules(rules=RULES)) as line:
        for _ in range(2):  # the second time out of what is remembered
            with pytest.raises(PolicyViolation):
                line.files.upload(content, filename=name)
    assert server.calls == []
    block = DocumentBlock(Base64Source("application/pdf", b64encode(content).decode()))
    assert refused("send", [block, "?"])


@pytest.mark.parametrize("how", ["variable", "found", "named", "user"])
def test_no_setting_takes_the_rules_away(
    how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nid = "codename"\nforbid = {words = ["project zephyr"]}\n')
    text = '[plugins]\ndisable = ["rules"]\n'
    options: dict[str, Any] = {}
    if how == "variable":
        monkeypatch.setenv("HOOKLINE_DISABLE", "rules")
    elif how == "found":
        Path("hookline.toml").write_text(text)
    elif how == "named":
        Path("named.toml").write_text(text)
        options["config"] = "named.toml"
    else:
        folder = tmp_path / "user" / "hookline"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(text)
        monkeypatch.setenv("HOME", str(tmp_path / "user"))

    def turn() -> None:
        with Pipeline(base_url="sim:", policy=policy, **options) as line:
            line.send(SAID)

    with pytest.raises(ConfigError):  # and so there is no pipeline at all
        turn()


# Hostile plugins, and what no attempt produced


class Hostile:
    """Says it where rules might not look any more."""

    def __init__(self, **wishes: Any) -> None:
        self.wishes = wishes

    @hookimpl(trylast=True)
    def resolve_images(self, turn: Any, request: Any) -> Any:
        turn.state.clear()
        turn.trace.verdicts.clear()
        return request.evolve(system="project zephyr") if self.wishes.get("transform") else None

    @hookimpl(trylast=True)
    async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
        if self.wishes.get("send"):
            request = request.evolve(messages=(Message("user", "project zephyr"),))
        response = await call_next(request)
        if self.wishes.get("answer"):
            response = response.evolve(content=(TextBlock("it is project zephyr"),), events=None)
        return response


@pytest.mark.parametrize("wish", ["transform", "send", "answer"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_hostile_plugin(run: Any, sim: Any, streamed: bool, wish: str, place: str) -> None:
    plugin = type("Hostile", (Hostile,), {place: True})(**{wish: True})
    server = sim()
    with pytest.raises(PolicyViolation):
        run.outcome(
            streamed, line={"base_url": server, "policy": Rules(rules=RULES), "plugins": [plugin]}
        )
    assert wish == "answer" or server.calls == []


def test_retries_and_fallbacks_are_judged_each_time(sim: Any) -> None:
    server = sim(Rule(status=529, times=1))
    seen: list[int] = []

    class Later:
        @hookimpl
        async def send(self, request: Any, call_next: Any) -> Any:
            seen.append(1)
            return await call_next(request)

    class Worse:
        from hookline.plugin import Layer

        layer = Layer.RECORD

        @hookimpl
        async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
            return await call_next(request.evolve(system=SAID) if turn.attempt else request)

    config = {"plugins": {"retry": {"base": 0.001, "throttle_base": 0.001}}}
    with (
        Pipeline(
            base_url=server,
            model=MODEL,
            config=config,
            plugins=[Later(), Worse()],
            policy=Rules(rules=RULES),
        ) as line,
        pytest.raises(PolicyViolation),
    ):
        line.send("Hello")
    assert len(server.calls) == 1


def test_a_fallback_model_is_judged(sim: Any) -> None:
    server = sim(Rule(status=529, times=9))
    policy = Rules(rules=[{"id": "m", "models": {"allow": ["claude-haiku-*"]}}])
    config = {
        "plugins": {
            "retry": {"attempts": 1},
            "fallback": {"models": ["claude-opus-4-5"], "on": ["overload"]},
        }
    }
    with (
        Pipeline(base_url=server, model=MODEL, policy=policy, config=config) as line,
        pytest.raises(PolicyViolation),
    ):
        line.send("Hello")
    assert {json.loads(call.body)["model"] for call in server.calls} <= {MODEL}


def test_a_cached_reply_is_judged_by_the_rules_of_now(sim: Any) -> None:
    server = sim(Rule(reply="It is project zephyr."))
    cache = Cache()
    with Pipeline(base_url=server, model=MODEL, plugins=[cache]) as line:
        assert "zephyr" in line.send("Which?").text
    with Pipeline(base_url=server, model=MODEL, plugins=[cache], policy=Rules(rules=RULES)) as line:
        for _ in range(2):
            with pytest.raises(PolicyViolation):
                line.send("Which?")


def test_other_loops_and_threads(sim: Any) -> None:
    server = sim()
    policy = Rules(rules=RULES)
    through: list[str] = []

    async def ask(line: AsyncPipeline, text: str) -> None:
        try:
            await line.send(text)
        except PolicyViolation:
            return
        through.append(text)

    def thread(number: int) -> None:
        async def main() -> None:
            async with AsyncPipeline(base_url=server, model=MODEL, policy=policy) as line:
                await asyncio.gather(
                    *(ask(line, f"{SAID} {number}") for _ in range(5)), ask(line, "a")
                )

        asyncio.run(main())

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert through == ["a"] * 4


# Replies and tool calls

FORBIDDEN = [
    "It is project zephyr, I think.",
    "It is PROJECT\n ZEPHYR.",
    f"Decode {CODED}.",
    "pro\u200bject zephyr",
]


@pytest.mark.parametrize("text", FORBIDDEN)
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_a_reply_that_says_it_is_not_delivered(run: Any, sim: Any, text: str, chunk: int) -> None:
    server = sim(Rule(reply=f"{'Well. ' * 100}{text}{' And so on.' * 60}", chunk=chunk))
    seen: list[str] = []

    async def body(line: Any) -> None:
        with pytest.raises(PolicyViolation):
            await line.send("Which?")
        with pytest.raises(PolicyViolation):
            async with line.stream("Which?") as stream:
                async for piece in stream.text:
                    seen.append(piece)

    run(body, base_url=server, policy=Rules(rules=RULES))
    told = "".join(seen)
    assert told.startswith("Well. Well.") == (chunk < 1000)  # it was a stream
    assert not any(part in told.lower() for part in ("pro", "zephyr", CODED[:8].lower()))


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(1, 7), min_size=1, max_size=40), before=st.integers(0, 200))
def test_wherever_the_deltas_are_cut_nothing_of_it_is_told(cuts: list[int], before: int) -> None:
    from hookline.values import ContentBlockDelta, ContentBlockStart, ContentBlockStop, TextDelta
    from hookline_plugins.policy.rules.patterns import Patterns, reach_of, word_pattern
    from hookline_plugins.policy.rules.streaming import ReplyFilter

    patterns = Patterns([(word_pattern(["zephyr"]), None)])

    def judge(pieces: list[str]) -> None:
        if any(patterns.search({"reply": pieces})):
            raise PolicyViolation("no")

    text = "." * before + " zephyr " + "." * 300
    wanted = ReplyFilter(judge, reach_of(["zephyr"]))
    wanted.begin("", whole=False)
    told: list[Any] = list(wanted.feed(ContentBlockStart(0, TextBlock(""))))
    at = place = 0
    with pytest.raises(PolicyViolation):
        while at < len(text):
            size = cuts[place % len(cuts)]
            told += wanted.feed(ContentBlockDelta(0, TextDelta(text[at : at + size])))
            at, place = at + size, place + 1
        told += wanted.feed(ContentBlockStop(0))
    said = "".join(getattr(event.delta, "text", "") for event in told if hasattr(event, "delta"))
    assert "z" not in said


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in text)


def coded(text: str) -> str:
    return b64encode(text.encode()).decode()


WAYS: dict[str, Any] = {
    "as it is": str,
    "capitals": str.upper,
    "escapes": escaped,
    "numbers": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "unseen letters": "\u200b".join,
    "other letters": lambda text: text.replace("o", "\u043e").replace("e", "\u0435"),
    "base64": coded,
    "hex": lambda text: text.encode().hex(),
    "base64 of escapes": lambda text: coded(escaped(text)),
    "escapes of base64": lambda text: escaped(coded(text)),
    "base64 of base64": lambda text: coded(coded(text)),
    "numbers of escapes": lambda text: "".join(f"&#{ord(each)};" for each in escaped(text)),
}


@settings(max_examples=300, deadline=None)
@given(
    way=st.sampled_from(sorted(WAYS)),
    cuts=st.lists(st.floats(0, 1), max_size=3),
    before=st.sampled_from(["", "Well, ", "Na schön, ", "a & b \\n ", "x" * 50 + " ", "so " * 900]),
    url=st.booleans(),
)
def test_whatever_way_it_is_written_and_wherever_it_is_cut(
    way: str, cuts: list[float], before: str, url: bool
) -> None:
    from hookline_plugins.policy.rules.patterns import Patterns, word_pattern

    patterns = Patterns([(word_pattern(["project zephyr"]), None)])
    text = f"{before}{WAYS[way]('project zephyr')} now."
    ends = [0, *sorted(int(cut * len(text)) for cut in cuts), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(ends)]
    assert any(patterns.search({"urls" if url else "messages": pieces}))


def test_across_the_end_of_the_prefill(run: Any, sim: Any, streamed: bool) -> None:
    server = sim(Rule(reply=" zephyr it is."))
    with pytest.raises(PolicyViolation):
        run.outcome(
            streamed,
            line={"base_url": server, "policy": Rules(rules=RULES)},
            prefill="It is called project",
        )


def test_a_pattern_without_an_end_holds_a_stream_back_to_its_end(run: Any, sim: Any) -> None:
    rules = [{"id": "codename", "forbid": {"pattern": "(?is)project.*zephyr", "in": ["reply"]}}]
    server = sim(Rule(reply="The project" + " so" * 500 + " zephyr", chunk=5))
    seen: list[str] = []

    async def body(line: Any) -> None:
        with pytest.raises(PolicyViolation):
            async with line.stream("Which?") as stream:
                async for piece in stream.text:
                    seen.append(piece)

    run(body, base_url=server, policy=Rules(rules=rules))
    assert seen == []


@pytest.mark.parametrize(
    "use",
    [
        {"q": SAID},
        {SAID: 1},
        {"q": CODED},
        {"q": '"\\u0070roject zephyr"'},
        {"n": [["project ", "zephyr"]]},
    ],
)
def test_a_tool_call_that_says_it_is_neither_run_nor_delivered(
    run: Any, sim: Any, streamed: bool, use: Any
) -> None:
    ran: list[Any] = []
    definition = {"name": "look_up", "input_schema": {"type": "object"}}

    class Offers:
        @hookimpl
        def register_tools(self, register: Any) -> None:
            register(definition, ran.append)

    rules = [
        {"id": "input", "tool_input": {"tool": "look_*", "pattern": r"(?i)project\W{0,5}zephyr"}}
    ]
    for policy in (Rules(rules=RULES), Rules(rules=rules)):
        server = sim(Rule(tool_use={"name": "look_up", "input": use}, times=1))
        line = {"base_url": server, "policy": policy}
        with pytest.raises(PolicyViolation):
            run.outcome(streamed, line={**line, "plugins": [Offers()]})
        server = sim(Rule(tool_use={"name": "look_up", "input": use}, times=1))
        with pytest.raises(PolicyViolation):
            run.outcome(streamed, line={**line, "base_url": server}, tools=[definition])
    assert ran == []


def test_a_tool_that_is_not_allowed_is_not_run(run: Any, sim: Any, streamed: bool) -> None:
    ran: list[int] = []

    class Offers:
        """Takes the name of a tool away until the rules have looked."""

        @hookimpl
        async def call_tool(self, call: Any, call_next: Any) -> Any:
            return await call_next(call.evolve(name="shell"))

    def add() -> str:
        """Add."""
        ran.append(1)
        return "1"

    server = sim(Rule(tool_use={"name": "add", "input": {}}, times=1))
    policy = Rules(rules=[{"id": "no-shell", "tools": {"deny": ["shell"]}}])
    with pytest.raises(PolicyViolation) as caught:
        run.outcome(
            streamed,
            line={"base_url": server, "policy": policy, "plugins": [Offers()]},
            tools=[add],
        )
    assert caught.value.rule == "no-shell"
    assert ran == []


def test_an_image_of_a_host_that_is_not_allowed_is_not_even_fetched(
    loopback: Any, http: Any
) -> None:
    from hookline import Image

    fetched: list[Any] = []

    def answer(request: Any) -> bytes:
        fetched.append(request)
        found: bytes = http(200, b"")
        return found

    server = loopback(answer)
    policy = Rules(rules=[{"id": "hosts", "image_hosts": {"allow": ["acme.example"]}}])
    config = {"plugins": {"images": {"strategy": "base64", "allow_hosts": ["127.0.0.1"]}}}
    with (
        Pipeline(base_url="sim:", model=MODEL, policy=policy, config=config) as line,
        pytest.raises(PolicyViolation),
    ):
        line.send([Image(f"{server.url}/a.png"), "What is it?"])
    assert fetched == []


def test_ordinary_things_go_through() -> None:
    for text in ("The project is called breeze.", "zephyr", "A projector, zephyrous.", "x" * 5000):
        assert not refused("send", text)
        assert not refused("stream", text)
    assert not refused(
        "send", "Hello", messages=turns({"data": b64encode(b"harmless words").decode()})
    )
