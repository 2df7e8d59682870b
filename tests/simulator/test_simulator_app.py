"""The simulator on a real socket, used by the official SDK; and the ASGI application by itself."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import anyio
import pydantic
import pytest
import uvicorn
from anthropic.types import TextBlock, ToolUseBlock

from hookline.errors import ConfigError, MissingExtra
from hookline.simulator import Rule, Scenario, Simulator, SimulatorApp, serve
from hookline.wire import json

MODEL = "claude-haiku-4-5"
HELLO: Any = [{"role": "user", "content": "Hello"}]
RULES = (
    Rule(when="cut", cut_after=5),
    Rule(when="middle", error_event={}),
    Rule(when="use the tool", tool_use={"name": "look"}),
    Rule(when="as you like", call_tool_under_auto=True),
    Rule(when="busy", status=529),
    Rule(when="slow", delay=0.01, drip=0.001, reply="done"),
    Rule(when="novelty", unknown_event={"type": "novelty"}, reply="fine"),
)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A server on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = SimulatorApp(Simulator(Scenario.of(*RULES)))
    # What is cut on purpose is an error in uvicorn's eyes.
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture
def client(base_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="test", base_url=base_url, max_retries=0) as made:
        yield made


def test_the_sdk_gets_a_message(client: anthropic.Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=100, messages=HELLO)
    assert isinstance(message.content[0], TextBlock)
    assert "You said: Hello" in message.content[0].text
    assert message._request_id
    assert message._request_id.startswith("req_")


def test_the_sdk_streams(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert isinstance(final.content[0], TextBlock)
    assert final.content[0].text == text
    assert final.stop_reason == "end_turn"


def test_the_sdk_calls_a_tool_and_answers(client: anthropic.Anthropic) -> None:
    tools: Any = [{"name": "look", "input_schema": {"type": "object"}}]
    choice: Any = {"type": "any"}
    first = client.messages.create(
        model=MODEL, max_tokens=100, messages=HELLO, tools=tools, tool_choice=choice
    )
    use = first.content[0]
    assert isinstance(use, ToolUseBlock)
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "an ant"}
    turns: Any = [*HELLO, first.to_param(), {"role": "user", "content": [result]}]
    second = client.messages.create(model=MODEL, max_tokens=100, messages=turns, tools=tools)
    assert isinstance(second.content[0], TextBlock)
    assert "an ant" in second.content[0].text


def test_the_sdk_runs_tools_in_a_thread(client: anthropic.Anthropic) -> None:
    @anthropic.beta_tool
    def look(where: str) -> str:
        """Look there."""
        return f"an ant in the {where}"

    turns: Any = [{"role": "user", "content": "use the tool"}]
    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=100, tools=[look], messages=turns
    )
    final = runner.until_done()
    assert "an ant in the simulated" in str(final.content)


class Person(pydantic.BaseModel):
    name: str
    age: int


def test_the_sdk_parses(client: anthropic.Anthropic) -> None:
    plain = client.messages.parse(model=MODEL, max_tokens=100, messages=HELLO, output_format=Person)
    beta = client.beta.messages.parse(
        model=MODEL, max_tokens=100, messages=HELLO, output_format=Person
    )
    assert plain.parsed_output == beta.parsed_output == Person(name="simulated", age=1)


def test_the_sdk_lets_the_model_choose_a_tool(client: anthropic.Anthropic) -> None:
    tools: Any = [{"name": "look", "input_schema": {"type": "object"}}]
    turns: Any = [{"role": "user", "content": "as you like"}]
    with client.messages.stream(model=MODEL, max_tokens=99, messages=turns, tools=tools) as stream:
        use = stream.get_final_message().content[0]
    assert isinstance(use, ToolUseBlock)
    assert use.caller is not None
    assert use.caller.type == "direct"


def test_the_sdk_compacts_and_goes_on(client: anthropic.Anthropic) -> None:
    betas: Any = ["compact-2026-09-04"]
    summary = client.beta.messages.create(
        model=MODEL,
        max_tokens=99,
        messages=HELLO,
        betas=betas,
        compaction={"type": "summarize"},
    )
    assert summary.stop_reason == "compaction"
    said: Any = [{"role": "assistant", "content": summary.content}, *HELLO]
    after = client.beta.messages.create(model=MODEL, max_tokens=99, messages=said, betas=betas)
    assert after.stop_reason == "end_turn"


def test_the_sdk_asks_why_a_prefix_was_not_reused(client: anthropic.Anthropic) -> None:
    first = client.messages.create(
        model=MODEL, max_tokens=9, messages=HELLO, diagnostics={"previous_message_id": None}
    )
    second = client.messages.create(
        model=MODEL,
        max_tokens=9,
        messages=HELLO,
        system="Be brief.",
        diagnostics={"previous_message_id": first.id},
    )
    assert first.diagnostics is None
    assert second.diagnostics is not None
    assert second.diagnostics.cache_miss_reason is not None
    assert second.diagnostics.cache_miss_reason.type == "system_changed"


def test_the_sdk_reads_errors(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: nope"):
        client.messages.create(model="nope", max_tokens=1, messages=HELLO)
    busy: Any = [{"role": "user", "content": "busy"}]
    with pytest.raises(anthropic.InternalServerError) as caught:
        client.messages.create(model=MODEL, max_tokens=100, messages=busy)
    assert caught.value.status_code == 529


def test_the_sdk_meets_faults_in_streams(client: anthropic.Anthropic) -> None:
    def stream(text: str) -> str:
        turns: Any = [{"role": "user", "content": text}]
        with client.messages.stream(model=MODEL, max_tokens=100, messages=turns) as events:
            return "".join(events.text_stream)

    with pytest.raises(anthropic.APIStatusError) as caught:
        stream("middle")
    assert caught.value.status_code == 200
    with pytest.raises(Exception, match=r"incomplete|closed"):
        stream("cut")
    assert stream("slow") == "done"
    assert stream("novelty") == "fine"


def test_the_sdk_meets_a_cut_body(client: anthropic.Anthropic) -> None:
    turns: Any = [{"role": "user", "content": "cut"}]
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.create(model=MODEL, max_tokens=100, messages=turns)


def test_the_sdk_runs_a_batch_and_keeps_files(client: anthropic.Anthropic) -> None:
    params: Any = {"model": MODEL, "max_tokens": 20, "messages": HELLO}
    batch = client.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
    results = list(client.messages.batches.results(batch.id))
    assert [(row.custom_id, row.result.type) for row in results] == [("a", "succeeded")]
    client.messages.batches.delete(batch.id)
    file = client.files.upload(file=("a.txt", b"Ants", "text/plain"))
    assert file.id in [stored.id for stored in client.files.list()]
    assert client.files.delete(file.id).id == file.id


def test_the_sdk_counts_and_lists_models(client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens
    message = client.messages.create(model=MODEL, max_tokens=1, messages=HELLO)
    assert counted == message.usage.input_tokens
    assert "claude-opus-5-5" in [model.id for model in client.models.list(limit=5)]


def test_many_at_once(base_url: str) -> None:
    async def main() -> set[str]:
        seen: set[str] = set()
        async with anthropic.AsyncAnthropic(api_key="k", base_url=base_url) as client:

            async def one() -> None:
                message = await client.messages.create(model=MODEL, max_tokens=10, messages=HELLO)
                seen.add(message.id)

            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(one)
        return seen

    assert len(anyio.run(main)) == 20


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_application_runs_mounted_under_both_loops(backend: str) -> None:
    sent: list[dict[str, Any]] = []

    async def main() -> None:
        body = json.dumps({"model": MODEL, "max_tokens": 9, "messages": HELLO})
        half = len(body) // 2
        incoming = [
            {"type": "http.request", "body": body[:half], "more_body": True},
            {"type": "http.request", "body": body[half:]},
        ]

        async def receive() -> Any:
            if incoming:
                return incoming.pop(0)
            await anyio.sleep_forever()
            return None

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/sim/v1/messages",
            "root_path": "/sim",
            "query_string": b"beta=true",
            "headers": [(b"x-api-key", b"k"), (b"anthropic-version", b"2026-10-21")],
        }
        with anyio.fail_after(10):
            await SimulatorApp()(scope, receive, send)

    anyio.run(main, backend=backend)
    assert sent[0]["status"] == 200
    data = b"".join(message["body"] for message in sent[1:])
    assert int(dict(sent[0]["headers"])[b"content-length"]) == len(data)
    assert not sent[-1].get("more_body")


def test_a_client_that_leaves_stops_the_stream() -> None:
    sent: list[Any] = []

    async def main() -> None:
        body = json.dumps({"model": MODEL, "max_tokens": 99, "messages": HELLO, "stream": True})
        gone = anyio.Event()
        incoming = [{"type": "http.request", "body": body}]

        async def receive() -> Any:
            if incoming:
                return incoming.pop(0)
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) == 2:  # the head and the first event; an hour's pause follows
                gone.set()

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/messages",
            "query_string": b"",
            "headers": [(b"x-api-key", b"k"), (b"anthropic-version", b"2026-10-21")],
        }
        app = SimulatorApp(Simulator(Scenario.of(Rule(drip=3600))))
        with anyio.fail_after(10):
            await app(scope, receive, send)

    anyio.run(main)
    assert len(sent) == 2


def test_serve_tells_its_url_and_answers(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from hookline.simulator import serve\n"
        "serve(port=0, on_ready=lambda url: print(url, flush=True))\n"
    )
    command = [sys.executable, str(script)]
    # S603: our own interpreter, our own script.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            url = run.stdout.readline().strip()
            with anthropic.Anthropic(api_key="k", base_url=url) as client:
                assert client.models.retrieve(MODEL).type == "model"
        finally:
            run.terminate()


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            serve(port=port)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"hookline\[sim\]"):
        serve()


def test_the_core_imports_nothing_heavy() -> None:
    code = (
        "import sys, hookline.simulator as s\n"
        "heavy = {'PIL', 'starlette', 'uvicorn', 'anyio', 'httpx', 'cattrs', 'tomllib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    # S603: our own interpreter, our own script.
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
