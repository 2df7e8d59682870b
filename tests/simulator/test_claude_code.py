"""Claude Code against the simulator: what it asks is let pass, and what it is told it can use.

The program itself is asked where it is installed (``claude`` on PATH; slow). Always asked are requests of
the shape that versions 2.1.197 (June 2026) and 2.1.332 (November) send, with words of our own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookline import Pipeline
from hookline.simulator import Call, Rule, Scenario, Simulator

CLAUDE = shutil.which("claude")
HERE = {"type": "ephemeral"}
JUNE = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,thinking-token-count-2026-05-13,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,effort-2025-11-24,context-1m-2025-08-07"
)
NOVEMBER = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,per-turn-control-2026-07-01,"
    "mid-conversation-tool-changes-2026-07-01,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,"
    "effort-2025-11-24,fallback-credit-2026-06-01,thinking-display-updates-2026-08-18"
)
HEADERS = {
    "x-api-key": "test",
    "anthropic-version": "2023-06-01",
    "anthropic-dangerous-direct-browser-access": "true",
    "x-app": "cli",
    "x-stainless-retry-count": "0",
    "x-stainless-timeout": "600",
    "user-agent": "claude-cli/2.1.332 (external, sdk-cli)",
}
DRAFT = "https://json-schema.org/draft/2020-12/schema"
SHELL = {
    "name": "Bash",
    "description": "Runs a command.",
    "input_schema": {
        "$schema": DRAFT,
        "type": "object",
        "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}},
        "required": ["command"],
        "additionalProperties": False,
    },
}
SEARCH = {
    "name": "WebSearch",
    "description": "Searches.",
    "input_schema": {
        "$schema": DRAFT,
        "type": "object",
        "properties": {"query": {"type": "string", "minLength": 2}},
        "required": ["query"],
    },
    "defer_loading": True,
}
LATER = {"name": "Later", "input_schema": {"type": "object", "properties": {}}, "defer_loading": True}  # fmt: skip
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def body(*after: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the first request of a session, with what came after the first question."""
    return {
        "model": "claude-opus-5-5",
        "messages": [
            {"role": "user", "content": [text("<reminder>\nBe brief."), text("The question")]},
            {
                "role": "system",
                "content": [text("# Environment\nA test.", cache_control=HERE)],
                "output_config": {"effort": "medium"},
            },
            *after,
        ],
        "system": [
            text("x-header: version=1;"),
            text("You are an agent.", cache_control=HERE),
            text("\nIMPORTANT: be brief.", cache_control=HERE),
        ],
        "tools": [SHELL, SEARCH, LATER],
        "metadata": {"user_id": '{"device_id":"d","account_uuid":"","session_id":"s"}'},
        "max_tokens": 128_000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "stream": True,
        **more,
    }


def called(name: str, **given: Any) -> dict[str, Any]:
    use = {"type": "tool_use", "id": "toolu_1", "name": name, "input": given}
    return {"role": "assistant", "content": [{**use, "caller": {"type": "direct"}}]}


def brought(content: Any, **more: Any) -> dict[str, Any]:
    result = {"tool_use_id": "toolu_1", "type": "tool_result", "content": content, **more}
    return {"role": "user", "content": [{**result, "cache_control": HERE}]}


def image() -> dict[str, Any]:
    source = {"type": "base64", "data": PICTURE, "media_type": "image/png"}
    return {"type": "image", "source": source}


BASH = called("Bash", command="ls")
OLD_FIRST = [{"role": "user", "content": [text("a"), text("b", cache_control=HERE)]}]
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "the first question": (NOVEMBER, body()),
    "thoughts that are summed up": (
        NOVEMBER,
        body(thinking={"type": "adaptive", "display": "updates"}),
    ),
    "a command has run": (NOVEMBER, body(BASH, brought("a.txt", is_error=False))),
    "a command has failed": (NOVEMBER, body(BASH, brought("Exit code 3", is_error=True))),
    "a picture was read": (NOVEMBER, body(BASH, brought([image()]))),
    "a tool was found": (
        NOVEMBER,
        body(
            called("Bash", command="find"),
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [{"type": "tool_reference", "tool_name": "WebSearch"}],
                    },
                    text("Tool loaded.", cache_control=HERE),
                ],
            },
        ),
    ),
    "the answer was cut": (
        NOVEMBER,
        body(
            {"role": "assistant", "content": [text("half an")]},
            {"role": "user", "content": [text("Go on.", cache_control=HERE)]},
        ),
    ),
    "the greatest effort": (NOVEMBER, body(output_config={"effort": "max"})),
    "a small model": (
        JUNE,
        body(
            model="claude-haiku-4-5-20251001",
            messages=OLD_FIRST,
            max_tokens=32_000,
            thinking={"type": "enabled", "budget_tokens": 31_999},
            output_config={},
        ),
    ),
    "in June": (
        JUNE,
        body(
            model="claude-opus-4-8",
            messages=OLD_FIRST,
            max_tokens=64_000,
            thinking={"type": "adaptive"},
            output_config={"effort": "high"},
        ),
    ),
    "in June, a million tokens": (
        JUNE,
        body(model="claude-sonnet-4-6", messages=OLD_FIRST, max_tokens=64_000),
    ),
}
FORCED = {
    "model": "claude-opus-4-8",
    "messages": [{"role": "user", "content": [text("Search the web for ants.")]}],
    "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
    "tool_choice": {"type": "tool", "name": "web_search"},
    "thinking": {"type": "disabled"},
    "max_tokens": 64_000,
    "output_config": {"effort": "high"},
}


def ask(
    request: dict[str, Any], betas: str, *, to: str = "/v1/messages", rule: Rule | None = None
) -> list[dict[str, Any]]:
    """Post to the simulator; return the events, or the one whole answer."""
    call = Call(
        "POST",
        f"{to}?beta=true",
        tuple({**HEADERS, "anthropic-beta": betas}.items()),
        json.dumps(request).encode(),
    )
    answer = Simulator(Scenario.of(*([] if rule is None else [rule]))).handle(call)
    assert answer.status == 200, answer.content
    if not answer.streamed:
        return [json.loads(answer.content)]
    lines = answer.content.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_of_its_requests_is_answered(shape: str) -> None:
    betas, request = SHAPES[shape]
    events = ask(request, betas)
    assert events[0]["message"]["model"] == request["model"]
    assert events[-1] == {"type": "message_stop"}
    assert any(event.get("delta", {}).get("type") == "text_delta" for event in events)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_of_its_requests_is_counted(shape: str) -> None:
    betas, request = SHAPES[shape]
    counted = {key: request[key] for key in ("model", "messages", "system", "tools", "thinking")}
    (answer,) = ask(counted, f"{betas},token-counting-2024-11-01", to="/v1/messages/count_tokens")
    assert answer["input_tokens"] > 20


@pytest.mark.parametrize("shape", SHAPES)
def test_the_pipeline_lets_each_of_them_through(shape: str) -> None:
    """What a client sends and the API takes is refused by no preflight."""
    betas, request = SHAPES[shape]
    named = ("model", "messages", "system", "tools", "max_tokens", "thinking")
    own = {key: request[key] for key in named}
    extra = {key: value for key, value in request.items() if key not in (*named, "stream")}
    with Pipeline(base_url="sim:", config={}) as line:
        assert line.send(**own, extra=extra, betas=betas.split(",")).text


def test_a_tool_that_it_is_told_to_call_arrives_whole() -> None:
    rule = Rule(when="question", tool_use={"name": "Bash", "input": {"command": "ls"}})
    events = ask(body(), NOVEMBER, rule=rule)
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert json.loads("".join(delta["partial_json"] for delta in deltas)) == {"command": "ls"}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_search_that_it_forces_runs_at_the_server() -> None:
    """It reads the answer of a server tool, and would look in vain for a call to run itself."""
    call, result, *rest = ask(FORCED, JUNE)[0]["content"]
    assert (call["type"], call["name"]) == ("server_tool_use", "web_search")
    assert result == {
        "type": "web_search_tool_result",
        "tool_use_id": call["id"],
        "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
    }
    assert [block["type"] for block in rest] == ["text"]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[str]:
    """Yield the address of `hookline sim`, a process of its own, with a scenario."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        '[[rule]]\nwhen = "RUN IT"\ntimes = 1\n'
        'tool_use = { name = "Bash", input = { command = "echo out-of-the-shell", description = "x" } }\n'
        '[[rule]]\nwhen = "BUSY"\ntimes = 1\nstatus = 529\n'
    )
    command = [sys.executable, "-m", "hookline", "sim", "--port", "0", "--scenario", str(scenario)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = next(
                word for line in process.stdout for word in line.split() if "http://" in word
            )
            yield url
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.skipif(CLAUDE is None, reason="npm install -g @anthropic-ai/claude-code")
@pytest.mark.parametrize(
    ("question", "options", "words"),
    [
        ("Hello", (), "no model has read this"),
        ("RUN IT", ("--allowedTools", "Bash"), "out-of-the-shell"),
        ("BUSY", (), "no model has read this"),
        ("Hello", ("--model", "haiku"), "no model has read this"),
        ("/context", (), "Context Usage"),
    ],
)
def test_the_program_itself(
    simulator: str, tmp_path: Path, question: str, options: tuple[str, ...], words: str
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ANTHROPIC_BASE_URL": simulator,
        "ANTHROPIC_API_KEY": "sk-ant-api03-test",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    run = subprocess.run(
        [str(CLAUDE), "-p", question, *options],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert words in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0
