"""The fault server does to a bare socket what its script says."""

import socket
import ssl
import time
from typing import Any

import pytest

from hookline import ConfigError
from hookline.testing import (
    AtOnce,
    Authority,
    Bandwidth,
    Close,
    CutHandshake,
    Delay,
    Drip,
    FaultServer,
    HalfClose,
    NeverRead,
    Receive,
    Reset,
    Send,
    Slice,
    Stall,
    error_answer,
    http_answer,
    no_leaks,
    stream_answer,
    stream_events,
)

REQUEST = b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


def dial(server: FaultServer, request: bytes = REQUEST) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    connection.sendall(request)
    return connection


def everything(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def test_a_request_is_received_and_answered() -> None:
    with (
        no_leaks(),
        FaultServer((Send(b"one"), Send(b"two"), Close())) as server,
        dial(server) as it,
    ):
        assert everything(it) == b"onetwo"
        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/v1/messages?beta=true")
        assert (request.headers["host"], request.json, request.connection) == ("x", {}, 1)


def test_scripts_go_to_requests_in_order_and_the_last_repeats() -> None:
    with FaultServer(b"first.", b"other.") as server, dial(server, REQUEST + REQUEST) as it:
        assert it.recv(6, socket.MSG_WAITALL) + it.recv(6, socket.MSG_WAITALL) == b"first.other."
        with dial(server) as second:
            assert second.recv(6, socket.MSG_WAITALL) == b"other."
        assert [request.connection for request in server.requests] == [1, 1, 2]


def test_a_function_makes_a_script_of_the_request() -> None:
    with FaultServer(lambda request: (request.target.encode(), Close())) as server:
        with dial(server) as it:
            assert everything(it) == b"/v1/messages?beta=true"
        assert len(server.requests) == 1


def test_an_idle_connection_takes_no_script() -> None:
    with FaultServer(b"first.", b"other.") as server, dial(server, b"") as idle:
        with dial(server) as busy:
            assert busy.recv(6, socket.MSG_WAITALL) == b"first."
        idle.sendall(REQUEST)
        assert idle.recv(6, socket.MSG_WAITALL) == b"other."


def test_slices_arrive_one_by_one() -> None:
    with FaultServer((Slice(b"abcdefg", (1, 3), pause=0.02), Close())) as server:
        with dial(server) as it:
            pieces = list(iter(lambda: it.recv(100), b""))
        assert pieces == [b"a", b"bcd", b"e", b"fg"]


@pytest.mark.parametrize(
    ("action", "least"),
    [
        (Drip(b"abcd", 0.03), 0.09),
        (Bandwidth(b"x" * 1000, 10_000), 0.09),
        (Delay(0.1), 0.1),
        (Slice(b"abcd", pause=0.03), 0.09),
    ],
)
def test_slow_actions_take_their_time(action: Any, least: float) -> None:
    with FaultServer((action, Send(b"!"), Close())) as server, dial(server) as it:
        began = time.monotonic()
        assert everything(it).endswith(b"!")
        assert least <= time.monotonic() - began < least + 0.5


def test_a_reset_is_a_reset() -> None:
    with FaultServer(Reset()) as server, dial(server) as it, pytest.raises(ConnectionResetError):
        it.recv(1)


def test_a_half_closed_connection_still_reads() -> None:
    with FaultServer((Send(b"bye"), HalfClose())) as server, dial(server) as it:
        assert everything(it) == b"bye"
        it.sendall(b"still there?")
        assert server.connections == 1
    assert server.wait_until(lambda server: server.connections == 0)


@pytest.mark.parametrize("action", [Stall(), Delay(60), Drip(b"x" * 100, 60)])
def test_it_notices_that_the_client_is_gone(action: Any) -> None:
    with FaultServer(action) as server:
        with dial(server):
            assert server.wait_until(lambda server: len(server.requests) == 1)
            assert server.connections == 1
        assert server.wait_until(lambda server: server.connections == 0, 0.5)


@pytest.mark.parametrize("action", [Stall(), NeverRead(), Delay(60)])
def test_stopping_ends_whatever_goes_on(action: Any) -> None:
    with no_leaks():
        server = FaultServer(action)
        began = time.monotonic()
        with server, dial(server):
            assert server.wait_until(lambda server: server.connections == 1)
        assert time.monotonic() - began < 1
        assert server.connections == 0
        server.stop()


def test_never_read_stops_the_writer() -> None:
    with FaultServer(NeverRead(), receive_buffer=4096) as server, dial(server, b"") as it:
        it.settimeout(0.2)
        with pytest.raises(TimeoutError):
            it.sendall(b"x" * 32_000_000)


def test_a_full_backlog_lets_nobody_in_until_it_does() -> None:
    with FaultServer((b"in", Close()), accepting=False) as server:
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", server.port), timeout=0.2)
        server.let_in()
        with dial(server) as it:
            assert everything(it) == b"in"


def test_at_once_does_not_wait_for_a_request() -> None:
    script = (AtOnce(), Send(b"hello"), Receive(body=False), Send(b"!"), Close())
    with FaultServer(script) as server, dial(server, b"") as it:
        assert it.recv(5, socket.MSG_WAITALL) == b"hello"
        it.sendall(REQUEST)
        assert it.recv(1) == b"!"
        assert server.requests[0].body == b""


def test_tls_good_and_bad() -> None:
    with Authority() as authority:
        trusting = ssl.create_default_context(cafile=authority.ca_bundle)
        with (
            FaultServer((b"safe", Close()), tls=authority.valid()) as server,
            dial(server, b"") as it,
        ):
            assert server.url.startswith("https://")
            with trusting.wrap_socket(it, server_hostname="127.0.0.1") as tls:
                tls.sendall(REQUEST)
                assert everything(tls) == b"safe"
        for bad, reason in (
            (authority.expired(), "expired"),
            (authority.wrong_host(), "IP address mismatch"),
            (authority.self_signed(), "unable to get local issuer"),
        ):
            with (
                FaultServer(b"", tls=bad) as server,
                dial(server, b"") as it,
                pytest.raises(ssl.SSLError, match=reason),
                trusting.wrap_socket(it, server_hostname="127.0.0.1"),
            ):
                pass
        with (
            FaultServer(CutHandshake(), tls=authority.valid()) as server,
            dial(server, b"") as it,
            pytest.raises((ssl.SSLError, ConnectionError), match=r"(?i)eof|reset"),
            trusting.wrap_socket(it, server_hostname="127.0.0.1"),
        ):
            pass


def test_a_server_without_a_script_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a script"):
        FaultServer()


def test_answers_are_http() -> None:
    assert http_answer(404, b"no", length=5).startswith(b"HTTP/1.1 404")
    assert b"content-length: 5\r\n" in http_answer(404, b"no", length=5)
    assert b'"overloaded_error"' in error_answer(529, "overloaded_error")
    assert stream_answer("a").endswith(b"\r\n0\r\n\r\n")
    assert stream_answer("a", chunked=False, end=False).count(b"event: ") == 3
    assert [event["type"] for event in stream_events("a")][-1] == "message_stop"


def test_leaks_are_found() -> None:
    left: list[socket.socket] = []

    def leak() -> None:
        with no_leaks():
            left.append(socket.socket())

    with pytest.raises(AssertionError, match="descriptor"):
        leak()
    left[0].close()
