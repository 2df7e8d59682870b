"""What the guides show of the SDK really runs: against the simulator, with the SDK itself."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "migrating"
SERVE = """\
from hookline.simulator import Simulator, serve
serve(Simulator(), port=0, on_ready=lambda url: print(url, flush=True))
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-none")


def blocks(guide: str) -> list[str]:
    """Return the blocks of a guide that stand for somebody else's library."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return re.findall(r"```py\n(.*?)```", text, re.DOTALL)


def test_the_sdk_in_the_first_guide(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
    for block in blocks("sdk.md"):
        exec(compile(block, "sdk.md", "exec"), names)  # noqa: S102 -- our own documentation
    assert "Hello" in names["message"].content[0].text
    assert "end_turn" in capsys.readouterr().out


def test_the_sdk_s_middleware_in_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks("sdk_middleware.md"):
        exec(compile(block, "sdk_middleware.md", "exec"), names)  # noqa: S102 -- as above
    client = anthropic.Anthropic(middleware=[names["Project"](), names["watch"]])
    message: Any = client.messages.create(
        model="claude-haiku-4-5",
        max_tokens=64,
        messages=[{"role": "user", "content": "How is zephyr?"}],
    )
    (block,) = message.content
    assert block.type == "text"
    assert "How is the project?" in block.text
    assert "0 200" in capsys.readouterr().out


@pytest.mark.parametrize("guide", sorted(each.name for each in GUIDES.glob("*.md")))
def test_a_guide_shows_both_sides_of_each_thing(guide: str) -> None:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        if section.startswith("What is"):
            continue
        theirs = min(
            (place for mark in ("```py\n", "```toml\n") if (place := section.find(mark)) >= 0),
            default=-1,
        )
        ours = max(section.rfind("```python\n"), section.rfind("```toml\n"))
        assert 0 <= theirs < ours or "With the SDK a stream's events" in section, section[:40]
    assert "## What is where" in text


@pytest.mark.parametrize("guide", ["langchain.md", "litellm.md", "llm.md"])
def test_what_the_other_guides_show_of_others_is_whole(guide: str) -> None:
    """Every name comes from somewhere; that the code runs was tried with the libraries themselves."""
    given = "def masked(chunk): ...\n"  # what a reader of the LiteLLM guide has of his own
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "-"]
    text = given + "\n".join(blocks(guide))
    done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_langchain_s_middleware() -> None:
    pytest.importorskip("langchain.agents.middleware")
    pytest.importorskip("langchain_anthropic")
    names: dict[str, Any] = {}
    for block in blocks("langchain.md"):
        exec(compile(block, "langchain.md", "exec"), names)  # noqa: S102 -- as above
    agent = names["create_agent"](
        "anthropic:claude-haiku-4-5", tools=[], middleware=[names["Today"](), names["check"]]
    )
    with pytest.raises(ValueError, match="not spoken of"):
        agent.invoke({"messages": [{"role": "user", "content": "Say zephyr"}]})


def test_litellm_s_callbacks(url: str) -> None:
    litellm = pytest.importorskip("litellm")
    names: dict[str, Any] = {}
    exec(compile(blocks("litellm.md")[0], "litellm.md", "exec"), names)  # noqa: S102 -- as above
    messages = [{"role": "user", "content": "Hello"}]
    answer = litellm.completion("anthropic/claude-haiku-4-5", messages=messages, api_base=url)
    assert "Hello" in answer.choices[0].message.content
