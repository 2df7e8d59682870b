"""What our own clients have that plain ones lack; fails when the libraries' insides move."""

import socket
import threading
import time
from typing import Any

import pytest

from hookline import DeadlineExceeded, Pipeline
from hookline._httpx import AsyncHTTP, SyncHTTP
from hookline._io import drive
from hookline._pool_repair import pools
from hookline._tuning import Deadline, tls_context, tune
from hookline.testing import Drip, FaultServer, json_answer, message, no_leaks

LIBRARIES = ["httpx", "httpx2"]
ONLY = {"plugins": {"enable": ["history"]}}


def pool_of(sender: Any) -> Any:
    found = list(pools(sender))
    assert found, "the pool is no longer where we look for it: see hookline._pool_repair.pools"
    return found[0]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("adapter", [SyncHTTP, AsyncHTTP])
def test_our_transports_are_tuned(library: Any, adapter: Any) -> None:
    pool = pool_of(adapter(wanted=library)._new_transport("http://127.0.0.1"))
    assert type(pool._network_backend).__module__ == "hookline._tuning"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_client_of_the_user_is_left_alone(library: str) -> None:
    module = pytest.importorskip(library)
    with module.Client() as client:
        transport = SyncHTTP(client)
        assert transport._sender(0, "http://127.0.0.1") is client
        assert type(pool_of(client)._network_backend).__module__ != "hookline._tuning"
        drive(transport.aclose())
        assert not client.is_closed


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_client_without_a_pool_is_no_trouble(library: str) -> None:
    module = pytest.importorskip(library)
    with module.Client(transport=module.MockTransport(lambda request: None)) as client:
        tune(client, Deadline())
        assert list(pools(client)) == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_connections_are_kept_alive(library: Any) -> None:
    with (
        no_leaks(),
        FaultServer(json_answer(message("Hello!"))) as server,
        Pipeline(base_url=server.url, api_key="test", http=library, config=ONLY) as line,
    ):
        for _ in range(5):
            line.send("Hi")
        assert server.accepted == 1
        transport: Any = line._transport
        (connection,) = pool_of(transport._own[1]).connections
        stream: Any = connection._connection._network_stream
        made = stream.get_extra_info("socket")
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_a_context_that_is_not_needed_trusts_nobody() -> None:
    import ssl

    import httpx

    context = tls_context(httpx, needed=False, ca_bundle=None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs() == []
    assert tls_context(httpx, needed=True, ca_bundle=None).verify_mode is ssl.CERT_REQUIRED


def test_a_deadline_belongs_to_its_thread() -> None:
    deadline = Deadline()
    deadline.at = time.monotonic() + 1
    seen: list[float | None] = []
    thread = threading.Thread(target=lambda: seen.append(deadline.within(30.0)))
    thread.start()
    thread.join()
    assert seen == [30.0]
    assert 0.5 < (deadline.within(30.0) or 0) <= 1
    assert (deadline.within(None) or 0) <= 1
    deadline.at = time.monotonic() - 5
    assert 0 < (deadline.within(30.0) or 0) < 0.01


@pytest.mark.parametrize("library", LIBRARIES)
def test_two_turns_of_one_thread_have_their_own_deadlines(library: Any) -> None:
    """A stream that is read between other calls ends at its own deadline, not at theirs."""
    from hookline.testing import Send, stream_events, stream_head, stream_parts

    parts = stream_parts(stream_events("a", "b", "c"))
    body = b"".join(parts)
    slow = (Send(stream_head() + parts[0]), Drip(body[len(parts[0]) :], 0.002))
    with (
        FaultServer(slow, json_answer(message("Hello!"))) as server,
        Pipeline(base_url=server.url, api_key="test", http=library, config=ONLY) as line,
        line.stream("Hi", timeout=0.4) as stream,
    ):
        began = time.monotonic()
        assert line.send("Hi", timeout=30).text == "Hello!"
        with pytest.raises(DeadlineExceeded):
            list(stream.events)
        assert time.monotonic() - began < 0.65
