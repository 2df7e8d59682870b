"""The grammar of a base URL: what can be an address of the API is told apart when it is given.

A URL that only the HTTP library would refuse fails at the first call, in words that blame somebody
else; one that ends in ``/v1`` gives a 404 that says nothing of it.
"""

import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from hookline.errors import ConfigError
from hookline.values.redaction import shown_url

__all__ = ["checked_base_url"]

# What may not stand anywhere in it, since a URL library drops it, or reads something else into it.
_STRAY: Final = frozenset(" \\")
_NAME: Final = re.compile(r"[0-9A-Za-z._-]+")  # of a host, in the form in which it is looked up
_OF_THE_API: Final = ("/v1/messages", "/v1")  # what is added to every base URL


def checked_base_url(value: Any) -> str:
    """Return a base URL as it is used: without a slash at its end, and without ``/v1``.

    Args:
        value: an http(s) address, or ``sim:`` with or without a path.

    Raises:
        ConfigError: it is no such address, or holds what has no place in one. What may be a user
            name, a password or a signature in it is not shown.

    Example:
        >>> checked_base_url("http://127.0.0.1:8080/v1/")
        'http://127.0.0.1:8080'

    """
    if not isinstance(value, str):
        raise ConfigError(f"base_url must be a text, not {value!r}")
    return _settled(str.__str__(value))


@lru_cache(maxsize=256)  # each turn under a policy makes a destination of its own
def _settled(value: str) -> str:
    if value.startswith("sim:"):
        return value
    problem = _problem(value)
    # With a slash too few, or one in the password, it stands elsewhere than in the host's place.
    if "@" in value and (problem or "@" in urlsplit(value).netloc):
        raise ConfigError("base_url must not hold a user name or password")
    if problem:
        raise ConfigError(
            "base_url must be an http(s) address, or sim: for the simulator, not "
            f"{shown_url(value)!r}: {problem}"
        )
    text = value.rstrip("/")
    for tail in _OF_THE_API:
        text = text.removesuffix(tail).rstrip("/")
    return text


def _problem(value: str) -> str:
    """Say what is wrong with an address, or return ""."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:  # of the port, or of brackets
        return str(error)
    problems = (
        (
            not value.isprintable() or _STRAY & set(value),
            "it holds white space or a character that no URL may hold",
        ),
        ("?" in value or "#" in value, "a query or fragment cannot be part of it"),
        (parts.scheme not in ("http", "https"), "it does not begin with http:// or https://"),
        (not host, "it names no host"),
        (":" not in host and not _names_a_host(host), f"{host!r} is no name or address of a host"),
        (port == 0 or parts.netloc.endswith(":"), "its port is missing or 0"),
        (set("[]") & set(parts.path), "brackets belong around an IPv6 address only"),
    )
    return next((words for wrong, words in problems if wrong), "")


def _names_a_host(host: str) -> bool:
    """Say whether a host can be looked up: resolvers raise what they like where it cannot."""
    try:
        written = host.encode("idna").decode("ascii")
        if written.rpartition(".")[2].isdigit():
            from ipaddress import IPv4Address  # noqa: PLC0415 -- few hosts are written like that

            IPv4Address(written)
    except ValueError:  # of the codec, too: an empty label, or one that is too long
        return False
    return _NAME.fullmatch(written) is not None
