"""F14 to F17: what can go wrong while a request is on its way out."""

import asyncio
from typing import Any

import pytest

from hookline import APIError, AsyncPipeline, Pipeline, PoolTimeout
from hookline._http.transport import Timeouts
from hookline.testing import (
    Authority,
    Close,
    Delay,
    FaultServer,
    NeverRead,
    Receive,
    Reset,
    Send,
    Stall,
    busy_connections,
    error_answer,
    json_answer,
    message,
    no_leaks,
    stream_events,
    stream_head,
    stream_parts,
)
from support.patience import SLACK, widening

LARGE = "x" * 8_000_000  # more than the kernel buffers between the two


@pytest.mark.parametrize("end", [Reset(), Close()])
def test_f14_an_early_413_is_reported_and_not_the_reset(plain: Any, end: Any) -> None:
    # asyncio sends as soon as it can, and forgets what it has not read when that fails: the answer
    # must be there before the break.
    for pause in widening(0.05):
        ahead = (Delay(pause),) if plain.colour == "asyncio" else ()
        script = (Receive(body=False), Send(error_answer(413, "request_too_large")), *ahead, end)
        outcome = plain.meet(script, prompt=LARGE)
        if len(outcome.attempts) == 1:
            break
    assert isinstance(outcome.error, APIError), outcome.error
    assert (outcome.error.status, outcome.error.type) == (413, "request_too_large")
    assert outcome.error.request_id == "req_test"
    assert len(outcome.attempts) == 1


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("size", [8_000_000, 200_000])
@pytest.mark.parametrize("library", ["httpcore2", "aiohttp"])
def test_f15_a_cancelled_upload_leaves_nothing(library: str, size: int, secure: bool) -> None:
    async def main(server: FaultServer, ca_bundle: str) -> None:
        async with AsyncPipeline(
            base_url=server.url,
            api_key="test",
            http=library,
            ca_bundle=ca_bundle,
            config={"plugins": {"enable": ["history"]}},
        ) as line:
            task = asyncio.create_task(line.send("x" * size))
            await asyncio.to_thread(server.wait_until, lambda server: bool(server.requests))
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    stuck = (Receive(body=False), NeverRead())
    with Authority() as authority, no_leaks():
        tls = authority.valid() if secure else None
        with FaultServer(stuck, tls=tls, receive_buffer=4096) as server:
            asyncio.run(main(server, authority.ca_bundle))


def test_a_reset_during_the_upload_is_retried(way: Any) -> None:
    outcome = way.meet((Receive(body=False), Reset()), way.good, prompt=LARGE)
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 2


def test_f15_a_server_that_never_reads_meets_the_write_timeout(plain: Any) -> None:
    for limit in widening(0.3):  # in which the second attempt must get rid of something
        outcome = plain.meet(
            NeverRead(),
            plain.good,
            prompt=LARGE,
            write_timeout=limit,
            read_timeout=60,
            server={"receive_buffer": 4096},
        )
        if outcome.error is None:
            break
    assert outcome.text == "Hello!"
    assert "write failed" in outcome.attempts[0].error
    assert "the setting write_timeout" in outcome.attempts[0].error
    assert outcome.attempts[0].seconds < limit + SLACK


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_f17_an_exhausted_pool_is_our_own_trouble(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = pytest.importorskip(library)
    first = stream_parts(stream_events("Hello!"))[0]
    streaming = (Send(stream_head() + first), Stall())
    with (
        no_leaks(),
        FaultServer(streaming, json_answer(message("free again"))) as server,
        module.Client(limits=module.Limits(max_connections=1)) as client,
        Pipeline(
            base_url=server.url,
            api_key="test",
            model="claude-haiku-4-5",
            client=client,
            config={"plugins": {"enable": ["history"]}},
        ) as line,
    ):
        monkeypatch.setattr(Timeouts, "within", lambda *_, **__: Timeouts(pool=0.1))
        with line.stream("Hi"):
            for _ in range(3):
                with pytest.raises(
                    PoolTimeout, match=r"No connection became free.*max_connections"
                ) as caught:
                    line.send("Hi")
                assert caught.value.phase == "pool"
            assert len(server.requests) == 1
        assert line.send("Hi").text == "free again"
        assert busy_connections(line) == 0
