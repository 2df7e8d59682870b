"""Stream filters: the same rule for a stream and a whole reply, wherever the chunks end."""

import re
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookline import PluginError, PolicyViolation, StreamFilter, TextBlock, ToolUseBlock, hookimpl
from hookline.simulator import Rule
from hookline.values.blocks import ThinkingBlock
from hookline.values.events import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    InputJSONDelta,
    MessageStart,
    TextDelta,
    ThinkingDelta,
)
from hookline.wire.assembler import Assembler, assemble_block


def chunked(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    return [piece for piece in pieces if piece]


def through(filter_: Any, pieces: list[str]) -> list[str]:
    """Feed text in pieces; return what comes out after each of them, and after the end."""
    out: list[str] = []
    events: list[Any] = [
        ContentBlockStart(0, TextBlock("")),
        *(ContentBlockDelta(0, TextDelta(piece)) for piece in pieces),
        ContentBlockStop(0),
    ]
    for event in events:
        passed = filter_.feed(event)
        out.append(
            "".join(
                each.delta.text
                for each in passed
                if isinstance(each, ContentBlockDelta) and isinstance(each.delta, TextDelta)
            )
        )
    return out


# Regular expressions, how many characters decide one replacement, letters of which texts are made.
REDACTORS = [
    (r"secret", "[……]", 6, "secrt "),
    (r"\d{4}-?\d{4}", "[card]", 9, "0123-x"),
    (r"aa", "b", 2, "ab"),
    (r"a{1,3}", "", 4, "ab"),
    (r"ab|b", "X", 2, "abc"),
    (r"abab", "-", 4, "abc"),
    (r"(ab){1,2}", "<>", 4, "abc"),
    (r"\bcat\b", "dog", 5, "cat d"),
    (r"(?<!x)y", "z", 2, "xyz"),
    (r"x(?=y)", "", 2, "xyz"),
    (r"[A-Z][a-z]{0,3}", "N", 5, "ABab "),
    (r"é|🙂", "?", 1, "é🙂e"),
    (r"\n{2,3}", "\n", 4, "\nab"),
    (r"(a)(b?)", r"\2\1", 2, "ab"),
]


@pytest.mark.parametrize(("pattern", "replacement", "look_behind", "letters"), REDACTORS)
@settings(max_examples=40)
@given(data=st.data())
def test_streamed_text_is_the_rewrite_of_the_whole_for_every_split(
    pattern: str, replacement: str, look_behind: int, letters: str, data: st.DataObject
) -> None:
    text = data.draw(st.text(alphabet=letters, max_size=40), label="text")
    cuts = data.draw(st.lists(st.integers(0, 40), max_size=12), label="cuts")
    rule = re.compile(pattern)

    def rewrite(part: str) -> str:
        return rule.sub(replacement, part)

    filter_ = StreamFilter.deltas(rewrite, look_behind=look_behind)
    assert "".join(through(filter_, chunked(text, cuts))) == rewrite(text)


@settings(max_examples=60)
@given(text=st.text(alphabet="secrt ", max_size=60))
@example("secretsecret")
def test_no_more_is_held_back_than_the_rule_needs(text: str) -> None:
    filter_ = StreamFilter.deltas(lambda part: part.replace("secret", "SECRET"), look_behind=6)
    given_so_far = passed_so_far = 0
    for piece, passed in zip(list(text), through(filter_, list(text))[1:], strict=False):
        given_so_far += len(piece)
        passed_so_far += len(passed)
        assert given_so_far - passed_so_far <= 2 * 6


# Rules that shrink what repeats: a cut may look right at one end of the text and be wrong at the next.
SHRINKERS = [
    (r"(a)\1", r"\1", 2, "ab"),
    (r"(a)\1\1", r"\1", 3, "ab"),
    (r"([ab])\1\1?", r"\1", 3, "ab"),
    (r"(ab){1,2}", "ab", 4, "ab"),
    (r"(ant bee )(?:ant bee )", r"\1", 16, ["ant bee ", "ant ", "x"]),
    (r"(a fine day )\1", r"\1", 22, ["a fine day ", "a ", "x"]),
    (r"\w{1,20}", "x", 21, "ab "),
    (r"[ab]{1,12}", "x", 12, "abc"),
    (r"..", "*", 2, "ab"),
    (r".{12}", "*", 12, "abc"),
]


@pytest.mark.parametrize(("pattern", "replacement", "look_behind", "parts"), SHRINKERS)
@settings(max_examples=30)
@given(data=st.data())
def test_rules_that_shrink_what_repeats_agree_at_every_end(
    pattern: str, replacement: str, look_behind: int, parts: Any, data: st.DataObject
) -> None:
    pieces = data.draw(st.lists(st.sampled_from(list(parts)), max_size=40), label="pieces")
    repeated = data.draw(st.integers(1, 12), label="repeated")
    text = "".join(pieces[:6]) * repeated + "".join(pieces)
    size = data.draw(st.sampled_from([1, 2, 3, 7, 50]), label="size")

    def rewrite(part: str) -> str:
        return re.sub(pattern, replacement, part)

    filter_ = StreamFilter.deltas(rewrite, look_behind=look_behind)
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    assert "".join(through(filter_, chunks)) == rewrite(text)


@pytest.mark.parametrize(
    ("pattern", "look_behind"), [(r"(a)\1", 2), (r"(a)\1\1", 3), (r"a{2,3}", 3)]
)
def test_every_short_text_of_a_rule_that_halves_letter_by_letter(
    pattern: str, look_behind: int
) -> None:
    def rewrite(part: str) -> str:
        return re.sub(pattern, "a", part)

    for letters in product("ab", repeat=8):
        filter_ = StreamFilter.deltas(rewrite, look_behind=look_behind)
        assert "".join(through(filter_, list(letters))) == rewrite("".join(letters))


@pytest.mark.parametrize(("pattern", "replacement", "look_behind", "letters"), REDACTORS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_prefill_counts_for_what_matches_and_stays_as_it_is(
    pattern: str, replacement: str, look_behind: int, letters: str, data: st.DataObject
) -> None:
    words = data.draw(st.text(alphabet=letters, max_size=20), label="prefill")
    text = data.draw(st.text(alphabet=letters, max_size=40), label="text")
    cuts = data.draw(st.lists(st.integers(0, 40), max_size=12), label="cuts")
    rule = re.compile(pattern)

    def rewrite(part: str) -> str:
        return rule.sub(replacement, part)

    # On the whole text: of the prefill that part counts as done whose outcome nothing changes.
    both = words + text
    done = words
    if not rewrite(both).startswith(words):
        ends = range(len(words), len(both) + 1)
        done = next(
            head
            for head in (rewrite(words[:cut]) for cut in range(len(words), -1, -1))
            if all(rewrite(both[:end]).startswith(head) for end in ends)
        )
    wanted = rewrite(both)[len(done) :]

    filters: list[Any] = []
    for whole in (False, True):
        filters.append(StreamFilter.deltas(rewrite, look_behind=look_behind))
        filters[-1].begin(words, whole=whole)
    streamed, plain = ("".join(through(each, chunked(text, cuts))) for each in filters)
    assert streamed == plain
    assert streamed == wanted


@pytest.mark.parametrize("split", range(len("my secret is out") + 1))
def test_a_word_that_the_prefill_begins_is_found_at_every_split(split: int) -> None:
    words, text = "my secret is out"[:split], "my secret is out"[split:]
    filter_ = StreamFilter.deltas(lambda part: part.replace("secret", "[..]"), look_behind=6)
    filter_.begin(words, whole=False)
    shown = words + "".join(through(filter_, list(text)))
    begun = words[3:9] if 3 < split < 9 else ""  # it stands already; the rest does not follow
    assert shown.replace("secret", "[..]") == f"my {begun}[..] is out"


class Counts:
    """A rule that counts how often it is asked, and about how much."""

    def __init__(self, pattern: str) -> None:
        self.rule, self.calls, self.characters = re.compile(pattern), 0, 0

    def __call__(self, text: str) -> str:
        self.calls += 1
        self.characters += len(text)
        return self.rule.sub("<>", text)


MAIL = (r"[\w.]{1,30}@[\w.]{1,30}", 254)
CARD_NUMBER = (r"\b\d{4}-\d{4}\b", 19)


@pytest.mark.parametrize(("pattern", "look_behind"), [MAIL, CARD_NUMBER, (r"zzz", 2000)])
@pytest.mark.parametrize("size", [4, 100, 10**9])
def test_the_work_is_linear_in_the_text(pattern: str, look_behind: int, size: int) -> None:
    def characters(count: int) -> int:
        text = "".join(f"Write to jane{n}@ex.org or call 0123-4567. " for n in range(count))
        rule = Counts(pattern)
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert "".join(through(StreamFilter.deltas(rule, look_behind=look_behind), pieces)) == (
            rule.rule.sub("<>", text)
        )
        return rule.characters // len(text)

    few, many = characters(100), characters(400)
    assert many <= 2 * few + 8
    assert many < (25 if size > 10_000 else 150)


def test_a_plain_reply_is_asked_about_once(run: Any, sim: Any) -> None:
    text = "Write to jane@ex.org. " * 500
    rule = Counts(MAIL[0])
    server = sim(Rule(reply=text))
    plugin = Redacts(lambda: StreamFilter.deltas(rule, look_behind=254))
    reply = run.send(line={"base_url": server, "plugins": [plugin]})
    assert reply.text == rule.rule.sub("<>", text)
    assert (rule.calls, rule.characters) == (1, len(text))


def test_text_that_no_rule_touches_is_held_back_by_look_behind_alone() -> None:
    filter_ = StreamFilter.deltas(lambda part: part, look_behind=3)
    assert through(filter_, ["abcdef", "g", "h"]) == ["", "abc", "d", "e", "fgh"]


def test_without_look_behind_nothing_is_held_back() -> None:
    filter_ = StreamFilter.deltas(str.upper, look_behind=0)
    assert through(filter_, ["ab", "c"]) == ["", "AB", "C", ""]


def test_each_block_begins_afresh() -> None:
    filter_ = StreamFilter.deltas(lambda part: part.replace("ab", "X"), look_behind=2)
    assert "".join(through(filter_, ["a"])) == "a"
    assert "".join(through(filter_, ["b"])) == "b"


def test_text_that_stands_in_the_start_of_a_block_is_rewritten_too() -> None:
    filter_: Any = StreamFilter.deltas(lambda part: part.replace("secret", "……"), look_behind=6)
    assembler = Assembler()
    from hookline import Response

    events = [
        MessageStart(Response()),
        ContentBlockStart(0, TextBlock("my sec")),
        ContentBlockDelta(0, TextDelta("ret")),
        ContentBlockStop(0),
    ]
    for event in events:
        for passed in filter_.feed(event):
            assembler.feed(passed)
    assert assembler.partial().text == "my ……"


KINDS: Any = (
    ("text", TextBlock("a"), TextDelta("a")),
    ("thinking", ThinkingBlock("a", "sig"), ThinkingDelta("a")),
    ("input_json", ToolUseBlock("t", "n", {"a": "a"}), InputJSONDelta('{"a": "a"}')),
)


@pytest.mark.parametrize("number", range(3))
def test_only_the_wanted_kinds_are_touched_in_deltas_and_in_blocks_that_bring_them_along(
    number: int,
) -> None:
    kind = KINDS[number][0]
    filter_: Any = StreamFilter.deltas(str.upper, look_behind=0, kinds=(kind,))
    blocks = []
    for _, begun, delta in KINDS:
        attribute = next(name for name in ("text", "thinking", "input") if hasattr(begun, name))
        empty = begun.evolve(**{attribute: {} if attribute == "input" else ""})
        for events in (
            [ContentBlockStart(0, begun), ContentBlockStop(0)],
            [ContentBlockStart(0, empty), ContentBlockDelta(0, delta), ContentBlockStop(0)],
        ):
            passed = [each for event in events for each in filter_.feed(event)]
            blocks.append(assemble_block(passed))
    wanted = [TextBlock("A"), ThinkingBlock("A", "sig"), ToolUseBlock("t", "n", {"a": "A"})][number]
    for at, (_, begun, _) in enumerate(KINDS):
        assert blocks[2 * at : 2 * at + 2] == [wanted if at == number else begun] * 2


# In a pipeline


class Redacts:
    name = "redacts"

    def __init__(self, filter_: Any) -> None:
        self.filter = filter_

    @hookimpl
    def filter_stream(self) -> Any:
        return self.filter()


TEXT = "My number is 1234-5678, and hers 8765-4321. Tell nobody!"
CARD = re.compile(r"\d{4}-\d{4}")
FILTERS = {
    "deltas": lambda: StreamFilter.deltas(lambda text: CARD.sub("[card]", text), look_behind=9),
    "block": lambda: StreamFilter.block(
        lambda block: (
            TextBlock(CARD.sub("[card]", block.text)) if isinstance(block, TextBlock) else None
        )
    ),
    "message": lambda: StreamFilter.message(
        lambda response: response.evolve(
            content=tuple(
                TextBlock(CARD.sub("[card]", block.text)) if isinstance(block, TextBlock) else block
                for block in response.content
            )
        )
    ),
}


@pytest.mark.parametrize("sees", FILTERS)
@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_stream_reply_plain_reply_and_memory_are_the_same_text(
    run: Any, sim: Any, sees: str, chunk: int
) -> None:
    server = sim(Rule(reply=TEXT, chunk=chunk))
    wanted = CARD.sub("[card]", TEXT)

    async def body(line: Any) -> None:
        chat = line.conversation()
        async with chat.stream("Hello") as stream:
            seen = "".join([piece async for piece in stream.text])
            assert seen == (await stream.reply).text == wanted
        assert chat.messages[-1].text == wanted
        plain = await line.send("Hello")
        assert plain.text == wanted
        assert (await stream.reply).response == plain.response.evolve(
            id=(await stream.reply).response.id
        )

    run(body, base_url=server, plugins=[Redacts(FILTERS[sees])])


@pytest.mark.parametrize(("sees", "pieces"), [("deltas", 10), ("block", 1), ("message", 1)])
def test_how_much_is_held_back_follows_from_what_the_filter_sees(
    run: Any, sim: Any, sees: str, pieces: int
) -> None:
    server = sim(Rule(reply=TEXT, chunk=1))

    async def body(line: Any) -> list[str]:
        async with line.stream("Hello") as stream:
            return [piece async for piece in stream.text]

    got = run(body, base_url=server, plugins=[Redacts(FILTERS[sees])])
    assert len(got) == 1 if pieces == 1 else len(got) >= pieces


def test_filters_run_in_order_each_on_what_the_one_before_let_through(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim(Rule(reply="aXbXc", chunk=2))
    one = Redacts(lambda: StreamFilter.deltas(lambda t: t.replace("X", "YY"), look_behind=1))
    two = Redacts(lambda: StreamFilter.deltas(lambda t: t.replace("YY", "z"), look_behind=2))
    two.name = "second"
    reply = run.outcome(streamed, line={"base_url": server, "plugins": [one, two]})
    assert reply.text == "azbzc"


def test_an_observing_filter_changes_nothing_and_hears_everything(run: Any, streamed: Any) -> None:
    heard: list[Any] = []
    plugin = Redacts(lambda: StreamFilter.observe(heard.append))
    reply = run.outcome(streamed, line={"plugins": [plugin]})
    assembler = Assembler()
    for event in heard:
        assembler.feed(event)
    assert assembler.response.text == reply.text != ""


def test_a_filter_may_refuse(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(reply="fine so far, but then: secret"))

    def judge(text: str) -> str:
        if "secret" in text:
            raise PolicyViolation("no secrets")
        return text

    plugin = Redacts(lambda: StreamFilter.deltas(judge, look_behind=6))
    with pytest.raises(PolicyViolation, match="no secrets") as caught:
        run.outcome(streamed, line={"base_url": server, "plugins": [plugin]})
    assert caught.value.plugin == "redacts"


def test_a_message_filter_that_refuses_lets_nothing_out(run: Any, sim: Any) -> None:
    server = sim(Rule(reply="secret", chunk=2))
    seen: list[str] = []

    def judge(response: Any) -> None:
        raise PolicyViolation("no secrets")

    async def body(line: Any) -> None:
        chat = line.conversation()
        with pytest.raises(PolicyViolation):
            async with chat.stream("Hello") as stream:
                async for piece in stream.text:
                    seen.append(piece)
        assert "secret" not in "".join(message.text for message in chat.messages)

    run(body, base_url=server, plugins=[Redacts(lambda: StreamFilter.message(judge))])
    assert seen == []


# post_process and streams


def late(function: Any, **attributes: Any) -> Any:
    members = {"name": "late", "post_process": hookimpl(function), **attributes}
    return type("Late", (), members)()


def test_a_post_process_that_may_rewrite_text_holds_the_stream_back(run: Any, sim: Any) -> None:
    server = sim(Rule(reply=TEXT, chunk=3))
    plugin = late(lambda self, reply: reply.rewrite(lambda text: CARD.sub("[card]", text)))

    async def body(line: Any) -> None:
        chat = line.conversation()
        async with chat.stream("Hello") as stream:
            pieces = [piece async for piece in stream.text]
            assert len(pieces) == 1
            assert "".join(pieces) == (await stream.reply).text == CARD.sub("[card]", TEXT)
        assert chat.messages[-1].text == CARD.sub("[card]", TEXT)

    run(body, base_url=server, plugins=[plugin])


def test_what_was_held_back_is_not_in_the_partial_of_a_broken_stream(run: Any, sim: Any) -> None:
    from hookline import StreamInterrupted

    server = sim(Rule(reply=TEXT, chunk=3, cut_after=20))
    plugin = late(lambda self, reply: reply.rewrite(lambda text: CARD.sub("[card]", text)))

    async def body(line: Any) -> None:
        chat = line.conversation()
        with pytest.raises(StreamInterrupted) as caught:
            async with chat.stream("Hello") as stream:
                async for _ in stream.text:
                    pass
        assert caught.value.partial is not None
        assert caught.value.partial.text == ""
        assert "1234" not in str([message.text for message in chat.messages])

    run(body, base_url=server, plugins=[plugin])


def test_leaving_while_held_back_text_is_read_remembers_what_was_read(run: Any, sim: Any) -> None:
    server = sim(Rule(reply=TEXT, chunk=3))
    plugin = late(lambda self, reply: reply.rewrite(lambda text: CARD.sub("[card]", text)))

    async def body(line: Any) -> None:
        chat = line.conversation()
        async with chat.stream("Hello") as stream:
            async for piece in stream.text:
                assert piece == CARD.sub("[card]", TEXT)
                break
        assert chat.incomplete
        assert chat.messages[-1].text == CARD.sub("[card]", TEXT)

    run(body, base_url=server, plugins=[plugin])


@pytest.mark.parametrize("reason", ["promise", "filter"])
def test_who_says_it_leaves_text_alone_is_held_to_it(run: Any, reason: str) -> None:
    attributes: dict[str, Any] = {"rewrites_text": False}
    if reason == "filter":
        attributes = {"filter_stream": hookimpl(lambda self: None)}
    plugin = late(lambda self, reply: reply.with_text("another"), **attributes)
    with pytest.raises(PluginError, match="changed the text of a stream") as caught:
        run.stream(line={"plugins": [plugin]})
    assert (caught.value.plugin, caught.value.hook) == ("late", "post_process")


def test_who_leaves_text_alone_holds_nothing_back(run: Any) -> None:
    plugin = late(lambda self, reply: None, rewrites_text=False)

    async def body(line: Any) -> list[str]:
        async with line.stream("Hello") as stream:
            return [piece async for piece in stream.text]

    assert len(run(body, plugins=[plugin])) > 1


def test_pings_go_through_while_text_is_held_back(run: Any) -> None:
    from hookline.values.events import Ping

    plugin = late(lambda self, reply: None)

    async def body(line: Any) -> list[Any]:
        async with line.stream("Hello") as stream:
            return [event async for event in stream.events]

    assert isinstance(run(body, plugins=[plugin])[0], Ping)


def test_a_long_silence_while_text_is_held_back_is_bridged_by_pings(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hookline.values.events import Ping

    monkeypatch.setattr("hookline._journey.delivery._PING_SECONDS", 0.0)
    plugin = late(lambda self, reply: None)

    async def body(line: Any) -> list[Any]:
        async with line.stream("Hello") as stream:
            return [event async for event in stream.events]

    events = run(body, plugins=[plugin])
    assert sum(isinstance(event, Ping) for event in events) > 3
