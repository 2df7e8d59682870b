"""Proxies that the environment names, the same for every HTTP library."""

import asyncio
import base64
from typing import Any

import pytest

from hookline import AsyncPipeline, Pipeline
from hookline._proxies import proxy_for
from hookline.testing import FaultServer, json_answer, message

PROXY = "http://proxy.example:3128"


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
    assert proxy_for(url) == expected


@pytest.mark.parametrize(
    ("library", "asynchronous"),
    [("httpx", False), ("httpx2", False), ("httpx", True), ("httpx2", True), ("aiohttp", True)],
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

        async def main() -> str:
            async with AsyncPipeline(**options) as line:
                return (await line.send("Hi")).text

        if asynchronous:
            assert asyncio.run(main()) == "Hello!"
        else:
            with Pipeline(**options) as line:
                assert line.send("Hi").text == "Hello!"
    (request,) = proxy.requests
    assert request.target == "http://api.example/v1/messages"
    secret = base64.b64encode(b"me:pass").decode()
    assert request.headers["proxy-authorization"] == f"Basic {secret}"
