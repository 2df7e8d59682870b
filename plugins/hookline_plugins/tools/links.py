"""Tools behind a link: the model's input goes out as JSON by POST, the answer comes back as text."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from hookline import ConfigError, InputError, Turn
from hookline.wire import dumps

__all__ = ["Link"]

_OK: Final = range(200, 300)
_SECONDS: Final = 30.0


@frozen
class Link:
    """An ``https:`` address that the operator named; ``http:`` only on this machine.

    The address comes from configuration, never from the model, so its host may be a private one.

    Attributes:
        url: where to send the input.

    """

    url: str

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme == "https" and parts.hostname:
            return
        if parts.scheme == "http" and parts.hostname and _is_this_machine(parts.hostname):
            return
        raise ConfigError(
            f"tools: a link must be an https address (http only on this machine), not {self.url!r}"
        )

    async def post(self, turn: Turn, payload: Mapping[str, Any]) -> str:
        """Send a tool's input and return the answer's text.

        Raises:
            InputError: the link cannot be reached, or answered with an error.

        """
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        remaining = turn.remaining()
        answer = await turn.io.fetch(
            self.url,
            method="POST",
            content=dumps(payload),
            headers={"content-type": "application/json"},
            allow_hosts=(f"{parts.hostname}:{port}",),
            timeout=_SECONDS if remaining is None else min(_SECONDS, remaining),
        )
        text = answer.body.decode("utf-8", "replace")
        if answer.status not in _OK:
            raise InputError(f"the tool's server answered {answer.status}: {text[:500]}")
        return text


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
