"""Editing a request and a reply: deep, and nothing but what is meant."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline import Document, Image, InputError, Pipeline, Prefill, Reply, hookimpl
from hookline.simulator import Rule
from hookline.values import (
    Base64Source,
    CacheControl,
    CharLocation,
    ContentSource,
    DocumentBlock,
    ImageBlock,
    MCPToolResultBlock,
    Message,
    Request,
    Response,
    SearchResultBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    Tool,
    ToolResultBlock,
    ToolUseBlock,
    UnknownBlock,
    URLSource,
)
from hookline.wire import encode_message, unstructure

BREAKPOINT = CacheControl()
PICTURE = ImageBlock(URLSource("https://example.com/a.png"))
# A text in every place that holds any; each names the part it belongs to.
FULL = Request(
    "m",
    1,
    [
        Message("user", "messages string"),
        Message(
            "assistant",
            [
                ThinkingBlock("never: signed", "c2ln"),
                TextBlock("messages cited", citations=[CharLocation("messages quote", 0, 0, 1)]),
                ToolUseBlock("t1", "look_up", {"q": "tool_inputs q", "deep": [{"x": "tool_inputs x"}]}),
            ],
        ),
        Message(
            "user",
            [
                ToolResultBlock("t1", "tool_results string"),
                ToolResultBlock(
                    "t2",
                    [
                        TextBlock("tool_results block"),
                        PICTURE,
                        DocumentBlock(TextSource("text/plain", "documents inside"), title="documents t"),
                    ],
                ),
                MCPToolResultBlock("t3", ["tool_results mcp"]),
                DocumentBlock(
                    ContentSource([TextBlock("documents part"), PICTURE]), context="documents c"
                ),
                DocumentBlock(ContentSource("documents whole")),
                SearchResultBlock("documents source", "documents title", ["documents hit"]),
                Document.from_text("documents at hand", title="documents at hand t"),
                UnknownBlock("new", {"type": "new", "text": "messages new", "id": "never: no text"}),
            ],
        ),
        Message("assistant", "messages prefill"),
    ],
    system=[TextBlock("system block", cache_control=BREAKPOINT)],
    tools=[
        Tool(
            "never",
            {"properties": {"q": {"description": "tools q", "enum": ["never"]}}},
            description="tools look up",
        )
    ],
)  # fmt: skip
PARTS = ("system", "messages", "tool_results", "documents", "tool_inputs", "tools")


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, bytes):
        yield value.decode()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from strings(item)
    elif attrs.has(type(value)):
        for a in attrs.fields(type(value)):
            yield from strings(getattr(value, a.name))


def marked(part: str) -> set[str]:
    return {text for text in strings(FULL) if text.startswith(f"{part} ")}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_holds_what_it_says_and_nothing_else(part: Any) -> None:
    seen: set[str] = set()

    def shout(text: str) -> str:
        seen.add(text)
        return text.upper()

    changed = FULL.map_text(shout, where=(part,))
    assert seen == marked(part) != set()
    assert set(strings(FULL)) - set(strings(changed)) == marked(part)
    assert set(strings(changed)) - set(strings(FULL)) == {text.upper() for text in marked(part)}
    assert FULL.map_text(str.upper, where=part) == changed  # one part may stand alone


def test_the_usual_parts() -> None:
    seen: set[str] = set()

    def look(text: str) -> str:
        seen.add(text)
        return text

    assert FULL.map_text(look) is FULL
    usual = ("system", "messages", "tool_results", "documents")
    assert seen == set().union(*map(marked, usual))


@pytest.mark.parametrize(
    "same",
    [
        lambda request: request.map_text("".join, where=PARTS),
        lambda request: request.map_blocks(lambda block: block),
        lambda request: request.map_blocks(lambda block: [block]),
        lambda request: request.with_system(" \n"),
    ],
)
def test_nothing_changed_is_the_same_object(same: Callable[[Request], Request]) -> None:
    assert same(FULL) is FULL


def test_what_is_unchanged_keeps_its_bytes_and_a_string_stays_one() -> None:
    request = Request("m", 1, [Message("user", "ada"), Message("assistant", ["ants", "ada"])])
    kept = [encode_message(message) for message in request.messages]
    changed = request.map_text(lambda text: text.replace("ants", "bees"))
    assert changed.messages[0] is request.messages[0]
    assert encode_message(changed.messages[0]) is kept[0]
    assert changed.messages[1].content[1] is request.messages[1].content[1]
    assert request.map_text(str.upper).messages[0].content == "ADA"
    assert request.map_blocks(
        lambda block: block.evolve(text="x") if isinstance(block, TextBlock) else block
    ).messages[0] == Message("user", "x")
    unknown = FULL.map_text(str.upper, where="messages").messages[2].content[-1]
    assert isinstance(unknown, UnknownBlock)
    assert unknown.data == {"type": "new", "text": "MESSAGES NEW", "id": "never: no text"}


def test_wrong_use_is_named() -> None:
    wrong: Any = FULL
    with pytest.raises(InputError, match=r"no part 'sytem'; did you mean 'system'"):
        wrong.map_text(str.upper, where=("sytem",))
    with pytest.raises(InputError, match=r"no part 'all'; parts are system, messages"):
        wrong.map_text(str.upper, where="all")
    with pytest.raises(InputError, match=r"returned None \(NoneType\) for a text"):
        wrong.map_text(lambda text: None)
    with pytest.raises(InputError, match=r"map_blocks: the function returned 5 \(int\)"):
        wrong.map_blocks(lambda block: 5)
    with pytest.raises(InputError, match="map_blocks: the function returned"):
        wrong.map_blocks(lambda block: {"type": "text", "text": "x"})
    with pytest.raises(InputError, match="with_system takes a text"):
        wrong.with_system([TextBlock("x")])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "new"),
        ("", "new"),
        ("old", "old\n\nnew"),
        ((TextBlock("old", cache_control=BREAKPOINT),), (TextBlock("old", cache_control=BREAKPOINT), TextBlock("new"))),
    ],
)  # fmt: skip
def test_with_system(before: Any, after: Any) -> None:
    request = Request("m", 1, system=before)
    assert request.with_system("new").system == after
    if isinstance(before, tuple):
        assert request.with_system("new").system[0] is before[0]  # type: ignore[index]


def test_blocks_are_left_out_or_multiplied_wherever_they_lie() -> None:
    without = FULL.map_blocks(lambda block: None if block.type == "image" else block)
    kept = {message.blocks[0].type for message in without.messages}
    assert "image" not in str(unstructure(without.map_blocks(_resolved)))
    assert kept == {"text", "thinking", "tool_result"}
    twice = FULL.map_blocks(lambda block: [block, "again"] if block is PICTURE else block)
    result = twice.messages[2].content[1]
    assert isinstance(result, ToolResultBlock)
    assert result.content is not None
    assert result.content[1:3] == (PICTURE, TextBlock("again"))
    document = twice.messages[2].content[3]
    assert isinstance(document, DocumentBlock)
    assert isinstance(document.source, ContentSource)
    assert document.source.content[2] == TextBlock("again")
    assert Request("m", 1, [Message("user", "x")]).map_blocks(lambda block: None).messages == (
        Message("user", ()),
    )


def _resolved(block: Any) -> Any:
    return block if block.resolved else None


@given(st.lists(st.sampled_from(["a", "ab", "", "b a"]), min_size=1, max_size=4), st.booleans())
def test_text_is_mapped_as_if_by_hand(texts: list[str], as_blocks: bool) -> None:
    content: Any = texts if as_blocks else "".join(texts)
    request = Request("m", 1, [Message("user", content)])
    mapped = request.map_text(lambda text: text.replace("a", "c")).messages[0]
    assert mapped.text == "".join(texts).replace("a", "c")
    assert isinstance(mapped.content, str) is not as_blocks


# ---- media -----------------------------------------------------------------------------------


class Describe:
    """Puts a text in the place of each picture, and counts how often it was asked."""

    before = ("images",)

    def __init__(self, say: Callable[[Any], Any]) -> None:
        self.asked: list[Any] = []
        self.say = say

    @hookimpl
    async def resolve_images(self, turn: Any, request: Request) -> Request:
        def one(block: Any) -> Any:
            self.asked.append(block)
            return self.say(block)

        async def later(block: Any) -> Any:
            await turn.io.sleep(0)
            return one(block)

        changed = await request.map_media(one, turn.io)
        assert await request.map_media(later, turn.io) == changed
        assert await request.map_media(lambda block: block, turn.io) is request
        del self.asked[len(self.asked) // 2 :]  # that was the second time
        return changed


def test_media_are_asked_about_once_a_source_wherever_they_lie(run: Any, ant: bytes) -> None:
    picture = Image(ant)
    content = [
        picture,
        Image(bytes(ant), cache_control=BREAKPOINT),
        DocumentBlock(ContentSource([ImageBlock(Base64Source("image/png", "AAAA")), "see above"])),
        "What is it?",
    ]
    plugin = Describe(lambda block: "[a picture]" if block.type == "image" else block)

    async def body(line: Any) -> Any:
        return await line.send(content)

    sent = run(body, plugins=[plugin]).request.messages[0]
    assert sorted(block.type for block in plugin.asked) == ["document", "image", "image"]
    assert any(block is picture for block in plugin.asked)
    assert sent.blocks[:2] == (TextBlock("[a picture]"), TextBlock("[a picture]"))
    assert sent.blocks[2].source.content[0] == TextBlock("[a picture]")


def test_what_shares_a_source_keeps_what_only_it_says(run: Any) -> None:
    source = TextSource("text/plain", "ants")
    content = [DocumentBlock(source, title="one"), DocumentBlock(source, title="two"), "Compare."]
    new = TextSource("text/plain", "bees")
    plugin = Describe(lambda block: block.evolve(source=new, context="said of both"))

    async def body(line: Any) -> Any:
        return await line.send(content)

    sent = run(body, plugins=[plugin]).request.messages[0]
    assert len(plugin.asked) == 1
    assert sent.blocks[:2] == (
        DocumentBlock(new, title="one", context="said of both"),
        DocumentBlock(new, title="two", context="said of both"),
    )


@pytest.fixture
def ant() -> bytes:
    """Return bytes that nobody looks at."""
    return b"\x89PNG\r\n\x1a\n" + bytes(32)


# ---- replies ---------------------------------------------------------------------------------


def reply(*content: Any, prefill: str = "") -> Reply:
    request = Request("m", 1, [Message("user", "?")])
    if prefill:
        request = request.append(Message("assistant", prefill))
    words = Prefill(text=prefill, mode="native") if prefill else None
    return Reply(response=Response(content=content), request=request, prefill=words)


CALL = ToolUseBlock("t", "n", {"who": "ada"})


def test_a_reply_keeps_its_blocks_apart() -> None:
    cited = TextBlock("ada said", citations=[CharLocation("ada", 0, 0, 1)])
    first = reply(cited, CALL, "and ada")
    changed = first.map_text(lambda text: text.replace("ada", "[name]"))
    assert changed.response.content == (
        TextBlock("[name] said", citations=[CharLocation("[name]", 0, 0, 1)]),
        CALL,
        TextBlock("and [name]"),
    )
    assert first.map_text(lambda text: text.replace("bob", "x")) is first


def test_a_prefill_is_the_beginning_of_the_first_text() -> None:
    first = reply("da is here", CALL, prefill="It is a")
    changed = first.map_text(lambda text: text.replace("ada", "[name]"))
    assert (changed.text, changed.prefill) == ("It is [name] is here", None)
    assert changed.messages[-1].text == "It is [name] is here"
    kept = first.map_text(lambda text: text.replace("here", "there"))
    assert (kept.text, kept.completion) == ("It is ada is there", "da is there")
    assert first.map_text(lambda text: text) is first
    alone = reply(CALL, prefill="ada")
    assert alone.map_text(str.upper).text == "ADA"
    assert alone.map_text(str.lower) is alone


def test_a_redactor_of_one_line_leaks_nowhere(sim: Any) -> None:
    """The tutorial's, on all that a person can put into a request."""

    class Redact:
        @hookimpl
        def send(self, request: Request, call_next: Any) -> Any:
            return call_next(request.map_text(lambda text: text.replace("ada", "[name]")))

    simulator = sim(Rule(reply="Fine."))
    with Pipeline(base_url=simulator, model="claude-opus-5-5", plugins=[Redact()]) as line:
        line.send(
            ["ada", Document.from_text("ada", title="ada", context="ada"), "ada?"],
            system=["ada"],
            messages=[
                Message("user", ["ada"]),
                Message("assistant", [ToolUseBlock("toolu_1", "look_up", {})]),
                Message("user", [ToolResultBlock("toolu_1", ["ada"])]),
                Message("assistant", "ada"),
            ],
            tools=[Tool("look_up", {"type": "object"})],
            prefill="ada",  # said in the last message, since this model does not continue one
        )
    (body,) = simulator.bodies
    assert "ada" not in str(body)
    assert str(body).count("[name]") == 10
