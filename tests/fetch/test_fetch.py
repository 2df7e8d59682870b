"""The one door for fetching untrusted URLs. S-numbers are rows of the catalogue of attacks."""

import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline._fetch.fetch import fetch
from hookline._fetch.ip_ranges import is_public
from hookline._fetch.url_grammar import FetchRefused, check_url
from hookline._http.pinned import GuardedFetch, look_up
from hookline._io import SyncIO, drive
from hookline.errors import ConfigError, InputError, TransportError
from hookline.turn import Fetched

PUBLIC = "93.184.215.14"
SIGNED = "https://images.example.com/ant.jpg?X-Amz-Signature=s3cr3t&sig=s3cr3t"


# --- addresses


@pytest.mark.parametrize(
    "address",
    [
        "93.184.215.14",
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "168.63.129.17",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


REFUSED_ADDRESSES = [
    "169.254.169.254",  # S01
    "::ffff:169.254.169.254",  # S07
    "::ffff:a9fe:a9fe",  # S08
    "64:ff9b::a9fe:a9fe",  # S10
    "64:ff9b:1::a9fe:a9fe",  # S11
    "64:ff9b:1::808:808",
    "fd00:ec2::254",  # S15
    "fd20:ce::254",
    "100.100.100.200",  # S16
    "168.63.129.16",  # S17
    "192.0.0.192",
    "127.0.0.1",  # S21
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 -- an address to refuse, nothing binds to it
    "::",
    "::1",
    "::7f00:1",
    "10.0.0.1",  # S26
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "240.0.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "fc00::1",  # S27
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "5f00::1",
    "3fff::1",
    "2001:db8::1",
    "2001::1",
    "2001:0:a9fe:a9fe::1",
    "2002:a9fe:a9fe::1",
    "2002:0808:0808::1",
    "2001:2::1",
    "100::1",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:10.0.0.1",
    "not an address",
    "",
]


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_inside_ipv6(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | int(address))
    nat64 = ipaddress.IPv6Address((0x64FF9B << 96) | int(address))
    assert is_public(address) == is_public(mapped) == is_public(nat64)


@given(st.ip_addresses())
def test_never_more_generous_than_the_standard_library(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(address) and not getattr(address, "ipv4_mapped", None):
        assert address.is_global
        assert not address.is_multicast


# --- the grammar


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://example.com", "example.com", "/"),
        ("https://Example.COM/a%20b.jpg", "example.com", "/a%20b.jpg"),
        ("HTTPS://example.com:443/a?b=c&d[]=/?x", "example.com", "/a?b=c&d[]=/?x"),
        ("https://xn--bcher-kva.de/a,b;c=(d)@e#part", "xn--bcher-kva.de", "/a,b;c=(d)@e"),
        ("https://93.184.215.14/", "93.184.215.14", "/"),
        ("https://[2606:4700:0::1111]/x", "2606:4700::1111", "/x"),
        ("https://a_b.s3.amazonaws.com/x", "a_b.s3.amazonaws.com", "/x"),
        ("https://1.2.3.com/", "1.2.3.com", "/"),
    ],
)
def test_good_urls(url: str, host: str, target: str) -> None:
    checked = check_url(url)
    assert (checked.scheme, checked.host, checked.port) == ("https", host, 443)
    assert checked.target == target
    assert not checked.trusted


MALFORMED = [
    "https://2852039166/",  # S02
    "https://0xa9fea9fe/",  # S03
    "https://0251.0376.0251.0376/",  # S04
    "https://127.1/",  # S21
    "https://0/",
    "https://2130706433/",  # S22
    "https://0x7f.1/",
    "https://0x7f.0x1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://example.com.127.1/",
    "https://①②⑦.0.0.1/",  # S24
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "https://bücher.de/",
    "https://[fe80::1%25eth0]/",  # S27
    "https://[::1",
    "https://[1:2]/",
    "https://[127.0.0.1]/",
    "http://127.0.0.1:6666\\@1.1.1.1/",  # S31
    "https://good.com\\@evil.com/",
    "http://good.com@127.0.0.1/",  # S32
    "https://user:password@good.com/",
    "https://@good.com/",
    "http://good.com#@evil/",  # S33
    "https://good.com?@evil/",
    "https://good.com#/",
    "https://exa\tmple.com/",  # S35
    "https://exa\rmple.com/",
    "https://example.com\n/",
    "https://example.com/\n",
    "https://exa\0mple.com/",
    "https://exa mple.com/",
    " https://example.com/",
    "ht\ttps://example.com/",
    "https:///127.0.0.1",  # S36
    "https:127.0.0.1",
    "https:/example.com/",
    "//host/x",
    "https:\\\\host",
    "example.com",
    "",
    "https://",
    "https://%31%32%37.0.0.1/",  # S38
    "https://127.0.0.1%00.good.com/",
    "https://example.com:0/",  # S39
    "https://example.com:65536/",
    "https://example.com:+80/",
    "https://example.com:٨٠/",
    "https://example.com:/",
    "https://example.com:0443/",
    "https://example.com/" + "a" * 8192,  # S41
    "https://example.com/" + "a" * 1024 * 1024,
    "https://example.com/%zz",
    "https://example.com/<script>",
    "https://example.com./",
    "https://.example.com/",
    "https://a..example.com/",
    "https://-a.example.com/",
    "https://" + "a" * 64 + ".com/",
    "file:///etc/passwd",  # S42
    "gopher://example.com/",  # S43
    "dict://example.com/",
    "ftp://example.com/",
    "tftp://example.com/",
    "ldap://example.com/",
    "jar:https://example.com/!/x",  # S44
    "netdoc:///etc/passwd",
    "phar://x.phar",
    "data:image/png;base64,AAAA",
    "blob:https://example.com/x",  # S47
    "javascript:alert(1)",
    "about:blank",
    "http://example.com/",
]


@pytest.mark.parametrize("url", MALFORMED, ids=lambda url: ascii(url)[:60])
def test_malformed_urls_are_refused(url: str) -> None:
    with pytest.raises(FetchRefused) as caught:
        check_url(url)
    assert len(str(caught.value)) < 500


REFUSED_HOSTS = [
    "https://169.254.169.254/latest/meta-data/",  # S01
    "https://[::ffff:169.254.169.254]/",  # S07
    "https://[::ffff:a9fe:a9fe]/",  # S08
    "https://[64:ff9b::a9fe:a9fe]/",  # S10
    "https://[64:ff9b:1::a9fe:a9fe]/",  # S11
    "https://[fd00:ec2::254]/",  # S15
    "https://100.100.100.200/",  # S16
    "https://168.63.129.16/",  # S17
    "https://metadata.google.internal/",  # S19
    "https://instance-data/",  # S20
    "https://metadata/",
    "https://127.0.0.1/",  # S21
    "https://0.0.0.0/",
    "https://[::]/",
    "https://[::1]/",
    "https://localhost/",  # S23
    "https://LOCALHOST/",
    "https://sub.localhost/",
    "https://ip6-localhost/",
    "https://224.0.0.1/",  # S26
    "https://printer.local/",
    "https://nas.home.arpa/",
    "https://example.com:22/",  # S39
    "https://example.com:25/",
    "https://example.com:6379/",
    "https://example.com:80/",
]


@pytest.mark.parametrize("url", REFUSED_HOSTS)
def test_all_address_refusals_read_the_same(url: str) -> None:
    with pytest.raises(FetchRefused) as caught:
        check_url(url)
    host = caught.value.host
    assert host
    assert str(caught.value).replace(host, "HOST") == COMMON


COMMON = (
    "nothing could be fetched from HOST: either it did not answer properly in time, or it is not at "
    "a public address and https port 443 (name it in allow_hosts to trust it)"
)


@given(st.text(max_size=60))
def test_any_text_is_either_refused_or_one_plain_host(text: str) -> None:
    for url in (
        text,
        f"https://{text}",
        f"https://{text}@example.com/",
        f"https://example.com{text}/",
    ):
        try:
            target = check_url(url)
        except FetchRefused:
            continue
        assert target.host == target.host.lower().strip()
        assert not set(target.host) & set("@\\/?#% \t\r\n")
        assert target.target.startswith("/")
        assert target.target.isascii()
        assert "#" not in target.target


# --- what the operator trusts


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080"),
        ("http://127.0.0.1:8080/x", "127.0.0.1"),
        ("http://localhost/x", "localhost"),
        ("https://files.internal/x", "Files.Internal"),
        ("http://[::1]:8080/x", "[::1]:8080"),
        ("http://[::1]:8080/x", "::1"),
        ("http://example.com/x", "example.com:80"),
    ],
)
def test_allow_hosts_lifts_the_rules_for_that_host(url: str, entry: str) -> None:
    assert check_url(url, allow_hosts=[entry]).trusted


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://127.0.0.1:8081/x", "127.0.0.1:8080"),
        ("http://127.0.0.2/x", "127.0.0.1"),
        ("http://sub.localhost/x", "localhost"),
        ("http://user@localhost/x", "localhost"),
        ("ftp://localhost/x", "localhost"),
        ("http://0x7f.1/x", "127.0.0.1"),
    ],
)
def test_allow_hosts_lifts_nothing_else(url: str, entry: str) -> None:
    with pytest.raises(FetchRefused):
        check_url(url, allow_hosts=[entry])


@pytest.mark.parametrize(
    "entry", ["", "http://host", "host/", "host:99999", "*.com", "a b", "user@h"]
)
def test_a_malformed_allow_hosts_entry_is_named(entry: str) -> None:
    with pytest.raises(ConfigError, match="allow_hosts"):
        check_url("https://example.com/", allow_hosts=[entry])


# --- fetching

Answer = tuple[int, dict[str, str], bytes]


class Network:
    """A resolver and an exchange that answer from tables and keep what they were asked."""

    def __init__(
        self,
        names: Mapping[str, list[str]] | None = None,
        answers: Mapping[str, Answer | Exception] | None = None,
    ) -> None:
        self.names = names or {"images.example.com": [PUBLIC]}
        self.answers = answers or {}
        self.lookups: list[str] = []
        self.calls: list[dict[str, Any]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.lookups.append(host)
        if host not in self.names:
            raise OSError(f"no such name: {host}")
        return self.names[host]

    async def exchange(self, **call: Any) -> Answer:
        self.calls.append(call)
        key = f"{call['host']}{call['target']}"
        answer = self.answers.get(call["address"]) or self.answers.get(key) or (200, {}, b"ok")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fetch(self, url: str, **options: Any) -> Fetched:
        options = {"resolver": self.resolve, **options}
        guarded = GuardedFetch(self.exchange, look_up)
        return drive(guarded(url, io=SyncIO(guarded), **options))

    def refuses(self, url: str, **options: Any) -> FetchRefused:
        with pytest.raises(FetchRefused) as caught:
            self.fetch(url, **options)
        return caught.value


def test_the_socket_goes_to_the_checked_address() -> None:
    network = Network(answers={PUBLIC: (200, {"Content-Type": "image/png"}, b"body")})
    answer = network.fetch(SIGNED)
    assert (answer.status, answer.body) == (200, b"body")
    assert answer.headers == {"content-type": "image/png"}
    [call] = network.calls
    assert (call["address"], call["host"], call["port"]) == (PUBLIC, "images.example.com", 443)
    assert call["target"] == "/ant.jpg?X-Amz-Signature=s3cr3t&sig=s3cr3t"
    assert 0 < call["timeout"] <= 10


def test_s48_rebinding_finds_one_lookup_only() -> None:
    network = Network()
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    lookups: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        lookups.append(host)
        return next(answers)

    network.fetch("https://images.example.com/", resolver=rebinding)
    assert lookups == ["images.example.com"]
    assert [call["address"] for call in network.calls] == [PUBLIC]


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_every_refused_address_is_refused_as_a_dns_answer(address: str) -> None:
    network = Network({"images.example.com": [address]})
    error = network.refuses("https://images.example.com/")
    assert str(error) == COMMON.replace("HOST", "images.example.com")
    assert network.calls == []


@pytest.mark.parametrize(
    "found",
    [
        [PUBLIC, "10.0.0.1"],  # S49
        ["fd00::1", PUBLIC],  # S50
        [f"93.184.{n // 250}.{n % 250}" for n in range(100)],  # S52
        [],
    ],
    ids=["S49", "S50", "S52", "none"],
)
def test_one_bad_address_refuses_all(found: list[str]) -> None:
    network = Network({"images.example.com": found})
    network.refuses("https://images.example.com/")
    assert network.calls == []


def test_s29_names_that_resolve_to_loopback() -> None:
    names = {"127.0.0.1.nip.io": ["127.0.0.1"], "localtest.me": ["::1"], "lvh.me": ["127.0.0.1"]}
    network = Network(names)
    for name in names:
        network.refuses(f"https://{name}/")
    assert network.calls == []


@pytest.mark.parametrize("url", [*MALFORMED, *REFUSED_HOSTS], ids=lambda url: ascii(url)[:60])
def test_syntactic_refusals_ask_no_resolver(url: str) -> None:
    network = Network()
    network.refuses(url)
    assert (network.lookups, network.calls) == ([], [])


@pytest.mark.parametrize("url", [*MALFORMED, *REFUSED_HOSTS], ids=lambda url: ascii(url)[:60])
def test_s53_every_refused_url_is_refused_as_a_redirect_target(url: str) -> None:
    network = Network(answers={PUBLIC: (302, {"Location": url}, b"")})
    network.refuses("https://images.example.com/", redirects=3)
    assert len(network.calls) == 1


def test_s53_redirects_are_off() -> None:
    network = Network(answers={PUBLIC: (302, {"location": "https://images.example.com/b"}, b"")})
    error = network.refuses("https://images.example.com/a")
    assert "redirect" in str(error)
    assert len(network.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/b", "https://images.example.com/b", "https://other.org/b"])
def test_s53_a_redirect_that_is_allowed_is_looked_up_again(status: int, location: str) -> None:
    network = Network(
        {"images.example.com": [PUBLIC], "other.org": ["1.1.1.1"]},
        {"images.example.com/a": (status, {"LOCATION": location}, b"")},
    )
    answer = network.fetch("https://images.example.com/a", redirects=1)
    assert answer.status == 200
    assert len(network.lookups) == 2
    assert network.calls[1]["target"] == "/b"


def test_s53_a_redirect_to_a_private_name_is_refused() -> None:
    network = Network(
        {"images.example.com": [PUBLIC], "inside.org": ["10.0.0.1"]},
        {PUBLIC: (302, {"location": "https://inside.org/"}, b"")},
    )
    network.refuses("https://images.example.com/", redirects=3)
    assert len(network.calls) == 1


def test_s53_a_redirect_loop_ends() -> None:
    network = Network(answers={PUBLIC: (302, {"location": "/again"}, b"")})
    network.refuses("https://images.example.com/", redirects=3)
    assert len(network.calls) == 4


def test_s53_refresh_is_ignored() -> None:
    network = Network(answers={PUBLIC: (200, {"refresh": "0; url=https://127.0.0.1/"}, b"x")})
    assert network.fetch("https://images.example.com/", redirects=3).body == b"x"
    assert len(network.calls) == 1


def test_a_post_follows_no_redirect() -> None:
    network = Network(answers={PUBLIC: (307, {"location": "/b"}, b"")})
    network.refuses("https://images.example.com/", method="POST", content=b"{}", redirects=3)
    assert len(network.calls) == 1


def test_s59_headers_stay_with_the_first_origin() -> None:
    network = Network(
        {"images.example.com": [PUBLIC], "other.org": ["1.1.1.1"]},
        {"images.example.com/": (302, {"location": "https://other.org/"}, b"")},
    )
    network.fetch("https://images.example.com/", headers={"X-Token": "t"}, redirects=1)
    assert network.calls[0]["headers"]["x-token"] == "t"
    sent = {name.lower() for call in network.calls for name in call["headers"]}
    assert sent <= {"accept", "accept-encoding", "user-agent", "x-token"}
    assert "x-token" not in network.calls[1]["headers"]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET /", {}),
        ("get", {}),
        ("GET", {"a b": "c"}),
        ("GET", {"a": "b\r\nc: d"}),
        ("GET", {"a": "\0"}),
    ],
)
def test_request_splitting_is_refused(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(InputError):
        Network().fetch("https://images.example.com/", method=method, headers=headers)


FAILURES: list[Exception] = [
    TransportError("connection refused by 93.184.215.14", phase="connect"),
    TransportError("certificate of evil.org", phase="tls"),
    TransportError("time-out", phase="read"),
    TimeoutError("time-out"),
    ConnectionRefusedError("refused"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_s58_every_failure_reads_like_a_refusal(failure: Exception) -> None:
    error = Network(answers={PUBLIC: failure}).refuses(SIGNED)
    assert str(error) == COMMON.replace("HOST", "images.example.com")
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_s58_a_missing_name_reads_like_a_refusal() -> None:
    error = Network({}).refuses("https://nowhere.example.com/")
    assert str(error) == COMMON.replace("HOST", "nowhere.example.com")
    assert error.__cause__ is None


def test_the_operator_sees_the_cause_at_a_trusted_host() -> None:
    failure = TransportError("connection refused", phase="connect")
    network = Network(answers={"127.0.0.1": failure})
    error = network.refuses("http://127.0.0.1:9/", allow_hosts=["127.0.0.1:9"])
    assert error.__cause__ is failure


def test_s60_no_error_shows_the_query() -> None:
    for answer in (*FAILURES, (302, {"location": SIGNED + "#@"}, b""), (200, {}, b"x" * 100)):
        error = Network(answers={PUBLIC: answer}).refuses(SIGNED, max_bytes=10)  # type: ignore[dict-item]
        assert "s3cr3t" not in f"{error} {error!r} {error.__dict__}"
        assert "ant.jpg" not in str(error)
    assert "s3cr3t" not in repr(check_url(SIGNED))
    assert "s3cr3t" not in repr(Network().fetch(SIGNED))


def test_a_second_address_is_tried_when_the_first_takes_no_connection() -> None:
    network = Network(
        {"images.example.com": ["2606:4700::1", PUBLIC]},
        {"2606:4700::1": TransportError("no route", phase="connect")},
    )
    assert network.fetch("https://images.example.com/").body == b"ok"
    assert [call["address"] for call in network.calls] == ["2606:4700::1", PUBLIC]


def test_no_second_address_once_something_was_sent() -> None:
    network = Network(
        {"images.example.com": [PUBLIC, "1.1.1.1"]},
        {PUBLIC: TransportError("reset", phase="read")},
    )
    network.refuses("https://images.example.com/")
    assert len(network.calls) == 1


def test_a_literal_address_needs_no_lookup() -> None:
    network = Network()
    network.fetch(f"https://{PUBLIC}/")
    assert network.lookups == []


def test_s52_a_resolver_that_hangs_does_not_hang_the_turn() -> None:

    release = threading.Event()

    def hangs(host: str, port: int) -> list[str]:
        release.wait(60)
        return [PUBLIC]

    began = time.monotonic()
    Network().refuses("https://images.example.com/", resolver=hangs, timeout=0.05)
    assert time.monotonic() - began < 5
    release.set()


def test_the_time_of_all_hops_is_one_budget() -> None:
    network = Network(answers={PUBLIC: (302, {"location": "/again"}, b"")})
    clock = iter(float(n) for n in range(100))

    class Slow(SyncIO):
        def now(self) -> float:
            return next(clock)

    with pytest.raises(FetchRefused) as caught:
        drive(
            fetch(
                "https://images.example.com/",
                io=Slow(GuardedFetch(network.exchange, look_up)),
                exchange=network.exchange,
                look_up=look_up,
                resolver=network.resolve,
                redirects=20,
                timeout=10.0,
            )
        )
    assert str(caught.value) == COMMON.replace("HOST", "images.example.com")
    timeouts = [call["timeout"] for call in network.calls]
    assert timeouts == sorted(timeouts, reverse=True)
    assert 0 < len(timeouts) < 10


def test_s61_a_body_over_the_limit_is_refused_even_if_the_exchange_let_it_through() -> None:
    network = Network(answers={PUBLIC: (200, {"content-length": "1"}, b"x" * 11)})
    assert "more than 10 bytes" in str(network.refuses("https://images.example.com/", max_bytes=10))


def test_the_exchange_may_refuse_by_itself() -> None:
    refused = FetchRefused("too long", "images.example.com")
    assert Network(answers={PUBLIC: refused}).refuses("https://images.example.com/") is refused


def test_a_bug_in_the_exchange_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        Network(answers={PUBLIC: ZeroDivisionError()}).fetch("https://images.example.com/")


def test_the_resolver_is_asked_with_the_ascii_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        asked.append((host, port))
        entry: Callable[[str], Any] = lambda address: (2, 1, 6, "", (address, port))  # noqa: E731
        return [entry(PUBLIC), entry(PUBLIC), entry("1.1.1.1")]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    network = Network()
    network.fetch("https://Images.Example.com/", resolver=None)
    assert asked == [("images.example.com", 443)]
    assert network.calls[0]["address"] == PUBLIC
