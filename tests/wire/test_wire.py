"""JSON -> model -> JSON is identical, value for value and type for type."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.errors import DecodeError, InputError, UnresolvedContent
from hookline.values.blocks import (
    BLOCKS,
    Block,
    CacheControl,
    FallbackBlock,
    ImageBlock,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UnknownBlock,
)
from hookline.values.conversion.copies import copied
from hookline.values.events import (
    EVENTS,
    ContentBlockDelta,
    MessageStart,
    TextDelta,
    UnknownDelta,
    UnknownEvent,
)
from hookline.values.frozen import EMPTY, FrozenDict, Model
from hookline.values.messages import Message, Request, Response
from hookline.values.sources import UnknownSource, URLSource
from hookline.values.tools.definitions import ServerTool, Tool, UnknownTool
from hookline.values.usage import Usage
from hookline.wire import json as wire_json
from hookline.wire.codec import (
    decode_request,
    encode_message,
    encode_request,
    structure_block,
    structure_event,
    structure_message,
    structure_request,
    structure_response,
    unstructure,
)
from hookline.wire.sealed import sealed_response

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates too
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
# Names that our classes know, so that known fields get values of all kinds, right and wrong.
NAMES = st.sampled_from(
    [
        "text",
        "citations",
        "cache_control",
        "source",
        "data",
        "media_type",
        "url",
        "id",
        "name",
        "input",
        "tool_use_id",
        "content",
        "is_error",
        "thinking",
        "signature",
        "type",
        "ttl",
        "cited_text",
        "document_index",
        "start_char_index",
        "end_char_index",
        "from",
        "to",
        "extra",
        "absent",
        "status",
        "headers",
        "index",
        "delta",
        "message",
        "usage",
        "content_block",
        "error",
        "partial_json",
        "title",
    ]
)
TYPES = st.sampled_from(
    [*BLOCKS, *EVENTS, "base64", "url", "char_location", "text_delta", "ephemeral", "custom", "new"]
)
VALUE = st.deferred(lambda: JSON | OBJECT | st.lists(OBJECT, max_size=2))
CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")


def an_object(fields: dict[str, Any], type_: str | None) -> dict[str, Any]:
    made = fields | ({"type": type_} if type_ is not None else {})
    if made.get("type") in CALLS and not isinstance(made.get("input"), dict):
        made["input"] = {}  # anything else is mended, which a test of its own shows
    return made


OBJECT: st.SearchStrategy[dict[str, Any]] = st.builds(
    an_object,
    st.dictionaries(NAMES | ANY_TEXT, VALUE, max_size=4),
    st.none() | TYPES,
)
TEXT_BLOCK = st.fixed_dictionaries(
    {"type": st.just("text"), "text": ANY_TEXT}, optional={"citations": VALUE, "new": JSON}
)
CONTENT = st.lists(TEXT_BLOCK | OBJECT, max_size=3)
MESSAGE = st.fixed_dictionaries(
    {"role": ANY_TEXT, "content": ANY_TEXT | CONTENT}, optional={"clear_at": JSON, "new": VALUE}
)
USAGE = st.dictionaries(
    st.sampled_from(["input_tokens", "output_tokens", "cache_creation", "speed", "extra", "new"]),
    JSON,
)


def same(left: Any, right: Any) -> bool:
    """``==`` that tells 1 from 1.0 and from True, and a list from a tuple."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def same_or_refused(encode: Callable[[], bytes], data: Any) -> bool:
    """Say whether JSON leaves as it came; half a surrogate pair never leaves."""
    if "\\ud" in json.dumps(data).replace("\\\\", ""):
        halves = wire_json.unwritable(data)
        if halves is not None:
            with pytest.raises(InputError) as caught:
                encode()
            return "half a surrogate pair" in caught.value.reason
    return same(wire_json.loads(encode()), data)


@given(CONTENT)
def test_blocks_survive(content: list[dict[str, Any]]) -> None:
    for data in content:
        assert same(unstructure(structure_block(data)), data)


@given(OBJECT)
def test_events_survive(data: dict[str, Any]) -> None:
    assert same(unstructure(structure_event(data)), data)


@given(MESSAGE)
def test_messages_survive(data: dict[str, Any]) -> None:
    message = structure_message(data)
    assert same(unstructure(message), data)
    assert same_or_refused(lambda: encode_message(message), data)
    assert hash(message) == hash(structure_message(data))


@given(
    st.fixed_dictionaries(
        {"model": ANY_TEXT, "max_tokens": st.integers(), "messages": st.lists(MESSAGE, max_size=3)},
        optional={
            "system": ANY_TEXT | CONTENT | JSON,
            "tools": CONTENT | JSON,
            "tool_choice": OBJECT,
            "temperature": JSON,
            "stop_sequences": st.lists(ANY_TEXT) | JSON,
            "container": OBJECT | JSON,
            "betas": JSON,
            "extra": JSON,
        },
    )
)
def test_requests_survive(data: dict[str, Any]) -> None:
    request = structure_request(data)
    assert same(unstructure(request), data)
    assert same_or_refused(lambda: encode_request(request), data)


RESPONSE = st.fixed_dictionaries(
    {"content": CONTENT},
    optional={
        "id": JSON,
        "type": JSON,
        "role": JSON,
        "usage": USAGE | JSON,
        "stop_reason": JSON,
        "stop_details": OBJECT | JSON,
        "status": JSON,
        "events": JSON,
        "new": VALUE,
    },
)


@given(RESPONSE)
def test_responses_survive(data: dict[str, Any]) -> None:
    assert same(unstructure(structure_response(data)), data)


def parts(value: Any) -> Iterator[Any]:
    """Yield a value and what lies in it that somebody could change by force."""
    if isinstance(value, Model):
        yield value
        for each in attrs.fields(type(value)):
            yield from parts(getattr(value, each.name))
    elif isinstance(value, tuple | dict):
        if isinstance(value, dict) and value is not EMPTY:
            yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from parts(each)


@given(RESPONSE)
def test_a_sealed_response_is_what_its_json_says_and_shares_nothing(data: dict[str, Any]) -> None:
    response = structure_response(data, status=201, headers={"request-id": "req_1"})
    sealed = sealed_response(response)
    assert same(unstructure(sealed), unstructure(response))
    assert sealed == structure_response(wire_json.loads(wire_json.dumps(unstructure(response))))
    assert (sealed.status, sealed.headers, sealed.events) == (201, {"request-id": "req_1"}, None)
    wire = [each for each in parts(sealed) if each is not sealed.headers]
    assert {id(each) for each in wire}.isdisjoint(id(each) for each in parts(response))


BLOCK_JSON: dict[str, dict[str, Any]] = {
    "text": {"text": "a", "citations": [{"type": "char_location", "cited_text": "b", "document_index": 0,
        "document_title": None, "start_char_index": 0, "end_char_index": 1}]},
    "thinking": {"thinking": "hm", "signature": "c2ln"},
    "tool_use": {"id": "t", "name": "look_up", "input": {"deep": [{"n": 1.5}]}, "caller": {"type": "direct"}},
    "server_tool_use": {"id": "s", "name": "web_search", "input": {"query": "ants"}},
    "web_search_tool_result": {"tool_use_id": "s", "content": [{"type": "web_search_result", "url": "u"}]},
}  # fmt: skip


def test_what_the_api_sends_is_copied_without_its_json(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": name, **fields} for name, fields in BLOCK_JSON.items()],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2, "cache_creation": {"n": 1}, "new": [None]},
    }
    response = structure_response(data)
    monkeypatch.delattr("hookline.wire.sealed._json")
    sealed = sealed_response(response)
    assert same(unstructure(sealed), data)
    assert sealed == response


class Showing(str):
    """Says one thing to whoever looks, and another to the encoder."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Hiding(TextBlock):
    """Looks like a text block."""

    @property
    def said(self) -> str:
        return "nothing"


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("model", Showing("forbidden")),
        ("model", 7),
        ("stop_reason", ["forbidden"]),
        ("id", None),
        ("type", None),
        ("content", [TextBlock("forbidden")]),
        ("content", (Hiding("forbidden"),)),
        ("content", (UnknownBlock("", {"type": "text", "text": "forbidden"}),)),
        ("content", ({"type": "text", "text": "forbidden"},)),
        ("usage", FrozenDict({"input_tokens": 1})),
        ("usage", None),
        ("extra", {"model": "forbidden"}),
        ("extra", FrozenDict({"content": "forbidden"})),
        ("extra", FrozenDict({"stop_reason": None})),
        ("extra", 7),
        ("absent", frozenset({"model"})),
        ("container", {"id": "forbidden"}),
        ("input_transformations", ([1, 2],)),
    ],
)  # fmt: skip
def test_what_is_not_what_it_seems_goes_by_its_json(where: str, what: Any) -> None:
    response = Response("msg_1", "m", (TextBlock("a"),), "end_turn", None, Usage(1, 2))
    object.__setattr__(response, where, what)
    assert copied(response) is None
    try:
        by_json = structure_response(wire_json.loads(wire_json.dumps(unstructure(response))))
    except Exception as error:  # noqa: BLE001 -- whatever it is
        with pytest.raises(type(error)):
            sealed_response(response)
    else:
        assert sealed_response(response) == by_json


@pytest.mark.parametrize(
    "text", [Showing("forbidden"), 7, None, ["forbidden"]], ids=lambda each: type(each).__name__
)
def test_nor_does_anything_hide_further_in(text: Any) -> None:
    block = TextBlock("a")
    object.__setattr__(block, "text", text)
    assert copied(Response("msg_1", "m", (block,))) is None
    usage = Usage(1, 2)
    object.__setattr__(usage, "input_tokens", True)
    assert copied(Response("msg_1", "m", (), usage=usage)) is None
    deep: Any = FrozenDict()
    for _ in range(5000):
        made: FrozenDict[str, Any] = FrozenDict()
        dict.__setitem__(made, "a", deep)
        deep = made
    response = Response("msg_1", "m")
    object.__setattr__(response, "container", deep)
    assert copied(response) is None


def test_known_fields_become_attributes_and_the_rest_is_extra() -> None:
    block = structure_block(
        {
            "type": "text",
            "text": "hi",
            "citations": None,
            "cache_control": {"type": "ephemeral"},
            "n": 1,
        }
    )
    assert block == TextBlock("hi", cache_control=CacheControl(), extra={"citations": None, "n": 1})


def test_every_block_class_is_used_for_its_type() -> None:
    full = {
        "text": "t", "source": {"type": "url", "url": "u"}, "thinking": "t", "signature": "s",
        "data": "d", "id": "i", "name": "n", "input": {}, "tool_use_id": "i", "content": [],
        "file_id": "f", "server_name": "s", "mcp_server_name": "m", "tools": [], "from": {},
        "to": {}, "tool_name": "n", "title": "t",
    }  # fmt: skip
    for name, cls in BLOCKS.items():
        data: dict[str, Any] = {**full, "type": name}
        if name == "search_result":
            data["source"] = "s"
        if name == "compaction":
            data["content"] = "summary"
        block = structure_block(data)
        assert type(block) is cls, name
        assert same(unstructure(block), data)
    fallback = structure_block({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}})
    assert isinstance(fallback, FallbackBlock)
    assert fallback.from_ == {"model": "a"}


@pytest.mark.parametrize(
    "data",
    [
        {"type": "text"},
        {"type": "text", "text": None},
        {"type": "text", "text": 5},
        {"type": "text", "text": "x", "citations": {}},
        {"type": "image", "source": "nowhere"},
        {"type": "tool_result", "tool_use_id": "x", "content": [1]},
        {"type": "tool_result", "tool_use_id": "x", "is_error": 1},
        {"type": "text", "text": "x", "cache_control": {"ttl": "5m"}},
        {"text": "no type"},
        {"type": 7},
    ],
)
def test_what_does_not_fit_is_kept_whole(data: dict[str, Any]) -> None:
    block = structure_block(data)
    assert isinstance(block, UnknownBlock)
    assert same(unstructure(block), data)


def test_nested_unknown_things_leave_their_surroundings_known() -> None:
    block = structure_block({"type": "image", "source": {"type": "beam", "to": [1]}})
    assert block == ImageBlock(UnknownSource("beam", {"type": "beam", "to": [1]}))
    event = structure_event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "hum_delta", "hum": "m"}}
    )
    assert isinstance(event, ContentBlockDelta)
    assert isinstance(event.delta, UnknownDelta)


def test_tools_are_told_apart() -> None:
    body = {
        "model": "m",
        "max_tokens": 1,
        "messages": [],
        "tools": [
            {"name": "a", "input_schema": {}},
            {"type": "custom", "name": "a", "input_schema": {}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "computer_toolset_20260801"},
            {"name": "no schema"},
        ],
    }
    request = structure_request(body)
    assert request.tools is not None
    assert [type(tool) for tool in request.tools] == [
        Tool, Tool, ServerTool, ServerTool, UnknownTool,
    ]  # fmt: skip
    assert same(unstructure(request), body)


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        ([], "$", "an object"),
        ({}, "$.content", "nothing"),
        ({"content": None}, "$.content", "None"),
        ({"content": "text"}, "$.content", "'text'"),
        ({"content": [{"type": "text", "text": ""}, 4]}, "$.content[1]", "4"),
        ({"type": "error", "error": {"type": "x"}}, "$.content", "nothing"),
    ],
)
def test_a_response_of_the_wrong_shape(data: Any, path: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words) as caught:
        structure_response(data)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"max_tokens": 1, "messages": []}, "$.model"),
        ({"model": "m", "max_tokens": True, "messages": []}, "$.max_tokens"),
        ({"model": "m", "max_tokens": 1.0, "messages": []}, "$.max_tokens"),
        ({"model": "m", "max_tokens": 1, "messages": {}}, "$.messages"),
        ({"model": "m", "max_tokens": 1, "messages": [{"role": "user"}]}, "$.messages[0].content"),
        (
            {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": ["x"]}]},
            "$.messages[0].content[0]",
        ),
    ],
)
def test_a_request_of_the_wrong_shape(data: Any, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        structure_request(data)
    assert caught.value.path == path


def test_events_that_are_no_objects() -> None:
    wrong: list[Any] = [[], 5, None, "abc"]
    for data in wrong:
        with pytest.raises(DecodeError):
            structure_event(data)
    assert isinstance(structure_event({"type": "message_start", "message": {}}), UnknownEvent)


def test_absurd_nesting_is_an_error_and_no_crash() -> None:
    data: Any = {"type": "text", "text": ""}
    for _ in range(20_000):
        data = {"type": "tool_result", "tool_use_id": "x", "content": [data]}
    with pytest.raises(DecodeError, match="nested"):
        structure_message({"role": "user", "content": [data]})


def test_the_fast_path_gives_what_the_general_one_gives() -> None:
    data = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "a"}}
    assert structure_event(data) == ContentBlockDelta(1, TextDelta("a"))
    for change in ({"index": True}, {"index": None}, {"delta": {"type": "text_delta", "text": 1}}):
        odd = {**data, **change}
        assert not (
            isinstance(structure_event(odd), ContentBlockDelta)
            and isinstance(structure_event(odd).delta, TextDelta)  # type: ignore[attr-defined]
        )
        assert same(unstructure(structure_event(odd)), odd)


def test_absent_counts_read_as_zero_and_stay_absent() -> None:
    response = structure_response({"content": [], "usage": {"output_tokens": 0}})
    assert (response.usage.input_tokens, response.id) == (0, "")
    assert unstructure(response) == {"content": [], "usage": {"output_tokens": 0}}
    filled = response.evolve(id="msg_1", usage=Usage(3, 0))
    assert unstructure(filled) == {
        "content": [], "id": "msg_1", "usage": {"input_tokens": 3, "output_tokens": 0},
    }  # fmt: skip


def test_a_new_value_wins_over_a_kept_null() -> None:
    response = structure_response({"content": [], "stop_reason": None, "usage": None})
    changed = response.evolve(stop_reason="end_turn", usage=Usage(1, 2))
    assert unstructure(changed)["stop_reason"] == "end_turn"
    assert unstructure(changed)["usage"] == {"input_tokens": 1, "output_tokens": 2}


# ---- bytes ---------------------------------------------------------------------------------------


def _request(*texts: str) -> Request:
    roles = ("user", "assistant")
    return Request("m", 5, [Message(roles[i % 2], text) for i, text in enumerate(texts)])


def test_a_message_is_encoded_once() -> None:
    message = Message("user", ["hello"])
    assert encode_message(message) is encode_message(message)
    assert message == Message("user", ["hello"])
    assert "hello" in repr(message)
    assert "_encoded" not in repr(message)


def test_the_next_turn_begins_with_the_bytes_of_this_one() -> None:
    first = _request("a", "b").evolve(stream=True, system="s")
    then = first.append(Message("user", "c"))
    assert encode_request(then).startswith(encode_request(first)[: -len(b"]}")])
    assert json.loads(encode_request(then)) == unstructure(then)


def test_betas_are_a_header() -> None:
    assert b"betas" not in encode_request(_request("a").evolve(betas=["x"]))


def test_an_unchanged_request_leaves_with_the_bytes_it_came_with() -> None:
    body = b'{ "max_tokens":1.0e0 }'
    with pytest.raises(DecodeError, match=r"\$\.max_tokens"):
        decode_request(body)
    body = b'{ "messages": [{"content":"\\u0041","role":"user"}],\n"max_tokens":1, "model":"m" }'
    request = decode_request(body, betas=("b",))
    assert request.betas == ("b",)
    assert encode_request(request) is body
    kept = encode_message(request.messages[0])
    changed = request.evolve(max_tokens=2)
    assert json.loads(encode_request(changed))["max_tokens"] == 2
    assert encode_message(changed.messages[0]) is kept
    assert request.evolve(max_tokens=1) == request


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b"[]"])
def test_bodies_that_are_no_requests(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_request(body)


class Attachment(Block):
    """As `Image`: a block that a plugin must resolve."""

    resolved = False


def test_an_unresolved_attachment_is_named_with_its_position() -> None:
    request = Request(
        "m",
        1,
        [
            Message("user", "a"),
            Message("user", [TextBlock("b"), ToolResultBlock("t", ["x", Attachment()])]),
        ],
    )
    with pytest.raises(
        UnresolvedContent,
        match=r"^messages\.1\.content\.1\.content\.1: Attachment .*'images' plugin",
    ):
        encode_request(request)
    with pytest.raises(UnresolvedContent, match=r"^content\.0: Attachment"):
        encode_message(Message("user", Attachment()))
    with pytest.raises(UnresolvedContent, match=r"^system\.0: "):
        encode_request(request.evolve(messages=(), system=[Attachment()]))


HALF = "caf\ud83d"


@pytest.mark.parametrize(
    ("request_", "position"),
    [
        (Request("m", 1, [Message("user", "a"), Message("user", HALF)]), "messages.1.content"),
        (Request("m", 1, [Message("user", ["a", HALF])]), "messages.0.content.1.text"),
        (Request("m", 1, system=HALF), "system"),
        (Request("m", 1, metadata={"user_id": [HALF]}), "metadata.user_id.0"),
        (Request("m", 1, tools=[Tool("t", {HALF: {}})]), f"tools.0.input_schema.{HALF}"),
    ],
)
def test_half_a_surrogate_pair_never_leaves(request_: Request, position: str) -> None:
    with pytest.raises(InputError, match=r"half a surrogate pair \(U\+D83D\)") as caught:
        encode_request(request_)
    assert caught.value.position == position
    assert str(caught.value) == f"{position}: {caught.value.reason}"


def test_a_number_that_cannot_be_written_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match=r"^input\.a is <int of 16610 bits>, which is not JSON"):
        ToolUseBlock("t", "n", {"a": 10**5000})
    call = ToolUseBlock("t", "n", {"a": 1})
    held: Any = call.input
    dict.__setitem__(held, "a", 10**5000)  # by force
    with pytest.raises(
        InputError, match=r"^content\.0\.input\.a: <int of 16610 bits> has too many"
    ):
        encode_message(Message("user", [call]))
    assert copied(Response("msg_1", "m", (call,))) is None
    for number in (float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"Request\.temperature must be a finite number"):
            Request("m", 1, temperature=number)
        with pytest.raises(DecodeError, match=r"temperature is .*, which is not JSON"):
            structure_request(
                {"model": "m", "max_tokens": 1, "messages": [], "temperature": number}
            )


def test_frozen_json_nested_without_end_is_refused() -> None:
    deep: FrozenDict[str, Any] = FrozenDict()
    for _ in range(5_000):
        deep = FrozenDict(a=deep)
    with pytest.raises(InputError, match="nested too deeply"):
        encode_message(Message("user", [ToolUseBlock("t", "n", deep)]))


def test_bytes_that_somebody_put_there_are_not_believed() -> None:
    """What the checks walked is what the encoder writes."""
    honest, forged = Message("user", "harmless"), Message("user", "SECRET")
    encode_message(forged)
    encode_message(honest)
    for lie in (b'{"role":"user","content":"SECRET"}', forged._encoded, (1, 2, 3)):
        object.__setattr__(honest, "_encoded", lie)
        assert json.loads(encode_message(honest)) == unstructure(honest)
        assert b"SECRET" not in encode_request(Request("m", 1, [honest]))
    request = decode_request(b'{"model":"m","max_tokens":1,"messages":[]}')
    other = decode_request(
        b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}'
    )
    for lie in (b'{"SECRET":1}', other._encoded):
        object.__setattr__(request, "_encoded", lie)
        assert json.loads(encode_request(request)) == unstructure(request)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","model":"n","max_tokens":1,"messages":[]}',
        b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a","content":"b"}]}',
        b'{"model":"m","max_tokens":1,"messages":[],"\\u006dodel":"n"}',
        # quotes that are written as numbers must not make up for those of a lost name
        b'{"model":"m","max_tokens":1,"messages":[],"metadata":{"a":1,"a":2,"c":"\\u0022\\u0022"}}',
        b'{"model":"m","max_tokens":1,"messages":[],"metadata":{"":{},"":1}}',
        b'{"model":"m","max_tokens":1,"messages":[],"x":"' + b"A" * 300_000 + b'","x":1}',
        b'{"model":"m","max_tokens":1,"messages":[],"x":"\\n' + b"A" * 300_000 + b'","x":1}',
    ],
)
def test_a_name_that_stands_twice_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError, match=r"the name '\w*' stands twice in one object"):
        decode_request(body)


@settings(max_examples=20)
@given(JSON)
def test_what_stands_once_is_read(value: Any) -> None:
    for data in (
        wire_json.dumps({"a": value, "b": [value]}),
        json.dumps({"a": value, '"': '"\\"'}, indent=1).encode(),
        json.dumps({"a": value, "long": 'x"' * 200_000}).encode(),
    ):
        assert same(wire_json.loads_unique(data), wire_json.loads(data))


@pytest.mark.parametrize("text", ["1e999", "[-1e999, 12345678901234567890123]"])
def test_numbers_beyond_all_bounds_are_no_json(text: str) -> None:
    with pytest.raises(wire_json.JSONDecodeError):
        wire_json.loads(text)


def test_local_fields_stay_out_of_the_json() -> None:
    response = Response(content=["x"], status=529, headers={"request-id": "req_1"})
    assert response.request_id == "req_1"
    assert response == Response(content=["x"])
    assert not {"status", "headers", "events"} & unstructure(response).keys()
    assert same(unstructure(MessageStart(response))["message"], unstructure(response))


def test_url_source_in_a_message() -> None:
    message = Message("user", ImageBlock(URLSource("https://example.com/ant.jpg")))
    assert json.loads(encode_message(message)) == {
        "role": "user",
        "content": [
            {"type": "image", "source": {"type": "url", "url": "https://example.com/ant.jpg"}}
        ],
    }


@pytest.mark.parametrize("before", range(19))
def test_a_large_integer_is_exact_wherever_it_stands(before: int) -> None:
    large = 2**64 + 1
    assert wire_json.loads(b"[" + b" " * before + str(large).encode() + b"]") == [large]


@pytest.mark.parametrize(
    ("given", "parsed", "invalid"),
    [
        ({}, {}, None),
        ({"input": None}, {}, None),
        ({"input": "{}"}, {}, None),
        ({"input": '{"a": 1}'}, {"a": 1}, None),
        ({"input": '"{\\"a\\": 1}"'}, {"a": 1}, None),
        ({"input": "a town"}, {"INVALID_JSON": "a town"}, "a town"),
        ({"input": ""}, {}, None),
        ({"input": [1]}, {"INVALID_JSON": "[1]"}, "[1]"),
        ({"input": 5}, {"INVALID_JSON": "5"}, "5"),
    ],
)
@pytest.mark.parametrize("kind", CALLS)
def test_a_tool_call_whose_input_is_no_object_is_still_a_call(
    kind: str, given: Any, parsed: Any, invalid: Any
) -> None:
    block = structure_block({"type": kind, "id": "t", "name": "n", "server_name": "s", **given})
    assert block.type == kind
    assert not isinstance(block, UnknownBlock)
    assert (block.input, block.invalid_json) == (parsed, invalid)  # type: ignore[attr-defined]  # of all three


def test_a_byte_order_mark_is_no_part_of_json() -> None:
    assert wire_json.loads(b"\xef\xbb\xbf" + b'{"a": 12345678901234567890}') == {"a": 12345678901234567890}  # fmt: skip
    assert wire_json.loads('\ufeff{"a": "\\ud83d"}') == {"a": "\ud83d"}
    with pytest.raises(wire_json.JSONDecodeError):
        wire_json.loads(b'{"a": ' + b"\xef\xbb\xbf" + b"1}")
