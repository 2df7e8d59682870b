"""One HTTP exchange as values: what came in, what goes out, and where it pauses or breaks.

The simulator does no I/O. An adapter (the ASGI app, or Hookline's in-process transport) turns its
own request into a ``Call`` and plays the ``Answer``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import frozen

from hookline.simulator import json


@frozen
class Pause:
    """The adapter waits here.

    Args:
        seconds: How long.

    """

    seconds: float


@frozen
class Cut:
    """The connection breaks here, without a proper end."""


Part = bytes | Pause | Cut
Headers = tuple[tuple[str, str], ...]

JSON: Final = ("content-type", "application/json")
SSE: Final = ("content-type", "text/event-stream; charset=utf-8")
JSON_LINES: Final = ("content-type", "application/x-jsonl")


@frozen
class Call:
    """An HTTP request.

    Args:
        method: In capitals.
        path: With the query, as in the request line.
        headers: Names and values; names in any case, repeats allowed.
        body: The bytes, empty when there are none.

    """

    method: str
    path: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def route(self) -> str:
        """The path without its query, percent signs resolved."""
        return unquote(urlsplit(self.path).path)

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The query parameters, each with all its values."""
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        values = self.header_values(name)
        return values[0] if values else None

    def header_values(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in order."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)


@frozen
class Answer:
    """An HTTP response.

    Args:
        status: The status code.
        headers: Names in lower case, and values.
        body: Bytes in the order of sending, with pauses, and at most one cut.
        delay: Seconds to wait before the status line.

    """

    status: int
    headers: Headers
    body: tuple[Part, ...] = ()
    delay: float = 0.0

    @property
    def content(self) -> bytes:
        """All the bytes, as if nothing paused or broke."""
        return b"".join(part for part in self.body if isinstance(part, bytes))

    @property
    def streamed(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return any(
            name == "content-type" and value.startswith("text/event-stream")
            for name, value in self.headers
        )


def json_answer(value: Any, headers: Headers = ()) -> Answer:
    """Return a JSON value as a 200."""
    return Answer(200, (JSON, *headers), (json.dumps(value),))


def lines_answer(values: Iterable[Any]) -> Answer:
    """Return JSON values as a 200, one a line."""
    return Answer(200, (JSON_LINES,), (b"".join(json.dumps(value) + b"\n" for value in values),))
