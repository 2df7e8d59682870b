"""The one door through which Hookline fetches a URL that somebody else wrote.

A URL inside a message is an attempt to make this process talk to an address of the writer's choice.
So the door works in three steps that no caller can split:

1. ``check_url`` parses the URL once and decides what can be decided without a network. What is sent
   is the parsed ``Target``; nothing parses the URL again.
2. One DNS lookup; every address it gives must be public, or none is used.
3. The socket goes to an address that was checked; host name and certificate stay the name's.

A redirect starts again at step 1, and only when the caller allows redirects.
"""

import re
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from loguru import logger

from hookline._fetch.ip_ranges import is_public
from hookline._fetch.url_grammar import FetchRefused, Target, check_url, refusal
from hookline.errors import InputError, TransportError
from hookline.turn import IO, Fetched

__all__ = ["Exchange", "Lookup", "Resolver", "fetch"]

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host and port to addresses in text form, best first; raises OSError where there is none."""

Lookup: TypeAlias = Callable[[Callable[[], Sequence[str]], float], Awaitable[Sequence[str]]]
"""Calls a resolver, which may hang, and waits for it so many seconds; raises TimeoutError."""


class Exchange(Protocol):
    """One HTTP exchange with one given address; ``fetch`` says what each argument is."""

    async def __call__(
        self,
        *,
        method: str,
        scheme: str,
        host: str,
        port: int,
        target: str,
        address: str,
        headers: dict[str, str],
        content: bytes | None,
        timeout: float,  # noqa: ASYNC109 -- handed on to the HTTP library
        max_bytes: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request to ``address`` and return status, headers and body."""
        ...


_MOST_ADDRESSES: Final = 64  # in one DNS answer; more is no host but an attempt at something
_MOST_CONNECTS: Final = 3  # enough to get past a machine with broken IPv6
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_METHOD: Final = re.compile(r"[A-Z]+")
_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_DEFAULT_HEADERS: Final[Mapping[str, str]] = {
    "accept": "*/*",
    "accept-encoding": "identity",  # nothing to inflate, so no bomb
    "user-agent": "hookline",
}


async def fetch(
    url: str,
    *,
    io: IO,
    exchange: Exchange,
    look_up: Lookup,
    method: str = "GET",
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    allow_hosts: Collection[str] = (),
    max_bytes: int = 10 * 1024 * 1024,
    timeout: float = 10.0,  # noqa: ASYNC109 -- shared out over lookups and hops; a Pipeline has no cancel scopes
    redirects: int = 0,
    resolver: Resolver | None = None,
) -> Fetched:
    """Fetch an untrusted URL.

    Args:
        url: see ``check_url``.
        io: the turn's io.
        exchange: makes one HTTP exchange with one given address.
        look_up: waits for the resolver, whose call may hang.
        method: HTTP method. Only GET and HEAD follow redirects.
        content: request body.
        headers: sent to the first origin only. Cookies and credentials are never added.
        allow_hosts: see ``check_url``.
        max_bytes: the longest body accepted.
        timeout: seconds for everything together: lookup, connection, redirects, body.
        redirects: how many redirects may be followed; each is judged like a first URL.
        resolver: stands in for the system's resolver.

    Returns:
        The answer, whatever its status, except redirects.

    Raises:
        FetchRefused: the URL or its address is not allowed, the host gave no answer in time, the
            body is too long, or there were more redirects than allowed.

    """
    deadline = io.now() + timeout
    target = first = check_url(url, allow_hosts=allow_hosts)
    own_headers = _request_headers(method, headers)
    for followed in range(redirects + 1):
        status, found, body = await _exchange(
            target,
            await _addresses(target, look_up, resolver or _system_resolver, deadline - io.now()),
            io,
            exchange,
            deadline,
            method=method,
            headers=own_headers if target.origin == first.origin else dict(_DEFAULT_HEADERS),
            content=content,
            max_bytes=max_bytes,
        )
        if len(body) > max_bytes:
            raise FetchRefused(f"{target.host} sent more than {max_bytes:,} bytes", target.host)
        answered = {name.lower(): value for name, value in found.items()}
        if status not in _REDIRECTS:
            return Fetched(status, answered, body, target.origin)
        if followed == redirects or method not in {"GET", "HEAD"}:
            break
        target = check_url(_absolute(target, answered.get("location", "")), allow_hosts=allow_hosts)
    raise FetchRefused(
        f"{target.host} answered with a redirect, and no more than {redirects} are followed here; "
        "give the URL it leads to",
        target.host,
    )


async def _addresses(
    target: Target, look_up: Lookup, resolver: Resolver, seconds: float
) -> Sequence[str]:
    """Look the host up once, and let through all of its addresses or none."""
    if target.address is not None:
        return (target.host,)
    try:
        found = await look_up(lambda: resolver(target.host, target.port), seconds)
    except (OSError, UnicodeError) as error:
        raise _failure(target, error) from _cause(target, error)
    if not 0 < len(found) <= _MOST_ADDRESSES:
        raise refusal(target.host)
    if not (target.trusted or all(map(is_public, found))):
        raise refusal(target.host)
    return found


async def _exchange(
    target: Target,
    addresses: Sequence[str],
    io: IO,
    exchange: Exchange,
    deadline: float,
    **request: Any,
) -> tuple[int, dict[str, str], bytes]:
    """Make the exchange with the first address that takes a connection."""
    error: Exception = TimeoutError("no time left")
    for address in addresses[:_MOST_CONNECTS]:
        remaining = deadline - io.now()
        if remaining <= 0:
            break
        try:
            return await exchange(
                scheme=target.scheme,
                host=target.host,
                port=target.port,
                target=target.target,
                address=address,
                timeout=remaining,
                **request,
            )
        except (TransportError, OSError) as failure:
            error = failure
            if getattr(failure, "phase", "") != "connect":
                break  # something may have been sent, and another address would get it twice
    raise _failure(target, error) from _cause(target, error)


def _failure(target: Target, error: Exception) -> FetchRefused:
    """Turn a network error into the common refusal; the log gets its class and no more."""
    logger.debug("fetch from {} failed: {}", target.host, type(error).__name__)
    return refusal(target.host)


def _cause(target: Target, error: Exception) -> Exception | None:
    """Show the cause only for hosts that the operator named: there is nothing to find out there."""
    return error if target.trusted else None


def _absolute(target: Target, location: str) -> str:
    """Make a Location absolute: a full URL is taken, and an absolute path of the same origin."""
    same_origin = location.startswith("/") and not location.startswith("//")
    return target.origin + location if same_origin else location


def _request_headers(method: str, headers: Mapping[str, str] | None) -> dict[str, str]:
    own = {name.lower(): value for name, value in (headers or {}).items()}
    merged = {**_DEFAULT_HEADERS, **own}
    if not _METHOD.fullmatch(method) or not all(
        _TOKEN.fullmatch(name) and _FIELD_VALUE.fullmatch(value) for name, value in merged.items()
    ):
        raise InputError(
            "the method or a header of this fetch holds characters HTTP does not allow"
        )
    return merged


def _system_resolver(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A dict drops doubles and keeps the system's order of preference.
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
