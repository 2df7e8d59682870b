"""The guarded fetch over real sockets, with both exchanges and both event loops."""

import logging
import shutil
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from hookline._fetch.url_grammar import FetchRefused
from hookline._http.pinned import async_fetch, sync_fetch
from hookline._io import AsyncIO, SyncIO, drive
from hookline.testing import Authority
from hookline.turn import Fetched

HOST = "files.internal"  # a name that only the test's resolver knows

Doer = Callable[..., Fetched]


class Server(socketserver.ThreadingTCPServer):
    """Answers each path with the very bytes it is told to, and keeps the requests it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Callable[[Any], object]] = {}
        self.requests: list[str] = []
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def says(self, path: str, *parts: bytes) -> None:
        self.answers[path] = lambda send: [send(part) for part in parts]

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"


class Handler(socketserver.StreamRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]  # narrower, on purpose

    def handle(self) -> None:
        with suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline(65536)
                if not line:
                    return
                head += line
            text = head.decode("latin-1")
            self.server.requests.append(text)
            answer = self.server.answers.get(text.split(" ")[1])
            if answer is not None:
                answer(self.wfile.write)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture(params=["sync", "asyncio", "trio"])
def door(request: pytest.FixtureRequest, server: Server) -> Doer:
    """Fetch from the server, which the operator trusts, by one of the three roads."""

    def resolver(host: str, port: int) -> list[str]:
        assert host == HOST
        return ["127.0.0.1"]

    def do(url: str, ca_bundle: str | None = None, **options: Any) -> Fetched:
        options = {"resolver": resolver, "allow_hosts": [HOST], **options}
        if request.param == "sync":
            fetch = sync_fetch(ca_bundle)
            return drive(fetch(url, io=SyncIO(fetch), **options))

        async def main() -> Fetched:
            fetch = async_fetch(ca_bundle)
            return await fetch(url, io=AsyncIO(fetch), **options)

        return anyio.run(main, backend=request.param)

    return do


OK = b"HTTP/1.1 200 OK\r\n"


def test_the_name_stays_while_the_socket_is_pinned(server: Server, door: Doer) -> None:
    server.says("/a.png?b=%20c&sig=1", OK, b"X-One: 1\r\nContent-Length: 4\r\n\r\nbody")
    answer = door(server.url("/a.png?b=%20c&sig=1"))
    assert (answer.status, answer.body, answer.headers["x-one"]) == (200, b"body", "1")
    [request] = server.requests
    assert f"\r\nhost: {HOST}:{server.port}\r\n" in request.lower()


def test_s59_nothing_of_ours_goes_along(
    server: Server, door: Doer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text(f"machine {HOST} login me password s3cr3t\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "s3cr3t")
    server.says("/", OK, b"Set-Cookie: a=s3cr3t\r\nContent-Length: 0\r\n\r\n")
    door(server.url("/"))
    door(server.url("/"))
    names = {
        line.split(":")[0].lower() for text in server.requests for line in text.split("\r\n")[1:]
    }
    assert names - {""} <= {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert "s3cr3t" not in "".join(server.requests)


def test_s54_proxy_variables_are_ignored(
    server: Server, door: Doer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.says("/", OK, b"Content-Length: 2\r\n\r\nok")
    assert door(server.url("/")).body == b"ok"


def test_s53_the_exchange_follows_nothing_by_itself(server: Server, door: Doer) -> None:
    server.says("/a", b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
    server.says("/b", OK, b"Content-Length: 2\r\n\r\nok")
    with pytest.raises(FetchRefused, match="redirect"):
        door(server.url("/a"))
    assert len(server.requests) == 1
    assert door(server.url("/a"), redirects=1).body == b"ok"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1000000\r\n\r\n",  # S61: truthful, but too much
        b"\r\n",  # S61: absent
    ],
)
def test_s61_a_body_over_the_limit_is_not_read_to_its_end(
    head: bytes, server: Server, door: Doer
) -> None:
    server.says("/", OK, head, b"x" * 1_000_000)
    with pytest.raises(FetchRefused):
        door(server.url("/"), max_bytes=1000)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"not http at all\r\n\r\n",
        b"",
    ],
    ids=["negative", "cut", "endless head", "no http", "nothing"],
)
def test_s61_broken_answers_are_refused(answer: bytes, server: Server, door: Doer) -> None:
    server.says("/", answer)
    with pytest.raises(FetchRefused) as caught:
        door(server.url("/"))
    assert "nothing could be fetched" in str(caught.value)


def test_s61_a_length_that_is_too_small_hides_nothing(server: Server, door: Doer) -> None:
    server.says("/", OK, b"Content-Length: 2\r\n\r\nok" + b"x" * 100_000)
    assert door(server.url("/"), max_bytes=2).body == b"ok"


def test_s62_endless_chunks_end_at_the_limit(server: Server, door: Doer) -> None:
    def endless(send: Callable[[bytes], Any]) -> None:
        send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while not server.closing.is_set():
            send(b"400\r\n" + b"x" * 0x400 + b"\r\n")

    server.answers["/"] = endless
    with pytest.raises(FetchRefused):
        door(server.url("/"), max_bytes=100_000)


def test_s62_a_server_that_says_nothing_is_left(server: Server, door: Doer) -> None:
    server.answers["/"] = lambda _send: server.closing.wait(30)
    began = time.monotonic()
    with pytest.raises(FetchRefused):
        door(server.url("/"), timeout=0.2)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("head", [OK + b"\r\n", OK + b"X-Slow: "], ids=["body", "head"])
def test_s62_a_slow_drip_meets_the_deadline(head: bytes, server: Server, door: Doer) -> None:
    server.answers["/"] = dripping(server, head)
    began = time.monotonic()
    with pytest.raises(FetchRefused):
        door(server.url("/"), timeout=0.3)
    assert time.monotonic() - began < 1.5


def dripping(server: Server, head: bytes) -> Callable[[Callable[[bytes], Any]], object]:
    """A byte now and then for two seconds."""

    def drip(send: Callable[[bytes], Any]) -> None:
        send(head)
        for _ in range(40):
            server.closing.wait(0.05)
            send(b"x")

    return drip


def test_s58_a_closed_port_reads_like_silence(server: Server, door: Doer) -> None:
    server.answers["/"] = lambda _send: server.closing.wait(30)
    with pytest.raises(FetchRefused) as silent:
        door(server.url("/"), timeout=0.2)
    with pytest.raises(FetchRefused) as closed:
        door(f"http://{HOST}:1/", timeout=5)
    assert str(silent.value) == str(closed.value)


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with openssl")
def test_s55_a_certificate_of_somebody_else_is_refused(door: Doer, tmp_path: Path) -> None:
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=other.example -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with Server() as tls:
        tls.socket = context.wrap_socket(
            tls.socket, server_side=True, do_handshake_on_connect=False
        )
        tls.says("/", OK, b"Content-Length: 2\r\n\r\nok")
        thread = threading.Thread(target=tls.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with pytest.raises(FetchRefused):
            door(f"https://{HOST}:{tls.port}/")
        tls.shutdown()
        thread.join()
    assert names == [HOST]
    assert tls.requests == []


def test_the_authorities_of_the_settings_count_here_too(door: Doer) -> None:
    with Authority() as authority, Server() as tls:
        tls.socket = authority.valid().wrap_socket(
            tls.socket, server_side=True, do_handshake_on_connect=False
        )
        tls.says("/", OK, b"Content-Length: 2\r\n\r\nok")
        thread = threading.Thread(target=tls.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            url = f"https://localhost:{tls.port}/"
            trusted: dict[str, Any] = {
                "allow_hosts": ["localhost"],
                "resolver": lambda host, port: ["127.0.0.1"],
            }
            assert door(url, ca_bundle=authority.ca_bundle, **trusted).body == b"ok"
            with pytest.raises(FetchRefused):
                door(url, **trusted)
        finally:
            tls.shutdown()
            thread.join()


def test_a_signed_url_is_in_no_log(
    server: Server, door: Doer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.says("/a.png?sig=s3cr3t", OK, b"Content-Length: 2\r\n\r\nok")
    assert door(server.url("/a.png?sig=s3cr3t")).body == b"ok"
    assert "s3cr3t" not in caplog.text
