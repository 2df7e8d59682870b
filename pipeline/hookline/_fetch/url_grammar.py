r"""URLs that somebody else wrote, parsed once and by a grammar that has one reading only.

Two parsers that disagree about where a host ends are how most guards fall: one checks ``good.com``,
the other connects to what follows the ``@``, the ``\`` or the ``#``. So a URL is matched as a whole
against a narrow pattern, and from then on only the parsed `Target` is used.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from attrs import field, frozen

from hookline._fetch.ip_ranges import is_public
from hookline.errors import ConfigError, InputError

__all__ = ["FetchRefused", "Target", "check_url", "refusal"]

MAX_URL: Final = 4096  # characters; a signed link of a large object store stays under 2,000
_MAX_PORT: Final = 65535
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

# RFC 3986 without its indulgences: no userinfo, no empty host, no empty port, and whatever follows
# the authority begins with a slash. The fragment is never sent.
_PATH_CHAR: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})"
_TAIL_CHAR: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})"
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    rf"(?:(?P<target>/{_PATH_CHAR}*(?:\?{_TAIL_CHAR}*)?)(?:\#{_TAIL_CHAR}*)?)?"
)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER_LIKE: Final = re.compile(
    r"[0-9]+|0x[0-9a-f]*"
)  # what inet_aton reads as part of an address

# Names that by standard or by habit never lead to the public internet (RFC 6761, RFC 8375, ICANN).
_INWARD_SUFFIXES: Final = (
    "corp", "example", "home", "home.arpa", "internal", "intranet", "invalid", "lan",
    "local", "localdomain", "localhost", "onion", "private", "test",
)  # fmt: skip


class FetchRefused(InputError):
    """A URL was not fetched, or gave no answer that may be used.

    Args:
        message: what is wrong, and what to do.
        host: the host that was asked for; path and query stay out of every text, they may be signed.

    """

    def __init__(self, message: str, host: str = "") -> None:
        super().__init__(message)
        self.host = host


@frozen
class Target:
    """A URL that has been parsed and allowed.

    Attributes:
        scheme: ``"https"`` or ``"http"``.
        host: the name or the literal address, lower case, IPv6 without brackets.
        port: where to connect.
        target: path and query as they go on the wire.
        trusted: the operator named this host in ``allow_hosts``.

    """

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)  # the query may hold a signature
    trusted: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and, where it is not the scheme's own, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host as an address, if it is one and not a name."""
        return _address(self.host)


def check_url(url: str, *, allow_hosts: Iterable[str] = ()) -> Target:
    """Parse a URL and decide everything that needs no network.

    Args:
        url: an absolute URL, at most 4,096 ASCII characters.
        allow_hosts: ``"host"`` or ``"host:port"`` entries that the operator trusts: for them ``http``,
            other ports and addresses that are not public are allowed.

    Returns:
        The parsed target.

    Raises:
        FetchRefused: the URL is malformed, not ``https``, on another port than 443, or its host is
            not a public one.
        ConfigError: an entry of ``allow_hosts`` is malformed.

    Example:
        >>> check_url("https://example.com/ant.jpg").host
        'example.com'

    """
    match = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if match is None:
        raise FetchRefused(
            "not a URL that can be fetched: expected https://host/path in at most "
            f"{MAX_URL} characters, without user name, spaces or backslashes, with international "
            "host names as xn--… and everything else outside ASCII percent-encoded"
        )
    scheme, host = match["scheme"].lower(), _host(match["v6"], match["name"])
    if scheme not in _DEFAULT_PORTS:
        raise FetchRefused("only https URLs are fetched", host)
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if port > _MAX_PORT:
        raise FetchRefused("not a URL that can be fetched: the port is out of range", host)
    if any(host == name and number in {None, port} for name, number in map(_entry, allow_hosts)):
        return Target(scheme, host, port, match["target"] or "/", trusted=True)
    if scheme != "https":
        raise FetchRefused(
            f"only https URLs are fetched; name {host} in allow_hosts to trust it with http", host
        )
    address = _address(host)
    public = not _is_inward(host) if address is None else is_public(address)
    if not public or port != _DEFAULT_PORTS["https"]:
        raise refusal(host)
    return Target(scheme, host, port, match["target"] or "/")


def refusal(host: str) -> FetchRefused:
    """Make the one error for every reason why no usable answer came from a host.

    A refused address, a closed port, a time-out and a missing name must read the same, or the
    differences would draw a map of the network.

    Args:
        host: the host that was asked for.

    Returns:
        The error, to be raised.

    """
    return FetchRefused(
        f"nothing could be fetched from {host}: either it did not answer properly in time, or it is "
        "not at a public address and https port 443 (name it in allow_hosts to trust it)",
        host,
    )


def _host(v6: str | None, name: str | None) -> str:
    """Return the host in its one canonical spelling."""
    if v6 is not None:
        address = _address(v6)
        if address is None:
            raise FetchRefused("not a URL that can be fetched: bad IPv6 address")
        return str(address)
    host = (name or "").lower()
    labels = host.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise FetchRefused("not a URL that can be fetched: bad host name")
    # 2852039166, 0xa9fea9fe, 0251.0376.1 and 127.1 are addresses to inet_aton and names to us.
    if _NUMBER_LIKE.fullmatch(labels[-1]) and _address(host) is None:
        raise FetchRefused("not a URL that can be fetched: write an IPv4 address as four decimals")
    return host


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_inward(host: str) -> bool:
    """Whether a name cannot lead to the public internet, whatever DNS says."""
    return "." not in host or any(
        host == suffix or host.endswith(f".{suffix}") for suffix in _INWARD_SUFFIXES
    )


def _entry(entry: str) -> tuple[str, int | None]:
    """Split ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; a bare IPv6 address is taken too."""
    text = f"[{entry}]" if entry.count(":") > 1 and not entry.startswith("[") else entry
    match = _URL.fullmatch(f"https://{text}")
    if match is not None and match["target"] is None and int(match["port"] or 1) <= _MAX_PORT:
        with suppress(FetchRefused):
            return _host(match["v6"], match["name"]), int(match["port"]) if match["port"] else None
    raise ConfigError(
        f"allow_hosts: {entry!r} is neither a host nor host:port; write for example "
        '"images.example.com" or "10.0.0.5:8080"'
    )
