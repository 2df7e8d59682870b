"""What history, a large image and a long stream cost, and the first answer of a cold process."""

import asyncio
import base64
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from time import perf_counter, process_time
from typing import Any

from benchmarks import as_installed, interleaved, row
from benchmarks.stub_server import stub_server

_MODEL = "claude-haiku-4-5"
_DELTAS = 5000
_TURNS = 1000
_SIDE = 1092  # pixels; the largest square of the standard vision class (facts 5.2)

_COLD = {
    "httpx": (
        "import httpx; c = httpx.Client(); "
        "c.post({url!r} + '/v1/messages', json={body!r}, headers={headers!r}).json()"
    ),
    "hookline": (
        "from hookline import Pipeline; line = Pipeline(base_url={url!r}, api_key='none', "
        "model='claude-haiku-4-5'); line.send('Hello').text"
    ),
    "anthropic SDK": (
        "import anthropic; c = anthropic.Anthropic(base_url={url!r}, api_key='none'); "
        "c.messages.create(**{body!r})"
    ),
}
_BODY = {"model": _MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
_HEADERS = {"x-api-key": "none", "anthropic-version": "2023-06-01"}


def _timed(call: Callable[[], Any], times: int) -> Callable[[], float]:
    def measure() -> float:
        began = process_time()
        for _ in range(times):
            call()
        return (process_time() - began) / times

    return measure


def _pipelines(url: str) -> tuple[Any, Any]:
    import anthropic

    from hookline import Pipeline

    line = Pipeline(base_url=url, api_key="none", model=_MODEL, max_tokens=64)
    return line, anthropic.Anthropic(base_url=url, api_key="none")


def _tool_turns() -> list[Any]:
    """Return messages in which every other question is answered by a tool."""
    from hookline import Message, TextBlock, ToolResultBlock, ToolUseBlock

    return [
        message
        for number in range(_TURNS // 4)
        for message in (
            Message("user", f"turn {number}"),
            Message("assistant", [TextBlock("I look."), ToolUseBlock(f"toolu_{number}", "look")]),
            Message("user", [ToolResultBlock(f"toolu_{number}", f"ant {number}")]),
            Message("assistant", f"It is {number}"),
        )
    ]


def _history(url: str, rounds: int) -> Iterator[str]:
    from hookline import Message

    line, sdk = _pipelines(url)
    turns = [
        Message("user" if number % 2 == 0 else "assistant", f"turn {number}")
        for number in range(_TURNS)
    ]
    plain = [{"role": turn.role, "content": turn.content} for turn in turns]
    with_tools = _tool_turns()
    for history in (turns, with_tools):
        line.send("warm", messages=history)
    found = interleaved(
        {
            "one": _timed(lambda: line.send("Hello"), 20),
            "thousand": _timed(lambda: line.send("Hello", messages=turns), 20),
            "tools": _timed(lambda: line.send("Hello", messages=with_tools), 10),
            "sdk one": _timed(lambda: sdk.messages.create(**_BODY), 5),
            "sdk thousand": _timed(
                lambda: sdk.messages.create(
                    model=_MODEL, max_tokens=64, messages=[*plain, {"role": "user", "content": "x"}]
                ),
                5,
            ),
        },
        rounds,
    )
    ours = found["thousand"] - found["one"]
    theirs = found["sdk thousand"] - found["sdk one"]
    yield from row(
        "1,000 turns of history, CPU, above one", ours, "anthropic SDK", theirs, "at most 300 µs"
    )
    yield from row("  with tools", found["tools"] - found["one"], "anthropic SDK", theirs, "no aim")


def _noise() -> bytes:
    """Return a PNG of about four megabytes, no larger than the model sees it, so that it is sent as it is."""
    from PIL import Image

    file = BytesIO()
    picture = Image.frombytes("RGB", (_SIDE, _SIDE), random.Random(7).randbytes(3 * _SIDE * _SIDE))  # noqa: S311 -- noise
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _image(url: str, rounds: int) -> Iterator[str]:
    from hookline import Message
    from hookline.values.blocks import ImageBlock
    from hookline.values.sources import Base64Source

    line, sdk = _pipelines(url)
    data = base64.b64encode(_noise()).decode()
    picture = Message("user", (ImageBlock(Base64Source("image/png", data)), "What is it?"))
    answer = Message("assistant", "An ant.")
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    plain = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": "An ant."},
        {"role": "user", "content": "Sure?"},
    ]
    line.send("Sure?", messages=[picture, answer])
    found = interleaved(
        {
            "ours": _timed(lambda: line.send("Sure?", messages=[picture, answer]), 5),
            "sdk": _timed(
                lambda: sdk.messages.create(model=_MODEL, max_tokens=64, messages=plain), 3
            ),
        },
        rounds,
    )
    yield from row(
        "a 4 MB image in history, CPU", found["ours"], "anthropic SDK", found["sdk"], "at most 4 ms"
    )


def _stream(url: str, rounds: int) -> Iterator[str]:
    import httpx

    line, sdk = _pipelines(url)
    client = httpx.Client()

    def bare() -> None:
        headers = {**_HEADERS, "accept": "text/event-stream"}
        with client.stream("POST", f"{url}/v1/messages", json=_BODY, headers=headers) as response:
            for text in response.iter_lines():
                if text.startswith("data:"):
                    json.loads(text[5:])

    def ours() -> None:
        with line.stream("Hello") as stream:
            for _ in stream.text:
                pass

    def helper() -> None:
        with sdk.messages.stream(**_BODY, extra_headers={"accept": "text/event-stream"}) as stream:
            for _ in stream.text_stream:
                pass

    found = interleaved(
        {"bare": _timed(bare, 1), "ours": _timed(ours, 1), "sdk": _timed(helper, 1)}, rounds
    )
    per = {name: seconds / _DELTAS for name, seconds in found.items()}
    yield from row(
        "one event of a long stream, CPU",
        per["ours"],
        "bare lines and json",
        per["bare"],
        "at most 1.4",
    )
    yield from row("  the SDK's helper", per["sdk"], "bare lines and json", per["bare"], "none")


def _async_stream(url: str, rounds: int) -> Iterator[str]:
    import httpx2

    async def bare() -> float:
        async with httpx2.AsyncClient() as client:
            headers = {**_HEADERS, "accept": "text/event-stream", "x-chunked": "1"}
            began = process_time()
            async with client.stream(
                "POST", f"{url}/v1/messages", json=_BODY, headers=headers
            ) as response:
                async for text in response.aiter_lines():
                    if text.startswith("data:"):
                        json.loads(text[5:])
            return process_time() - began

    async def ours(http: str) -> float:
        from hookline import AsyncPipeline

        async with AsyncPipeline(
            base_url=url, api_key="none", model=_MODEL, http=http, headers={"x-chunked": "1"}
        ) as line:
            began = process_time()
            async with line.stream("Hello") as stream:
                async for _ in stream.text:
                    pass
            return process_time() - began

    found = interleaved(
        {
            "bare": lambda: asyncio.run(bare()),
            **{
                http: lambda http=http: asyncio.run(ours(http))  # type: ignore[misc]  # mypy infers no defaults
                for http in ("httpcore2", "aiohttp")
            },
        },
        rounds,
    )
    per = {name: seconds / _DELTAS for name, seconds in found.items()}
    for http in ("httpcore2", "aiohttp"):
        what = f"an event in a chunk of its own, http={http!r}"
        yield from row(what, per[http], "bare httpx2, lines and json", per["bare"], "at most 1.4")


# What httpx and its engine import where it is installed, and an installation of the core alone lacks.
_ALONE = "import sys; sys.modules.update(dict.fromkeys(('click', 'rich', 'trio'))); "


def _cold(url: str, rounds: int) -> Iterator[str]:
    def run(name: str, before: str, environment: Mapping[str, str]) -> float:
        code = before + _COLD[name].format(url=url, body=_BODY, headers=_HEADERS)
        began = perf_counter()
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, env=environment
        )
        return perf_counter() - began

    with as_installed() as environment:
        for where, before in (("", ""), (" (core alone)", _ALONE)):
            names = _COLD if not before else ("httpx", "hookline")
            subjects = {
                name: lambda name=name, before=before: run(name, before, environment)
                for name in names
            }
            interleaved(subjects, 1)
            found = interleaved(subjects, rounds)
            for name in subjects.keys() - {"httpx"}:
                aim = "at most 1.6" if name == "hookline" else "none"
                yield from row(
                    f"first answer, cold, {name}{where}",
                    found[name],
                    f"bare httpx{where}",
                    found["httpx"],
                    aim,
                )


def report(rounds: int = 5) -> Iterator[str]:
    """Yield the report's lines."""
    with stub_server(_DELTAS) as url:
        for part in (_history, _image, _stream, _async_stream, _cold):
            yield from part(url, rounds)
