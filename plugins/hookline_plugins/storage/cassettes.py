"""Cassettes: requests and their responses in one readable file, for tests and demos.

A file of JSON lines: a header, then one exchange a line. It holds no keys, no headers but those
that are asked for, and of media only a hash. It is written whole, beside the old one, and then
takes its place, so there is never half a cassette; and it takes the place of nothing but a cassette.
"""

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from hookline import ConfigError, HooklineError, InputError, Request, Response
from hookline.plugin import read_file, write_file
from hookline.values import HIDDEN, redacted
from hookline.wire import JSONDecodeError, dumps, loads, structure_response, unstructure

__all__ = [
    "Cassette",
    "CassetteMismatch",
    "DamagedCassette",
    "Exchange",
    "begins_like_one",
    "shown",
]

_HEADER: Final = {"hookline_cassette": 1}
_BEGINS: Final = b'{"hookline_cassette":'  # a cassette of any version
_MOST_BYTES: Final = 256 * 1024 * 1024
_LONG: Final = 256  # characters of base64 that are still shown as they are
_LINES: Final = 30  # of a difference that an error shows


class DamagedCassette(ConfigError):
    """The file is no cassette, or not a whole one; nothing of it is used."""


class CassetteMismatch(ConfigError):
    """A request that the cassette does not know; nothing was sent."""


@frozen
class Exchange:
    """One request and its response.

    Attributes:
        request: what was sent, as ``shown`` gives it.
        response: the API's JSON.
        headers: those response headers that were asked for.
        status: the HTTP status.

    """

    request: Mapping[str, Any]
    response: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict)
    status: int = 200

    @classmethod
    def of(cls, request: Request, response: Response, headers: Iterable[str]) -> "Exchange":
        """Make one of what was sent and what came."""
        wanted = {name.lower() for name in headers}
        kept = {name: value for name, value in response.headers.items() if name in wanted}
        return cls(shown(request), unstructure(response), kept, response.status)

    @property
    def fingerprint(self) -> str:
        """The same for the same request."""
        return _canonical(self.request)

    def restored(self) -> Response:
        """Return the response as it came."""
        return structure_response(self.response).evolve(status=self.status, headers=self.headers)


def begins_like_one(path: Path, *, empty: bool = False) -> bool:
    """Tell whether a file is a cassette by its first bytes, however damaged the rest may be.

    Args:
        path: the file.
        empty: whether nothing at all counts as one.

    """
    content = read_file(path, most=_MOST_BYTES, empty=True)
    return content.startswith(_BEGINS) or (empty and not content)


def shown(request: Request) -> dict[str, Any]:
    """Return a request as a cassette shows it: media as a hash, secrets as a constant.

    Whether it was streamed makes no difference.
    """
    body = unstructure(request.evolve(stream=None))
    if request.betas:
        body["betas"] = sorted(request.betas)
    result: dict[str, Any] = _clean(body)
    return result


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        media = value.get("type") == "base64"
        return {
            key: _hashed(item) if media and key == "data" else _clean(_without_secrets(key, item))
            for key, item in value.items()
        }
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value


def _without_secrets(name: str, value: Any) -> Any:
    """Leave credentials out; two addresses are told apart by more than what may be shown of them."""
    if value is not None and redacted({name: ""})[name]:  # a name of a credential
        return HIDDEN
    if not isinstance(value, str):
        return value
    shown = redacted({name: value})[name]
    if shown == value:
        return value
    return f"{shown} sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"


def _hashed(data: Any) -> Any:
    if not isinstance(data, str) or len(data) <= _LONG:
        return data
    return f"sha256:{hashlib.sha256(data.encode()).hexdigest()} ({len(data)} characters)"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


class Cassette:
    """The exchanges of one file.

    Args:
        path: the file.
        exchanges: what it holds.

    """

    def __init__(self, path: Path, exchanges: Iterable[Exchange] = ()) -> None:
        self.path = path
        self.exchanges = list(exchanges)
        self._ours = False  # what stands at the path has been written from here

    @classmethod
    def load(cls, path: Path) -> "Cassette":
        """Read a file, all of it or nothing.

        Raises:
            ConfigError: it cannot be read.
            DamagedCassette: it is no cassette, or something in it is wrong.

        """
        try:
            content = read_file(path, most=_MOST_BYTES, empty=True)
        except InputError as error:
            raise ConfigError(
                f"the cassette {path} cannot be read: {error}; record it first, with the "
                'plugin record or with replay\'s mode = "auto"'
            ) from error
        return cls(path, _exchanges(path, content))

    def save(self) -> None:
        """Write the file, whole, in place of the old one.

        Raises:
            InputError: it cannot be written, or the old one is no cassette; it is as it was.

        """
        if not self._ours:
            self.check_place()
        lines = [_HEADER, *(_line(each) for each in self.exchanges)]
        content = b"".join(dumps(line) + b"\n" for line in lines)
        write_file(self.path, content)
        self._ours = True

    def check_place(self) -> None:
        """Refuse to take the place of a file that is no cassette.

        Raises:
            InputError: there is one.

        """
        if self.path.exists() and not begins_like_one(self.path, empty=True):
            raise InputError("there is a file that is no cassette; choose another path")

    def matching(self, request: Request) -> list[Exchange]:
        """Return the exchanges of this very request, in their order."""
        wanted = _canonical(shown(request))
        return [each for each in self.exchanges if each.fingerprint == wanted]

    def mismatch(self, request: Request) -> CassetteMismatch:
        """Return the error that says what comes nearest to the request, and what differs."""
        if not self.exchanges:
            return CassetteMismatch(f"the cassette {self.path} is empty; record it again")
        wanted = _pretty(shown(request))
        ratios = [
            difflib.SequenceMatcher(None, _pretty(each.request), wanted).ratio()
            for each in self.exchanges
        ]
        nearest = max(range(len(ratios)), key=ratios.__getitem__)
        recorded = _pretty(self.exchanges[nearest].request)
        lines = list(difflib.unified_diff(recorded, wanted, "recorded", "asked", n=1, lineterm=""))
        if len(lines) > _LINES:
            lines = [*lines[:_LINES], f"… and {len(lines) - _LINES} lines more"]
        return CassetteMismatch(
            f"the cassette {self.path} has no such request. Nearest is entry {nearest + 1} of "
            f"{len(ratios)} (line {nearest + 2} of the file), which differs in:\n"
            + "\n".join(lines)
            + "\nIf the request is meant to have changed, record the cassette again"
        )


def _line(exchange: Exchange) -> dict[str, Any]:
    return {
        "request": exchange.request,
        "status": exchange.status,
        "headers": dict(exchange.headers),
        "response": exchange.response,
    }


def _pretty(value: Any) -> list[str]:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def _exchanges(path: Path, content: bytes) -> Iterator[Exchange]:
    def damaged(number: int, why: str) -> DamagedCassette:
        return DamagedCassette(
            f"the cassette {path} is damaged, line {number}: {why}; nothing of it is used. "
            "Restore it, or delete it and record it again"
        )

    if not content.endswith(b"\n"):
        raise damaged(content.count(b"\n") + 1, "it ends in the middle of a line")
    for number, raw in enumerate(content.split(b"\n")[:-1], 1):
        try:
            line = loads(raw)
        except JSONDecodeError as error:
            raise damaged(number, f"it is not JSON ({error.msg})") from error
        if number == 1:
            if line != _HEADER:
                raise damaged(1, f"it is not {json.dumps(_HEADER)}")
            continue
        if not isinstance(line, dict) or not isinstance(line.get("request"), dict):
            raise damaged(number, "it has no request")
        headers, status = line.get("headers", {}), line.get("status", 200)
        if not isinstance(headers, dict) or not isinstance(status, int):
            raise damaged(number, "its headers or its status are wrong")
        try:
            structure_response(line.get("response"))  # type: ignore[arg-type]  # it judges
        except HooklineError as error:
            raise damaged(number, f"its response is wrong: {error}") from error
        yield Exchange(line["request"], line["response"], headers, status)
