"""What of a request may be shown: everything but credentials.

One table says which names of JSON hold them. Texts of the conversation are the caller's and are shown, cut;
a plugin that must hide more of them does so in what it sends.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from hookline._said import without_keys

__all__ = ["HIDDEN", "SECRET_NAMES", "redacted", "shown_member", "shown_url", "shown_values"]

HIDDEN: Final = "…"
SECRET_NAMES: Final = frozenset(
    {"api_key", "authorization", "authorization_token", "fallback_credit_token", "x-api-key"}
)
# What such names end in where nobody has given us a list of them: in extra=, in tool input, in tags.
_SECRET_ENDING: Final = re.compile(
    r"(?:^|[-_])(?:token|secret|passw(?:or)?d|passphrase|credentials?|authorization|cookie)\Z"
    r"|(?:api|access|secret|private|signing|auth|master|license|subscription)[-_]?key\Z",
    re.IGNORECASE,
)
_URL_NAMES: Final = frozenset({"url", "source"})
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def redacted(value: Any) -> Any:
    """Return JSON in which a constant stands for each credential, and URLs have no query.

    Args:
        value: JSON, frozen or not.

    Returns:
        A copy made of dicts and lists.

    """
    if isinstance(value, Mapping):
        return {name: redacted(shown_member(name, item)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value


def shown_member(name: Any, value: Any) -> Any:
    """Return the value of one member of a JSON object as it may be shown."""
    if value is not None and isinstance(name, str) and _is_secret(name):
        return HIDDEN
    if not isinstance(value, str):
        return value
    return without_keys(shown_url(value) if name in _URL_NAMES else value)


def shown_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be shown of options that anything may hide in: names, numbers and flags."""
    return {
        name: value if value is None or isinstance(value, bool | int | float) else HIDDEN
        for name, value in given.items()
    }


@lru_cache(maxsize=1_000)
def _is_secret(name: str) -> bool:
    return name in SECRET_NAMES or _SECRET_ENDING.search(name) is not None


def shown_url(url: str) -> str:
    """Return an address without what may be a credential: a query may be a signature.

    Args:
        url: an address; any other text is returned as it is.

    Returns:
        The address without user, password, query and fragment; ``?…`` stands for a query.

    """
    match = _URL.match(url)
    if match is None:
        return url
    address, mark, _ = url[match.end() :].partition("?")
    authority, slash, path = address.partition("#")[0].partition("/")
    host = authority.rpartition("@")[2]
    return f"{match.group()}{host}{slash}{path}" + (f"?{HIDDEN}" if mark else "")
