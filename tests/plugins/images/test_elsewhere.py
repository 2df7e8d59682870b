"""Images are made for the server that is asked, also for one that `fallback` goes on to."""

import asyncio
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest

from hookline import AsyncPipeline, Block, Image, Pipeline
from hookline.testing import FaultServer, error_answer, json_answer, message
from hookline_plugins.resilience.fallback import Elsewhere, Fallback
from hookline_plugins.resilience.retry import Retry

OVERLOADED = error_answer(529, "overloaded_error")
ANSWER = json_answer(message("A ramp."))


def given(ours: FaultServer, theirs: FaultServer, server: str) -> dict[str, Any]:
    place = Elsewhere(base_url=theirs.url, server=server)
    plugins = [Fallback(elsewhere=(place,)), Retry(attempts=1)]
    return {"base_url": ours.url, "api_key": "k", "model": "claude-haiku-4-5", "plugins": plugins}


def sent(stub: FaultServer) -> Any:
    (request,) = stub.requests
    return request.json["messages"][0]["content"][0]["source"]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_server_that_reads_no_webp_gets_another_format(
    made: Callable[..., bytes], colour: str
) -> None:
    content: list[Block | str] = [Image(made("WEBP")), "What is it?"]
    with FaultServer(OVERLOADED) as ours, FaultServer(ANSWER) as theirs:
        settings = given(ours, theirs, "llama.cpp")

        async def ask() -> str:
            async with AsyncPipeline(**settings) as line:
                return (await line.send(content)).text

        if colour == "async":
            assert asyncio.run(ask()) == "A ramp."
        else:
            with Pipeline(**settings) as line:
                assert line.send(content).text == "A ramp."
        assert sent(ours)["media_type"] == "image/webp"
        theirs_source = sent(theirs)
    assert theirs_source["media_type"] == "image/jpeg"
    assert b64decode(theirs_source["data"]).startswith(b"\xff\xd8")


def test_a_server_that_takes_less_gets_less(made: Callable[..., bytes]) -> None:
    noisy = made("PNG", size=(1500, 1500), mode="RGB", compress_level=0)
    with FaultServer(OVERLOADED) as ours, FaultServer(ANSWER) as theirs:
        settings = given(ours, theirs, "bedrock")
        plugins = {"images": {"fit": "limits"}}
        with Pipeline(**settings, config={"plugins": plugins}) as line:
            line.send([Image(noisy), "What is it?"])
        assert len(sent(ours)["data"]) > 5_242_880 >= len(sent(theirs)["data"])


def test_who_reads_the_same_gets_the_same_and_nothing_is_done_twice(
    made: Callable[..., bytes],
) -> None:
    with FaultServer(OVERLOADED) as ours, FaultServer(ANSWER) as theirs:
        with Pipeline(**given(ours, theirs, "")) as line:
            reply = line.send([Image(made("WEBP")), "What is it?"])
        assert sent(ours) == sent(theirs)
    told = [text for plugin, text in reply.trace.notes if plugin == "images"]
    assert len(told) == 1
