"""Requests that somebody has kept: bodies, cassettes, explanations, exports of the audit."""

from collections.abc import Iterator
from typing import Any, Final

from attrs import field, frozen

from hookline.cli.policy.judging import principal_of, read_bytes, request_of
from hookline.errors import InputError
from hookline.values.messages import Request
from hookline.values.principal import Principal
from hookline.wire import json

__all__ = ["Recorded", "recorded"]

_CASSETTE: Final = "hookline_cassette"
_WHO: Final = ("user", "team", "tenant", "tags")


@frozen
class Recorded:
    """A request that was made once.

    Attributes:
        where: file and line.
        request: what was asked.
        principal: on whose behalf, where that is known.
        surface: the door, where that is known.

    """

    where: str
    request: Request
    principal: Principal = field(factory=Principal)
    surface: str = "send"


def recorded(path: str) -> Iterator[Recorded]:
    """Yield the requests of a file: lines of JSON, or one JSON document.

    Each is a body; ``{"request": …, "principal": …}``, as cassettes of the plugin ``record`` and ``hookline
    explain --json`` have them, too; or a record of ``hookline audit export``, kept with its content.

    Raises:
        InputError: the file, or a line of it, cannot be read.

    """
    data = read_bytes(path)
    try:
        whole = json.loads(data)
    except json.JSONDecodeError:
        for number, line in enumerate(data.splitlines(), 1):
            if line.strip():
                yield from _of_line(line, f"{path}:{number}")
        return
    yield from _of_document(whole, path)


def _of_line(line: bytes, where: str) -> Iterator[Recorded]:
    try:
        document = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    yield from _of_document(document, where)


def _of_document(document: Any, where: str) -> Iterator[Recorded]:
    if not isinstance(document, dict):
        raise InputError(f"{where}: a request is an object")
    if _CASSETTE in document:  # its head
        return
    record = document.get("record")
    if isinstance(record, dict):
        yield from _of_audit(record, where)
    elif "request" in document:
        principal = principal_of(document.get("principal"), where)
        yield Recorded(where, request_of(document["request"], where), principal)
    else:
        yield Recorded(where, request_of(document, where))


def _of_audit(record: dict[str, Any], where: str) -> Iterator[Recorded]:
    content = record.get("content")
    if not isinstance(content, dict):
        raise InputError(
            f'{where}: this record was kept without content; [plugins.audit] content = "full" keeps it'
        )
    if content.get("request") is not None:  # an upload has none
        principal = principal_of({name: record.get(name) for name in _WHO}, where)
        surface = str(record.get("surface", "send"))
        yield Recorded(where, request_of(content["request"], where), principal, surface)
