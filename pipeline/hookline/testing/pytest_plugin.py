"""The pytest plugin: fixtures for tests of plugins and applications.

Installed with Hookline, by the entry point ``pytest11``. It imports nothing of Hookline before a test asks
for a fixture, so it costs an unrelated test run nothing.

================= ==============================================================================
fixture           is
================= ==============================================================================
``sim``           a ``RecordingSimulator``; ``sim.requests`` is what it was sent, ``sim.play(Rule(…))``
                  scripts it
``line``          a ``Pipeline`` on ``sim``
``async_line``    an ``AsyncPipeline`` on ``sim``
``fault_server``  starts a ``FaultServer``: ``fault_server(Reset(), json_answer(…))``
``make_turn``     makes a ``Turn``: ``make_turn(**fields)``
``make_request``  makes a ``Request``: ``make_request("Hello")``
``make_reply``    makes a ``Reply``: ``make_reply("Hello!")``
``run_hook``      runs one hook alone: ``run_hook(plugin, "build_history", request=…)``
``capture_trace`` keeps the traces of ``line`` and ``async_line``: ``capture_trace.latest``
``frozen_time``   a ``FakeClock``: the waits of ``line``, or of ``async_line``, pass at once
================= ==============================================================================

``@pytest.mark.hookline(plugins=[…], model=…)`` gives arguments to ``line`` and ``async_line``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hookline.pipeline import AsyncPipeline, Pipeline
    from hookline.reply import Reply
    from hookline.testing import FakeClock, FaultServer, RecordingSimulator, TraceCapture
    from hookline.turn import Turn
    from hookline.values.messages import Request

__all__ = [
    "async_line",
    "capture_trace",
    "fault_server",
    "frozen_time",
    "line",
    "make_reply",
    "make_request",
    "make_turn",
    "pytest_configure",
    "run_hook",
    "sim",
]


def pytest_configure(config: pytest.Config) -> None:
    """Say what the mark is."""
    config.addinivalue_line(
        "markers", "hookline(**options): arguments of the pipelines of `line` and `async_line`"
    )


@pytest.fixture
def sim() -> "RecordingSimulator":
    """Return a simulator that keeps what it is sent."""
    from hookline.testing import RecordingSimulator  # noqa: PLC0415 -- see the module's docstring

    return RecordingSimulator()


@pytest.fixture
def line(request: pytest.FixtureRequest, sim: "RecordingSimulator") -> "Iterator[Pipeline]":
    """Return a pipeline on ``sim``."""
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- as above

    with Pipeline(**_options(request, sim)) as made:
        yield made


@pytest.fixture
def async_line(
    request: pytest.FixtureRequest, sim: "RecordingSimulator"
) -> "Iterator[AsyncPipeline]":
    """Return an async pipeline on ``sim``, for whichever runner of async tests there is."""
    import anyio  # noqa: PLC0415 -- as above

    from hookline.pipeline import AsyncPipeline  # noqa: PLC0415 -- as above

    made = AsyncPipeline(**_options(request, sim))
    yield made
    anyio.run(made.close)


@pytest.fixture
def fault_server() -> "Iterator[Callable[..., FaultServer]]":
    """Start servers that do what a script says."""
    from hookline.testing import FaultServer  # noqa: PLC0415 -- as above

    with ExitStack() as servers:

        def start(*scripts: Any, **options: Any) -> "FaultServer":
            return servers.enter_context(FaultServer(*scripts, **options))

        yield start


@pytest.fixture
def make_turn() -> "Callable[..., Turn]":
    """Make turns that belong to no pipeline."""
    from hookline.testing import make_turn as make  # noqa: PLC0415 -- as above

    return make


@pytest.fixture
def make_request() -> "Callable[..., Request]":
    """Make requests."""
    from hookline.testing import make_request as make  # noqa: PLC0415 -- as above

    return make


@pytest.fixture
def make_reply() -> "Callable[..., Reply]":
    """Make replies."""
    from hookline.testing import make_reply as make  # noqa: PLC0415 -- as above

    return make


@pytest.fixture
def run_hook() -> "Callable[..., Any]":
    """Run one hook of one plugin."""
    from hookline.testing import run_hook as run  # noqa: PLC0415 -- as above

    return run


@pytest.fixture
def capture_trace() -> "TraceCapture":
    """Keep the traces of ``line`` and ``async_line``."""
    from hookline.testing import TraceCapture  # noqa: PLC0415 -- as above

    return TraceCapture()


@pytest.fixture
def frozen_time(request: pytest.FixtureRequest) -> "Iterator[FakeClock]":
    """Let waits pass at once."""
    from hookline.testing import fake_time  # noqa: PLC0415 -- as above

    name = "async_line" if "async_line" in request.fixturenames else "line"
    with fake_time(request.getfixturevalue(name)) as clock:
        yield clock


def _options(request: pytest.FixtureRequest, sim: "RecordingSimulator") -> dict[str, Any]:
    """Return the arguments of a pipeline; no settings that happen to lie about take part."""
    options: dict[str, Any] = {"base_url": sim, "config": {}, "model": "claude-haiku-4-5"}
    for mark in reversed(list(request.node.iter_markers("hookline"))):
        options |= mark.kwargs
    if "capture_trace" in request.fixturenames:
        capture = request.getfixturevalue("capture_trace")
        options["plugins"] = [*options.get("plugins", ()), capture]
    return options
