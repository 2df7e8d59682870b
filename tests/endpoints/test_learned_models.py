"""Facts about models that their server tells in its own list."""

import asyncio
import base64
from typing import Any

import pytest

from hookline import APIError, AsyncPipeline, Image, InputError, Pipeline
from hookline.testing import FaultServer, json_answer, message

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LLAMA_CPP = {
    "object": "list",
    "models": [{"name": "ants-7b", "capabilities": ["completion"]}],
    "data": [
        {
            "id": "ants-7b",
            "object": "model",
            "created": 1,
            "owned_by": "llamacpp",
            "meta": {"n_vocab": 3, "n_ctx": 4096, "n_ctx_train": 32768, "size": 5},
        }
    ],
}


def listed(**entry: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": "ants-7b", "object": "model", **entry}]}


@pytest.mark.parametrize(
    ("told", "context"),
    [
        (LLAMA_CPP, 4096),
        (listed(meta={"n_ctx_train": 32768}), 32768),
        (listed(max_model_len=8192, owned_by="vllm"), 8192),
        (listed(max_context_length=9000, loaded_context_length=2000), 2000),
        (listed(context_length=131072), 131072),
        (listed(max_input_tokens=5000, max_tokens=100), 5000),
        (listed(max_model_len=200_000), 200_000),  # the default, and somebody's word all the same
    ],
)
def test_context_by_whatever_name(told: Any, context: int) -> None:
    def check(line: Any, new: Any) -> None:
        facts = line.model_table.require("ants-7b")
        assert new == (facts,)
        assert facts.context == context
        assert facts.confirmed("context")
        assert not facts.confirmed("vision")

    async def twin(base_url: str) -> None:
        async with AsyncPipeline(base_url=base_url, model="ants-7b") as line:
            check(line, await line.models.learn())

    with FaultServer(json_answer(told)) as server:
        with Pipeline(base_url=server.url, model="ants-7b") as line:
            check(line, line.models.learn())
        asyncio.run(twin(server.url))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"meta": None},
        {"meta": {"n_ctx": "many"}},
        {"meta": {"n_ctx": True}},
        {"max_model_len": -1},
        {"input_modalities": ["text", "image"]},
        {"input_modalities": []},
    ],
)
def test_who_says_nothing_is_believed_nothing(entry: Any) -> None:
    with (
        FaultServer(json_answer(listed(**entry))) as server,
        Pipeline(base_url=server.url, model="ants-7b") as line,
    ):
        assert line.models.learn() == ()
        assert "ants-7b" not in line.model_table


@pytest.mark.parametrize(
    "entry",
    [
        {"input_modalities": ["text"]},
        {"architecture": {"input_modalities": ["text"]}},
        {"capabilities": {"image_input": {"supported": False}}},
    ],
)
def test_a_model_that_sees_nothing_is_sent_no_image(entry: Any) -> None:
    with (
        FaultServer(json_answer(listed(**entry)), json_answer(message("Hi"))) as server,
        Pipeline(base_url=server.url, model="ants-7b") as line,
    ):
        assert line.models.learn()[0].vision is None
        with pytest.raises(InputError, match="ants-7b does not take images"):
            line.send([Image(PNG), "What is it?"])
        assert line.send("Hello").text == "Hi"


def test_what_the_table_and_the_settings_say_stays() -> None:
    told = {
        "data": [{"id": "claude-haiku-4-5", "context_length": 5}, *listed(context_length=5)["data"]]
    }
    with (
        FaultServer(json_answer(told)) as server,
        Pipeline(
            base_url=server.url, config={"models": {"ants-7b": {"context": 9}}}, model="ants-7b"
        ) as line,
    ):
        before = line.model_table
        assert line.models.learn() == ()
        assert line.model_table is before


def test_the_simulator_teaches_nothing_new() -> None:
    with Pipeline(base_url="sim:") as line:
        assert line.models.learn() == ()


def test_a_server_without_a_list_says_so() -> None:
    with (
        FaultServer(json_answer({"error": {"message": "File Not Found"}}, status=404)) as server,
        Pipeline(base_url=server.url, model="ants-7b") as line,
        pytest.raises(APIError) as caught,
    ):
        line.models.learn()
    assert caught.value.status == 404
