"""Reading what was recorded: cassettes of the plugin ``record``, and requests as JSON lines.

A line is a request's body, or an object with ``request`` and, as far as they are known, ``principal``
and ``response``. So a line of a cassette is one too.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from hookline._files import read_file
from hookline.cli.replay.stand_ins import stood_in
from hookline.errors import DecodeError, HooklineError, InputError
from hookline.values.messages import Request, Response
from hookline.values.principal import NOBODY, Principal
from hookline.wire import json
from hookline.wire.codec import structure_request, structure_response

__all__ = ["Recorded", "principal_of", "read_bytes", "read_request", "recorded", "request_of"]

_MOST_BYTES: Final = 256 * 1024 * 1024
_CASSETTE: Final = {"hookline_cassette": 1}


@frozen
class Recorded:
    """One request that was sent, and its response if that was kept.

    Attributes:
        where: file and line.
        request: as it was sent.
        principal: on whose behalf.
        response: what came, or None.
        hashed: whether of an image or document only the hash was kept; another one stands in its place, and
            it cannot be sent again.

    """

    where: str
    request: Request
    principal: Principal = NOBODY
    response: Response | None = None
    hashed: bool = False

    def asking(self, model: str) -> "Recorded":
        """Return the same exchange with another model asked."""
        return evolve(self, request=self.request.evolve(model=model))


def recorded(path: str) -> Iterator[Recorded]:
    """Yield what a file holds, in its order.

    Raises:
        InputError: the file, or a line of it, cannot be read.

    """
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        body = _parsed(line, where)
        if number == 1 and isinstance(body, Mapping) and "hookline_cassette" in body:
            if body != _CASSETTE:
                raise InputError(f"{where}: a cassette of another version, {body!r}")
            continue
        yield _read(body, where)


def _read(body: Any, where: str) -> Recorded:
    if not isinstance(body, Mapping) or body.get("request") is None:
        return Recorded(where, request_of(body, where))
    whole, hashed = stood_in(body["request"])
    return Recorded(
        where,
        request_of(whole, where),
        principal_of(body.get("principal"), where),
        _response(body, where),
        hashed,
    )


def _response(line: Mapping[str, Any], where: str) -> Response | None:
    if line.get("response") is None:
        return None
    try:
        response = structure_response(line["response"])
        return response.evolve(status=line.get("status", 200), headers=line.get("headers", {}))
    except (HooklineError, TypeError, ValueError) as error:
        raise InputError(f"{where}: its response is none: {error}") from error


def read_request(data: bytes, where: str) -> Request:
    """Read a request as the API takes it.

    Raises:
        InputError: it is none.

    """
    return request_of(_parsed(data, where), where)


def request_of(body: Any, where: str) -> Request:
    """Read the body of a request, which may name its ``betas``.

    Raises:
        InputError: it is none.

    """
    if not isinstance(body, Mapping):
        raise InputError(f"{where}: a request is an object")
    body = dict(body)
    betas = body.pop("betas", [])
    try:
        request = structure_request({"messages": [], **body})
        return request.evolve(betas=tuple(betas)) if betas else request
    except (DecodeError, InputError, TypeError) as error:
        raise InputError(f"{where}: no request: {error}") from error


def principal_of(given: Any, where: str) -> Principal:
    """Read on whose behalf a request was made; None is nobody's.

    Raises:
        InputError: it is no table of user, team, tenant and tags.

    """
    try:
        return Principal(**(given or {}))
    except TypeError as error:
        raise InputError(f"{where}: a principal has user, team, tenant and tags") from error


def read_bytes(path: str) -> bytes:
    """Return what a file holds.

    Raises:
        InputError: it cannot be read.

    """
    try:
        return read_file(path, most=_MOST_BYTES)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _parsed(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error}") from error
