"""Blocking calls on threads of their own."""

import contextvars
import os
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hookline._io.threads import Errand, call_elsewhere, call_within
from hookline.testing import no_leaks

BACKENDS = ["asyncio", "trio"]


def missing() -> int:
    return dict[str, int]()["x"]


def test_what_a_call_returns_or_raises_comes_back() -> None:
    assert call_within(5, lambda: 7) == 7
    with pytest.raises(KeyError):
        call_within(5, missing)
    assert call_within(None, threading.get_ident) != threading.get_ident()


@pytest.mark.parametrize("backend", BACKENDS)
def test_so_it_does_in_async_code(backend: str) -> None:
    async def main() -> None:
        assert await call_elsewhere(lambda: 7) == 7
        with pytest.raises(KeyError):
            await call_elsewhere(missing)

    anyio.run(main, backend=backend)


def test_the_context_goes_along() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    who.set("me")
    assert call_within(5, who.get) == "me"


def test_what_comes_too_late_is_discarded_by_the_thread_that_made_it() -> None:
    go, discarded = threading.Event(), threading.Event()
    with no_leaks():
        with pytest.raises(TimeoutError):
            call_within(0.01, lambda: go.wait(10), discard=lambda _: discarded.set())
        assert not discarded.is_set()
        go.set()
        assert discarded.wait(10)


def test_so_is_what_has_come_already() -> None:
    discarded: list[int] = []
    errand = Errand(lambda: 7, discarded.append).start()
    assert errand.wait(10)
    errand.abandon()
    assert discarded == [7]


@pytest.mark.parametrize("backend", BACKENDS)
def test_whoever_is_cancelled_does_not_wait(backend: str) -> None:
    go, discarded = threading.Event(), threading.Event()

    async def main() -> None:
        with anyio.move_on_after(0.01):
            await call_elsewhere(lambda: go.wait(10), discard=lambda _: discarded.set())

    with no_leaks():
        anyio.run(main, backend=backend)
        go.set()
        assert discarded.wait(10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_calls_that_hang_take_nobodys_place(backend: str) -> None:
    """More of them than the event loop, or anyio, has threads."""
    go = threading.Event()

    async def main() -> str:
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(call_elsewhere, lambda: go.wait(10))
            await anyio.lowlevel.checkpoint()
            with anyio.fail_after(5):
                assert await anyio.to_thread.run_sync(lambda: 7) == 7
                said = await call_elsewhere(lambda: "in time")
            go.set()
        return said

    with no_leaks():
        assert anyio.run(main, backend=backend) == "in time"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_threads_that_wait_are_not_those_of_a_forked_child() -> None:
    ran: list[Any] = []
    call_within(5, lambda: ran.append(1))  # its thread waits for another errand
    child = os.fork()
    if child == 0:
        os._exit(call_within(5, lambda: 3))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
