"""A real local model that is held to a tool's schema by the grammar of its server (llama.cpp)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import frozen

from hookline import Pipeline
from hookline.values import ToolUseBlock

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")
pytestmark = pytest.mark.slow

SERVER = Path(__file__).parent / "local_model.py"
FORCED: Any = [{"type": "any"}, {"type": "tool", "name": "get_weather"}]


@frozen
class Forecast:
    """What is to come."""

    city: Literal["Bern", "Rome"]
    sunny: bool


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("serving at "):
                    yield line.split()[-1]
                    break
            else:
                pytest.fail("the model was not served")
        finally:
            process.kill()


@pytest.fixture
def asked() -> list[Any]:
    return []


@pytest.fixture
def get_weather(asked: list[Any]) -> Any:
    def get_weather(city: Literal["Bern", "Rome"], days: Literal[1, 2]) -> str:
        """Tell the weather."""
        asked.append((city, days))
        return "sunny"

    return get_weather


@pytest.mark.parametrize("choice", FORCED, ids=["any", "tool"])
def test_a_forced_call_fits_the_schema_and_is_run(
    run: Any, local: str, choice: Any, get_weather: Any, asked: list[Any], streamed: bool
) -> None:
    async def body(line: Any) -> Any:
        given: Any = {"tools": [get_weather], "tool_choice": choice, "max_tokens": 200}
        if not streamed:
            return await line.send("Weather?", **given)
        async with line.stream("Weather?", **given) as stream:
            return await stream.reply

    reply = run(body, base_url=local, api_key="none", model="tiny")
    assert reply.text == "Done"
    ((city, days),) = asked
    assert city in ("Bern", "Rome")
    assert days in (1, 2)
    calls = [b for m in reply.messages for b in m.blocks if isinstance(b, ToolUseBlock)]
    assert [call.input for call in calls] == [{"city": city, "days": days}]


def test_without_the_grammar_the_same_model_writes_braces(local: str) -> None:
    with Pipeline(base_url=local, api_key="none", model="tiny") as line:
        assert set(line.send("Weather?", max_tokens=20).text) == {"{"}


def test_an_output_comes_by_a_forced_tool(run: Any, local: str) -> None:
    reply = run.send(
        "Weather?",
        line={"base_url": local, "api_key": "none", "model": "tiny"},
        output=Forecast,
        max_tokens=200,
    )
    assert isinstance(reply.output, Forecast)
    assert ("output", "tool for tiny") in reply.trace.notes
