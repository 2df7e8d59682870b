"""Credentials that a call hands over, in whatever option: in no frame of ours, on no surface, at no stage.

What the caller holds in a frame of his own is his.
"""

import asyncio
import copy
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rich.console
from loguru import logger

from hookline import (
    AsyncPipeline,
    BatchItem,
    Document,
    HooklineError,
    Image,
    InputError,
    Pipeline,
    hookimpl,
)
from hookline.testing import (
    Close,
    FaultServer,
    Send,
    error_answer,
    json_answer,
    message,
    stream_events,
    stream_head,
    stream_parts,
)
from hookline.values import FrozenDict, ImageBlock, Message, Request, URLSource
from support.frames import by_rich, chain, shown_variables

CANARY = "CAN" + "ARY"
KEY = "sk-ant-" + CANARY + 100 * "k"
SIGNED = f"https://media.example/a.png?X-Amz-Signature={KEY}"
SOURCE = {"type": "url", "url": SIGNED}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "a"}
SERVER = {"type": "url", "url": f"https://a.example/?key={KEY}", "name": "a", "authorization_token": KEY}  # fmt: skip

# What is given beside a message, or with it.
GIVEN: dict[str, dict[str, Any]] = {
    "mcp_servers": {"mcp_servers": [SERVER], "tools": [TOOLSET]},
    "fallback_credit_token": {"fallback_credit_token": KEY},
    "extra, by a known name": {"extra": {"authorization_token": KEY}},
    "extra, by any name": {"extra": {"tenant": KEY, "deep": {"list": [KEY]}}},
    "extra, a whole field": {"extra": {"mcp_servers": [SERVER]}},
    "messages as plain JSON": {
        "messages": [{"role": "user", "content": [{"type": "image", "source": SOURCE}]}]
    },
    "a message as plain JSON": {"message": [{"type": "image", "source": SOURCE}, "What is it?"]},
    "an image": {"message": [Image(SIGNED), "What is it?"]},
    "a document": {"message": [Document(f"https://a.example/a.pdf?sig={KEY}"), "What is it?"]},
}
REFUSED: dict[str, dict[str, Any]] = {
    "headers": {"headers": {"authorization": f"Bearer {KEY}"}},
    "extra_headers": {"extra_headers": {"x-tenant": KEY}},
    "extra_body": {"extra_body": {"token": KEY}},
    "api_key": {"api_key": KEY},
    "beside a wrong one": {"mcp_servers": [SERVER], "timeout": "soon"},
}


def parts(given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    rest = {**given}
    return rest.pop("message", None if "messages" in given else "Hello"), rest


def _stream(line: Any, given: dict[str, Any]) -> None:
    said, rest = parts(given)
    with line.stream(said, **rest) as stream:
        list(stream.text)


def _explain(line: Any, given: dict[str, Any]) -> Any:
    said, rest = parts(given)
    return line.explain(said, **rest)


def _send(line: Any, given: dict[str, Any]) -> Any:
    said, rest = parts(given)
    return line.send(said, **rest)


def _converse(line: Any, given: dict[str, Any]) -> Any:
    said, rest = parts(given)
    rest.pop("messages", None)
    return line.conversation().send(said or "Hello", **rest)


def _count(line: Any, given: dict[str, Any]) -> Any:
    said, rest = parts(given)
    return line.count_tokens(said, **rest)


def _batch(line: Any, given: dict[str, Any]) -> Any:
    said, rest = parts(given)
    return line.batches.create([BatchItem("x", said, **rest)])


SURFACES: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "send": _send,
    "conversation": _converse,
    "stream": _stream,
    "explain": _explain,
    "count_tokens": _count,
    "batches": _batch,
}


class Fails:
    """Fails in one hook."""

    rewrites_text = False

    def __init__(self, hook: str) -> None:
        self.hook = hook

    def _at(self, hook: str) -> None:
        if hook == self.hook:
            raise RuntimeError("here")

    @hookimpl
    def build_history(self, turn: Any) -> None:
        self._at("build_history")

    @hookimpl
    def check_request(self, turn: Any) -> None:
        self._at("check_request")

    @hookimpl
    def post_process(self, turn: Any) -> None:
        self._at("post_process")

    @hookimpl
    def conclude(self, turn: Any) -> None:
        self._at("conclude")


CUT = (
    Send(stream_head() + b"".join(stream_parts(stream_events("Hel", end=False)))),
    Close(),
)
STAGES: dict[str, tuple[Any, list[Any]]] = {
    "refused by the server": (error_answer(400, "invalid_request_error", "no"), []),
    "broken off": (CUT, []),
    "before the request": (b"", [Fails("build_history")]),
    "at the check": (b"", [Fails("check_request")]),
    "after the reply": (json_answer(message("Hi")), [Fails("post_process")]),
    "at the end": (json_answer(message("Hi")), [Fails("conclude")]),
}


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    logger.enable("hookline")
    number = logger.add(
        lines.append, level=0, format="{message} {extra} {exception}", diagnose=True
    )
    yield lines
    logger.remove(number)
    logger.disable("hookline")


def options(server: FaultServer, plugins: list[Any] | None = None) -> dict[str, Any]:
    return {
        "base_url": server.url,
        "api_key": "k",
        "model": "claude-haiku-4-5",
        "plugins": plugins or [],
        "config": {"plugins": {"disable": ["retry", "preflight"]}},
    }


def shown(error: BaseException) -> list[str]:
    texts = [text for each in chain(error) for text in (str(each), repr(each), repr(vars(each)))]
    texts += shown_variables(error, but=__file__)
    assert any("hookline" in text for text in texts)
    return [text[:500] for text in texts if CANARY in text]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("what", GIVEN)
def test_what_a_call_was_given_is_in_no_frame(what: str, stage: str, logged: list[str]) -> None:
    script, plugins = STAGES[stage]
    for name, call in SURFACES.items():
        with FaultServer(*[script] * 2) as server, Pipeline(**options(server, plugins)) as line:
            told, texts = None, []
            try:
                told = call(line, GIVEN[what])
            except HooklineError as error:
                texts = shown(error)
            if trace := getattr(told, "trace", None):  # a surface that does not come to this stage
                texts = [repr(told), f"{trace} {trace.to_dict()} {trace.to_html()}"]
        assert [text for text in texts if CANARY in text] == [], name
    assert [line for line in logged if CANARY in line] == []


@pytest.mark.parametrize("what", GIVEN)
def test_nor_in_async_code(what: str) -> None:
    said, rest = parts(GIVEN[what])

    async def main(call: str) -> None:
        async with AsyncPipeline(**options(server)) as line:
            if call == "conversation":
                rest.pop("messages", None)
                await line.conversation().send(said or "Hello", **rest)
            elif call == "stream":
                async with line.stream(said, **rest) as stream:
                    await stream.reply
            else:
                await getattr(line, call)(said, **rest)

    refusal = error_answer(400, "invalid_request_error", "no")
    with FaultServer(*[refusal] * 8) as server:
        for call in ("send", "stream", "count_tokens", "conversation"):
            with pytest.raises(HooklineError) as caught:
                asyncio.run(main(call))
            assert shown(caught.value) == [], call


@pytest.mark.parametrize("what", REFUSED)
def test_an_option_that_is_refused_is_in_none_either(what: str) -> None:
    with FaultServer(b"") as server, Pipeline(**options(server)) as line:
        for name, call in SURFACES.items():
            if name == "batches":
                continue  # an item is refused where it is made
            with pytest.raises(InputError) as caught:
                call(line, REFUSED[what])
            assert shown(caught.value) == [], name
        assert server.requests == []


def test_the_callers_own_are_left_alone() -> None:
    given: Any = {"metadata": {"user_id": KEY}, "messages": [{"role": "user", "content": "Hi"}]}
    kept = copy.deepcopy(given)
    with Pipeline(base_url="sim:", model="claude-haiku-4-5") as line:
        chat = line.conversation(system="Be brief.")
        for _ in range(2):
            assert line.send(**given).text
            assert chat.send("Hello").text
    assert given == kept
    assert chat.options["system"] == "Be brief."


@pytest.mark.parametrize(
    "value",
    [
        Image(SIGNED),
        URLSource(SIGNED),
        Message("user", [ImageBlock(URLSource(SIGNED)), Image(SIGNED)]),
        Request("m", 1, [Message("user", [Image(SIGNED)])], mcp_servers=[SERVER], extra={"a": KEY}),
        Request("m", 1, fallback_credit_token=KEY, extra={"a": {"b": [KEY]}}),
        BatchItem("x", [Image(SIGNED)], mcp_servers=[SERVER]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rich_shows_no_more_of_a_value_than_its_repr(value: Any) -> None:
    console = rich.console.Console(file=io.StringIO(), width=500)
    console.print(value, [value], {"a": value})
    printed = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert type(value).__name__ in printed
    for text in (repr(value), by_rich(value), by_rich([value]), printed):
        assert CANARY not in text


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        *((name, True) for name in ("token", "access_token", "X-Secret", "client-secret")),
        *((name, True) for name in ("password", "db_passwd", "apikey", "API-Key", "set-cookie")),
        *((name, True) for name in ("aws_secret_access_key", "credentials", "Proxy-Authorization")),
        *((name, False) for name in ("max_tokens", "key", "tokens", "primary_key", "tokenizer")),
        *((name, False) for name in ("secretary", "keyboard", "cookies_eaten", "authorizations")),
    ],
)
def test_a_credential_is_known_by_the_end_of_its_name(name: str, hidden: bool) -> None:
    assert (CANARY not in repr(FrozenDict({name: CANARY}))) is hidden


_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
ECHOES: dict[str, Any] = {
    "text": json_answer(message(f"you sent {KEY}")),
    "model": json_answer({**message("Hi"), "model": KEY}),
    "stop sequence": json_answer({**message("Hi"), "stop_sequence": KEY}),
    "unknown field": json_answer({**message("Hi"), "echo": {"h": [KEY], "x-api-key": KEY}}),
    "header": json_answer(message("Hi"), headers={"x-echo": KEY, "request-id": KEY}),
    "limit": json_answer(message("Hi"), headers={"anthropic-ratelimit-requests-reset": KEY}),
    "type of what is no message": _OK + b"content-type: text/" + KEY.encode() + b"\r\n\r\n{}",
    "reason of what is no message": f"HTTP/1.1 200 {KEY}\r\ncontent-length: 2\r\n\r\n{{}}".encode(),
    "place of a redirect": f"HTTP/1.1 302 F\r\nlocation: https://x/?k={KEY}\r\ncontent-length: 0\r\n\r\n".encode(),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_a_key_that_a_server_echoes_is_shown_of_no_reply(echo: str, logged: list[str]) -> None:
    """The content itself is the caller's, and as it came."""
    told = {"base_url": "", "api_key": KEY, "model": "claude-haiku-4-5"}
    for plugins in ([Fails("post_process")], []):
        with FaultServer(*[ECHOES[echo]] * 4) as server:
            settings: dict[str, Any] = {**told, "base_url": server.url, "plugins": plugins}
            texts: list[str] = []
            with Pipeline(**settings) as line:
                try:
                    reply = line.send("Hello")
                except HooklineError as error:
                    texts = shown(error)
                else:
                    trace = reply.trace
                    texts = [repr(reply), repr(reply.response), by_rich(reply), f"{trace} {trace.to_dict()}"]  # fmt: skip
                    if echo == "text":
                        assert reply.text == f"you sent {KEY}"
        assert [text for text in texts if CANARY in text] == []
    assert [line for line in logged if CANARY in line] == []
