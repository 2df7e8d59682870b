"""Blocks, messages and requests as a person makes them."""

from types import SimpleNamespace
from typing import Any

import pytest
from attrs import fields

from hookline.errors import InputError
from hookline.values.blocks import (
    BLOCKS,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UnknownBlock,
)
from hookline.values.citations import CITATIONS
from hookline.values.events import DELTAS, EVENTS
from hookline.values.messages import Message, Request, Response
from hookline.values.sources import SOURCES, Base64Source
from hookline.values.tools.definitions import Tool, ToolChoice
from hookline.values.usage import Usage

MEGABYTES = "A" * 1_600_000


# The type checkers must not see the mistakes that these tests make on purpose.
wrong: Any = SimpleNamespace(
    text=TextBlock,
    image=ImageBlock,
    call=ToolUseBlock,
    result=ToolResultBlock,
    message=Message,
    request=Request,
)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: wrong.text(5), r"TextBlock\.text must be a string, not 5 \(int\)"),
        (lambda: wrong.text(None), r"TextBlock\.text must be a string, not None"),
        (lambda: wrong.text("a", citations=["x"]), r"TextBlock\.citations\[0\] must be a Citation"),
        (lambda: wrong.image("x.png"), r"ImageBlock\.source must be a Source, not 'x\.png' \(str\)"),
        (lambda: wrong.call("a", "b", [1]), r"ToolUseBlock\.input must be a mapping"),
        (lambda: wrong.result("a", is_error=1), r"ToolResultBlock\.is_error must be true or false"),
        (lambda: wrong.result("a", [3]), r"ToolResultBlock\.content\[0\] must be a Block, not 3"),
        (lambda: wrong.message("user", None), r"Message\.content must be a string or a list, not None"),
        (lambda: wrong.message("user", b"x"), r"Message\.content must be .* not <1 bytes> \(bytes\)"),
        (lambda: wrong.message(3, "x"), r"Message\.role must be a string, not 3"),
        (lambda: wrong.message("user", "x", extra=[1]), r"Message\.extra must be a mapping"),
        (lambda: wrong.request("m", max_tokens=True), r"Request\.max_tokens must be an integer, not True \(bool\)"),
        (lambda: wrong.request("m", 1.0), r"Request\.max_tokens must be an integer, not 1\.0 \(float\)"),
        (lambda: wrong.request("m", 1, ["hi"]), r"Request\.messages\[0\] must be a Message, not 'hi'"),
        (lambda: wrong.request("m", 1, temperature="hot"), r"Request\.temperature must be a number or None"),
        (lambda: wrong.request("m", 1, temperature=True), r"Request\.temperature must be a number or None"),
        (lambda: wrong.request("m", 1, tool_choice="auto"), r"Request\.tool_choice must be a ToolChoice"),
        (lambda: wrong.request("m", 1, stop_sequences=["a", 1]), r"stop_sequences\[1\] must be a string"),
        (lambda: wrong.request("m", 1, tools=[{}]), r"Request\.tools\[0\] must be a ToolSpec"),
    ],
)  # fmt: skip
def test_plainly_wrong_types_are_named(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_roles_are_open() -> None:
    assert Message("narrator", "x").role == "narrator"


def test_content_is_kept_as_it_was_meant() -> None:
    assert Message("user", "x").content == "x"
    assert Message("user", "x").blocks == (TextBlock("x"),)
    mixed = Message("user", ["a", ThinkingBlock("hm", "s"), TextBlock("b")])
    assert (
        mixed.content == mixed.blocks == (TextBlock("a"), ThinkingBlock("hm", "s"), TextBlock("b"))
    )
    assert mixed.text == "ab"
    assert Message("user", TextBlock("a")).content == (TextBlock("a"),)
    assert Message("user", []).content == ()
    assert ToolResultBlock("t", "x").content == "x"


def test_requests_grow_by_copies() -> None:
    request = Request("m", 1, [Message("user", "a")], temperature=1, tools=[Tool("t", {})])
    longer = request.append(Message("assistant", "b"), Message("user", "c"))
    assert [message.text for message in longer.messages] == ["a", "b", "c"]
    assert len(request.messages) == 1
    assert longer.messages[0] is request.messages[0]
    assert Request("m", 1, betas="one").betas == ("one",)
    assert Request("m", 1, tool_choice=ToolChoice("any")).tool_choice == ToolChoice("any")


def test_responses_answer_simple_questions() -> None:
    response = Response(content=["a", ToolUseBlock("t", "n"), "b"], headers={"request-id": "req_1"})
    assert response.text == "ab"
    assert response.message == Message("assistant", response.content)
    assert response.request_id == "req_1"
    assert Response().request_id is None
    assert Usage(5, 1, 10, 100).total_input == 115
    assert Usage(5).total_input == 5


def test_reprs_never_hold_megabytes() -> None:
    image = ImageBlock(Base64Source("image/png", MEGABYTES))
    assert repr(image) == "ImageBlock(source=Base64Source(media_type='image/png', data=<1.2 MB>))"
    block = TextBlock("x" * 1_000_000)
    assert repr(block) == f"TextBlock(text='{'x' * 60}'… (1,000,000 characters))"
    many = [
        image,
        block,
        DocumentBlock(image.source),
        UnknownBlock("new", {"data": MEGABYTES}),
    ] * 50
    for value in (
        Message("user", many),
        Request("m", 1, [Message("user", many)] * 50, system=many, extra={MEGABYTES: MEGABYTES}),
        Response(content=many),
        ToolResultBlock("t", many),
    ):
        assert len(repr(value)) < 3_000


@pytest.mark.parametrize("table", [BLOCKS, SOURCES, CITATIONS, DELTAS, EVENTS])
def test_each_type_has_one_class_that_says_so(table: dict[str, Any]) -> None:
    assert all(cls.type == name for name, cls in table.items())
    assert len(set(table.values())) == len(table)
    for cls in table.values():
        assert cls.__doc__
        assert fields(cls).extra.kw_only
