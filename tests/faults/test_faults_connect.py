"""F01 to F12: what can go wrong before a request has been sent.

Whether a turn is streamed makes no difference yet; most rows take plain turns.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from hookline import AsyncPipeline, DeadlineExceeded, TransportError, hookimpl
from hookline.testing import (
    AtOnce,
    Authority,
    Close,
    CutHandshake,
    FaultServer,
    Reset,
    Send,
    Stall,
    http_answer,
    json_answer,
    message,
    no_leaks,
)
from support.patience import SLACK, widening


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with Authority() as made:
        yield made


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_f01_a_refused_connection_is_retried(way: Any) -> None:
    outcome = way.meet(base_url=closed_port())
    assert (outcome.error.phase, outcome.error.retryable) == ("connect", True)
    assert len(outcome.attempts) == 3
    assert len(outcome.waits) == 2
    assert "base_url" in str(outcome.error)


def test_f02_a_connection_that_hangs_meets_the_connect_timeout(plain: Any) -> None:
    def let_in(server: FaultServer) -> Any:
        return lambda number: server.let_in() if number == 1 else None

    for limit in widening(0.2):
        outcome = plain.meet(
            plain.good,
            server={"accepting": False},
            connect_timeout=limit,
            read_timeout=30,
            at_attempt=let_in,
        )
        if outcome.error is None:
            break
    assert outcome.text == "Hello!"
    assert "connect failed" in outcome.attempts[0].error
    assert "the setting connect_timeout" in outcome.attempts[0].error


def resolver(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> list[Any]:
    """Let the first look-ups fail; look up the loopback address from then on."""
    real, asked, left = socket.getaddrinfo, [], list(errors)

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in ("api.test", b"api.test"):
            return real(host, *arguments, **options)
        asked.append(host)
        if left:
            raise left.pop(0)
        return real("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_f03_a_name_that_does_not_exist_is_not_retried(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "nodename nor servname provided, or not known")
    resolver(monkeypatch, *[unknown] * 9)
    outcome = plain.meet(base_url="http://api.test:9")
    assert (outcome.error.phase, outcome.error.retryable) == ("connect", False)
    assert len(outcome.attempts) == 1


def test_f04_a_resolver_that_fails_for_now_is_retried(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    resolver(monkeypatch, again)
    with FaultServer(plain.good) as server:
        outcome = plain.meet(base_url=f"http://api.test:{server.port}")
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 2


class Released:
    """Lets look-ups that hang go on once the turn is over."""

    name = "released"
    role = "observer"

    def __init__(self, over: threading.Event) -> None:
        self.over = over

    @hookimpl
    def on_turn_end(self) -> None:
        self.over.set()


def test_f04_a_resolver_that_hangs_is_bounded_by_the_deadline(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    hung: list[bool] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        numeric = arguments[4] if len(arguments) > 4 else options.get("flags", 0)
        if host not in ("api.test", b"api.test") or numeric & socket.AI_NUMERICHOST:
            return real(host, *arguments, **options)
        hung.append(over.wait(20))
        return real("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    outcome = plain.meet(
        base_url="http://api.test:9",
        asked={"timeout": 0.15},
        real_time=True,
        plugins=[Released(over)],
    )
    assert isinstance(outcome.error, DeadlineExceeded)
    assert hung == [True]  # the turn was over before the look-up was, which only its end let go on


@pytest.fixture
def hanging_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A server at 127.0.0.1; ``api.test`` has a second address, named first, where connections hang."""
    with FaultServer(json_answer(message("Hello!"))) as server, ExitStack() as sockets:
        hanging = sockets.enter_context(socket.socket())
        try:
            hanging.bind(("127.0.0.2", server.port))
        except OSError:
            pytest.skip("this system has no second loopback address")
        hanging.listen(0)
        for _ in range(4):  # the backlog is full from the second on
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.2", server.port))
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
            if host not in ("api.test", b"api.test"):
                return real(host, port, *arguments, **options)
            both = [real(each, port, *arguments, **options) for each in ("127.0.0.2", "127.0.0.1")]
            return both[0] + both[1]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield server


OWN = [
    ("sync", "httpcore2"),
    ("asyncio", "httpcore2"),
    ("asyncio", "aiohttp"),
    ("trio", "httpcore2"),
]


def test_f05_the_next_address_is_tried_while_the_first_hangs(
    plain: Any, hanging_address: FaultServer
) -> None:
    if (plain.colour, plain.http) not in OWN:
        pytest.skip("a client that was handed in connects as it does")
    outcome = plain.meet(
        base_url=f"http://api.test:{hanging_address.port}", connect_timeout=20, real_time=True
    )
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 1
    assert outcome.seconds < SLACK


def test_f05_an_address_that_refuses_is_passed_by_at_once(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultServer(plain.good) as server:
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
            if host not in ("api.test", b"api.test"):
                return real(host, port, *arguments, **options)
            both = [real(each, port, *arguments, **options) for each in ("127.0.0.2", "127.0.0.1")]
            return both[0] + both[1]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        outcome = plain.meet(base_url=f"http://api.test:{server.port}")
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 1


@pytest.mark.parametrize("http", ["httpcore2", "aiohttp"])
def test_look_ups_that_hang_leave_the_others_their_threads(
    monkeypatch: pytest.MonkeyPatch, http: str
) -> None:
    """More of them than a loop has threads, and a turn to another host that wants one."""
    over = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.startswith("hangs"):
            over.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "too late")
        return real("127.0.0.1" if name == "api.test" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    options: dict[str, Any] = {
        "api_key": "k",
        "http": http,
        "config": {"plugins": {"enable": ["history"]}},
    }

    async def main(port: int) -> str:
        async with AsyncExitStack() as lines:
            hanging = [
                asyncio.ensure_future(
                    (
                        await lines.enter_async_context(
                            AsyncPipeline(base_url=f"http://hangs{number}.test", **options)
                        )
                    ).send("Hi", timeout=10)
                )
                for number in range(50)
            ]
            await asyncio.sleep(0)
            line = await lines.enter_async_context(
                AsyncPipeline(base_url=f"http://api.test:{port}", **options)
            )
            text = (await line.send("Hi", timeout=5)).text
            over.set()
            await asyncio.wait(hanging)
            assert {type(each.exception()) for each in hanging} == {TransportError}
        return text

    with no_leaks(), FaultServer(json_answer(message("Hello!"))) as server:
        assert asyncio.run(main(server.port)) == "Hello!"


@pytest.mark.parametrize(
    ("row", "certificate", "reason"),
    [
        ("F06", "expired", "expired"),
        ("F07", "wrong_host", "mismatch|valid for"),
        ("F08", "self_signed", "local issuer|self.signed"),
    ],
)
def test_f06_f07_f08_a_bad_certificate_is_final(
    plain: Any, authority: Authority, row: str, certificate: str, reason: str
) -> None:
    outcome = plain.meet(
        plain.good,
        server={"tls": getattr(authority, certificate)()},
        ca_bundle=authority.ca_bundle,
    )
    assert (outcome.error.phase, outcome.error.retryable) == ("tls", False)
    assert len(outcome.attempts) == 1
    assert any(each in str(outcome.error) for each in reason.split("|")), outcome.error
    assert outcome.server.requests == []


def test_a_good_certificate_is_accepted(plain: Any, authority: Authority) -> None:
    outcome = plain.meet(
        plain.good, server={"tls": authority.valid()}, ca_bundle=authority.ca_bundle
    )
    assert outcome.text == "Hello!"


def test_f09_a_handshake_that_is_cut_off_is_retried(plain: Any, authority: Authority) -> None:
    outcome = plain.meet(
        CutHandshake(),
        plain.good,
        server={"tls": authority.valid()},
        ca_bundle=authority.ca_bundle,
    )
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 2


# Python's own: where a reset comes before the handshake, ssl.SSLSocket drops the socket it was given.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_f09_a_handshake_that_is_reset_is_retried(plain: Any, authority: Authority) -> None:
    with FaultServer((AtOnce(), Reset())) as server:
        outcome = plain.meet(
            base_url=f"https://127.0.0.1:{server.port}", ca_bundle=authority.ca_bundle
        )
    assert outcome.error.retryable
    assert len(outcome.attempts) == 3


def test_f10_a_protocol_that_is_too_old_is_final(plain: Any, authority: Authority) -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x46"  # fatal: protocol_version
    with FaultServer((AtOnce(), Send(alert), Stall())) as server:
        outcome = plain.meet(
            base_url=f"https://127.0.0.1:{server.port}", ca_bundle=authority.ca_bundle
        )
    assert (outcome.error.phase, outcome.error.retryable) == ("tls", False)
    assert len(outcome.attempts) == 1
    assert "protocol version" in str(outcome.error).lower().replace("_", " ")


@pytest.mark.parametrize("status", [407, 403, 502])
def test_f11_a_proxy_that_refuses_is_named(
    plain: Any, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with FaultServer((http_answer(status, b"no"), Close())) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:pa55word@127.0.0.1:{proxy.port}")
        outcome = plain.meet(base_url="https://api.test")
        assert proxy.requests[0].method == "CONNECT"
    assert outcome.error.phase == "proxy"
    assert "pa55word" not in f"{outcome.error} {outcome.error!r}"
    assert str(status) in str(outcome.error)
    assert len(outcome.attempts) == 1


def test_f12_http_on_a_tls_port_is_final(plain: Any, authority: Authority) -> None:
    with FaultServer((AtOnce(), Send(http_answer(400)), Stall())) as server:
        outcome = plain.meet(
            base_url=f"https://127.0.0.1:{server.port}", ca_bundle=authority.ca_bundle
        )
    assert outcome.error.retryable is False
    assert outcome.error.phase in ("tls", "protocol")
    assert len(outcome.attempts) == 1


def test_f12_tls_on_an_http_port_is_final(plain: Any) -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x0a"  # what a TLS server says to bytes that are no handshake
    outcome = plain.meet((Send(alert), Close()))
    assert (outcome.error.phase, outcome.error.retryable) == ("protocol", False)
    assert len(outcome.attempts) == 1


def test_a_connection_that_closes_without_a_word_is_retried(way: Any) -> None:
    outcome = way.meet(Close(), Reset(), way.good)
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 3
    assert outcome.seconds < SLACK  # no time-out was waited for
