"""Canaries: what must not be shown is pushed through every sink, and looked for in all of them."""

import asyncio
import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from loguru import logger

from hookline import APIError, AsyncPipeline, BatchItem, HooklineError, Message, Pipeline
from hookline._http.transport import Outgoing
from hookline.testing import (
    Close,
    FaultServer,
    Reset,
    Send,
    Stall,
    error_answer,
    http_answer,
    json_answer,
    message,
    stream_events,
    stream_head,
    stream_parts,
)
from hookline.values import (
    HIDDEN,
    DocumentBlock,
    FrozenDict,
    ImageBlock,
    Request,
    Secret,
    ToolResultBlock,
    UnknownBlock,
    URLSource,
    redacted,
    shown_url,
)
from hookline.values.secret import HiddenBytes, HiddenText

KEY = "sk-ant-" + "CANARY-key"  # not one constant, which a traceback would show as source code
ELSE = "x" + "-CANARY-header"
CANARY = "CANARY"


class Sinks:
    """Everything that an error may be shown in."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def shown(self, error: BaseException) -> str:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        parts = [*self.lines]
        while told is not None:  # frames of this file hold the canaries, since it sets them free
            parts += [
                f"{name} = {value}"
                for frame in told.stack
                if frame.filename != __file__
                for name, value in (frame.locals or {}).items()
            ]
            parts += told.format_exception_only()
            told = told.__cause__ or told.__context__  # type: ignore[assignment]  # may be None
        at: BaseException | None = error
        while at is not None:
            parts += [repr(at), str(at), repr(vars(at)), repr(at.args)]
            at = at.__cause__ or at.__context__
        return "\n".join(parts)


@pytest.fixture
def sinks() -> Iterator[Sinks]:
    found = Sinks()
    logger.enable("hookline")
    number = logger.add(found.lines.append, level="DEBUG", format="{message} {extra} {exception}", diagnose=True)  # fmt: skip
    yield found
    logger.remove(number)
    logger.disable("hookline")


def _sync(**options: Any) -> None:
    with Pipeline(**options) as line:
        line.send("Hello")


def _stream(**options: Any) -> None:
    with Pipeline(**options) as line, line.stream("Hello") as stream:
        list(stream.text)


def _handed_in(**options: Any) -> None:
    with httpx.Client() as client, Pipeline(**options, client=client) as line:
        line.send("Hello")


def _async(http: Any) -> Callable[..., None]:
    async def main(options: Any) -> None:
        async with AsyncPipeline(**options, http=http) as line:
            await line.send("Hello")

    return lambda **options: asyncio.run(main(options))


WAYS: dict[str, Callable[..., None]] = {
    "sync": _sync,
    "stream": _stream,
    "handed in": _handed_in,
    "httpx": _async("httpx"),
    "httpx2": _async("httpx2"),
    "aiohttp": _async("aiohttp"),
}
ECHO: dict[str, Any] = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": f"{KEY} {ELSE}",
        "details": {"given": [KEY]},
    },
}
FAULTS: dict[str, Any] = {
    "refused": None,
    "dropped": Reset(),
    "echoed": error_answer(
        401,
        "authentication_error",
        f"invalid {KEY} or {ELSE}",
        details={"given": [KEY]},
        headers={"x-echo": KEY},
    ),
    "echoed in a stream": (
        Send(stream_head() + b"".join(stream_parts([*stream_events("Hel", end=False), ECHO]))),
        Close(),
    ),
    "echoed in a header that is none": (
        Send(f"HTTP/1.1 200 OK\r\nbad {ELSE}\r\n\r\n".encode()),
        Close(),
    ),
    "no JSON in spite of its status": http_answer(200, f"<b>{KEY}</b> {ELSE}".encode()),
    "no JSON": http_answer(500, f"<b>{KEY}</b> {ELSE}".encode(), {"content-type": "text/html"}),
    "silent": Stall(),
}


@pytest.mark.parametrize("credential", ["api_key", "auth_token"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS)
def test_no_key_in_any_sink(way: str, fault: str, credential: str, sinks: Sinks) -> None:
    options: dict[str, Any] = {
        "model": "claude-haiku-4-5",
        credential: KEY,
        "headers": {"x-gateway": ELSE},
        "read_timeout": 0.2,  # of a stream; a plain answer may take what the turn has
        "timeout": 0.5 if fault == "silent" else 60,
        "config": {"plugins": {"disable": ["retry"]}},
    }
    if fault == "refused":
        with pytest.raises(HooklineError) as caught:
            WAYS[way](base_url="http://127.0.0.1:9", **options)
    else:
        with FaultServer(FAULTS[fault]) as server, pytest.raises(HooklineError) as caught:
            WAYS[way](base_url=server.url, **options)
    text = sinks.shown(caught.value)
    assert "request = Request(" in text  # the frames were really looked at
    assert [each for each in text.splitlines() if CANARY in each] == []


def test_no_key_in_the_errors_of_other_endpoints() -> None:
    options: Any = {"api_key": KEY, "headers": {"x-gateway": ELSE}, "model": "claude-haiku-4-5"}
    results = [
        {"custom_id": "a", "result": {"type": "errored", "error": ECHO}},
        {"custom_id": "b", "result": {"type": "errored", "error": {"message": ELSE}}},
    ]
    lines = "\n".join(map(json.dumps, results)).encode()
    answers = [json_answer(ECHO), json_answer(ECHO), http_answer(200, lines)]
    with FaultServer(*answers) as server, Pipeline(base_url=server.url, **options) as line:
        with pytest.raises(APIError) as counted:
            line.count_tokens("Hello")
        with pytest.raises(APIError) as listed:
            line.files.list()
        failed: list[Any] = [result.error for result in line.batches.results("msgbatch_a")]
    for error in filter(None, (counted.value, listed.value, *failed)):
        assert "…" in Sinks().shown(error)
        assert CANARY not in Sinks().shown(error)


def test_a_pipeline_that_could_not_be_built_can_be_shown() -> None:
    assert repr(Pipeline.__new__(Pipeline)) == "<Pipeline, not built>"


def test_headers_show_nothing_wherever_they_lie() -> None:
    hidden = {"x-api-key": HiddenText(KEY), "raw": [(b"x-api-key", HiddenBytes(KEY.encode()))]}
    assert CANARY not in f"{hidden} {hidden!r}"
    assert hidden["x-api-key"] == KEY
    outgoing = Outgoing("POST", "https://example.com", {"x-api-key": KEY}, KEY.encode())
    assert CANARY not in repr(outgoing)
    assert CANARY not in repr([Secret(KEY), {"a": Secret(KEY)}])


# ---- what a request holds --------------------------------------------------------------------

SIGNED = f"https://user:{CANARY}@example.com/a.png?X-Amz-Signature={CANARY}#{CANARY}"
TOLD = Request(
    "claude-haiku-4-5",
    1,
    [
        Message(
            "user",
            [
                ToolResultBlock("t", [ImageBlock(URLSource(SIGNED))]),
                DocumentBlock(URLSource(SIGNED)),
                UnknownBlock("new", {"type": "new", "source": {"type": "url", "url": SIGNED}}),
            ],
        )
    ],
    mcp_servers=[{"type": "url", "url": SIGNED, "name": "m", "authorization_token": CANARY}],
    fallback_credit_token=CANARY,
    extra={"new": {"authorization_token": CANARY}},
)


def test_no_credential_in_what_is_shown_of_a_request() -> None:
    config = {"plugins": {"disable": ["preflight"]}}  # which has more to say about it
    with Pipeline(base_url="sim:", model="claude-haiku-4-5", config=config) as line:
        told = line.explain(
            messages=list(TOLD.messages),
            mcp_servers=[dict(TOLD.mcp_servers[0])],  # type: ignore[index]  # given above
            fallback_credit_token=CANARY,
        )
    text = f"{told.render()} {told.to_dict()} {told.trace.render()} {told.trace.to_dict()}"
    assert "https://example.com/a.png?…" in text
    assert "authorization_token" in text
    assert CANARY not in text
    for value in (TOLD, *TOLD.messages, *TOLD.messages[0].blocks, TOLD.mcp_servers, TOLD.extra):
        assert CANARY not in repr(value)


def test_redacted() -> None:
    given: FrozenDict[str, Any] = FrozenDict(
        {"api_key": None, "a": [{"authorization_token": "x", "url": "plain"}]}
    )
    assert redacted(given) == {
        "api_key": None,
        "a": [{"authorization_token": HIDDEN, "url": "plain"}],
    }
    assert shown_url("https://example.com/a b#c") == "https://example.com/a b"
    assert shown_url("no address ? at all") == "no address ? at all"


# ---- what a server says ----------------------------------------------------------------------

NOISE = "\x1b[2J\x1b]0;title\x07 red\r\nnext\u202eevil\u2066x\u200b\ud800 \x9b"


@pytest.mark.parametrize("status", [400, 200], ids=["status", "event"])
def test_what_a_server_says_is_cut_and_cleaned(status: int) -> None:
    error = APIError(NOISE + "long " * 12_000, status=status, type=NOISE, request_id=NOISE)
    for text in (str(error), error.message, error.type, str(error.request_id)):
        assert text.isprintable()
        assert len(text) < 2_500
    assert error.message.startswith(" [2J ]0;title")
    assert "(60,0" in error.message
    assert APIError("naïve 蟻 🐜", status=400, type="x").message == "naïve 蟻 🐜"


@pytest.mark.parametrize("streamed", [False, True], ids=["send", "stream"])
def test_an_echo_of_the_key_is_shown_nowhere_in_an_error(streamed: bool) -> None:
    key = "plain-" + "CANARY-key"
    told = {"type": "invalid_request_error", "message": key, "details": {key: [key], "a": {key: 1}}}
    event = {"type": "error", "error": told, "request_id": key}
    body = json.dumps(event).encode()
    answer = stream_head() + b"event: error\ndata: " + body + b"\n\n"
    with (
        FaultServer(answer if streamed else http_answer(400, body)) as stub,
        Pipeline(base_url=stub.url, api_key=key, model="claude-haiku-4-5") as line,
        pytest.raises(APIError) as caught,
    ):
        if not streamed:
            line.send("Hello")
        with line.stream("Hello") as stream:
            _ = stream.reply
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if frame.filename != __file__]
    assert CANARY not in repr([frame.locals for frame in ours])
    assert CANARY not in repr([str(caught.value), vars(caught.value)])


def test_the_id_of_a_request_is_cleaned_in_an_answer_too() -> None:
    head = {"request-id": "req_1\x1b[2J" + "x" * 500 + KEY}
    with (
        FaultServer(json_answer(message("Ants."), headers=head)) as stub,
        Pipeline(base_url=stub.url, api_key="k", model="claude-haiku-4-5") as line,
    ):
        reply = line.send("Hello")
    (attempt,) = reply.trace.attempts
    assert attempt.request_id == reply.response.request_id
    assert (attempt.request_id or "").startswith("req_1 [2Jxx")
    assert len(attempt.request_id or "") < 150
    assert "\x1b" not in json.dumps(reply.trace.to_dict(), ensure_ascii=False) + str(reply.trace)


def test_no_credential_of_a_call_in_any_frame_and_the_callers_own_stay(sinks: Sinks) -> None:
    server = {"type": "url", "url": "https://a.example", "name": "a", "authorization_token": KEY}
    given: Any = {
        "mcp_servers": [server],
        "fallback_credit_token": KEY,
        "tools": [{"type": "mcp_toolset", "mcp_server_name": "a"}],
    }
    item = BatchItem("x", "Hello", **given)
    assert CANARY not in repr(item)

    async def twin() -> None:
        async with AsyncPipeline(base_url=url, api_key="k", model="claude-haiku-4-5") as line:
            await line.send("Hello", **given)

    with FaultServer(error_answer(400, "invalid_request_error")) as stub:
        url = stub.url
        with Pipeline(base_url=url, api_key="k", model="claude-haiku-4-5") as line:
            for call in (
                lambda: line.send("Hello", **given),
                lambda: line.conversation().send("Hello", **given),
                lambda: line.count_tokens("Hello", **given),
                lambda: line.batches.create([item]),
                lambda: asyncio.run(twin()),
            ):
                with pytest.raises(APIError) as caught:
                    call()
                assert CANARY not in sinks.shown(caught.value)
    assert given["mcp_servers"] == item.options["mcp_servers"] == [server]
    assert sum(KEY.encode() in each.body for each in stub.requests) == 5  # so it was sent
