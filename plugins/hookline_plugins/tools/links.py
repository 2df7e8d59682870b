"""Tools behind a link: the model's input goes out over HTTP, the answer comes back as the result."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from string import Template
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from attrs import field, frozen

from hookline import ConfigError, InputError
from hookline.values import thaw
from hookline.wire import dumps
from hookline_plugins.tools.results import of_bytes
from hookline_plugins.tools.running import Job, within

__all__ = ["Link", "check_operators_url"]

_OK: Final = range(200, 300)
_SECONDS: Final = 30.0
_MOST_BYTES: Final = 20 * 1024 * 1024
_WITHOUT_BODY: Final = ("GET", "HEAD", "DELETE")
_METHODS: Final = (*_WITHOUT_BODY, "POST", "PUT", "PATCH")
_SECRET: Final = re.compile(r"(?<!\S)env:([A-Za-z_][A-Za-z0-9_]*)")


class _Name(Template):
    """Only ``$name``: no ``${name}``, which invites code, and no other case rules."""

    pattern = (
        r"\$(?:(?P<escaped>\$)|(?P<named>[A-Za-z_][A-Za-z0-9_]*)|(?P<braced>(?!))|(?P<invalid>))"  # type: ignore[assignment]  # the base class compiles it
    )


@frozen
class Link:
    """An ``https:`` address that the operator named; ``http:`` only on this machine.

    The address comes from configuration, never from the model, so its host may be a private one; only
    ``$name`` in path, query and headers is filled from the input, quoted.

    Attributes:
        url: where to send the input.
        method: of the request. POST, PUT and PATCH send the input as JSON; the others put what the
            address does not name into the query.
        headers: further headers; ``env:NAME`` stands for an environment variable, so that no secret
            is written into a file.
        timeout: seconds, or None for the plugin's.

    """

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    timeout: float | None = None

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.url)
        check_operators_url(self.url)
        if "$" in parts.netloc:
            raise ConfigError(f"tools: {self.url!r}: a host cannot come from a tool's input")
        if self.method not in _METHODS:
            raise ConfigError(
                f"tools: {self.url!r}: method {self.method!r} is none of {', '.join(_METHODS)}"
            )
        for text in (self.url, *self.headers.values()):
            if not _Name(text).is_valid():
                raise ConfigError(
                    f"tools: {self.url!r}: templates know $name and nothing else, and $$ for $"
                )
        self._secret_headers()

    def __str__(self) -> str:
        return f"{self.method} {self.url}"

    async def run(self, job: Job) -> Any:
        """Send a tool's input and return what the answer is: text, an image, a document.

        Raises:
            InputError: the input does not fill the address, the link cannot be reached, or it answered
                with an error.

        """
        given = thaw(job.call.input)
        url = self._filled(given)
        headers = {
            name: _Name(value).substitute({key: str(item) for key, item in given.items()})
            for name, value in self._secret_headers().items()
        }
        content = None
        if self.method not in _WITHOUT_BODY:
            content = dumps(given)
            headers.setdefault("content-type", "application/json")
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        seconds = min(self.timeout or _SECONDS, job.seconds or _SECONDS)
        answer = await within(
            job,
            job.turn.io.fetch(
                url,
                method=self.method,
                content=content,
                headers=headers,
                allow_hosts=(f"{parts.hostname}:{port}",),
                max_bytes=_MOST_BYTES,
                timeout=seconds,
            ),
        )
        if answer.status not in _OK:
            text = answer.body.decode("utf-8", "replace")
            raise InputError(f"the tool's server answered {answer.status}: {text[:500]}")
        return of_bytes(answer.body, answer.headers.get("content-type", ""))

    def _filled(self, given: Mapping[str, Any]) -> str:
        """Return the address, its names filled in; what has no name there goes into the query."""
        template = _Name(self.url)
        names = set(template.get_identifiers())
        missing = ", ".join(sorted(names - given.keys()))
        if missing:
            raise InputError(f"the address of this tool needs {missing}, which the input lacks")
        values = {name: quote(_text(given[name]), safe="") for name in names}
        if any(value in (".", "..") for value in values.values()):
            raise InputError("a part of an address cannot be a step up")
        url = template.substitute(values)
        if self.method not in _WITHOUT_BODY:
            return url
        rest = {name: _text(item) for name, item in given.items() if name not in names}
        if not rest:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(rest)}"

    def _secret_headers(self) -> dict[str, str]:
        """Return the headers with what the environment holds."""

        def secret(found: "re.Match[str]") -> str:
            value = os.environ.get(found[1])
            if not value:
                raise ConfigError(
                    f"tools: {self.url!r}: a header needs the environment variable {found[1]!r}, "
                    "which is not set"
                )
            return value.replace("$", "$$")

        return {name: _SECRET.sub(secret, value) for name, value in self.headers.items()}


def check_operators_url(url: str) -> None:
    """Refuse an address in a setting that is neither https nor on this machine.

    Raises:
        ConfigError: as just said.

    """
    parts = urlsplit(url)
    _ = parts.port  # which is refused where it is none
    local = parts.scheme == "http" and _is_this_machine(parts.hostname)
    if not local and not (parts.scheme == "https" and parts.hostname):
        raise ConfigError(
            f"tools: a link must be an https address (http only on this machine), not {url!r}"
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value).decode()


def _is_this_machine(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
