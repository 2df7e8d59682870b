"""The grammar of a base URL: checked when it is given, in every place that takes one."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline import ConfigError, Pipeline
from hookline.values import Destination
from hookline.values.base_url import checked_base_url
from hookline_plugins.resilience.fallback import Elsewhere

GIVEN_TO: dict[str, Callable[[Any], object]] = {
    "a pipeline": lambda url: Pipeline(base_url=url, api_key="k", config={}),
    "a destination": lambda url: Destination(base_url=url),
    "elsewhere": lambda url: Elsewhere(base_url=url).address(),
}


@pytest.fixture(params=GIVEN_TO)
def give(request: pytest.FixtureRequest) -> Callable[[Any], object]:
    return GIVEN_TO[request.param]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (" https://example.com", "white space"),
        ("https://example.com\n", "white space"),
        ("https://exam ple.com", "white space"),
        ("https://example.com\u00a0", "white space"),
        ("https://\u200bexample.com", "white space or a character"),  # copied from a web page
        ("https://example.com\\v1", "character that no URL may hold"),
        ("https://example.com/\udc80", "character that no URL may hold"),
        ("https://example.com:", "port"),
        ("https://example.com:0", "port"),
        ("https://example.com:99999", "[Pp]ort"),
        ("https://example.com:80x", "[Pp]ort"),
        ("https://::1", "[Pp]ort"),
        ("https://example.com?version=1", "query"),
        ("https://example.com/v1?", "query"),
        ("https://example.com#top", "fragment"),
        ("https://[", "IPv6"),
        ("https://[::1", "IPv6"),
        ("https://[fe80::zz]", "IPv6"),
        ("https://example.com/[a]", "brackets"),
        ("https://", "no host"),
        ("https:example.com", "no host"),
        ("example.com", "does not begin with"),
        ("ftp://example.com", "does not begin with"),
        ("SIM:", "does not begin with"),
        ("", "does not begin with"),
        ("https://example..com", "no name or address"),
        ("https://.", "no name or address"),
        ("https://" + 64 * "a" + ".com", "no name or address"),
        ("https://example%2ecom", "no name or address"),
        ("https://<host>", "character that no URL may hold"),
        ("https://{region}.example.com", "character that no URL may hold"),
        ('https://example.com/"', "character that no URL may hold"),
        ("https://example.com/a|b", "character that no URL may hold"),
        ("https://example.com/100%", "percent sign"),
        ("https://example.com/%zz/v1", "percent sign"),
        ("https://example.com/a/../b", r"'\.\.'"),
        ("https://example.com/.", r"'\.\.'"),
        ("https://example.com/%2E%2e/v1", r"'\.\.'"),
        ("https://example.com/v1/chat/completions", "another API"),
        ("https://example.com/v1/chat/completions/", "another API"),
        ("https://example.com/v1/responses", "another API"),
        ("https://127.0.0.1.", "no name or address"),
        ("https://a..ü", "no name or address"),
        ("https://bü_cher.example", "no name or address"),  # no name by IDNA, and in no DNS
        ("https://[::1%ü]", "no name or address"),
        ("https://256.1.1.1", "no name or address"),
        ("https://1.2.3", "no name or address"),
        (b"https://example.com", "must be a text"),
        (5, "must be a text"),
    ],
)
def test_what_is_no_address_is_named_when_it_is_given(
    give: Callable[[Any], object], url: Any, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        give(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:CANARY@example.com",
        "https://CANARY@example.com/v1",
        "https://user:CANARY@[",
        "https://example.com:CANARY@",
        "https://user:CAN/CANARY@example.com",
        "https:/user:CANARY@example.com",
        "user:CANARY@example.com",
        "https://user:p CANARY@example.com",
        "https://example.com?key=CANARY",
    ],
)
def test_what_may_be_a_credential_in_it_is_refused_and_not_shown(
    give: Callable[[Any], object], url: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        give(url)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com/v1", "https://example.com"),
        ("https://example.com/v1/", "https://example.com"),
        ("https://example.com/v1/messages", "https://example.com"),
        ("https://example.com/v1/messages/", "https://example.com"),
        ("https://example.com:8443/anthropic/v1", "https://example.com:8443/anthropic"),
        ("https://[::1]:8443/v1", "https://[::1]:8443"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1"),
        ("https://my_gateway.example.com.", "https://my_gateway.example.com."),
        ("https://example.com/v1/v1", "https://example.com"),
        ("https://example.com/v1/v1/messages", "https://example.com"),
        ("https://example.com//v1//messages//", "https://example.com"),
        ("https://example.com/v1/messages/batches", "https://example.com"),
        ("https://example.com/v1/messages/batches/", "https://example.com"),
        ("https://example.com/v1/messages/count_tokens", "https://example.com"),
        ("https://example.com/v1/models", "https://example.com"),
        ("https://example.com/v1/files", "https://example.com"),
        ("https://example.com/messages", "https://example.com/messages"),
        ("https://example.com/av1", "https://example.com/av1"),
        ("https://example.com/a//b", "https://example.com/a//b"),
        ("https://example.com/a%20b%2Fc/v1", "https://example.com/a%20b%2Fc"),
        ("https://example.com/bücher/v1", "https://example.com/bücher"),
        ("https://v1", "https://v1"),
        ("https://v1/v1", "https://v1"),
        ("HTTPS://example.com/v1", "https://example.com"),
        ("https://bücher.example/v1", "https://xn--bcher-kva.example"),
        ("https://bücher.example.:8443", "https://xn--bcher-kva.example.:8443"),
        ("https://faß.example", "https://xn--fa-hia.example"),  # and not fass.example
        ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ。:80", "https://localhost.:80"),
        ("https://example.com/a@b", "https://example.com/a@b"),
        ("https://example.com/v2", "https://example.com/v2"),
        ("sim:", "sim:"),
    ],
)
def test_what_is_added_to_each_is_dropped(
    give: Callable[[Any], object], url: str, used: str
) -> None:
    assert checked_base_url(url) == used
    give(url)


@given(st.text(max_size=12), st.text(max_size=12))
def test_whatever_it_is_it_is_an_address_or_a_config_error(host: str, rest: str) -> None:
    url = f"https://{host}{rest}"
    try:
        used = checked_base_url(url)
    except ConfigError:
        return
    assert checked_base_url(used) == used
    assert urlsplit(used).hostname
    (used + "/v1/messages").encode()  # and can be written


def test_a_destination_apart_is_equal_in_everything() -> None:
    """An enforcer gets one of its own, and the kind of server must not be guessed anew for it."""
    own = Destination(base_url="https://example.com", api_key="k", auth_token="t", api_version="2", server="llama.cpp")  # fmt: skip
    apart = own.apart()
    assert apart == own
    assert apart is not own
