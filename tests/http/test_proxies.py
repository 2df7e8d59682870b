"""Proxies that the environment names, the same for every HTTP library."""

import asyncio
import base64
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any, Self

import pytest

from hookline import AsyncPipeline, ConfigError, MissingExtra, Pipeline
from hookline._http.proxies import proxy_for
from hookline.testing import Authority, FaultServer, json_answer, message

PROXY = "http://proxy.example:3128"


def answer(options: dict[str, Any], *, asynchronous: bool, calls: int = 1) -> str:
    """Take some turns in one of the colours; return the text of the last."""

    async def main() -> str:
        async with AsyncPipeline(**options) as line:
            return [(await line.send("Hi")).text for _ in range(calls)][-1]

    if asynchronous:
        return asyncio.run(main())
    with Pipeline(**options) as line:
        return [line.send("Hi").text for _ in range(calls)][-1]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        for spelt in (f"{name}_proxy", f"{name}_proxy".upper()):
            monkeypatch.delenv(spelt, raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "https://api.example", None),
        ({"https_proxy": ""}, "https://api.example", None),
        ({"https_proxy": PROXY}, "https://api.example", PROXY),
        ({"HTTPS_PROXY": PROXY}, "https://api.example", PROXY),
        ({"https_proxy": PROXY}, "http://api.example", None),
        ({"http_proxy": PROXY}, "http://api.example", PROXY),
        ({"all_proxy": PROXY}, "https://api.example", PROXY),
        ({"all_proxy": "socks5://h:1", "https_proxy": PROXY}, "https://api.example", PROXY),
        ({"https_proxy": "proxy.example:3128"}, "https://api.example", PROXY),
        ({"https_proxy": PROXY, "no_proxy": "*"}, "https://api.example", None),
        ({"https_proxy": PROXY, "no_proxy": "other.example"}, "https://api.example", PROXY),
        ({"https_proxy": PROXY, "no_proxy": "example"}, "https://api.example", None),
        ({"https_proxy": PROXY, "no_proxy": ".api.example"}, "https://x.api.example", None),
        ({"https_proxy": PROXY, "no_proxy": "a, api.example"}, "https://api.example:8443", None),
        ({"http_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, "http://10.1.2.3:8080", None),
        ({"http_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, "http://11.1.2.3:8080", PROXY),
        ({"http_proxy": PROXY, "no_proxy": "fd00::/8"}, "http://[fd00::1]", None),
        ({"http_proxy": PROXY, "no_proxy": "fd00::/8,a/b"}, "http://10.1.2.3", PROXY),
        ({"http_proxy": PROXY, "no_proxy": "::1"}, "http://[::1]:8080", None),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, expected: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(url)
    assert (proxy and proxy.url) == expected


@pytest.mark.parametrize(
    "named", ["http://me:CANARY@[", "http://me:pass@h:CANARY", "http://me:CANARY@", "http://h:0"]
)
def test_a_proxy_that_is_none_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("https_proxy", named)
    with pytest.raises(ConfigError, match="https_proxy is no address of a proxy") as caught:
        proxy_for("https://api.example")
    assert "CANARY" not in f"{caught.value} {caught.value.__context__}"


def test_the_password_of_a_proxy_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:CAN%41RY@proxy.example:3128")
    proxy = proxy_for("https://api.example")
    assert proxy is not None
    assert proxy.credentials == ("me", "CANARY")
    assert "CANARY" not in f"{proxy} {proxy.credentials}"


@pytest.mark.parametrize(
    ("library", "asynchronous"),
    [("auto", False), ("auto", True), ("httpcore2", True), ("aiohttp", True)],
)
def test_a_call_goes_through_it_with_its_credentials(
    monkeypatch: pytest.MonkeyPatch, library: str, asynchronous: bool
) -> None:
    with FaultServer(json_answer(message("Hello!"))) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{proxy.port}")
        options: dict[str, Any] = {
            "base_url": "http://api.example",
            "api_key": "none",
            "http": library,
        }

        assert answer(options, asynchronous=asynchronous) == "Hello!"
    (request,) = proxy.requests
    assert request.target == "http://api.example/v1/messages"
    secret = base64.b64encode(b"me:pass").decode()
    assert request.headers["proxy-authorization"] == f"Basic {secret}"


class Tunnel:
    """A proxy that leads to one server, whatever it is asked for; HTTP CONNECT or SOCKS 5."""

    def __init__(self, port: int, *, socks: bool, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        self._tls = tls
        self._socks = socks
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._tls is not None:
                    client = self._tls.wrap_socket(client, server_side=True)
                with client, socket.create_connection(("127.0.0.1", self._target)) as server:
                    (self._greet_socks if self._socks else self._greet)(client)
                    pump = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                    pump.start()
                    self._pump(client, server)
                    pump.join(5)

    def _greet(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(4096)
        self.asked.append(head)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def _greet_socks(self, client: socket.socket) -> None:
        methods = client.recv(4096)
        if 2 in methods[2:]:
            client.sendall(b"\x05\x02")
            self.asked.append(client.recv(4096))
            client.sendall(b"\x01\x00")
        else:
            client.sendall(b"\x05\x00")
        self.asked.append(client.recv(4096))
        client.sendall(b"\x05\x00\x00\x01\0\0\0\0\0\0")

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("socks", [False, True], ids=["connect", "socks"])
@pytest.mark.parametrize(
    ("library", "asynchronous"),
    [("auto", False), ("auto", True), ("httpcore2", True), ("aiohttp", True)],
)
def test_tls_goes_through_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, library: str, asynchronous: bool, socks: bool
) -> None:
    with (
        Authority() as authority,
        FaultServer(json_answer(message("Hello!")), tls=authority.valid()) as server,
        Tunnel(server.port, socks=socks) as tunnel,
    ):
        scheme = "socks5" if socks else "http"
        monkeypatch.setenv("https_proxy", f"{scheme}://me:pa%40ss@127.0.0.1:{tunnel.port}")
        options: dict[str, Any] = {
            "base_url": f"https://localhost:{server.port}",
            "api_key": "none",
            "http": library,
            "ca_bundle": authority.ca_bundle,
        }

        if socks and library == "aiohttp":
            with pytest.raises(ConfigError, match="SOCKS"):
                answer(options, asynchronous=True)
            return
        assert answer(options, asynchronous=asynchronous, calls=2) == "Hello!"
        if socks:
            assert tunnel.asked[0] == b"\x01\x02me\x05pa@ss"
            assert b"localhost" in tunnel.asked[1]
        else:
            (asked,) = tunnel.asked
            assert asked.startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.port)
            assert base64.b64encode(b"me:pa@ss") in asked
        assert all("pa@ss" not in str(each.headers) for each in server.requests)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("library", ["httpcore2"])
def test_the_proxy_itself_may_be_spoken_to_by_tls(
    monkeypatch: pytest.MonkeyPatch, library: str, asynchronous: bool
) -> None:
    with (
        Authority() as authority,
        FaultServer(json_answer(message("Hello!")), tls=authority.valid()) as server,
        Tunnel(server.port, socks=False, tls=authority.valid()) as tunnel,
    ):
        monkeypatch.setenv("https_proxy", f"https://localhost:{tunnel.port}")
        options: dict[str, Any] = {
            "base_url": f"https://localhost:{server.port}",
            "api_key": "none",
            "http": library,
            "ca_bundle": authority.ca_bundle,
        }

        assert answer(options, asynchronous=asynchronous) == "Hello!"
        assert len(tunnel.asked) == 1


def test_a_socks_proxy_without_its_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setattr("hookline._http.own_pool.find_spec", lambda name: None)
    with (
        Pipeline(base_url="https://api.example", api_key="none", http="httpcore2") as line,
        pytest.raises(MissingExtra, match=r"pip install 'hookline\[socks\]'"),
    ):
        line.send("Hi")


def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "ftp://127.0.0.1:1")
    with (
        Pipeline(base_url="https://api.example", api_key="none") as line,
        pytest.raises(ConfigError, match="ftp: proxy"),
    ):
        line.send("Hi")
