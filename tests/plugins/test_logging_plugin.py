"""The plugin ``logging``: structured lines, silent until asked for, without content or keys."""

import subprocess
import sys
from typing import Any

import pytest

from hookline import APIError
from hookline.simulator import Rule

CANARY = "canary-4711"


def lines(logged: Any) -> list[str]:
    return [record["message"] for record in logged]


def test_a_turn_is_logged_from_beginning_to_end(run: Any, logged: Any, streamed: Any) -> None:
    run.outcome(streamed, line={})
    begins, attempt, done = logged
    assert "turn begins" in begins["message"]
    assert begins["level"].name == attempt["level"].name == "DEBUG"
    assert begins["extra"]["surface"] == ("stream" if streamed else "send")
    assert attempt["extra"]["status"] == 200
    assert done["level"].name == "INFO"
    assert done["extra"]["input_tokens"] > 0
    assert done["extra"]["output_tokens"] > 0
    assert done["extra"]["stop_reason"] == "end_turn"
    assert done["extra"]["cost"] > 0
    assert done["extra"]["seconds"] >= 0
    assert len({record["extra"]["turn"] for record in logged}) == 1


def test_a_failure_is_logged_as_one(run: Any, sim: Any, logged: Any, streamed: Any) -> None:
    with pytest.raises(APIError):
        run.outcome(streamed, line={"base_url": sim(Rule(status=500))})
    _, attempt, failed = logged
    assert attempt["level"].name == "WARNING"
    assert attempt["extra"]["status"] == 500
    assert failed["level"].name == "ERROR"
    assert failed["extra"]["error"] == "APIError"


def test_the_level_is_an_option(run: Any, logged: Any) -> None:
    run.send(line={"config": {"plugins": {"logging": {"level": "SUCCESS"}}}})
    assert logged[-1]["level"].name == "SUCCESS"


def test_nothing_of_what_is_said_is_logged_at_any_level(
    run: Any, logged: Any, streamed: Any
) -> None:
    run.outcome(
        streamed,
        CANARY,
        line={"api_key": f"sk-{CANARY}", "headers": {"x-team": CANARY}},
        system=CANARY,
        prefill=CANARY,
        metadata={"user_id": CANARY},
        context={"tenant": CANARY},
    )
    assert logged
    assert CANARY not in str(logged)


def test_the_library_is_silent_until_it_is_enabled() -> None:
    code = (
        "from hookline import Pipeline, hookimpl\n"
        "class Broken:\n"
        "    @hookimpl\n"
        "    def on_turn_start(self): raise ValueError('x')\n"
        "with Pipeline(base_url='sim:', model='claude-haiku-4-5', plugins=[Broken()]) as line:\n"
        "    line.send('Hello')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_lines_are_readable(run: Any, logged: Any) -> None:
    run.send(line={})
    text = "\n".join(lines(logged))
    assert "send to claude-haiku-4-5" in text
    assert "attempt 1: 200" in text
    assert "tokens, end_turn" in text


ENABLED_EARLY = """
from loguru import logger
from hookline import Pipeline
logger.enable("hookline_plugins")
with Pipeline(base_url="sim:", model="claude-haiku-4-5") as line:
    line.send("Hello")
"""


def test_it_speaks_though_it_was_enabled_before_there_was_a_pipeline() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENABLED_EARLY], capture_output=True, text=True, check=True
    )
    assert "turn begins" in done.stderr
