"""The grammar of a base URL: what can be an address of the API is told apart when it is given.

A URL that only the HTTP library would refuse fails at the first call, in words that blame somebody
else; one that ends in ``/v1`` gives a 404 that says nothing of it.
"""

import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from hookline.errors import ConfigError
from hookline.values.brief import brief
from hookline.values.redaction import shown_url

__all__ = ["checked_base_url"]

# What no URL may hold as it is: libraries drop it, write it in their own way, or read something else
# into it. Braces and angle brackets are what is left of a template: https://{region}.example.com.
_STRAY: Final = frozenset(' \\"<>^`{|}')
_NAME: Final = re.compile(r"[0-9A-Za-z._-]+")  # of a host, in the form in which it is looked up
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What is added to every base URL, and so no part of one; each slash of it may have come twice.
_OF_THE_API: Final = re.compile(
    r"(?<!/)/+v1(?:/+(?:messages(?:/+(?:batches|count_tokens))?|models|files))?/*\Z"
)
# Copied from the page of another API. Whoever serves both serves ours beside it.
_OF_ANOTHER_API: Final = ("/chat/completions", "/completions", "/responses", "/embeddings")


def checked_base_url(value: Any) -> str:
    """Return a base URL as it is used: without a slash at its end, and without ``/v1``.

    A host of other letters than ASCII's is written in the form in which it is looked up, so that all
    HTTP libraries, and whoever judges the address, mean the same host.

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
        raise ConfigError(f"base_url must be a text, not {brief(value)}")
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
    parts = urlsplit(value)
    return f"{parts.scheme}://{_origin(parts)}{_path(parts.path)}"


def _origin(parts: SplitResult) -> str:
    if parts.netloc.isascii():
        return parts.netloc
    port = "" if parts.port is None else f":{parts.port}"
    return _looked_up(parts.hostname or "") + port


def _path(given: str) -> str:
    """Drop what is added to every base URL from the end of a path, however often it stands there."""
    path = given.rstrip("/")
    while tail := _OF_THE_API.search(path):
        path = path[: tail.start()]
    return path


def _problem(value: str) -> str:
    """Say what is wrong with an address, or return ""."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:  # of the port, or of brackets
        return str(error)
    path = parts.path.rstrip("/")
    problems = (
        (
            not value.isprintable() or _STRAY & set(value),
            "it holds white space or a character that no URL may hold",
        ),
        ("?" in value or "#" in value, "a query or fragment cannot be part of it"),
        (parts.scheme not in ("http", "https"), "it does not begin with http:// or https://"),
        (not host, "it names no host"),
        (not _names_a_host(host), f"{host!r} is no name or address of a host"),
        (port == 0 or parts.netloc.endswith(":"), "its port is missing or 0"),
        (set("[]") & set(parts.path), "brackets belong around an IPv6 address only"),
        (_BAD_ESCAPE.search(path), "a percent sign in it stands before no two hexadecimal digits"),
        (
            {".", ".."} & set(unquote(path).split("/")),
            "its path holds '.' or '..', which libraries read differently",
        ),
        (
            path.endswith(_OF_ANOTHER_API),
            "it ends in an address of another API; give what stands before /v1",
        ),
    )
    return next((words for wrong, words in problems if wrong), "")


def _names_a_host(host: str) -> bool:
    """Say whether a host can be looked up: resolvers raise what they like where it cannot."""
    if ":" in host:  # an IPv6 address; its brackets and digits have been read already
        return host.isascii()
    try:
        written = _looked_up(host)
        last = written.rstrip(".").rpartition(".")[2]
        if last.isdigit():
            from ipaddress import IPv4Address  # noqa: PLC0415 -- few hosts are written like that

            IPv4Address(written)
    except ValueError:  # of the codecs, too: an empty label, or one that is too long
        return False
    return _NAME.fullmatch(written) is not None


def _looked_up(host: str) -> str:
    """Return a host in the form in which it is looked up.

    Python's own codec keeps to the names of 2003, where ``faß.example`` is another host than it is
    to browsers and to aiohttp.
    """
    if host.isascii():
        return host.encode("idna").decode("ascii")
    import idna  # noqa: PLC0415 -- few hosts are written like that

    return idna.encode(host, uts46=True).decode("ascii")
