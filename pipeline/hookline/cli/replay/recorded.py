"""Reading what was recorded: bodies, cassettes of the plugin ``record``, explanations, exports of the audit.

A line is a request's body, or an object with ``request`` and, as far as they are known, ``principal``
and ``response``. So a line of a cassette is one too, and what ``hookline explain --json`` writes. A record of
``hookline audit export`` holds all of it where the audit keeps contents.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
_HEAD: Final = "hookline_cassette"
_CASSETTE: Final = {_HEAD: 1}
_ABRIDGED: Final = re.compile(r"… \([\d,]+ characters\)$")  # how a trace ends a long text
_WHO: Final = ("user", "team", "tenant", "tags")


@frozen
class Recorded:
    """One request that was sent, and its response if that was kept.

    Attributes:
        where: file and line.
        request: as it was sent.
        principal: on whose behalf.
        surface: the door it came in by, where that is known.
        response: what came, or None.
        hashed: whether of an image or document only the hash was kept; another one stands in its place, and
            it cannot be sent again.

    """

    where: str
    request: Request
    principal: Principal = NOBODY
    surface: str = "send"
    response: Response | None = None
    hashed: bool = False

    def asking(self, model: str) -> "Recorded":
        """Return the same exchange with another model asked."""
        return evolve(self, request=self.request.evolve(model=model))


def recorded(path: str) -> Iterator[Recorded]:
    """Yield what a file holds, in its order: lines of JSON, or one JSON document.

    Raises:
        InputError: the file, or a line of it, cannot be read.

    """
    data = read_bytes(path)
    try:
        documents = [(path, json.loads(data))]
    except json.JSONDecodeError:
        lines = enumerate(data.splitlines(), 1)
        documents = [
            (where := f"{path}:{number}", _parsed(line, where))
            for number, line in lines
            if line.strip()
        ]
    for where, document in documents:
        if isinstance(document, Mapping) and _HEAD in document:
            if document != _CASSETTE:
                raise InputError(f"{where}: a cassette of another version, {document!r}")
            continue
        each = _read(document, where)
        if each is not None:
            yield each


def _read(body: Any, where: str) -> Recorded | None:
    if isinstance(body, Mapping) and isinstance(body.get("record"), Mapping):
        return _of_audit(body["record"], where)
    if not isinstance(body, Mapping) or body.get("request") is None:
        return Recorded(where, request_of(body, where))
    if _is_abridged(body["request"]):
        raise InputError(
            f"{where}: a request whose long texts were cut, as `explain --json` shows it; record it with the "
            "plugin record"
        )
    whole, hashed = stood_in(body["request"])
    return Recorded(
        where,
        request_of(whole, where),
        principal_of(body.get("principal"), where),
        response=_response(body, where),
        hashed=hashed,
    )


def _of_audit(record: Mapping[str, Any], where: str) -> Recorded | None:
    content = record.get("content")
    if not isinstance(content, Mapping):
        raise InputError(
            f'{where}: this record was kept without content; [plugins.audit] content = "full" keeps it'
        )
    if content.get("request") is None:  # an upload has none
        return None
    principal = principal_of({name: record.get(name) for name in _WHO}, where)
    request = request_of(content["request"], where)
    return Recorded(where, request, principal, str(record.get("surface", "send")))


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
    with suppress(TypeError):  # names that a principal has not, or no table at all
        principal = Principal(**(given or {}))
        names = (principal.user, principal.team, principal.tenant)
        if all(isinstance(name, str) for name in names) and isinstance(principal.tags, Mapping):
            return principal
    raise InputError(f"{where}: a principal has user, team and tenant, texts, and a table of tags")


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


def _is_abridged(value: Any) -> bool:
    if isinstance(value, str):
        return _ABRIDGED.search(value) is not None
    inner = value.values() if isinstance(value, Mapping) else value
    return isinstance(value, Mapping | list) and any(map(_is_abridged, inner))
