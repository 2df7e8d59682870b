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


# --- the standard library's logging


def in_a_process(script: str) -> tuple[str, str]:
    """Run a script, since what loguru and logging know belongs to a whole process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, done.stderr


def test_what_the_application_enabled_stays_enabled() -> None:
    _, err = in_a_process(
        "import hookline\nfrom loguru import logger\nlogger.enable('hookline_plugins')\n"
        "hookline.Pipeline(base_url='sim:').send('Hello')\n"
    )
    assert "turn done" in err


def test_lines_go_to_logging_and_back() -> None:
    out, err = in_a_process(
        "import logging, sys, hookline\n"
        "from loguru import logger\n"
        "logging.basicConfig(stream=sys.stdout, level=logging.INFO, format='%(name)s %(message)s')\n"
        "seen = []\n"
        "logging.getLogger('hookline_plugins').addFilter(lambda record: True)\n"
        "class Keep(logging.Handler):\n"
        "    def emit(self, record): seen.append(record)\n"
        "logging.getLogger('hookline_plugins').addHandler(Keep())\n"
        "one, two = hookline.log_to_stdlib(), hookline.log_to_stdlib()\n"
        "hookline.Pipeline(base_url='sim:').send('Hello')\n"
        "one(); one()\n"
        "hookline.Pipeline(base_url='sim:').send('Hello')\n"
        "two()\n"
        "hookline.Pipeline(base_url='sim:').send('Hello')\n"
        "logger.info('of somebody else')\n"
        "assert seen[0].extra['output_tokens'] > 0, seen[0].extra\n"
    )
    lines = out.splitlines()
    assert len(lines) == 2, "DEBUG is below the level, and after the undoing there is nothing"
    assert all(line.startswith("hookline_plugins.logging turn done") for line in lines)
    assert "turn done" not in err
    assert "of somebody else" in err


def test_the_option_holds_while_the_pipeline_is_open() -> None:
    out, err = in_a_process(
        "import logging, sys, hookline\n"
        "logging.basicConfig(stream=sys.stdout, level=logging.DEBUG)\n"
        "settings = {'plugins': {'logging': {'stdlib': True}}}\n"
        "class Broken:\n"
        "    role = 'observer'\n"
        "    @hookline.hookimpl\n"
        "    def on_turn_start(self): raise RuntimeError('broken on purpose')\n"
        "with hookline.Pipeline(base_url='sim:', config=settings, plugins=[Broken()]) as line:\n"
        "    line.send('Hello')\n"
        "print('closed')\n"
        "hookline.Pipeline(base_url='sim:').send('Hello')\n"
    )
    before, _, after = out.partition("closed\n")
    assert "DEBUG:hookline_plugins.logging:turn begins" in before
    assert "WARNING:hookline._log:plugin 'Broken' failed in on_turn_start" in before
    assert not after
    assert not err
