"""The grammar of a base URL: what can be an address of the API is told apart when it is given.

A URL that only the HTTP library would refuse fails at the first call, in words that blame somebody
else; one that ends in ``/v1`` gives a 404 that says nothing of it.
"""

import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from hookline.errors import ConfigError

__all__ = ["checked_base_url"]

# What may not stand anywhere in it, since a URL library drops it, or reads something else into it.
_STRAY: Final = re.compile(r"[\s\x00-\x20\x7f\\]")
_OF_THE_API: Final = ("/v1/messages", "/v1")  # what is added to every base URL


def checked_base_url(value: Any) -> str:
    """Return a base URL as it is used: without a slash at its end, and without ``/v1``.

    Args:
        value: an http(s) address, or ``sim:`` with or without a path.

    Raises:
        ConfigError: it is no such address, or holds what has no place in one. A user name or
            password in it is not shown.

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
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise ConfigError("base_url must not hold a user name or password")
    problem = _problem(value)
    if problem:
        raise ConfigError(
            f"base_url must be an http(s) address, or sim: for the simulator, not {value!r}: "
            f"{problem}"
        )
    text = value.rstrip("/")
    for tail in _OF_THE_API:
        text = text.removesuffix(tail).rstrip("/")
    return text


def _problem(value: str) -> str:
    """Say what is wrong with an address, or return ""."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:  # of the port, or of brackets
        return str(error)
    problems = (
        (_STRAY.search(value), "it holds white space or a character that no URL may hold"),
        ("?" in value or "#" in value, "a query or fragment cannot be part of it"),
        (parts.scheme not in ("http", "https"), "it does not begin with http:// or https://"),
        (not parts.hostname, "it names no host"),
        (port == 0 or parts.netloc.endswith(":"), "its port is missing or 0"),
        (set("[]") & set(parts.path), "brackets belong around an IPv6 address only"),
    )
    return next((words for wrong, words in problems if wrong), "")
