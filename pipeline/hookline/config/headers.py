"""Headers that a user adds to every request: what can be sent, and what is not theirs to say."""

import re
from collections.abc import Mapping
from typing import Any, Final

from hookline.errors import ConfigError
from hookline.values.secret import Secret

__all__ = ["check_headers", "check_key", "headers_schema"]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
_KEY: Final = re.compile(r"[!-~]+")
_VALUE: Final = re.compile(r"[ -~]*")

# They say where a message ends and whom a connection serves, which is the transport's to know: one
# of them too many, and two servers in a row read two different requests.
_OF_THE_TRANSPORT: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def check_headers(headers: Mapping[Any, Any]) -> None:
    """Refuse headers that cannot be sent, or are not the user's to set.

    The values may be credentials and are not shown: the HTTP libraries' errors would show them.

    Raises:
        ConfigError: one of them is wrong.

    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(f"headers: {name!r} is no name of a header")
        if name.lower() in _OF_THE_TRANSPORT:
            raise ConfigError(
                f"headers: {name!r} is set by the HTTP library for each request; leave it out"
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigError(f"headers: the value of {name!r} must be one line of printable ASCII")


def headers_schema() -> dict[str, Any]:
    """Return the same as a JSON schema says it, for editors."""
    any_case = "|".join(
        "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in name)
        for name in sorted(_OF_THE_TRANSPORT)
    )
    return {
        "propertyNames": {"pattern": f"^{_NAME.pattern}$", "not": {"pattern": f"^({any_case})$"}},
        "additionalProperties": {"type": "string", "pattern": f"^{_VALUE.pattern}$"},
    }


def check_key(name: str, key: Any) -> None:
    """Refuse a credential that no header can carry, without showing it.

    Raises:
        ConfigError: it is no text, or holds white space.

    """
    if not (
        isinstance(key, Secret) and isinstance(key.reveal(), str) and _KEY.fullmatch(key.reveal())
    ):
        raise ConfigError(
            f"{name} must be a string of printable ASCII characters without white space; was a "
            "line break copied along?"
        )
