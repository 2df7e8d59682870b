"""What many tests need: a clean environment, pipelines of every colour, servers to talk to."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from loguru import logger

from support import answers
from support.loopback import Loopback, Received, Reset, Wait
from support.recorder import Recorder
from support.runner import COLOURS, Runner

# A red run means that a change broke something: the same examples each time, however slow the machine.
# `make fuzz` looks for new ones.
SLOW = [HealthCheck.too_slow]
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=SLOW)
settings.register_profile("new", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, address or option of the machine or its user, and no ``hookline.toml`` that lies about."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "HOOKLINE_")):
            monkeypatch.delenv(name)
    for variable in (
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "XDG_STATE_HOME",
        "APPDATA",
        "LOCALAPPDATA",
    ):
        monkeypatch.setenv(variable, str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=COLOURS)
def run(request: pytest.FixtureRequest) -> Runner:
    """Run a body in each colour: sync, asyncio, trio."""
    return Runner(request.param)


@pytest.fixture
def blocking() -> Runner:
    """Run a body in a ``Pipeline`` alone."""
    return Runner("sync")


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def streamed(request: pytest.FixtureRequest) -> bool:
    """Say whether the turn is streamed."""
    return bool(request.param)


@pytest.fixture
def sim() -> Callable[..., Recorder]:
    """Make recording simulators: ``sim(Rule(…), …)``."""
    return Recorder


@pytest.fixture
def loopback() -> Iterator[Callable[[Callable[[Received], Any]], Loopback]]:
    """Start servers: ``loopback(lambda request: http(200, …))``."""
    servers: list[Loopback] = []

    def start(answer: Callable[[Received], Any]) -> Loopback:
        servers.append(Loopback(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def http() -> Callable[..., bytes]:
    """Write an HTTP answer: ``http(200, {…})``."""
    return answers.http


@pytest.fixture
def message() -> Callable[..., dict[str, Any]]:
    """Write a whole reply of the API as JSON: ``message("text")``."""
    return answers.message


@pytest.fixture
def sse() -> Callable[..., bytes]:
    """Write server-sent events: ``sse({"type": …}, …)``."""
    return answers.sse


@pytest.fixture
def deltas() -> Callable[..., list[dict[str, Any]]]:
    """Write the events of a streamed text: ``deltas("Hel", "lo", end=True)``."""
    return answers.deltas


@pytest.fixture
def sse_head() -> bytes:
    """The head of a streamed answer; the end of the connection ends the body."""
    return answers.SSE_HEAD


@pytest.fixture
def reset() -> Reset:
    """A part of a loopback answer that resets the connection."""
    return Reset()


@pytest.fixture
def wait() -> Wait:
    """A part of a loopback answer that says nothing until the test is over."""
    return Wait()


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """The loguru records of Hookline and its plugins, all levels, while the test runs."""
    records: list[Any] = []
    handler = logger.add(lambda message: records.append(message.record), level=0)
    logger.enable("hookline")
    logger.enable("hookline_plugins")
    yield records
    logger.disable("hookline")
    logger.disable("hookline_plugins")
    logger.remove(handler)
